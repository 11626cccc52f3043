//! The indexes beside the tasks. A task changes only through [`Scheduler::change`], which takes it out of every index,
//! changes it, and puts it back where it now belongs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Entry, Fill, Scheduler};
use crate::engine::forecast;
use crate::engine::id::{TaskId, TeamId};
use crate::engine::load::{Coming, Holding};
use crate::engine::queue::WaitKey;
use crate::engine::request::Priority;
use crate::engine::roster::{Capacity, Roster, TeamIndex};
use crate::engine::task::{
    Active, Arrival, ClosedBecause, Passing, Task, TaskState, TurnDownCause, WaitReason, Waiting,
};
use crate::engine::timer::{Timer, Timers};
use crate::engine::update::DeclineReason;

/// Counts of open tasks, for metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Waiting tasks by priority and reason.
    pub waiting: BTreeMap<(Priority, WaitReason), u64>,
    /// Offered and active tasks by team and state.
    pub with_team: BTreeMap<(TeamId, &'static str), u64>,
    /// Owned tasks by the team that is to have them next, planned or asked already.
    pub next_team: BTreeMap<TeamId, u64>,
    /// Owned tasks whose holder has said nothing for so long that it was told.
    pub stalled: u64,
    /// Since when waiting tasks that some team may do have waited, by priority.
    since: BTreeMap<Priority, BTreeMap<DateTime<Utc>, u64>>,
}

impl Census {
    /// Since when the oldest waiting task of a priority waits that some team may do.
    #[must_use]
    pub fn oldest_waiting_since(&self, priority: Priority) -> Option<DateTime<Utc>> {
        self.since.get(&priority)?.first_key_value().map(|(since, _)| *since)
    }

    pub(super) fn add(&mut self, task: &Task) {
        match &task.state {
            TaskState::Waiting(waiting) => {
                *self.waiting.entry((task.priority, waiting.reason)).or_default() += 1;
                if is_routable(waiting.reason) {
                    *self.since.entry(task.priority).or_default().entry(waiting.since).or_default() += 1;
                }
            }
            TaskState::Offered(_) | TaskState::Active(_) => {
                if let Some(team) = task.state.team() {
                    *self.with_team.entry((team.clone(), task.state.as_str())).or_default() += 1;
                }
                if let Some(next) = next_team(task) {
                    *self.next_team.entry(next.clone()).or_default() += 1;
                }
                self.stalled += u64::from(is_stalled(task));
            }
            TaskState::Completed { .. } | TaskState::Cancelled { .. } => {}
        }
    }

    fn remove(&mut self, task: &Task) {
        match &task.state {
            TaskState::Waiting(waiting) => {
                take_one(&mut self.waiting, &(task.priority, waiting.reason));
                if is_routable(waiting.reason)
                    && let Some(since) = self.since.get_mut(&task.priority)
                {
                    take_one(since, &waiting.since);
                    if since.is_empty() {
                        self.since.remove(&task.priority);
                    }
                }
            }
            TaskState::Offered(_) | TaskState::Active(_) => {
                if let Some(team) = task.state.team() {
                    take_one(&mut self.with_team, &(team.clone(), task.state.as_str()));
                }
                if let Some(next) = next_team(task) {
                    take_one(&mut self.next_team, next);
                }
                self.stalled -= u64::from(is_stalled(task));
            }
            TaskState::Completed { .. } | TaskState::Cancelled { .. } => {}
        }
    }
}

fn next_team(task: &Task) -> Option<&TeamId> {
    let TaskState::Active(active) = &task.state else { return None };
    active.handoff.passing.as_ref().map(|passing| &passing.to)
}

