"""Ten thousand requests from clients that nobody here wrote, teams at work on their offers, and a crash in the middle."""

import hashlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest
from daemon import task_path
from inbox import Inbox, copies, team_queue
from load import UPDATES, Sender, properties_of, send_all
from rules import is_in_contact, noes, shift_at

REQUESTS = 10_000
BODY_BYTES = 1024
AT = "2026-11-24T10:00:00Z"  # London, Warsaw, Nairobi and Mumbai are open; Manila, Sydney and New York are closed
KILL_AFTER_ADMITTED = 4_000
FAULTY_EVERY = 50
ACCEPTED_OF_16 = 6
EXPLAINED = 60
SETTLE_WITHIN_SECONDS = 150
CLIENTS = ("thames-llp", "acme-llp", "rhine-ag", "quokka-labs", "walled-bank")
JURISDICTIONS = {"litigation": ["GB-ENG", "US-NY", "US", "AU"], "research": ["GB-ENG", "AU"], "patents": ["GB", "US", "AU"]}
FAULTS = ("work_type", "unknown_field", "broken")


def make_requests(roster, seed):
    """The requests by task id, each about 1 KiB as JSON, and the faulty bodies by the client that sends them."""
    pick = random.Random(seed)
    kinds = sorted(roster["work_types"])
    requests, faulty = {}, defaultdict(list)
    for number in range(REQUESTS):
        client = CLIENTS[number % len(CLIENTS)]
        kind = kinds[number // len(CLIENTS) % len(kinds)]
        work_type = roster["work_types"][kind]
        body = {
            "id": f"flood-{number:05}",
            "client": client,
            "matter": f"M-{pick.randrange(6)}",
            "work_type": kind,
            "effort_minutes": work_type["effort_minutes"],
            "priority": pick.choice(["urgent", "high", "normal", "low"]),
        }
        if work_type["specialty"] in JURISDICTIONS:
            body["jurisdiction"] = pick.choice(JURISDICTIONS[work_type["specialty"]])
        if work_type["presence"] == "in_person":
            body["place"] = pick.choice(["GB", "US", "PL", "AU"])
        if pick.random() < 0.5:
            body["consent"] = {"offshore": True, "reference": f"C-{number}"}
        if pick.random() < 0.1:
            body["denied_countries"] = [pick.choice(["PL", "IN", "PH"])]
        if pick.random() < 0.1:
            body["excluded_teams"] = [pick.choice(["nairobi", "warsaw", "london"])]
        room = BODY_BYTES - len(json.dumps(body)) - len(', "payload": ""')
        body["payload"] = "".join(pick.choices("abcdefghijklmnopqrstuvwxyz", k=room))
        if number % FAULTY_EVERY == 0:
            faulty[client].append(spoiled(body, FAULTS[number // FAULTY_EVERY % len(FAULTS)]))
        else:
            requests[f"{client}/{body['id']}"] = body
    return requests, faulty


def spoiled(body, fault):
    """The bytes of a request that must be refused."""
    if fault == "work_type":
        return json.dumps({**body, "work_type": "juggling"}).encode()
    if fault == "unknown_field":
        return json.dumps({**body, "effort_minuts": 5}).encode()
    return json.dumps(body).encode()[:-1]


class Flood:
    """What was sent, what arrived and what the daemon says in the end."""


@pytest.fixture(scope="module")
def flood(roster, node, tmp_path_factory):
    from conftest import Bed

    bed = Bed(node, tmp_path_factory.mktemp("flood"))
    it = Flood()
    it.requests, it.faulty = make_requests(roster, seed=20261124)
    it.teams = {team["id"]: team for team in roster["teams"]}
    with bed.daemon(AT) as daemon, Inbox(bed.watcher(), events=True) as events:
        with Teams(bed, it.teams) as teams:
            began = time.monotonic()
            senders = [threading.Thread(target=send, args=(bed, it, client)) for client in CLIENTS]
            for sender in senders:
                sender.start()
            admitted = Count(events, "task.admitted")
            events.wait_for(lambda _: admitted() >= KILL_AFTER_ADMITTED, SETTLE_WITHIN_SECONDS, "the middle of the flood")
            daemon.kill()
            it.killed_with_left = len(it.requests) - admitted()
            daemon.start()
            for sender in senders:
                sender.join()
            events.wait_for(lambda _: admitted() >= len(it.requests), SETTLE_WITHIN_SECONDS, "the last admission")
            it.seconds = time.monotonic() - began
            refused = sum(map(len, it.faulty.values()))
            with Inbox(bed.watcher(), ["heliograph.rejected"]) as rejected:
                rejected.wait_for(lambda messages: len(messages) >= refused, what="the last rejected message")
                teams.await_answers(events)
                it.tasks = {task["id"]: task for task in daemon.tasks()}
                it.rejected = list(rejected.messages)
            sample = random.Random(7).sample(sorted(it.requests), EXPLAINED)
            it.explained = {task: daemon.get(task_path(task) + "/explanation") for task in sample}
            it.sent_updates = teams.accepted
            daemon.stop()
        it.events, it.work = list(events.messages), list(teams.messages())
    yield it


def send(bed, flood, client):
    bodies = [json.dumps(body).encode() for body in flood.requests.values() if body["client"] == client]
    send_all(bed.client(client), bodies + flood.faulty[client])


class Count:
    """Counts different messages of a type, each look going on where the last one ended."""

    def __init__(self, inbox, message_type):
        self._inbox, self._type, self._seen, self._ids = inbox, message_type, 0, set()

    def __call__(self):
        messages = self._inbox.messages
        for message in messages[self._seen :]:
            if message.type == self._type:
                self._ids.add(message.id)
        self._seen = len(messages)
        return len(self._ids)


class Teams:
    """Every team's own system: it reads its queue and accepts a part of its offers, each as often as it arrives."""

    def __init__(self, bed, teams):
        self.accepted = set()
        self._inboxes = [Inbox(bed.team(team), [team_queue(team)], on_message=self._answer(team)) for team in teams]

    def __enter__(self):
        for inbox in self._inboxes:
            inbox.__enter__()
        return self

    def __exit__(self, *_):
        for inbox in self._inboxes:
            inbox.__exit__()

    def messages(self):
        """Everything that arrived in the teams' queues."""
        return [message for inbox in self._inboxes for message in inbox.messages]

    def await_answers(self, events):
        """Waits until each accepted offer has become an ownership."""
        count = Count(events, "task.accepted")
        events.wait_for(lambda _: count() >= len(self.accepted), what=f"{len(self.accepted)} acceptances")

    def _answer(self, team):
        def answer(message, channel):
            if message.type != "offer":
                return
            offer = message.json
            task, assignment = offer["task"], offer["assignment"]
            if hashlib.sha256(task.encode()).digest()[0] % 16 >= ACCEPTED_OF_16:
                return
            update = {"id": f"a-{task.replace('/', ':')}-{assignment}", "task": task, "kind": "accept"}
            body = json.dumps({**update, "team": team, "assignment": assignment}).encode()
            channel.basic_publish(UPDATES, UPDATES, body, properties_of(f"team-{team}"), mandatory=True)
            self.accepted.add((task, assignment))

        return answer


def test_every_request_ends_as_exactly_one_of_offered_owned_waiting_or_rejected(flood):
    assert flood.killed_with_left > 0, "the crash came after the flood"
    assert set(flood.tasks) == set(flood.requests)
    states = Counter(task["state"] for task in flood.tasks.values())
    assert set(states) == {"offered", "active", "waiting"}
    assert all(states[state] > 100 for state in states), states
    sent = Counter(body for bodies in flood.faulty.values() for body in bodies)
    assert Counter(dict.fromkeys({it.raw for it in flood.rejected}, 1)) == sent
    codes = Counter(json.loads(it.headers["x-heliograph-reason"])["code"] for it in flood.rejected)
    assert set(codes) == {"unknown_work_type", "unknown_field", "invalid_json"}
    print(f"\n{len(flood.tasks)} tasks {dict(states)}, {len(sent)} rejected; {REQUESTS / flood.seconds:.0f} requests/s")


def test_every_offer_went_to_a_team_that_may_do_it_and_was_open(flood, roster):
    offers = [it for it in flood.work if it.type == "offer"]
    assert len({it.queue for it in offers}) >= 4
    for message in offers:
        offer, team = message.json, flood.teams[message.queue.removeprefix("heliograph.team.")]
        request, at = flood.requests[offer["task"]], datetime.fromisoformat(offer["at"])
        assert offer["team"] == team["id"] and offer["payload"] == request["payload"]
        assert not list(noes(roster, request, team, at)), offer
        assert is_in_contact(roster, request, team, at), offer
        shift = shift_at(roster, team["calendar"], at)
        assert shift and shift[1] - at >= timedelta(minutes=15), f"{team['id']} is closed at {at}"


def test_no_team_ever_got_a_message_about_a_task_it_may_not_see(flood, roster):
    at = datetime.fromisoformat(AT)
    for message in flood.work:
        team = flood.teams[message.queue.removeprefix("heliograph.team.")]
        assert not list(noes(roster, flood.requests[message.json["task"]], team, at)), message


def test_what_waits_says_why_and_nobody_open_had_room_for_it(flood, roster):
    at = datetime.fromisoformat(AT)
    used = Counter(it["team"] for it in flood.tasks.values() if it["team"])
    is_open = {team: shift_at(roster, it["calendar"], at) is not None for team, it in flood.teams.items()}
    reasons = Counter()
    for task in flood.tasks.values():
        if task["state"] != "waiting":
            continue
        request = flood.requests[task["id"]]
        eligible = [team for team, it in flood.teams.items() if not list(noes(roster, request, it, at))]
        contact = [it for it in eligible if is_open[it] and is_in_contact(roster, request, flood.teams[it], at)]
        expected = "no_seat_free" if contact else "no_team_open" if eligible else "no_team_eligible"
        assert task["waiting"]["reason"] == expected, (task, eligible)
        assert all(used[team] == flood.teams[team]["seats"] for team in contact), (task, used)
        reasons[expected] += 1
    assert set(reasons) == {"no_seat_free", "no_team_open", "no_team_eligible"}
    assert all(used[team] <= it["seats"] for team, it in flood.teams.items())
    unroutable = {it.json["task"] for it in flood.events if it.type == "task.unroutable"}
    assert len(unroutable) == reasons["no_team_eligible"]


def test_every_task_can_say_why_it_is_where_it_is(flood, roster):
    standing = {"wall", "consent", "presence", "vetting", "capability"}
    for task, explanation in flood.explained.items():
        decision, state = explanation["decision"], flood.tasks[task]
        at = datetime.fromisoformat(explanation["at"])
        assert decision["winner"] == state["team"]
        assert sum(decision["rejected"].values()) + decision["available_count"] == len(flood.teams)
        said = {it.get("team"): it.get("filter") for it in explanation["verdicts"]}
        assert set(said) == set(flood.teams)
        for team, no in said.items():
            request, desk = flood.requests[task], flood.teams[team]
            expected = set(noes(roster, request, desk, at))
            if shift_at(roster, desk["calendar"], at) and not is_in_contact(roster, request, desk, at):
                expected.add("presence")
            assert no in expected if expected else no not in standing, (task, team, no, expected)
        assert all(it["cleared_by"] for it in explanation["verdicts"] if it["verdict"] == "rejected")


def test_the_table_of_each_decision_is_the_one_that_was_counted_when_it_was_made(flood):
    for task, explanation in flood.explained.items():
        decision, then = explanation["decision"], explanation["as_decided"]
        assert then["caveats"] == [], task
        assert [it["team"] for it in then["verdicts"]] == sorted(flood.teams), task
        rejected = Counter(it["filter"] for it in then["verdicts"] if it["verdict"] == "rejected")
        assert rejected == decision["rejected"], task
        available = {it["team"]: it for it in then["verdicts"] if it["verdict"] == "available"}
        assert len(available) == decision["available_count"], task
        for candidate in decision["available"]:
            assert available[candidate["team"]] == candidate | {"verdict": "available"}, task


def test_nothing_is_owned_twice_and_assignments_are_unique(flood):
    accepted = [it.json for it in unique(flood.events) if it.type == "task.accepted"]
    assert len(accepted) > 300
    assert max(Counter(it["task"] for it in accepted).values()) == 1
    assert {(it["task"], it["assignment"]) for it in accepted} == flood.sent_updates
    offered = Counter((it.json["task"], it.json["assignment"]) for it in unique(flood.events) if it.type == "task.offered")
    assert set(offered.values()) == {1}
    owners = {it["task"]: it["team"] for it in accepted}
    assert owners == {it["id"]: it["team"] for it in flood.tasks.values() if it["state"] == "active"}


def test_facts_of_each_task_are_dense_over_the_crash(flood):
    numbers = defaultdict(list)
    for message in unique(flood.events):
        if "task" in message.json:
            numbers[message.json["task"]].append(message.json["task_seq"])
    assert set(numbers) == set(flood.requests)
    assert all(sorted(it) == list(range(1, len(it) + 1)) for it in numbers.values())
    assert all(flood.tasks[task]["task_seq"] == len(it) for task, it in numbers.items())


def test_a_second_copy_has_the_same_id_and_the_same_bytes(flood):
    of_events, of_work, of_rejected = copies(flood.events), copies(flood.work), copies(flood.rejected)
    print(f"\ncopies over one crash: {of_events} of {len(flood.events)} events, {of_work} of {len(flood.work)} to teams, {of_rejected} rejected")
    assert of_events + of_work < len(flood.events) / 2, "more copies than one crash explains"


def unique(messages):
    """The first copy of each message."""
    return list({(it.queue, it.id): it for it in reversed(messages)}.values())
