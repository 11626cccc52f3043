//! Where a task goes: offers, waits, and the filling of free seats.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Said, Scheduler};
use crate::engine::effect::{DerivedBecause, Effect, OfferBrief, WithdrawReason, WorkMessage};
use crate::engine::explain::{Decision, Filter};
use crate::engine::forecast;
use crate::engine::id::{RequestId, TeamId};
use crate::engine::planted::planted;
use crate::engine::roster::{Acceptance, Moment, PayloadOn, Team, TeamIndex};
use crate::engine::routing::{self, Outcome};
use crate::engine::sla;
use crate::engine::task::{
    Active, Arrival, ClosedBecause, Offer, Task, TaskState, TurnDown, TurnDownCause, WaitReason, Waiting, WakeCause,
};
use crate::engine::update::DeclineReason;
use crate::engine::walls::Cleared;

impl Scheduler {
    /// Decides for a task that no team has, and does it.
    pub(super) fn route(&mut self, arrival: Arrival) {
        let waits = self.task_of(arrival).is_some_and(|task| matches!(task.state, TaskState::Waiting(_)));
        if !waits || self.admitting.is_some_and(|(first, last)| (first..=last).contains(&arrival)) {
            return;
        }
        self.derive_stale();
        self.mark_ready_now(arrival);
        if self.drains() {
            self.to_route.insert(arrival);
            return;
        }
        let Some(entry) = self.tasks.get(&arrival) else { return };
        if let Some(waiting) = must_wait(&entry.task, self.now) {
            self.park(arrival, waiting, None);
            return;
        }
        let Some(entry) = self.tasks.get(&arrival) else { return };
        let mut choice = routing::decide(&self.board, &entry.task, entry.class, self.now);
        if self.keeps_tables {
            let table = routing::explain(&self.board, &entry.task, entry.class, self.now);
            Arc::make_mut(&mut choice.decision).table = Some(table);
        }
        match choice.outcome {
            Outcome::Offer(team, _) => {
                let id = &self.board.roster.team(team).id;
                match self.board.walls.clear(id, &entry.task.client, &entry.task.matter) {
                    Ok(cleared) => self.offer(arrival, team, choice.decision, &cleared),
                    // The standing filters let the team pass, so a wall here means that the class is stale.
                    Err(_) => self.park(arrival, unroutable(self.now), Some(choice.decision)),
                }
            }
            Outcome::Wait(waiting) => self.park(arrival, waiting, Some(choice.decision)),
        }
    }

    /// Lets a task wait, and says so when that is news. Time waited counts on.
    pub(super) fn park(&mut self, arrival: Arrival, mut waiting: Waiting, decision: Option<Arc<Decision>>) {
        let Some(task) = self.task_of(arrival) else { return };
        let (mut is_news, mut is_same, mut was_unroutable) = (true, false, false);
        if let TaskState::Waiting(before) = &task.state {
            waiting.since = before.since;
            is_news = before.is_undecided() || (before.reason, before.wakes_at) != (waiting.reason, waiting.wakes_at);
            was_unroutable = before.reason == WaitReason::NoTeamEligible;
            is_same = *before == waiting;
        }
        let unroutable = waiting.reason == WaitReason::NoTeamEligible && !was_unroutable;
        let effect = Effect::Park(waiting.clone());
        if is_same {
            // Its place in the line may be another one all the same.
            self.change_entry(arrival, |_| {});
        } else {
            self.change(arrival, |task| task.state = TaskState::Waiting(waiting));
        }
        if !is_news {
            return;
        }
        let rejected: BTreeMap<Filter, u32> = decision.as_ref().map(|it| it.rejected.clone()).unwrap_or_default();
        self.record(arrival, Said { decision, ..Said::default() }, effect);
        if unroutable {
            self.record(arrival, Said::default(), Effect::ReportUnroutable { rejected });
        }
    }

