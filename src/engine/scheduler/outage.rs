//! Outages: time in which nothing was read. What teams and firms sent in one counts before what fell due in it.
//!
//! Limits of offers stand still in an outage. When it is over, what was sent in it is read first: an update counts from
//! the instant that it claims, if that lies in the outage, and no timer fires and nothing is routed meanwhile. Then the
//! outage ends, what is due fires, and says how late it is.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use super::Scheduler;
use super::placing::must_wait;
use crate::engine::effect::Effect;
use crate::engine::event::Event;
use crate::engine::fairness::Mark;
use crate::engine::process::Process;
use crate::engine::task::{Offer, Task, TaskState, WaitReason};
use crate::engine::update::Update;

/// An outage that has not ended.
#[derive(Debug, Clone)]
pub(super) struct Outage {
    /// The last instant before it.
    since: DateTime<Utc>,
    /// Whether what was sent in it is being read; until then only the limits of offers stand still.
    drains: bool,
    /// How many updates have been read.
    updates: u32,
    /// Whether another roster has come into force since.
    has_roster: bool,
    /// The time, while an update is applied at the instant that it claims.
    told_at: Option<DateTime<Utc>>,
}

impl Outage {
    /// The time before a start: what was sent in it is read first. When nothing was read before that already, it began
    /// then.
    pub(super) fn before_start(since: DateTime<Utc>, marks: &BTreeMap<Mark, u64>) -> Self {
        let cut_off_ms = marks.get(&Mark::CutOff).and_then(|since_ms| i64::try_from(*since_ms).ok());
        let cut_off_at = cut_off_ms.and_then(DateTime::from_timestamp_millis);
        Self { drains: true, ..Self::beginning(cut_off_at.map_or(since, |at| at.min(since))) }
    }

    /// The last instant before it.
    pub(super) fn since(&self) -> DateTime<Utc> {
        self.since
    }

    fn beginning(since: DateTime<Utc>) -> Self {
        Self { since, drains: false, updates: 0, has_roster: false, told_at: None }
    }
}

impl Scheduler {
    /// Whether what was sent in an outage is being read: nothing else is decided until that has ended.
    #[must_use]
    pub fn drains(&self) -> bool {
        self.outage.as_ref().is_some_and(|outage| outage.drains)
    }

    /// Whether nothing is read, or what was sent meanwhile is: limits of offers stand still.
    #[must_use]
    pub fn is_cut_off(&self) -> bool {
        self.outage.is_some()
    }

    /// When something is told that is decided now.
    pub(super) fn told_at(&self) -> DateTime<Utc> {
        self.outage.as_ref().and_then(|outage| outage.told_at).unwrap_or(self.now)
    }

    /// The instant that the update claims which is being applied.
    pub(super) fn claimed_at(&self) -> Option<DateTime<Utc>> {
        self.outage.as_ref().and_then(|outage| outage.told_at).map(|_| self.now)
    }

    /// Nothing is read from now on.
    pub(super) fn begin_outage(&mut self) {
        self.outage.get_or_insert(Outage::beginning(self.now));
        self.remember_outage();
    }

    /// What is decided in an outage, also while what was sent in it is read, is stored with the time of its decision: only
    /// this says since when.
    pub(super) fn remember_outage(&mut self) {
        let since_ms = self.outage.as_ref().map_or(0, |outage| outage.since.timestamp_millis());
        self.queue.marks_mut().set(Mark::CutOff, u64::try_from(since_ms).unwrap_or(0));
    }

    /// What was sent since is being read.
    pub(super) fn begin_drain(&mut self) {
        self.begin_outage();
        if let Some(outage) = &mut self.outage {
            outage.drains = true;
        }
    }

