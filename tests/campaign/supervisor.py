"""One leg: a virtual host, a daemon, a firm and teams under load, faults by a seeded plan, a drain, and the record of it.

A plan is a function of the supervisor that returns when its faults are over; everything else is the same for all rows.
"""

import random
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path

import committed
import pika
import rules_timers
from daemon_process import ROOT, DaemonProcess
from listener import Listener
from pair import Pair
from players import CANARY, SPEED, Firm, Teams
from publisher import Publisher
from records import Leg

LEGS = ROOT / "target/campaign/legs"
ROSTER = Path(__file__).with_name("roster.toml")
# Warsaw closes at 15:30Z and hands on from 15:00Z, New York has opened, London and Leeds close at 17:30Z.
CLOCK = "2026-11-24T14:25:00Z"
TEAMS = ("london", "leeds", "warsaw", "new-york")
INTAKES = ("heliograph.requests", "heliograph.updates", "heliograph.rejected")
SAMPLED_EVERY_SECONDS = 0.25
DRAIN_WITHIN_SECONDS = 240
# What is left without an answer, or unpublished, for so long will be left for ever.
PATIENCE_SECONDS = 45
QUIET_FOR_SECONDS = 1.5
# A daemon that ends by itself is started again so often.
ENDS_BORNE = 3
MORE_SECONDS = 240  # of the engine's clock
MOST_RESIDENT_BYTES = 600 << 20


