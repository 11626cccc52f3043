-- The fact with which a roster came into force; absent for those before this version.
ALTER TABLE roster_history ADD COLUMN seq INTEGER;

-- What people have set on teams for a time; `row` is JSON. One that has ended stays, since hours of the past rest on it.
CREATE TABLE overrides (
    id        INTEGER PRIMARY KEY,
    row       TEXT    NOT NULL,
    set_seq   INTEGER NOT NULL,
    ended_seq INTEGER,
    ended_at  INTEGER,
    CHECK ((ended_seq IS NULL) = (ended_at IS NULL))
) STRICT;
