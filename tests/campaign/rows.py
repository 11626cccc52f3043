"""The rows of the campaign: what each does in one leg, how large a leg is, and the floor that its legs have to reach."""

import os
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import checker
import cluster
import disk as small_disk
import links
import pair as pairs
import memory as million
import plans
import reloads
import rules_flow
import steps
import wall_clock
from proxy import Proxy
from publisher import Publisher
from supervisor import Supervisor

SHORT_CELLS = 10
MEMORY_COUNT = int(os.environ.get("HELIOGRAPH_CAMPAIGN_COUNT", 1_000_000))
# All teams but New York are open, Warsaw for six hours more.
MORNING = "2026-11-24T09:30:00Z"


@dataclass
class Outcome:
    """What a leg came to."""

    figures: dict = field(default_factory=dict)  # what is added up over the legs
    worst: dict = field(default_factory=dict)  # of which the largest counts
    violations: list = field(default_factory=list)
    folder: str = ""  # kept when there are violations
    notes: list = field(default_factory=list)
    samples: dict = field(default_factory=dict)  # of which the middle and the ends count


@dataclass(frozen=True)
class Row:
    """One row of the table."""

    promises: str
    about: str
    floor: dict
    leg: callable  # (node, seed, is_short) -> Outcome
    own_nodes: bool = False  # whether the leg brings its own brokers


def loaded(node, seed, plan, counts, **options):
    """A leg of the common kind: load, faults, drain, checker."""
    supervisor = Supervisor(node, seed, **options)
    try:
        leg = supervisor.run(plan)
        violations = checker.judge(leg)
    except Exception as error:
        violations = [f"the leg broke: {error!r}"]
        leg = supervisor.leg
    outcome = Outcome(violations=[str(it) for it in violations])
    if "not_drained" in supervisor.figures:
        outcome.violations.append(f"not drained: {supervisor.figures['not_drained']}")
    requests = [it for it in leg.sent if it.kind == "request"]
    outcome.figures = {
        "requests": len(requests),
        "updates": len(leg.sent) - len(requests),
        "facts": len(leg.committed.facts),
        "messages received": len(leg.received),
        "copies": rules_flow.copies(leg),
        "timers told": sum(it.type in ("sla.warned", "sla.breached", "task.lapsed") for it in leg.committed.facts),
        **counts(supervisor),
    }
    outcome.worst = {
        "MiB resident": max(leg.resident_bytes, default=0) >> 20,
        "seconds to drain": supervisor.figures.get("drain_seconds", 0),
        **supervisor.worst,
    }
    outcome.samples = supervisor.samples
    supervisor.close(keep=bool(outcome.violations))
    outcome.folder = str(supervisor.folder) if outcome.violations else ""
    return outcome


def faults(*names):
    """Counts the faults of these names."""
    return lambda supervisor: {f"{name}s": sum(what == name for what, _ in supervisor.leg.faults) for name in names}


def kill(node, seed, is_short):
    count, requests = (12, 600) if is_short else (50, 5_000)
    return loaded(node, seed, plans.kills(count), faults("kill"), requests=requests, rate=90)


def step(node, seed, is_short):
    """A third of the matrix, so that three legs are all of it; a short one is a part of that."""
    cells = [cell for number, cell in enumerate(steps.matrix()) if number % 3 == seed % 3]
    if is_short:
        cells = random.Random(seed).sample(cells, SHORT_CELLS)
    counts = lambda supervisor: {"cells": len(cells), "second crashes": supervisor.figures.get("second_crashes", 0)}
    return loaded(node, seed, steps.plan(cells), counts, requests=60 * len(cells), rate=25)


def broker(node, seed, is_short):
    """Cuts, silences in each direction, and restarts and kills of the broker in turn."""
    cuts, restarts, silences = (12, 1, 1) if is_short else (100, 10, 3)
    plan = links.plan(cuts, restarts, silences, first_offset=seed * cuts * 7)
    count = faults("cut", "restart", "silence", "alarm")
    return loaded(node, seed, plan, count, requests=1_000 if is_short else 8_000, rate=40, proxied=Proxy, clock=MORNING)


def pair(node, seed, is_short):
    count = 7 if is_short else 35
    with pairs.server() as server:
        return loaded(node, seed, pairs.plan(count), figure("fail-overs"), requests=150 * count, rate=25, pair_on=server)


def reload(node, seed, is_short):
    count = 25 if is_short else 250
    return loaded(node, seed, reloads.plan(count), figure("reloads"), requests=20 * count, rate=40, clock=MORNING)


