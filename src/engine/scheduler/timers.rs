//! What fires when time passes.

use chrono::{DateTime, Utc};

use super::clocks::just_before;
use super::{MAX_TIMERS_PER_STEP, Said, Scheduler};
use crate::engine::effect::{Effect, HandoffRefusal, WithdrawReason, WorkMessage};
use crate::engine::explain::Rejection;
use crate::engine::id::TaskId;
use crate::engine::planted::planted;
use crate::engine::roster::{Team, TeamIndex};
use crate::engine::routing;
use crate::engine::task::{Arrival, ClosedBecause, Task, TaskState, TurnDown, TurnDownCause};
use crate::engine::timer::Timer;

/// How long classes are good for: their coverage reaches [`crate::engine::forecast::COVERAGE_SPAN`] ahead.
const RENEW_CLASSES_AFTER: chrono::TimeDelta = chrono::TimeDelta::days(180);

impl Scheduler {
    /// Fires all timers that were due before now; when asked those due at now too, and then at most
    /// [`MAX_TIMERS_PER_STEP`] in all.
    pub(super) fn fire_timers(&mut self, at_now: bool) {
        let mut fired = 0;
        while let Some(next) = self.timers.next() {
            if !at_now && next >= self.now {
                self.fired_until = self.fired_until.max(just_before(self.now));
                return;
            }
            if at_now && fired == MAX_TIMERS_PER_STEP {
                self.close_overdue(next);
                return;
            }
            let Some((due_at, timer)) = self.timers.pop_due(self.now) else { break };
            fired += 1;
            match timer {
                // A step begins with that.
                Timer::OverridesTurn => {}
                Timer::TeamCloses(team) | Timer::TeamOpens(team) => self.turn_team(team),
                Timer::OfferLapses(arrival) => self.lapse(arrival, due_at),
                Timer::QualificationEnds(team) => self.check_holder(team),
                Timer::KeptEnds(number) => self.end_kept(number),
                Timer::HandoffNotice(team) => self.decide_handoffs(team),
                Timer::GraceEnds(arrival) | Timer::HandoffOffer(arrival) => self.decide_handoff(arrival),
                Timer::PauseCapped(arrival) => self.cap_pause(arrival),
                Timer::SlaWarns(arrival) if self.is_process(arrival) => self.warn_process(arrival, self.now),
                Timer::SlaBreached(arrival) if self.is_process(arrival) => self.breach_process(arrival, self.now),
                Timer::SlaWarns(arrival) => self.warn(arrival),
                Timer::SlaBreached(arrival) => self.breach(arrival, self.now),
                Timer::SlaEscalates(arrival) => self.escalate(arrival),
                Timer::StepLate(arrival) => self.tell_step_late(arrival),
                Timer::Stalled(arrival) => self.tell_stalled(arrival),
                Timer::PredecessorUnknown(arrival) => self.tell_unknown(arrival),
                Timer::NotBefore(arrival) => self.reach_not_before(arrival, due_at),
                Timer::TurnDownEnds(arrival) | Timer::BetterExpected(arrival) => {
                    self.to_route.insert(arrival);
                }
                Timer::ClassesRenew => self.renew_classes(),
            }
        }
        self.fired_until = self.now;
    }

    /// Teams that have closed by now get nothing before their own timers fire, in a later step.
    fn close_overdue(&mut self, next: DateTime<Utc>) {
        if next >= self.now {
            return;
        }
        let teams: Vec<_> = self.board.roster.indexed_teams().map(|(team, _)| team).collect();
        for team in teams {
            if self.board.load(team).closes_now(self.now) {
                self.turn_team(team);
            }
        }
    }

    /// Works out every team's hours and qualifications, and looks at the tasks that wait for those that are open.
    pub(super) fn start_teams(&mut self) {
        self.timers.set(self.now + RENEW_CLASSES_AFTER, Timer::ClassesRenew);
        self.overrides_turn_at = self.overrides.next_turn(self.now);
        if let Some(at) = self.overrides_turn_at {
            self.timers.set(at, Timer::OverridesTurn);
        }
        let teams: Vec<_> = self.board.roster.indexed_teams().map(|(team, _)| team).collect();
        for team in teams {
            self.board.refresh(team, self.now);
            self.set_team_timers(team);
            if !self.drains() {
                self.look_at_hours(team);
            }
        }
        if !self.drains() {
            self.look_at_ended_turn_downs();
        }
    }

