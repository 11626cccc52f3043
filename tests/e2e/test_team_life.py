"""A task from offer to end, as a team's and a firm's systems see it: over their queues, and over HTTP without a broker."""

import json
from datetime import datetime

import pytest
from daemon import Daemon, task_path
from inbox import Inbox, team_queue
from load import Sender

NOON = "2026-11-24T10:00:00Z"  # London, Warsaw, Nairobi and Mumbai are open


@pytest.fixture
def desk(bed):
    """A daemon with the systems of a firm and of two teams around it."""
    with bed.daemon(NOON) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Desk(bed, daemon, events) as desk:
            yield desk


class Desk:
    """A firm, its team in London and another in Warsaw, each with a connection of its own."""

    def __init__(self, bed, daemon, events):
        self.daemon, self.events = daemon, events
        self.firm = Sender(bed.client("thames-llp"))
        self.london, self.warsaw = Sender(bed.team("london")), Sender(bed.team("warsaw"))
        self.inbox = Inbox(bed.team("london"), [team_queue("london")])
        self.other_inbox = Inbox(bed.team("warsaw"), [team_queue("warsaw")])
        self._updates = 0

    def __enter__(self):
        for part in (self.firm, self.london, self.warsaw, self.inbox, self.other_inbox):
            part.__enter__()
        return self

    def __exit__(self, *_):
        for part in (self.firm, self.london, self.warsaw, self.inbox, self.other_inbox):
            part.__exit__()

    def request(self, request_id, **fields):
        """Publishes a request; without more it may be done in London only."""
        body = {
            "id": request_id,
            "client": "thames-llp",
            "matter": "M-1",
            "work_type": "drafting_pleadings",
            "jurisdiction": "GB-ENG",
            "payload": {"n": 1},
            **fields,
        }
        self.firm.send(body)
        return f"thames-llp/{request_id}"

    def offer(self, task):
        """London's offer of a task."""
        return self.inbox.first("offer", task=task)

    def says(self, task, kind, assignment=1, team="london", **fields):
        """Publishes a team's update and returns its id."""
        self._updates += 1
        update = {"id": f"u{self._updates}", "task": task, "kind": kind, "team": team, "assignment": assignment, **fields}
        (self.london if team == "london" else self.warsaw).update(update)
        return update["id"]

    def firm_says(self, task, kind, **fields):
        """Publishes a firm's update and returns its id."""
        self._updates += 1
        self.firm.update({"id": f"f{self._updates}", "task": task, "kind": kind, "client": "thames-llp", **fields})
        return f"f{self._updates}"

    def history(self, task):
        """The events of a task as they were published, in their order."""
        told = [it.json for it in list(self.events.messages)]
        return sorted((it for it in told if it.get("task") == task), key=lambda it: it["task_seq"])


def test_a_team_accepts_reports_and_completes(desk):
    task = desk.request("life-1")
    offer = desk.offer(task)
    assert (offer["assignment"], offer["payload"], offer["matter"]) == (1, {"n": 1}, "M-1")

    accepted = desk.says(task, "accept")
    answer = desk.inbox.first("update_result", update=accepted)
    assert (answer["type"], answer["assignment"]) == ("task.accepted", 1)
    assert desk.daemon.task(task)["state"] == "active"

    reported = desk.says(task, "progress", remaining_minutes=25, note="half way")
    assert desk.inbox.first("update_result", update=reported)["remaining_minutes"] == 25
    assert desk.daemon.task(task)["remaining_minutes"] == 25

    completed = desk.says(task, "complete", note="filed")
    assert desk.inbox.first("ended", update=completed)["type"] == "task.completed"
    desk.events.first("task.completed", task=task)
    assert (desk.daemon.task(task)["state"], desk.daemon.task(task)["team"]) == ("completed", "london")
    words = ["task.admitted", "task.offered", "task.accepted", "task.progressed", "task.completed"]
    assert [it["type"] for it in desk.history(task) if it["type"] != "task.ready"] == words