    /// Takes an event while what was sent in an outage is being read; gives back one that has to come after that.
    pub(super) fn step_in_drain(&mut self, event: Event) -> Option<Event> {
        match event {
            Event::UpdateReceived { update, digest, ended, earlier } => {
                let now = self.now;
                let claimed_at = self.claim(&update);
                if let Some(outage) = &mut self.outage {
                    outage.updates = outage.updates.saturating_add(1);
                    outage.told_at = claimed_at.map(|_| now);
                }
                self.now = claimed_at.unwrap_or(now);
                if let Some(arrival) = self.arrival_of(&update.task) {
                    self.cap_pause(arrival);
                }
                self.receive_update(*update, digest, ended, earlier);
                self.now = now;
                if let Some(outage) = &mut self.outage {
                    outage.told_at = None;
                }
                self.tell_all_clocks();
                None
            }
            Event::RosterChanged(roster) if roster.digest == self.base.digest => {
                self.begin_with_roster();
                self.tell_all_clocks();
                if let Some(outage) = &mut self.outage {
                    outage.has_roster = true;
                }
                None
            }
            Event::UpdateRefused { .. } | Event::RequestRefused { .. } | Event::WallExposed(_) => {
                self.take(event);
                None
            }
            Event::OutageBegan | Event::DrainBegan | Event::DeadlineReached => None,
            Event::DrainBroken => {
                self.break_drain();
                Some(Event::DeadlineReached)
            }
            Event::OutageEnded => {
                self.end_outage();
                Some(Event::DeadlineReached)
            }
            other => {
                self.end_outage();
                Some(other)
            }
        }
    }

    /// The instant from which an update counts, when it claims one of the outage: what it says happened before counts
    /// from its beginning. Never before what its task has come to already.
    fn claim(&self, update: &Update) -> Option<DateTime<Utc>> {
        let since = self.outage.as_ref()?.since;
        let claimed_at = update.at?.trunc_subsecs(3);
        let claimed_at = Some(claimed_at).filter(|at| *at <= self.now)?.max(since);
        let reached = match self.process(&update.task) {
            Some(process) => self.reached_by(process),
            None => self.task(&update.task).and_then(reached_at),
        };
        Some(reached.map_or(claimed_at, |reached| reached.max(claimed_at)).min(self.now))
    }

    /// The last instant at which something happened to a process or to a step of it.
    fn reached_by(&self, process: &Process) -> Option<DateTime<Utc>> {
        let of_steps = process.steps.iter().filter_map(|step| reached_at(self.task_of(step.arrival)?));
        let amended_at = process.clock.as_ref().and_then(|clock| clock.amended_at);
        of_steps.chain(process.last_end_at()).chain(amended_at).max()
    }

    /// What was sent in an outage has been read: all goes on from here.
    pub(super) fn end_outage(&mut self) {
        let Some(outage) = self.outage.take() else { return };
        self.remember_outage();
        let Outage { since, updates, .. } = outage;
        self.record_aside(None, None, None, Effect::EndOutage { since, updates });
        self.go_on_offering(since);
        self.go_on_deciding(&outage);
    }

    /// What was sent in an outage cannot be read to its end: all but the limits of offers goes on.
    fn break_drain(&mut self) {
        let Some(outage) = &mut self.outage else { return };
        let broken = outage.clone();
        (outage.drains, outage.has_roster) = (false, false);
        self.remember_outage();
        self.go_on_deciding(&broken);
    }

    fn go_on_deciding(&mut self, outage: &Outage) {
        if outage.has_roster {
            self.take_view();
        } else if outage.drains {
            self.start_teams();
        }
        // A process before this one may have left some of them undecided when it ended in the middle.
        let open = self.tasks.values().map(|entry| &entry.task);
        let undecided = open.filter(|task| is_undecided(task, self.now)).map(|task| task.arrival);
        let undecided: Vec<_> = undecided.collect();
        self.to_route.extend(undecided);
    }

    /// Does something at the time that it is, while an update is applied at the instant that it claims: that instant is
    /// the one of its own task.
    pub(super) fn at_the_time<R>(&mut self, act: impl FnOnce(&mut Self) -> R) -> R {
        let Some(now) = self.outage.as_mut().and_then(|outage| outage.told_at.take()) else { return act(self) };
        let claimed_at = std::mem::replace(&mut self.now, now);
        let done = act(self);
        self.now = claimed_at;
        if let Some(outage) = &mut self.outage {
            outage.told_at = Some(now);
        }
        done
    }

