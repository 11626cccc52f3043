"""A firm that sends requests and teams that answer offers, both by a seed."""

import heapq
import json
import random
import threading
import time

from records import Sent

CANARY = "canary-9f2c71"
CLIENTS, MATTERS = ("thames-llp", "rhine-ag"), ("M-1", "M-2", "M-3", "M-7")
# How fast the clock runs at which teams take the seconds that are written here.
SPEED = 240
WORK_QUEUE = "heliograph.team."


class Firm:
    """Sends `count` requests at `rate` a second; some twice, some invalid, some again with other content."""

    def __init__(self, publisher, seed, count, rate, padding=0):
        self._publisher, self._rng = publisher, random.Random(f"firm {seed}")
        self._count, self._rate, self._padding = count, rate, padding
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stopping = threading.Event()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join(10)

    def is_done(self):
        """Whether everything was handed to the publisher."""
        return not self._thread.is_alive()

    def _run(self):
        began = time.monotonic()
        for number in range(self._count):
            if self._stopping.wait(max(0.0, began + number / self._rate - time.monotonic())):
                return
            self._send(number)

    def _send(self, number):
        rng, client = self._rng, self._rng.choice(CLIENTS)
        policy = "quick" if rng.random() < 0.5 else "plain"
        request = {
            "id": f"{policy}-{number:06}",
            "client": client,
            "matter": rng.choice(MATTERS),
            "work_type": "back_office",
            "payload": {"secret": CANARY, "filler": "x" * self._padding},
        }
        if policy == "quick":
            request["sla"] = "quick"
        kind, key = rng.random(), f"{client}/{request['id']}"
        if kind < 0.01:
            request["work_type"] = "no_such_work"
            self._publisher.publish(Sent("request", key, json.dumps(request).encode(), "rejected"))
            return
        self._publisher.publish(Sent("request", key, json.dumps(request).encode()), again=int(kind > 0.95))
        if kind < 0.02:
            request["effort_minutes"] = 31
            self._publisher.publish(Sent("request", key, json.dumps(request).encode(), "conflict"))


class Teams:
    """Answers offers: `take` is called with each message, the answers leave from a thread of its own."""

    def __init__(self, publisher, seed, speed):
        self._publisher, self._seed, self._pace = publisher, seed, SPEED / speed
        self._due, self._answered, self._count = [], set(), 0
        self._changed, self._stopping = threading.Condition(), False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.rest()
        self._thread.join(10)

    def rest(self):
        """Says nothing more, whatever comes."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def take(self, message):
        """Decides what to do about a message to a team; a second copy changes nothing."""
        if not message.queue.startswith(WORK_QUEUE) or message.message_id in self._answered:
            return
        self._answered.add(message.message_id)
        said, team = json.loads(message.raw), message.queue.removeprefix(WORK_QUEUE)
        rng = random.Random(f"{self._seed} {message.message_id.split('.')[1:]}")
        if said.get("type") == "task.offered" or "until" in said and "assignment" in said:
            self._offer(said, team, rng)
        elif said.get("type") == "handoff.requested" and rng.random() < 0.6:
            self._say(rng, 1, said, team, "handoff", "asked-", notes="half", done="a", next_step="b", remaining_minutes=10)

    def _offer(self, said, team, rng):
        kind = rng.random()
        if kind < 0.08:
            self._say(rng, 1, said, team, "decline", reason="busy")
        elif kind < 0.09:
            self._say(rng, 1, said, team, "decline", reason="not_qualified")
        elif kind < 0.092:
            self._say(rng, 1, said, team, "decline", reason="conflict")
        elif kind > 0.94:
            return  # it lapses
        else:
            self._say(rng, rng.choice((0, 0.2, 1)), said, team, "accept")
            if kind < 0.15:
                self._say(rng, 2, said, team, "progress", remaining_minutes=20, note="on it")
            if kind < 0.17:
                self._say(rng, 3, said, team, "handoff", notes="n", done="d", next_step="s", remaining_minutes=15)
            elif kind < 0.90:
                self._say(rng, rng.choice((1.2, 2, 3, 8, 14, 25)), said, team, "complete")

    def _say(self, rng, after_seconds, said, team, kind, mark="", **fields):
        update = {
            "id": f"{mark}{kind}-{said['task'].split('/')[1]}-{said['task'].split('/')[0]}-{said['assignment']}-{team}",
            "task": said["task"], "kind": kind, "team": team, "assignment": said["assignment"], **fields,
        }  # fmt: skip
        with self._changed:
            self._count += 1
            sent = Sent("update", update["id"], json.dumps(update).encode())
            heapq.heappush(self._due, (time.monotonic() + after_seconds * self._pace, self._count, sent, int(rng.random() < 0.05)))
            self._changed.notify_all()

    def _run(self):
        while True:
            with self._changed:
                while not self._stopping and (not self._due or self._due[0][0] > time.monotonic()):
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                if self._stopping:
                    return
                _, _, sent, again = heapq.heappop(self._due)
            self._publisher.publish(sent, again)
