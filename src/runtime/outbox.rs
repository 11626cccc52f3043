//! From committed facts to the broker.
//!
//! Facts leave in their order, each at least once: what is committed is published, and only when its confirm is in
//! does the watermark pass it. The common path publishes a batch from memory right after its commit; after a failure
//! or a start, what lies above the watermark is read from the store and leaves again with the same ids. A message to a
//! team that the broker gives back (its queue is gone or full) moves to the undelivered ones, which are tried again
//! apart, so that one lost queue does not stop the others. An event that the broker refuses is tried again apart too,
//! and holds the watermark until it is taken. A rejected delivery is tried again until its copy is confirmed.
//!
//! When the loop ends without saying that everything is on disk, nothing leaves any more.

use std::borrow::Borrow;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::broker::{BrokerError, Exchange, Outcome, Publication, PublishError, Publisher};
use crate::engine::id::{TaskId, TeamId};
use crate::store::{Batch, Reader, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::PublishFailure;
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message::{self, ExchangeName, Outgoing};

use super::decider::{Direct, keep_newest_link};
use super::retry::{Part, WaitingList};

/// How many committed batches wait in memory; past it they are read from the store when their turn comes.
pub const LIVE_BATCHES: usize = 8;

/// How many of them leave together when publishing is behind: fewer waits for confirms in a row.
const BATCHES_AT_ONCE: usize = 4;

/// How many messages beside the facts wait; past it a rejected delivery waits in the loop, a receipt is dropped.
pub const DIRECT_LIMIT: usize = 4_096;

/// How many facts one read from the store brings.
const PAGE: usize = 256;

/// How often the messages that wait for another try are looked at.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How many messages one round tries again.
const RETRY_ROUND: usize = 256;

/// How many refused events may wait for another try; past it nothing new leaves until the broker takes some.
const REFUSED_EVENTS_LIMIT: usize = 4_096;

/// What messages are published with.
pub trait Publish: Send + 'static {
    /// Publishes a batch and waits for all its confirms; the outcomes are in the order of the batch.
    ///
    /// # Errors
    /// [`PublishError`] when what became of the batch is not known: the same messages are published again.
    fn publish<B: Borrow<Publication> + Sync>(
        &mut self,
        batch: &[B],
    ) -> impl Future<Output = Result<Vec<Outcome>, PublishError>> + Send;

    /// Opens the link when there is none, so that readiness tells what publishing would meet.
    ///
    /// # Errors
    /// [`BrokerError`] when there is no link.
    fn connect(&mut self) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Ends the link.
    fn close(self) -> impl Future<Output = ()> + Send;
}

impl Publish for Publisher {
    async fn publish<B: Borrow<Publication> + Sync>(&mut self, batch: &[B]) -> Result<Vec<Outcome>, PublishError> {
        Self::publish(self, batch).await
    }