    /// A turn-down may have ended unnoticed. Its team may have room, and a task that waits for other teams to be better is
    /// not among those that a freed seat of this team wakes; or it has none, and the task waits for something else now.
    fn look_at_ended_turn_downs(&mut self) {
        let waits = |task: &Task| {
            let TaskState::Waiting(waiting) = &task.state else { return false };
            let is_over = |it: &TurnDown| it.until.is_some_and(|until| until <= self.now);
            let is_news = |it: &TurnDown| match waiting.waits_for.is_empty() {
                true => it.until == waiting.wakes_at,
                false => !waiting.waits_for.contains(&it.team),
            };
            task.turn_downs.iter().any(|it| is_over(it) && is_news(it))
        };
        let waiting = self.tasks.values().map(|entry| &entry.task).filter(|task| waits(task));
        let waiting: Vec<_> = waiting.map(|task| task.arrival).collect();
        self.to_route.extend(waiting);
    }

    /// What an open team owns needs no reason, and its waiting tasks are looked at; what a closed team owns does.
    fn look_at_hours(&mut self, team: TeamIndex) {
        if !self.board.load(team).open {
            self.keep_closed(team);
            return;
        }
        for arrival in self.tasks_with(team) {
            self.end_old_handoff(arrival, team);
            self.set_closed_because(arrival, None);
        }
        self.fill_later(team);
    }

    /// A team opens or closes.
    fn turn_team(&mut self, team: TeamIndex) {
        self.board.refresh(team, self.now);
        self.set_hours_timer(team);
        if planted("opening-wakes-nobody") {
            return;
        }
        self.look_at_hours(team);
        if self.board.load(team).open {
            self.fill_later(team).opened = true;
        }
    }

    /// A closed team owns what it has for a stored reason: as it was decided, or as it is decided now.
    fn keep_closed(&mut self, team: TeamIndex) {
        let in_break = self.in_break(team);
        for arrival in self.tasks_with(team) {
            let Some(task) = self.task_of(arrival) else { continue };
            let TaskState::Active(active) = &task.state else { continue };
            let is_settled = active.closed_because.is_some_and(|because| because != ClosedBecause::Break);
            if in_break {
                if active.closed_because.is_none() {
                    self.set_closed_because(arrival, Some(ClosedBecause::Break));
                }
            } else if planted("closed-owner-has-no-reason") {
            } else if task.paused.is_some() {
                self.set_closed_because(arrival, Some(ClosedBecause::Paused));
            } else if let Some(decided) = active.handoff.at_close.filter(|_| !is_settled) {
                self.set_closed_because(arrival, Some(decided));
            } else if !is_settled {
                // It was to be done before the close and is not.
                self.set_closed_because(arrival, Some(ClosedBecause::Kept));
                self.decide_handoff(arrival);
            }
        }
    }

    /// What a team has, offered or owned.
    pub(super) fn tasks_with(&self, team: TeamIndex) -> Vec<Arrival> {
        self.board.load(team).tasks.keys().copied().collect()
    }

