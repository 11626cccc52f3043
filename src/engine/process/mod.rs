//! A process: a request that is done in steps, each a task of its own.
//!
//! The record has the deadline and its clock. What must come before what, and how far each step is, stands here too, so
//! that the record tells the progress without its tasks. The stored row is this type as JSON.

mod plan;
mod schedule;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{ClientId, MatterId, ProcessId, RequestId, TaskId, TeamId, WorkTypeId};
use super::request::{Priority, RequestDigest};
use super::sla::Clock;
use super::task::{Arrival, Words};

pub use plan::{MAX_STEP_ID_BYTES, MAX_STEPS, Planned, plan};
pub use schedule::{Expected, Span, Work, critical_path, expect, latest};

/// A process once admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its place in the order of arrival, before its steps.
    pub arrival: Arrival,
    /// Its id: `<client>/<request id>`.
    pub id: TaskId,
    /// The firm's id of the request.
    pub request: RequestId,
    /// The firm.
    pub client: ClientId,
    /// The firm's case.
    pub matter: MatterId,
    /// Digest of the request.
    pub digest: RequestDigest,
    /// The template of the roster that it was made from; its steps were copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<ProcessId>,
    /// Priority as last asked for.
    pub priority: Priority,
    /// Instant by which all of it must be done.
    pub deadline: Option<DateTime<Utc>>,
    /// The clock of the deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<Clock>,
    /// When it was admitted.
    pub admitted_at: DateTime<Utc>,
    /// Its steps, each behind those that it waits for; their arrivals rise.
    pub steps: Vec<ProcessStep>,
    /// Where it is.
    pub state: ProcessState,
    /// Sequence number of its last fact.
    pub task_seq: u64,
}

/// A step of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessStep {
    /// Its name inside the request.
    pub id: RequestId,
    /// Its task.
    pub task: TaskId,
    /// The arrival of that.
    pub arrival: Arrival,
    /// Kind of work.
    pub work_type: WorkTypeId,
    /// Effort in minutes as last stated by the firm.
    pub effort_minutes: u32,
    /// Positions of the steps that must end first; they stand before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<usize>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<StepEnd>,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// When.
    pub at: DateTime<Utc>,
    /// Who completed it; nobody when it was cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_by: Option<TeamId>,
}

/// Where a process is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ProcessState {
    /// A step of it is open.
    Open,
    /// Every step has ended, and at least one was completed.
    Completed {
        /// When.
        at: DateTime<Utc>,
    },
    /// The firm or an operator called it off, or every step was cancelled.
    Cancelled {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        reason: String,
    },
}

/// What a task knows of the process that it is a step of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOf {
    /// The process.
    pub process: TaskId,
    /// The arrival of that.
    pub process_arrival: Arrival,
    /// Its name inside the request.
    pub step: RequestId,
    /// When it must be done for the process to be in time: derived, no promise of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<DateTime<Utc>>,
    /// Whether it was told that it is later than that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late_told: bool,
}

impl Process {
    /// How many of its steps are open.
    #[must_use]
    pub fn open_steps(&self) -> usize {
        self.steps.iter().filter(|step| step.ended.is_none()).count()
    }

    /// Takes out what somebody wrote about it; `None` when nobody did.
    pub fn take_words(&mut self) -> Option<Words> {
        match &mut self.state {
            ProcessState::Cancelled { reason, .. } if !reason.is_empty() => {
                Some(Words::of_reason(std::mem::take(reason)))
            }
            ProcessState::Open | ProcessState::Completed { .. } | ProcessState::Cancelled { .. } => None,
        }
    }

    /// Puts it back.
    pub fn put_words(&mut self, words: Words) {
        if let (ProcessState::Cancelled { reason, .. }, Some(said)) = (&mut self.state, words.into_reason()) {
            *reason = said;
        }
    }

    /// How many of its steps were completed.
    #[must_use]
    pub fn completed_steps(&self) -> usize {
        let is_completed = |step: &&ProcessStep| step.ended.as_ref().is_some_and(|end| end.completed_by.is_some());
        self.steps.iter().filter(is_completed).count()
    }

    /// How many of its steps were cancelled.
    #[must_use]
    pub fn cancelled_steps(&self) -> usize {
        self.steps.len() - self.open_steps() - self.completed_steps()
    }

    /// When the last of its steps that have ended did.
    #[must_use]
    pub fn last_end_at(&self) -> Option<DateTime<Utc>> {
        self.steps.iter().filter_map(|step| step.ended.as_ref()).map(|end| end.at).max()
    }

    /// The names of the steps that must end before a step.
    #[must_use]
    pub fn names_before(&self, step: &ProcessStep) -> Vec<RequestId> {
        step.after.iter().filter_map(|position| self.steps.get(*position)).map(|before| before.id.clone()).collect()
    }
}

impl ProcessState {
    /// The word used in messages and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// When it ended.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Open => None,
            Self::Completed { at } | Self::Cancelled { at, .. } => Some(*at),
        }
    }
}
