//! Predecessors that nobody has sent: a task waits for them, and after a while on-call staff are told, once.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Said, Scheduler};
use crate::engine::effect::{Effect, EscalationReason, MAX_UNKNOWN_NAMED};
use crate::engine::id::TaskId;
use crate::engine::task::{Arrival, Task};

/// How long a task waits for one that nobody has sent before that is told.
pub const UNKNOWN_FOR: TimeDelta = TimeDelta::hours(1);

/// When it is told that a task waits for one that nobody has sent. A predecessor that ended is waited for no more, so
/// one that is not open has never come.
pub(super) fn told_unknown_at(task: &Task, open: &HashMap<TaskId, Arrival>) -> Option<DateTime<Utc>> {
    let waits = !task.unknown_told && task.after.iter().any(|id| !open.contains_key(id));
    waits.then(|| task.admitted_at + UNKNOWN_FOR)
}

impl Scheduler {
    /// Tells on-call staff which tasks a task waits for that nobody has sent, unless they have come meanwhile.
    pub(super) fn tell_unknown(&mut self, arrival: Arrival) {
        let Some(task) = self.task_of(arrival).filter(|task| told_unknown_at(task, &self.by_id).is_some()) else {
            return;
        };
        let unknown = task.after.iter().filter(|id| !self.by_id.contains_key(*id));
        let unknown = unknown.take(MAX_UNKNOWN_NAMED).cloned().collect();
        self.change(arrival, |task| task.unknown_told = true);
        let effect = Effect::RaiseEscalation { reason: EscalationReason::UnknownPredecessor, step: None, unknown };
        self.record(arrival, Said::default(), effect);
    }
}
