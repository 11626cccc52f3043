//! What was sent while nothing was read is read before anything else is decided, for so long at most.
//!
//! The broker says how many updates wait when consuming begins. Until so many were read, requests, rosters and overrides
//! wait, and no timer fires; then the outage ends for the engine, and all goes on.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::broker::Intake;
use crate::store::StoreError;

use super::super::intake::{INTAKE_LIMIT, Inbound};
use super::Pipeline;

/// For how long at most updates that were sent in an outage are read before anything else; the rest counts as new.
const DRAIN_WITHIN: Duration = Duration::from_secs(60);

/// How much waits meanwhile at most; with more the rest of the updates counts as new.
const MAX_WAITING: usize = INTAKE_LIMIT;

/// What is still to be read of an outage.
#[derive(Debug)]
pub(super) struct Drain {
    /// When that ends in any case.
    until: Instant,
    /// How many updates are still to be read; `None` until consuming has begun.
    left: Option<u64>,
    /// What comes after it.
    waiting: VecDeque<Inbound>,
}

impl Drain {
    /// The drain of a start, without a broker or before consuming has begun.
    pub(super) fn at_start(has_broker: bool) -> Self {
        let left = if has_broker { None } else { Some(0) };
        Self { until: Instant::now() + DRAIN_WITHIN, left, waiting: VecDeque::new() }
    }

    /// The drain of a link that is there again.
    pub(super) fn of(updates: u64) -> Self {
        Self { left: Some(updates), ..Self::at_start(true) }
    }

    /// How long until it ends in any case.
    pub(super) fn ends_in(&self) -> Duration {
        if self.is_over() { Duration::ZERO } else { self.until.saturating_duration_since(Instant::now()) }
    }

    fn is_over(&self) -> bool {
        self.left == Some(0) || self.waiting.len() >= MAX_WAITING || self.until <= Instant::now()
    }

    /// Notes what has arrived; gives back what is decided now.
    fn take(&mut self, inbound: Inbound) -> Option<Inbound> {
        match &inbound {
            Inbound::Consuming { updates } => {
                self.left = Some(*updates);
                None
            }
            Inbound::LinkLost => {
                // What was read and not acknowledged comes again, and is counted with the next link.
                self.left = None;
                None
            }
            Inbound::Delivery(delivery) if delivery.intake == Intake::Updates => {
                self.left = self.left.map(|left| left.saturating_sub(1));
                Some(inbound)
            }
            Inbound::Delivery(_)
            | Inbound::Requests { .. }
            | Inbound::Override { .. }
            | Inbound::Purge { .. }
            | Inbound::Roster(_) => {
                self.waiting.push_back(inbound);
                None
            }
            Inbound::Update { .. }
            | Inbound::MessagesRead { .. }
            | Inbound::Outlook(_)
            | Inbound::Overrides(_)
            | Inbound::Inspect(_)
            | Inbound::Forecast { .. }
            | Inbound::Explain { .. } => Some(inbound),
        }
    }
}

impl Pipeline {
    /// Decides what was sent in an outage, and ends it when that is all.
    pub(super) fn decide_drained(&mut self) -> Result<(), StoreError> {
        let now = self.parts.clock.now();
        let Some(drain) = &mut self.drain else { return Ok(()) };
        let mut read = Vec::new();
        while !drain.is_over() {
            let Some(inbound) = self.arrived.pop_front() else { break };
            read.extend(drain.take(inbound));
        }
        let is_over = drain.is_over();
        let ordinary = self.set_alone_aside(read);
        self.parts.decider.decide(now, ordinary, &mut self.next)?;
        // One that is handled alone is an update of the outage too.
        if is_over && self.alone.is_empty() && self.marked.is_none() {
            self.end_drain();
        }
        Ok(())
    }

    fn end_drain(&mut self) {
        let Some(drain) = self.drain.take() else { return };
        if drain.left != Some(0) {
            tracing::warn!(
                left = drain.left,
                waiting = drain.waiting.len(),
                "not all that was sent in the outage could be read before anything else; the rest counts as new"
            );
        }
        let later = std::mem::take(&mut self.arrived);
        self.arrived = drain.waiting;
        self.arrived.extend(later);
        self.parts.status.drains(false);
        self.parts.decider.end_outage(self.parts.clock.now(), &mut self.next);
    }

    /// The link is lost: limits of offers stand still.
    pub(super) fn lose_link(&mut self) {
        self.parts.decider.begin_outage(self.parts.clock.now(), &mut self.next);
    }

    /// Consuming has begun: so many updates wait. With nothing behind it that is no outage.
    pub(super) fn begin_drain(&mut self, updates: u64) {
        if self.parts.decider.begin_drain(self.parts.clock.now(), &mut self.next) {
            self.parts.status.drains(true);
            self.drain = Some(Drain::of(updates));
        }
    }
}
