"""What no daemon should have to read: each has its typed reason, is set aside untouched, and holds nobody up."""

import json

import pytest
from inbox import Inbox, team_queue
from load import REQUESTS, UPDATES, Sender

MORNING = "2026-11-24T10:00:00Z"
MIB = 1024 * 1024
GOOD = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG"}
CLOUD_EVENT = {"id": "e-1", "source": "/firm", "type": "work.requested", "datacontenttype": "application/json"}
STRUCTURED = "application/cloudevents+json"


class Desk:
    """A daemon, the firm's connection, and what is set aside, told and offered."""

    def __init__(self, bed):
        self.bed = bed
        self._daemon = bed.daemon(MORNING)

    def __enter__(self):
        self.daemon = self._daemon.__enter__()
        self.events = Inbox(self.bed.watcher(), events=True).__enter__()
        self.rejected = Inbox(self.bed.watcher(), ["heliograph.rejected"]).__enter__()
        self.london = Inbox(self.bed.team("london"), [team_queue("london")]).__enter__()
        self.firm = Sender(self.bed.client("thames-llp"))
        self._good = 0
        return self

    def __exit__(self, *_):
        for part in (self.firm, self.events, self.rejected, self.london, self._daemon):
            part.__exit__()

    def set_aside(self, body):
        """The one message with this body in the queue of rejected messages, its reason and its original's properties."""
        found = self.rejected.wait_for(lambda messages: [it for it in messages if it.raw == body], what="the rejected body")
        assert len(found) == 1
        headers = found[0].headers
        return found[0], json.loads(headers["x-heliograph-reason"]), json.loads(headers["x-heliograph-original"])

    def still_works(self):
        """A good request is admitted and offered."""
        self._good += 1
        self.firm.send({"id": f"good-{self._good}", **GOOD})
        self.london.first("offer", task=f"thames-llp/good-{self._good}")


@pytest.fixture(scope="module")
def desk(node, tmp_path_factory):
    from conftest import Bed

    with Desk(Bed(node, tmp_path_factory.mktemp("bad"))) as desk:
        yield desk


def request(**fields):
    return json.dumps({"id": "bad-1", **GOOD, **fields}).encode()


