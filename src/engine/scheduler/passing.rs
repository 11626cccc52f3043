//! Hand-offs: a task moves on at its holder's shift end, and belongs to the holder until the next one accepts it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Said, Scheduler};
use crate::engine::chains::Chains;
use crate::engine::effect::{Effect, HandoffRefusal, WithdrawReason, WorkMessage};
use crate::engine::handoff::{self, Comparison, KeepReason, Question, Verdict};
use crate::engine::id::{RequestId, TeamId};
use crate::engine::load::TeamLoad;
use crate::engine::planted::planted;
use crate::engine::roster::{Acceptance, HandoffRule, Moment, TeamIndex};
use crate::engine::routing;
use crate::engine::task::{
    Active, Arrival, ClosedBecause, HandoffState, Notes, Passing, Task, TaskState, TurnDownCause,
};
use crate::engine::update::DeclineReason;

/// Where a holder stands towards its shift end.
#[derive(Debug, Clone, Copy)]
struct Point {
    owner: TeamIndex,
    /// Whether the holder is open: it works on until its shift ends.
    open: bool,
    /// From when on another team could have the task.
    free_at: DateTime<Utc>,
    rule: HandoffRule,
    /// Whether the holder is to pass it whatever is gained.
    is_to_leave: bool,
}

impl Scheduler {
    /// A shift of a team ends soon: what happens to each of its tasks is decided.
    pub(super) fn decide_handoffs(&mut self, team: TeamIndex) {
        for arrival in self.tasks_with(team) {
            let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| &task.state) else { continue };
            if active.handoff.is_undecided() {
                self.decide_handoff(arrival);
            }
        }
    }

    /// Decides to keep or to pass a task whose holder is near its shift end or past it; else does nothing.
    pub(super) fn decide_handoff(&mut self, arrival: Arrival) {
        if self.drains() {
            self.to_route.insert(arrival);
            return;
        }
        let Some(point) = self.handoff_point(arrival) else { return };
        let Some(entry) = self.tasks.get(&arrival) else { return };
        if self.is_in_grace(&entry.task, point) {
            self.grant_grace(arrival, point);
            return;
        }
        if point.open && point.free_at > self.now && self.ends_by(&entry.task, point.owner, point.free_at) {
            self.leave_undecided(arrival);
            return;
        }
        let Some(class) = self.board.classes.get(entry.class) else { return };
        let (board, task) = (&self.board, &entry.task);
        let chains = Chains { board, task, class, now: self.now, rule: point.rule };
        let Point { owner, free_at, is_to_leave, .. } = point;
        let question = Question { chains, owner, free_at, is_to_leave };
        let (verdict, comparison) = handoff::compare(&question);
        match verdict {
            Verdict::Keep(reason) => self.keep_on(arrival, reason, Some(comparison), None),
            Verdict::Pass { to, start_at, .. } => self.plan_pass(arrival, point, to, start_at, comparison),
        }
    }

    /// Whether a holder's shift end is near or past, so that there is something to decide.
    fn handoff_point(&self, arrival: Arrival) -> Option<Point> {
        let entry = self.tasks.get(&arrival)?;
        let TaskState::Active(active) = &entry.task.state else { return None };
        let owner = self.board.roster.team_index(&active.team)?;
        let (answered, load) = (active.handoff.answered, self.board.load(owner));
        if routing::still_stands(&self.board, &entry.task, entry.class, owner, self.now).is_err() {
            // Such a task is taken back, and nothing more of it is told to its holder.
            return None;
        }
        let notice = TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_notice_minutes));
        let fit = self.board.classes.get(entry.class).and_then(|class| class.fit(owner));
        let unfit_soon = fit
            .is_some_and(|fit| fit.ends_at() - self.now <= notice && !self.ends_by(&entry.task, owner, fit.ends_at()));
        let is_to_leave = answered || unfit_soon || self.board.roster.team(owner).winds_down();
        let asked_to_keep = active.handoff.kept_for == Some(KeepReason::Asked);
        let in_break = self.in_break(owner) && !answered && !unfit_soon;
        if entry.task.paused.is_some() || in_break || asked_to_keep && !is_to_leave {
            return None;
        }
        let rule = if is_to_leave { HandoffRule::Always } else { entry.task.needs.handoff };
        let (open, free_at) = match load.open_shift_end() {
            Some(_) if answered || unfit_soon => (true, self.now),
            Some(close) if close - notice <= self.now => (true, close),
            Some(_) => return None,
            None => (false, self.now),
        };
        Some(Point { owner, open, free_at, rule, is_to_leave })
    }

    /// Whether the holder is expected to be done by an instant.
    fn ends_by(&self, task: &Task, owner: TeamIndex, by: DateTime<Utc>) -> bool {
        let TaskState::Active(active) = &task.state else { return false };
        let (worked, since) = active.worked_since_report();
        let owner = self.board.roster.team(owner);
        let left = TimeDelta::minutes(i64::from(task.remaining_minutes())) - worked;
        owner.calendar.add(since, left.max(TimeDelta::zero()), &[]).is_ok_and(|at| at <= by)
    }

    /// Whether so little is left that the holder finishes it past the close.
    fn is_in_grace(&self, task: &Task, point: Point) -> bool {
        let routing = &self.board.roster.routing;
        let TaskState::Active(active) = &task.state else { return false };
        let is_over = active.handoff.grace_until.is_some_and(|until| until <= self.now);
        let little = task.remaining_minutes() <= routing.handoff_grace_minutes;
        let is_asked = active.handoff.passing.as_ref().is_some_and(|passing| passing.offer.is_some());
        // One that is closed by an override does not work on.
        let is_shut = self.board.roster.team(point.owner).closed_by_override;
        let may_finish = !is_shut || planted("grace-in-a-closed-office");
        let has_just_closed = self.grace_ends_at(point).is_some();
        little && may_finish && !is_over && has_just_closed && point.rule != HandoffRule::Always && !is_asked
    }

    /// Until when a little is finished past the close; `None` when the holder has been closed for longer than that.
    fn grace_ends_at(&self, point: Point) -> Option<DateTime<Utc>> {
        let grace = TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_grace_minutes));
        if point.open {
            return Some(point.free_at + grace);
        }
        let calendar = &self.board.roster.team(point.owner).calendar;
        let (_, closed_at) = calendar.open_intervals(self.now - grace, self.now).ok()?.last()?;
        Some(closed_at + grace)
    }

    /// The holder is expected to be done before its close after all: what was decided for that does not stand.
    fn leave_undecided(&mut self, arrival: Arrival) {
        self.drop_plan(arrival, WithdrawReason::Recalled);
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| &task.state) else { return };
        if active.handoff.at_close.is_some() {
            self.change_active(arrival, |active| {
                active.handoff.at_close = None;
                active.handoff.kept_for = None;
            });
        }
    }

    fn grant_grace(&mut self, arrival: Arrival, point: Point) {
        self.drop_plan(arrival, WithdrawReason::Recalled);
        let Some(ends_at) = self.grace_ends_at(point) else { return };
        let shift_end = self.board.load(point.owner).open_shift_end();
        self.change_active(arrival, |active| {
            active.handoff.shift_end = shift_end.or(active.handoff.shift_end);
            active.handoff.at_close = Some(ClosedBecause::Grace);
            active.handoff.grace_until.get_or_insert(ends_at);
            if !point.open {
                active.close_for(ClosedBecause::Grace);
            }
        });
    }

    /// The holder keeps the task, which is told once for each reason of a shift end.
    pub(super) fn keep_on(
        &mut self,
        arrival: Arrival,
        reason: KeepReason,
        comparison: Option<Comparison>,
        said: Option<(Said, String)>,
    ) {
        self.drop_plan(arrival, WithdrawReason::Recalled);
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| &task.state) else { return };
        let is_news = active.handoff.kept_for != Some(reason) || said.is_some();
        let (team, assignment) = (active.team.clone(), active.assignment);
        let owner = self.board.roster.team_index(&team).map(|team| self.board.load(team));
        let (open, shift_end) = (owner.is_none_or(|load| load.open), owner.and_then(TeamLoad::open_shift_end));
        let no_taker = reason == KeepReason::NoTaker;
        let because = if no_taker { ClosedBecause::NoTaker } else { ClosedBecause::Kept };
        let turn_downs = self.task_of(arrival).map_or(&[][..], |task| &task.turn_downs);
        let ends = turn_downs.iter().filter_map(|it| it.until).filter(|until| *until > self.now);
        let look_again_at = ends.min().filter(|_| no_taker);
        self.change_active(arrival, |active| {
            active.handoff.shift_end = shift_end.or(active.handoff.shift_end);
            active.handoff.at_close = Some(because);
            active.handoff.kept_for = Some(reason);
            active.handoff.look_again_at = look_again_at;
            if !open {
                active.close_for(because);
            }
        });
        if !is_news {
            return;
        }
        let (said, note) = said.map_or((Said::of(&team), None), |(said, note)| (said, Some(note)));
        let comparison = comparison.map(Box::new);
        self.record(arrival, said, Effect::Keep { assignment, reason, note, comparison });
        if reason == KeepReason::LimitReached {
            self.tell_limit(arrival);
        }
    }

    fn tell_limit(&mut self, arrival: Arrival) {
        let Some(task) = self.task_of(arrival).filter(|task| !task.handoff_limit_told) else { return };
        let handoffs = task.handoffs;
        self.change(arrival, |task| task.handoff_limit_told = true);
        self.record(arrival, Said::default(), Effect::ReachHandoffLimit { handoffs });
    }

    /// Plans to pass a task to a team at an instant, asks the holder for its notes, and offers it when that is now.
    fn plan_pass(
        &mut self,
        arrival: Arrival,
        point: Point,
        to: TeamIndex,
        start_at: DateTime<Utc>,
        comparison: Comparison,
    ) {
        let target = self.board.roster.team(to).id.clone();
        let offer_at = start_at.max(point.free_at);
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| task.state.clone()) else { return };
        let before = active.handoff.passing.as_deref();
        let same_team = before.filter(|it| it.to == target);
        if same_team.is_some_and(|it| it.offer.is_some()) {
            return;
        }
        // A plan whose moment has come is the same plan a little later.
        let now = self.now;
        let is_due = |at: DateTime<Utc>| at <= now;
        let same = same_team.filter(|it| it.offer_at == offer_at || is_due(it.offer_at) && is_due(offer_at));
        let is_same = same.is_some();
        if same_team.is_none() {
            self.drop_plan(arrival, WithdrawReason::Recalled);
        }
        let remaining = || self.task_of(arrival).map_or(0, Task::remaining_minutes);
        let effort_minutes = same.map_or_else(remaining, |it| it.effort_minutes);
        let offer_at = same.map_or(offer_at, |it| it.offer_at);
        let passing = Passing { to: target.clone(), effort_minutes, offer_at, offer: None };
        // The holder is told anew when it has less time than it was told.
        let has_less = !is_due(offer_at) && before.is_none_or(|it| offer_at < it.offer_at);
        let asks = !active.handoff.answered && (!active.handoff.requested || has_less);
        let shift_end = self.board.load(point.owner).open_shift_end();
        self.change_active(arrival, |active| {
            active.handoff.shift_end = shift_end.or(active.handoff.shift_end);
            active.handoff.passing = Some(Box::new(passing));
            active.handoff.at_close = Some(ClosedBecause::Planned);
            active.handoff.kept_for = None;
            active.handoff.requested |= asks;
            active.handoff.look_again_at = None;
            if !point.open {
                active.close_for(ClosedBecause::Planned);
            }
        });
        let assignment = active.assignment;
        if !is_same {
            let effect = Effect::PlanHandoff { assignment, offer_at, comparison: Box::new(comparison) };
            self.record(arrival, Said::of(&target), effect);
        }
        if asks {
            let effect = Effect::RequestHandoff { assignment, answer_by: offer_at };
            self.record(arrival, Said::to(&active.team, WorkMessage::HandoffRequested), effect);
        }
        if offer_at <= self.now {
            self.offer_pass(arrival, to);
        }
    }

    /// Proposes an owned task to the team that is to have it next.
    fn offer_pass(&mut self, arrival: Arrival, to: TeamIndex) {
        let roster = Arc::clone(&self.board.roster);
        let team = roster.team(to);
        let Some(shift_end) = self.board.load(to).open_shift_end() else { return };
        let Some(task) = self.task_of(arrival) else { return };
        if self.board.walls.clear(&team.id, &task.client, &task.matter).is_err() {
            return;
        }
        let offer = self.new_offer(task, to, shift_end);
        let assignment = offer.assignment;
        let implicit = team.acceptance == Acceptance::Implicit;
        let brief = self.brief(task, team, assignment, offer.until);
        self.change(arrival, |task| {
            task.assignments = assignment;
            if let TaskState::Active(active) = &mut task.state
                && let Some(passing) = &mut active.handoff.passing
            {
                passing.offer = Some(offer);
            }
        });
        self.record(arrival, Said::to(&team.id, WorkMessage::Offer), Effect::Offer(Box::new(brief)));
        if implicit {
            self.pass_on(arrival, None);
        }
    }

    /// The next team takes the task: from this instant on it owns it, and the old one does not.
    pub(super) fn pass_on(&mut self, arrival: Arrival, update: Option<RequestId>) {
        self.tell_overdue(arrival);
        let now = self.now;
        let Some(task) = self.task_of(arrival) else { return };
        let TaskState::Active(owner) = task.state.clone() else { return };
        let Some(offer) = owner.handoff.passing.as_ref().and_then(|passing| passing.offer.clone()) else { return };
        let is_open = self.board.roster.team_index(&offer.team).is_none_or(|team| self.board.load(team).open);
        let remaining_minutes = task.remaining_minutes();
        let implicit = update.is_none();
        let with_payload = !implicit && task.needs.payload_on == crate::engine::roster::PayloadOn::Accept;
        let next = Active {
            closed_because: (!is_open).then_some(ClosedBecause::Break),
            ..Active::new(&offer, remaining_minutes, now)
        };
        self.end_part(arrival, |task| {
            task.handoffs += 1;
            task.state = TaskState::Active(next);
            crate::engine::sla::touch(task, Moment::Accepted, now);
        });
        self.remember_holder(&offer.team, arrival);
        let said = match update {
            Some(_) => Said { update, ..Said::to(&offer.team, WorkMessage::UpdateResult) },
            None => Said::of(&offer.team),
        };
        self.record(arrival, said, Effect::Accept { assignment: offer.assignment, implicit, with_payload });
        let effect =
            Effect::PassHandoff { assignment: owner.assignment, to: offer.team, next_assignment: offer.assignment };
        self.record(arrival, Said::to(&owner.team, WorkMessage::Ended), effect);
        // One that was accepted after the notice of the new holder's own shift end is decided now.
        self.decide_handoff(arrival);
    }

    /// The team that was to have it next does not take it; another is looked for.
    pub(super) fn refuse_pass(&mut self, arrival: Arrival, how: HandoffRefusal, update: Option<RequestId>) {
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| task.state.clone()) else { return };
        let Some(offer) = active.handoff.passing.and_then(|passing| passing.offer) else { return };
        let cause = match how {
            HandoffRefusal::Declined { reason, .. } => Some(TurnDownCause::Declined(reason)),
            HandoffRefusal::Lapsed => Some(TurnDownCause::Lapsed),
            HandoffRefusal::ShiftEnded => None,
            HandoffRefusal::Unreachable => Some(TurnDownCause::Unreachable),
        };
        if let Some(cause) = cause {
            self.turn_down(arrival, &offer.team, cause);
        }
        if cause == Some(TurnDownCause::Lapsed) {
            self.change(arrival, |task| task.lapsed = Some(offer.assignment));
        }
        self.change_active(arrival, Active::forget_plan);
        let message = if update.is_some() { WorkMessage::UpdateResult } else { WorkMessage::Withdrawn };
        let said = Said { update, ..Said::to(&offer.team, message) };
        let conflicted = matches!(how, HandoffRefusal::Declined { reason: DeclineReason::Conflict, .. });
        self.record(arrival, said, Effect::DeclineHandoff { assignment: offer.assignment, how });
        if conflicted {
            self.raise_conflict(arrival, &offer.team);
        }
        self.decide_handoff(arrival);
    }

    /// The holder hands the task on: with its notes it goes to the next team as soon as that is there.
    pub(super) fn hand_on(&mut self, arrival: Arrival, said: Notes, remaining: Option<u32>, update: RequestId) {
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| task.state.clone()) else { return };
        if let Some(remaining_minutes) = remaining {
            self.report_left(arrival, remaining_minutes);
        }
        self.change_active(arrival, |active| {
            active.handoff.notes.renew(said);
            active.handoff.answered = true;
        });
        let said = Said { update: Some(update), ..Said::to(&active.team, WorkMessage::UpdateResult) };
        let remaining_minutes = self.task_of(arrival).map_or(0, Task::remaining_minutes);
        self.record(arrival, said, Effect::AnswerHandoff { assignment: active.assignment, remaining_minutes });
        self.tell_next(arrival);
        self.decide_handoff(arrival);
    }

    /// The team that has the task offered hears what its holder has said since.
    fn tell_next(&mut self, arrival: Arrival) {
        let offer = self.task_of(arrival).and_then(Task::handoff_offer);
        let Some((team, assignment)) = offer.map(|offer| (offer.team.clone(), offer.assignment)) else { return };
        self.tell_packet(arrival, &team, assignment);
    }

    /// A team hears what earlier holders have said.
    fn tell_packet(&mut self, arrival: Arrival, team: &TeamId, assignment: u32) {
        let Some(task) = self.task_of(arrival) else { return };
        let packet = self.packet(task);
        let effect = Effect::TellNext { assignment, remaining_minutes: task.remaining_minutes(), packet };
        self.record(arrival, Said::to(team, WorkMessage::Changed), effect);
    }

    /// Takes a plan back, and the offer that was made by it.
    pub(super) fn drop_plan(&mut self, arrival: Arrival, reason: WithdrawReason) {
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| &task.state) else { return };
        let Some(passing) = active.handoff.passing.clone() else { return };
        self.change_active(arrival, Active::forget_plan);
        match passing.offer {
            Some(offer) => {
                let is_there = self.board.roster.team_index(&offer.team).is_some();
                let addressed = is_there.then_some(WorkMessage::Withdrawn);
                let said = Said { addressed, ..Said::of(&offer.team) };
                self.record(arrival, said, Effect::Withdraw { assignment: offer.assignment, reason });
            }
            None => self.record(arrival, Said::of(&passing.to), Effect::DropHandoff { reason }),
        }
    }

    /// The holder is open: when what is decided was for an earlier shift end, the task is simply its own again. A start and
    /// another roster find the decisions of this shift in force.
    pub(super) fn end_old_handoff(&mut self, arrival: Arrival, owner: TeamIndex) {
        let Some(TaskState::Active(active)) = self.task_of(arrival).map(|task| &task.state) else { return };
        let was_closed = active.closed_because.is_some_and(|because| because != ClosedBecause::Break);
        let notice = TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_notice_minutes));
        let close = self.board.load(owner).open_shift_end();
        let is_near = active.handoff.answered || close.is_some_and(|close| close - notice <= self.now);
        // One that was decided early, since the holder said that it keeps the task, is for a close that still comes.
        let is_for_this_close = active.handoff.shift_end.is_some() && active.handoff.shift_end == close;
        let lies_ahead = active.handoff.shift_end.is_none_or(|decided_for| decided_for > self.now);
        let is_of_this_shift = (is_near || is_for_this_close) && lies_ahead;
        if !was_closed && is_of_this_shift || active.handoff.is_undecided() && !active.handoff.requested {
            return;
        }
        if active.handoff.passing.is_some() {
            self.keep_on(arrival, KeepReason::NextShift, None, None);
        }
        self.change_active(arrival, |active| {
            let notes = std::mem::take(&mut active.handoff.notes);
            active.handoff = HandoffState { notes, ..HandoffState::default() };
        });
    }

    /// Another roster or another request: a plan that rests on the old one is made anew.
    pub(super) fn replan(&mut self, arrival: Arrival, reason: WithdrawReason) {
        let Some(entry) = self.tasks.get(&arrival) else { return };
        let TaskState::Active(active) = &entry.task.state else { return };
        let Some(passing) = &active.handoff.passing else {
            // One whose shift end is near or past, and one that is to leave it, may find a taker now.
            let is_decided = active.closed_because.is_some() || active.handoff.at_close.is_some();
            let owner = self.board.roster.team_index(&active.team);
            let winds_down = owner.is_some_and(|owner| self.board.roster.team(owner).winds_down());
            if is_decided || active.handoff.answered || winds_down {
                self.decide_handoff(arrival);
            }
            return;
        };
        let target = self.board.roster.team_index(&passing.to);
        let stands = target.is_some_and(|target| {
            routing::still_stands(&self.board, &entry.task, entry.class, target, self.now).is_ok()
        });
        let offered = target.filter(|_| passing.offer.is_some());
        if !stands && !planted("hand-off-without-a-plan-check") || reason == WithdrawReason::Amended {
            self.drop_plan(arrival, reason);
        } else if let Some(target) = offered {
            if self.board.load(target).open || self.in_break(target) {
                self.refit_handoff_offer(arrival, target);
                return;
            }
            self.drop_plan(arrival, WithdrawReason::ShiftEnd);
        }
        self.decide_handoff(arrival);
    }

    /// The offer to the next team ends by that team's hours as they are now.
    fn refit_handoff_offer(&mut self, arrival: Arrival, target: TeamIndex) {
        let Some(task) = self.task_of(arrival) else { return };
        let Some(offer) = task.handoff_offer() else { return };
        let shift_end = self.board.load(target).shift_end.unwrap_or(self.now);
        let refitted = self.limited(offer.clone(), target, shift_end);
        self.change_active(arrival, |active| {
            if let Some(offer) = active.handoff.passing.as_mut().and_then(|passing| passing.offer.as_mut()) {
                *offer = refitted;
            }
        });
    }

    /// Whether a completion comes from the holder before this one, soon enough to count.
    pub(super) fn completes_late(&self, task: &Task, team: &TeamId, assignment: u32) -> bool {
        let within = TimeDelta::minutes(i64::from(self.board.roster.routing.late_complete_within_minutes));
        let TaskState::Active(active) = &task.state else { return false };
        let last = task.holders.last().filter(|it| it.team == *team && it.assignment == assignment);
        let cleared = self.board.walls.clear(team, &task.client, &task.matter).is_ok();
        let has_begun = active.reported_at.is_some() && !planted("late-completion-after-progress");
        let in_time = |at: DateTime<Utc>| self.now - at <= within || planted("late-completion-at-any-time");
        cleared && !has_begun && last.is_some_and(|it| in_time(it.until))
    }

    /// Whether a completion comes from an earlier holder that no wall keeps from the task, too late to count.
    pub(super) fn completes_too_late(&self, task: &Task, team: &TeamId, assignment: u32) -> bool {
        let held = task.holders.iter().any(|it| it.team == *team && it.assignment == assignment);
        held && self.board.walls.clear(team, &task.client, &task.matter).is_ok()
    }

    /// What an earlier holder has completed goes into the packet, and the team that has the task now hears of it.
    pub(super) fn attach_completion(
        &mut self,
        arrival: Arrival,
        team: &TeamId,
        assignment: u32,
        note: Option<String>,
        update: &RequestId,
    ) {
        let now = self.now;
        self.change(arrival, |task| task.attach_completion(team, assignment, note, now));
        let said = Said { update: Some(update.clone()), ..Said::to(team, WorkMessage::UpdateResult) };
        self.record(arrival, said, Effect::AttachCompletion { assignment });
        let holder = self.task_of(arrival).and_then(Task::assignment).map(|(team, number)| (team.clone(), number));
        if let Some((holder, number)) = holder {
            self.tell_packet(arrival, &holder, number);
        }
        self.tell_next(arrival);
    }

    /// Changes the ownership of a task.
    pub(super) fn change_active(&mut self, arrival: Arrival, change: impl FnOnce(&mut Active)) {
        self.change(arrival, |task| {
            if let TaskState::Active(active) = &mut task.state {
                change(active);
            }
        });
    }
}