class Supervisor:
    """Runs one leg on a broker node; `run` gives its record. The folder is kept when the leg is not content."""

    def __init__(self, node, seed, requests=1000, rate=100, planted=None, proxied=None, padding=0, speed=SPEED, clock=CLOCK, store=None, under=(), patience=PATIENCE_SECONDS, pair_on=None):
        self.node, self.seed, self.rng = node, seed, random.Random(f"faults {seed}")
        self._requests, self._rate, self._padding, self._speed = requests, rate, padding, speed
        LEGS.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=LEGS))
        self.vhost = f"leg-{secrets.token_hex(4)}"
        node.prepare(vhosts=[self.vhost])
        self.url = node.amqp_url(self.vhost)
        self.proxy = proxied(node.port) if proxied else None
        through = self.url if self.proxy is None else self.url.replace(f":{node.port}/", f":{self.proxy.port}/")
        self.roster = self.folder / "roster.toml"
        shutil.copy(ROSTER, self.roster)
        self.wall = self.folder / "wall"  # by how many milliseconds the wall clock is ahead
        arguments = (through, clock, speed, self.roster, planted)
        self.daemon = (
            Pair(self.folder, pair_on, self._database(pair_on), arguments) if pair_on else DaemonProcess(self.folder, *arguments, store, under)
        )
        self.leg = Leg(canaries=[CANARY, node.password], speed=speed, most_resident_bytes=MOST_RESIDENT_BYTES)
        self.figures, self.worst, self.samples = {}, {}, {}
        self._done_at, self._patience = None, patience

    def _database(self, server):
        name = self.vhost.replace("-", "_")
        server.run_sql(f"CREATE DATABASE {name}")
        return name

    # --- what plans do ---

    def fault(self, what):
        """Notes that something was done to the daemon or its links."""
        self.leg.faults.append((what, time.monotonic()))

    def kill(self):
        """Ends the daemon at once."""
        self.fault("kill")
        self.daemon.kill()

    def up(self):
        """Starts the daemon, if it does not live, and waits until it is ready."""
        while not self.daemon.is_running() or not self.daemon.await_ready():
            if len(self.daemon.ended_itself) > ENDS_BORNE:
                raise RuntimeError(f"the daemon does not stay up: {self.daemon.ended_itself[-1]}")
            self.fault("start")
            self.daemon.start()

    def firm_is_done(self):
        """Whether the firm has nothing left to send."""
        return self.firm.is_done()

    # --- a leg ---

    def run(self, plan):
        """The whole leg; its record."""
        self.declare()
        queues = [f"heliograph.team.{team}" for team in TEAMS]
        sampler = threading.Thread(target=self._sample, daemon=True)
        self._sampling = True
        try:
            with (
                Publisher(self.url) as firms,
                Publisher(self.url) as replies,
                Teams(replies, self.seed, self._speed) as teams,
                Listener(self.url, [*queues, INTAKES[2]], on_message=teams.take) as listener,
                Firm(firms, self.seed, self._requests, self._rate, self._padding) as self.firm,
            ):
                self.publishers, self.listener = (firms, replies), listener
                self.daemon.start()
                sampler.start()
                plan(self)
                began = time.monotonic()
                self._drain(teams)
                self.figures["drain_seconds"] = round(time.monotonic() - began, 1)
                self._record()
        finally:
            self._sampling = False
            self.daemon.kill()
            if self.proxy:
                self.proxy.close()
        return self.leg

    def close(self, keep=False):
        """Takes the virtual host and, unless it is wanted, the folder away."""
        self.node.rabbitmqctl("delete_vhost", self.vhost)
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def declare(self):
        """The queues of the contract and the teams, so that load and listeners need not wait for the daemon."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        channel = connection.channel()
        quorum = {"x-queue-type": "quorum"}
        channel.exchange_declare("heliograph.unroutable", "fanout", durable=True)
        channel.exchange_declare("heliograph.rejected", "direct", durable=True, arguments={"alternate-exchange": "heliograph.unroutable"})
        for name in INTAKES[:2]:
            channel.exchange_declare(name, "direct", durable=True, arguments={"alternate-exchange": "heliograph.rejected"})
        channel.exchange_declare("heliograph.events", "topic", durable=True)
        channel.exchange_declare("heliograph.work", "direct", durable=True)
        for name in INTAKES:
            channel.queue_declare(name, durable=True, arguments=quorum)
            channel.queue_bind(name, name, name)
        channel.queue_bind("heliograph.rejected", "heliograph.unroutable", "")
        for team in TEAMS:
            channel.queue_declare(f"heliograph.team.{team}", durable=True, arguments=quorum)
            channel.queue_bind(f"heliograph.team.{team}", "heliograph.work", team)
        connection.close()

    def _sample(self):
        while self._sampling:
            if resident := self.daemon.resident_bytes():
                self.leg.resident_bytes.append(resident)
            time.sleep(SAMPLED_EVERY_SECONDS)

    def _drain(self, teams):
        """No more faults: everything that was sent is answered, everything that was decided leaves."""
        self.daemon.steps = ""
        deadline = time.monotonic() + DRAIN_WITHIN_SECONDS
        self._settle(deadline)
        teams.rest()
        # What they said last.
        self._settle(deadline)
        self.leg.leaks["/metrics"] = self.daemon.text("/metrics")
        self.daemon.stop()
        while (self.listener.depth() or time.monotonic() - self.listener.last_at < QUIET_FOR_SECONDS) and time.monotonic() < deadline:
            time.sleep(0.1)

    def _settle(self, deadline):
        left, changed_at = None, time.monotonic()
        while not self._is_settled():
            before, left = left, self._what_is_left()
            # Timers fire on, so that something is always about to leave.
            if before is None or any(before[name] != left[name] for name in ("unconfirmed", "unanswered")):
                changed_at = time.monotonic()
            if time.monotonic() > min(deadline, changed_at + self._patience):
                self.figures["not_drained"] = left
                return
            if not self.daemon.is_running():
                if len(self.daemon.ended_itself) > ENDS_BORNE:
                    return  # what it said stands in its last words
                self.fault("start")
                self.daemon.start()
            time.sleep(0.2)  # neither the store nor the queues tell when they are quiet

    def _is_settled(self):
        if not self.firm.is_done() or any(it.left() for it in self.publishers):
            return False
        # The last clock has had the time to warn and to be breached.
        if time.monotonic() < self._firm_done_at() + (rules_timers.TARGET_MS / 1000 + MORE_SECONDS) / self._speed:
            return False
        ids, watermark, last = committed.known(self.daemon.store)
        return watermark == last and not self._unanswered(ids)

    def _firm_done_at(self):
        if self._done_at is None:
            self._done_at = time.monotonic()
        return self._done_at

    def _unanswered(self, ids):
        return [it.key for publisher in self.publishers for it in list(publisher.sent) if it.confirmed and it.key not in ids]

    def _what_is_left(self):
        ids, watermark, last = committed.known(self.daemon.store)
        unanswered = self._unanswered(ids)
        return {
            "unconfirmed": [it.left() for it in self.publishers],
            "unanswered": (len(unanswered), unanswered[:3]),
            "firm_is_done": self.firm.is_done(),
            "unpublished": last - watermark,
        }

    def _record(self):
        leg = self.leg
        leg.committed = committed.read(self.daemon.store)
        leg.sent = [it for publisher in self.publishers for it in publisher.sent]
        leg.received = list(self.listener.received)
        leg.ended_itself = list(self.daemon.ended_itself)
        leg.leaks["the log"] = self.daemon.log()
        leg.leaks["events"] = "\n".join(it.raw.decode(errors="replace") for it in leg.received if it.queue == "test.events")
