"""What a daemon forgets, by its own clock and when it is told to, and how it goes on from a copy.

Forgetting is looked at without a broker, so that all teams read over HTTP.
"""

import json
import os
import subprocess
import time
from contextlib import ExitStack

import pytest
from daemon import BINARY, Daemon
from inbox import Inbox
from load import Sender

NOON = "2026-11-24T10:00:00Z"  # London, Warsaw, Nairobi and Mumbai are open
WITHIN_SECONDS = 30
PAYLOAD, NOTE, OPEN_NOTE = "CANARY-payload", "CANARY-note", "CANARY-open"
BRIEF = {
    "client": "thames-llp",
    "matter": "M-1",
    "work_type": "legal_writing",
    "jurisdiction": "GB",
    "preferred_team": "london",
    "effort_minutes": 600,
    "payload": {"text": PAYLOAD},
}


@pytest.fixture
def daemon(tmp_path):
    with Daemon(tmp_path, NOON) as daemon:
        yield daemon


def says(daemon, name, kind, number, **fields):
    """London says something of a task."""
    body = {"id": f"{name}-{kind}-{number}", "task": f"thames-llp/{name}", "kind": kind, "team": "london", **fields}
    status, answer = daemon.post(f"/api/v1/tasks/thames-llp%2F{name}/updates", body)
    assert status == 200, answer


def work(daemon, name, note, ends=True, **fields):
    """A task that comes in, is accepted, told of, and completed if it ends."""
    status, answer = daemon.post("/api/v1/requests", {**BRIEF, "id": name, **fields})
    assert status == 201, answer
    says(daemon, name, "accept", 1, assignment=1)
    says(daemon, name, "progress", 2, assignment=1, remaining_minutes=30, note=note)
    if ends:
        says(daemon, name, "complete", 3, assignment=1, note=note)


def await_end_of_forgetting(daemon):
    """Waits until the daemon has come to the end of what it is to forget, after this moment."""
    began, deadline = daemon.engine_now().timestamp(), time.monotonic() + WITHIN_SECONDS
    while daemon.metric("heliograph_forgotten_all_timestamp_seconds") <= began:
        assert time.monotonic() < deadline, "it does not come to an end"
        time.sleep(0.05)


def hits(folder, canary):
    """In how many files of the store a text stands."""
    return [file.name for file in folder.iterdir() if file.name.startswith("heliograph.db") and canary.encode() in file.read_bytes()]


def later(daemon, clock):
    daemon.stop()
    daemon.start(clock=clock)
    await_end_of_forgetting(daemon)


def bodies(daemon, name):
    return {fact["type"]: fact["body"] for fact in daemon.get(f"/api/v1/tasks/thames-llp%2F{name}/history")["facts"]}


def test_payload_and_notes_go_after_30_days_rows_after_400_and_an_open_task_never(daemon, tmp_path):
    work(daemon, "done", NOTE)
    work(daemon, "open", OPEN_NOTE, ends=False)
    later(daemon, "2026-12-24T09:00:00Z")
    assert hits(tmp_path, PAYLOAD) and hits(tmp_path, NOTE), "a day too early"

    later(daemon, "2026-12-24T11:00:00Z")
    assert hits(tmp_path, NOTE) == []
    assert hits(tmp_path, OPEN_NOTE) and hits(tmp_path, PAYLOAD), "those of the open task stay"
    told = bodies(daemon, "done")
    assert told["task.completed"] is None and told["task.accepted"]["assignment"] == 1
    assert daemon.metric('heliograph_forgotten_total{what="payload"}') == 1
    assert "forgot what was not to be kept any longer" in daemon.log()

    says(daemon, "open", "complete", 4, assignment=1, note=OPEN_NOTE)
    # London has read everything; facts that it has not read would stay.
    last = daemon.get("/api/v1/teams/london/messages?limit=500")["next"]
    daemon.get(f"/api/v1/teams/london/messages?after={last}")
    later(daemon, "2028-02-22T11:00:00Z")
    # The last fact stays until another one follows; the id of a task that is gone is free.
    work(daemon, "done", "the id is free again", payload={})
    await_end_of_forgetting(daemon)
    assert [(task["id"], task["effort_minutes"]) for task in daemon.tasks()] == [("thames-llp/done", 600)]
    assert hits(tmp_path, "CANARY") == []


