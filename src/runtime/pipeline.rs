//! The one loop. The order is: commit, then acknowledge and publish, then mark as published.
//!
//! While one batch is written, what arrives meanwhile is decided into the next; no timer holds a batch back. Nothing
//! leaves the process, no delivery is acknowledged and no call is answered before the facts it rests on are on disk.
//! When a commit fails the loop ends, and with it the process: what is on disk is read anew at the next start.
//!
//! While the clock has stepped away from engine time nothing is decided: timers and offers stop, deliveries wait, calls
//! that bring something are turned away.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::broker::{Consumer, Delivery, DeliveryToken};
use crate::engine::id::{TaskId, TeamId};
use crate::store::StoreError;
use crate::telemetry::metrics::{Metrics, TeamGauge};
use crate::wire::fact::{FactSeq, Link};

use super::clock::{Clock, Stopwatch};
use super::committer::Committer;
use super::decider::{Decided, Decider, Direct, Reply, keep_newest_link};
use super::intake::Inbound;
use super::outbox::{DIRECT_LIMIT, OutboxHandle, Progress};
use super::status::Status;

/// How often the clock is compared, the metrics are shown and an idle watermark is written.
const TICK: Duration = Duration::from_secs(1);

/// From its third arrival on a message is handled alone.
const ALONE_FROM_DELIVERY_COUNT: u64 = 2;