fn is_stalled(task: &Task) -> bool {
    matches!(&task.state, TaskState::Active(active) if active.is_stalled())
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// Whether a task that waits for this reason is offered as soon as a team can take it.
pub(super) fn is_routable(reason: WaitReason) -> bool {
    match reason {
        WaitReason::NoTeamOpen
        | WaitReason::NoSeatFree
        | WaitReason::TurnedDown
        | WaitReason::Drained
        | WaitReason::WaitsForBetter => true,
        WaitReason::NotBefore
        | WaitReason::Predecessor
        | WaitReason::PredecessorCancelled
        | WaitReason::Held
        | WaitReason::Paused
        | WaitReason::NoTeamEligible => false,
    }
}

impl Scheduler {
    /// Takes a new task in.
    pub(super) fn insert(&mut self, task: Task) {
        let arrival = task.arrival;
        self.by_id.insert(task.id.clone(), arrival);
        self.next_arrival = self.next_arrival.max(arrival.0 + 1);
        let class = self.join_class(&task);
        let matter = (task.client.clone(), task.matter.clone());
        self.by_matter.entry(matter).or_default().insert(arrival);
        self.tasks.insert(arrival, Entry { task, class, key: None, awaits: Vec::new() });
        self.turn_clocks(arrival, class);
        self.index(arrival);
    }

    /// Joins the class of a task; a client that the roster does not have joins none.
    pub(super) fn join_class(&mut self, task: &Task) -> crate::engine::class::ClassId {
        let board = &mut self.board;
        match board.roster.clients.get(&task.client) {
            Some(client) => {
                board.classes.join(&board.roster, &board.walls, client, &task.matter, &task.needs, self.now)
            }
            None => crate::engine::class::ClassId(u32::MAX),
        }
    }

    /// The only way to change a task; a seat that this frees is filled before the step ends.
    pub(super) fn change(&mut self, arrival: Arrival, change: impl FnOnce(&mut Task)) {
        self.out.changed.insert(arrival);
        self.change_entry(arrival, |entry| change(&mut entry.task));
    }

    /// Changes what surrounds a task, or only puts it anew into the indexes; what a store keeps of it stays as it is.
    pub(super) fn change_entry(&mut self, arrival: Arrival, change: impl FnOnce(&mut Entry)) {
        let before = self.seat_of(arrival);
        let kept_before = self.seat_kept_for(arrival);
        self.unindex(arrival);
        if let Some(entry) = self.tasks.get_mut(&arrival) {
            let class_before = entry.class;
            change(entry);
            self.turn_clocks(arrival, class_before);
        }
        self.index(arrival);
        if let Some((next, minutes)) = kept_before {
            let kept = self.seat_kept_for(arrival).filter(|(team, _)| *team == next);
            if kept.is_none_or(|(_, kept_minutes)| kept_minutes < minutes) {
                self.fill_later(next);
            }
        }
        let Some(before) = before else { return };
        let after = self.seat_of(arrival).filter(|after| after.team == before.team);
        if after.is_none_or(|after| after.minutes < before.minutes) {
            let fill = self.fill_later(before.team);
            fill.owner_freed |= before.owned;
        }
    }

    /// The team that is to have a task next, and the effort in minutes that a seat is kept for there.
    fn seat_kept_for(&self, arrival: Arrival) -> Option<(TeamIndex, u32)> {
        let TaskState::Active(active) = &self.task_of(arrival)?.state else { return None };
        let passing = active.handoff.passing.as_ref()?;
        Some((self.board.roster.team_index(&passing.to)?, passing.effort_minutes))
    }

    /// The seat that a task uses.
    fn seat_of(&self, arrival: Arrival) -> Option<Seat> {
        let task = self.task_of(arrival).filter(|task| task.paused.is_none())?;
        let owned = match &task.state {
            TaskState::Active(_) => true,
            TaskState::Offered(_) => false,
            TaskState::Waiting(_) | TaskState::Completed { .. } | TaskState::Cancelled { .. } => return None,
        };
        let team = self.board.roster.team_index(task.state.team()?)?;
        // Only a team that is sized by effort has more room when less of a task is left.
        let minutes = match self.board.roster.team(team).capacity {
            Capacity::Seats(_) => 0,
            Capacity::EffortHours(_) => task.remaining_minutes(),
        };
        Some(Seat { team, owned, minutes })
    }

    /// Takes an ended task out and hands it to the effects.
    pub(super) fn retire(&mut self, arrival: Arrival) {
        self.unindex(arrival);
        let Some(entry) = self.tasks.remove(&arrival) else { return };
        self.board.classes.leave(entry.class);
        self.by_id.remove(&entry.task.id);
        let matter = (entry.task.client.clone(), entry.task.matter.clone());
        if let Some(tasks) = self.by_matter.get_mut(&matter) {
            tasks.remove(&arrival);
            if tasks.is_empty() {
                self.by_matter.remove(&matter);
            }
        }
        self.remember_end(&entry.task);
        self.correct_charge(&entry.task);
        self.out.ended.push(entry.task);
    }

    /// An ended task is known for a while, for what names it.
    pub(super) fn remember_end(&mut self, task: &Task) {
        let ended = crate::engine::event::EndedTask {
            id: task.id.clone(),
            digest: task.digest.clone(),
            state: task.state.as_str().into(),
            team: task.state.team().cloned(),
        };
        self.ended.remember(task.id.clone(), ended);
    }

    /// The open task of an arrival.
    #[must_use]
    pub fn task_of(&self, arrival: Arrival) -> Option<&Task> {
        self.tasks.get(&arrival).map(|entry| &entry.task)
    }

    /// The arrival of an open task.
    pub(super) fn arrival_of(&self, id: &TaskId) -> Option<Arrival> {
        self.by_id.get(id).copied()
    }

    /// Puts a task into the indexes of its state.
    pub(super) fn index(&mut self, arrival: Arrival) {
        let Some(entry) = self.tasks.get_mut(&arrival) else { return };
        let task = &entry.task;
        self.census.add(task);
        self.sla.add(task);
        super::clocks::each_timer(task, &mut self.timers, Timers::set);
        if let Some(at) = super::processes::late_at(task) {
            self.timers.set(at, Timer::StepLate(arrival));
        }
        if let Some(at) = super::predecessors::told_unknown_at(task, &self.by_id) {
            self.timers.set(at, Timer::PredecessorUnknown(arrival));
        }
        for predecessor in &task.after {
            self.dependants.entry(predecessor.clone()).or_default().insert(arrival);
        }
        match &task.state {
            TaskState::Waiting(waiting) => {
                // One that was reached while nobody looked fires at once: a held task becomes ready all the same.
                let unready = |at| task.ready_at.is_none() && (at > self.now || task.is_unblocked());
                if let Some(at) = task.not_before.filter(|at| waiting.reason == WaitReason::NotBefore || unready(*at)) {
                    self.timers.set(at, Timer::NotBefore(arrival));
                }
                entry.awaits = waiting.waits_for.iter().filter_map(|team| self.board.roster.team_index(team)).collect();
                if let Some(at) = better_expected_at(waiting) {
                    self.timers.set(at, Timer::BetterExpected(arrival));
                }
                // One that is not decided yet is about to be, and waits in no line.
                if is_routable(waiting.reason) && !waiting.is_undecided() {
                    let class = self.board.classes.get(entry.class);
                    let coverage = || class.and_then(|class| class.coverage(&self.board.roster, self.now));
                    let counted = class.and_then(|class| class.counted_coverage(task, &self.board.roster, self.now));
                    let due_at = forecast::due_at(task, &self.board.roster, None, counted, self.now);
                    let latest_start_at =
                        due_at.map(|due_at| forecast::latest_start_at(due_at, task.remaining_minutes(), coverage()));
                    let key = WaitKey::of(task, latest_start_at);
                    entry.key = Some(key);
                    if entry.awaits.is_empty() {
                        self.queue.insert(entry.class, &task.client, key);
                    } else {
                        self.queue.insert_awaiting(&entry.awaits, entry.class, &task.client, key);
                    }
                }
                for until in task.turn_downs.iter().filter_map(|it| it.until).filter(|until| *until > self.now) {
                    self.timers.set(until, Timer::TurnDownEnds(arrival));
                }
                for team in busy_teams(task, &self.board.roster, self.now) {
                    self.board.load_mut(team).busy.insert(arrival);
                }
            }
            TaskState::Offered(_) | TaskState::Active(_) => {
                if let TaskState::Offered(offer) = &task.state {
                    self.timers.set(offer.until, Timer::OfferLapses(arrival));
                }
                let holding = holding_of(task);
                if let TaskState::Active(active) = &task.state {
                    if let Some((at, timer)) = handoff_timer(active, arrival) {
                        self.timers.set(at, timer);
                    }
                    if let Some(at) = stalls_at(active, task, &self.board.roster) {
                        self.timers.set(at, Timer::Stalled(arrival));
                    }
                    // Nobody takes it over for now: a team that was busy is asked again when a seat frees there.
                    if active.handoff.look_again_at.is_some() {
                        for team in busy_teams(task, &self.board.roster, self.now) {
                            self.board.load_mut(team).busy.insert(arrival);
                        }
                    }
                    if let Some(passing) = active.handoff.passing.as_deref()
                        && let Some(next) = self.board.roster.team_index(&passing.to)
                    {
                        let offer_at =
                            if passing.offer.is_some() { DateTime::<Utc>::MIN_UTC } else { passing.offer_at };
                        let coming = Coming { remaining_minutes: passing.effort_minutes, offer_at };
                        self.board.load_mut(next).keep_seat(arrival, coming);
                    }
                }
                if let Some(team) = task.state.team().and_then(|team| self.board.roster.team_index(team)) {
                    let load = self.board.load_mut(team);
                    load.tasks.insert(arrival, holding);
                    if holding.uses_seat {
                        load.used += 1;
                        load.used_minutes = load.used_minutes.saturating_add(holding.remaining_minutes);
                    }
                }
            }
            TaskState::Completed { .. } | TaskState::Cancelled { .. } => {}
        }
    }

    /// Takes a task out of the indexes of its state.
    pub(super) fn unindex(&mut self, arrival: Arrival) {
        let Some(entry) = self.tasks.get_mut(&arrival) else { return };
        let task = &entry.task;
        self.census.remove(task);
        self.sla.remove(task);
        super::clocks::each_timer(task, &mut self.timers, Timers::clear);
        self.timers.clear(task.admitted_at + super::UNKNOWN_FOR, Timer::PredecessorUnknown(arrival));
        if let Some(at) = super::processes::late_at(task) {
            self.timers.clear(at, Timer::StepLate(arrival));
        }
        for turn_down in &task.turn_downs {
            if let Some(team) = self.board.roster.team_index(&turn_down.team) {
                self.board.load_mut(team).busy.remove(&arrival);
            }
        }
        for predecessor in &task.after {
            if let Some(waiting) = self.dependants.get_mut(predecessor) {
                waiting.remove(&arrival);
                if waiting.is_empty() {
                    self.dependants.remove(predecessor);
                }
            }
        }
        match &task.state {
            TaskState::Waiting(waiting) => {
                if let Some(at) = task.not_before {
                    self.timers.clear(at, Timer::NotBefore(arrival));
                }
                if let Some(at) = better_expected_at(waiting) {
                    self.timers.clear(at, Timer::BetterExpected(arrival));
                }
                if let Some(key) = entry.key.take() {
                    if entry.awaits.is_empty() {
                        self.queue.remove(entry.class, &task.client, &key);
                    } else {
                        self.queue.remove_awaiting(&entry.awaits, entry.class, &task.client, &key);
                    }
                }
                for until in task.turn_downs.iter().filter_map(|it| it.until) {
                    // One that is over and not noticed yet is not set again: the task is looked at all the same.
                    if self.timers.take(until, Timer::TurnDownEnds(arrival)) && until <= self.now {
                        self.to_route.insert(arrival);
                    }
                }
            }
            TaskState::Offered(_) | TaskState::Active(_) => {
                if let TaskState::Offered(offer) = &task.state {
                    self.timers.clear(offer.until, Timer::OfferLapses(arrival));
                }
                if let TaskState::Active(active) = &task.state {
                    if let Some((at, timer)) = handoff_timer(active, arrival) {
                        self.timers.clear(at, timer);
                    }
                    if let Some(at) = stalls_at(active, task, &self.board.roster) {
                        self.timers.clear(at, Timer::Stalled(arrival));
                    }
                    if let Some(next) = next_team(task).and_then(|team| self.board.roster.team_index(team)) {
                        self.board.load_mut(next).free_seat(arrival);
                    }
                }
                if let Some(team) = task.state.team().and_then(|team| self.board.roster.team_index(team)) {
                    let load = self.board.load_mut(team);
                    if let Some(holding) = load.tasks.remove(&arrival).filter(|holding| holding.uses_seat) {
                        load.used = load.used.saturating_sub(1);
                        load.used_minutes = load.used_minutes.saturating_sub(holding.remaining_minutes);
                    }
                }
            }
            TaskState::Completed { .. } | TaskState::Cancelled { .. } => {}
        }
    }

    /// Looks at a team's waiting tasks before the step ends.
    pub(super) fn fill_later(&mut self, team: TeamIndex) -> &mut Fill {
        self.to_fill.entry(team).or_default()
    }
}

/// When a task that waits for a better team is looked at again.
fn better_expected_at(waiting: &Waiting) -> Option<DateTime<Utc>> {
    waiting.wakes_at.filter(|_| waiting.reason == WaitReason::WaitsForBetter)
}

/// The room that a task takes at a team.
struct Seat {
    team: TeamIndex,
    /// Whether the team owns the task; else it is only offered.
    owned: bool,
    /// Its effort, where the team is sized by effort.
    minutes: u32,
}

/// What a hand-off waits for: the end of the grace, the end of the offer, or the moment to make it.
fn handoff_timer(active: &Active, arrival: Arrival) -> Option<(DateTime<Utc>, Timer)> {
    match active.handoff.passing.as_deref() {
        Some(Passing { offer: Some(offer), .. }) => Some((offer.until, Timer::OfferLapses(arrival))),
        Some(Passing { offer_at, .. }) => Some((*offer_at, Timer::HandoffOffer(arrival))),
        None => {
            let in_grace = active.handoff.at_close == Some(ClosedBecause::Grace);
            let grace = active.handoff.grace_until.filter(|_| in_grace).map(|until| (until, Timer::GraceEnds(arrival)));
            grace.or_else(|| active.handoff.look_again_at.map(|at| (at, Timer::HandoffOffer(arrival))))
        }
    }
}

/// When it is told that the holder says nothing, by the hours of its team.
fn stalls_at(active: &Active, task: &Task, roster: &Roster) -> Option<DateTime<Utc>> {
    let team = roster.team_index(&active.team)?;
    active.stalls_at(&roster.team(team).calendar, task.paused.is_some())
}

fn holding_of(task: &Task) -> Holding {
    let worked = match &task.state {
        TaskState::Active(active) => {
            let (worked, since) = active.worked_since_report();
            Some((u32::try_from(worked.num_minutes()).unwrap_or(u32::MAX), since))
        }
        _ => None,
    };
    Holding { remaining_minutes: task.remaining_minutes(), worked, uses_seat: task.paused.is_none() }
}

/// The teams that declined a task as busy, as far as that still holds.
fn busy_teams(task: &Task, roster: &Roster, now: DateTime<Utc>) -> Vec<TeamIndex> {
    let is_busy = |cause: TurnDownCause| cause == TurnDownCause::Declined(DeclineReason::Busy);
    let in_force = |until: Option<DateTime<Utc>>| until.is_some_and(|until| until > now);
    let busy = task.turn_downs.iter().filter(|it| is_busy(it.cause) && in_force(it.until));
    busy.filter_map(|it| roster.team_index(&it.team)).collect()
}