def heliograph(daemon, *arguments):
    """Runs a command against the daemon and gives (exit code, stdout, stderr)."""
    command = [BINARY, *arguments, "--url", daemon.address]
    ran = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return ran.returncode, ran.stdout, ran.stderr


def test_a_purge_empties_the_closed_tasks_of_a_matter_in_every_file_and_names_those_that_are_open(daemon, tmp_path):
    work(daemon, "done", NOTE)
    work(daemon, "open", OPEN_NOTE, ends=False)
    work(daemon, "other", "CANARY-other", matter="M-2")
    by = ("--client", "thames-llp", "--author", "Ann", "--reason", "the client asks for it")
    code, shown, errors = heliograph(daemon, "purge", "M-9", *by, "--yes")
    assert code == 1 and "no task of matter" in errors
    code, shown, errors = heliograph(daemon, "purge", "M-1", *by, "--dry-run")
    assert code == 0 and "of 1 closed tasks" in shown and "thames-llp/open" in shown
    assert hits(tmp_path, NOTE), "a dry run empties nothing"

    code, shown, errors = heliograph(daemon, "purge", "M-1", *by, "--yes")
    assert code == 0 and "1 closed tasks are emptied" in shown and "thames-llp/open" in shown, errors
    assert hits(tmp_path, NOTE) == []
    assert hits(tmp_path, OPEN_NOTE) and hits(tmp_path, "CANARY-other")
    assert daemon.task("thames-llp/done")["state"] == "completed"
    with daemon.open_events(after=0) as events:
        while b"matter.purged" not in events.readline():
            pass
        told = json.loads(events.readline().decode().removeprefix("data: "))
    assert (told["tasks"], told["left_open"]) == (["thames-llp/done"], ["thames-llp/open"])
    assert (told["author"], told["reason"], told["client"]) == ("Ann", "the client asks for it", "thames-llp")

    # What has ended since is emptied by another one, and a start finds nothing to do.
    says(daemon, "open", "complete", 4, assignment=1, note=OPEN_NOTE)
    assert heliograph(daemon, "purge", "M-1", *by, "--yes")[0] == 0
    assert hits(tmp_path, OPEN_NOTE) == [] and hits(tmp_path, PAYLOAD) == ["heliograph.db"], "that of M-2"
    daemon.stop()
    daemon.start()
    assert bodies(daemon, "done")["task.completed"] is None


def backup(daemon, path):
    """Copies the store of the daemon by the command line and gives (exit code, stdout, stderr)."""
    settings = ("--settings", str(daemon.folder / "heliograph.toml"))
    ran = subprocess.run([BINARY, "backup", str(path), *settings], capture_output=True, text=True)
    return ran.returncode, ran.stdout, ran.stderr


def serve_once(daemon, *arguments):
    """Starts a daemon that is expected to refuse, and gives (exit code, stderr)."""
    environment = dict(os.environ, HELIOGRAPH_TEST_CLOCK=f"{daemon.engine_now().isoformat()},1")
    command = [BINARY, "serve", "--settings", str(daemon.folder / "heliograph.toml"), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=WITHIN_SECONDS)
    return ran.returncode, ran.stderr


