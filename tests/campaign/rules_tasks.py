"""P2, P5: one owner, one decision, no hole in the numbers."""

from collections import defaultdict

from records import Violation

ENDS = {"task.completed", "task.cancelled", "task.released", "task.recalled", "handoff.overtaken"}


def by_task(leg):
    """The facts of each task in their order."""
    found = defaultdict(list)
    for fact in leg.committed.facts:
        if fact.task is not None:
            found[fact.task].append(fact)
    return found


def one_owner(leg):
    """Told from the facts alone: nobody takes what somebody has, and the row names the owner that the facts give."""
    for task, facts in by_task(leg).items():
        owner = None
        for number, fact in enumerate(facts):
            if fact.type == "task.accepted":
                following = facts[number + 1] if number + 1 < len(facts) else None
                if owner is not None and not _is_passed(owner, fact, following):
                    yield Violation("P2", f"{task} is accepted by {fact.team} while {owner[0]} owns it (fact {fact.seq})")
                owner = (fact.team, fact.said["assignment"])
            elif fact.type in ENDS and (owner is None or fact.said.get("assignment", owner[1]) == owner[1]):
                owner = None
        state, stored, _ = leg.committed.tasks.get(task, (None, None, None))
        if state is not None and stored != (owner and owner[0]):
            yield Violation("P2", f"{task} is owned by {owner and owner[0]} by its facts and by {stored} by its row")


def _is_passed(owner, accepted, following):
    """Whether the fact that follows says that the owner has passed the task to the team that accepts it."""
    if following is None or following.type != "handoff.passed":
        return False
    said = following.said
    before, after = (following.team, said["assignment"]), (said["to"], said["next_assignment"])
    return before == owner and after == (accepted.team, accepted.said["assignment"])


def one_decision(leg):
    """A request is admitted once, an update answered one way, an assignment given once."""
    offered, admitted = set(), set()
    for fact in leg.committed.facts:
        if fact.type == "task.admitted":
            if fact.task in admitted:
                yield Violation("P2", f"{fact.task} was admitted twice")
            admitted.add(fact.task)
        elif fact.type == "task.offered":
            if (fact.task, fact.said["assignment"]) in offered:
                yield Violation("P2", f"{fact.task} was offered twice as assignment {fact.said['assignment']}")
            offered.add((fact.task, fact.said["assignment"]))
        elif fact.type == "update.rejected" and leg.committed.updates.get(fact.said.get("id")) is False:
            yield Violation("P2", f"update {fact.said['id']} applied and was refused")


def numbers_are_dense(leg):
    """Facts are numbered without a hole, those of a task too."""
    for task, facts in by_task(leg).items():
        numbers = [it.task_seq for it in facts]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Violation("P5", f"the facts of {task} are numbered {numbers[:40]}")
    numbers = [it.seq for it in leg.committed.facts]
    if numbers != list(range(1, leg.committed.last_seq + 1)):
        yield Violation("P5", f"{len(numbers)} facts are numbered up to {leg.committed.last_seq}")