/// A message that was handled alone so often without an end is rejected as poison.
const POISON_AFTER: u32 = 3;

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
    /// Tells each team's reader of its last message.
    pub mailboxes: Arc<BTreeMap<TeamId, watch::Sender<FactSeq>>>,
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
        let mut pipeline = Self {
            parts,
            next: Decided::default(),
            writing: None,
            progress: Progress::default(),
            backlog: Vec::new(),
            arrived: VecDeque::new(),
            expired_offers: Vec::new(),
            intake_closed: false,
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
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut arrived = Vec::new();
        loop {
            let stopping = stop.is_cancelled() || self.intake_closed;
            self.begin(stopping)?;
            if stopping && self.writing.is_none() && self.next.is_empty() {
                return self.finish_up().await;
            }
            let room = self.room();
            let takes = !stopping && room > 0;
            let wait = if stopping { None } else { self.until_due() };
            tokio::select! {
                biased;
                done = self.parts.committer.done() => {
                    done?;
                    self.after_commit();
                }
                Some(progress) = receive(&mut self.parts.outbox) => self.note(progress),
                () = sleep(wait) => self.decide()?,
                count = self.parts.intake.recv_many(&mut arrived, room), if takes => {
                    self.intake_closed = count == 0;
                    self.arrived.extend(arrived.drain(..));
                    self.decide()?;
                }
                _ = tick.tick() => self.tick(),
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
        if !self.arrived.is_empty() || !self.expired_offers.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.parts.clock.now();
        self.parts.decider.next_deadline().map(|at| self.parts.clock.until(at.max(now)))
    }

    /// Begins to write what is decided, when nothing is being written.
    fn begin(&mut self, stopping: bool) -> Result<(), StoreError> {
        if self.writing.is_some() {
            return Ok(());
        }
        if self.next.is_empty() {
            self.next_alone(stopping)?;
        }
        if self.next.is_empty() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        self.parts.decider.finish(now, &mut self.next);
        let mut decided = std::mem::take(&mut self.next);
        self.take_progress(&mut decided);
        if self.parts.outbox.is_none() {
            // Without a broker the batch itself counts as published.
            decided.batch.watermark = Some(self.parts.decider.last_seq());
        }
        let batch = Arc::new(std::mem::take(&mut decided.batch));
        self.parts.committer.begin(Arc::clone(&batch))?;
        self.writing = Some(Writing { decided, batch, since: Stopwatch::start() });
        Ok(())
    }

    /// Decides what time has brought and then what arrived; messages that arrive for the third time wait to be handled
    /// alone.
    fn decide(&mut self) -> Result<(), StoreError> {
        if self.is_stopped_clock() {
            self.turn_away();
            return Ok(());
        }
        let now = self.parts.clock.now();
        self.parts.decider.fire(now, &mut self.next);
        if self.parts.decider.is_overdue(now) {
            return Ok(());
        }
        for (task, assignment) in self.expired_offers.drain(..) {
            self.parts.decider.undeliverable(now, task, assignment, &mut self.next);
        }
        let room = self.parts.batch_limit.saturating_sub(self.next.messages).min(self.arrived.len());
        let mut ordinary = Vec::with_capacity(room);
        for inbound in self.arrived.drain(..room) {
            match inbound {
                Inbound::Delivery(delivery) if delivery.delivery_count >= ALONE_FROM_DELIVERY_COUNT => {
                    self.alone.push_back(delivery);
                }
                inbound => ordinary.push(inbound),
            }
        }
        self.parts.decider.decide(now, ordinary, &mut self.next)
    }

    /// The clock stepped: deliveries wait, those of a link before the newest one have been sent again.
    fn turn_away(&mut self) {
        let mut waiting: VecDeque<Box<Delivery>> = VecDeque::new();
        for inbound in self.arrived.drain(..) {
            waiting.extend(self.parts.decider.turn_away(inbound, &mut self.next));
        }
        let newest = waiting.back().map(|delivery| delivery.token.epoch);
        waiting.retain(|delivery| Some(delivery.token.epoch) == newest);
        self.arrived = waiting.into_iter().map(Inbound::Delivery).collect();
    }

    /// A message to be handled alone is marked on disk first, so that one that ends the process is found out.
    fn next_alone(&mut self, stopping: bool) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        if stopping {
            // It comes again, and this try has not failed.
            self.next.batch.cleared_suspects.extend(self.marked.take().map(|(_, mark)| mark));
            return Ok(());
        }
        if self.is_stopped_clock() || self.parts.decider.is_overdue(now) {
            return Ok(());
        }
        if let Some((delivery, mark)) = self.marked.take() {
            self.next.batch.cleared_suspects.push(mark);
            return self.parts.decider.decide(now, [Inbound::Delivery(delivery)], &mut self.next);
        }
        let Some(delivery) = self.alone.pop_front() else { return Ok(()) };
        let mark: Link = Sha256::digest(&delivery.body).into();
        let attempts = self.parts.decider.attempts(&mark)?;
        if attempts >= POISON_AFTER {
            self.next.batch.cleared_suspects.push(mark);
            self.parts.decider.poison(now, *delivery, attempts, &mut self.next);
        } else {
            self.next.batch.suspects.push((mark, attempts + 1));
            self.marked = Some((delivery, mark));
        }
        Ok(())
    }

    /// The batch is on disk: acknowledge, publish, answer.
    fn after_commit(&mut self) {
        let Some(Writing { decided, batch, since }) = self.writing.take() else { return };
        if let Some(consumer) = &self.parts.consumer {
            consumer.settle(&decided.settle);
        }
        let last = batch.facts.last().map(|fact| fact.seq);
        if let Some(outbox) = &self.parts.outbox {
            // When there is no room the outbox reads the facts from the store in their turn.
            let _ = outbox.live.try_send(Arc::clone(&batch));
        }
        self.backlog.extend(decided.direct);
        self.send_backlog();
        for fact in batch.facts.iter().filter(|fact| fact.addressed.is_some()) {
            if let Some(mailbox) = fact.team.as_ref().and_then(|team| self.parts.mailboxes.get(team)) {
                mailbox.send_replace(fact.seq);
            }
        }
        if let Some(last) = last {
            self.parts.committed.send_replace(last);
        }
        for answer in decided.answers {
            give(answer);
        }
        let took = since.elapsed();
        for settled in decided.outcomes {
            self.parts.metrics.settled(settled.outcome, took);
            if let Some(code) = settled.refused {
                self.parts.metrics.rejected(code);
            }
        }
    }

    /// Hands over messages beside the facts; past the limit receipts are dropped, rejected deliveries never.
    fn send_backlog(&mut self) {
        let Some(outbox) = &self.parts.outbox else {
            self.backlog.clear();
            return;
        };
        let fitting = outbox.direct.capacity().min(self.backlog.len());
        for direct in self.backlog.drain(..fitting) {
            // An outbox that has ended takes the daemon with it.
            let _ = outbox.direct.try_send(direct);
        }
        if self.backlog.len() > DIRECT_LIMIT {
            keep_newest_link(&mut self.backlog);
        }
    }

    fn note(&mut self, progress: Progress) {
        if let Some(consumer) = &self.parts.consumer {
            consumer.settle(&progress.settled);
        }
        self.expired_offers.extend(progress.expired_offers);
        self.count_undelivered(&progress.undelivered, &progress.delivered);
        self.progress.watermark = self.progress.watermark.max(progress.watermark);
        self.progress.undelivered.extend(progress.undelivered);
        self.progress.delivered.extend(progress.delivered);
        self.send_backlog();
    }

    fn count_undelivered(&mut self, added: &[(FactSeq, TeamId)], delivered: &[FactSeq]) {
        self.undelivered.extend(added.iter().cloned());
        for seq in delivered {
            self.undelivered.remove(seq);
        }
        if !added.is_empty() || !delivered.is_empty() {
            let mut counts = BTreeMap::new();
            for team in self.undelivered.values() {
                *counts.entry(team.clone()).or_default() += 1;
            }
            self.parts.decider.undelivered = counts;
        }
    }

    /// What publishing has come to rides in the batch.
    fn take_progress(&mut self, decided: &mut Decided) {
        decided.batch.watermark = self.progress.watermark.take();
        decided.batch.undelivered = std::mem::take(&mut self.progress.undelivered);
        decided.batch.delivered = std::mem::take(&mut self.progress.delivered);
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
        self.parts.metrics.show(&inspection.census, gauges);
        self.write_idle_progress();
    }

    fn write_idle_progress(&mut self) {
        if self.writing.is_none() && self.next.is_empty() {
            let mut decided = Decided::default();
            self.take_progress(&mut decided);
            self.next = decided;
        }
    }

    /// The loop stops: the outbox publishes what is left, and the last watermark is written.
    async fn finish_up(&mut self) -> Result<(), StoreError> {
        if let Some(OutboxHandle { live, direct, mut progress, finish }) = self.parts.outbox.take() {
            finish.cancel();
            drop(live);
            for message in self.backlog.drain(..) {
                // What finds no room any more comes again.
                let _ = direct.try_send(message);
            }
            drop(direct);
            while let Some(last) = progress.recv().await {
                self.note(last);
            }
        }
        let mut last = Decided::default();
        self.take_progress(&mut last);
        if last.is_empty() {
            return Ok(());
        }
        self.parts.decider.finish(self.parts.clock.now(), &mut last);
        self.parts.committer.begin(Arc::new(last.batch))?;
        self.parts.committer.done().await
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

/// Answers a call; a caller that has gone away needs no answer.
fn give(answer: Reply) {
    match answer {
        Reply::Requests(reply, answers) => drop(reply.send(answers)),
        Reply::Update(reply, answer) => drop(reply.send(answer)),
        Reply::MessagesRead(reply) => drop(reply.send(())),
        Reply::Inspect(reply, inspection) => drop(reply.send(*inspection)),
        Reply::Explain(reply, explained) => drop(reply.send(*explained)),
    }
}
