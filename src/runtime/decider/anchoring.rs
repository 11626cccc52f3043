//! The head of the chain, told now and then so that others can hold the store to it.

use chrono::{DateTime, Utc};

use crate::engine::event::Event;
use crate::wire::fact::FactSeq;

use super::super::decided::Decided;
use super::Decider;

/// When the head of the chain is told.
#[derive(Debug, Clone, Copy)]
pub struct Anchors {
    /// After so many facts.
    pub every: u64,
    /// The fact that told it last.
    pub last: FactSeq,
}

impl Decider {
    /// Tells the head of the chain when enough facts have come since it was told last, or any at a stop.
    pub fn anchor(&mut self, now: DateTime<Utc>, at_stop: bool, decided: &mut Decided) {
        let since = self.sealer.head().seq.0.saturating_sub(self.anchors.last.0);
        if since < if at_stop { 1 } else { self.anchors.every } || self.is_overdue(now) || self.drains() {
            return;
        }
        let effects = self.scheduler.step(now, Event::ChainAnchored);
        self.take(effects, decided);
        self.anchors.last = self.sealer.head().seq;
    }
}
