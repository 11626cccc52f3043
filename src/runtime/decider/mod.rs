//! From messages to one batch: parse, look up (`read`), step, settle (`handle`), seal.
//!
//! Everything here happens before the commit, so nothing of it leaves the process: a [`Decided`] batch carries what is
//! to be acknowledged, published and answered once its facts are on disk.

mod anchoring;
mod change;
mod handle;
mod purging;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::effect::{Answer, Effect, Effects, EscalationReason, Exposure};
use crate::engine::event::Event;
use crate::engine::id::{TaskId, TeamId};
use crate::engine::outlook::{asked, hour_of};
use crate::engine::overrides::Override;
use crate::engine::roster::Roster;
use crate::engine::scheduler::Scheduler;
use crate::engine::task::{Arrival, Task, TaskState};
use crate::engine::walls::{Walled, Walls};
use crate::http::{OverrideAnswer, PurgeAnswer, SubmitAnswer, Unavailable, UpdateAnswer};
use crate::store::{Conflict, ProcessRow, Reader, StoreError, TaskRow};
use crate::telemetry::metrics::Metrics;
use crate::wire::Rules;
use crate::wire::chain::Sealer;
use crate::wire::fact::{FactSeq, Link};

use super::decided::{Decided, Reply};
use super::identity::Identities;
use super::in_force::Adopted;
use super::intake::{Explained, Inbound, Inspection};
use super::observe;
use super::snapshot::TeamSnapshot;
use super::walls::{self, WallsInForce};
pub use anchoring::Anchors;
use read::Ready;

/// How many rounds of timers one batch fires; the rest go into the next.
const TIMER_ROUNDS: usize = 16;

/// The engine and what surrounds it on the way to a batch.
pub struct Decider {
    scheduler: Scheduler,
    sealer: Sealer,
    reader: Box<dyn Reader>,
    rules: Rules,
    identities: Identities,
    incarnation: Arc<str>,
    metrics: Arc<Metrics>,
    changed: BTreeSet<Arrival>,
    processes_changed: BTreeSet<Arrival>,
    conflicts_stored: usize,
    walls: WallsInForce,
    /// The roster that those outside the loop are told of, or will be.
    shown: Arc<Roster>,
    /// The last fact that told of a change of the roster or of overrides.
    check_index: FactSeq,
    anchors: Anchors,
    /// Messages that could not be delivered, by team.
    pub undelivered: BTreeMap<TeamId, u64>,
}

/// What a decider starts from.
pub struct DeciderParts {
    /// The restored scheduler.
    pub scheduler: Scheduler,
    /// The chain's head.
    pub sealer: Sealer,
    /// Reads committed state.
    pub reader: Box<dyn Reader>,
    /// Limits of bodies.
    pub rules: Rules,
    /// Whether messages from the broker must carry a user.
    pub require_user_id: bool,
    /// This life of the store.
    pub incarnation: Arc<str>,
    /// The walls in force, as those see them who let messages out.
    pub walls: WallsInForce,
    /// The last fact that told of a change of the roster or of overrides.
    pub check_index: FactSeq,
    /// When the head of the chain is told.
    pub anchors: Anchors,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

impl Decider {
    /// A decider that goes on from its parts.
    #[must_use]
    pub fn new(parts: DeciderParts) -> Self {
        let identities = Identities::of(parts.scheduler.roster(), parts.require_user_id);
        let conflicts_stored = parts.scheduler.conflicts().len();
        Self {
            sealer: parts.sealer,
            reader: parts.reader,
            rules: parts.rules,
            identities,
            incarnation: parts.incarnation,
            walls: parts.walls,
            metrics: parts.metrics,
            changed: BTreeSet::new(),
            processes_changed: BTreeSet::new(),
            conflicts_stored,
            shown: Arc::clone(parts.scheduler.roster()),
            check_index: parts.check_index,
            anchors: parts.anchors,
            scheduler: parts.scheduler,
            undelivered: BTreeMap::new(),
        }
    }

    /// When the engine wants to be asked again.
    #[must_use]
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        self.scheduler.next_deadline()
    }

    /// Fires what was due before now, in steps of bounded size and at most so many; the rest waits for the next call.
    pub fn fire(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        self.fire_timers(now - TimeDelta::milliseconds(1), now, decided);
    }

