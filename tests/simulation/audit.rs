//! How all things stand between two steps, when nothing is due: the observer's picture against the engine's, and both
//! against the rules.

use heliograph::engine::scheduler::Scheduler;
use heliograph::engine::task::{Active, ClosedBecause, Task, TaskState, WaitReason};

use super::case::{Case, Kept, Place};
use super::hours::{self, MINUTE};
use super::observer::{Observer, ms};

impl Observer {
    /// One task as the engine has it is what was told of it.
    pub fn compare(&self, task: &Task) {
        let id = task.id.as_str();
        let case = self.cases.get(id).unwrap_or_else(|| panic!("{id} is open and was never told of"));
        let place = match &task.state {
            TaskState::Waiting(_) => Place::Waiting,
            TaskState::Offered(_) => Place::Offered,
            TaskState::Active(active) => {
                Place::Active { team: self.view.book.team(active.team.as_str()), number: active.assignment }
            }
            TaskState::Completed { .. } | TaskState::Cancelled { .. } => panic!("{id} has ended and is open"),
        };
        assert_eq!(place, case.place, "{id}");
        let told = (case.held, case.pause.is_some(), case.priority, case.left, case.passed, case.numbers, case.told);
        let left = i64::from(task.remaining_minutes());
        let stored =
            (task.held, task.paused.is_some(), task.priority, left, task.handoffs, task.assignments, task.task_seq);
        assert_eq!(stored, told, "{id}: held, paused, priority, left, passes, offers, words");
        assert_eq!(task.deadline.map(ms), case.deadline, "{id}: the deadline");
    }

    /// Everything: no task without its place, no owner closed without a reason, no clock overdue, no wake-up forgotten.
    pub fn audit(&mut self, scheduler: &Scheduler) {
        let at = ms(scheduler.now());
        assert_eq!(scheduler.open_count(), self.cases.len(), "every open task is told of");
        let used: Vec<(i64, i64)> = (0..self.view.hours.len()).map(|team| self.used(team)).collect();
        let mut waits = 0;
        for task in scheduler.open_tasks() {
            self.compare(task);
            let case = &self.cases[task.id.as_str()];
            self.clocks_are_told(case, at);
            self.has_right_owner(case, task, at);
            if let TaskState::Waiting(waiting) = &task.state {
                waits += self.waits_rightly(case, waiting.reason, &used, at);
            }
        }
        *self.figures.entry("waits checked").or_default() += waits;
        *self.figures.entry("audits").or_default() += 1;
    }

    fn clocks_are_told(&self, case: &Case, at: i64) {
        for clock in case.clocks.iter().filter(|clock| clock.is_running() && !clock.breached) {
            let counted = self.view.count(case, clock, at);
            let name = &clock.promise.name;
            assert!(counted < clock.promise.target, "{}: the breach of {name} is not told", case.id);
            if let Some(percent) = clock.promise.warn_at.get(clock.warned) {
                assert!(counted < clock.amount(*percent), "{}: {name} {percent} % is not told", case.id);
            }
        }
    }

    /// No team has a task that it may not have, no offer outlives its limit, and a closed owner has one of six reasons.
    fn has_right_owner(&self, case: &Case, task: &Task, at: i64) {
        if let Some(offer) = &case.offer {
            assert!(case.eligible & (1 << offer.team) != 0, "{}: offered to a team that may not have it", case.id);
            assert!(offer.moved || at < offer.until, "{}: the offer has no end", case.id);
            let it = &self.view.book.teams[offer.team];
            assert!(!self.view.has_expired(case, offer.team, at), "{}: offered to {} past its dates", case.id, it.id);
        }
        let TaskState::Active(active) = &task.state else { return };
        let owner = case.owner().expect("an owner");
        let team = &self.view.book.teams[owner];
        assert!(self.view.not_walled(case, team), "{}: behind a wall at {}", case.id, team.id);
        assert!(case.eligible & (1 << owner) != 0, "{}: owned by {}, which may not have it", case.id, team.id);
        assert!(!self.view.has_expired(case, owner, at), "{}: owned by {} past its dates", case.id, team.id);
        self.has_reason(case, active, owner, at);
    }

    fn has_reason(&self, case: &Case, active: &Active, owner: usize, at: i64) {
        let spans = &self.view.hours[owner];
        let id = &case.id;
        let Some(because) = active.closed_because else {
            assert!(hours::is_open(spans, at), "{id}: owned by closed team {owner} without a reason");
            return;
        };
        assert!(!hours::is_open(spans, at), "{id}: {because:?} at an open team");
        let in_break = hours::is_break(spans, at);
        match because {
            ClosedBecause::Break => assert!(in_break, "{id}: no break"),
            ClosedBecause::Paused => assert!(case.pause.is_some(), "{id}: not paused"),
            ClosedBecause::Grace => {
                let closed_at = spans[..spans.partition_point(|span| span.1 <= at)].last().expect("a close").1;
                let is_over = at >= closed_at + 15 * MINUTE;
                assert!(
                    case.left <= 15 && !is_over,
                    "{id}: grace for {} min from {closed_at} to {at}: {active:?}",
                    case.left
                );
            }
            ClosedBecause::Planned => {
                let coming = case.plan.is_some() || case.offer.is_some();
                assert!(coming, "{id}: planned for nobody");
            }
            ClosedBecause::NoTaker => assert_eq!(case.kept, Some(Kept::NoTaker), "{id}: somebody could take it"),
            // A pause that has ended in a closed team, and what was to be done in time, are kept.
            ClosedBecause::Kept => assert!(case.plan.is_none() || case.kept.is_some(), "{id}: kept and planned"),
        }
    }

    /// A waiting task is looked at again when a team could have it: none could have this one now.
    fn waits_rightly(&self, case: &Case, reason: WaitReason, used: &[(i64, i64)], at: i64) -> u64 {
        let id = &case.id;
        match reason {
            WaitReason::Held => assert!(case.held, "{id}: not held"),
            WaitReason::Paused => assert!(case.pause.is_some(), "{id}: not paused"),
            WaitReason::NotBefore => assert!(case.not_before.is_some_and(|it| it > at), "{id}: its time has come"),
            WaitReason::Predecessor | WaitReason::PredecessorCancelled => {}
            WaitReason::WaitsForBetter => {
                for team in
                    (0..used.len()).filter(|team| self.view.no_to_offer(case, *team, at, |team| used[team]).is_none())
                {
                    let name = &self.view.book.teams[team].id;
                    assert!(!self.view.is_in_time(case, team, at), "{id}: waits for better, {name} is in time at {at}");
                }
                return 1;
            }
            WaitReason::NoTeamEligible
            | WaitReason::NoTeamOpen
            | WaitReason::NoSeatFree
            | WaitReason::TurnedDown
            | WaitReason::Drained => {
                let free =
                    (0..used.len()).find(|team| self.view.no_to_offer(case, *team, at, |team| used[team]).is_none());
                assert_eq!(free, None, "{id}: waits ({reason:?}) though that team could have it at {at}");
                return 1;
            }
        }
        0
    }
}
