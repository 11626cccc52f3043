"""Takes everything from some queues, writes it down with its time, and shows it to whoever plays the teams."""

import threading
import time

import pika
from records import Received

REOPEN_AFTER_SECONDS = 0.1
PREFETCH = 1000
SOON_SECONDS = 60


class Listener:
    """A thread with one connection that is built anew; `on_message` sees each message once it is written down."""

    def __init__(self, url, queues, events="test.events", on_message=lambda message: None):
        self._url, self._queues, self._events, self._on_message = url, list(queues), events, on_message
        self._opened, self._stopping = threading.Event(), False
        self._connection = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.received = []
        self.last_at = time.monotonic()
        self.fault = None

    def __enter__(self):
        self._thread.start()
        assert self._opened.wait(SOON_SECONDS), self.fault
        return self

    def __exit__(self, *_):
        self._stopping = True
        try:
            self._connection.add_callback_threadsafe(self._connection.close)
        except pika.exceptions.ConnectionWrongStateError:
            pass
        self._thread.join(10)

    def depth(self):
        """How many messages are left in the queues, as a connection of its own sees them."""
        connection = pika.BlockingConnection(pika.URLParameters(self._url))
        channel = connection.channel()
        left = sum(channel.queue_declare(queue, passive=True).method.message_count for queue in (*self._queues, self._events))
        connection.close()
        return left

    def _run(self):
        while not self._stopping:
            try:
                self._consume()
            except (pika.exceptions.AMQPError, OSError) as error:
                self.fault = error
                if not self._stopping:
                    time.sleep(REOPEN_AFTER_SECONDS)  # the broker is down; nobody tells when it is back

    def _consume(self):
        self._connection = pika.BlockingConnection(pika.URLParameters(self._url))
        channel = self._connection.channel()
        # A queue that was deleted is there again on a later link.
        channel.add_on_cancel_callback(lambda _: self._connection.close())
        channel.basic_qos(prefetch_count=PREFETCH)
        # A quorum queue, as those of the daemon, so that a broker that is killed forgets nothing that it confirmed.
        channel.queue_declare(self._events, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(self._events, "heliograph.events", "#")
        for queue in (*self._queues, self._events):
            channel.basic_consume(queue, lambda *args, queue=queue: self._take(queue, *args))
        self._opened.set()
        channel.start_consuming()

    def _take(self, queue, channel, method, properties, body):
        self.last_at = time.monotonic()
        message = Received(queue, properties.message_id or "", body, self.last_at)
        self.received.append(message)
        self._on_message(message)
        channel.basic_ack(method.delivery_tag)
