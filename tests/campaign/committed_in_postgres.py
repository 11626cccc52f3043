"""Reads what a PostgreSQL store holds, with nothing of the daemon's."""

import json

from records import Committed, Fact

FACTS = """SELECT json_build_object('columns', json_build_array(seq, at, type, task, task_seq, client, matter, team, addressed,
with_payload, suppressed), 'body', encode(body, 'hex'), 'roster', convert_from(decision, 'UTF8')::json ->> 'roster')
FROM facts ORDER BY seq"""
KNOWN = """SELECT json_build_array((SELECT watermark FROM meta), (SELECT last_seq FROM meta),
(SELECT coalesce(json_agg(id), '[]') FROM (SELECT id FROM tasks UNION SELECT id FROM updates UNION
  SELECT client || '/' || (convert_from(body, 'UTF8')::json ->> 'id') FROM facts
  WHERE type IN ('request.rejected', 'request.conflict')) AS known))"""


class Database:
    """A database of a private server."""

    def __init__(self, server, name):
        self._server, self._name = server, name

    def run(self, sql):
        """What psql prints for a statement."""
        return self._server.run_sql(sql, self._name)

    def values(self, sql):
        """The rows of a statement with one column of JSON."""
        return [json.loads(line) for line in self.run(sql).splitlines()]


def read(database):
    """Everything that the checker asks for."""
    found = Committed()
    (meta,) = database.values("SELECT json_build_array(incarnation, watermark, last_seq, last_at) FROM meta")
    found.incarnation, found.watermark, found.last_seq, found.last_at_ms = meta
    for it in database.values(FACTS):
        body = bytes.fromhex(it["body"])
        found.facts.append(Fact(*it["columns"], body, json.loads(body) if body else {}, it["roster"]))
    for task, *columns in database.values("SELECT json_build_array(id, state, owner, next_due_at) FROM tasks"):
        found.tasks[task] = tuple(columns)
    found.updates = dict(database.values("SELECT json_build_array(id, refused IS NOT NULL) FROM updates"))
    found.undelivered = set(database.values("SELECT to_json(seq) FROM undelivered"))
    found.walls = [tuple(it) for it in database.values("SELECT json_build_array(team, client, matter) FROM walls")]
    return found


def known(database):
    """The ids of tasks and updates that are answered, and how far publishing is: (ids, watermark, last fact)."""
    ((watermark, last, ids),) = database.values(KNOWN)
    return set(ids), watermark, last
