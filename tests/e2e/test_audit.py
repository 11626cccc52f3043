"""The chain of facts: anchors as they are published, a store that was tampered with, and an export that others can check."""

import hashlib
import json
import sqlite3
import subprocess

import pytest
from daemon import BINARY, Daemon

MORNING = "2026-11-24T10:00:00Z"  # London is open
REQUEST = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG", "effort_minutes": 60, "payload": {}}
EVERY = 5
ZERO = "0" * 64


def heliograph(*arguments):
    return subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def pages(daemon):
    """The whole chain as a daemon gives it."""
    after, records = 0, []
    while after is not None:
        page = daemon.get(f"/api/v1/audit?limit=4&after={after}")
        records += page["records"]
        after = page["next"]
    return records


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """A store that a daemon has written and left in order, and the anchors that it told."""
    monkeypatch.setenv("HELIOGRAPH__AUDIT__ANCHOR_EVERY", str(EVERY))
    with Daemon(tmp_path, MORNING) as daemon:
        for number in range(13):
            assert daemon.post("/api/v1/requests", {"id": f"r-{number}", **REQUEST})[0] == 201
        running = heliograph("audit", "verify", "--url", daemon.address)
        assert running.returncode == 0 and "the chain holds" in running.stdout and "no anchor" in running.stderr, running
        export = heliograph("audit", "export", "--url", daemon.address)
        assert export.returncode == 0
        (tmp_path / "export.jsonl").write_text(export.stdout)
        told = [record["body"] for record in pages(daemon) if record["type"] == "audit.anchor"]
        daemon.stop()
    return tmp_path / "heliograph.db", told


def facts_of(store):
    with sqlite3.connect(store) as connection:
        return connection.execute("SELECT seq, type, body FROM facts ORDER BY seq").fetchall()


def anchors_file(store, told):
    path = store.parent / "anchors"
    path.write_text("".join(json.dumps(anchor) + "\n" for anchor in told))
    return path


def test_the_head_is_told_every_so_many_facts_and_at_a_clean_stop(stopped):
    store, told = stopped
    facts = facts_of(store)
    at = [seq for seq, kind, _ in facts if kind == "audit.anchor"]
    assert all(later - earlier >= EVERY for earlier, later in zip(at, at[1:-1])) and len(at) >= 3
    assert facts[-1][1] == "audit.anchor", "the last fact of a clean stop"
    for seq, kind, body in facts:
        if kind == "audit.anchor":
            assert json.loads(body)["fact"] == seq - 1
    assert len(told) == len(at) - 1
    verified = heliograph("audit", "verify", "--store", store, "--anchors", anchors_file(store, told))
    assert verified.returncode == 0 and verified.stderr == "", verified
    last = verified.stdout.splitlines()[-1]
    assert last.split(":")[0] == str(facts[-1][0])
    assert heliograph("audit", "verify", "--store", store, "--anchor", last).returncode == 0
    wrong = last[:-1] + ("0" if last[-1] != "0" else "1")
    refused = heliograph("audit", "verify", "--store", store, "--anchor", wrong)
    assert refused.returncode == 1 and f"at fact {facts[-1][0]}" in refused.stderr, refused


def link(previous, record):
    """A link, worked out from the description of it alone."""
    text = lambda it: (2**64 - 1).to_bytes(8, "big") if it is None else len(it.encode()).to_bytes(8, "big") + it.encode()
    number = lambda it: it.to_bytes(8, "big", signed=True)
    task_seq = record["task_seq"]
    digested = bytes.fromhex(previous) + number(record["seq"]) + number(milliseconds(record["at"]))
    for part in (record["type"], record["task"], None if task_seq is None else str(task_seq), record["client"], record["team"]):
        digested += text(part)
    return hashlib.sha256(digested + bytes.fromhex(record["body_digest"])).hexdigest()


def milliseconds(at):
    from datetime import datetime

    return round(datetime.fromisoformat(at).timestamp() * 1000)


def test_an_export_is_checked_by_others_from_its_description_alone(stopped):
    store, _ = stopped
    lines = (store.parent / "export.jsonl").read_text().splitlines()
    start, previous = json.loads(lines[0])["start"], ZERO
    assert start == {"seq": 0, "link": ZERO}
    for line in lines[1:]:
        record = json.loads(line)
        body = line[line.index('"body":') + 7 : line.index(',"packet":')]
        packet = line[line.index(',"packet":') + 10 : line.index(',"body_digest":')]
        digested = body + ("" if packet == "null" else packet)
        assert hashlib.sha256(digested.encode()).hexdigest() == record["body_digest"], record["seq"]
        assert link(previous, record) == record["link"], record["seq"]
        previous = record["link"]
    assert heliograph("audit", "verify", "--export", store.parent / "export.jsonl").returncode == 0
    edited = store.parent / "edited.jsonl"
    edited.write_text("\n".join(lines[:20] + [lines[20].replace("thames-llp", "acme-llp")] + lines[21:]) + "\n")
    refused = heliograph("audit", "verify", "--export", edited)
    assert refused.returncode == 1 and "broken at fact 20" in refused.stderr, refused