    /// Whether a closed team is only in a break: its last shift goes on after it.
    pub(super) fn in_break(&self, team: TeamIndex) -> bool {
        let load = self.board.load(team);
        let Some(opens_at) = load.next_open else { return false };
        let gap = chrono::TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_min_gap_minutes));
        let Team { calendar, closed_by_override, .. } = self.board.roster.team(team);
        // Open at some time in the gap before the next opening means that the closed time is shorter than the gap.
        !load.open
            && !closed_by_override
            && calendar.open_intervals(opens_at - gap, opens_at).is_ok_and(|mut open| open.next().is_some())
    }

    fn set_closed_because(&mut self, arrival: Arrival, because: Option<ClosedBecause>) {
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| &task.state) else { return };
        if active.closed_because == because {
            return;
        }
        self.change_active(arrival, |active| active.closed_because = because);
    }

    fn set_team_timers(&mut self, team: TeamIndex) {
        self.set_hours_timer(team);
        let owner = self.board.roster.team(team);
        let admissions = owner.capabilities.iter().filter_map(|held| held.admitted_until);
        // One that ended while nobody looked fires at once, for what the team has.
        let load = self.board.load(team);
        let holds_some = !load.tasks.is_empty() || !load.passing.is_empty();
        let notice = chrono::TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_notice_minutes));
        let ends = admissions.chain(owner.vetted_until).flat_map(|at| [at - notice, at]);
        let ends = ends.filter(|at| *at > self.now || holds_some);
        let ends: Vec<_> = ends.collect();
        for at in ends {
            self.timers.set(at, Timer::QualificationEnds(team));
        }
    }

    fn set_hours_timer(&mut self, team: TeamIndex) {
        let load = self.board.load(team);
        let notice = chrono::TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_notice_minutes));
        if let Some(notice_at) = load.open_shift_end().and_then(|end| end.checked_sub_signed(notice)) {
            self.timers.set(notice_at.max(self.now), Timer::HandoffNotice(team));
        }
        if let Some(at) = load.changes_at {
            let timer = if load.open { Timer::TeamCloses(team) } else { Timer::TeamOpens(team) };
            self.timers.set(at, timer);
        }
    }

    /// An offer ends unanswered: a turn-down, or a withdrawal when the shift ended first.
    fn lapse(&mut self, arrival: Arrival, due_at: DateTime<Utc>) {
        if self.is_cut_off() {
            // Its limit goes on when the outage ends.
            return;
        }
        if let Some(offer) = self.task_of(arrival).and_then(Task::handoff_offer) {
            if offer.until <= self.now {
                let how = if offer.until_shift_end { HandoffRefusal::ShiftEnded } else { HandoffRefusal::Lapsed };
                self.refuse_pass(arrival, how, None);
            }
            return;
        }
        let Some(TaskState::Offered(offer)) = self.task_of(arrival).map(|task| task.state.clone()) else { return };
        if offer.until > self.now {
            return;
        }
        if offer.until_shift_end && !planted("shift-end-is-a-turn-down") {
            self.withdraw(arrival, WithdrawReason::ShiftEnd);
        } else {
            self.turn_down(arrival, &offer.team, TurnDownCause::Lapsed);
            self.change(arrival, |task| task.lapsed = Some(offer.assignment));
            self.vacate(arrival);
            let said = Said::to(&offer.team, WorkMessage::Withdrawn);
            self.record(arrival, said, Effect::Lapse { assignment: offer.assignment, due_at });
        }
        self.to_route.insert(arrival);
    }

    /// A qualification of a team ends or is about to: what it has is checked again.
    fn check_holder(&mut self, team: TeamIndex) {
        for arrival in self.tasks_with(team) {
            self.check_standing(arrival, WithdrawReason::QualificationEnded);
            self.decide_handoff(arrival);
        }
        for arrival in self.board.load(team).passing.keys().copied().collect::<Vec<_>>() {
            self.replan(arrival, WithdrawReason::QualificationEnded);
        }
    }

    /// Takes a task back from a team that may not have it any more; one whose vetting or admission ends soon hands it off
    /// before that. A plan is made anew when its target may not have it.
    pub(super) fn check_standing(&mut self, arrival: Arrival, reason: WithdrawReason) {
        match self.what_fails(arrival) {
            Some(because) => self.take_back(arrival, reason, because),
            None => self.replan(arrival, reason),
        }
    }

    /// What the team fails that has a task, offered or owned.
    pub(super) fn what_fails(&self, arrival: Arrival) -> Option<Rejection> {
        let entry = self.tasks.get(&arrival)?;
        let team = self.board.roster.team_index(entry.task.state.team()?)?;
        routing::still_stands(&self.board, &entry.task, entry.class, team, self.now).err()
    }

    pub(super) fn take_back(&mut self, arrival: Arrival, reason: WithdrawReason, because: Rejection) {
        match self.task_of(arrival).map(|task| &task.state) {
            Some(TaskState::Offered(_)) => self.withdraw(arrival, reason),
            Some(TaskState::Active(_)) => self.recall(arrival, because),
            _ => return,
        }
        self.to_route.insert(arrival);
    }

    fn recall(&mut self, arrival: Arrival, because: Rejection) {
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| task.state.clone()) else { return };
        self.drop_plan(arrival, WithdrawReason::Recalled);
        self.end_holding(arrival);
        let said = Said::to(&active.team, WorkMessage::Ended);
        let effect = Effect::Recall { assignment: active.assignment, because: Some(because) };
        self.record(arrival, said, effect);
    }

    /// An offer could not be delivered in time: it is withdrawn, and the team counts as having turned it down.
    pub(super) fn withdraw_undeliverable(&mut self, id: &TaskId, assignment: u32) {
        let Some(arrival) = self.arrival_of(id) else { return };
        if self.task_of(arrival).and_then(Task::handoff_offer).is_some_and(|offer| offer.assignment == assignment) {
            return self.refuse_pass(arrival, HandoffRefusal::Unreachable, None);
        }
        let Some(TaskState::Offered(offer)) = self.task_of(arrival).map(|task| &task.state) else { return };
        if offer.assignment == assignment {
            self.withdraw(arrival, WithdrawReason::Unreachable);
            self.route(arrival);
        }
    }
}