def test_events_of_a_task_are_numbered_without_gaps_and_keyed_by_client_and_team(desk):
    tasks = [desk.request(f"seq-{n}") for n in range(20)]
    for task in tasks:
        desk.offer(task)
        desk.says(task, "accept")
        desk.says(task, "progress", remaining_minutes=5)
        desk.says(task, "complete")
    for task in tasks:
        desk.events.first("task.completed", task=task)
        history = desk.history(task)
        assert [it["task_seq"] for it in history] == list(range(1, len(history) + 1))
        assert [it["at"] for it in history] == sorted(it["at"] for it in history)
    ids = [it.id for it in desk.events.messages]
    assert len(ids) == len(set(ids))
    stored = desk.daemon.get(task_path(tasks[0]) + "/history")["facts"]
    assert [it["body"] for it in stored] == desk.history(tasks[0])


def test_a_busy_team_is_passed_over_for_a_while_and_an_unqualified_one_for_good(desk):
    shared = {"work_type": "legal_writing", "jurisdiction": "GB", "preferred_team": "london"}
    task = desk.request("decline-1", **shared)
    desk.offer(task)
    desk.says(task, "decline", reason="busy", note="full house")
    assert desk.other_inbox.first("offer", task=task)["assignment"] == 2
    turned_down = desk.daemon.task(task)["turn_downs"]
    assert [(it["team"], it["cause"]) for it in turned_down] == [("london", "busy")]
    assert datetime.fromisoformat(turned_down[0]["until"]) > datetime.fromisoformat(NOON)

    task = desk.request("decline-2", **shared)
    desk.offer(task)
    desk.says(task, "decline", reason="not_qualified")
    desk.other_inbox.first("offer", task=task)
    assert desk.daemon.task(task)["turn_downs"] == [{"team": "london", "cause": "not_qualified", "until": None}]

    desk.says(task, "decline", assignment=2, team="warsaw", reason="not_qualified")
    desk.events.first("task.waiting", task=task)
    assert desk.daemon.task(task)["state"] == "waiting"


def test_an_update_of_a_former_assignment_is_refused_as_stale(desk):
    task = desk.request("stale-1", work_type="legal_writing", jurisdiction="GB", preferred_team="london")
    desk.offer(task)
    desk.says(task, "decline", reason="busy")
    desk.other_inbox.first("offer", task=task)
    late = desk.says(task, "accept", assignment=1)
    answer = desk.inbox.first("update_result", id=late)
    assert (answer["type"], answer["refusal"]["code"]) == ("update.rejected", "stale_assignment")
    wrong = desk.says(task, "accept", assignment=7, team="warsaw")
    answer = desk.other_inbox.first("update_result", id=wrong)
    assert answer["refusal"]["code"] == "stale_assignment" and "2" in answer["refusal"]["message"]
    assert desk.daemon.task(task)["state"] == "offered"


def test_a_team_that_was_never_asked_is_told_that_the_task_is_unknown(desk):
    task = desk.request("secret-1")
    desk.offer(task)
    asked = desk.says(task, "accept", team="warsaw")
    other = desk.says("thames-llp/never-was", "accept", team="warsaw")
    answers = [desk.other_inbox.first("update_result", id=it)["refusal"] for it in (asked, other)]
    assert [it["code"] for it in answers] == ["unknown_task", "unknown_task"]
    assert answers[0]["message"].replace("secret-1", "*") == answers[1]["message"].replace("never-was", "*")
    assert "london" not in answers[0]["message"]
    assert desk.daemon.task(task)["team"] == "london"


def test_a_repeated_update_changes_nothing_and_a_firm_cancels(desk):
    task = desk.request("cancel-1")
    desk.offer(task)
    accept = {"id": "twice", "task": task, "kind": "accept", "team": "london", "assignment": 1}
    desk.london.update(accept)
    desk.london.update(accept)
    desk.inbox.first("update_result", update="twice")
    desk.firm_says(task, "cancel", reason="settled out of court")
    assert desk.inbox.first("ended", task=task)["reason"] == "settled out of court"
    desk.events.first("task.cancelled", task=task)
    assert desk.daemon.task(task)["state"] == "cancelled"
    assert [it["type"] for it in desk.history(task)].count("task.accepted") == 1
    late = desk.says(task, "complete")
    assert desk.inbox.first("update_result", id=late)["refusal"]["code"] in ("task_ended", "unknown_task")


