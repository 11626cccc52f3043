"""A brief that outlasts every shift: it goes from region to region with its notes, and one team owns it at each instant."""

from contextlib import ExitStack

import pytest
from inbox import Inbox, team_queue
from load import Sender

TASK = "acme-llp/brief-1"
# A little before the shift ends of Mumbai (15:30), Manila (23:00) and Sydney (06:30), all in UTC.
STOPS = ["2026-11-24T15:10:00Z", "2026-11-24T22:40:00Z", "2026-11-25T06:10:00Z"]
TEAMS = ["mumbai", "manila", "sydney", "nairobi"]


class Team:
    """A team's systems: its queue, and a connection for its updates."""

    def __init__(self, bed, name, stack):
        self.name, self._said = name, 0
        self.inbox = stack.enter_context(Inbox(bed.team(name), [team_queue(name)]))
        self._sender = stack.enter_context(Sender(bed.team(name)))

    def says(self, kind, assignment, **fields):
        """Publishes an update of the task."""
        self._said += 1
        update = {"id": f"{self.name}-{self._said}", "task": TASK, "kind": kind, "team": self.name, "assignment": assignment}
        self._sender.update({**update, **fields})


@pytest.fixture
def world(bed):
    """A daemon late in Mumbai's shift, its events, and the systems of four teams."""
    with ExitStack() as stack:
        daemon = stack.enter_context(bed.daemon(STOPS[0]))
        events = stack.enter_context(Inbox(bed.watcher(), events=True))
        teams = {name: Team(bed, name, stack) for name in TEAMS}
        yield daemon, events, teams, stack.enter_context(Sender(bed.client("acme-llp")))


def test_a_brief_is_handed_round_the_world_with_its_notes(world):
    daemon, events, teams, firm = world
    firm.send({
        "id": "brief-1", "client": "acme-llp", "matter": "M-9", "work_type": "document_review", "jurisdiction": "GB",
        "effort_minutes": 1500, "consent": {"offshore": True, "reference": "C-1"}, "preferred_team": "mumbai",
        "payload": {"boxes": 12},
    })  # fmt: skip
    owner, left = teams["mumbai"], 1500
    assignment = owner.inbox.first("offer", task=TASK)["assignment"]
    owner.says("accept", assignment)
    trail = [owner.name]
    for number, stop in enumerate(STOPS):
        if number:
            daemon.stop()
            daemon.start(clock=stop)
        left -= 400
        asked = owner.inbox.first("handoff_requested", task=TASK, assignment=assignment)
        assert asked["type"] == "handoff.requested"
        owner.says("handoff", assignment, notes=f"{owner.name} read up to box {4 * number + 4}", remaining_minutes=left)
        planned = events.first("handoff.planned", task=TASK, assignment=assignment)
        target = teams[planned["team"]]
        offer = target.inbox.first("offer", task=TASK, assignment=assignment + 1)
        assert daemon.task(TASK)["team"] == owner.name, "the old team owns it until the next one accepts"
        assert (offer["payload"], offer["remaining_minutes"]) == ({"boxes": 12}, left)
        assert [it["team"] for it in offer["packet"]] == trail
        assert offer["packet"][-1]["notes"] == f"{owner.name} read up to box {4 * number + 4}"
        target.says("accept", assignment + 1)
        ended = owner.inbox.first("ended", task=TASK, assignment=assignment)
        assert (ended["type"], ended["to"], ended["next_assignment"]) == ("handoff.passed", target.name, assignment + 1)
        # The count is of one process, and each stop is one.
        assert daemon.metric(f'heliograph_handoffs_total{{outcome="passed",to_team="{target.name}"}}') == 1
        owner, assignment = target, assignment + 1
        trail.append(owner.name)
    owner.says("complete", assignment)
    owner.inbox.first("ended", task=TASK, assignment=assignment)
    task = daemon.task(TASK)
    assert (task["state"], task["team"], task["handoffs"]) == ("completed", owner.name, 3)
    assert [it["team"] for it in task["holders"]] == trail and len(set(trail)) >= 3, trail
    summed = daemon.get("/api/v1/costs?by=team&from=2026-11-24T00:00:00Z&until=2026-12-01T00:00:00Z")
    worked = {it["of"]: it["worked_minutes"] for it in summed["costs"]}
    assert worked == {it["team"]: it["worked_minutes"] for it in task["holders"]}, summed
    assert sum(it["cost_cents"] for it in summed["costs"]) == sum(it["cost_cents"] for it in task["holders"])
    parts = [(it["from"], it["until"]) for it in task["holders"]]
    assert all(until <= start for (_, until), (start, _) in zip(parts, parts[1:]))
    told = sorted((it.json for it in events.messages if it.json.get("task") == TASK), key=lambda it: it["task_seq"])
    assert [it["task_seq"] for it in told] == list(range(1, len(told) + 1))
    assert not any("box" in it.raw.decode() for it in events.messages), "notes are for the next team alone"
