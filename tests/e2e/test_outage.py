"""What a team sent while the daemon was down counts from when it says, before what fell due in the outage."""

from datetime import datetime

import pytest
from inbox import Inbox, team_queue
from load import Sender

NOON = "2026-11-24T10:00:00Z"  # London is open until 17:30
PAST_THE_TARGET = "2026-11-24T14:30:00Z"
TASKS = ("thames-llp/in-time", "thames-llp/too-late", "thames-llp/unsaid")


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


def test_completions_that_were_sent_in_an_outage_count_before_the_breaches_that_fell_due_in_it(world):
    daemon, events, london, team, firm = world
    updates = {}
    for task in TASKS:
        firm.send({
            "id": task.split("/")[1], "client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings",
            "jurisdiction": "GB-ENG", "sla": "pleading", "payload": {},
        })  # fmt: skip
        updates[task] = {"task": task, "team": "london", "assignment": london.first("offer", task=task)["assignment"]}
        team.update({"id": f"a-{task[11:]}", "kind": "accept", **updates[task]})
        london.first("update_result", update=f"a-{task[11:]}")

    daemon.kill()
    sent_at = {"thames-llp/in-time": "2026-11-24T13:00:00Z", "thames-llp/too-late": "2026-11-24T14:20:00Z"}
    for task in TASKS:
        at = {"at": sent_at[task]} if task in sent_at else {}
        team.update({"id": f"c-{task[11:]}", "kind": "complete", **at, **updates[task]})
    daemon.start(clock=PAST_THE_TARGET)

    outcomes = {task: events.first("sla.stopped", task=task)["outcome"] for task in TASKS}
    assert outcomes == {TASKS[0]: "met", TASKS[1]: "breached", TASKS[2]: "breached"}
    in_time = events.first("task.completed", task=TASKS[0])
    assert instant(in_time["claimed_at"]) == instant(sent_at[TASKS[0]]) < instant(PAST_THE_TARGET) <= instant(in_time["at"])
    assert "claimed_at" not in events.first("task.completed", task=TASKS[2])
    ended = events.first("outage.ended")
    assert ended["updates"] == len(TASKS) and instant(ended["since"]) < instant(sent_at[TASKS[0]])
    (segment,) = [it for it in daemon.task(TASKS[0])["clocks"][0]["segments"] if it["closed_by"] == "stopped"]
    assert instant(segment["until"]) == instant(sent_at[TASKS[0]])


def instant(text):
    return datetime.fromisoformat(text)