def test_a_conflict_walls_the_team_from_the_matter_and_tells_what_it_had_received(desk):
    shared = {"matter": "M-conflict", "work_type": "legal_writing", "jurisdiction": "GB", "preferred_team": "london"}
    first, second = desk.request("wall-1", **shared), desk.request("wall-2", **shared)
    desk.offer(first), desk.offer(second)
    desk.says(first, "decline", reason="conflict")
    raised = desk.events.first("wall.raised", team="london")
    assert (raised["matter"], raised["source"], raised["client"]) == ("M-conflict", "conflict", "thames-llp")
    assert desk.inbox.first("withdrawn", task=second)["reason"] == "roster_changed"
    exposed = desk.events.first("wall.exposure", team="london")
    received = [it.id for it in desk.inbox.messages if it.type == "offer" and it.json["matter"] == "M-conflict"]
    assert (exposed["wall"], exposed["count"]) == (raised["stream_seq"], 2)
    assert [(it["message_id"], it["task"]) for it in exposed["messages"]] == list(zip(received, (first, second)))
    third = desk.request("wall-3", **shared)
    desk.other_inbox.first("offer", task=third)
    assert desk.daemon.metric("heliograph_wall_exposures_total") == 1


def test_a_paused_and_a_held_task_stand_still_until_they_go_on(desk):
    task = desk.request("pause-1")
    desk.offer(task)
    desk.says(task, "accept")
    desk.says(task, "pause", reason="awaiting_client")
    desk.events.first("task.paused", task=task)
    assert desk.daemon.task(task)["paused"] == "awaiting_client"
    desk.firm_says(task, "resume")
    desk.events.first("task.resumed", task=task)
    assert desk.daemon.task(task)["paused"] is None

    task = desk.request("hold-1")
    desk.offer(task)
    desk.firm_says(task, "hold")
    assert desk.inbox.first("withdrawn", task=task)["reason"] == "held"
    desk.firm_says(task, "unhold")
    assert desk.inbox.first("offer", task=task, assignment=2)


def test_an_offer_nobody_answers_lapses_and_goes_to_the_next_team(bed):
    with bed.daemon(NOON, speed=600) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Inbox(bed.team("warsaw"), [team_queue("warsaw")]) as warsaw, Sender(bed.client("thames-llp")) as firm:
            body = {"id": "lapse-1", "client": "thames-llp", "matter": "M-1", "work_type": "legal_writing"}
            firm.send({**body, "priority": "urgent", "preferred_team": "warsaw", "denied_countries": ["IN"]})
            until = warsaw.first("offer")["until"]
            lapsed = events.first("task.lapsed", task="thames-llp/lapse-1")
            withdrawn = warsaw.first("withdrawn", task="thames-llp/lapse-1")
            second = events.first("task.offered", task="thames-llp/lapse-1", assignment=2)
        turned_down = daemon.task("thames-llp/lapse-1")["turn_downs"]
    assert lapsed["due_at"] == until and lapsed["at"] >= until
    assert withdrawn["assignment"] == 1 and second["team"] == "london"
    assert ("warsaw", "lapsed") in [(it["team"], it["cause"]) for it in turned_down]


def test_cloud_events_are_taken_in_both_forms(desk):
    body = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG"}
    attributes = {"specversion": "1.0", "id": "e-1", "source": "/firm", "type": "work.requested"}
    structured = {**attributes, "datacontenttype": "application/json", "data": {"id": "ce-1", **body}}
    desk.firm.send(structured, content_type="application/cloudevents+json; charset=utf-8")
    for number, prefix in ((2, "cloudEvents_"), (3, "cloudEvents:")):
        headers = {prefix + name: value for name, value in attributes.items()}
        desk.firm.send({"id": f"ce-{number}", **body}, headers=headers)
    for number in (1, 2, 3):
        assert desk.offer(f"thames-llp/ce-{number}")["id"] == f"ce-{number}"


# --- without a broker ---


@pytest.fixture
def alone(tmp_path):
    """A daemon without a broker: requests come in and teams read over HTTP."""
    with Daemon(tmp_path, NOON) as daemon:
        yield daemon


def ask(daemon, number, **fields):
    """Submits a request for London over HTTP."""
    body = {"id": f"h-{number}", "client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings"}
    return daemon.post("/api/v1/requests", {**body, "jurisdiction": "GB-ENG", "payload": {"n": number}, **fields})


