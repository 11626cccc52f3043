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

mod again;
mod facts;
mod leaving;
mod live;
mod publish;
mod waiting;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::broker::PublishError;
use crate::engine::effect::Exposure;
use crate::engine::id::{TaskId, TeamId};
use crate::engine::planted::planted;
use crate::engine::walls::Walled;
use crate::store::{Reader, StoreError};
use crate::telemetry::metrics::{Metrics, PublishFailure};
use crate::wire::fact::FactSeq;

use super::decided::Direct;
use super::in_force::InForce;
use super::walls::WallsInForce;
#[cfg(test)]
pub use live::live;
pub use live::{Handed, Live};
pub use publish::{Publish, WhileLed};
use waiting::WaitingList;

/// How many of them leave together when publishing is behind: fewer waits for confirms in a row.
const BATCHES_AT_ONCE: usize = 16;

/// How many messages beside the facts wait; past it a rejected delivery waits in the loop, a receipt is dropped.
pub const DIRECT_LIMIT: usize = 4_096;

/// How many facts one read from the store brings.
const PAGE: usize = 256;

/// How often the messages that wait for another try are looked at.
const RETRY_EVERY: Duration = Duration::from_secs(1);

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
    /// Messages that a wall kept from their team.
    pub suppressed: Vec<FactSeq>,
    /// What had left before a wall was raised.
    pub exposures: Vec<Exposure>,
}

impl Progress {
    fn is_news(&self) -> bool {
        let Self { watermark, undelivered, delivered, expired_offers, settled, suppressed, exposures } = self;
        watermark.is_some()
            || !undelivered.is_empty()
            || !delivered.is_empty()
            || !expired_offers.is_empty()
            || !settled.is_empty()
            || !suppressed.is_empty()
            || !exposures.is_empty()
    }
}

/// The channels between the loop and the outbox.
#[derive(Debug)]
pub struct OutboxHandle {
    /// Batches right after their commit.
    pub live: Live,
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
    /// The walls in force.
    pub walls: WallsInForce,
    /// The roster in force: which teams have no queue, how long an offer may stay undelivered.
    pub in_force: InForce,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// Publishes what is committed.
pub struct Outbox<P> {
    parts: OutboxParts<P>,
    live: mpsc::Receiver<Handed>,
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
    /// Messages that walls kept back and the loop has not been told of.
    suppressed: Vec<FactSeq>,
    /// The last of those that it has been told of; the store may not know them yet.
    suppressed_before: BTreeSet<FactSeq>,
    /// Walls of the facts that are about to leave.
    raised: Vec<(FactSeq, Walled)>,
}

impl<P: Publish> Outbox<P> {
    /// An outbox and the loop's ends of its channels.
    #[must_use]
    pub fn new(parts: OutboxParts<P>) -> (Self, OutboxHandle) {
        let (live_sender, live) = live::live();
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
        let outbox = Self {
            parts,
            live,
            direct,
            progress,
            finish,
            next,
            reported,
            old_up_to,
            waiting,
            rejected,
            suppressed: Vec::new(),
            suppressed_before: BTreeSet::new(),
            raised: Vec::new(),
        };
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
        self.catch_up_on_missed().await?;
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
                    self.catch_up_on_missed().await?;
                }
                Ok(()) = self.parts.committed.changed() => self.catch_up_on_missed().await?,
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

    fn lost(&self, error: &PublishError) {
        self.parts.metrics.publish_failed(PublishFailure::Lost);
        tracing::warn!(%error, "publishing failed; the same messages leave again");
    }

    /// Tells the loop; the watermark stands before the first fact that is not confirmed.
    async fn report(&mut self, mut progress: Progress) {
        let committed = *self.parts.committed.borrow();
        self.parts.metrics.set_outbox((committed.0 + 1).saturating_sub(self.next.0));
        let first_open = self.waiting.first_event().unwrap_or(self.next).min(self.next);
        let mut watermark = FactSeq(first_open.0.saturating_sub(1));
        if planted("watermark-one-too-high") && watermark < committed {
            watermark.0 += 1;
        }
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