    /// Offers go on with what was left of their limits, until the end of the shift that they were made in.
    fn go_on_offering(&mut self, since: DateTime<Utc>) {
        for arrival in self.tasks.keys().copied().collect::<Vec<_>>() {
            let Some(task) = self.task_of(arrival) else { continue };
            let Some(longer) = open_offer(task).and_then(|offer| self.longer(offer, since)) else {
                continue;
            };
            self.change(arrival, |task| {
                if let Some(offer) = open_offer_mut(task) {
                    *offer = longer;
                }
            });
        }
    }

    /// An offer that stood still since an instant: its limit counts the open time of its team since then for nothing.
    fn longer(&self, offer: &Offer, since: DateTime<Utc>) -> Option<Offer> {
        let team = self.board.roster.team_index(&offer.team)?;
        let calendar = &self.board.roster.team(team).calendar;
        let stood_from = since.max(offer.at);
        let stood = calendar.elapsed(stood_from, self.now, &[]).unwrap_or_default();
        let min_gap = TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_min_gap_minutes));
        // A team that never closes has no shift end.
        let shift_end = calendar.shift_end(stood_from, min_gap).unwrap_or(DateTime::<Utc>::MAX_UTC);
        let stood_ms = offer.stood_ms.saturating_add(stood.num_milliseconds());
        Some(self.limited(Offer { stood_ms, ..offer.clone() }, team, shift_end))
    }
}

/// The offer of a task, or the one of its hand-off.
fn open_offer(task: &Task) -> Option<&Offer> {
    match &task.state {
        TaskState::Offered(offer) => Some(offer),
        _ => task.handoff_offer(),
    }
}

fn open_offer_mut(task: &mut Task) -> Option<&mut Offer> {
    match &mut task.state {
        TaskState::Offered(offer) => Some(offer),
        TaskState::Active(active) => active.handoff.passing.as_mut().and_then(|passing| passing.offer.as_mut()),
        _ => None,
    }
}

/// The last instant at which something happened to a task.
fn reached_at(task: &Task) -> Option<DateTime<Utc>> {
    let of_state = match &task.state {
        TaskState::Waiting(waiting) => Some(waiting.since),
        TaskState::Offered(offer) => Some(offer.at),
        TaskState::Active(active) => Some(active.at),
        TaskState::Completed { .. } | TaskState::Cancelled { .. } => None,
    };
    let of_work = match &task.state {
        TaskState::Active(active) => active.worked.since.max(active.reported_at),
        _ => None,
    };
    let of_offer = task.handoff_offer().map(|offer| offer.at);
    let of_last_part = task.holders.last().map(|part| part.until);
    let of_pause = task.paused.as_ref().map(|pause| pause.from);
    let of_clocks = task.clocks.iter().filter_map(|clock| clock.open.as_ref().map(|open| open.from));
    of_clocks.chain([of_state, of_work, of_offer, of_last_part, of_pause].into_iter().flatten()).max()
}

/// Whether what is stored of a task is not what it has come to: a decision is missing that was put off.
fn is_undecided(task: &Task, now: DateTime<Utc>) -> bool {
    match &task.state {
        TaskState::Waiting(waiting) => {
            let own = must_wait(task, now).map(|own| own.reason);
            let stored = Some(waiting.reason).filter(|reason| is_own(*reason));
            waiting.is_undecided() || own != stored
        }
        TaskState::Active(active) => active.handoff.answered && active.handoff.passing.is_none(),
        TaskState::Offered(_) | TaskState::Completed { .. } | TaskState::Cancelled { .. } => false,
    }
}

/// Whether a task waits for a reason of its own, whatever the teams can do.
fn is_own(reason: WaitReason) -> bool {
    match reason {
        WaitReason::Held
        | WaitReason::Paused
        | WaitReason::Predecessor
        | WaitReason::PredecessorCancelled
        | WaitReason::NotBefore => true,
        WaitReason::NoTeamEligible
        | WaitReason::NoTeamOpen
        | WaitReason::NoSeatFree
        | WaitReason::TurnedDown
        | WaitReason::Drained
        | WaitReason::WaitsForBetter => false,
    }
}
