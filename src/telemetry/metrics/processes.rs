//! The metrics of processes.

use prometheus::{IntCounterVec, IntGauge};

use super::Families;

/// How a process may end.
const OUTCOMES: [&str; 2] = ["completed", "cancelled"];

/// How many are open, and how those that were ended.
#[derive(Debug)]
pub(super) struct Processes {
    open: IntGauge,
    ended: IntCounterVec,
}

impl Processes {
    pub fn new(make: &Families) -> Self {
        let ended = make.counters("processes_ended_total", "Processes that ended, by how.", &["outcome"]);
        let _ = OUTCOMES.map(|outcome| ended.with_label_values(&[outcome]));
        Self { open: make.gauge("processes_open", "Processes with a step that has not ended."), ended }
    }

    pub fn set_open(&self, processes: i64) {
        self.open.set(processes);
    }

    pub fn ended(&self, outcome: &str) {
        self.ended.with_label_values(&[outcome]).inc();
    }
}
