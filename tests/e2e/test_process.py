"""A patent filing of the sample roster: four steps in two countries to `process.completed`, with a crash in the middle."""

import tomllib
from contextlib import ExitStack
from urllib.parse import quote

import pytest
from daemon import ROOT, ROSTER
from inbox import Inbox, team_queue
from load import Sender

AFTERNOON = "2026-11-24T15:00:00Z"  # New York is open until 23:00, Manila too
PROCESS = "acme-llp/filing-1"
TEAMS = ["new-york", "manila", "warsaw"]
REQUEST = {
    "id": "filing-1", "client": "acme-llp", "matter": "M-7", "process": "patent-filing", "priority": "high",
    "deadline": "2026-12-04T17:00:00-05:00", "consent": {"offshore": True, "reference": "C-7"}, "payload": {"invention": "hinge"},
}  # fmt: skip


@pytest.fixture
def roster_with_filing(tmp_path):
    """The roster of these tests with the process of the sample roster."""
    steps = tomllib.loads((ROOT / "config/roster.toml").read_text())["processes"]["patent-filing"]["steps"]
    written = ["\n".join(f"{key} = {value!r}" for key, value in step.items()) for step in steps]
    path = tmp_path / "roster.toml"
    path.write_text(ROSTER.read_text() + "".join(f"\n[[processes.patent-filing.steps]]\n{step}\n" for step in written))
    return path


class World:
    """A firm, the teams' queues and connections, and the events."""

    def __init__(self, bed, daemon, stack):
        self.daemon = daemon
        self.events = stack.enter_context(Inbox(bed.watcher(), events=True))
        self.mail = stack.enter_context(Inbox(bed.watcher(), [team_queue(team) for team in TEAMS]))
        self.teams = {team: stack.enter_context(Sender(bed.team(team))) for team in TEAMS}
        self.firm = stack.enter_context(Sender(bed.client("acme-llp")))

    def offer(self, step):
        """The offer of a step: (its team, its number)."""
        offer = self.mail.first("offer", task=f"{PROCESS}/{step}")
        assert offer["payload"] == REQUEST["payload"], "the payload of the request goes with every step"
        assert offer["derived"] is True, "what is due is derived"
        return self.events.first("task.offered", task=f"{PROCESS}/{step}")["team"], offer["assignment"]

    def says(self, step, kind, holder):
        """An update of the team that has a step."""
        team, assignment = holder
        update = {"id": f"{step}-{kind}", "task": f"{PROCESS}/{step}", "kind": kind, "team": team, "assignment": assignment}
        self.teams[team].update(update)
        self.mail.wait_for(lambda told: any(it.json.get("update") == update["id"] for it in told), what=update["id"])

    def process(self):
        """The process as it is committed."""
        return self.daemon.get("/api/v1/processes/" + quote(PROCESS, safe=""))


@pytest.fixture
def world(bed, roster_with_filing):
    """A daemon in New York's morning."""
    with ExitStack() as stack:
        daemon = stack.enter_context(bed.daemon(AFTERNOON, roster=roster_with_filing))
        yield World(bed, daemon, stack)


def test_a_patent_filing_is_done_step_by_step_though_the_daemon_is_killed_in_the_middle(world):
    world.firm.send(REQUEST)
    admitted = world.events.first("process.admitted", task=PROCESS)
    assert [it["step"] for it in admitted["steps"]] == ["prior-art", "drawings", "claims", "filing"]
    holders = {step: world.offer(step) for step in ["prior-art", "drawings"]}
    assert holders["prior-art"][0] == "new-york", "only New York is qualified"
    for step, holder in holders.items():
        world.says(step, "accept", holder)
    world.says("drawings", "complete", holders["drawings"])
    before = world.process()
    assert before["progress"]["completed"] == 1 and before["critical_path"] == ["prior-art", "claims", "filing"]
    due = [it["derived_deadline"] for it in before["steps"]]
    assert due[3] == "2026-12-04T22:00:00.000Z" and due[1] is None and due[0] < due[2] < due[3]

    world.daemon.kill()
    world.firm.send(REQUEST)
    world.daemon.start()
    assert [it["derived_deadline"] for it in world.process()["steps"]] == due
    assert world.daemon.post("/api/v1/requests", REQUEST) == (200, {"outcome": "duplicate", "task": PROCESS})
    world.says("prior-art", "complete", holders["prior-art"])
    for step in ["claims", "filing"]:
        holder = world.offer(step)
        world.says(step, "accept", holder)
        world.says(step, "complete", holder)
    done = world.events.first("process.completed", task=PROCESS)
    assert (done["completed"], done["cancelled"]) == (4, 0)
    stopped = world.events.first("sla.stopped", task=PROCESS)
    assert (stopped["clock"], stopped["outcome"]) == ("deadline", "met")
    shown = world.process()
    assert (shown["state"], shown["progress"]["completed"], shown["breached"]) == ("completed", 4, False)
    assert world.daemon.metric('heliograph_processes_ended_total{outcome="completed"}') == 1

    assert world.daemon.post("/api/v1/requests", REQUEST) == (200, {"outcome": "duplicate", "task": PROCESS})
    status, problem = world.daemon.post("/api/v1/requests", {**REQUEST, "matter": "M-8"})
    assert (status, problem["code"]) == (409, "conflict")
    told = {}
    for message in list(world.events.messages):
        if (message.json.get("task") or "").startswith(PROCESS):
            told.setdefault(message.json["task"], {})[message.json["task_seq"]] = message.type
    assert set(told) == {PROCESS} | {f"{PROCESS}/{step}" for step in ["prior-art", "drawings", "claims", "filing"]}
    assert all(sorted(facts) == list(range(1, len(facts) + 1)) for facts in told.values()), "dense, each once"
    assert list(told[PROCESS].values()).count("process.admitted") == 1
