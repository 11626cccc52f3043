-- Walls that teams raised by declining with a conflict, in the order in which they did.
CREATE TABLE conflicts (
    team   TEXT NOT NULL,
    client TEXT NOT NULL,
    matter TEXT NOT NULL,
    UNIQUE (team, client, matter)
) STRICT;
