"""The broker misbehaves, or the daemon is stopped, while work flows: nothing is lost, nothing is done twice."""

import json
import threading
from collections import Counter

import pytest
from inbox import Inbox, copies, team_queue
from load import REQUESTS, Sender, send_all

MORNING = "2026-11-24T10:00:00Z"  # London, Warsaw, Nairobi and Mumbai are open
SETTLE_WITHIN_SECONDS = 60


def reviews(count, prefix, client="thames-llp"):
    """Requests that several teams may do, by task id."""
    bodies = {}
    for number in range(count):
        kind = ("back_office", "legal_writing", "document_review")[number % 3]
        request_id = f"{prefix}-{number:05}"
        bodies[f"{client}/{request_id}"] = json.dumps(
            {"id": request_id, "client": client, "matter": "M-1", "work_type": kind, "payload": "x" * 500}
        ).encode()
    return bodies


class Flow:
    """A firm that publishes while something happens; `half` is set when half of it is confirmed."""

    def __init__(self, url, bodies):
        self._confirmed, self._total, self.half = 0, len(bodies), threading.Event()
        self.sent_again = None
        self._thread = threading.Thread(target=self._run, args=(url, bodies))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join()

    def _run(self, url, bodies):
        self.sent_again = send_all(url, bodies, on_confirmed=self._count)

    def _count(self, count):
        self._confirmed += count
        if 2 * self._confirmed >= self._total:
            self.half.set()


def admitted(inbox, ids):
    """Waits until each of these tasks was admitted."""
    wanted, seen = set(ids), 0

    def look(messages):
        nonlocal seen
        for message in messages[seen:]:
            if message.type == "task.admitted":
                wanted.discard(message.json["task"])
        seen = len(messages)
        return not wanted

    inbox.wait_for(look, SETTLE_WITHIN_SECONDS, "the last admission")


def dense(messages):
    """Each task's facts are numbered without a gap and none twice, copies aside."""
    numbers = {(it.json["task"], it.json["task_seq"]): it.id for it in messages if "task_seq" in it.json}
    ids = {it.id for it in messages if "task_seq" in it.json}
    last = Counter()
    for task, number in numbers:
        last[task] = max(last[task], number)
    assert sum(last.values()) == len(numbers) == len(ids)


def test_a_team_without_its_queue_loses_its_offers_to_others_and_nobody_else_notices(bed):
    preferring_mumbai = {"client": "rhine-ag", "matter": "M-1", "work_type": "legal_writing", "preferred_team": "warsaw"}
    with bed.daemon(MORNING) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Inbox(bed.team("london"), [team_queue("london")]) as london, Sender(bed.client("rhine-ag")) as firm:
            firm.send({"id": "before", **preferring_mumbai})
            events.first("task.offered", task="rhine-ag/before", team="warsaw")
            with Sender(bed.watcher()) as admin:
                admin.channel.queue_delete(team_queue("warsaw"))
            firm.send({"id": "lost", **preferring_mumbai})
            assert events.first("task.offered", task="rhine-ag/lost")["team"] == "warsaw"
            others = reviews(300, "other")
            send_all(bed.client("thames-llp"), others.values())
            admitted(events, others)
            withdrawn = events.first("task.withdrawn", task="rhine-ag/lost")
            again = london.first("offer", task="rhine-ag/lost")
            after = events.first("task.offered", task="rhine-ag/lost", assignment=2)
        task = daemon.task("rhine-ag/lost")
        states = Counter(it["state"] for it in daemon.tasks(client="thames-llp"))
    assert (withdrawn["team"], withdrawn["reason"], withdrawn["assignment"]) == ("warsaw", "unreachable", 1)
    assert (again["team"], again["assignment"], after["team"]) == ("london", 2, "london")
    assert ("warsaw", "unreachable") in [(it["team"], it["cause"]) for it in task["turn_downs"]]
    assert (task["state"], task["team"]) == ("offered", "london")
    assert states == {"offered": 300}


@pytest.fixture
def small_messages(bed):
    """A broker that takes no body over so many bytes, for channels that are opened from now on."""
    before = bed.node.eval("{ok, Size} = application:get_env(rabbit, max_message_size), Size.").strip()
    set_limit = lambda limit: bed.node.eval(f"application:set_env(rabbit, max_message_size, {limit}).")
    yield set_limit
    set_limit(before)


