//! What people wrote about a task, apart from the rest of it: it is forgotten before the task's row is.

use serde::{Deserialize, Serialize};

use super::{Notes, Task, TaskState};

/// Everything of a task that is free text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Words {
    /// The notes of its holders, in their order; those behind the last that said something are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    holders: Vec<Notes>,
    /// What the owner has for the next one.
    #[serde(default, flatten)]
    owner: Notes,
    /// Why it was called off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl Words {
    /// Only why it was called off.
    #[must_use]
    pub fn of_reason(reason: String) -> Self {
        Self { reason: Some(reason), ..Self::default() }
    }

    /// Why it was called off.
    #[must_use]
    pub fn into_reason(self) -> Option<String> {
        self.reason
    }
}

impl Task {
    /// Whether anybody wrote anything about it.
    #[must_use]
    pub fn has_words(&self) -> bool {
        let nothing = Notes::default();
        let of_state = match &self.state {
            TaskState::Active(active) => active.handoff.notes != nothing,
            TaskState::Cancelled { reason, .. } => !reason.is_empty(),
            TaskState::Waiting(_) | TaskState::Offered(_) | TaskState::Completed { .. } => false,
        };
        of_state || self.holders.iter().any(|holder| holder.notes != nothing)
    }

    /// Takes the words out of the task.
    pub fn take_words(&mut self) -> Words {
        let mut holders: Vec<_> = self.holders.iter_mut().map(|holder| std::mem::take(&mut holder.notes)).collect();
        let said = holders.iter().rposition(|notes| *notes != Notes::default()).map_or(0, |last| last + 1);
        holders.truncate(said);
        let mut words = Words { holders, ..Words::default() };
        match &mut self.state {
            TaskState::Active(active) => words.owner = std::mem::take(&mut active.handoff.notes),
            TaskState::Cancelled { reason, .. } => words.reason = Some(std::mem::take(reason)),
            TaskState::Waiting(_) | TaskState::Offered(_) | TaskState::Completed { .. } => {}
        }
        words
    }

    /// Puts words back that were taken out.
    pub fn put_words(&mut self, words: Words) {
        for (holder, notes) in self.holders.iter_mut().zip(words.holders) {
            holder.notes = notes;
        }
        match (&mut self.state, words.reason) {
            (TaskState::Active(active), _) => active.handoff.notes = words.owner,
            (TaskState::Cancelled { reason, .. }, Some(said)) => *reason = said,
            _ => {}
        }
    }
}
