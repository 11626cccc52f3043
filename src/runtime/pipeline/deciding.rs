//! What the next batch holds, and when it begins to be written.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::engine::planted::planted;
use crate::store::{Batch, StoreError};
use crate::wire::fact::Link;

use super::super::clock::Stopwatch;
use super::super::decided::Decided;
use super::super::intake::Inbound;
use super::{Pipeline, Writing};

/// From its third arrival on a message is handled alone.
const ALONE_FROM_DELIVERY_COUNT: u64 = 2;

/// A message that was handled alone so often without an end is rejected as poison.
const POISON_AFTER: u32 = 3;

impl Pipeline {
    /// Begins to write what is decided, when nothing is being written.
    pub(super) fn begin(&mut self, stopping: bool) -> Result<(), StoreError> {
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
        if !self.next.batch.facts.is_empty() {
            self.anchor(now, false);
        }
        self.parts.decider.finish(now, &mut self.next);
        let mut decided = std::mem::take(&mut self.next);
        self.take_progress(&mut decided);
        if self.parts.outbox.is_none() {
            // Without a broker the batch itself counts as published.
            decided.batch.watermark = Some(self.parts.decider.last_seq());
        }
        let batch = Arc::new(std::mem::take(&mut decided.batch));
        self.leave_early(&decided, &batch);
        failpoint!("begin", StoreError::at_step("begin"));
        self.parts.committer.begin(Arc::clone(&batch))?;
        self.wrote_at = Instant::now();
        self.writing = Some(Writing { decided, batch, since: Stopwatch::start() });
        Ok(())
    }

    /// Tells the head of the chain when it is time to.
    pub(super) fn anchor(&mut self, now: DateTime<Utc>, at_stop: bool) {
        if !self.is_stopped_clock() && self.drain.is_none() {
            self.parts.decider.anchor(now, at_stop, &mut self.next);
        }
    }

    /// Known bugs: what is to wait for the commit does not.
    fn leave_early(&self, decided: &Decided, batch: &Arc<Batch>) {
        if let Some(consumer) = self.parts.consumer.as_ref().filter(|_| planted("ack-before-commit")) {
            consumer.settle(&decided.settle);
        }
        if let Some(outbox) = self.parts.outbox.as_ref().filter(|_| planted("publish-before-commit")) {
            outbox.live.hand_over(Arc::clone(batch));
        }
    }

    /// Decides what time has brought and then what arrived; messages that arrive for the third time wait to be handled
    /// alone.
    pub(super) fn decide(&mut self) -> Result<(), StoreError> {
        if self.is_stopped_clock() {
            self.turn_away();
            return Ok(());
        }
        if self.drain.is_some() {
            return self.decide_drained();
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
        let links = |inbound: &Inbound| matches!(inbound, Inbound::Consuming { .. } | Inbound::LinkLost);
        let before_link = self.arrived.iter().take(room).position(links);
        let read = self.arrived.drain(..before_link.unwrap_or(room)).collect();
        failpoint!("parse", StoreError::at_step("parse"));
        let ordinary = self.set_alone_aside(read);
        self.parts.decider.decide(now, ordinary, &mut self.next)?;
        match before_link.and_then(|_| self.arrived.pop_front()) {
            Some(Inbound::Consuming { updates }) => self.begin_drain(updates),
            Some(_) => self.lose_link(),
            None => {}
        }
        Ok(())
    }

    /// Messages that arrive for the third time wait to be handled alone.
    pub(super) fn set_alone_aside(&mut self, read: Vec<Inbound>) -> Vec<Inbound> {
        let mut ordinary = Vec::with_capacity(read.len());
        for inbound in read {
            match inbound {
                Inbound::Delivery(delivery) if delivery.delivery_count >= ALONE_FROM_DELIVERY_COUNT => {
                    self.alone.push_back(delivery);
                }
                inbound => ordinary.push(inbound),
            }
        }
        ordinary
    }

    /// The clock stepped: deliveries wait, and what is known of the link; those of a link before the newest one have been
    /// sent again.
    fn turn_away(&mut self) {
        let mut waiting: VecDeque<Inbound> = VecDeque::new();
        for inbound in self.arrived.drain(..) {
            waiting.extend(self.parts.decider.turn_away(inbound, &mut self.next));
        }
        let epoch = |inbound: &Inbound| match inbound {
            Inbound::Delivery(delivery) => Some(delivery.token.epoch),
            _ => None,
        };
        let newest = waiting.iter().rev().find_map(epoch);
        waiting.retain(|inbound| epoch(inbound).is_none_or(|epoch| Some(epoch) == newest));
        self.arrived = waiting;
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
}
