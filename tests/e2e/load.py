"""Publishing as other people's programs do it: pika, confirms, mandatory, persistent, the connection's user as `user_id`."""

import json
import time
from urllib.parse import unquote, urlsplit

import pika

REQUESTS = "heliograph.requests"
UPDATES = "heliograph.updates"
WINDOW = 400
PERSISTENT = 2
RECONNECT_WITHIN_SECONDS = 60


class Sender:
    """One connection of one broker user; each `send` returns when the broker has confirmed the message."""

    def __init__(self, url):
        self.user = unquote(urlsplit(url).username)
        self._connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self._connection.channel()
        self.channel.confirm_delivery()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._connection.is_open:
            self._connection.close()

    def send(self, body, exchange=REQUESTS, routing_key=None, **properties):
        """Publishes bytes, or a value as JSON; properties are pika's, `user_id` the connection's user unless given."""
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.channel.basic_publish(
            exchange, routing_key or exchange, body, properties_of(self.user, **properties), mandatory=True
        )

    def update(self, update):
        """Publishes an update."""
        self.send(update, exchange=UPDATES)


def properties_of(user, **properties):
    """pika's properties: persistent, JSON, with the user."""
    given = {"user_id": user, "delivery_mode": PERSISTENT, "content_type": "application/json", **properties}
    return pika.BasicProperties(**given)


def send_all(url, bodies, exchange=REQUESTS, on_confirmed=lambda count: None):
    """Publishes all bodies with up to WINDOW unconfirmed, over a connection that is built anew when it breaks.

    What was not confirmed by then is sent again, as a careful publisher does. Returns how many were sent again.
    """
    left, again, deadline = list(bodies), 0, None
    while left:
        flow = _Flow(url, left, exchange, on_confirmed)
        flow.run()
        if flow.fault is None:
            return again
        deadline = deadline or time.monotonic() + RECONNECT_WITHIN_SECONDS
        if time.monotonic() > deadline:
            raise flow.fault
        again += len(flow.unconfirmed)
        left = list(flow.unconfirmed.values()) + left[flow.next :]
        if flow.next:
            deadline = None
        else:
            time.sleep(0.1)  # the broker is down; nobody tells when it is back
    return again


class _Flow:
    """One connection's worth of pipelined publishing."""

    def __init__(self, url, bodies, exchange, on_confirmed):
        self._bodies, self._exchange, self._on_confirmed = bodies, exchange, on_confirmed
        self._user = unquote(urlsplit(url).username)
        self.next, self.unconfirmed, self.fault = 0, {}, None
        self._connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self._begin),
            on_open_error_callback=lambda _, error: self._end(error),
            on_close_callback=lambda _, reason: self._end(None if self._is_done() else reason),
        )

    def run(self):
        self._connection.ioloop.start()

    def _begin(self, channel):
        self._channel = channel
        channel.add_on_return_callback(lambda *args: self._fail(f"returned: {args[1].reply_text}"))
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._publish())

    def _publish(self):
        while self.next < len(self._bodies) and len(self.unconfirmed) < WINDOW:
            body = self._bodies[self.next]
            self.next += 1
            self.unconfirmed[self.next] = body
            properties = properties_of(self._user)
            self._channel.basic_publish(self._exchange, self._exchange, body, properties, mandatory=True)
        if self._is_done():
            self._connection.close()

    def _confirmed(self, frame):
        if isinstance(frame.method, pika.spec.Basic.Nack):
            return self._fail("nacked")
        tag = frame.method.delivery_tag
        tags = [it for it in self.unconfirmed if it <= tag] if frame.method.multiple else [tag]
        for it in tags:
            del self.unconfirmed[it]
        self._on_confirmed(len(tags))
        self._publish()

    def _is_done(self):
        return self.next == len(self._bodies) and not self.unconfirmed

    def _fail(self, why):
        self._end(RuntimeError(why))

    def _end(self, fault):
        self.fault = fault
        self._connection.ioloop.stop()
