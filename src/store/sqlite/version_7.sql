-- The ledger of SLA clocks: what each counted from one instant to another, in milliseconds of its basis. Rows are added
-- and never changed, and the rows of a clock follow each other without a gap, so that every total is their sum.
CREATE TABLE sla_segments (
    arrival    INTEGER NOT NULL REFERENCES tasks (arrival),
    clock      TEXT    NOT NULL,
    number     INTEGER NOT NULL CHECK (number > 0),
    from_at    INTEGER NOT NULL,
    until_at   INTEGER NOT NULL,
    holder     TEXT,
    standing   TEXT,
    counted_ms INTEGER NOT NULL,
    closed_by  TEXT    NOT NULL,
    PRIMARY KEY (arrival, clock, number),
    CHECK (until_at > from_at),
    CHECK (counted_ms >= 0 AND (standing IS NULL OR counted_ms = 0))
) STRICT, WITHOUT ROWID;

CREATE TRIGGER sla_segments_stay BEFORE UPDATE ON sla_segments
BEGIN
    SELECT raise(ABORT, 'segments of clocks are never changed');
END;

-- For people: the ledger with ids and instants, and what each team used of each clock.
CREATE VIEW sla_ledger AS
SELECT tasks.id AS task, clock, number, strftime('%Y-%m-%dT%H:%M:%fZ', from_at / 1000.0, 'unixepoch') AS "from",
       strftime('%Y-%m-%dT%H:%M:%fZ', until_at / 1000.0, 'unixepoch') AS until, holder, standing, counted_ms, closed_by
FROM sla_segments JOIN tasks USING (arrival);
CREATE VIEW sla_shares AS
SELECT task, clock, holder, sum(counted_ms) AS counted_ms FROM sla_ledger GROUP BY task, clock, holder;
