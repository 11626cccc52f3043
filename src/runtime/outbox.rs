//! From committed facts to the broker.
//!
//! Facts leave in their order, each at least once: what is committed is published, and only when its confirm is in
//! does the watermark pass it. The common path publishes a batch from memory right after its commit; after a failure
//! or a start, what lies above the watermark is read from the store and leaves again with the same ids. A message
//! that the broker gives back (its queue is gone) moves to the undelivered ones, which are tried again apart, so that
//! one lost queue does not stop the others.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::broker::{Exchange, Outcome, Publication, Publisher};
use crate::engine::id::{TaskId, TeamId};
use crate::store::{Batch, Reader, StoreError};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::PublishFailure;
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message::{self, ExchangeName, Outgoing};

use super::clock::Stopwatch;
use super::decider::Direct;

/// How many committed batches wait in memory; past it they are read from the store when their turn comes.
pub const LIVE_BATCHES: usize = 8;

/// How many of them leave together when publishing is behind: fewer waits for confirms in a row.
const BATCHES_AT_ONCE: usize = 4;

/// How many messages beside the facts wait; past it a rejected delivery waits in the loop, a receipt is dropped.
pub const DIRECT_LIMIT: usize = 4_096;

/// How many facts one read from the store brings.
const PAGE: usize = 256;

/// How long until an undelivered message is tried again, doubling up to the last.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LAST: Duration = Duration::from_secs(60);

/// How many undelivered messages one round tries.
const RETRY_ROUND: usize = 256;

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

/// The channels between the loop and the outbox.
#[derive(Debug)]
pub struct OutboxHandle {
    /// Batches right after their commit.
    pub live: mpsc::Sender<Arc<Batch>>,
    /// Messages beside the facts.
    pub direct: mpsc::Sender<Direct>,
    /// What publishing has come to.
    pub progress: mpsc::Receiver<Progress>,
}

/// What an outbox starts from.
pub struct OutboxParts {
    /// Publishes.
    pub publisher: Publisher,
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

/// A message that the broker gave back.
struct Undelivered {
    team: TeamId,
    since: Stopwatch,
    last_try: Stopwatch,
    pause: Duration,
    expired: bool,
}

/// Publishes what is committed.
pub struct Outbox {
    parts: OutboxParts,
    live: mpsc::Receiver<Arc<Batch>>,
    direct: mpsc::Receiver<Direct>,
    progress: mpsc::Sender<Progress>,
    next: FactSeq,
    /// Facts up to here were committed before the start and may have left before.
    old_up_to: FactSeq,
    undelivered: BTreeMap<FactSeq, Undelivered>,
}

impl Outbox {
    /// An outbox and the loop's ends of its channels.
    #[must_use]
    pub fn new(parts: OutboxParts) -> (Self, OutboxHandle) {
        let (live_sender, live) = mpsc::channel(LIVE_BATCHES);
        let (direct_sender, direct) = mpsc::channel(DIRECT_LIMIT);
        let (progress, progress_receiver) = mpsc::channel(64);
        let undelivered = parts.undelivered.iter().map(|(seq, team)| (*seq, Undelivered::new(team.clone()))).collect();
        let next = FactSeq(parts.watermark.0 + 1);
        let old_up_to = *parts.committed.borrow();
        let outbox = Self { parts, live, direct, progress, next, old_up_to, undelivered };
        (outbox, OutboxHandle { live: live_sender, direct: direct_sender, progress: progress_receiver })
    }

    /// Publishes until `stop`, then what is committed by then, for as long as `drain_within`.
    ///
    /// # Errors
    /// [`StoreError`] when committed facts cannot be read.
    pub async fn run(mut self, stop: CancellationToken, drain_within: Duration) -> Result<(), StoreError> {
        let deadline = async {
            stop.cancelled().await;
            tokio::time::sleep(drain_within).await;
        };
        let done = tokio::select! {
            done = self.publish_until(&stop) => done,
            () = deadline => {
                tracing::warn!(next = self.next.0, "stopped with facts unpublished; they leave at the next start");
                Ok(())
            }
        };
        self.parts.publisher.close().await;
        done
    }

