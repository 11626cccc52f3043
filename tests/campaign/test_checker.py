"""The checker on small made-up records: each rule is content with what is right and names what is not."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import report
from checker import judge
from records import Fact, Leg, Received, Sent
from rules_timers import TARGET_MS

START_MS = 1_780_000_000_000
TASK = "thames-llp/quick-1"


def instant(at_ms):
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def leg_of(*steps, ended_after_ms=60_000):
    """A leg in which these facts of one task were committed and published; a step is (after ms, type, fields)."""
    leg = Leg(canaries=["canary"])
    for number, (after_ms, kind, fields) in enumerate(steps, 1):
        fields = dict(fields)
        team, addressed = fields.pop("team", None), fields.pop("addressed", None)
        said = {"type": kind, "task": TASK, "task_seq": number, **fields}
        fact = Fact(
            number, START_MS + after_ms, kind, TASK, number, "thames-llp", "M-1", team, addressed, addressed == "offer", False,
            json.dumps(said).encode(), said,
        )  # fmt: skip
        leg.committed.facts.append(fact)
        leg.received.append(Received("test.events", f"life.{number}.e", fact.body, float(number)))
        if addressed:
            leg.received.append(Received(f"heliograph.team.{team}", f"life.{number}.w", fact.body, float(number)))
    leg.committed.last_seq = leg.committed.watermark = len(steps)
    leg.committed.last_at_ms = START_MS + ended_after_ms
    leg.committed.tasks = {TASK: ("waiting", None, None)}
    leg.sent = [Sent("request", TASK, b"{}", confirmed=True)]
    return leg


def admitted():
    return (0, "task.admitted", {})


def promises(leg):
    return {violation.promise for violation in judge(leg)}


def test_a_leg_in_which_all_went_well_has_no_violation():
    offered = (1, "task.offered", {"assignment": 1, "team": "london", "addressed": "offer"})
    leg = leg_of(admitted(), offered, (2, "task.accepted", {"assignment": 1, "team": "london"}))
    leg.committed.tasks = {TASK: ("active", "london", None)}
    assert judge(leg) == []


def test_a_confirmed_request_without_a_task_is_lost_and_an_unconfirmed_one_is_not():
    leg = leg_of(admitted())
    leg.sent.append(Sent("request", "thames-llp/gone", b"{}"))
    assert promises(leg) == set()
    leg.sent[-1].confirmed = True
    assert promises(leg) == {"P1"}


def test_a_confirmed_update_without_an_answer_is_lost():
    leg = leg_of(admitted())
    leg.sent.append(Sent("update", "u1", b"{}", confirmed=True))
    assert promises(leg) == {"P1"}
    leg.committed.updates = {"u1": False}
    assert promises(leg) == set()


def test_a_rejected_request_is_told_of_and_set_aside():
    leg = leg_of(admitted())
    leg.sent.append(Sent("request", "thames-llp/bad", b"body", "rejected", confirmed=True))
    assert len(judge(leg)) == 2
    said = {"id": "bad", "stream_seq": 2}
    rejected = Fact(2, START_MS, "request.rejected", None, None, "thames-llp", None, None, None, False, False, b"{}", said)
    leg.committed.facts.append(rejected)
    leg.committed.last_seq = leg.committed.watermark = 2
    leg.received += [Received("test.events", "life.2.e", b"{}", 2.0), Received("heliograph.rejected", "x", b"body", 2.0)]
    assert judge(leg) == []


@pytest.mark.parametrize("last", ["life.1.e", "life.2.w"])
def test_a_committed_fact_that_never_left_is_found(last):
    leg = leg_of(admitted(), (1, "task.offered", {"assignment": 1, "team": "london", "addressed": "offer"}))
    leg.received = [it for it in leg.received if it.message_id != last]
    assert promises(leg) == {"P3"}


def test_a_message_that_was_undelivered_or_whose_queue_was_deleted_need_not_have_come():
    leg = leg_of(admitted(), (1, "task.offered", {"assignment": 1, "team": "london", "addressed": "offer"}))
    leg.received = [it for it in leg.received if it.message_id != "life.2.w"]
    assert promises(leg) == {"P3"}
    leg.committed.undelivered = {2}
    assert promises(leg) == set()
    leg.committed.undelivered, leg.lost_queues = set(), {"london"}
    assert promises(leg) == set()


def test_a_watermark_that_stays_behind_is_found():
    leg = leg_of(admitted())
    leg.committed.watermark = 0
    assert promises(leg) == {"P3"}


def test_a_second_copy_needs_a_fault_and_the_same_bytes():
    leg = leg_of(admitted())
    leg.received.append(replace(leg.received[0], at=5.0))
    assert promises(leg) == {"P3"}
    leg.faults = [("kill", 3.0)]
    assert promises(leg) == set()
    leg.received.append(replace(leg.received[0], at=6.0))
    assert promises(leg) == {"P3"}, "two copies need two faults"
    leg.received[-1:] = []
    leg.received[-1] = replace(leg.received[-1], raw=leg.received[-1].raw + b" ")
    assert "P3" in promises(leg)


def test_an_id_that_is_not_of_a_fact_is_found():
    leg = leg_of(admitted())
    leg.received.append(replace(leg.received[0], message_id="life.1.e.again"))
    assert promises(leg) == {"P3"}


def test_a_message_of_no_committed_fact_is_found():
    leg = leg_of(admitted())
    leg.received.append(Received("test.events", "life.2.e", b"{}", 2.0))
    assert promises(leg) == {"P7"}
    leg.received[-1] = Received("test.events", "another.1.e", leg.received[0].raw, 2.0)
    assert promises(leg) == {"P7"}


def test_a_message_that_says_other_than_its_fact_is_found():
    leg = leg_of(admitted())
    leg.received[0] = replace(leg.received[0], raw=b'{"type":"task.admitted","task":"another"}')
    assert promises(leg) == {"P7"}


def accepted(after_ms, assignment, team):
    return (after_ms, "task.accepted", {"assignment": assignment, "team": team})


def test_two_owners_at_once_are_found():
    leg = leg_of(admitted(), accepted(1, 1, "london"), accepted(2, 2, "warsaw"))
    leg.committed.tasks = {TASK: ("active", "warsaw", None)}
    assert promises(leg) == {"P2"}


def test_a_pass_moves_the_task_from_its_owner_to_the_next():
    passed = (2, "handoff.passed", {"assignment": 1, "to": "warsaw", "next_assignment": 2, "team": "london"})
    leg = leg_of(admitted(), accepted(1, 1, "london"), accepted(2, 2, "warsaw"), passed)
    leg.committed.tasks = {TASK: ("active", "warsaw", None)}
    assert promises(leg) == set()


def test_a_row_with_another_owner_than_the_facts_is_found():
    leg = leg_of(admitted(), accepted(1, 1, "london"))
    assert promises(leg) == {"P2"}


def test_a_second_admission_and_a_second_offer_of_one_number_are_found():
    assert promises(leg_of(admitted(), admitted())) == {"P2"}
    offered = (1, "task.offered", {"assignment": 1, "team": "london", "addressed": "offer"})
    assert promises(leg_of(admitted(), offered, offered)) == {"P2"}


def test_an_update_that_applied_and_was_refused_is_found():
    leg = leg_of(admitted(), (1, "update.rejected", {"id": "u1"}))
    leg.committed.updates = {"u1": True}
    assert promises(leg) == set()
    leg.committed.updates = {"u1": False}
    assert promises(leg) == {"P2"}


def test_a_hole_in_the_numbers_is_found():
    leg = leg_of(admitted(), (1, "task.waiting", {}))
    leg.committed.facts[1] = replace(leg.committed.facts[1], task_seq=3)
    assert promises(leg) == {"P5"}


def warned(after_ms, late_by_ms=None, reached_ms=TARGET_MS // 2):
    late = {} if late_by_ms is None else {"late_by_ms": late_by_ms}
    return (after_ms, "sla.warned", {"reached_at": instant(START_MS + reached_ms), **late})


def test_a_warning_that_is_missing_twice_or_early_is_found():
    half, over = TARGET_MS // 2, TARGET_MS // 2 + 10_000
    assert promises(leg_of(admitted(), warned(half), ended_after_ms=over)) == set()
    assert promises(leg_of(admitted(), ended_after_ms=over)) == {"P4"}
    assert promises(leg_of(admitted(), warned(half), warned(half), ended_after_ms=over)) == {"P4"}
    assert promises(leg_of(admitted(), warned(half - 1, reached_ms=half - 1), ended_after_ms=over)) == {"P4"}


def test_a_late_warning_says_how_late():
    half, over = TARGET_MS // 2, TARGET_MS // 2 + 10_000
    assert promises(leg_of(admitted(), warned(half + 5_000, 5_000), ended_after_ms=over)) == set()
    assert promises(leg_of(admitted(), warned(half + 5_000), ended_after_ms=over)) == {"P4"}
    assert promises(leg_of(admitted(), warned(half + 999), ended_after_ms=over)) == set()


def test_what_was_done_in_an_outage_is_not_warned_of():
    half = TARGET_MS // 2
    completed = (half + 1_000, "task.completed", {"assignment": 1})
    assert promises(leg_of(admitted(), completed, ended_after_ms=half + 9_000)) == {"P4"}
    ended = (half + 2_000, "outage.ended", {"since": instant(START_MS + half - 1)})
    assert promises(leg_of(admitted(), completed, ended, ended_after_ms=half + 9_000)) == set()


def test_an_offer_that_lapses_twice_or_early_is_found():
    lapsed = (1_000, "task.lapsed", {"assignment": 1, "due_at": instant(START_MS + 1_000)})
    assert promises(leg_of(admitted(), lapsed)) == set()
    assert promises(leg_of(admitted(), lapsed, lapsed)) == {"P4"}
    assert promises(leg_of(admitted(), (999, *lapsed[1:]))) == {"P4"}


def test_a_row_that_waits_for_a_time_that_has_passed_is_found():
    leg = leg_of(admitted())
    leg.committed.tasks = {TASK: ("waiting", None, START_MS)}
    assert promises(leg) == {"P4"}


def test_work_for_a_team_behind_a_wall_is_found_from_the_wall_on():
    offered = (1, "task.offered", {"assignment": 1, "team": "london", "addressed": "offer"})
    raised = (2, "wall.raised", {"matter": "M-1", "team": "london"})
    assert promises(leg_of(admitted(), offered, raised, exposed("life.2.w", wall=3))) == set()
    assert promises(leg_of(admitted(), raised, offered)) == {"P11"}
    leg = leg_of(admitted(), offered)
    leg.committed.walls = [("london", "thames-llp", None)]
    assert promises(leg) == {"P11"}


def exposed(*messages, wall, count=None):
    named = [{"message_id": message, "task": TASK} for message in messages]
    return (3, "wall.exposure", {"wall": wall, "count": count or len(named), "messages": named, "team": "london"})


def test_what_got_through_before_a_wall_is_missed_in_its_exposure():
    offers = [(1, "task.offered", {"assignment": number, "team": "london", "addressed": "offer"}) for number in (1, 2)]
    raised = (2, "wall.raised", {"matter": "M-1", "team": "london"})
    leg = lambda *told: leg_of(admitted(), *offers, raised, *told)
    assert promises(leg()) == {"P11"}
    assert promises(leg(exposed("life.2.w", wall=4))) == {"P11"}
    assert promises(leg(exposed("life.2.w", "life.3.w", wall=4))) == set()
    assert promises(leg(exposed("life.2.w", wall=4, count=2))) == set(), "only the first are named"


def test_a_message_that_may_have_left_before_a_wall_need_not_come():
    offers = [(1, "task.offered", {"assignment": number, "team": "london", "addressed": "offer"}) for number in (1, 2)]
    raised = (2, "wall.raised", {"matter": "M-1", "team": "london"})
    for told, broken in [(exposed("life.2.w", "life.3.w", wall=4), set()), (exposed("life.3.w", wall=4), {"P3"})]:
        leg = leg_of(admitted(), *offers, raised, told)
        leg.received = [it for it in leg.received if it.message_id != "life.2.w"]
        assert promises(leg) == broken


def test_a_message_that_was_kept_back_and_came_all_the_same_is_found():
    leg = leg_of(admitted(), (1, "task.offered", {"assignment": 1, "team": "london", "addressed": "offer"}))
    leg.committed.facts[1] = replace(leg.committed.facts[1], suppressed=True)
    assert promises(leg) == {"P11"}


def test_a_decision_by_another_roster_than_the_one_in_force_is_found():
    changed = (0, "roster.changed", {"digest": "a"})
    leg = leg_of(changed, admitted())
    leg.committed.facts[1] = replace(leg.committed.facts[1], decided_by="a")
    assert promises(leg) == set()
    leg.rosters = {"b"}
    assert promises(leg) == {"P10"}, "nobody meant it to come into force"
    leg.rosters = set()
    leg.committed.facts[1] = replace(leg.committed.facts[1], decided_by="b")
    assert promises(leg) == {"P10"}


def test_an_end_that_nobody_asked_for_memory_and_canaries_are_found():
    leg = leg_of(admitted())
    leg.ended_itself, leg.resident_bytes, leg.most_resident_bytes = ["exit 1"], [10, 20], 15
    leg.leaks = {"the log": "a canary", "events": "nothing"}
    assert promises(leg) == {"P8", "P9", "P12"}


@pytest.mark.parametrize(
    ("writers", "broken"),
    [
        ([("1 since noon", "1"), ("2 since noon", "2")], set()),
        ([("1 since noon", "1"), ("2 since noon", "2"), ("1 since noon", "2")], {"P6"}),
        ([("1 since noon", "1"), ("2 since noon", "1")], {"P6"}),
    ],
    ids=["each epoch has its writer", "a writer of an earlier epoch", "two writers in one epoch"],
)
def test_who_wrote_held_the_epoch_in_force(writers, broken):
    leg = leg_of(admitted())
    leg.writers = writers
    assert promises(leg) == broken


def test_the_report_says_of_which_machine_and_commit_it_is():
    assert "cores" in report.machine() and report.commit() and "RabbitMQ" in report.versions()
    assert report.spread([1.0, 2.0, 3.0]) == "median 2.0, 99th percentile 3.0, most 3.0, of 3"
