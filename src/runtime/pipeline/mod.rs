//! The one loop. The order is: commit, then acknowledge and publish, then mark as published.
//!
//! While one batch is written, what arrives meanwhile is decided into the next; no timer holds a batch back. Nothing
//! leaves the process, no delivery is acknowledged and no call is answered before the facts it rests on are on disk.
//! When a commit fails the loop ends, and with it the process: what is on disk is read anew at the next start.
//!
//! While the clock has stepped away from engine time nothing is decided: timers and offers stop, deliveries wait, calls
//! that bring something are turned away.

mod deciding;
mod draining;
mod settling;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::broker::{Consumer, Delivery, DeliveryToken};
use crate::engine::id::{TaskId, TeamId};
use crate::store::StoreError;
use crate::telemetry::metrics::{Metrics, TeamGauge};
use crate::wire::fact::{FactSeq, Link};

use super::clock::{Clock, Stopwatch};
use super::committer::Committer;
use super::decided::{Decided, Direct};
use super::decider::Decider;
use super::in_force::InForce;
use super::intake::Inbound;
use super::outbox::{OutboxHandle, Progress};
use super::status::Status;
use draining::Drain;

/// How often the clock is compared, the metrics are shown and an idle watermark is written.
const TICK: Duration = Duration::from_secs(1);

/// After so long without a batch one is written that says until when the daemon was alive: an outage begins there.
const STAMP_EVERY: Duration = Duration::from_secs(60);

/// When the next batch holds so many facts, neither timers nor messages add to it until it is being written.
const FACTS_AHEAD: usize = 4_096;

/// Where deliveries are acknowledged.
pub trait Acknowledge: Send + Sync {
    /// These deliveries are durably handled.
    fn settle(&self, tokens: &[DeliveryToken]);
}

impl Acknowledge for Consumer {
    fn settle(&self, tokens: &[DeliveryToken]) {
        Self::settle(self, tokens);
    }
}

/// What a pipeline starts from.
pub struct PipelineParts {
    /// Decides.
    pub decider: Decider,
    /// Writes.
    pub committer: Committer,
    /// Tells the time.
    pub clock: Arc<Clock>,
    /// What arrives.
    pub intake: mpsc::Receiver<Inbound>,
    /// The way to the broker; without one everything counts as published.
    pub outbox: Option<OutboxHandle>,
    /// Acknowledges deliveries.
    pub consumer: Option<Arc<dyn Acknowledge>>,
    /// Tells readers what is committed.
    pub committed: watch::Sender<FactSeq>,
    /// The roster as those see it who stand outside the loop.
    pub in_force: InForce,
    /// Undelivered messages at the start.
    pub undelivered: Vec<(FactSeq, TeamId)>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Health.
    pub status: Arc<Status>,
    /// Most messages in a batch.
    pub batch_limit: usize,
}

/// The one loop.
pub struct Pipeline {
    parts: PipelineParts,
    next: Decided,
    writing: Option<Writing>,
    /// What publishing has come to and is not written down yet.
    progress: Progress,
    /// Messages beside the facts that the outbox had no room for.
    backlog: Vec<Direct>,
    /// What has arrived and is not decided: timers that were due before come first.
    arrived: VecDeque<Inbound>,
    /// Offers that could not be delivered and are not decided.
    expired_offers: Vec<(TaskId, u32)>,
    intake_closed: bool,
    /// When the last batch began to be written.
    wrote_at: Instant,
    /// What was sent in an outage and is read first.
    drain: Option<Drain>,
    /// Deliveries to be handled alone.
    alone: VecDeque<Box<Delivery>>,
    /// The one whose mark is on disk, or about to be.
    marked: Option<(Box<Delivery>, Link)>,
    undelivered: BTreeMap<FactSeq, TeamId>,
}

/// A batch on its way to the disk.
struct Writing {
    decided: Decided,
    batch: Arc<crate::store::Batch>,
    since: Stopwatch,
}

impl Pipeline {
    /// A pipeline with nothing in it.
    #[must_use]
    pub fn new(parts: PipelineParts) -> Self {
        let at_start = parts.undelivered.clone();
        let drain = parts.decider.drains().then(|| Drain::at_start(parts.consumer.is_some()));
        parts.status.drains(drain.is_some());
        let mut pipeline = Self {
            parts,
            next: Decided::default(),
            writing: None,
            progress: Progress::default(),
            backlog: Vec::new(),
            arrived: VecDeque::new(),
            expired_offers: Vec::new(),
            intake_closed: false,
            wrote_at: Instant::now(),
            drain,
            alone: VecDeque::new(),
            marked: None,
            undelivered: BTreeMap::new(),
        };
        pipeline.count_undelivered(&at_start, &[]);
        pipeline
    }