    /// Proposes a task to a team that no wall keeps from it; a team that accepts by its policy owns it at once.
    pub(super) fn offer(&mut self, arrival: Arrival, index: TeamIndex, decision: Arc<Decision>, _cleared: &Cleared) {
        self.tell_overdue(arrival);
        let now = self.now;
        let roster = Arc::clone(&self.board.roster);
        let team = roster.team(index);
        let shift_end = self.board.load(index).open_shift_end().unwrap_or(now);
        let charged = self.charge_offer(arrival);
        let Some(task) = self.task_of(arrival) else { return };
        let offer = self.new_offer(task, index, shift_end);
        let assignment = offer.assignment;
        let implicit = team.acceptance == Acceptance::Implicit;
        let brief = self.brief(task, team, assignment, offer.until);
        self.change(arrival, |task| {
            (task.assignments, task.charged) = (assignment, charged);
            task.state = TaskState::Offered(offer);
            sla::touch(task, Moment::Offered, now);
        });
        let said = Said { decision: Some(decision), ..Said::to(&team.id, WorkMessage::Offer) };
        self.record(arrival, said, Effect::Offer(Box::new(brief)));
        if implicit {
            self.accept(arrival, None);
        }
    }

    /// What a team is told with an offer.
    pub(super) fn brief(&self, task: &Task, team: &Team, assignment: u32, until: DateTime<Utc>) -> OfferBrief {
        let roster = &self.board.roster;
        let class = self.tasks.get(&task.arrival).and_then(|entry| self.board.classes.get(entry.class));
        let coverage = class.and_then(|class| class.counted_coverage(task, roster, self.now));
        let with_offer = task.needs.payload_on == PayloadOn::Offer;
        let due_at = forecast::due_at(task, roster, Some(team), coverage, self.now);
        OfferBrief {
            assignment,
            until,
            id: task.request.clone(),
            matter: task.matter.clone(),
            work_type: task.needs.work_type.clone(),
            jurisdiction: task.needs.jurisdiction.clone(),
            specialty: task.needs.specialty.clone(),
            languages: task.needs.languages.clone(),
            skills: task.needs.skills.clone(),
            place: task.needs.place.clone(),
            priority: task.priority,
            remaining_minutes: task.remaining_minutes(),
            due_at,
            derived: due_at.is_some() && due_at == task.derived_deadline(),
            clocks: self.clocks_so_far(task.arrival),
            packet: self.packet(task),
            with_payload: with_offer || team.acceptance == Acceptance::Implicit,
        }
    }

    /// The next offer of a task, to a team whose shift ends then.
    pub(super) fn new_offer(&self, task: &Task, index: TeamIndex, shift_end: DateTime<Utc>) -> Offer {
        let unlimited = Offer {
            team: self.board.roster.team(index).id.clone(),
            assignment: task.assignments + 1,
            at: self.now,
            until: shift_end,
            until_shift_end: true,
            priority: task.priority,
            stood_ms: 0,
        };
        self.limited(unlimited, index, shift_end)
    }

    /// An offer with its end by the team's hours: its limit in open time and what of that it stood still, or the shift end
    /// when that comes first.
    pub(super) fn limited(&self, offer: Offer, team: TeamIndex, shift_end: DateTime<Utc>) -> Offer {
        let roster = &self.board.roster;
        let limit = roster.routing.offer_limit_minutes[offer.priority.rank()];
        let limit = TimeDelta::minutes(i64::from(limit)) + TimeDelta::milliseconds(offer.stood_ms);
        let until = if planted("offer-lapses-over-lunch") {
            shift_end.min(offer.at + limit)
        } else {
            roster.team(team).calendar.add(offer.at, limit, &[]).map_or(shift_end, |until| until.min(shift_end))
        };
        Offer { until, until_shift_end: until >= shift_end, ..offer }
    }

    /// The offered team owns the task.
    pub(super) fn accept(&mut self, arrival: Arrival, update: Option<RequestId>) {
        self.tell_overdue(arrival);
        let now = self.now;
        let Some(task) = self.task_of(arrival) else { return };
        let TaskState::Offered(offer) = task.state.clone() else { return };
        // An offer outlives a break only, so a closed team that accepts is in one.
        let is_open = self.board.roster.team_index(&offer.team).is_none_or(|team| self.board.load(team).open);
        let active = Active {
            closed_because: (!is_open).then_some(ClosedBecause::Break),
            ..Active::new(&offer, task.remaining_minutes(), now)
        };
        let implicit = update.is_none();
        let with_payload = !implicit && task.needs.payload_on == PayloadOn::Accept;
        self.change(arrival, |task| {
            task.state = TaskState::Active(active);
            sla::touch(task, Moment::Accepted, now);
        });
        self.remember_holder(&offer.team, arrival);
        let said = match &update {
            Some(_) => Said { update, ..Said::to(&offer.team, WorkMessage::UpdateResult) },
            None => Said::of(&offer.team),
        };
        self.record(arrival, said, Effect::Accept { assignment: offer.assignment, implicit, with_payload });
        // One that is accepted after the notice of a shift end is decided at once.
        self.decide_handoff(arrival);
    }

