-- Instants are milliseconds since 1970 in UTC. Texts compare by their bytes, whatever the database's collation.

-- Outbox, event stream, history and audit log at once. A purged body is empty; its digest stays.
CREATE TABLE facts (
    seq          BIGINT PRIMARY KEY CHECK (seq > 0),
    at           BIGINT NOT NULL,
    type         TEXT COLLATE "C" NOT NULL,
    task         TEXT COLLATE "C",
    task_seq     BIGINT,
    client       TEXT COLLATE "C",
    team         TEXT COLLATE "C",
    addressed    TEXT COLLATE "C",
    with_payload BOOLEAN NOT NULL,
    body         BYTEA NOT NULL,
    body_digest  BYTEA NOT NULL CHECK (length(body_digest) = 32),
    link         BYTEA NOT NULL CHECK (length(link) = 32),
    decision     BYTEA,
    packet       BYTEA,
    matter       TEXT COLLATE "C",
    suppressed   BOOLEAN NOT NULL DEFAULT FALSE,
    used         BIGINT,
    used_minutes BIGINT,
    CHECK ((task IS NULL) = (task_seq IS NULL))
);
CREATE UNIQUE INDEX facts_by_task ON facts (task, task_seq) WHERE task IS NOT NULL;
CREATE INDEX facts_by_team ON facts (team, seq) WHERE addressed IS NOT NULL OR used IS NOT NULL;

-- One row a task and one owner a row: a task cannot have two owners. The id is made of client and request, so that its
-- uniqueness is the uniqueness of (client, request, step). `written_in` is the batch that wrote the row last, by which a
-- standby finds what has changed.
CREATE TABLE tasks (
    arrival     BIGINT PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    client      TEXT COLLATE "C" NOT NULL,
    request     TEXT COLLATE "C" NOT NULL,
    matter      TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('waiting', 'offered', 'active', 'completed', 'cancelled')),
    team        TEXT COLLATE "C",
    owner       TEXT COLLATE "C",
    assignment  BIGINT,
    next_due_at BIGINT,
    ended_at    BIGINT,
    emptied_at  BIGINT,
    written_in  BIGINT NOT NULL,
    row         TEXT NOT NULL,
    CHECK (id = client || '/' || request OR starts_with(id, client || '/' || request || '/')),
    CHECK ((owner IS NOT NULL) = (state = 'active') AND (owner IS NULL OR owner = team)),
    CHECK ((assignment IS NOT NULL) = (state IN ('offered', 'active'))),
    CHECK ((ended_at IS NOT NULL) = (state IN ('completed', 'cancelled')))
);
CREATE INDEX tasks_by_state ON tasks (state, arrival);
CREATE INDEX tasks_by_client ON tasks (client, state, arrival);
CREATE INDEX tasks_by_team ON tasks (team, state, arrival) WHERE team IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (ended_at, arrival) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_by_matter ON tasks (client, matter);
CREATE INDEX tasks_to_empty ON tasks (ended_at) WHERE ended_at IS NOT NULL AND emptied_at IS NULL;
CREATE INDEX tasks_by_batch ON tasks (written_in);

CREATE TABLE payloads (
    arrival BIGINT PRIMARY KEY REFERENCES tasks (arrival),
    body    BYTEA NOT NULL
);

-- Requests that are done in steps; each step is a row of `tasks`, named `<id of the process>/<step>`.
CREATE TABLE processes (
    arrival     BIGINT PRIMARY KEY,
    id          TEXT COLLATE "C" NOT NULL UNIQUE,
    client      TEXT COLLATE "C" NOT NULL,
    request     TEXT COLLATE "C" NOT NULL,
    matter      TEXT COLLATE "C" NOT NULL,
    digest      TEXT COLLATE "C" NOT NULL,
    state       TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'completed', 'cancelled')),
    next_due_at BIGINT,
    ended_at    BIGINT,
    emptied_at  BIGINT,
    written_in  BIGINT NOT NULL,
    row         TEXT NOT NULL,
    CHECK (id = client || '/' || request),
    CHECK ((ended_at IS NOT NULL) = (state <> 'open'))
);
CREATE INDEX processes_by_state ON processes (state, arrival);
CREATE INDEX processes_by_client ON processes (client, arrival);
CREATE INDEX processes_by_matter ON processes (matter, arrival);
CREATE INDEX processes_to_empty ON processes (ended_at) WHERE ended_at IS NOT NULL AND emptied_at IS NULL;
CREATE INDEX processes_by_batch ON processes (written_in);