def say(daemon, task, kind, **fields):
    """Posts London's update."""
    update = {"id": f"{kind}-{task[-3:]}", "task": task, "kind": kind, "team": "london", "assignment": 1, **fields}
    return daemon.post(task_path(task) + "/updates", update)


def test_without_a_broker_a_team_polls_answers_and_completes(alone):
    status, answer = ask(alone, 1)
    assert (status, answer["task"], answer["state"], answer["team"]) == (201, "thames-llp/h-1", "offered", "london")
    mail = "/api/v1/teams/london/messages"
    first = alone.get(mail + "?wait=20")
    assert [(it["type"], it["body"]["task"]) for it in first["messages"]] == [("offer", "thames-llp/h-1")]
    assert first["messages"][0]["body"]["payload"] == {"n": 1}
    assert alone.get(mail) == first, "a message that is not marked as read comes again"
    assert say(alone, "thames-llp/h-1", "accept") == (200, {"outcome": "applied", "task": "thames-llp/h-1"})
    second = alone.get(f"{mail}?wait=20&after={first['next']}")
    assert [it["type"] for it in second["messages"]] == ["update_result"]
    assert say(alone, "thames-llp/h-1", "complete")[0] == 200
    assert say(alone, "thames-llp/h-1", "progress", remaining_minutes=1)[0] >= 400
    assert alone.task("thames-llp/h-1")["state"] == "completed"
    alone.kill()
    alone.start()
    left = alone.get(f"{mail}?after={second['next']}")["messages"]
    assert [(it["type"], it["body"]["type"]) for it in left][0] == ("ended", "task.completed")
    assert alone.task("thames-llp/h-1")["state"] == "completed"


def test_what_a_team_has_not_read_when_it_is_walled_it_never_reads(alone):
    for number in (1, 2):
        ask(alone, number, matter="M-conflict")
    mail = "/api/v1/teams/london/messages?after=0"
    assert [it["type"] for it in alone.get(mail)["messages"]] == ["offer", "offer"]
    assert say(alone, "thames-llp/h-1", "decline", reason="conflict")[0] == 200
    for restarted in (False, True):
        if restarted:
            alone.kill()
            alone.start()
        words = [it["type"] for it in alone.get(mail)["messages"]]
        assert sorted(words) == ["update_result", "withdrawn"], words
    facts = [it["data"] for it in events_until(alone, "wall.exposure")]
    assert facts[-1]["count"] == 2 and [it["task"] for it in facts[-1]["messages"]] == ["thames-llp/h-1", "thames-llp/h-2"]


def events_until(daemon, kind):
    """All events from the first to one of a kind."""
    with daemon.open_events(after=0) as stream:
        return read_events(stream, until=lambda it: it["event"] == kind)


def test_a_stream_of_events_goes_on_where_it_broke_off(alone):
    for number in (1, 2, 3):
        ask(alone, number)
    with alone.open_events(after=0) as stream:
        seen = read_events(stream, until=lambda it: it["data"].get("task") == "thames-llp/h-2")
    alone.kill()
    alone.start()
    with alone.open_events(last_event_id=seen[-1]["id"]) as stream:
        more = read_events(stream, until=lambda it: it["data"].get("task") == "thames-llp/h-3" and "offered" in it["event"])
        ask(alone, 4)
        more += read_events(stream, until=lambda it: it["data"].get("task") == "thames-llp/h-4" and "offered" in it["event"])
    ids = [it["id"] for it in seen + more]
    assert ids == list(range(1, len(ids) + 1))
    assert all(it["event"] == it["data"]["type"] for it in seen + more)


def read_events(stream, until):
    """Events of a stream up to the first that `until` is true of."""
    events, fields = [], {}
    for line in stream:
        name, _, value = line.decode().rstrip("\n").partition(":")
        if name in ("id", "event", "data"):
            fields[name] = value.strip()
        elif not name and not value and "data" in fields:
            events.append({"id": int(fields["id"]), "event": fields["event"], "data": json.loads(fields["data"])})
            fields = {}
            if until(events[-1]):
                return events
    raise AssertionError(f"the stream ended after {events[-3:]}")
