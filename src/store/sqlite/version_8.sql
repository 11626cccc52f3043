-- What the waiting order remembers: the tags of clients, virtual times, the turns of teams, urgent tasks of a day. A mark
-- is JSON; one whose value would be 0 has no row.
CREATE TABLE marks (
    mark  TEXT    NOT NULL PRIMARY KEY,
    value INTEGER NOT NULL CHECK (value > 0)
) STRICT, WITHOUT ROWID;