    async fn publish_until(&mut self, stop: &CancellationToken) -> Result<(), StoreError> {
        let mut retry = tokio::time::interval(RETRY_FIRST);
        let (mut direct, mut batches) = (Vec::new(), Vec::new());
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.drain().await,
                _ = self.direct.recv_many(&mut direct, PAGE) => self.publish_direct(&mut direct).await,
                1.. = self.live.recv_many(&mut batches, BATCHES_AT_ONCE) => {
                    self.publish_batches(&batches).await?;
                    batches.clear();
                }
                Ok(()) = self.parts.committed.changed(), if self.live.is_empty() => self.catch_up().await?,
                _ = retry.tick() => self.keep_up().await?,
            }
        }
    }

    async fn drain(&mut self) -> Result<(), StoreError> {
        let mut direct = Vec::new();
        while let Ok(message) = self.direct.try_recv() {
            direct.push(message);
        }
        if !direct.is_empty() {
            self.publish_direct(&mut direct).await;
        }
        let committed = *self.parts.committed.borrow();
        self.catch_up_to(committed).await
    }

    /// Publishes batches from memory, those that follow one another together; what lies before them comes from the store.
    async fn publish_batches(&mut self, mut batches: &[Arc<Batch>]) -> Result<(), StoreError> {
        while !batches.is_empty() {
            if let Some(first) = batches[0].facts.first().filter(|first| first.seq > self.next) {
                self.catch_up_to(FactSeq(first.seq.0 - 1)).await?;
            }
            let mut next = self.next;
            let mut leaving = Vec::new();
            let mut taken = 0;
            for batch in batches {
                if batch.facts.first().is_some_and(|first| first.seq > next) {
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
                self.publish_facts(leaving, FactSeq(next.0 - 1)).await;
            }
            batches = &batches[taken..];
        }
        Ok(())
    }

    /// Publishes what is committed and was not handed over in memory.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        if !self.live.is_empty() {
            return Ok(());
        }
        let committed = *self.parts.committed.borrow_and_update();
        self.catch_up_to(committed).await
    }

    async fn catch_up_to(&mut self, last: FactSeq) -> Result<(), StoreError> {
        while self.next <= last {
            let facts = self.parts.reader.facts_after(FactSeq(self.next.0 - 1), PAGE)?;
            let mut publications = Vec::new();
            let mut up_to = last;
            for fact in facts.iter().filter(|fact| fact.seq <= last) {
                self.add(fact, None, &mut publications)?;
                up_to = fact.seq;
            }
            self.publish_facts(publications, up_to).await;
        }
        Ok(())
    }

    /// Adds the messages of a fact.
    fn add(
        &mut self,
        fact: &Fact,
        in_memory: Option<Arc<[u8]>>,
        publications: &mut Vec<Leaving>,
    ) -> Result<(), StoreError> {
        let incarnation = &self.parts.incarnation;
        if let Some(event) = message::event(incarnation, fact) {
            publications.push(Leaving { seq: fact.seq, team: None, publication: publication(event) });
        }
        let by_queue = fact.team.as_ref().filter(|team| !self.parts.http_teams.contains(*team));
        if let (Some(team), Some(_)) = (by_queue, fact.addressed) {
            let payload = match (fact.with_payload, in_memory, &fact.task) {
                (true, Some(payload), _) => Some(payload),
                (true, None, Some((task, _))) => self.parts.reader.payload(task)?,
                _ => None,
            };
            if let Some(work) = message::work(incarnation, fact, payload.as_deref()) {
                let team = Some(team.clone());
                publications.push(Leaving { seq: fact.seq, team, publication: publication(work) });
            }
        }
        Ok(())
    }

    /// Publishes the messages of facts up to `last`, again and again until each is confirmed or given back.
    async fn publish_facts(&mut self, mut leaving: Vec<Leaving>, last: FactSeq) {
        let mut progress = Progress::default();
        let mut attempt: u32 = 0;
        let first = self.next;
        while !leaving.is_empty() {
            if attempt > 0 || first <= self.old_up_to {
                self.parts.metrics.republished(leaving.len() as u64);
            }
            attempt += 1;
            match self.parts.publisher.publish(&leaving).await {
                Ok(outcomes) => leaving = self.sort_out(leaving, outcomes, &mut progress),
                Err(error) => {
                    self.parts.metrics.publish_failed(PublishFailure::Lost);
                    tracing::warn!(%error, "publishing failed; the same messages leave again");
                }
            }
        }
        self.next = FactSeq(last.0 + 1);
        progress.watermark = Some(last);
        self.report(progress).await;
    }

    /// Keeps what must be published again.
    fn sort_out(&mut self, leaving: Vec<Leaving>, outcomes: Vec<Outcome>, progress: &mut Progress) -> Vec<Leaving> {
        let mut again = Vec::new();
        for (message, outcome) in leaving.into_iter().zip(outcomes) {
            match (outcome, &message.team) {
                (Outcome::Confirmed, _) => {}
                (Outcome::Returned { reply_text, .. }, Some(team)) => {
                    self.parts.metrics.publish_failed(PublishFailure::Returned);
                    tracing::warn!(%team, seq = message.seq.0, %reply_text, "message to a team came back");
                    self.undelivered.insert(message.seq, Undelivered::new(team.clone()));
                    progress.undelivered.push((message.seq, team.clone()));
                }
                (Outcome::Returned { .. }, None) => {}
                (Outcome::Nacked, _) => {
                    self.parts.metrics.publish_failed(PublishFailure::Nacked);
                    again.push(message);
                }
                (Outcome::Unsendable { field, bytes, limit_bytes }, _) => {
                    self.parts.metrics.publish_failed(PublishFailure::Unsendable);
                    tracing::error!(seq = message.seq.0, field, bytes, limit_bytes, "message cannot be sent");
                }
            }
        }
        again
    }

    /// Publishes receipts and rejected messages; a delivery is settled once its copy is confirmed. What fails is left:
    /// a rejected delivery comes again, a receipt is not promised.
    async fn publish_direct(&mut self, direct: &mut Vec<Direct>) {
        let messages = std::mem::take(direct);
        if messages.is_empty() {
            return;
        }
        let publications: Vec<_> = messages.iter().map(|it| publication(it.message.clone())).collect();
        let mut progress = Progress::default();
        match self.parts.publisher.publish(&publications).await {
            Ok(outcomes) => {
                let confirmed = messages.iter().zip(outcomes).filter(|(_, outcome)| *outcome == Outcome::Confirmed);
                progress.settled = confirmed.filter_map(|(message, _)| message.settles).collect();
            }
            Err(error) => {
                self.parts.metrics.publish_failed(PublishFailure::Lost);
                tracing::warn!(%error, messages = messages.len(), "publishing beside the facts failed");
            }
        }
        self.report(progress).await;
    }

    /// Keeps the link open while there is nothing to publish, so that readiness tells what publishing would meet; then
    /// tries what was given back.
    async fn keep_up(&mut self) -> Result<(), StoreError> {
        match self.parts.publisher.connect().await {
            Ok(()) => self.retry_undelivered().await,
            Err(error) => {
                tracing::warn!(%error, "no link to publish on");
                Ok(())
            }
        }
    }

    /// Tries what was given back; an offer that stays undelivered too long is reported once.
    async fn retry_undelivered(&mut self) -> Result<(), StoreError> {
        let due = self.undelivered.iter().filter(|(_, it)| it.last_try.elapsed() >= it.pause);
        let due: Vec<_> = due.map(|(seq, _)| *seq).take(RETRY_ROUND).collect();
        if due.is_empty() {
            return Ok(());
        }
        let mut progress = Progress::default();
        let mut leaving = Vec::new();
        for fact in self.parts.reader.facts_at(&due)? {
            self.expire(&fact, &mut progress);
            let mut publications = Vec::new();
            self.add(&fact, None, &mut publications)?;
            leaving.extend(publications.into_iter().filter(|it| it.team.is_some()));
        }
        if let Ok(outcomes) = self.parts.publisher.publish(&leaving).await {
            for (message, outcome) in leaving.iter().zip(outcomes) {
                if outcome == Outcome::Confirmed {
                    self.undelivered.remove(&message.seq);
                    progress.delivered.push(message.seq);
                }
            }
        }
        for seq in due {
            if let Some(waiting) = self.undelivered.get_mut(&seq) {
                waiting.last_try = Stopwatch::start();
                waiting.pause = (waiting.pause * 2).min(RETRY_LAST);
            }
        }
        self.report(progress).await;
        Ok(())
    }

    fn expire(&mut self, fact: &Fact, progress: &mut Progress) {
        let limit = self.parts.undelivered_within;
        let Some(waiting) = self.undelivered.get_mut(&fact.seq) else { return };
        if waiting.expired || waiting.since.elapsed() < limit {
            return;
        }
        waiting.expired = true;
        if let (Some((task, _)), Some(assignment)) = (&fact.task, offer_assignment(fact)) {
            tracing::warn!(team = %waiting.team, %task, "an offer could not be delivered");
            progress.expired_offers.push((task.clone(), assignment));
        }
    }

    async fn report(&mut self, progress: Progress) {
        let committed = *self.parts.committed.borrow();
        self.parts.metrics.set_outbox((committed.0 + 1).saturating_sub(self.next.0));
        // The loop ends before the outbox only when the daemon stops.
        let _ = self.progress.send(progress).await;
    }
}

/// A message of a fact on its way.
struct Leaving {
    seq: FactSeq,
    /// The team whose queue it is for; `None` for an event.
    team: Option<TeamId>,
    publication: Publication,
}

impl Borrow<Publication> for Leaving {
    fn borrow(&self) -> &Publication {
        &self.publication
    }
}

impl Undelivered {
    fn new(team: TeamId) -> Self {
        let now = Stopwatch::start();
        Self { team, since: now, last_try: now, pause: RETRY_FIRST, expired: false }
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