def tampered(store, name, statements):
    """A copy of a store that somebody has written to."""
    copy = store.parent / f"{name}.db"
    with sqlite3.connect(store) as source, sqlite3.connect(copy) as target:
        source.backup(target)
        for (trigger,) in target.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            target.execute(f'DROP TRIGGER "{trigger}"')
        for statement in statements:
            target.execute(statement)
    return copy


# A body is text in the store's bytes; the last facts are those before the anchor of the stop.
EDITS = {
    "edit": (["UPDATE facts SET body = CAST(replace(CAST(body AS TEXT), 'thames-llp', 'acme-llp') AS BLOB) WHERE seq = 20"], 20),
    "edit-to-no-json": (["UPDATE facts SET body = x'00' WHERE seq = 3"], 3),
    "edit-by-a-space": (["UPDATE facts SET body = CAST(CAST(body AS TEXT) || ' ' AS BLOB) WHERE seq = 3"], 3),
    "another-client": (["UPDATE facts SET client = 'acme-llp' WHERE seq = 4"], 4),
    "another-instant": (["UPDATE facts SET at = at + 1 WHERE seq = 4"], 4),
    "delete": (["DELETE FROM facts WHERE seq = 4"], 4),
    "delete-the-first": (["DELETE FROM facts WHERE seq = 1"], 1),
    "reorder": (
        ["UPDATE facts SET seq = 9002 WHERE seq = 2", "UPDATE facts SET seq = 2 WHERE seq = 3", "UPDATE facts SET seq = 3 WHERE seq = 9002"],
        2,
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_a_deletion_and_another_order_are_found_at_their_fact(stopped, name):
    store, _ = stopped
    statements, at = EDITS[name]
    refused = heliograph("audit", "verify", "--store", tampered(store, name, statements))
    assert refused.returncode == 1 and f"broken at fact {at}" in refused.stderr, refused


def test_a_chain_that_was_cut_off_shows_against_an_anchor_and_not_without(stopped):
    store, told = stopped
    last = told[-1]["fact"]
    cut = tampered(store, "cut", [f"DELETE FROM facts WHERE seq >= {last}"])
    unanchored = heliograph("audit", "verify", "--store", cut)
    assert unanchored.returncode == 0 and "no anchor" in unanchored.stderr, unanchored
    refused = heliograph("audit", "verify", "--store", cut, "--anchors", anchors_file(store, told))
    assert refused.returncode == 1 and f"broken at fact {last}" in refused.stderr, refused


def test_an_anchor_that_was_edited_is_found_also_when_its_digest_and_the_links_behind_it_were_made_anew(stopped):
    store, told = stopped
    at = told[0]["fact"] + 1
    forged = f"CAST(replace(CAST(body AS TEXT), '{told[0]['link']}', '{ZERO}') AS BLOB)"
    refused = heliograph("audit", "verify", "--store", tampered(store, "anchor", [f"UPDATE facts SET body = {forged} WHERE seq = {at}"]))
    assert refused.returncode == 1 and f"broken at fact {at}" in refused.stderr, refused

    lines = (store.parent / "export.jsonl").read_text().replace(told[0]["link"], ZERO, 2).splitlines()
    # The link of the fact before is put back; the anchor alone is forged, and all behind it follows from it.
    records = [json.loads(line) for line in lines[1:]]
    records[at - 2]["link"] = told[0]["link"]
    for position in range(at - 1, len(records)):
        record, body = records[position], json.dumps(records[position]["body"], separators=(",", ":"), ensure_ascii=False)
        packet = "" if record["packet"] is None else json.dumps(record["packet"], separators=(",", ":"), ensure_ascii=False)
        record["body_digest"] = hashlib.sha256((body + packet).encode()).hexdigest()
        record["link"] = link(records[position - 1]["link"], record)
    export = store.parent / "forged.jsonl"
    dump = lambda it: json.dumps(it, separators=(",", ":"), ensure_ascii=False)
    export.write_text("\n".join([lines[0], *map(dump, records)]) + "\n")
    refused = heliograph("audit", "verify", "--export", export)
    assert refused.returncode == 1 and f"broken at fact {at}: it is an anchor" in refused.stderr, refused


def test_a_purged_body_is_told_and_leaves_the_chain_whole(stopped):
    store, told = stopped
    purged = tampered(store, "purged", ["UPDATE facts SET body = x'', packet = NULL WHERE seq = 3"])
    verified = heliograph("audit", "verify", "--store", purged, "--anchors", anchors_file(store, told))
    assert verified.returncode == 0 and "1 of them purged" in verified.stdout, verified
