"""Headers that a message may carry past RabbitMQ and that no reader expects: nested as deep as a frame has room, not UTF-8."""

import json
import struct

import pika
import pytest
from inbox import Inbox, team_queue
from load import REQUESTS, UPDATES, Sender

MORNING = "2026-11-24T10:00:00Z"  # London is open
FRAME_MAX_BYTES = 131_072
FRAME_OVERHEAD_BYTES = 8
WORK = {"client": "thames-llp", "matter": "M-1", "work_type": "drafting_pleadings", "jurisdiction": "GB-ENG"}
CONTENT_TYPE, HEADERS, DELIVERY_MODE, USER_ID = 1 << 15, 1 << 13, 1 << 12, 1 << 4


class Raw(pika.BasicProperties):
    """Properties whose content type and header table are given as the bytes that travel."""

    def __init__(self, user, table, content_type=b"application/json"):
        super().__init__()
        self.user, self.table, self.raw_type = user.encode(), table, content_type

    def encode(self):
        flags = CONTENT_TYPE | HEADERS | DELIVERY_MODE | USER_ID
        return [
            struct.pack(">H", flags), short(self.raw_type), struct.pack(">I", len(self.table)), self.table, b"\x02", short(self.user)
        ]


def short(text):
    return struct.pack("B", len(text)) + text


def arrays(levels):
    """A table with one header of arrays in arrays."""
    return b"\x01a" + nested(levels, b"A", b"")


def tables(levels):
    """A table with one header of tables in tables, each under an empty key."""
    return b"\x01t" + nested(levels, b"F", b"\x00")


def nested(levels, kind, key):
    """So many containers in one another; each is its kind, its length in four bytes, and in it the key and the next."""
    step = len(key) + 5
    return b"".join(
        (key if level else b"") + kind + struct.pack(">I", (levels - level - 1) * step) for level in range(levels)
    )


def deepest(table, bytes_a_level, user):
    """As deep as one frame has room for."""
    around = sum(map(len, Raw(user, b"").encode())) + 12 + FRAME_OVERHEAD_BYTES
    return table((FRAME_MAX_BYTES - around - 8) // bytes_a_level)


HOSTILE = {
    "arrays as deep as a frame allows": lambda user: Raw(user, deepest(arrays, 5, user)),
    "tables as deep as a frame allows": lambda user: Raw(user, deepest(tables, 6, user)),
    "a header name that is not UTF-8": lambda user: Raw(user, b"\x02\xff\xfeS\x00\x00\x00\x01x"),
    "a content type that is not UTF-8": lambda user: Raw(user, b"", content_type=b"text/\xff\xfe"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_such_a_message_is_handled_and_so_are_those_before_and_after(bed, name):
    with bed.daemon(MORNING) as daemon, Inbox(bed.team("london"), [team_queue("london")]) as london:
        with Sender(bed.client("thames-llp")) as firm, Inbox(bed.watcher(), ["heliograph.rejected"]) as rejected:
            properties = HOSTILE[name](firm.user)
            firm.send({"id": "before", **WORK})
            for number, exchange in enumerate((REQUESTS, UPDATES)):
                body = json.dumps({"id": f"hostile-{number}", **WORK}).encode()
                firm.channel.basic_publish(exchange, exchange, body, properties, mandatory=True)
            firm.send({"id": "after", **WORK})
            for task in ("before", "hostile-0", "after"):
                london.first("offer", task=f"thames-llp/{task}")
            found = rejected.wait_for(lambda messages: [it for it in messages if b"hostile-1" in it.raw])
            assert json.loads(found[0].headers["x-heliograph-reason"])["code"] == "missing_field"
            assert json.loads(found[0].headers["x-heliograph-original"])["user_id"] == firm.user
        daemon.stop()
    for queue in (REQUESTS, UPDATES):
        bed.await_empty(queue)
    assert "link is down" not in daemon.log() and "panicked" not in daemon.log()
