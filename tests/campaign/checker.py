"""Judges a leg: a pure function from what was sent, committed and received to the promises that were broken."""

import rules_flow
import rules_pair
import rules_rest
import rules_roster
import rules_tasks
import rules_timers
import rules_walls

RULES = [
    rules_flow.nothing_is_lost,
    rules_flow.every_event_leaves,
    rules_flow.copies_are_the_same_and_need_a_fault,
    rules_flow.only_what_is_committed_is_published,
    rules_tasks.one_owner,
    rules_tasks.one_decision,
    rules_tasks.numbers_are_dense,
    rules_timers.each_timer_once_and_never_early,
    rules_timers.nothing_is_overdue,
    rules_pair.one_writer_an_epoch,
    rules_walls.nothing_passes_a_wall,
    rules_walls.what_got_through_is_told,
    rules_roster.each_decision_names_the_roster_in_force,
    rules_rest.never_ended_by_itself,
    rules_rest.memory_is_bounded,
    rules_rest.nothing_secret_is_told,
]


def judge(leg):
    """The violations, in order; none for a leg in which all was kept."""
    return sorted({violation for rule in RULES for violation in rule(leg)})
