PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO facts VALUES(1,1795420800001,'request.admitted','acme/req-000001',1,'acme',NULL,NULL,0,X'7b2274797065223a22726571756573742e61646d6974746564222c22736571223a312c2274657874223a2278787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878227d',X'09356beeb11fb9ae147945a899c02a3e20eb1aec3b829129b1016111693a4d23',X'c3da1e393de25873042c957f2eb68117e6ed4c992cf2d415f3f616dd26d96b70',NULL);
INSERT INTO facts VALUES(2,1795420800002,'request.admitted','acme/req-000002',1,'acme',NULL,NULL,0,X'7b2274797065223a22726571756573742e61646d6974746564222c22736571223a322c2274657874223a2278787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878227d',X'9aa8d9c0a621653c5aa5b045da5bb58ad21270d6e5570d00dfea7e829ac96c39',X'b4b74eebdf07768caa2643fcf23791159fc59b5467f034da3694bbdc2424750e',NULL);
INSERT INTO facts VALUES(3,1795420800003,'request.admitted','acme/req-000003',1,'acme',NULL,NULL,0,X'7b2274797065223a22726571756573742e61646d6974746564222c22736571223a332c2274657874223a2278787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878227d',X'8eee6df95670af447869c8d581d372a219d91cc8814c0281358ca6aff7b5bc27',X'7065b6cfe6769cfbf3b77270083a49aebdfae5b61fa50e0f01e592adb1294468',NULL);
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
INSERT INTO tasks VALUES(1,'acme/req-000001','acme','req-000001','7a0a3c5ca45eb21cf8904e92c1c5f72d74a3c372e1047a8eb6160df3623649b3','offered','sydney',NULL,1,1795593600000,NULL,'{"arrival":1,"id":"acme/req-000001","request":"req-000001","client":"acme","matter":"Smith ./. Müller (2026)","digest":"7a0a3c5ca45eb21cf8904e92c1c5f72d74a3c372e1047a8eb6160df3623649b3","needs":{"work_type":"document_review","jurisdiction":"US-NY","specialty":"litigation","languages":["en"],"skills":[{"name":"privilege","level":3}],"presence":"none","place":null,"allowed_countries":[],"denied_countries":[],"consent":null,"preferred_team":null,"excluded_teams":[],"handoff":"when_better","payload_on":"offer"},"priority":"high","effort_minutes":240,"deadline":"2026-11-25T08:00:00Z","not_before":null,"after":[],"sla":null,"clocks":[],"admitted_at":"2026-11-23T08:00:00Z","ready_at":"2026-11-23T08:00:00Z","state":{"state":"offered","team":"sydney","assignment":1,"at":"2026-11-23T08:00:00Z","until":"2026-11-23T08:30:00Z","until_shift_end":false},"paused":null,"held":false,"assignments":1,"turn_downs":[],"holders":[],"task_seq":1}');
INSERT INTO tasks VALUES(2,'acme/req-000002','acme','req-000002','937c4d1b9e0a98f1253f3ea7fd12dffbf3f165bf24a8b1bfa77fa33bd7ae8fd5','active','london','london',1,1795593600000,NULL,'{"arrival":2,"id":"acme/req-000002","request":"req-000002","client":"acme","matter":"Smith ./. Müller (2026)","digest":"937c4d1b9e0a98f1253f3ea7fd12dffbf3f165bf24a8b1bfa77fa33bd7ae8fd5","needs":{"work_type":"document_review","jurisdiction":"US-NY","specialty":"litigation","languages":["en"],"skills":[{"name":"privilege","level":3}],"presence":"none","place":null,"allowed_countries":[],"denied_countries":[],"consent":null,"preferred_team":null,"excluded_teams":[],"handoff":"when_better","payload_on":"offer"},"priority":"high","effort_minutes":240,"deadline":"2026-11-25T08:00:00Z","not_before":null,"after":[],"sla":null,"clocks":[],"admitted_at":"2026-11-23T08:00:00Z","ready_at":"2026-11-23T08:00:00Z","state":{"state":"active","team":"london","assignment":1,"offered_at":"2026-11-23T08:00:00Z","at":"2026-11-23T08:05:00Z","remaining_minutes":240,"reported_at":null,"closed_because":null},"paused":null,"held":false,"assignments":1,"turn_downs":[],"holders":[],"task_seq":1}');
INSERT INTO tasks VALUES(3,'acme/req-000003','acme','req-000003','99099f3e93a1297f375ad5d14b38d2ef2426aa3d538a0ffec3d2729ec80fe4f9','completed','sydney',NULL,NULL,1795593600000,1795420980000,'{"arrival":3,"id":"acme/req-000003","request":"req-000003","client":"acme","matter":"Smith ./. Müller (2026)","digest":"99099f3e93a1297f375ad5d14b38d2ef2426aa3d538a0ffec3d2729ec80fe4f9","needs":{"work_type":"document_review","jurisdiction":"US-NY","specialty":"litigation","languages":["en"],"skills":[{"name":"privilege","level":3}],"presence":"none","place":null,"allowed_countries":[],"denied_countries":[],"consent":null,"preferred_team":null,"excluded_teams":[],"handoff":"when_better","payload_on":"offer"},"priority":"high","effort_minutes":240,"deadline":"2026-11-25T08:00:00Z","not_before":null,"after":[],"sla":null,"clocks":[],"admitted_at":"2026-11-23T08:00:00Z","ready_at":"2026-11-23T08:00:00Z","state":{"state":"completed","at":"2026-11-23T08:03:00Z","team":"sydney"},"paused":null,"held":false,"assignments":1,"turn_downs":[],"holders":[],"task_seq":1}');
CREATE TABLE payloads (
    arrival INTEGER PRIMARY KEY REFERENCES tasks (arrival),
    body    BLOB NOT NULL
) STRICT;
INSERT INTO payloads VALUES(1,X'7b227061676573223a31327d');
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
INSERT INTO cursors VALUES('sydney',1);
CREATE TABLE undelivered (
    seq  INTEGER PRIMARY KEY REFERENCES facts (seq),
    team TEXT NOT NULL
) STRICT;
INSERT INTO undelivered VALUES(2,'london');
CREATE TABLE rosters (
    digest   TEXT PRIMARY KEY,
    text     TEXT NOT NULL,
    first_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO rosters VALUES('e4d19cc1624af65425e6e44d5fd1540947f311e4289c6bd7a0c312a0753d061f',replace('# the first\n','\n',char(10)),1795420860000);
CREATE TABLE roster_history (
    number INTEGER PRIMARY KEY,
    digest TEXT NOT NULL REFERENCES rosters (digest),
    at     INTEGER NOT NULL
) STRICT;
INSERT INTO roster_history VALUES(1,'e4d19cc1624af65425e6e44d5fd1540947f311e4289c6bd7a0c312a0753d061f',1795420860000);
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
INSERT INTO meta VALUES(1,'00112233aabbccdd',3,X'7065b6cfe6769cfbf3b77270083a49aebdfae5b61fa50e0f01e592adb1294468',2,4,1795421220000);
CREATE UNIQUE INDEX facts_by_task ON facts (task, task_seq) WHERE task IS NOT NULL;
CREATE INDEX messages_by_team ON facts (team) WHERE addressed IS NOT NULL;
CREATE INDEX tasks_by_state ON tasks (state);
CREATE INDEX tasks_by_client ON tasks (client, state);
CREATE INDEX tasks_by_team ON tasks (team, state) WHERE team IS NOT NULL;
CREATE INDEX tasks_by_end ON tasks (ended_at) WHERE ended_at IS NOT NULL;
COMMIT;
PRAGMA application_id = 1212501065;
PRAGMA user_version = 1;