-- The payload of such a request goes with every step and is kept once.
CREATE TABLE process_payloads (
    arrival BIGINT PRIMARY KEY REFERENCES processes (arrival),
    body    BYTEA NOT NULL
);

-- What people wrote about a task or a process, apart from its row, as JSON; empty when that was forgotten.
CREATE TABLE words (
    arrival BIGINT PRIMARY KEY,
    body    BYTEA NOT NULL
);

-- A request is either a task or a process, a step belongs to a process, and what has ended stays as it is.
CREATE FUNCTION check_new_process() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM tasks WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'a task has the id of the process';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_process_is_no_task BEFORE INSERT ON processes FOR EACH ROW EXECUTE FUNCTION check_new_process();
CREATE FUNCTION check_new_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM processes WHERE id = NEW.id) THEN
        RAISE EXCEPTION 'a process has the id of the task';
    END IF;
    IF NEW.id <> NEW.client || '/' || NEW.request
        AND NOT EXISTS (SELECT 1 FROM processes WHERE id = NEW.client || '/' || NEW.request) THEN
        RAISE EXCEPTION 'a step has no process';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER a_task_is_no_process BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION check_new_task();
CREATE FUNCTION keep_ended_process() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a process that has ended is never changed';
END $$;
CREATE TRIGGER processes_stay_ended
    BEFORE UPDATE OF arrival, id, client, request, matter, digest, state, ended_at, row ON processes
    FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION keep_ended_process();

-- `refused` is JSON, absent when the update applied; `digest` is of what it said.
CREATE TABLE updates (
    sender  TEXT COLLATE "C" NOT NULL,
    id      TEXT COLLATE "C" NOT NULL,
    refused TEXT,
    digest  BYTEA CHECK (digest IS NULL OR length(digest) = 32),
    at      BIGINT,
    PRIMARY KEY (sender, id)
);
CREATE INDEX updates_by_age ON updates (at) WHERE at IS NOT NULL;

-- Updates of firms that came before their request; `row` is JSON.
CREATE TABLE kept_updates (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender TEXT COLLATE "C" NOT NULL,
    id     TEXT COLLATE "C" NOT NULL,
    row    TEXT NOT NULL,
    UNIQUE (sender, id)
);

CREATE TABLE suspects (
    message  BYTEA PRIMARY KEY CHECK (length(message) = 32),
    attempts BIGINT NOT NULL
);

CREATE TABLE cursors (
    team TEXT COLLATE "C" PRIMARY KEY,
    seq  BIGINT NOT NULL
);

CREATE TABLE undelivered (
    seq  BIGINT PRIMARY KEY REFERENCES facts (seq),
    team TEXT COLLATE "C" NOT NULL
);

-- Walls that teams raised by declining with a conflict, with the fact that told of it.
CREATE TABLE conflicts (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team   TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    matter TEXT COLLATE "C" NOT NULL,
    seq    BIGINT NOT NULL,
    UNIQUE (team, client, matter)
);

-- The walls of the roster in force; no matter is all of the client's.
CREATE TABLE walls (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    team   TEXT COLLATE "C" NOT NULL,
    client TEXT COLLATE "C" NOT NULL,
    matter TEXT COLLATE "C"
);

CREATE TABLE rosters (
    digest   TEXT COLLATE "C" PRIMARY KEY,
    text     TEXT NOT NULL,
    first_at BIGINT NOT NULL
);
CREATE TABLE roster_history (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest TEXT COLLATE "C" NOT NULL REFERENCES rosters (digest),
    at     BIGINT NOT NULL,
    seq    BIGINT NOT NULL
);

-- What people have set on teams for a time; `row` is JSON. One that has ended stays, since hours of the past rest on it.
CREATE TABLE overrides (
    id        BIGINT PRIMARY KEY,
    row       TEXT NOT NULL,
    set_seq   BIGINT NOT NULL,
    ended_seq BIGINT,
    ended_at  BIGINT,
    CHECK ((ended_seq IS NULL) = (ended_at IS NULL))
);

-- The ledger of SLA clocks: what each counted from one instant to another, in milliseconds of its basis. Rows are added
-- and never changed, and the rows of a clock follow each other without a gap, so that every total is their sum.
CREATE TABLE sla_segments (
    arrival    BIGINT NOT NULL REFERENCES tasks (arrival),
    clock      TEXT COLLATE "C" NOT NULL,
    number     BIGINT NOT NULL CHECK (number > 0),
    from_at    BIGINT NOT NULL,
    until_at   BIGINT NOT NULL,
    holder     TEXT COLLATE "C",
    standing   TEXT COLLATE "C",
    counted_ms BIGINT NOT NULL,
    closed_by  TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (arrival, clock, number),
    CHECK (until_at > from_at),
    CHECK (counted_ms >= 0 AND (standing IS NULL OR counted_ms = 0))
);
CREATE FUNCTION keep_segment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'segments of clocks are never changed';
END $$;
CREATE TRIGGER sla_segments_stay BEFORE UPDATE ON sla_segments FOR EACH ROW EXECUTE FUNCTION keep_segment();

