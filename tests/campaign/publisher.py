"""Publishes as a careful program does: persistent, mandatory, with confirms, and again after a lost link what has none."""

import threading
import time
from collections import deque

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException

WINDOW = 500
REOPEN_AFTER_SECONDS = 0.1
PERSISTENT = pika.BasicProperties(delivery_mode=2, content_type="application/json")


class Publisher:
    """A thread with one connection. `publish` takes a `Sent` at any time; `with` ends it."""

    def __init__(self, url):
        self._url, self._waiting, self._unconfirmed = url, deque(), {}
        self._connection = self._channel = None
        self._next_tag, self._stopping = 1, False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.sent = []
        self.returned = 0

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping = True
        self._wake(lambda: self._connection.close() if self._connection.is_open else None)
        self._thread.join(10)

    def publish(self, sent, again=0):
        """Publishes a message, and `again` so many more times."""
        self.sent.append(sent)
        with self._lock:
            self._waiting.extend([sent] * (1 + again))
        self._wake(self._flow)

    def left(self):
        """How many messages are without a confirm."""
        with self._lock:
            return len(self._waiting) + len(self._unconfirmed)

    def _wake(self, callback):
        connection = self._connection
        if connection is not None:
            try:
                connection.ioloop.add_callback_threadsafe(callback)
            except (RuntimeError, AttributeError):
                pass  # its loop has ended; the next one flows by itself

    def _run(self):
        while not self._stopping:
            self._channel = None
            self._connection = pika.SelectConnection(
                pika.URLParameters(self._url),
                on_open_callback=lambda connection: connection.channel(on_open_callback=self._opened),
                on_open_error_callback=lambda connection, _: connection.ioloop.stop(),
                on_close_callback=lambda connection, _: connection.ioloop.stop(),
            )
            try:
                self._connection.ioloop.start()
            except (pika.exceptions.AMQPError, AMQPConnectorException, OSError):
                pass  # built anew, as after any other end
            with self._lock:
                self._waiting.extendleft(reversed(self._unconfirmed.values()))
                self._unconfirmed = {}
            if not self._stopping:
                time.sleep(REOPEN_AFTER_SECONDS)  # the broker is down; nobody tells when it is back

    def _opened(self, channel):
        channel.add_on_return_callback(self._took_back)
        channel.add_on_close_callback(lambda *_: self._connection.close() if self._connection.is_open else None)
        self._next_tag = 1
        channel.confirm_delivery(self._confirmed, callback=lambda _: self._begin(channel))

    def _begin(self, channel):
        self._channel = channel
        self._flow()

    def _flow(self):
        if self._channel is None or not self._channel.is_open:
            return
        while len(self._unconfirmed) < WINDOW:
            with self._lock:
                if not self._waiting:
                    return
                sent = self._waiting.popleft()
                self._unconfirmed[self._next_tag] = sent
                self._next_tag += 1
            queue = "heliograph.requests" if sent.kind == "request" else "heliograph.updates"
            self._channel.basic_publish(queue, queue, sent.body, PERSISTENT, mandatory=True)

    def _took_back(self, *_):
        # Its confirm follows; what no queue takes is not what the campaign is about.
        self.returned += 1

    def _confirmed(self, frame):
        tag = frame.method.delivery_tag
        with self._lock:
            tags = [it for it in self._unconfirmed if it <= tag] if frame.method.multiple else [tag]
            done = [self._unconfirmed.pop(it) for it in tags if it in self._unconfirmed]
            if isinstance(frame.method, pika.spec.Basic.Ack):
                for sent in done:
                    sent.confirmed = True
            else:
                self._waiting.extend(done)
        self._flow()
