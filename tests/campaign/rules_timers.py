"""P4: each warning, breach and lapse once, never early, and told how late when it is late."""

from collections import defaultdict
from datetime import datetime

from records import Violation
from rules_tasks import by_task

# The policy of the campaign's roster: a clock from the admission on the wall, which warns at half of its target.
POLICY, TARGET_MS, WARNS_AT_PERCENT = "quick", 20 * 60_000, 50
LATE_FROM_MS = 1_000
ENDS = ("task.completed", "task.cancelled")
# What falls due in the last moments before the daemon stops may be left to the next start.
LEFT_AT_THE_END_SECONDS = 2


def milliseconds(text):
    """An instant of a body."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def each_timer_once_and_never_early(leg):
    """Worked out from the admission and the end of each task, and compared with what was told."""
    over_ms = leg.committed.last_at_ms - LEFT_AT_THE_END_SECONDS * 1000 * leg.speed
    ended = [fact for fact in leg.committed.facts if fact.type == "outage.ended"]
    outages = [(milliseconds(fact.said["since"]), fact.at_ms) for fact in ended]
    for task, facts in by_task(leg).items():
        told = defaultdict(list)
        for fact in facts:
            if fact.type in ("sla.warned", "sla.breached"):
                told[fact.type].append(fact)
        lapsed = [fact for fact in facts if fact.type == "task.lapsed"]
        yield from _lapses(task, lapsed)
        started = next((it for it in facts if it.type == "task.admitted"), None)
        if started is None or not task.split("/")[1].startswith(POLICY):
            continue
        ends = [it.at_ms for it in facts if it.type in ENDS]
        ended_ms = ends[0] if ends else over_ms
        for what, percent in (("sla.warned", WARNS_AT_PERCENT), ("sla.breached", 100)):
            due_ms = started.at_ms + TARGET_MS * percent // 100
            found = told.pop(what, [])
            if what == "sla.warned" and ends and _was_overtaken(outages, due_ms, ends[0]):
                due_ms = ended_ms
            if not found and due_ms < ended_ms:
                yield Violation("P4", f"{what} of {task} is missing; it was due {ended_ms - due_ms} ms before the end")
            if len(found) > 1:
                yield Violation("P4", f"{what} of {task} was told {len(found)} times")
            for fact in found:
                yield from _once(fact, started.at_ms + TARGET_MS * percent // 100)


def _was_overtaken(outages, due_ms, ended_ms):
    """Whether a task was done in an outage: what was sent in it counts first, and nobody is warned of what is done."""
    return any(since_ms <= due_ms and since_ms <= ended_ms <= over_ms for since_ms, over_ms in outages)


def _once(fact, due_ms):
    late_ms = fact.at_ms - due_ms
    if late_ms < 0 or milliseconds(fact.said["reached_at"]) != due_ms:
        yield Violation("P4", f"{fact.type} of {fact.task} is early: due at {due_ms}, told at {fact.at_ms} of {fact.said['reached_at']}")
    said = fact.said.get("late_by_ms")
    if said != (late_ms if late_ms >= LATE_FROM_MS else None):
        yield Violation("P4", f"{fact.type} of {fact.task} is {late_ms} ms late and says {said} (late_by)")


def _lapses(task, lapsed):
    assignments = [it.said["assignment"] for it in lapsed]
    if len(set(assignments)) != len(assignments):
        yield Violation("P4", f"an offer of {task} lapsed twice")
    for fact in lapsed:
        if fact.at_ms < milliseconds(fact.said["due_at"]):
            yield Violation("P4", f"offer {fact.said['assignment']} of {task} lapsed early")


def nothing_is_overdue(leg):
    """No row waits for a time that has passed."""
    over_ms = leg.committed.last_at_ms - LEFT_AT_THE_END_SECONDS * 1000 * leg.speed
    for task, (state, _, due_ms) in leg.committed.tasks.items():
        if due_ms is not None and due_ms < over_ms and state in ("waiting", "offered", "active"):
            yield Violation("P4", f"{task} is {state} and was due {over_ms - due_ms} ms before the end")
