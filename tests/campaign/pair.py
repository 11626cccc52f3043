"""The row `pair`: an active daemon and its standby on one PostgreSQL database, and what ends a leadership.

The pair stands in the place of the one daemon of the other rows. Who wrote is noted by the database itself, by a trigger of
the campaign's: the connection, and the epoch that was in force when it wrote.
"""

import signal
import time
from pathlib import Path

from committed_in_postgres import Database
from daemon_process import DaemonProcess
from postgres import PostgresServer
from proxy import BROKER, DAEMON, Proxy

NOTES = """
CREATE TABLE campaign_writes (writer TEXT NOT NULL, epoch BIGINT NOT NULL, first_at TIMESTAMPTZ NOT NULL, UNIQUE (writer, epoch));
CREATE FUNCTION campaign_note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO campaign_writes
    SELECT pid || ' since ' || backend_start, epoch, clock_timestamp() FROM fence, pg_stat_activity WHERE pid = pg_backend_pid()
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER campaign_note AFTER UPDATE ON meta FOR EACH ROW EXECUTE FUNCTION campaign_note();
"""
LEADS_WITHIN_SECONDS = 30
ENDS_WITHIN_SECONDS = 30


class Member(DaemonProcess):
    """One of the pair, on a way of its own to the database."""

    def __init__(self, folder, name, server, database, arguments):
        (Path(folder) / name).mkdir()
        super().__init__(Path(folder) / name, *arguments)
        self.name, self.proxy = name, Proxy(server.port)
        url = server.url(database, self.proxy.port)
        text = self._settings.read_text().replace(f'path = "{self.store}"', f'postgres = "{url}"\nname = "{name}"', 1)
        self._settings.write_text(text)

    def leads(self):
        """Whether it says that it does."""
        return self.is_running() and self.status("/readyz?role=active") == 200


class Pair:
    """Two daemons with the ways of one."""

    def __init__(self, folder, server, database, arguments):
        self.members = [Member(folder, name, server, database, arguments) for name in ("a", "b")]
        self.store = Database(server, database)
        self.take_overs = []
        self._is_noted = False

    @property
    def steps(self):
        """Failpoints for the next starts."""
        return self.members[0].steps

    @steps.setter
    def steps(self, steps):
        for member in self.members:
            member.steps = steps

    @property
    def ended_itself(self):
        """What each said last that ended though nothing was done to it."""
        return [f"{it.name}: {said}" for it in self.members for said in it.ended_itself]

    def start(self):
        """Starts those that do not live, the second one once somebody leads."""
        for member in self.members:
            if not member.is_running():
                member.start()
                self.leader()
        if not self._is_noted:
            self.store.run(NOTES)
            self._is_noted = True

    def leader(self):
        """Waits until one of them leads, and gives it."""
        deadline = time.monotonic() + LEADS_WITHIN_SECONDS
        while time.monotonic() < deadline:
            for member in self.members:
                if member.leads():
                    return member
            time.sleep(0.01)  # readiness is asked for, it does not tell
        said = "\n".join(it.log()[-1000:] for it in self.members)
        raise RuntimeError(f"nobody leads after {LEADS_WITHIN_SECONDS} s:\n{said}")

    def next_epoch(self, epoch):
        """Waits until a later leadership has begun."""
        deadline = time.monotonic() + LEADS_WITHIN_SECONDS
        while self.epoch() == epoch:
            if time.monotonic() > deadline:
                raise RuntimeError(f"nobody leads after epoch {epoch}")
            time.sleep(0.05)

    def standby(self):
        """The one that does not lead, once it follows."""
        leader = self.leader()
        (standby,) = (it for it in self.members if it is not leader)
        deadline = time.monotonic() + LEADS_WITHIN_SECONDS
        while standby.status("/readyz") != 200:
            if time.monotonic() > deadline or not standby.is_running():
                raise RuntimeError(f"{standby.name} does not stand by: {standby.text('/readyz')}")
            time.sleep(0.02)
        return standby

    def is_running(self):
        """Whether both live."""
        return all([it.is_running() for it in self.members])

    def await_ready(self):
        """Waits until one leads and the other stands by."""
        self.standby()
        return self.is_running()

    def text(self, path):
        """What the one that leads answers."""
        return self.leader().text(path)

    def kill(self):
        """Ends both at once."""
        for member in self.members:
            member.kill()
            member.proxy.close()

    def stop(self):
        """Asks both to stop, the standby first."""
        leader = self.leader()
        for member in sorted(self.members, key=lambda it: it is leader):
            member.stop()

    def resident_bytes(self):
        """The larger of the two."""
        return max(it.resident_bytes() for it in self.members)

    def log(self):
        """Everything that they said."""
        return "\n".join(it.log() for it in self.members)

    def writers(self):
        """(connection, epoch) of everything that was written."""
        return [tuple(line.split("|")) for line in self.store.run("SELECT writer, epoch FROM campaign_writes").splitlines()]

    def epoch(self):
        """The number of the leadership in force."""
        return int(self.store.run("SELECT epoch FROM fence"))

    def first_write(self, epoch):
        """When something was written first in a leadership after this one, in seconds since 1970; waits for it."""
        since = f"SELECT extract(epoch FROM min(first_at)) FROM campaign_writes WHERE epoch > {epoch}"
        deadline = time.monotonic() + LEADS_WITHIN_SECONDS
        while not (said := self.store.run(since)):
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing was written after epoch {epoch} within {LEADS_WITHIN_SECONDS} s")
            time.sleep(0.05)  # the database tells nobody
        return float(said)


