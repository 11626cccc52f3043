"""Everything that arrives in some queues, taken by a thread of its own and kept."""

import json
import threading
import time
from collections import namedtuple

import pika

SOON_SECONDS = 30
REOPEN_EVERY_SECONDS = 0.1

Message = namedtuple("Message", "queue id type headers properties raw")


def _json(message):
    return json.loads(message.raw)


Message.json = property(_json)


class Inbox:
    """Consumes queues into a list; `with` ends it. `on_message(message, channel)` sees each one in the thread.

    `events=True` also binds a queue to every event. The link is built anew when it breaks.
    """

    def __init__(self, url, queues=(), events=False, on_message=None):
        self._url, self._queues, self._on_message = url, list(queues), on_message
        self._events = events
        self._arrived = threading.Condition()
        self.messages = []
        self._opened, self._stop = threading.Event(), False
        self._connection = None
        self.fault = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._opened.wait(SOON_SECONDS), self.fault
        return self

    def __exit__(self, *_):
        self._stop = True
        try:
            self._connection.add_callback_threadsafe(self._connection.close)
        except pika.exceptions.ConnectionWrongStateError:
            pass
        self._thread.join(SOON_SECONDS)

    def wait_for(self, found, within=SOON_SECONDS, what="the message"):
        """Waits until `found(messages)` is true and returns that."""
        with self._arrived:
            result = None

            def look():
                nonlocal result
                result = found(self.messages)
                return result

            if not self._arrived.wait_for(look, within):
                last = [(it.queue, it.type, it.raw[:300]) for it in self.messages[-10:]]
                raise AssertionError(f"{what} did not come within {within} s; the last of {len(self.messages)}: {last}")
            return result

    def first(self, message_type, within=SOON_SECONDS, **fields):
        """The first message of a type whose body has these fields, as JSON."""
        seen = 0

        def look(messages):
            nonlocal seen
            for message in messages[seen:]:
                seen += 1
                body = message.json if message.type == message_type else {}
                if message.type == message_type and all(body.get(key) == value for key, value in fields.items()):
                    return message

        return self.wait_for(look, within, f"{message_type} {fields}").json

    def of_type(self, message_type):
        """The bodies of all messages of a type so far."""
        with self._arrived:
            return [it.json for it in self.messages if it.type == message_type]

    def ids(self):
        """The ids of all messages so far, in order of arrival."""
        with self._arrived:
            return [it.id for it in self.messages]

    def _run(self):
        while not self._stop:
            try:
                self._consume()
            except pika.exceptions.AMQPError as error:
                self.fault = error
                if not self._stop:
                    time.sleep(REOPEN_EVERY_SECONDS)  # the broker is down; nobody tells when it is back

    def _consume(self):
        self._connection = pika.BlockingConnection(pika.URLParameters(self._url))
        channel = self._connection.channel()
        channel.basic_qos(prefetch_count=1000)
        queues = list(self._queues)
        if self._events:
            channel.queue_declare("test.events", durable=True)
            channel.queue_bind("test.events", "heliograph.events", "#")
            queues.append("test.events")
        for queue in queues:
            channel.basic_consume(queue, lambda *args, queue=queue: self._take(queue, *args))
        self._opened.set()
        channel.start_consuming()

    def _take(self, queue, channel, method, properties, body):
        message = Message(queue, properties.message_id, properties.type, properties.headers or {}, properties, body)
        with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()
        if self._on_message:
            self._on_message(message, channel)
        channel.basic_ack(method.delivery_tag)


def team_queue(team):
    """The name of a team's queue."""
    return f"heliograph.team.{team}"


def copies(messages):
    """How many messages came more than once; every copy must be identical to the first, byte for byte."""
    first, count = {}, 0
    for message in messages:
        earlier = first.setdefault((message.queue, message.id), message.raw)
        assert earlier == message.raw, f"{message.id} came with other content: {earlier!r} and {message.raw!r}"
        count += earlier is not message.raw
    return count
