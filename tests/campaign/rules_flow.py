"""P1, P3, P7: what was confirmed is known, what is committed leaves, and nothing else does."""

import bisect
import json
from collections import defaultdict

import rules_walls
from records import Violation

EVENTS, REJECTED = "test.events", "heliograph.rejected"
# Between publishing a copy and the campaign's taking it from the queue lies this much at most.
SEEN_WITHIN_SECONDS = 60


def nothing_is_lost(leg):
    """A confirmed request ends as a task, or as a rejection that is told and set aside; a confirmed update has an answer."""
    told = defaultdict(set)
    for fact in leg.committed.facts:
        if fact.type in ("request.rejected", "request.conflict"):
            told[fact.type].add(f"{fact.client}/{fact.said.get('id')}")
    refused_updates = {it.said.get("id") for it in leg.committed.facts if it.type == "update.rejected"}
    set_aside = {it.raw for it in leg.received if it.queue == REJECTED}
    # Which of two contents comes first is not known when a link was lost between them.
    bodies = defaultdict(set)
    for sent in leg.sent:
        bodies[sent.key].add(sent.body)
    for sent in leg.sent:
        if not sent.confirmed:
            continue
        if sent.kind == "update":
            if sent.key not in leg.committed.updates and sent.key not in refused_updates:
                yield Violation("P1", f"update {sent.key} was confirmed and has no answer")
        elif sent.expects == "admitted":
            if sent.key not in leg.committed.tasks:
                yield Violation("P1", f"request {sent.key} was confirmed and is no task")
        else:
            if sent.key not in told[f"request.{sent.expects}"]:
                yield Violation("P1", f"request {sent.key} was confirmed and nothing tells that it was {sent.expects}")
            if not bodies[sent.key] & set_aside:
                yield Violation("P1", f"request {sent.key} was {sent.expects} and is not in {REJECTED}")


def every_event_leaves(leg):
    """Every committed fact has left as an event, and to its team when it is addressed to one."""
    committed = leg.committed
    got = {it.message_id for it in leg.received}
    may_have_left = rules_walls.may_have_left(leg)
    for fact in committed.facts:
        if not fact.body:
            continue
        if f"{committed.incarnation}.{fact.seq}.e" not in got:
            yield Violation("P3", f"event {fact.seq} ({fact.type}) never left")
        stays = fact.suppressed or fact.seq in committed.undelivered or fact.team is None or fact.team in leg.lost_queues
        is_missing = fact.addressed and not stays and rules_walls.message_of(leg, fact) not in got
        if is_missing and not may_have_left(fact):
            yield Violation("P3", f"{fact.addressed} of fact {fact.seq} never reached {fact.team}")
    if committed.watermark != committed.last_seq:
        yield Violation("P3", f"the watermark stands at {committed.watermark} of {committed.last_seq} at the end")


def copies_are_the_same_and_need_a_fault(leg):
    """A message has one id and the same bytes each time, and comes again only after a fault."""
    faults = sorted(at for _, at in leg.faults)
    seen = defaultdict(list)
    for it in leg.received:
        if it.queue != REJECTED:
            seen[it.queue, it.message_id].append(it)
            parts = it.message_id.split(".")
            if len(parts) != 3 or not parts[1].isdigit():
                yield Violation("P3", f"{it.message_id} is no id of a fact's message")
    for (_, message_id), copies in seen.items():
        if len({it.raw for it in copies}) > 1:
            yield Violation("P3", f"{message_id} came with different bytes")
        first, last = copies[0].at, copies[-1].at
        between = bisect.bisect_right(faults, last) - bisect.bisect_left(faults, first - SEEN_WITHIN_SECONDS)
        if len(copies) - 1 > between:
            yield Violation("P3", f"{message_id} came {len(copies)} times with {between} faults before")


def copies(leg):
    """How many messages came again."""
    kept = [(it.queue, it.message_id) for it in leg.received if it.queue != REJECTED]
    return len(kept) - len(set(kept))


def only_what_is_committed_is_published(leg):
    """What arrived is what the store holds under its number."""
    facts = {it.seq: it for it in leg.committed.facts}
    for it in leg.received:
        parts = it.message_id.split(".")
        if it.queue == REJECTED or len(parts) < 3 or not parts[1].isdigit():
            continue
        fact = facts.get(int(parts[1]))
        if fact is None or parts[0] != leg.committed.incarnation:
            yield Violation("P7", f"{it.message_id} was published and is not committed")
        elif parts[2] == "e" and it.raw != fact.body:
            yield Violation("P7", f"{it.message_id} was published as {it.raw[:120]!r} and committed as {fact.body[:120]!r}")
        elif parts[2] == "w" and not it.raw.startswith(fact.body[:-1]):
            said = json.loads(it.raw)
            yield Violation("P7", f"{it.message_id} told {said.get('type')} of {said.get('task')} and is {fact.type} of {fact.task}")
