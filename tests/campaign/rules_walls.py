"""P11: nothing tells a team of work behind a wall."""

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
        if fact.team is None or not (fact.with_payload or fact.addressed in TELLS):
            continue
        stands = [walls.get((fact.team, fact.client, matter)) for matter in (None, fact.matter)]
        if any(since is not None and since < fact.seq for since in stands):
            yield Violation("P11", f"{fact.addressed} of {fact.task} was for {fact.team}, which is walled (fact {fact.seq})")
    kept_back = {f"{leg.committed.incarnation}.{it.seq}.w" for it in leg.committed.facts if it.suppressed}
    for it in leg.received:
        if it.message_id in kept_back:
            yield Violation("P11", f"{it.message_id} was kept back by a wall and reached {it.queue}")
