//! What a step hands back: the effects in order, each with what it is about and whom it is told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Effect;
use crate::engine::event::Refusal;
use crate::engine::explain::Decision;
use crate::engine::fairness::Mark;
use crate::engine::id::{ClientId, MatterId, RequestId, TaskId, TeamId};
use crate::engine::load::Held;
use crate::engine::process::Process;
use crate::engine::sla::Segment;
use crate::engine::task::{Arrival, Task};
use crate::engine::update::{KeptUpdate, Order, Sender};

/// What one step decided, in order.
#[derive(Debug, Clone, Default)]
pub struct Effects {
    /// What is recorded and published.
    pub recorded: Vec<Recorded>,
    /// Open tasks that are not as the store has them any more, whether or not something is recorded of it.
    pub changed: BTreeSet<Arrival>,
    /// Segments of clocks that were closed.
    pub segments: Vec<Segment>,
    /// What the waiting order remembers otherwise than before; 0 is nothing.
    pub marks: BTreeMap<Mark, u64>,
    /// Tasks that ended in this step, in their last state; the scheduler no longer holds them.
    pub ended: Vec<Task>,
    /// Open processes that are not as the store has them any more.
    pub processes_changed: BTreeSet<Arrival>,
    /// Processes that ended in this step, in their last state; the scheduler no longer holds them.
    pub processes_ended: Vec<Process>,
    /// The number of the override that was set or removed, or why it was not.
    pub overridden: Option<Result<u64, Refusal>>,
    /// Updates that came before their request, to be kept with the store.
    pub kept: Vec<KeptUpdate>,
    /// Kept updates that were applied or ran out, with the refusal of those that did not apply after all.
    pub kept_done: Vec<(Sender, RequestId, Option<Refusal>)>,
    /// Whether walls came or went.
    pub walls_changed: bool,
    /// How the event itself is answered, when it was a request or an update.
    pub answer: Option<Answer>,
}

/// An effect and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// When it happened by what the update says that caused it, of one that was sent in an outage.
    pub claimed_at: Option<DateTime<Utc>>,
    /// The task or the process, with the number of this fact in it.
    pub task: Option<(TaskId, u64)>,
    /// The client it concerns.
    pub client: Option<ClientId>,
    /// The matter it concerns, where a wall has to know it: of messages to teams and of walls.
    pub matter: Option<MatterId>,
    /// The team it concerns.
    pub team: Option<TeamId>,
    /// Whether it is also a message to that team.
    pub addressed: Option<WorkMessage>,
    /// How much that team holds after it, when it is a message to it. A change of what a team holds is always told to it.
    pub held: Option<Held>,
    /// The update that caused it.
    pub update: Option<RequestId>,
    /// Who ordered it and why, when an operator did.
    pub order: Option<Order>,
    /// The decision behind it, stored with it and never published.
    pub decision: Option<Arc<Decision>>,
    /// What is to be done.
    pub effect: Effect,
}

/// The kinds of message in a team's queue; the words are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkMessage {
    /// A task is proposed.
    Offer,
    /// An offer is taken back.
    Withdrawn,
    /// The task is no longer the team's.
    Ended,
    /// The task has changed.
    Changed,
    /// The team is asked for its notes, since the task is to move on.
    HandoffRequested,
    /// The answer to the team's update.
    UpdateResult,
}

impl WorkMessage {
    /// All kinds, in the order of the code.
    pub const ALL: [Self; 6] =
        [Self::Offer, Self::Withdrawn, Self::Ended, Self::Changed, Self::HandoffRequested, Self::UpdateResult];

    /// Whether it tells more of the work than its ids, so that a wall keeps it from a team.
    #[must_use]
    pub fn tells_of_work(self) -> bool {
        match self {
            Self::Offer | Self::Changed | Self::HandoffRequested => true,
            Self::Withdrawn | Self::Ended | Self::UpdateResult => false,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Withdrawn => "withdrawn",
            Self::Ended => "ended",
            Self::Changed => "changed",
            Self::HandoffRequested => "handoff_requested",
            Self::UpdateResult => "update_result",
        }
    }
}

/// How a request or an update is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The request is a task or a process now.
    Admitted(TaskId),
    /// The same request was admitted before.
    Duplicate(TaskId),
    /// The update applied; so did its first copy when this is a repeat.
    Applied,
    /// It did not.
    Refused(Refusal),
}
