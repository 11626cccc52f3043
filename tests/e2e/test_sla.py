"""A clock warns, is breached and escalates once each over RabbitMQ, whatever is killed in between, and its ledger adds up."""

import time
from datetime import datetime, timedelta

import pytest
from daemon import ROSTER, Daemon, task_path
from inbox import Inbox, team_queue
from load import Sender

NOON = "2026-11-24T10:00:00Z"  # London is open until 17:30
JUST_BEFORE_HALF = "2026-11-24T11:59:58Z"
PAST_THE_TARGET = "2026-11-24T14:30:00Z"
AFTERWARDS = "2026-11-24T15:00:00Z"
TASK = "thames-llp/sla-1"
TARGET = timedelta(hours=4)
MOVED_WITHIN_SECONDS = 30


@pytest.fixture
def world(bed):
    """A daemon, its events, London's queue, and the connections of London and of a firm."""
    with (
        bed.daemon(NOON) as daemon,
        Inbox(bed.watcher(), events=True) as events,
        Inbox(bed.team("london"), [team_queue("london")]) as london,
        Sender(bed.team("london")) as team,
        Sender(bed.client("thames-llp")) as firm,
    ):
        yield daemon, events, london, team, firm


def instant(text):
    return datetime.fromisoformat(text)


def told(events, message_type):
    """The events of a type about the task, each once: a copy after a crash has the same id and the same bytes."""
    copies = [it for it in list(events.messages) if it.type == message_type and it.json.get("task") == TASK]
    by_id = {it.id: it.raw for it in copies}
    assert all(by_id[it.id] == it.raw for it in copies)
    return [it for position, it in enumerate(copies) if it.id not in {earlier.id for earlier in copies[:position]}]


def killed(daemon, clock):
    """Ends it as a crash would, and starts it at another civil time."""
    daemon.kill()
    daemon.start(clock=clock)


def test_a_warning_a_breach_and_a_step_come_once_each_though_the_daemon_is_killed_between_them(world):
    daemon, events, london, team, firm = world
    firm.send({
        "id": "sla-1", "client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG",
        "sla": "pleading", "payload": {},
    })  # fmt: skip
    assignment = london.first("offer", task=TASK)["assignment"]
    update = {"task": TASK, "team": "london", "assignment": assignment}
    team.update({"id": "u1", "kind": "accept", **update})
    london.first("update_result", update="u1")
    due_at = instant(daemon.task(TASK)["clocks"][0]["due_at"])

    killed(daemon, JUST_BEFORE_HALF)
    assert daemon.task(TASK)["clocks"][0]["warnings"] == 0
    warned = events.first("sla.warned", task=TASK)
    assert (warned["clock"], warned["policy"], warned["percent"]) == ("turnaround", "pleading", 50)
    assert instant(warned["at"]) >= instant(warned["reached_at"]) == due_at - TARGET / 2
    assert "late_by_ms" not in warned and daemon.metric('heliograph_sla_warnings_total{clock="turnaround",policy="pleading"}') == 1

    killed(daemon, PAST_THE_TARGET)
    breached = events.first("sla.breached", task=TASK)
    assert instant(breached["reached_at"]) == due_at
    late_by = timedelta(milliseconds=breached["late_by_ms"])
    assert late_by == instant(breached["at"]) - due_at > timedelta(minutes=25)
    step = events.first("escalation.raised", task=TASK)
    assert (step["reason"], step["action"], step["contact"]) == ("sla_step", "notify", "duty-manager")

    killed(daemon, AFTERWARDS)
    team.update({"id": "u2", "kind": "complete", **update})
    stopped = events.first("sla.stopped", task=TASK)
    assert (stopped["outcome"], stopped["target_ms"]) == ("breached", TARGET / timedelta(milliseconds=1))
    for message_type in ["sla.warned", "sla.breached", "escalation.raised", "sla.stopped"]:
        assert len(told(events, message_type)) == 1, message_type
    story = sorted((it.json for it in events.messages if it.json.get("task") == TASK), key=lambda it: it["task_seq"])
    assert sorted({it["task_seq"] for it in story}) == list(range(1, story[-1]["task_seq"] + 1))

    clock = daemon.task(TASK)["clocks"][0]
    segments = clock["segments"]
    assert [(it["holder"], it["closed_by"]) for it in segments] == [(None, "holder_changed"), ("london", "stopped")]
    assert segments[0]["until"] == segments[1]["from"] and clock["open"] is None
    lengths = [instant(it["until"]) - instant(it["from"]) for it in segments]
    assert [timedelta(milliseconds=it["counted_ms"]) for it in segments] == lengths, "on the basis wall all time counts"
    assert clock["counted_ms"] == stopped["counted_ms"] == sum(it["counted_ms"] for it in segments)
    assert {it["holder"]: it["counted_ms"] for it in clock["shares"]} == {
        None: segments[0]["counted_ms"],
        "london": segments[1]["counted_ms"],
    }


def test_a_start_under_another_calendar_counts_what_ran_before_by_the_one_before(tmp_path):
    roster = tmp_path / "roster.toml"
    policy = """
[[sla.office.clocks]]
name = "office"
start = "admitted"
stop = "completed"
target = "6h"
basis = "calendar:office"

[calendars.office]
time_zone = "Europe/London"

[calendars.office.hours]
tue = ["%s"]
"""
    roster.write_text(ROSTER.read_text() + policy % "09:00-17:00")
    request = {
        "id": "sla-1", "client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG",
        "sla": "office", "payload": {},
    }  # fmt: skip
    with Daemon(tmp_path, NOON, roster=roster) as daemon:
        assert daemon.post("/api/v1/requests", request)[0] == 201
        admitted_at = instant(daemon.task(TASK)["admitted_at"])
        roster.write_text(ROSTER.read_text() + policy % "14:00-22:00")
        killed(daemon, "2026-11-24T12:00:00Z")
        deadline = time.monotonic() + MOVED_WITHIN_SECONDS
        while not (clock := daemon.task(TASK)["clocks"][0])["segments"]:
            assert time.monotonic() < deadline, clock
            time.sleep(0.02)  # it is ready a moment before its first batch is on disk
        (segment,) = clock["segments"]
        counted = timedelta(milliseconds=segment["counted_ms"])
        assert segment["closed_by"] == "hours_changed" and counted == instant(segment["until"]) - admitted_at
        assert instant(clock["due_at"]) == instant("2026-11-24T14:00:00Z") + timedelta(hours=6) - counted
        moved = [it["body"] for it in daemon.get(task_path(TASK) + "/history")["facts"] if it["type"] == "sla.moved"]
        assert [instant(it["to"]) for it in moved if it["clock"] == "office"] == [instant(clock["due_at"])]
