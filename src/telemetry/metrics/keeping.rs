//! What was forgotten.

use prometheus::{Gauge, IntCounterVec};

use super::super::families::Families;
use super::super::words::WhatForgotten;

/// Metrics of what is kept and forgotten.
#[derive(Debug)]
pub(super) struct Keeping {
    forgotten: IntCounterVec,
    pub(super) forgot_all_at: Gauge,
}

impl Keeping {
    pub(super) fn new(make: &Families) -> Self {
        let keeping = Self {
            forgotten: make.counters("forgotten_total", "What was forgotten, by what it was.", &["what"]),
            forgot_all_at: make.float_gauge(
                "forgotten_all_timestamp_seconds",
                "When nothing was left that was to be forgotten by then; 0 is never yet.",
            ),
        };
        let _ = WhatForgotten::ALL.map(|what| keeping.forgot(what, 0));
        keeping
    }

    pub(super) fn forgot(&self, what: WhatForgotten, count: u64) {
        self.forgotten.with_label_values(&[what.as_str()]).inc_by(count);
    }
}
