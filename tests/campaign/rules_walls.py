"""P11: nothing tells a team of work behind a wall, and what did before the wall is told as an exposure."""

from dataclasses import dataclass

from records import Violation

TELLS = {"offer", "handoff_requested", "changed"}


def nothing_passes_a_wall(leg):
    """From the fact that raises a wall on; those of the roster that was first in force stand from the beginning."""
    walls = {(team, client, matter): 0 for team, client, matter in leg.committed.walls}
    for fact in leg.committed.facts:
        if fact.type == "wall.raised":
            # The walls of the store are those at the end: one that was raised meanwhile stood from then on.
            walls[fact.team, fact.client, fact.said.get("matter")] = fact.seq
    for fact in leg.committed.facts:
        if not _tells_of_work(fact):
            continue
        stands = [walls.get((fact.team, fact.client, matter)) for matter in (None, fact.matter)]
        if any(since is not None and since < fact.seq for since in stands):
            yield Violation("P11", f"{fact.addressed} of {fact.task} was for {fact.team}, which is walled (fact {fact.seq})")
    kept_back = {message_of(leg, it) for it in leg.committed.facts if it.suppressed}
    for it in leg.received:
        if it.message_id in kept_back:
            yield Violation("P11", f"{it.message_id} was kept back by a wall and reached {it.queue}")


def what_got_through_is_told(leg):
    """The exposure of each wall counts every message that its team received from before it, and names the first of them."""
    got = {it.message_id for it in leg.received}
    for wall, exposure in exposures(leg):
        behind = {message_of(leg, fact) for fact in leg.committed.facts if _is_behind(fact, wall)}
        missed = behind & got - exposure.named
        if missed and (exposure.is_whole or exposure.count < len(behind & got)):
            what = f"{len(missed)} messages, {min(missed)} first, got to {wall.team} before the wall of fact {wall.seq}"
            yield Violation("P11", f"{what}; its exposure counts {exposure.count}")


def may_have_left(leg):
    """Tells of a fact whether its message counts as exposed: what a crash made uncertain does, and is not sent again."""
    walls = exposures(leg)

    def counts(fact):
        behind = [exposure for wall, exposure in walls if _is_behind(fact, wall)]
        return any(not it.is_whole or message_of(leg, fact) in it.named for it in behind)

    return counts


@dataclass(frozen=True)
class Exposure:
    """What is told of what got through before a wall; only the first messages are named."""

    count: int = 0
    named: frozenset = frozenset()

    @property
    def is_whole(self):
        """Whether all of them are named."""
        return self.count == len(self.named)


def exposures(leg):
    """The facts that raise a wall, each with its exposure."""
    told = {
        it.said["wall"]: Exposure(it.said["count"], frozenset(message["message_id"] for message in it.said["messages"]))
        for it in leg.committed.facts
        if it.type == "wall.exposure"
    }
    return [(it, told.get(it.seq, Exposure())) for it in leg.committed.facts if it.type == "wall.raised"]


def message_of(leg, fact):
    """The id of a fact's message to its team."""
    return f"{leg.committed.incarnation}.{fact.seq}.w"


def _is_behind(fact, wall):
    is_same = fact.team == wall.team and fact.client == wall.client and wall.said.get("matter") in (None, fact.matter)
    return is_same and fact.seq < wall.seq and _tells_of_work(fact)


def _tells_of_work(fact):
    return fact.team is not None and fact.addressed is not None and (fact.with_payload or fact.addressed in TELLS)
