//! The one loop. The order is: commit, then acknowledge and publish, then mark as published.
//!
//! While one batch is written, what arrives meanwhile is decided into the next; no timer holds a batch back. Nothing
//! leaves the process, no delivery is acknowledged and no call is answered before the facts it rests on are on disk.
//! When a commit fails the loop ends, and with it the process: what is on disk is read anew at the next start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::broker::{Consumer, Delivery};
use crate::engine::id::TeamId;
use crate::store::StoreError;
use crate::telemetry::metrics::{Metrics, TeamGauge};
use crate::wire::fact::{FactSeq, Link};

use super::clock::{Clock, Stopwatch};
use super::committer::Committer;
use super::decider::{Decided, Decider, Direct, Reply};
use super::intake::Inbound;
use super::outbox::{DIRECT_LIMIT, OutboxHandle, Progress};
use super::status::Status;

/// How often the clock is compared, the metrics are shown and an idle watermark is written.
const TICK: Duration = Duration::from_secs(1);

/// From its third arrival on a message is handled alone.
const ALONE_FROM_DELIVERY_COUNT: u64 = 2;

/// A message that was handled alone so often without an end is rejected as poison.
const POISON_AFTER: u32 = 3;

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
    pub consumer: Option<Arc<Consumer>>,
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
    backlog: VecDeque<Direct>,
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
            backlog: VecDeque::new(),
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
        }
        self.parts.committer.stop();
        result
    }

    async fn run_until(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut tick = tokio::time::interval(TICK);
        let mut arrived = Vec::new();
        loop {
            self.begin()?;
            let stopping = stop.is_cancelled();
            if stopping && self.writing.is_none() && self.next.is_empty() {
                return self.finish_up().await;
            }
            let room = self.parts.batch_limit.saturating_sub(self.next.messages);
            let takes = room > 0 && !stopping && self.marked.is_none() && self.alone.is_empty();
            let now = self.parts.clock.now();
            let wait = self.parts.decider.next_deadline().map(|at| self.parts.clock.until(at.max(now)));
            tokio::select! {
                biased;
                done = self.parts.committer.done(), if self.writing.is_some() => {
                    done?;
                    self.after_commit();
                }
                Some(progress) = receive(&mut self.parts.outbox) => self.note(progress),
                count = self.parts.intake.recv_many(&mut arrived, room), if takes => {
                    if count == 0 { return self.finish_up().await }
                    self.take(arrived.drain(..))?;
                }
                () = sleep(wait), if !stopping && !self.parts.status.clock_stepped() => self.take([].into_iter())?,
                _ = tick.tick() => self.tick(),
                () = stop.cancelled(), if !stopping => {}
            }
        }
    }

    /// Begins to write what is decided, when nothing is being written.
    fn begin(&mut self) -> Result<(), StoreError> {
        if self.writing.is_some() {
            return Ok(());
        }
        if self.next.is_empty() {
            self.next_alone()?;
        }
        if self.next.is_empty() {
            return Ok(());
        }
        let now = self.parts.clock.now();
        self.parts.decider.finish(now, &mut self.next);
        let mut decided = std::mem::take(&mut self.next);
        self.write_progress(&mut decided);
        let batch = Arc::new(std::mem::take(&mut decided.batch));
        self.parts.committer.begin(Arc::clone(&batch))?;
        self.writing = Some(Writing { decided, batch, since: Stopwatch::start() });
        Ok(())
    }

    /// Decides what arrived and what time has brought; messages that arrive for the third time wait to be handled alone.
    fn take(&mut self, arrived: impl Iterator<Item = Inbound>) -> Result<(), StoreError> {
        let mut ordinary = Vec::new();
        for inbound in arrived {
            match inbound {
                Inbound::Delivery(delivery) if delivery.delivery_count >= ALONE_FROM_DELIVERY_COUNT => {
                    self.alone.push_back(delivery);
                }
                inbound => ordinary.push(inbound),
            }
        }
        self.parts.decider.decide(self.parts.clock.now(), ordinary, &mut self.next)
    }

    /// A message to be handled alone is marked on disk first, so that one that ends the process is found out.
    fn next_alone(&mut self) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
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
        while let Some(direct) = self.backlog.pop_front() {
            if let Err(mpsc::error::TrySendError::Full(direct)) = outbox.direct.try_send(direct) {
                self.backlog.push_front(direct);
                break;
            }
        }
        if self.backlog.len() > DIRECT_LIMIT {
            self.backlog.retain(|direct| direct.settles.is_some());
        }
    }

    fn note(&mut self, progress: Progress) {
        if let Some(consumer) = &self.parts.consumer {
            consumer.settle(&progress.settled);
        }
        let now = self.parts.clock.now();
        for (task, assignment) in progress.expired_offers {
            self.parts.decider.undeliverable(now, task, assignment, &mut self.next);
        }
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

    /// What publishing has come to rides in the batch; without a broker the batch itself counts as published.
    fn write_progress(&mut self, decided: &mut Decided) {
        decided.batch.watermark = self.progress.watermark.take();
        decided.batch.undelivered = std::mem::take(&mut self.progress.undelivered);
        decided.batch.delivered = std::mem::take(&mut self.progress.delivered);
        if self.parts.outbox.is_none() {
            decided.batch.watermark = Some(self.parts.decider.last_seq());
        }
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
        let idle = self.writing.is_none() && self.next.is_empty();
        if idle && self.progress.watermark.is_some() && self.parts.outbox.is_some() {
            let mut decided = Decided::default();
            self.write_progress(&mut decided);
            self.next = decided;
        }
    }

    /// The loop stops: the outbox publishes what is left, and the last watermark is written.
    async fn finish_up(&mut self) -> Result<(), StoreError> {
        if let Some(OutboxHandle { live, direct, mut progress }) = self.parts.outbox.take() {
            drop((live, direct));
            while let Some(last) = progress.recv().await {
                self.note(last);
            }
        }
        let mut decided = std::mem::take(&mut self.next);
        let watermark = self.progress.watermark;
        self.parts.decider.finish(self.parts.clock.now(), &mut decided);
        decided.batch.watermark = watermark;
        decided.batch.undelivered = std::mem::take(&mut self.progress.undelivered);
        decided.batch.delivered = std::mem::take(&mut self.progress.delivered);
        if decided.is_empty() {
            return Ok(());
        }
        self.parts.committer.begin(Arc::new(decided.batch))?;
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
        Reply::Explain(reply, verdicts) => drop(reply.send(verdicts)),
    }
}