def server():
    """A database server for a leg."""
    return PostgresServer()


def kill(pair, leader):
    """SIGKILL; it is started again by the plan."""
    leader.end()


def stop_process(pair, leader):
    """SIGSTOP until another one leads, then SIGCONT: it must end by itself."""
    epoch = pair.epoch()
    leader.signal(signal.SIGSTOP)
    pair.next_epoch(epoch)
    leader.signal(signal.SIGCONT)
    _must_end(leader)


def end_backend(pair, leader):
    """The server ends the connection that writes."""
    pair.store.run("SELECT pg_terminate_backend(writer_pid) FROM lease")
    _must_end(leader)


def cut(pair, leader):
    """Every connection to the database is reset."""
    leader.proxy.cut()
    _must_end(leader)


def partition(pair, leader):
    """Nothing passes between it and the database any more, and neither side is told."""
    leader.proxy.swallow(DAEMON, BROKER)
    _must_end(leader)
    leader.proxy.swallow()


def one_way(pair, leader):
    """What it asks arrives, and no answer does."""
    leader.proxy.swallow(BROKER)
    _must_end(leader)
    leader.proxy.swallow()


def ask_to_stop(pair, leader):
    """SIGTERM."""
    leader.signal(signal.SIGTERM)
    code = leader.await_end(ENDS_WITHIN_SECONDS)
    if code != 0:
        leader.ended_itself.append(f"exit {code} when asked to stop: {leader.log()[-600:]}")


ENDS = (kill, stop_process, end_backend, cut, partition, one_way, ask_to_stop)


def plan(count):
    """So many leaderships end, each in one of the ways in turn; every fifth time the standby was cut off before."""

    def run(leg):
        pair = leg.daemon
        for number in range(count):
            leg.up()
            time.sleep(leg.rng.uniform(0.1, 0.8))
            if number % 5 == 4:
                _cut_off_the_standby(leg, pair)
            leader, epoch = pair.leader(), pair.epoch()
            end = ENDS[number % len(ENDS)]
            leg.fault(end.__name__)
            began = time.time()
            end(pair, leader)
            leg.fault("over")
            leg.up()
            pair.take_overs.append((end.__name__, pair.first_write(epoch) - began))
        leg.figures["fail-overs"] = count
        leg.samples["seconds to take over"] = [round(seconds, 2) for _, seconds in pair.take_overs]
        leg.leg.writers = pair.writers()

    return run


def _cut_off_the_standby(leg, pair):
    """The one that leads goes on, and the standby follows again afterwards."""
    standby, leader = pair.standby(), pair.leader()
    leg.fault("standby cut off")
    standby.proxy.swallow(DAEMON, BROKER)
    time.sleep(1)
    standby.proxy.swallow()
    pair.standby()
    if not leader.leads():
        leader.ended_itself.append("it does not lead any more since its standby was cut off")


def _must_end(leader):
    code = leader.await_end(ENDS_WITHIN_SECONDS)
    if code != 1:
        leader.ended_itself.append(f"exit {code} where it had to end with 1: {leader.log()[-600:]}")