def test_an_offer_larger_than_the_broker_takes_holds_nobody_up(bed, small_messages):
    small_messages(2_000)
    large = {"id": "large", "client": "thames-llp", "matter": "M-1", "work_type": "legal_writing", "payload": "x" * 1_800}
    with bed.daemon(MORNING) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Sender(bed.client("thames-llp")) as firm:
            firm.send(large)
            offered = events.first("task.offered", task="thames-llp/large")
            others = reviews(50, "other")
            send_all(bed.client("thames-llp"), others.values())
            admitted(events, others)
            withdrawn = events.first("task.withdrawn", task="thames-llp/large")
        assert (withdrawn["team"], withdrawn["reason"]) == (offered["team"], "unreachable")
        assert {it["state"] for it in daemon.tasks() if it["id"] in others} == {"offered"}
        assert daemon.log().count("takes no body over 2000 bytes") == 1, "the limit is learned once"
        daemon.stop()
        daemon.start()
        with Sender(bed.client("thames-llp")) as firm:
            firm.send({**large, "id": "small", "payload": "x"})
            events.first("task.offered", task="thames-llp/small")
    dense(events.messages)


def test_a_rejected_request_larger_than_the_broker_takes_by_now_leaves_without_its_body(bed, small_messages):
    with bed.daemon(MORNING) as daemon:
        daemon.stop()
        with Sender(bed.client("thames-llp")) as firm:
            firm.send(b"x" * 1_500)
        small_messages(1_000)
        daemon.start()
        with Inbox(bed.watcher(), ["heliograph.rejected"]) as rejected:
            found = rejected.wait_for(lambda messages: messages[:1], what="the rejected message")[0]
            assert json.loads(found.headers["x-heliograph-reason"])["code"] == "invalid_json"
            assert (found.headers["x-heliograph-body-omitted-bytes"], found.raw) == ("1500", b"")
        daemon.stop()
    bed.await_empty(REQUESTS)


def test_a_broker_that_restarts_under_load_costs_no_request(bed):
    bodies = reviews(3_000, "restart")
    with bed.daemon(MORNING) as daemon, Inbox(bed.watcher(), events=True) as events:
        bed.node.sync_queue_metadata()
        with Flow(bed.client("thames-llp"), bodies.values()) as flow:
            assert flow.half.wait(SETTLE_WITHIN_SECONDS)
            bed.node.restart()
        admitted(events, bodies)
        daemon.stop()
        daemon.start()
        tasks = daemon.tasks()
        daemon.stop()
    assert {it["id"] for it in tasks} == set(bodies)
    dense(events.messages)
    teams = [team_queue(team) for team in ("london", "warsaw", "nairobi", "mumbai")]
    with Inbox(bed.watcher(), teams) as work:
        offered = {it["id"] for it in tasks if it["state"] == "offered"}
        work.wait_for(lambda messages: offered <= {it.json["task"] for it in messages}, what="the last offer")
        print(f"\n{flow.sent_again} sent again, {copies(events.messages)} copies of events, {copies(work.messages)} of messages to teams")


def test_a_broker_that_is_killed_costs_no_request(bed):
    bodies = reviews(2_000, "crash")
    with bed.daemon(MORNING) as daemon, Inbox(bed.watcher(), events=True) as events:
        bed.node.sync_queue_metadata()
        with Flow(bed.client("thames-llp"), bodies.values()) as flow:
            assert flow.half.wait(SETTLE_WITHIN_SECONDS)
            bed.node.kill()
            bed.node.restart()
        admitted(events, bodies)
        tasks = daemon.tasks()
    assert {it["id"] for it in tasks} == set(bodies)
    dense(events.messages)
    print(f"\n{flow.sent_again} sent again, {copies(events.messages)} copies of events")


def test_a_daemon_that_is_asked_to_stop_under_load_leaves_no_copy(bed):
    bodies = reviews(3_000, "stop")
    with bed.daemon(MORNING) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Flow(bed.client("thames-llp"), bodies.values()) as flow:
            assert flow.half.wait(SETTLE_WITHIN_SECONDS)
            daemon.stop()
            left = set(bodies) - {it["task"] for it in events.of_type("task.admitted")}
            daemon.start()
        admitted(events, bodies)
        daemon.stop()
        daemon.start()
        tasks = daemon.tasks()
        daemon.stop()
        last = sum(it["task_seq"] for it in tasks)
        events.wait_for(lambda messages: sum("task_seq" in it.json for it in messages) >= last, what="the last event")
    assert left, "the stop came after the load"
    assert {it["id"] for it in tasks} == set(bodies)
    teams = [team_queue(team) for team in ("london", "warsaw", "nairobi", "mumbai")]
    with Inbox(bed.watcher(), teams) as work:
        offers = sum(it["state"] == "offered" for it in tasks)
        work.wait_for(lambda messages: len(messages) >= offers, what="the last offer")
        assert copies(events.messages) == copies(work.messages) == 0
        assert len(work.messages) == offers
    dense(events.messages)