    async fn connect(&mut self) -> Result<(), BrokerError> {
        Self::connect(self).await
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

/// What publishing has come to, for the loop to write down.
#[derive(Debug, Default)]
pub struct Progress {
    /// Every fact up to here is confirmed or undelivered.
    pub watermark: Option<FactSeq>,
    /// Messages that the broker gave back.
    pub undelivered: Vec<(FactSeq, TeamId)>,
    /// Undelivered messages that have been delivered since.
    pub delivered: Vec<FactSeq>,
    /// Offers that could not be delivered within the limit.
    pub expired_offers: Vec<(TaskId, u32)>,
    /// Rejected deliveries that are in the rejected queue.
    pub settled: Vec<crate::broker::DeliveryToken>,
}

impl Progress {
    fn is_news(&self) -> bool {
        let Self { watermark, undelivered, delivered, expired_offers, settled } = self;
        watermark.is_some()
            || !undelivered.is_empty()
            || !delivered.is_empty()
            || !expired_offers.is_empty()
            || !settled.is_empty()
    }
}

/// The channels between the loop and the outbox.
#[derive(Debug)]
pub struct OutboxHandle {
    /// Batches right after their commit.
    pub live: mpsc::Sender<Arc<Batch>>,
    /// Messages beside the facts.
    pub direct: mpsc::Sender<Direct>,
    /// What publishing has come to. When it is dropped, nothing leaves any more.
    pub progress: mpsc::Receiver<Progress>,
    /// Cancelled when everything that was decided is on disk and is to leave before the end.
    pub finish: CancellationToken,
}

/// What an outbox starts from.
pub struct OutboxParts<P> {
    /// Publishes.
    pub publisher: P,
    /// Reads committed facts and payloads.
    pub reader: Box<dyn Reader>,
    /// This life of the store.
    pub incarnation: Arc<str>,
    /// Every fact up to here was published before the start.
    pub watermark: FactSeq,
    /// Messages that were undelivered at the start.
    pub undelivered: Vec<(FactSeq, TeamId)>,
    /// The last committed fact, as it rises.
    pub committed: watch::Receiver<FactSeq>,
    /// Teams that read over HTTP and have no queue.
    pub http_teams: BTreeSet<TeamId>,
    /// How long an offer may stay undelivered.
    pub undelivered_within: Duration,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// Publishes what is committed.
pub struct Outbox<P> {
    parts: OutboxParts<P>,
    live: mpsc::Receiver<Arc<Batch>>,
    direct: mpsc::Receiver<Direct>,
    progress: mpsc::Sender<Progress>,
    finish: CancellationToken,
    next: FactSeq,
    /// The watermark that was reported last.
    reported: FactSeq,
    /// Facts up to here were committed before the start and may have left before.
    old_up_to: FactSeq,
    waiting: WaitingList,
    /// Rejected deliveries whose copies the broker has not taken yet.
    rejected: Vec<Direct>,
}

impl<P: Publish> Outbox<P> {
    /// An outbox and the loop's ends of its channels.
    #[must_use]
    pub fn new(parts: OutboxParts<P>) -> (Self, OutboxHandle) {
        let (live_sender, live) = mpsc::channel(LIVE_BATCHES);
        let (direct_sender, direct) = mpsc::channel(DIRECT_LIMIT);
        let (progress, progress_receiver) = mpsc::channel(64);
        let finish = CancellationToken::new();
        let handle = OutboxHandle {
            live: live_sender,
            direct: direct_sender,
            progress: progress_receiver,
            finish: finish.clone(),
        };
        let next = FactSeq(parts.watermark.0 + 1);
        let (reported, old_up_to) = (parts.watermark, *parts.committed.borrow());
        let waiting = WaitingList::of_undelivered(&parts.undelivered);
        let rejected = Vec::new();
        let outbox = Self { parts, live, direct, progress, finish, next, reported, old_up_to, waiting, rejected };
        (outbox, handle)
    }

    /// Publishes until the loop has finished, then what is left, for as long as `drain_within`.
    ///
    /// # Errors
    /// [`StoreError`] when committed facts cannot be read.
    pub async fn run(mut self, drain_within: Duration) -> Result<(), StoreError> {
        let (finish, progress) = (self.finish.clone(), self.progress.clone());
        let too_late = async {
            finish.cancelled().await;
            tokio::time::sleep(drain_within).await;
        };
        let done = tokio::select! {
            biased;
            () = progress.closed() => Ok(()),
            done = self.publish_until_finished() => done,
            () = too_late => Ok(()),
        };
        let committed = *self.parts.committed.borrow();
        if self.next <= committed {
            tracing::warn!(next = self.next.0, "ended with facts unpublished; they leave at the next start");
        }
        self.parts.publisher.close().await;
        done
    }

    async fn publish_until_finished(&mut self) -> Result<(), StoreError> {
        // What an earlier life of the daemon left waits for nothing.
        self.catch_up().await?;
        let finish = self.finish.clone();
        let mut retry = tokio::time::interval(RETRY_EVERY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut direct, mut batches) = (Vec::new(), Vec::new());
        loop {
            // In no fixed order, so that neither facts nor receipts starve the others.
            tokio::select! {
                () = finish.cancelled() => return self.drain().await,
                1.. = self.direct.recv_many(&mut direct, PAGE) => self.publish_direct(std::mem::take(&mut direct)).await,
                1.. = self.live.recv_many(&mut batches, BATCHES_AT_ONCE) => {
                    self.publish_batches(&batches).await?;
                    batches.clear();
                }
                Ok(()) = self.parts.committed.changed(), if self.live.is_empty() => self.catch_up().await?,
                _ = retry.tick() => self.keep_up().await?,
            }
        }
    }

    /// The loop has finished and is about to drop its ends: what it has handed over leaves, then what is committed.
    async fn drain(&mut self) -> Result<(), StoreError> {
        let mut direct = Vec::new();
        while self.direct.recv_many(&mut direct, PAGE).await > 0 {
            self.publish_direct(std::mem::take(&mut direct)).await;
        }
        self.catch_up().await
    }

    /// Publishes batches from memory, those that follow one another together; what lies before them comes from the store.
    async fn publish_batches(&mut self, mut batches: &[Arc<Batch>]) -> Result<(), StoreError> {
        while let Some(first) = batches.first() {
            if let Some(fact) = first.facts.first() {
                self.catch_up_to(FactSeq(fact.seq.0 - 1)).await?;
            }
            let mut next = self.next;
            let mut leaving = Vec::new();
            let mut taken = 0;
            for batch in batches {
                if batch.facts.first().is_some_and(|fact| fact.seq > next) {
                    break;
                }
                let payloads: HashMap<_, _> = batch.payloads.iter().map(|(task, payload)| (task, payload)).collect();
                for fact in batch.facts.iter().filter(|fact| fact.seq >= next) {
                    let in_memory = fact.task.as_ref().and_then(|(task, _)| payloads.get(task).copied()).cloned();
                    self.add(fact, in_memory, &mut leaving)?;
                }
                if let Some(last) = batch.facts.last() {
                    next = next.max(FactSeq(last.seq.0 + 1));
                }
                taken += 1;
            }
            if next > self.next {
                self.publish_facts(leaving, FactSeq(next.0 - 1)).await?;
            }
            batches = &batches[taken..];
        }
        Ok(())
    }

    /// Publishes what is committed and was not handed over in memory.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let committed = *self.parts.committed.borrow_and_update();
        self.catch_up_to(committed).await
    }

    async fn catch_up_to(&mut self, last: FactSeq) -> Result<(), StoreError> {
        while self.next <= last {
            let facts = self.parts.reader.facts_after(FactSeq(self.next.0 - 1), PAGE)?;
            let mut leaving = Vec::new();
            let mut up_to = last;
            for fact in facts.iter().filter(|fact| fact.seq <= last) {
                self.add(fact, None, &mut leaving)?;
                up_to = fact.seq;
            }
            self.publish_facts(leaving, up_to).await?;
        }
        Ok(())
    }

    /// Adds the messages of a fact.
    fn add(&mut self, fact: &Fact, in_memory: Option<Arc<[u8]>>, leaving: &mut Vec<Leaving>) -> Result<(), StoreError> {
        let incarnation = &self.parts.incarnation;
        if let Some(event) = message::event(incarnation, fact) {
            leaving.push(Leaving { seq: fact.seq, part: Part::Event, publication: publication(event) });
        }
        let by_queue = fact.team.as_ref().filter(|team| !self.parts.http_teams.contains(*team));
        if let (Some(team), Some(_)) = (by_queue, fact.addressed) {
            let payload = match (fact.with_payload, in_memory, &fact.task) {
                (true, Some(payload), _) => Some(payload),
                (true, None, Some((task, _))) => self.parts.reader.payload(task)?,
                _ => None,
            };
            if let Some(work) = message::work(incarnation, fact, payload.as_deref()) {
                let part = Part::Work(team.clone());
                leaving.push(Leaving { seq: fact.seq, part, publication: publication(work) });
            }
        }
        Ok(())
    }

    /// Publishes the messages of facts up to `last`, again and again until it is known what became of each.
    async fn publish_facts(&mut self, leaving: Vec<Leaving>, last: FactSeq) -> Result<(), StoreError> {
        while self.waiting.events() >= REFUSED_EVENTS_LIMIT {
            tokio::time::sleep(RETRY_EVERY).await;
            self.retry().await?;
        }
        let old = leaving.iter().filter(|it| it.seq <= self.old_up_to).count();
        self.parts.metrics.republished(old as u64);
        let outcomes = loop {
            match self.parts.publisher.publish(&leaving).await {
                Ok(outcomes) => break outcomes,
                Err(error) => {
                    self.lost(&error);
                    self.parts.metrics.republished(leaving.len() as u64);
                }
            }
        };
        let mut progress = Progress::default();
        for (message, outcome) in leaving.into_iter().zip(outcomes) {
            self.note(message, &outcome, &mut progress);
        }
        self.next = FactSeq(last.0 + 1);
        self.report(progress).await;
        Ok(())
    }

    /// Keeps what must be tried again apart.
    fn note(&mut self, message: Leaving, outcome: &Outcome, progress: &mut Progress) {
        let Leaving { seq, part, .. } = message;
        let Some(failure) = failure(outcome) else {
            return self.delivered(seq, &part, progress);
        };
        self.parts.metrics.publish_failed(failure);
        tracing::warn!(seq = seq.0, %part, ?outcome, "the broker did not take a message");
        match &part {
            Part::Work(team) => progress.undelivered.push((seq, team.clone())),
            // No other try can succeed; the fact itself stays in the store and shows over HTTP.
            Part::Event if matches!(outcome, Outcome::Unsendable { .. }) => return,
            Part::Event => {}
        }
        self.waiting.add(seq, part);
    }

    /// Publishes receipts and rejected messages; a delivery is settled once its copy is confirmed, and tried again until
    /// then. A receipt is not promised.
    async fn publish_direct(&mut self, messages: Vec<Direct>) {
        let publications: Vec<_> = messages.iter().map(|it| publication(it.message.clone())).collect();
        let mut progress = Progress::default();
        match self.parts.publisher.publish(&publications).await {
            Ok(outcomes) => {
                for (message, outcome) in messages.into_iter().zip(outcomes) {
                    match failure(&outcome) {
                        None => progress.settled.extend(message.settles),
                        Some(failure) => {
                            self.parts.metrics.publish_failed(failure);
                            tracing::warn!(id = message.message.message_id, ?outcome, "a message was not taken");
                            self.rejected.extend(another_try(message, &outcome));
                        }
                    }
                }
            }
            Err(error) => {
                self.lost(&error);
                self.rejected.extend(messages.into_iter().filter(|it| it.settles.is_some()));
            }
        }
        keep_newest_link(&mut self.rejected);
        self.report(progress).await;
    }

    /// Keeps the link open while there is nothing to publish, and tries again what the broker has not taken.
    async fn keep_up(&mut self) -> Result<(), StoreError> {
        match self.parts.publisher.connect().await {
            Ok(()) => self.retry().await,
            Err(error) => {
                tracing::warn!(%error, "no link to publish on");
                Ok(())
            }
        }
    }

    /// Tries again what the broker has not taken; an offer that stays undelivered too long is reported once.
    async fn retry(&mut self) -> Result<(), StoreError> {
        if !self.rejected.is_empty() {
            let rejected = std::mem::take(&mut self.rejected);
            self.publish_direct(rejected).await;
        }
        let due = self.waiting.due(RETRY_ROUND);
        if due.is_empty() {
            return Ok(());
        }
        let seqs: Vec<_> = due.iter().map(|(seq, _)| *seq).collect::<BTreeSet<_>>().into_iter().collect();
        let facts = self.parts.reader.facts_at(&seqs)?;
        let mut leaving = Vec::new();
        for fact in &facts {
            self.add(fact, None, &mut leaving)?;
        }
        leaving.retain(|it| due.contains(&(it.seq, it.part.clone())));
        let mut progress = Progress::default();
        for (seq, part) in &due {
            // A purged body has no message, and a team that reads over HTTP now finds it there.
            if !leaving.iter().any(|it| it.seq == *seq && it.part == *part) {
                self.delivered(*seq, part, &mut progress);
            }
        }
        match self.parts.publisher.publish(&leaving).await {
            Ok(outcomes) => {
                for (message, outcome) in leaving.iter().zip(outcomes) {
                    match failure(&outcome) {
                        None => self.delivered(message.seq, &message.part, &mut progress),
                        Some(failure) => self.parts.metrics.publish_failed(failure),
                    }
                }
            }
            Err(error) => self.lost(&error),
        }
        self.waiting.tried(&due);
        for fact in &facts {
            self.expire(fact, &mut progress);
        }
        self.report(progress).await;
        Ok(())
    }

    fn delivered(&mut self, seq: FactSeq, part: &Part, progress: &mut Progress) {
        if self.waiting.remove(seq, part) && matches!(part, Part::Work(_)) {
            progress.delivered.push(seq);
        }
    }

    fn expire(&mut self, fact: &Fact, progress: &mut Progress) {
        let Some(assignment) = offer_assignment(fact) else { return };
        let (Some((task, _)), Some(team)) = (&fact.task, &fact.team) else { return };
        if self.waiting.expires(fact.seq, &Part::Work(team.clone()), self.parts.undelivered_within) {
            tracing::warn!(%team, %task, "an offer could not be delivered");
            progress.expired_offers.push((task.clone(), assignment));
        }
    }

    fn lost(&self, error: &PublishError) {
        self.parts.metrics.publish_failed(PublishFailure::Lost);
        tracing::warn!(%error, "publishing failed; the same messages leave again");
    }

    /// Tells the loop; the watermark stands before the first fact that is not confirmed.
    async fn report(&mut self, mut progress: Progress) {
        let committed = *self.parts.committed.borrow();
        self.parts.metrics.set_outbox((committed.0 + 1).saturating_sub(self.next.0));
        let first_open = self.waiting.first_event().unwrap_or(self.next).min(self.next);
        let watermark = FactSeq(first_open.0.saturating_sub(1));
        if watermark > self.reported {
            self.reported = watermark;
            progress.watermark = Some(watermark);
        }
        if progress.is_news() {
            // The loop ends before the outbox only when the daemon stops.
            let _ = self.progress.send(progress).await;
        }
    }
}

/// Why an outcome is not a confirm.
fn failure(outcome: &Outcome) -> Option<PublishFailure> {
    match outcome {
        Outcome::Confirmed => None,
        Outcome::Returned { .. } => Some(PublishFailure::Returned),
        Outcome::Nacked => Some(PublishFailure::Nacked),
        Outcome::Unsendable { .. } => Some(PublishFailure::Unsendable),
    }
}

/// A rejected delivery as it is tried again. One whose headers are too large leaves without them, since its fact tells
/// the reason and a delivery that is never settled would hold back all that follow it.
fn another_try(mut rejected: Direct, outcome: &Outcome) -> Option<Direct> {
    rejected.settles?;
    if matches!(outcome, Outcome::Unsendable { .. }) {
        rejected.message.headers.clear();
    }
    Some(rejected)
}

/// A message of a fact on its way.
struct Leaving {
    seq: FactSeq,
    part: Part,
    publication: Publication,
}

impl Borrow<Publication> for Leaving {
    fn borrow(&self) -> &Publication {
        &self.publication
    }
}

/// The assignment of an offer, from the body that was published.
fn offer_assignment(fact: &Fact) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct Offered {
        assignment: u32,
    }
    if &*fact.event_type != "task.offered" {
        return None;
    }
    serde_json::from_slice::<Offered>(&fact.body).ok().map(|offered| offered.assignment)
}

fn publication(message: Outgoing) -> Publication {
    let exchange = match message.exchange {
        ExchangeName::Work => Exchange::Work,
        ExchangeName::Events => Exchange::Events,
        ExchangeName::Rejected => Exchange::Rejected,
        ExchangeName::Replies => Exchange::Replies,
    };
    Publication {
        exchange,
        routing_key: message.routing_key,
        mandatory: message.mandatory,
        message_id: message.message_id,
        message_type: message.message_type,
        correlation_id: message.correlation_id,
        timestamp: u64::try_from(message.at.timestamp()).unwrap_or(0),
        content_type: "application/json".into(),
        headers: message.headers,
        body: message.body,
    }
}
