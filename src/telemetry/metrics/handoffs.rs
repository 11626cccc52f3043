//! The metrics of hand-offs.

use prometheus::{Histogram, IntCounterVec};

use crate::engine::id::TeamId;

use super::super::words::HandoffOutcome;
use super::Families;

/// What became of them, and how long the next team took to answer.
#[derive(Debug)]
pub(super) struct Handoffs {
    total: IntCounterVec,
    acceptance: Histogram,
}

impl Handoffs {
    pub fn new(make: &Families, wait_buckets: &[f64]) -> Self {
        Self {
            total: make.counters(
                "handoffs_total",
                "Hand-offs that the next team was asked for, by what became of them.",
                &["to_team", "outcome"],
            ),
            acceptance: make.histogram(
                "handoff_acceptance_seconds",
                "Time from the offer of a hand-off to its accept.",
                wait_buckets,
            ),
        }
    }

    /// A team is known: its lines are there, at 0.
    pub fn know(&self, team: &TeamId) {
        let _ = HandoffOutcome::ALL.map(|it| self.total.with_label_values(&[team.as_str(), it.as_str()]));
    }

    pub fn ended(&self, to: &TeamId, outcome: HandoffOutcome) {
        self.total.with_label_values(&[to.as_str(), outcome.as_str()]).inc();
    }

    pub fn accepted_after(&self, seconds: f64) {
        self.acceptance.observe(seconds);
    }
}