-- For people: the ledger with ids and instants, and what each team used of each clock.
CREATE VIEW sla_ledger AS
SELECT tasks.id AS task, clock, number, to_timestamp(from_at / 1000.0) AS "from", to_timestamp(until_at / 1000.0) AS until,
       holder, standing, counted_ms, closed_by
FROM sla_segments JOIN tasks USING (arrival);
CREATE VIEW sla_shares AS
SELECT task, clock, holder, sum(counted_ms)::BIGINT AS counted_ms FROM sla_ledger GROUP BY task, clock, holder;

-- What the waiting order remembers; a mark is JSON, and one whose value would be 0 has no row.
CREATE TABLE marks (
    mark  TEXT COLLATE "C" PRIMARY KEY,
    value BIGINT NOT NULL CHECK (value > 0)
);

-- Matters whose closed tasks are to be emptied at once, by the fact that tells of it.
CREATE TABLE purges (
    seq    BIGINT PRIMARY KEY,
    client TEXT COLLATE "C" NOT NULL,
    matter TEXT COLLATE "C" NOT NULL,
    at     BIGINT NOT NULL,
    done   BOOLEAN NOT NULL DEFAULT FALSE
);
CREATE INDEX purges_to_do ON purges (seq) WHERE NOT done;

-- Effort that came in an hour (counted from 1970 in UTC) for what tasks ask for, in minutes; and what was expected of the
-- hours from one on. Both are kept for as long as they are looked back on.
CREATE TABLE arrivals (
    hour       BIGINT NOT NULL,
    capability TEXT COLLATE "C" NOT NULL,
    minutes    BIGINT NOT NULL CHECK (minutes >= 0),
    PRIMARY KEY (hour, capability)
);
CREATE TABLE outlooks (
    hour       BIGINT NOT NULL,
    capability TEXT COLLATE "C" NOT NULL,
    minutes    BIGINT NOT NULL CHECK (minutes >= 0),
    PRIMARY KEY (hour, capability)
);

-- One row. `last_seq` and `last_link` repeat the last fact, so that facts cut off at the end show. The chain of the facts
-- that are kept starts behind `anchor_seq`. `batches` counts the transactions that wrote a batch.
CREATE TABLE meta (
    only_row       BIGINT PRIMARY KEY CHECK (only_row = 1),
    schema_version BIGINT NOT NULL,
    incarnation    TEXT COLLATE "C" NOT NULL,
    last_seq       BIGINT NOT NULL,
    last_link      BYTEA NOT NULL CHECK (length(last_link) = 32),
    watermark      BIGINT NOT NULL,
    next_arrival   BIGINT NOT NULL,
    last_at        BIGINT,
    anchor_seq     BIGINT NOT NULL,
    anchor_link    BYTEA NOT NULL CHECK (length(anchor_link) = 32),
    batches        BIGINT NOT NULL,
    CHECK (watermark BETWEEN 0 AND last_seq)
);
INSERT INTO meta VALUES (1, 1, substr(md5(gen_random_uuid()::text), 1, 16), 0, decode(repeat('00', 32), 'hex'), 0, 1, NULL, 0,
                         decode(repeat('00', 32), 'hex'), 0);

-- Who leads. Whoever writes holds the row of `fence` with its own epoch until its transaction ends, so that nobody leads
-- while a write of an earlier leader is under way, and no write of one comes after. The lease is apart from it, so that
-- renewing it waits for no write. Its time is the database's.
CREATE TABLE fence (
    only_row BIGINT PRIMARY KEY CHECK (only_row = 1),
    epoch    BIGINT NOT NULL
);
INSERT INTO fence VALUES (1, 0);
CREATE TABLE lease (
    only_row       BIGINT PRIMARY KEY CHECK (only_row = 1),
    epoch          BIGINT NOT NULL,
    holder         TEXT NOT NULL,
    expires_at     TIMESTAMPTZ NOT NULL,
    writer_pid     INTEGER,
    writer_started TIMESTAMPTZ
);
INSERT INTO lease VALUES (1, 0, '', to_timestamp(0), NULL, NULL);
