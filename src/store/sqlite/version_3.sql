-- What earlier holders said, as a JSON array: for the team that a message goes to, not for those who listen to events.
ALTER TABLE facts ADD COLUMN packet BLOB;

-- What a wall has to know of a message: whose matter it tells of, and whether it was kept from its team.
ALTER TABLE facts ADD COLUMN matter TEXT;
ALTER TABLE facts ADD COLUMN suppressed INTEGER NOT NULL DEFAULT 0 CHECK (suppressed IN (0, 1));

-- The walls of the roster in force; no matter is all of the client's.
CREATE TABLE walls (
    team   TEXT NOT NULL,
    client TEXT NOT NULL,
    matter TEXT
) STRICT;