def test_a_copy_goes_on_in_the_place_of_its_original_and_only_when_that_is_said(bed, tmp_path):
    brief = {**BRIEF, "client": "thames-llp"}
    with ExitStack() as stack:
        daemon = stack.enter_context(bed.daemon(NOON))
        events = stack.enter_context(Inbox(bed.watcher(), events=True))
        firm = stack.enter_context(Sender(bed.client("thames-llp")))
        for number in range(20):
            firm.send({**brief, "id": f"before-{number}"})
        events.first("task.offered", task="thames-llp/before-19")
        copy = tmp_path / "copy.db"
        code, shown, errors = backup(daemon, copy)
        assert code == 0 and "checked" in shown and "checking 100 %" in errors, errors
        assert copy.stat().st_mode & 0o777 == 0o600 and not (tmp_path / "copy.db.part").exists()
        code, _, errors = backup(daemon, copy)
        assert code == 1 and "exists and is not overwritten" in errors
        firm.send({**brief, "id": "after"})
        events.first("task.offered", task="thames-llp/after")
        assert serve_once(daemon)[0] == 1, "one process at a time"
        daemon.stop()
        code, errors = serve_once(daemon, "--restored")
        assert code == 78 and "is no copy" in errors, errors

        for beside in ("", "-wal", "-shm"):
            (tmp_path / f"heliograph.db{beside}").unlink(missing_ok=True)
        copy.rename(tmp_path / "heliograph.db")
        code, errors = serve_once(daemon)
        assert code == 78 and "serve --restored" in errors and "is a copy made at" in errors, errors
        before = {message_id.split(".")[0] for message_id in events.ids()}
        daemon.start(arguments=("--restored",))
        assert {task["id"] for task in daemon.tasks()} == {f"thames-llp/before-{number}" for number in range(20)}
        firm.send({**brief, "id": "again"})
        events.first("task.offered", task="thames-llp/again")
        ids = events.ids()
        assert len(before) == 1 and len({message_id.split(".")[0] for message_id in ids}) == 2
        assert len(ids) == len(set(ids)), "nothing is sent twice by the same id"
        daemon.stop()
        assert serve_once(daemon, "--restored")[0] == 78, "it is no copy any more"
        daemon.start()


def ahead_with(daemon, **fields):
    """The forecast of the one capability with these figures."""
    found = [it for it in daemon.get("/api/v1/forecast")["capabilities"] if all(it[key] == value for key, value in fields.items())]
    assert len(found) == 1, found
    return found[0]


def test_a_forecast_is_written_down_and_judged_when_its_hours_are_over(daemon):
    deadline = time.monotonic() + WITHIN_SECONDS
    while "heliograph_forecast_error_ratio{" not in daemon.text("/metrics"):
        assert time.monotonic() < deadline, "no forecast is written down"
        time.sleep(0.05)
    daemon.get("/api/v1/teams")  # answered by the loop behind it
    later(daemon, "2026-11-24T11:30:00Z")
    work(daemon, "done", "a note")
    work(daemon, "open", "half an hour is left", ends=False)
    ahead = ahead_with(daemon, booked_minutes=30)
    assert (ahead["expected_minutes"], ahead["past_error_percent"], len(ahead["by_hour"])) == (0, None, 72)
    assert "london" in ahead["teams"] and ahead["capacity_minutes"] > 0

    # A week later the same is expected in the same hour; the first forecast had said that nothing would come.
    later(daemon, "2026-12-01T10:30:00Z")
    assert daemon.get("/api/v1/forecast")["weeks"] == 1
    ahead = ahead_with(daemon, booked_minutes=30)
    assert (ahead["expected_minutes"], ahead["by_hour"][0]["expected_minutes"]) == (1200, 1200), "two briefs of 600"
    assert ahead["past_error_percent"] == 100
    code, shown, errors = heliograph(daemon, "forecast")
    assert code == 0 and "20 h 00" in shown and "100 %" in shown and ahead["capability"] in shown, errors


def test_a_reader_of_events_that_comes_after_a_week_is_told_to_start_anew(daemon):
    work(daemon, "done", NOTE)
    with daemon.open_events(last_event_id=0) as events:
        assert b"roster.changed" in events.readline() + events.readline(), "all of them"
    later(daemon, "2026-12-02T10:00:00Z")
    last = daemon.get("/api/v1/tasks/thames-llp%2Fdone/history")["facts"][-1]["seq"]
    with daemon.open_events(last_event_id=1) as events:
        lines = b"".join(events.readline() for _ in range(2)).decode()
    # The stop a week ago has told the head of the chain behind it.
    behind = int(lines.split("id: ")[1].split()[0])
    assert "event: reset" in lines and behind == last + 1, lines
    with daemon.open_events(last_event_id=behind) as events:
        work(daemon, "next", "a note")
        assert b"reset" not in events.readline() + events.readline()