def clock(node, seed, is_short):
    count = 6 if is_short else 50
    return loaded(node, seed, wall_clock.plan(count), figure("steps"), requests=60 * count, rate=30)


def clustered(_node, seed, is_short):
    """A cluster of its own; kills, a node that stands still, and a majority that is lost and comes back."""
    kills = 1 if is_short else 10
    with cluster.Cluster() as three:
        counts = faults("node kill", "node stop")
        return loaded(three, seed, cluster.plan(kills), counts, requests=400 * kills + 600, rate=30, clock=MORNING)


def memory(node, _seed, is_short):
    """One leg is the row: each phase has all of them at once."""
    count = 2_000 if is_short else MEMORY_COUNT
    supervisor = Supervisor(node, 1, clock=million.CLOCK, speed=million.SPEED)
    supervisor.declare()
    it = million.Memory(supervisor, count)
    try:
        with Publisher(supervisor.url) as publisher:
            it.run(publisher)
    finally:
        supervisor.daemon.end()
    supervisor.close()
    for line in it.lines:
        print(line, flush=True)
    figures = {"queued": count, "open": count, "due at once": count}
    return Outcome(figures, it.worst, it.violations, notes=it.lines)


def figure(name):
    """A figure that the plan has counted."""
    return lambda supervisor: {name: supervisor.figures.get(name, 0)}


def disk(node, seed, is_short):
    """A disk that fills, and then calls that fail."""
    full, calls = (3, 8) if is_short else (20, 80)
    with tempfile.TemporaryDirectory(prefix="heliograph-disk-") as folder, small_disk.SmallDisk(Path(folder) / "store") as room:
        fill, fail = small_disk.fill_again_and_again(room, full), small_disk.fail_calls(small_disk.cells(seed, calls))

        def plan(leg):
            fill(leg)
            fail(leg)

        names = ("cycles", "ends when full", "lives on when full", "calls made to fail", "of them reached")
        counts = lambda supervisor: {name: supervisor.figures.get(name, 0) for name in names}
        load = {"requests": 30 * full + 15 * calls, "rate": 16, "padding": 4_000}
        return loaded(node, seed, plan, counts, store=room.path / "heliograph.db", **load)


ROWS = {
    "kill": Row(
        "P1 to P5, P7, P9, P11, P12",
        "SIGKILL after a random 0 to 2 s from the start of the process, again and again",
        {"kills": 1_000, "requests": 100_000},
        kill,
    ),
    "steps": Row(
        "P1 to P5, P7, P8",
        "each step of the daemon ends the process, fails or waits, and every second recovery is ended once more",
        {"cells": 3 * len(steps.matrix()), "second crashes": 50},
        step,
    ),
    "broker": Row(
        "P1 to P3",
        "links cut at swept byte offsets, silent one way or both, slow, blocked by an alarm; a team's queue deleted; the broker "
        "restarted and killed",
        {"cuts": 1_000, "restarts": 100},
        broker,
    ),
    "pair": Row(
        "P6, P7, with P1 to P5",
        "an active daemon and its standby on PostgreSQL: the active one killed, stopped beyond its lease and let go on, its "
        "connection ended or cut, parted from the database both ways and one way, asked to stop",
        {"fail-overs": 200},
        pair,
    ),
    "cluster": Row(
        "P1 to P3, P6",
        "three brokers as one: a node killed, a node standing still, the majority lost and healed",
        {"node kills": 50, "node stops": 5},
        clustered,
        own_nodes=True,
    ),
    "disk": Row(
        "P8, with P1 to P5 and P7",
        "a small disk that fills under load; each system call of the store fails once, at its 1st to 100th call, with EIO and "
        "with ENOSPC",
        {"cycles": 100, "calls made to fail": 2_000},
        disk,
    ),
    "memory": Row(
        "P9",
        "requests queued, tasks open and deadlines due in one second; the resident memory over each",
        {"queued": 1_000_000, "open": 1_000_000, "due at once": 1_000_000},
        memory,
    ),
    "reload": Row(
        "P10",
        "another roster under load: valid, faulty, half written, missing, behind a link that is swapped",
        {"reloads": 1_000},
        reload,
    ),
    "clock": Row(
        "P4, P15",
        "the wall clock is set by half a second to a day, forward and back; every tenth time the daemon is killed meanwhile",
        {"steps": 200},
        clock,
    ),
}