    /// Whether something is left that was due before now; no message may be decided before it.
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.scheduler.next_deadline().is_some_and(|due_at| due_at < now)
    }

    /// Decides everything that arrived, then what is due now, and adds it to a batch that has not begun yet. What was
    /// due before now has been fired.
    ///
    /// # Errors
    /// [`StoreError`] when a look-up fails.
    pub fn decide(
        &mut self,
        now: DateTime<Utc>,
        arrived: impl IntoIterator<Item = Inbound>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let mut ready = Vec::new();
        let mut calls = Vec::new();
        let mut messages = Vec::new();
        // At one instant the roster comes first.
        for inbound in arrived {
            match inbound {
                Inbound::Roster(candidate) => self.judge(now, *candidate, decided)?,
                Inbound::Override { wish, preview, reply } => self.override_team(now, wish, preview, reply, decided),
                Inbound::Purge { request, reply } => self.purge(now, request, reply, decided)?,
                inbound => messages.push(inbound),
            }
        }
        for inbound in messages {
            self.read(inbound, &mut ready, &mut calls, decided);
        }
        let ended = self.ended_tasks(&ready)?;
        failpoint!("decide", StoreError::at_step("decide"));
        let mut answers = Vec::new();
        decided.messages += ready.len();
        for (message, ended) in ready.into_iter().zip(ended) {
            match message {
                Ready::Request(parsed, from) => {
                    answers.extend(self.handle_request(now, parsed, from, ended, decided));
                }
                Ready::Update(parsed, from) => self.handle_update(now, parsed, from, ended, decided)?,
            }
        }
        let mut answers = answers.into_iter();
        for (reply, count) in calls {
            decided.calls.push((reply, answers.by_ref().take(count).collect()));
        }
        self.fire_timers(now, now, decided);
        Ok(())
    }

    /// Answers a call while nothing may be decided, since the clock stepped: what brings something is turned away, what
    /// only looks is answered. A delivery comes back to wait.
    pub fn turn_away(&mut self, inbound: Inbound, decided: &mut Decided) -> Option<Inbound> {
        let unavailable = || Unavailable("the clock stepped and nothing is decided until that ends; send again".into());
        match inbound {
            Inbound::Delivery(_) | Inbound::Consuming { .. } | Inbound::LinkLost => return Some(inbound),
            Inbound::Requests { bodies, reply, .. } => {
                // A caller that has gone away needs no answer.
                let _ = reply.send(vec![SubmitAnswer::Unavailable(unavailable()); bodies.len()]);
            }
            Inbound::Update { reply, .. } => drop(reply.send(UpdateAnswer::Unavailable(unavailable()))),
            Inbound::MessagesRead { team, up_to, reply } => {
                decided.batch.cursors.push((team, up_to));
                decided.answers.push(Reply::MessagesRead(reply));
            }
            Inbound::Inspect(reply) => decided.answers.push(Reply::Inspect(reply, Box::new(self.inspect()))),
            Inbound::Override { reply, .. } => drop(reply.send(OverrideAnswer::Unavailable(unavailable()))),
            Inbound::Purge { reply, .. } => drop(reply.send(PurgeAnswer::Unavailable(unavailable()))),
            Inbound::Outlook(said) => decided.batch.outlooks.extend(said),
            Inbound::Overrides(reply) => {
                let listed = self.scheduler.overrides().standing().cloned().collect();
                decided.answers.push(Reply::Overrides(reply, (listed, self.check_index.0)));
            }
            Inbound::Roster(candidate) => drop(candidate.reply.send(Err(unavailable()))),
            Inbound::Forecast { process, reply } => {
                let forecast = self.scheduler.process_forecast(&process);
                decided.answers.push(Reply::Forecast(reply, Box::new(forecast)));
            }
            Inbound::Explain { task, team, reply } => {
                let explained = self.explain(&task, team.as_ref());
                decided.answers.push(Reply::Explain(reply, Box::new(explained)));
            }
        }
        None
    }

    fn explain(&self, task: &TaskId, team: Option<&TeamId>) -> Option<Explained> {
        let mut verdicts = self.scheduler.explain(task)?;
        verdicts.retain(|verdict| team.is_none_or(|team| verdict.team() == team));
        let obstacles = team.and_then(|team| self.scheduler.obstacles(task, team));
        let own_wait = self.scheduler.own_wait(task);
        Some(Explained { verdicts, own_wait, obstacles, at: self.scheduler.now() })
    }

    /// What had left for a team when a fact raised a wall; where no broker is, that is all that was committed.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn exposure(&mut self, wall: &Walled, raised_by: FactSeq) -> Result<Option<Exposure>, StoreError> {
        walls::exposure(&mut *self.reader, &self.incarnation, wall, raised_by, |_| false)
    }

    /// It is known what had left for a team when a wall was raised.
    pub fn exposed(&mut self, now: DateTime<Utc>, exposure: Exposure, decided: &mut Decided) {
        tracing::warn!(team = %exposure.team, client = %exposure.client, messages = exposure.count,
            "a team had received work of a matter that it is walled from now");
        let effects = self.scheduler.step(now, Event::WallExposed(Box::new(exposure)));
        self.take(effects, decided);
    }

    /// An offer could not be delivered within the limit.
    pub fn undeliverable(&mut self, now: DateTime<Utc>, task: TaskId, assignment: u32, decided: &mut Decided) {
        let effects = self.scheduler.step(now, Event::OfferUndeliverable { task, assignment });
        self.take(effects, decided);
    }

    /// Whether what was sent in an outage is being read.
    #[must_use]
    pub fn drains(&self) -> bool {
        self.scheduler.drains()
    }

    /// Nothing can be read from now on.
    pub fn begin_outage(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        let effects = self.scheduler.step(now, Event::OutageBegan);
        self.take(effects, decided);
    }

    /// What was sent in an outage is read from now on; false when there was none.
    pub fn begin_drain(&mut self, now: DateTime<Utc>, decided: &mut Decided) -> bool {
        if !self.scheduler.is_cut_off() {
            return false;
        }
        let effects = self.scheduler.step(now, Event::DrainBegan);
        self.take(effects, decided);
        true
    }

    /// What was sent in an outage cannot be read to its end.
    pub fn break_drain(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        let effects = self.scheduler.step(now, Event::DrainBroken);
        self.take(effects, decided);
    }

    /// What was sent in an outage has been read.
    pub fn end_outage(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        let effects = self.scheduler.step(now, Event::OutageEnded);
        self.take(effects, decided);
    }

    /// How many times a message was handled alone before.
    ///
    /// # Errors
    /// [`StoreError`] when the look-up fails.
    pub fn attempts(&mut self, message: &Link) -> Result<u32, StoreError> {
        self.reader.suspect_attempts(message)
    }

    /// Fires what is due up to `last`, at most [`TIMER_ROUNDS`] steps of it.
    fn fire_timers(&mut self, last: DateTime<Utc>, now: DateTime<Utc>, decided: &mut Decided) {
        for _ in 0..TIMER_ROUNDS {
            let Some(due_at) = self.scheduler.next_deadline().filter(|due_at| *due_at <= last) else { return };
            self.metrics.timer_fired(now - due_at);
            failpoint!("fire");
            let effects = self.scheduler.step(now, Event::DeadlineReached);
            self.take(effects, decided);
            failpoint!("fired");
        }
    }

    /// Seals what was recorded, and notes which tasks are to be written.
    fn take(&mut self, effects: Effects, decided: &mut Decided) {
        for recorded in effects.recorded {
            observe::recorded(&self.metrics, &recorded, &self.scheduler);
            let declares_conflict = is_conflict(&recorded.effect);
            let changes_rules = matches!(recorded.effect, Effect::AdoptRoster { .. } | Effect::ChangeOverride { .. });
            let overridden = match &recorded.effect {
                Effect::ChangeOverride { it, .. } => Some(Override::clone(it)),
                _ => None,
            };
            if let (Effect::Admit(admission), Some((task, _))) = (&recorded.effect, &recorded.task)
                && let Some(task) = self.scheduler.task(task)
            {
                let arrived = (hour_of(recorded.at), asked(&task.needs));
                *decided.batch.arrivals.entry(arrived).or_default() += u64::from(admission.effort_minutes);
            }
            let fact = self.sealer.seal(recorded);
            if declares_conflict {
                self.store_conflict(fact.seq, decided);
            }
            if changes_rules {
                self.check_index = fact.seq;
            }
            decided.batch.overrides.extend(overridden.map(|it| (it, fact.seq)));
            decided.batch.facts.push(fact);
        }
        if !Arc::ptr_eq(&self.shown, self.scheduler.roster()) {
            self.shown = Arc::clone(self.scheduler.roster());
            let base = Arc::clone(self.scheduler.base_roster());
            decided.in_force = Some(Adopted { roster: Arc::clone(&self.shown), base });
        }
        if effects.walls_changed {
            self.walls.raise(self.scheduler.walls());
            decided.walls = Some(self.scheduler.walls().clone());
        }
        decided.batch.segments.extend(effects.segments);
        decided.batch.kept.extend(effects.kept);
        decided.batch.kept_done.extend(effects.kept_done);
        decided.batch.marks.extend(effects.marks);
        decided.changes_tasks |= !effects.changed.is_empty();
        self.changed.extend(effects.changed);
        decided.changes_tasks |= !effects.processes_changed.is_empty();
        self.processes_changed.extend(effects.processes_changed);
        for process in effects.processes_ended {
            self.metrics.process_ended(process.state.as_str());
            self.processes_changed.remove(&process.arrival);
            decided.batch.processes.push(ProcessRow { process: Arc::new(process), next_due_at: None });
        }
        for task in effects.ended {
            observe::ended(&self.metrics, &task);
            self.changed.remove(&task.arrival);
            decided.batch.tasks.push(row(task, None));
        }
    }

    /// Walls that a batch took away stand no more, now that it is on disk; those of the batch after it stand already.
    pub fn let_walls_fall(&self, committed: Walls, next: Option<&Walls>) {
        self.walls.set(committed);
        if let Some(next) = next {
            self.walls.raise(next);
        }
    }

    /// Conflicts and the facts that tell of them come in the same order.
    fn store_conflict(&mut self, seq: FactSeq, decided: &mut Decided) {
        if let Some((team, client, matter)) = self.scheduler.conflicts().get(self.conflicts_stored).cloned() {
            self.conflicts_stored += 1;
            decided.batch.conflicts.push(Conflict { team, client, matter, seq });
        }
    }

    /// Completes a batch that is about to begin: the rows of the tasks that changed, and the answers to calls.
    pub fn finish(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        for (reply, answers) in std::mem::take(&mut decided.calls) {
            let answers = answers.into_iter().map(|answer| self.submit_answer(answer)).collect();
            decided.answers.push(Reply::Requests(reply, answers));
        }
        for arrival in std::mem::take(&mut self.changed) {
            if let Some(task) = self.scheduler.task_of(arrival) {
                let next_due_at = self.scheduler.next_due_at(task);
                decided.batch.tasks.push(row(task.clone(), next_due_at));
            }
        }
        for arrival in std::mem::take(&mut self.processes_changed) {
            if let Some(process) = self.scheduler.process_of(arrival) {
                let due = process.clock.iter().flat_map(|clock| [clock.warns_at, clock.breaches_at()]);
                let next_due_at = due.flatten().min();
                decided.batch.processes.push(ProcessRow { process: Arc::new(process.clone()), next_due_at });
            }
        }
        // An outage that begins with a crash begins here: not after something that was due and has not fired, and where
        // what was sent in one is read, at the beginning of that one.
        decided.batch.at = Some(self.scheduler.decided_until(now));
    }

    /// A call's answer, with where the task is at the end of the batch.
    fn submit_answer(&self, answer: Answer) -> SubmitAnswer {
        match answer {
            Answer::Admitted(task) => {
                let state = self.scheduler.task(&task).map(|it| &it.state);
                let team = state.and_then(|it| it.team().cloned());
                let process = self.scheduler.process(&task).map(|process| process.state.as_str());
                // It ended in the batch that admitted it: a cancel that came before it does that.
                let is_cancelled = || self.scheduler.ended(&task).is_some_and(|ended| &*ended.state == "cancelled");
                let ended = || if is_cancelled() { "cancelled" } else { "completed" };
                let state = process.or(state.map(TaskState::as_str)).unwrap_or_else(ended);
                SubmitAnswer::Admitted { task, state, team }
            }
            Answer::Duplicate(task) => SubmitAnswer::Duplicate { task },
            Answer::Refused(refusal) => SubmitAnswer::Refused(refusal),
            Answer::Applied => SubmitAnswer::Unavailable(Unavailable("the request was taken for an update".into())),
        }
    }

    /// The last fact decided so far.
    #[must_use]
    pub fn last_seq(&self) -> FactSeq {
        self.sealer.head().seq
    }

    /// The state for metrics and pages.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        Inspection {
            census: self.scheduler.census().clone(),
            sla: self.scheduler.sla_picture(),
            open_tasks: self.scheduler.open_count(),
            open_processes: self.scheduler.open_processes().count(),
            teams: self.scheduler.teams().map(|(team, load)| TeamSnapshot::of(team, load)).collect(),
            overrides: self.active_overrides(),
            undelivered: self.undelivered.clone(),
        }
    }
}

fn is_conflict(effect: &Effect) -> bool {
    matches!(effect, Effect::RaiseEscalation { reason: EscalationReason::ConflictDeclared, .. })
}

fn row(task: Task, next_due_at: Option<DateTime<Utc>>) -> TaskRow {
    TaskRow { task: Arc::new(task), next_due_at }
}
