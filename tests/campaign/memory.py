"""The row `memory`: a backlog, open tasks and timers that are due in one second, each a million at the floor.

Nobody listens and no team answers: what is asked is how much the daemon holds in memory while it works through them. The
bound: what it holds without work, so many bytes for each open task, and a constant for what is under way.
"""

import json
import sqlite3
import time
from datetime import datetime, timedelta

from records import Sent

CLOCK, SPEED = "2026-11-24T09:30:00Z", 1
# Long enough for any machine to have taken all in before the deadlines; the clock is moved to them by a new start.
DUE_AT = "2026-11-25T12:00:00.000Z"
BEFORE_DUE_SECONDS, STARTED_A_SECOND = 15, 5_000
BYTES_AN_OPEN_TASK = 9_000
UNDER_WAY_BYTES, AT_REST_BYTES = 400 << 20, 64 << 20
SAMPLED_EVERY_SECONDS = 0.5
SHOWN_SAMPLES = 12
STILL_FOR_SECONDS = 60
PUBLISHED_AT_ONCE = 20_000


class Memory:
    """One phase after the other on one store; `figures`, `worst` and `violations` are what it comes to."""

    def __init__(self, supervisor, count):
        self._it, self._count = supervisor, count
        self.violations, self.lines = [], []
        self.worst = {}

    def run(self, publisher):
        """Queued, then open, then due at once."""
        daemon = self._it.daemon
        daemon.start()
        daemon.await_ready()
        idle = daemon.resident_bytes()
        daemon.stop()
        self._publish(publisher)
        daemon.start()
        bound = idle + self._count * BYTES_AN_OPEN_TASK + UNDER_WAY_BYTES
        self._watch("queued", lambda: self._counted("SELECT count(*) FROM tasks") >= self._count, bound)
        daemon.stop()
        daemon.start()
        daemon.await_ready(600)
        held = daemon.resident_bytes()
        daemon.stop()
        # The same bound for what is open after a start, which has nothing under way.
        self._judge("open", held, idle + self._count * BYTES_AN_OPEN_TASK + AT_REST_BYTES)
        start_takes = timedelta(seconds=BEFORE_DUE_SECONDS + self._count / STARTED_A_SECOND)
        daemon.set_clock(datetime.fromisoformat(DUE_AT) - start_takes, SPEED)
        daemon.start()
        daemon.await_ready(600)
        told = "SELECT count(*) FROM facts WHERE type = 'sla.breached'"
        self._watch("due", lambda: self._counted(told) >= self._count, held + UNDER_WAY_BYTES)
        daemon.stop()
        early = f"SELECT count(*) FROM facts WHERE type = 'sla.breached' AND at < {round(datetime.fromisoformat(DUE_AT).timestamp() * 1000)}"
        if self._counted(early):
            self.violations.append(f"P4: {self._counted(early)} deadlines were told early")
        twice = "SELECT count(*) - count(DISTINCT task) FROM facts WHERE type = 'sla.breached'"
        if self._counted(twice):
            self.violations.append(f"P4: {self._counted(twice)} deadlines were told twice")

    def _publish(self, publisher):
        for number in range(self._count):
            request = {
                "id": f"m-{number:07}", "client": "thames-llp", "matter": "M-1", "work_type": "back_office",
                "deadline": DUE_AT, "payload": {},
            }  # fmt: skip
            publisher.publish(Sent("request", request["id"], json.dumps(request).encode()))
            if number % PUBLISHED_AT_ONCE == 0:
                publisher.forget_confirmed()
        while publisher.left():
            time.sleep(0.1)

    def _watch(self, phase, is_over, bound):
        """Until it is over, or nothing has come of it for long."""
        began, samples, size, changed_at = time.monotonic(), [], -1, time.monotonic()
        while not is_over():
            samples.append(self._it.daemon.resident_bytes())
            if size != (size := self._counted("SELECT last_seq FROM meta")):
                changed_at = time.monotonic()
            if not self._it.daemon.is_running() or time.monotonic() > changed_at + STILL_FOR_SECONDS:
                self.violations.append(f"P9: {phase} came to no end; {size} facts")
                break
            time.sleep(SAMPLED_EVERY_SECONDS)
        shown = samples[:: max(1, len(samples) // SHOWN_SAMPLES)]
        line = " ".join(str(it >> 20) for it in shown)
        self.lines.append(f"{phase}: {time.monotonic() - began:.0f} s, MiB over time {line}")
        self._judge(phase, max(samples, default=0), bound)

    def _judge(self, phase, most, bound):
        self.worst[f"MiB {phase}"] = most >> 20
        if most > bound:
            self.violations.append(f"P9: {phase}: {most >> 20} MiB were resident, {bound >> 20} are the bound")

    def _counted(self, query):
        store = sqlite3.connect(f"file:{self._it.daemon.store}?mode=ro", uri=True)
        try:
            return store.execute(query).fetchone()[0]
        finally:
            store.close()
