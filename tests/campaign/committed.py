"""Reads what a store holds, with nothing of the daemon's."""

import json
import sqlite3

from records import Committed, Fact

FACTS = """SELECT seq, at, type, task, task_seq, client, matter, team, addressed, with_payload, suppressed, body,
CAST(decision AS TEXT) ->> '$.roster' FROM facts ORDER BY seq"""


def read(path):
    """Everything that the checker asks for."""
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        found = Committed()
        row = store.execute("SELECT incarnation, watermark, last_seq, last_at FROM meta").fetchone()
        found.incarnation, found.watermark, found.last_seq, found.last_at_ms = row
        for *columns, with_payload, suppressed, body, decided_by in store.execute(FACTS):
            said = json.loads(body) if body else {}
            found.facts.append(Fact(*columns, bool(with_payload), bool(suppressed), body, said, decided_by))
        for task, state, owner, due in store.execute("SELECT id, state, owner, next_due_at FROM tasks"):
            found.tasks[task] = (state, owner, due)
        found.updates = {id: refused is not None for id, refused in store.execute("SELECT id, refused FROM updates")}
        found.undelivered = {seq for (seq,) in store.execute("SELECT seq FROM undelivered")}
        found.walls = list(store.execute("SELECT team, client, matter FROM walls"))
        return found
    finally:
        store.close()


def known(path):
    """The ids of tasks and updates that a store has answered, and how far publishing is: (ids, watermark, last fact)."""
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        ids = {id for (id,) in store.execute("SELECT id FROM tasks")}
        ids |= {id for (id,) in store.execute("SELECT id FROM updates")}
        refused = "SELECT client, json_extract(body, '$.id') FROM facts WHERE type IN ('request.rejected', 'request.conflict')"
        ids |= {f"{client}/{id}" for client, id in store.execute(refused)}
        watermark, last = store.execute("SELECT watermark, last_seq FROM meta").fetchone()
        return ids, watermark, last
    finally:
        store.close()
