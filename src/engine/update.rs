//! Updates: what teams, firms and operators say about a task.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{ClientId, RequestId, TaskId, TeamId, Term};
use super::request::{Consent, Place, Priority};

/// One update, checked for itself; whether it applies is the scheduler's to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// The sender's id of the update; unique per sender.
    pub id: RequestId,
    /// The task it is about.
    pub task: TaskId,
    /// Who sends it.
    pub sender: Sender,
    /// When the sender says it happened.
    pub at: Option<DateTime<Utc>>,
    /// On whose word an operator acts, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<Order>,
    /// What it says.
    pub change: Change,
}

/// An update of a firm that came before its request, and is applied when that is admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptUpdate {
    /// The update.
    pub update: Update,
    /// When it is refused if no request has come.
    pub until: DateTime<Utc>,
}

/// Who sends an update.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sender {
    /// A team.
    Team(TeamId),
    /// A firm.
    Client(ClientId),
    /// A named person on call.
    Operator(String),
}

/// What an update says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Change {
    /// The team takes the offer.
    Accept {
        /// Assignment that it answers.
        assignment: u32,
    },
    /// The team refuses the offer.
    Decline {
        /// Assignment that it answers.
        assignment: u32,
        /// Why.
        reason: DeclineReason,
        /// Free text.
        note: Option<String>,
    },
    /// The holder reports how much is left.
    Progress {
        /// Assignment of the holder.
        assignment: u32,
        /// Remaining effort in minutes.
        remaining_minutes: u32,
        /// Free text.
        note: Option<String>,
    },
    /// The holder stops work for a listed reason.
    Pause {
        /// Assignment of the holder; absent from a firm or an operator.
        assignment: Option<u32>,
        /// A pause reason of the roster.
        reason: Term,
    },
    /// A pause ends.
    Resume {
        /// Assignment of the holder; absent from a firm or an operator.
        assignment: Option<u32>,
    },
    /// The holder hands the task on.
    Handoff {
        /// Assignment of the holder.
        assignment: u32,
        /// What the next holder must know.
        notes: Option<String>,
        /// What is done.
        done: Option<String>,
        /// What comes next.
        next_step: Option<String>,
        /// Remaining effort in minutes.
        remaining_minutes: Option<u32>,
    },
    /// The holder wants to keep the task past its shift end.
    Keep {
        /// Assignment of the holder.
        assignment: u32,
        /// Why.
        reason: String,
    },
    /// The holder gives the task back.
    Release {
        /// Assignment of the holder.
        assignment: u32,
        /// Why.
        reason: String,
    },
    /// The holder is done.
    Complete {
        /// Assignment of the holder.
        assignment: u32,
        /// Free text.
        note: Option<String>,
    },
    /// The firm or an operator calls the task off.
    Cancel {
        /// Why.
        reason: String,
    },
    /// An operator takes the task from the team that has it, offered or owned.
    Recall,
    /// An operator has it offered to a team.
    OfferTo {
        /// To whom.
        to: TeamId,
        /// What is not to be in the way.
        set_aside: Vec<SetAside>,
    },
    /// The firm stops the task from being offered.
    Hold,
    /// The firm lets it go on.
    Unhold,
    /// The firm or an operator changes the priority.
    Reprioritise {
        /// The new priority.
        priority: Priority,
    },
    /// The firm changes the request.
    Amend(Box<Amendment>),
}

impl Change {
    /// The word on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Accept { .. } => "accept",
            Self::Decline { .. } => "decline",
            Self::Progress { .. } => "progress",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
            Self::Handoff { .. } => "handoff",
            Self::Keep { .. } => "keep",
            Self::Release { .. } => "release",
            Self::Complete { .. } => "complete",
            Self::Cancel { .. } => "cancel",
            Self::Recall => "recall",
            Self::OfferTo { .. } => "offer_to",
            Self::Hold => "hold",
            Self::Unhold => "unhold",
            Self::Reprioritise { .. } => "reprioritise",
            Self::Amend(_) => "amend",
        }
    }

    /// The assignment that it names, where it names one.
    #[must_use]
    pub fn assignment(&self) -> Option<u32> {
        match self {
            Self::Accept { assignment }
            | Self::Decline { assignment, .. }
            | Self::Progress { assignment, .. }
            | Self::Handoff { assignment, .. }
            | Self::Keep { assignment, .. }
            | Self::Release { assignment, .. }
            | Self::Complete { assignment, .. } => Some(*assignment),
            Self::Pause { assignment, .. } | Self::Resume { assignment } => *assignment,
            Self::Recall
            | Self::OfferTo { .. }
            | Self::Cancel { .. }
            | Self::Hold
            | Self::Unhold
            | Self::Reprioritise { .. }
            | Self::Amend(_) => None,
        }
    }
}

/// SHA-256 over what an update says: the same id with another one is not a repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpdateDigest(pub [u8; 32]);

/// On whose word an operator acts, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What an operator may set aside for one offer: obstacles that pass by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SetAside {
    /// The team turned the task down.
    TurnedDown,
    /// The team takes no new work.
    Drained,
    /// The team's shift ends soon.
    Open,
    /// The team is full.
    Seats,
}

/// Why a team refuses an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeclineReason {
    /// No room now; asked again later.
    Busy,
    /// Cannot do this task; permanent for the task.
    NotQualified,
    /// Must not do this matter; permanent for the matter, as a wall.
    Conflict,
}

/// Fields of a request that the firm may change; `None` leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Amendment {
    /// New deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// New effort in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort_minutes: Option<u32>,
    /// New consent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
    /// New allowed countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_countries: Option<Vec<Place>>,
    /// New denied countries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied_countries: Option<Vec<Place>>,
    /// New excluded teams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_teams: Option<Vec<TeamId>>,
    /// New earliest start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
}
