-- Outbox, event stream, history and audit log at once. A purged body is empty; its digest stays.
CREATE TABLE facts (
    seq          INTEGER PRIMARY KEY,
    at           INTEGER NOT NULL,
    type         TEXT    NOT NULL,
    task         TEXT,
    task_seq     INTEGER,
    client       TEXT,
    team         TEXT,
    addressed    TEXT,
    with_payload INTEGER NOT NULL CHECK (with_payload IN (0, 1)),
    body         BLOB    NOT NULL,
    body_digest  BLOB    NOT NULL CHECK (length(body_digest) = 32),
    link         BLOB    NOT NULL CHECK (length(link) = 32),
    decision     BLOB,
    CHECK (seq > 0),
    CHECK ((task IS NULL) = (task_seq IS NULL))
) STRICT;
CREATE UNIQUE INDEX facts_by_task ON facts (task, task_seq) WHERE task IS NOT NULL;
CREATE INDEX messages_by_team ON facts (team) WHERE addressed IS NOT NULL;

-- One row a task and one owner a row: a task cannot have two owners. The id is made of client and request, so that its
-- uniqueness is the uniqueness of (client, request, step).
CREATE TABLE tasks (
    arrival     INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    client      TEXT    NOT NULL,
    request     TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('waiting', 'offered', 'active', 'completed', 'cancelled')),
    team        TEXT,
    owner       TEXT,
    assignment  INTEGER,
    next_due_at INTEGER,
    ended_at    INTEGER,
    row         TEXT    NOT NULL,
    CHECK (id = client || '/' || request OR id GLOB client || '/' || request || '/*'),
    CHECK ((owner IS NOT NULL) = (state = 'active') AND (owner IS NULL OR owner = team)),
    CHECK ((assignment IS NOT NULL) = (state IN ('offered', 'active'))),
    CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'cancelled')))
) STRICT;
-- Each ends in the row's number, which is the arrival.
CREATE INDEX tasks_by_state ON tasks (state);
CREATE INDEX tasks_by_client ON tasks (client, state);
CREATE INDEX tasks_by_team ON tasks (team, state) WHERE team IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;

CREATE TABLE payloads (
    arrival INTEGER PRIMARY KEY REFERENCES tasks (arrival),
    body    BLOB NOT NULL
) STRICT;

-- `refused` is JSON, absent when the update applied.
CREATE TABLE updates (
    sender  TEXT NOT NULL,
    id      TEXT NOT NULL,
    refused TEXT,
    PRIMARY KEY (sender, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE suspects (
    message  BLOB PRIMARY KEY CHECK (length(message) = 32),
    attempts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE cursors (
    team TEXT PRIMARY KEY,
    seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE undelivered (
    seq  INTEGER PRIMARY KEY REFERENCES facts (seq),
    team TEXT NOT NULL
) STRICT;

CREATE TABLE rosters (
    digest   TEXT PRIMARY KEY,
    text     TEXT NOT NULL,
    first_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE roster_history (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL REFERENCES rosters (digest),
    at     INTEGER NOT NULL
) STRICT;

-- One row. `last_seq` and `last_link` repeat the last fact, so that facts cut off at the end show.
CREATE TABLE meta (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    incarnation  TEXT    NOT NULL,
    last_seq     INTEGER NOT NULL,
    last_link    BLOB    NOT NULL CHECK (length(last_link) = 32),
    watermark    INTEGER NOT NULL,
    next_arrival INTEGER NOT NULL,
    last_at      INTEGER,
    CHECK (watermark BETWEEN 0 AND last_seq)
) STRICT;
INSERT INTO meta (only_row, incarnation, last_seq, last_link, watermark, next_arrival)
VALUES (1, lower(hex(randomblob(8))), 0, zeroblob(32), 0, 1);
