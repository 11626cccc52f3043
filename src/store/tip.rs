//! Where a store ends: what the next batch continues.

use super::guard::Guard;
use super::{Batch, StoreError};
use crate::wire::fact::{Fact, FactSeq, Link};

/// The end of the sequence of facts, and what else only ever rises.
#[derive(Debug, Clone)]
pub(super) struct Tip {
    pub last_seq: FactSeq,
    pub last_link: Link,
    pub watermark: FactSeq,
    pub next_arrival: u64,
    pub last_at: Option<i64>,
    /// The walls in force, which no message may pass.
    pub guard: Guard,
}

impl Tip {
    /// Takes in the next fact of a batch: it must follow the last one without a hole, and pass no wall.
    pub fn follow(&mut self, fact: &Fact, batch: &Batch) -> Result<(), StoreError> {
        if fact.seq.0 != self.last_seq.0 + 1 {
            return Err(StoreError::Inconsistent(format!(
                "fact {} follows fact {}: the sequence has a hole",
                fact.seq.0, self.last_seq.0
            )));
        }
        self.guard.check(fact, batch)?;
        self.last_seq = fact.seq;
        self.last_link = fact.link;
        Ok(())
    }

    /// Arrival numbers are never given twice.
    pub fn arrived(&mut self, arrival: u64) {
        self.next_arrival = self.next_arrival.max(arrival + 1);
    }

    /// Takes in how far a batch says that publishing is, and its time; its facts have been taken in before.
    pub fn mark(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if let Some(watermark) = batch.watermark {
            if watermark < self.watermark || watermark > self.last_seq {
                return Err(StoreError::Inconsistent(format!(
                    "watermark {} is outside {} to {}",
                    watermark.0, self.watermark.0, self.last_seq.0
                )));
            }
            self.watermark = watermark;
        }
        self.last_at = batch.at.map(|at| at.timestamp_millis()).or(self.last_at);
        Ok(())
    }
}
