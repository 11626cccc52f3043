"""Overrides over a real broker: work goes on at once, an override outlives a crash, and nothing is done unasked."""

import json
import subprocess

import pytest
from daemon import BINARY
from inbox import Inbox, team_queue
from load import Sender

NOON = "2026-11-24T10:00:00Z"  # London, Warsaw, Nairobi and Mumbai are open
UNTIL = "2026-11-26T08:00:00Z"
BRIEF = {
    "client": "thames-llp",
    "matter": "M-1",
    "work_type": "legal_writing",
    "jurisdiction": "GB",
    "preferred_team": "london",
    "effort_minutes": 600,
    "payload": {"n": 1},
}


@pytest.fixture
def daemon(bed):
    with bed.daemon(NOON) as daemon:
        yield daemon


def run(daemon, *arguments):
    """Runs a command of overrides and gives (exit code, stdout, stderr)."""
    command = [BINARY, *arguments, "--url", daemon.address]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ran.returncode, ran.stdout, ran.stderr


def close(daemon, *more):
    by = ("--author", "Ann", "--reason", "a flood", "--until", UNTIL)
    return run(daemon, "override", "add", "london", "close", *by, *more)


def test_a_close_takes_offers_back_and_hands_work_on_at_once(bed, daemon):
    with Sender(bed.client("thames-llp")) as firm, Sender(bed.team("london")) as london:
        with Inbox(bed.team("london"), [team_queue("london")]) as inbox, Inbox(bed.watcher(), events=True) as events:
            for name in ("owned", "offered"):
                firm.send({"id": name, **BRIEF})
                inbox.first("offer", task=f"thames-llp/{name}")
            accept = {"id": "u1", "task": "thames-llp/owned", "kind": "accept", "team": "london", "assignment": 1}
            london.update(accept)
            events.first("task.accepted", task="thames-llp/owned")
            code, shown, errors = close(daemon)
            assert code == 2 and "nothing is changed" in errors
            assert "1 task.withdrawn" in shown and "1 override.changed" in shown
            assert daemon.task("thames-llp/offered")["team"] == "london"
            code, shown, errors = close(daemon, "--yes")
            assert code == 0, errors
            assert shown.endswith("override 1 is set\n")
            withdrawn = inbox.first("withdrawn", task="thames-llp/offered")
            assert withdrawn["reason"] == "closed_by_override"
            told = events.first("override.changed", team="london")
            assert (told["change"], told["kind"], told["author"], told["reason"]) == ("set", "close", "Ann", "a flood")
            assert any(it.type in ("handoff.planned", "handoff.kept") for it in list(events.messages))
    assert not next(it for it in daemon.get("/api/v1/teams")["teams"] if it["id"] == "london")["open"]


def test_an_override_outlives_a_crash_and_is_removed_by_somebody(bed, daemon):
    assert close(daemon, "--yes")[0] == 0
    assert run(daemon, "drain", "warsaw", "--author", "Bo", "--reason", "moving", "--until", UNTIL, "--yes")[0] == 0
    daemon.kill()
    daemon.start()
    listed = json.loads(run(daemon, "override", "list", "--format", "json")[1])["overrides"]
    assert [(it["id"], it["team"], it["kind"]) for it in listed] == [(1, "london", "close"), (2, "warsaw", "drain")]
    is_open = {it["id"]: it["open"] for it in daemon.get("/api/v1/teams")["teams"]}
    assert not is_open["london"] and is_open["warsaw"]
    with Inbox(bed.watcher(), events=True) as events:
        removed = ("override", "remove", "1", "--author", "Cy", "--reason", "dry again", "--yes")
        assert run(daemon, *removed)[0] == 0
        told = events.first("override.changed", change="removed")
        assert (told["override"], told["ended_by"], told["ended_because"]) == (1, "Cy", "dry again")
    assert next(it for it in daemon.get("/api/v1/teams")["teams"] if it["id"] == "london")["open"]
    code, _, errors = run(daemon, *removed)
    assert code == 1 and "no override 1 stands" in errors
    lines = run(daemon, "override", "list")[1].splitlines()
    assert len(lines) == 2 and "warsaw" in lines[1] and "drain" in lines[1]