    /// Whether an accept comes late and counts all the same: the offer lapsed and was the last one, the task still waits,
    /// and but for that lapse the team could have it now.
    pub(super) fn accepts_late(&self, task: &Task, team: &TeamId, assignment: u32) -> Option<Cleared> {
        let lapsed = |it: &TurnDown| it.team == *team && it.cause == TurnDownCause::Lapsed;
        let has_lapsed = task.lapsed == Some(assignment) && task.turn_downs.iter().any(lapsed);
        let was_last = task.assignments == assignment && has_lapsed;
        let waits = matches!(task.state, TaskState::Waiting(_)) && must_wait(task, self.now).is_none();
        let index = self.board.roster.team_index(team).filter(|_| waits && was_last)?;
        let in_the_way = routing::obstacles(&self.board, task, index, self.now);
        let could_have_it = in_the_way.iter().all(|it| it.rejection.filter() == Filter::TurnedDown);
        self.board.walls.clear(team, &task.client, &task.matter).ok().filter(|_| could_have_it)
    }

    /// The team owns the task by an offer that had lapsed.
    pub(super) fn accept_late(
        &mut self,
        arrival: Arrival,
        team: &TeamId,
        assignment: u32,
        update: &RequestId,
        _cleared: &Cleared,
    ) {
        let (now, charged) = (self.now, self.charge_offer(arrival));
        let Some(priority) = self.task_of(arrival).map(|task| task.priority) else { return };
        let offer = Offer {
            team: team.clone(),
            assignment,
            at: now,
            until: now,
            until_shift_end: false,
            priority,
            stood_ms: 0,
        };
        self.change(arrival, |task| {
            task.turn_downs.retain(|it| it.team != *team);
            task.charged = charged;
            task.state = TaskState::Offered(offer);
        });
        self.accept(arrival, Some(update.clone()));
    }

    /// Takes an offer back and tells the team; the caller routes the task anew or parks it.
    pub(super) fn withdraw(&mut self, arrival: Arrival, reason: WithdrawReason) {
        let Some(task) = self.task_of(arrival) else { return };
        let TaskState::Offered(offer) = task.state.clone() else { return };
        if let Some(cause) = reason.turn_down() {
            self.turn_down(arrival, &offer.team, cause);
        }
        self.vacate(arrival);
        let said = Said::to(&offer.team, WorkMessage::Withdrawn);
        self.record(arrival, said, Effect::Withdraw { assignment: offer.assignment, reason });
    }

    /// Ends a holder's part: it goes into the packet, and nobody has the task.
    pub(super) fn end_holding(&mut self, arrival: Arrival) {
        let now = self.now;
        self.end_part(arrival, |task| task.state = TaskState::Waiting(Waiting::undecided(now)));
        self.derive_later(arrival, DerivedBecause::StepReturned);
    }

    /// Nobody has the task for the moment; the next decision gives the reason.
    pub(super) fn vacate(&mut self, arrival: Arrival) {
        let now = self.now;
        self.change(arrival, |task| task.state = TaskState::Waiting(Waiting::undecided(now)));
        self.derive_later(arrival, DerivedBecause::StepReturned);
    }

    /// Notes that a team turned a task down, and until when that holds.
    pub(super) fn turn_down(&mut self, arrival: Arrival, team: &TeamId, cause: TurnDownCause) {
        let roster = Arc::clone(&self.board.roster);
        // By the hours of now: what is noticed late comes before the close that the board has not seen yet.
        let next_opening = roster.team_index(team).and_then(|index| self.board.opens_at(index, self.now));
        let now = self.now;
        self.change(arrival, |task| {
            let earlier = task.turn_downs.iter().find(|it| it.team == *team).map_or(0, |it| it.times);
            let times = earlier + 1;
            let until = if is_for_good(cause) {
                None
            } else {
                let first = u64::from(roster.routing.decline_cooldown_minutes);
                let doubled = first.saturating_mul(1 << (times - 1).min(16));
                let minutes = doubled.min(u64::from(roster.routing.decline_cooldown_max_minutes));
                let cooled = now + TimeDelta::minutes(i64::try_from(minutes).unwrap_or(i64::MAX / 60_000));
                Some(next_opening.map_or(cooled, |at| at.min(cooled)))
            };
            task.turn_downs.retain(|it| it.team != *team);
            task.turn_downs.push(TurnDown { team: team.clone(), cause, times, until });
        });
    }