BODIES = {
    "not JSON": (b"work for you!", {}, "invalid_json", None),
    "nothing at all": (b"", {}, "invalid_json", None),
    "not UTF-8": (b'{"id": "\xff\xfe"}', {}, "invalid_json", None),
    "JSON that is no object": (b"[1, 2]", {}, "invalid_json", None),
    "64 MB": (request(payload="x" * 64 * MIB), {}, "too_large", None),
    "nested 100,000 deep": (b'{"payload": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, "too_deep", None),
    "an unknown field": (request(effort_minuts=5), {}, "unknown_field", "effort_minuts"),
    "a key twice": (b'{"matter": "M-2", ' + request()[1:], {}, "duplicate_key", "matter"),
    "no matter": (json.dumps({"id": "bad-2", "client": "thames-llp", "work_type": "back_office"}).encode(), {}, "missing_field", "matter"),
    "a year that no calendar has": (request(deadline="99999-01-01T00:00:00Z"), {}, "invalid_field", "deadline"),
    "an effort beyond all measure": (b'{"effort_minutes": 1e400, ' + request()[1:], {}, None, None),
    "an unknown work type": (request(work_type="juggling"), {}, "unknown_work_type", "work_type"),
    "an unknown team": (request(preferred_team="atlantis"), {}, "unknown_team", "preferred_team"),
    "an unknown policy": (request(sla="platinum"), {}, "unknown_sla", "sla"),
    "a log line in its id": (request(id="x\n2026-11-24 ERROR forged"), {}, "invalid_field", "id"),
    "a CloudEvent without a version": (
        json.dumps({**CLOUD_EVENT, "data": {"id": "bad-3", **GOOD}}).encode(), {"content_type": STRUCTURED}, "missing_field", "specversion"
    ),
    "a CloudEvent without data": (
        json.dumps({**CLOUD_EVENT, "specversion": "1.0"}).encode(), {"content_type": STRUCTURED}, "missing_field", "data"
    ),
    "a CloudEvent of another version": (
        request(), {"headers": {"cloudEvents_specversion": "0.3", "cloudEvents_id": "e"}}, "invalid_field", "specversion"
    ),
    "a batch of CloudEvents": (
        b"[]", {"content_type": "application/cloudevents-batch+json"}, "invalid_field", "content_type"
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_it_is_set_aside_with_its_reason_and_the_next_request_is_admitted(desk, name):
    body, properties, code, field = BODIES[name]
    desk.firm.send(body, message_id=f"of-the-firm {name}", expiration="600000", **properties)
    message, reason, original = desk.set_aside(body)
    if code:
        assert (reason["code"], reason.get("field")) == (code, field), reason
    assert reason["message"] and len(reason["message"]) < 2_000
    assert (original["message_id"], original["user_id"]) == (f"of-the-firm {name}", "client-thames-llp")
    assert original["routing_key"] == REQUESTS and original["expiration"] == "600000"
    assert message.properties.expiration is None and message.properties.user_id is None
    desk.events.wait_for(
        lambda messages: [it for it in messages if it.type == "request.rejected" and it.json["refusal"] == reason],
        what="the event request.rejected",
    )
    desk.still_works()


def test_an_id_with_other_content_is_a_conflict_and_the_same_content_is_not(desk):
    body = {"id": "again-1", **GOOD, "payload": {"a": 1}}
    desk.firm.send(body)
    desk.london.first("offer", task="thames-llp/again-1")
    desk.firm.send(json.dumps(body, indent=3).encode())
    other = json.dumps({**body, "payload": {"a": 2}}).encode()
    desk.firm.send(other)
    _, reason, _ = desk.set_aside(other)
    assert (reason["code"], reason["field"]) == ("conflict", "id")
    assert desk.events.first("request.conflict", id="again-1")["client"] == "thames-llp"
    desk.still_works()
    assert [it["task"] for it in desk.events.of_type("task.admitted")].count("thames-llp/again-1") == 1
    assert len([it for it in desk.rejected.messages if b"again-1" in it.raw]) == 1


@pytest.mark.parametrize("kind", ["requests", "updates"])
def test_a_message_without_its_user_or_in_anothers_name_is_refused(desk, kind):
    if kind == "requests":
        exchange, body = REQUESTS, {"id": f"who-{kind}", **GOOD}
    else:
        task = {"task": "thames-llp/good-1", "kind": "accept", "assignment": 1}
        exchange, body = UPDATES, {"id": f"who-{kind}", "team": "london", **task}
    without = json.dumps({**body, "id": "nobody"}).encode()
    desk.firm.send(without, exchange=exchange, user_id=None)
    with Sender(desk.bed.client("acme-llp")) as other:
        false = json.dumps({**body, "id": "somebody"}).encode()
        other.send(false, exchange=exchange)
    for sent in (without, false):
        _, reason, _ = desk.set_aside(sent)
        assert (reason["code"], reason["field"]) == ("identity", "user_id")
    desk.still_works()
    assert not [it for it in desk.events.of_type("task.admitted") if it["id"] in ("nobody", "somebody")]
    assert not desk.events.of_type("task.accepted")


def test_an_update_that_cannot_be_read_is_set_aside_too(desk):
    body = json.dumps({"id": "u-1", "task": "thames-llp/good-1", "kind": "juggle", "client": "thames-llp"}).encode()
    desk.firm.send(body, exchange=UPDATES)
    _, reason, original = desk.set_aside(body)
    assert (reason["code"], reason["field"], original["routing_key"]) == ("invalid_field", "kind", UPDATES)
    desk.still_works()


def test_a_message_with_an_unknown_routing_key_is_not_lost(desk):
    desk.firm.send(b"to nobody", routing_key="somewhere-else")
    found = desk.rejected.wait_for(lambda messages: [it for it in messages if it.raw == b"to nobody"])
    assert len(found) == 1
    desk.still_works()


def test_a_client_that_every_team_is_walled_from_is_told_so_loudly_and_kept(desk):
    with Sender(desk.bed.client("walled-bank")) as bank:
        bank.send({"id": "wall-1", **GOOD, "client": "walled-bank"})
    told = desk.events.first("task.unroutable", task="walled-bank/wall-1")
    assert told["rejected"] == {"wall": 8}
    task = desk.daemon.task("walled-bank/wall-1")
    assert (task["state"], task["waiting"]["reason"]) == ("waiting", "no_team_eligible")
    assert not [it for it in desk.london.messages if it.json["task"] == "walled-bank/wall-1"]
    desk.still_works()


def test_receipts_go_to_the_clients_own_address_and_to_no_other(desk):
    with Sender(desk.bed.watcher()) as admin:
        for queue, key in (("test.mine", "thames-llp.desk-7"), ("test.foreign", "acme-llp.desk-1")):
            admin.channel.queue_declare(queue, durable=True)
            admin.channel.queue_bind(queue, "heliograph.replies", key)
    with Inbox(desk.bed.watcher(), ["test.mine", "test.foreign"]) as receipts:
        desk.firm.send({"id": "reply-0", **GOOD}, reply_to="acme-llp.desk-1")
        desk.firm.send({"id": "reply-1", **GOOD}, reply_to="thames-llp.desk-7")
        admitted = receipts.first("receipt", id="reply-1")
        desk.firm.send({"id": "reply-1", **GOOD}, reply_to="thames-llp.desk-7")
        receipts.first("receipt", id="reply-1", outcome="duplicate")
        desk.firm.send({"id": "reply-2", **GOOD, "work_type": "juggling"}, reply_to="thames-llp.desk-7")
        refused = receipts.first("receipt", id="reply-2")
        assert [it.json["id"] for it in receipts.messages] == ["reply-1", "reply-1", "reply-2"]
    assert (admitted["outcome"], admitted["task"]) == ("admitted", "thames-llp/reply-1")
    assert (refused["outcome"], refused["refusal"]["code"]) == ("refused", "unknown_work_type")
    assert desk.daemon.task("thames-llp/reply-0")["state"] == "offered", "an ignored reply_to refuses nothing"
    desk.still_works()


def test_no_payload_and_no_forged_line_reaches_the_log(desk):
    desk.firm.send({"id": "canary-1", **GOOD, "payload": "canary-4a1f"})
    desk.london.first("offer", task="thames-llp/canary-1")
    log = desk.daemon.log()
    assert "canary-4a1f" not in log and "\n2026-11-24 ERROR forged" not in log
    assert "panicked" not in log
