-- Walls that teams raised by declining with a conflict, in the order in which they did.
CREATE TABLE conflicts (
    team   TEXT NOT NULL,
    client TEXT NOT NULL,
    matter TEXT NOT NULL,
    UNIQUE (team, client, matter)
) STRICT;

-- Updates of firms that came before their request; `row` is JSON.
CREATE TABLE kept_updates (
    sender TEXT NOT NULL,
    id     TEXT NOT NULL,
    row    TEXT NOT NULL,
    UNIQUE (sender, id)
) STRICT;
