-- Requests that are done in steps; each step is a row of `tasks`, named `<id of the process>/<step>`. `row` is JSON.
CREATE TABLE processes (
    arrival     INTEGER PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    client      TEXT    NOT NULL,
    request     TEXT    NOT NULL,
    matter      TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('open', 'completed', 'cancelled')),
    next_due_at INTEGER,
    ended_at    INTEGER,
    row         TEXT    NOT NULL,
    CHECK (id = client || '/' || request),
    CHECK ((ended_at IS NOT NULL) = (state <> 'open'))
) STRICT;
-- Each ends in the row's number, which is the arrival.
CREATE INDEX processes_by_state ON processes (state);
CREATE INDEX processes_by_client ON processes (client);
CREATE INDEX processes_by_matter ON processes (matter);
CREATE INDEX processes_by_end ON processes (ended_at) WHERE ended_at IS NOT NULL;

-- The payload of such a request goes with every step and is kept once.
CREATE TABLE process_payloads (
    arrival INTEGER PRIMARY KEY REFERENCES processes (arrival),
    body    BLOB NOT NULL
) STRICT;

-- A request is either a task or a process, a step belongs to a process, and what has ended stays as it is.
CREATE TRIGGER a_process_is_no_task BEFORE INSERT ON processes
WHEN EXISTS (SELECT 1 FROM tasks WHERE id = NEW.id)
BEGIN
    SELECT raise(ABORT, 'a task has the id of the process');
END;
CREATE TRIGGER a_task_is_no_process BEFORE INSERT ON tasks
WHEN EXISTS (SELECT 1 FROM processes WHERE id = NEW.id)
BEGIN
    SELECT raise(ABORT, 'a process has the id of the task');
END;
CREATE TRIGGER a_step_has_a_process BEFORE INSERT ON tasks
WHEN NEW.id GLOB NEW.client || '/' || NEW.request || '/*'
    AND NOT EXISTS (SELECT 1 FROM processes WHERE id = NEW.client || '/' || NEW.request)
BEGIN
    SELECT raise(ABORT, 'a step has no process');
END;
CREATE TRIGGER processes_stay_ended BEFORE UPDATE ON processes
WHEN OLD.state <> 'open'
BEGIN
    SELECT raise(ABORT, 'a process that has ended is never changed');
END;