    /// Adds what the start itself brings, such as another roster.
    pub fn begin_with(&mut self, add: impl FnOnce(&mut Decider, &mut Decided)) {
        add(&mut self.parts.decider, &mut self.next);
    }

    /// Runs until `stop`, then ends with everything decided on disk.
    ///
    /// # Errors
    /// [`StoreError`]: the process must end, since what is on disk is not known any more.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        let result = self.run_until(&stop).await;
        if let Err(error) = &result {
            self.parts.status.store_failed(error.to_string());
            tracing::error!(%error, "the store failed; nothing is acknowledged, answered or published any more");
        }
        // Without its other ends the outbox publishes nothing more.
        self.parts.outbox = None;
        self.parts.committer.stop().await;
        result
    }

    async fn run_until(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        // Nothing is decided on a clock that was not compared.
        self.tick();
        let mut tick = tokio::time::interval_at(Instant::now() + TICK, TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut arrived = Vec::new();
        loop {
            let stopping = stop.is_cancelled() || self.intake_closed;
            self.begin(stopping)?;
            if stopping && self.writing.is_none() && self.next.is_empty() {
                self.anchor(self.parts.clock.now(), true);
                if self.next.is_empty() {
                    return self.finish_up().await;
                }
                continue;
            }
            let room = self.room();
            let takes = !stopping && room > 0;
            let wait = if stopping { None } else { self.until_due() };
            tokio::select! {
                biased;
                done = self.parts.committer.done() => {
                    done?;
                    self.after_commit()?;
                }
                Some(progress) = receive(&mut self.parts.outbox) => self.note(progress),
                // Before what arrives, which may never end: a step of the clock must be seen.
                _ = tick.tick() => self.tick(),
                () = sleep(wait) => self.decide()?,
                count = self.parts.intake.recv_many(&mut arrived, room), if takes => {
                    self.intake_closed = count == 0;
                    self.arrived.extend(arrived.drain(..));
                    self.decide()?;
                }
                () = stop.cancelled(), if !stopping => {}
            }
        }
    }

    /// How many more messages may be taken now.
    fn room(&self) -> usize {
        if self.is_stopped_clock() {
            return self.parts.batch_limit;
        }
        let alone = self.marked.is_some() || !self.alone.is_empty();
        if alone || !self.arrived.is_empty() || self.is_far_ahead() {
            return 0;
        }
        self.parts.batch_limit.saturating_sub(self.next.messages)
    }

    fn is_stopped_clock(&self) -> bool {
        self.parts.status.clock_stepped()
    }

    fn is_far_ahead(&self) -> bool {
        self.next.batch.facts.len() >= FACTS_AHEAD || self.next.messages >= self.parts.batch_limit
    }

    /// How long until there is something to decide without anything arriving; `None` when only an event can bring it.
    fn until_due(&self) -> Option<Duration> {
        if self.is_stopped_clock() || self.is_far_ahead() {
            return None;
        }
        if let Some(drain) = &self.drain {
            return Some(if self.arrived.is_empty() { drain.ends_in() } else { Duration::ZERO });
        }
        if !self.arrived.is_empty() || !self.expired_offers.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.parts.clock.now();
        self.parts.decider.next_deadline().map(|at| self.parts.clock.until(at.max(now)))
    }

    fn tick(&mut self) {
        let difference = self.parts.clock.correct(TICK);
        self.parts.status.tick(difference);
        self.parts.metrics.set_clock_difference(-difference.wall_ahead);
        let inspection = self.parts.decider.inspect();
        let undelivered = |team: &TeamId| inspection.undelivered.get(team).copied().unwrap_or(0);
        let gauges = inspection.teams.iter().map(|team| TeamGauge {
            team: &team.id,
            open: team.open,
            next_transition_at: team.changes_at,
            seats: team.seats,
            undelivered: undelivered(&team.id),
        });
        self.parts.metrics.show(&inspection.census, &inspection.sla, gauges);
        self.parts.metrics.set_overrides(&inspection.overrides);
        self.parts.metrics.set_open_processes(inspection.open_processes as u64);
        self.write_idle_progress();
    }

    fn write_idle_progress(&mut self) {
        if self.writing.is_none() && self.next.is_empty() {
            let stamps = self.drain.is_none() && self.wrote_at.elapsed() >= STAMP_EVERY;
            let mut decided = Decided { stamps, ..Decided::default() };
            self.take_progress(&mut decided);
            self.next = decided;
        }
    }
}

async fn receive(outbox: &mut Option<OutboxHandle>) -> Option<Progress> {
    match outbox {
        Some(outbox) => outbox.progress.recv().await,
        None => None,
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}
