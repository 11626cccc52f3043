//! The values of labels that are not words of the engine.

/// Where a message came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    /// The queue of requests.
    Requests,
    /// The queue of updates.
    Updates,
    /// Requests over HTTP.
    HttpRequests,
    /// Updates over HTTP.
    HttpUpdates,
}

impl Queue {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Requests, Self::Updates, Self::HttpRequests, Self::HttpUpdates];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Updates => "updates",
            Self::HttpRequests => "http_requests",
            Self::HttpUpdates => "http_updates",
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A request that is a task now.
    Admitted,
    /// A request or an update that was taken before.
    Duplicate,
    /// A request with the id of another one.
    Conflict,
    /// A request or an update that was refused.
    Rejected,
    /// An update that applied.
    Applied,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Admitted, Self::Duplicate, Self::Conflict, Self::Rejected, Self::Applied];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Rejected => "rejected",
            Self::Applied => "applied",
        }
    }
}

/// Why a message did not leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublishFailure {
    /// No queue took it.
    Returned,
    /// The broker could not take it.
    Nacked,
    /// It breaks a limit of the protocol.
    Unsendable,
    /// The link went, or no confirm came in time.
    Lost,
}

impl PublishFailure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Returned, Self::Nacked, Self::Unsendable, Self::Lost];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Nacked => "nacked",
            Self::Unsendable => "unsendable",
            Self::Lost => "lost",
        }
    }
}

/// What was being done with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// Opening it.
    Open,
    /// Reading what a start needs.
    Recover,
    /// Writing a batch.
    Commit,
    /// Reading committed state.
    Read,
    /// Moving the write-ahead log into the store.
    Checkpoint,
    /// Forgetting what is not to be kept any longer.
    Forget,
}

impl StoreOperation {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Open, Self::Recover, Self::Commit, Self::Read, Self::Checkpoint, Self::Forget];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Recover => "recover",
            Self::Commit => "commit",
            Self::Read => "read",
            Self::Checkpoint => "checkpoint",
            Self::Forget => "forget",
        }
    }
}

/// What became of a hand-off that the next team was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandoffOutcome {
    /// It owns the task now.
    Passed,
    /// It declined.
    Declined,
    /// It did not answer in time.
    Lapsed,
    /// Its shift ended first.
    ShiftEnded,
    /// The message could not be delivered.
    Unreachable,
}

impl HandoffOutcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Passed, Self::Declined, Self::Lapsed, Self::ShiftEnded, Self::Unreachable];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Declined => "declined",
            Self::Lapsed => "lapsed",
            Self::ShiftEnded => "shift_ended",
            Self::Unreachable => "unreachable",
        }
    }
}

/// How a completed task stands to its promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlaResult {
    /// Every clock was met.
    Met,
    /// A clock was breached.
    Breached,
    /// It had no clocks.
    None,
}

impl SlaResult {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Met, Self::Breached, Self::None];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Breached => "breached",
            Self::None => "none",
        }
    }
}

/// What the store forgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhatForgotten {
    /// The payload of a task.
    Payload,
    /// Text that people wrote about a task.
    Words,
    /// A task with all that stood beside it.
    Task,
    /// A fact at the front of the chain.
    Fact,
    /// The answer to an update.
    Update,
}

impl WhatForgotten {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Payload, Self::Words, Self::Task, Self::Fact, Self::Update];

    /// The value of the label.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Words => "words",
            Self::Task => "task",
            Self::Fact => "fact",
            Self::Update => "update",
        }
    }
}
