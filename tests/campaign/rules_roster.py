"""P10: one roster at a time: each decision names the one in force, and only what was put in force came into force."""

from records import Violation


def each_decision_names_the_roster_in_force(leg):
    """Told by the facts alone: `roster.changed` says which one holds from then on."""
    in_force = None
    for fact in leg.committed.facts:
        if fact.type == "roster.changed":
            in_force = fact.said["digest"]
            if leg.rosters and in_force not in leg.rosters:
                yield Violation("P10", f"roster {in_force} came into force and nobody meant it to (fact {fact.seq})")
        elif fact.decided_by is not None and fact.decided_by != in_force:
            yield Violation("P10", f"fact {fact.seq} was decided by {fact.decided_by} while {in_force} was in force")