    /// Its `not_before` is reached: that instant is its moment, even when it is noticed later.
    pub(super) fn reach_not_before(&mut self, arrival: Arrival, reached_at: DateTime<Utc>) {
        self.tell_ready(arrival, reached_at);
        self.to_route.insert(arrival);
    }

    /// Marks a task as ready when nothing has to come first any more.
    pub(super) fn mark_ready_now(&mut self, arrival: Arrival) {
        self.tell_ready(arrival, self.now);
    }

    fn tell_ready(&mut self, arrival: Arrival, ready_at: DateTime<Utc>) {
        if self.task_of(arrival).is_some_and(|task| task.is_to_be_ready(self.now)) {
            self.mark_ready(arrival, ready_at);
            self.record(arrival, Said::default(), Effect::MarkReady {});
        }
    }

    /// Marks the moment at which nothing has to come first any more.
    pub(super) fn mark_ready(&mut self, arrival: Arrival, ready_at: DateTime<Utc>) {
        self.change(arrival, |task| {
            task.ready_at = Some(ready_at);
            sla::touch(task, Moment::Ready, ready_at);
        });
    }

    /// A team that works on a task is known for its matter from now on.
    pub(super) fn remember_holder(&mut self, team: &TeamId, arrival: Arrival) {
        if let Some(entry) = self.tasks.get(&arrival) {
            self.board.affinity.remember(team, &entry.task.client, &entry.task.matter, self.now);
        }
    }

    /// Teams that worked on a task are known for its matter.
    pub(super) fn remember_work(&mut self, task: &Task) {
        let affinity = &mut self.board.affinity;
        for holder in &task.holders {
            affinity.remember(&holder.team, &task.client, &task.matter, holder.from);
        }
        if let TaskState::Active(Active { team, at, .. }) | TaskState::Completed { team, at } = &task.state {
            affinity.remember(team, &task.client, &task.matter, *at);
        }
    }
}

/// Why a task must wait whatever the teams can do.
pub(super) fn must_wait(task: &Task, now: DateTime<Utc>) -> Option<Waiting> {
    let waiting = |reason, wakes_at, cause| Waiting {
        reason,
        since: now,
        wakes_at,
        woken_by: vec![cause],
        waits_for: Vec::new(),
    };
    if !task.after_cancelled.is_empty() {
        return Some(waiting(WaitReason::PredecessorCancelled, None, WakeCause::Resumed));
    }
    if task.held {
        return Some(waiting(WaitReason::Held, None, WakeCause::Resumed));
    }
    if task.paused.is_some() {
        return Some(waiting(WaitReason::Paused, None, WakeCause::Resumed));
    }
    if !task.after.is_empty() {
        return Some(waiting(WaitReason::Predecessor, None, WakeCause::PredecessorEnds));
    }
    match task.not_before {
        Some(at) if at > now => Some(waiting(WaitReason::NotBefore, Some(at), WakeCause::NotBeforeReached)),
        _ => None,
    }
}

fn unroutable(now: DateTime<Utc>) -> Waiting {
    let woken_by = vec![WakeCause::RosterChanges, WakeCause::RequestAmended];
    Waiting { reason: WaitReason::NoTeamEligible, since: now, wakes_at: None, woken_by, waits_for: Vec::new() }
}

fn is_for_good(cause: TurnDownCause) -> bool {
    match cause {
        TurnDownCause::Declined(DeclineReason::NotQualified | DeclineReason::Conflict) => true,
        TurnDownCause::Declined(DeclineReason::Busy)
        | TurnDownCause::Lapsed
        | TurnDownCause::Released
        | TurnDownCause::Recalled
        | TurnDownCause::Unreachable => false,
    }
}
