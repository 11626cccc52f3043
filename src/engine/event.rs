//! What happens to the scheduler.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::effect::{Exposure, Purged};
use super::id::{ClientId, RequestId, TaskId, TeamId};
use super::overrides::NewOverride;
use super::request::{RequestDigest, WorkRequest};
use super::roster::Roster;
use super::update::{Update, UpdateDigest};

/// An input of [`super::scheduler::Scheduler::step`].
#[derive(Debug, Clone)]
pub enum Event {
    /// A work request arrived.
    RequestReceived {
        /// The request.
        request: Box<WorkRequest>,
        /// What the store knows of the same client and id, when that task has ended.
        ended: Option<EndedTask>,
        /// What the store knows of those of its predecessors that have ended.
        predecessors: Vec<EndedTask>,
    },
    /// Bytes arrived that are no work request.
    RequestRefused {
        /// Who sent it, as far as known.
        client: Option<ClientId>,
        /// Its id, as far as known.
        request: Option<RequestId>,
        /// Why it was refused.
        refusal: Refusal,
    },
    /// An update arrived.
    UpdateReceived {
        /// The update.
        update: Box<Update>,
        /// Digest of what it says.
        digest: UpdateDigest,
        /// What the store knows of its task, when that has ended.
        ended: Option<EndedTask>,
        /// What the store knows of an earlier update with the same sender and id.
        earlier: Option<UpdateResult>,
    },
    /// Bytes arrived that are no update.
    UpdateRefused {
        /// The team that sent it, as far as known.
        team: Option<TeamId>,
        /// Its id, as far as known.
        update: Option<RequestId>,
        /// Why it was refused.
        refusal: Refusal,
    },
    /// An offer could not be delivered within the limit.
    OfferUndeliverable {
        /// The task.
        task: TaskId,
        /// The offer's number.
        assignment: u32,
    },
    /// It is known what had left for a team when a wall was raised.
    WallExposed(Box<Exposure>),
    /// The closed tasks of a matter are emptied.
    MatterPurged(Box<Purged>),
    /// The head of the chain of facts is to be told.
    ChainAnchored,
    /// Another roster is in force from now on.
    RosterChanged(Arc<Roster>),
    /// Somebody sets or removes an override.
    OverrideWished(OverrideWish),
    /// Nothing can be read from now on: limits of offers stand still.
    OutageBegan,
    /// What was sent in an outage is read from now on, before anything else is decided.
    DrainBegan,
    /// It has been read.
    OutageEnded,
    /// It cannot be read to its end, since the link is lost: all but the limits of offers goes on.
    DrainBroken,
    /// Time went on to a deadline.
    DeadlineReached,
}

/// What somebody wants of overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverrideWish {
    /// Set one.
    Set(Box<NewOverride>),
    /// End one before its time.
    Remove {
        /// Its number.
        id: u64,
        /// Who ends it.
        author: String,
        /// Why.
        reason: String,
    },
}

/// What the store remembers of an ended task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedTask {
    /// The task.
    pub id: TaskId,
    /// Digest of its request.
    pub digest: RequestDigest,
    /// `completed` or `cancelled`.
    pub state: Box<str>,
    /// The team that completed it.
    pub team: Option<TeamId>,
}

/// The answer to an update, kept for its repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateResult {
    /// Digest of what the update said; `None` when it was answered by a version that kept none.
    pub digest: Option<UpdateDigest>,
    /// Whether it applied; the refusal when it did not.
    pub refused: Option<Refusal>,
}

/// A typed "no" to a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}{message}", field.as_ref().map(|f| format!("{f}: ")).unwrap_or_default())]
pub struct Refusal {
    /// What kind of fault.
    pub code: RefusalCode,
    /// The field at fault, such as `skills[1].level`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Box<str>>,
    /// What is wrong, with the value and the limit, and what to do.
    pub message: Box<str>,
}

impl Refusal {
    /// A refusal without a field.
    #[must_use]
    pub fn new(code: RefusalCode, message: impl Into<Box<str>>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    /// A refusal of one field.
    #[must_use]
    pub fn of_field(code: RefusalCode, field: impl Into<Box<str>>, message: impl Into<Box<str>>) -> Self {
        Self { code, field: Some(field.into()), message: message.into() }
    }
}

/// The kinds of refusal; the words are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// Longer than the limit.
    TooLarge,
    /// Not JSON.
    InvalidJson,
    /// Nested deeper than the limit.
    TooDeep,
    /// A key stands twice in one object.
    DuplicateKey,
    /// A field that does not exist.
    UnknownField,
    /// A required field is absent.
    MissingField,
    /// A field's value is outside its type or limit.
    InvalidField,
    /// No such client in the roster.
    UnknownClient,
    /// No such work type in the roster.
    UnknownWorkType,
    /// No such team in the roster.
    UnknownTeam,
    /// No such SLA policy in the roster.
    UnknownSla,
    /// No such process in the roster.
    UnknownProcess,
    /// The roster entry is retired and takes nothing new.
    Retired,
    /// The same id with other content.
    Conflict,
    /// The sender is not who the message says.
    Identity,
    /// Handled alone several times without success.
    Poison,
    /// The daemon holds as many open tasks as it may.
    Full,
    /// No such task, or not one that the sender may know of.
    UnknownTask,
    /// The task has ended.
    TaskEnded,
    /// The assignment is not the current one.
    StaleAssignment,
    /// The move is not legal in the task's state.
    IllegalMove,
    /// The sender may not do this.
    NotAllowed,
}

impl RefusalCode {
    /// All codes that a work request can meet, in the order of the code.
    pub const OF_REQUESTS: [Self; 17] = [
        Self::TooLarge,
        Self::InvalidJson,
        Self::TooDeep,
        Self::DuplicateKey,
        Self::UnknownField,
        Self::MissingField,
        Self::InvalidField,
        Self::UnknownClient,
        Self::UnknownWorkType,
        Self::UnknownTeam,
        Self::UnknownSla,
        Self::UnknownProcess,
        Self::Retired,
        Self::Conflict,
        Self::Identity,
        Self::Poison,
        Self::Full,
    ];

    /// The word used in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::InvalidJson => "invalid_json",
            Self::TooDeep => "too_deep",
            Self::DuplicateKey => "duplicate_key",
            Self::UnknownField => "unknown_field",
            Self::MissingField => "missing_field",
            Self::InvalidField => "invalid_field",
            Self::UnknownClient => "unknown_client",
            Self::UnknownWorkType => "unknown_work_type",
            Self::UnknownTeam => "unknown_team",
            Self::UnknownSla => "unknown_sla",
            Self::UnknownProcess => "unknown_process",
            Self::Retired => "retired",
            Self::Conflict => "conflict",
            Self::Identity => "identity",
            Self::Poison => "poison",
            Self::Full => "full",
            Self::UnknownTask => "unknown_task",
            Self::TaskEnded => "task_ended",
            Self::StaleAssignment => "stale_assignment",
            Self::IllegalMove => "illegal_move",
            Self::NotAllowed => "not_allowed",
        }
    }
}
