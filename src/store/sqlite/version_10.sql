-- What people wrote about a task or a process, apart from its row, as JSON; the highest number of one counts, the others
-- are empty.
-- Rows are appended and emptied in place and never grow, as payloads and facts are: so SQLite never moves one from page to
-- page, which would leave a copy behind that nothing overwrites.
CREATE TABLE words (
    number  INTEGER PRIMARY KEY,
    arrival INTEGER NOT NULL,
    body    BLOB    NOT NULL
) STRICT;
CREATE INDEX words_by_task ON words (arrival, number);

-- Whose matter a task is, and when its payload and words were forgotten.
ALTER TABLE tasks ADD COLUMN matter TEXT;
ALTER TABLE tasks ADD COLUMN emptied_at INTEGER;
UPDATE tasks SET matter = row ->> '$.matter';
CREATE INDEX tasks_by_matter ON tasks (client, matter);
CREATE INDEX tasks_to_empty ON tasks (ended_at) WHERE ended_at IS NOT NULL AND emptied_at IS NULL;

ALTER TABLE processes ADD COLUMN emptied_at INTEGER;
CREATE INDEX processes_to_empty ON processes (ended_at) WHERE ended_at IS NOT NULL AND emptied_at IS NULL;
DROP TRIGGER processes_stay_ended;
CREATE TRIGGER processes_stay_ended BEFORE UPDATE OF arrival, id, client, request, matter, digest, state, ended_at, row ON processes
WHEN OLD.state <> 'open'
BEGIN
    SELECT raise(ABORT, 'a process that has ended is never changed');
END;

-- When an update was answered; those before this version count from now.
ALTER TABLE updates ADD COLUMN at INTEGER;
UPDATE updates SET at = (SELECT last_at FROM meta);
CREATE INDEX updates_by_age ON updates (at) WHERE at IS NOT NULL;

-- Matters whose closed tasks are to be emptied at once, by the fact that tells of it.
CREATE TABLE purges (
    seq    INTEGER PRIMARY KEY,
    client TEXT    NOT NULL,
    matter TEXT    NOT NULL,
    at     INTEGER NOT NULL,
    done   INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1))
) STRICT;
CREATE INDEX purges_to_do ON purges (seq) WHERE done = 0;

-- The last fact that was forgotten and the link to it: the chain of those that are kept starts behind it.
ALTER TABLE meta ADD COLUMN anchor_seq INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN anchor_link BLOB NOT NULL
    DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000' CHECK (length(anchor_link) = 32);

-- When this file was made as a copy of another one, in milliseconds; a copy opens only as a new life of the store.
ALTER TABLE meta ADD COLUMN copied_at INTEGER;

-- Effort that came in an hour (counted from 1970 in UTC) for what tasks ask for, in minutes; and what was expected of the
-- hours from one on. Both are kept for as long as they are looked back on.
CREATE TABLE arrivals (
    hour       INTEGER NOT NULL,
    capability TEXT    NOT NULL,
    minutes    INTEGER NOT NULL CHECK (minutes >= 0),
    PRIMARY KEY (hour, capability)
) STRICT, WITHOUT ROWID;
INSERT INTO arrivals
SELECT unixepoch(row ->> '$.admitted_at') / 3600,
       ifnull(row ->> '$.needs.jurisdiction', '*') || '/' || ifnull(row ->> '$.needs.specialty', '*'),
       sum(row ->> '$.effort_minutes')
FROM tasks GROUP BY 1, 2;
CREATE TABLE outlooks (
    hour       INTEGER NOT NULL,
    capability TEXT    NOT NULL,
    minutes    INTEGER NOT NULL CHECK (minutes >= 0),
    PRIMARY KEY (hour, capability)
) STRICT, WITHOUT ROWID;
