//! The states of a task, and why one waits.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ownership::Active;
use crate::engine::id::TeamId;
use crate::engine::request::Priority;

/// Where a task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum TaskState {
    /// No team owns it.
    Waiting(Waiting),
    /// Proposed to a team.
    Offered(Offer),
    /// Owned by a team.
    Active(Active),
    /// Done.
    Completed {
        /// When.
        at: DateTime<Utc>,
        /// By whom.
        team: TeamId,
    },
    /// Called off.
    Cancelled {
        /// When.
        at: DateTime<Utc>,
        /// Why.
        reason: String,
    },
}

impl TaskState {
    /// The word used in messages and metrics.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Waiting(_) => "waiting",
            Self::Offered(_) => "offered",
            Self::Active(_) => "active",
            Self::Completed { .. } => "completed",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// The team that has it offered or owns it.
    #[must_use]
    pub fn team(&self) -> Option<&TeamId> {
        match self {
            Self::Offered(offer) => Some(&offer.team),
            Self::Active(active) => Some(&active.team),
            Self::Completed { team, .. } => Some(team),
            Self::Waiting(_) | Self::Cancelled { .. } => None,
        }
    }

    /// Whether a team owns it.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }

    /// When it ended.
    #[must_use]
    pub fn ended_at(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Completed { at, .. } | Self::Cancelled { at, .. } => Some(*at),
            Self::Waiting(_) | Self::Offered(_) | Self::Active(_) => None,
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        matches!(self, Self::Completed { .. } | Self::Cancelled { .. })
    }
}

/// Why no team owns a task, and what ends that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Why.
    pub reason: WaitReason,
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is looked at again by the calendar alone; `None` when only an event can help.
    pub wakes_at: Option<DateTime<Utc>>,
    /// What could wake it sooner.
    pub woken_by: Vec<WakeCause>,
    /// The teams that it waits for because they finish better; no other team is asked meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waits_for: Vec<TeamId>,
}

impl Waiting {
    /// Between two decisions of one step: nobody has the task, and why it waits is about to be decided.
    #[must_use]
    pub fn undecided(since: DateTime<Utc>) -> Self {
        Self { reason: WaitReason::NoTeamOpen, since, wakes_at: None, woken_by: Vec::new(), waits_for: Vec::new() }
    }

    /// Whether the reason is still to be decided.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.woken_by.is_empty()
    }
}

/// Why a task waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitReason {
    /// `not_before` is not reached.
    NotBefore,
    /// A predecessor is not completed.
    Predecessor,
    /// A predecessor was cancelled; the firm decides.
    PredecessorCancelled,
    /// The firm holds it.
    Held,
    /// It is paused.
    Paused,
    /// No team may ever do it as things stand.
    NoTeamEligible,
    /// Every team that may do it is closed or about to close.
    NoTeamOpen,
    /// Every open team that may do it is full.
    NoSeatFree,
    /// Every team that is open and has room turned it down.
    TurnedDown,
    /// Every team that could take it takes no new work.
    Drained,
    /// A team that opens later finishes in time, those open now do not.
    WaitsForBetter,
}

impl WaitReason {
    /// All reasons, in the order of the code.
    pub const ALL: [Self; 11] = [
        Self::NotBefore,
        Self::Predecessor,
        Self::PredecessorCancelled,
        Self::Held,
        Self::Paused,
        Self::NoTeamEligible,
        Self::NoTeamOpen,
        Self::NoSeatFree,
        Self::TurnedDown,
        Self::Drained,
        Self::WaitsForBetter,
    ];

    /// The word used in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotBefore => "not_before",
            Self::Predecessor => "predecessor",
            Self::PredecessorCancelled => "predecessor_cancelled",
            Self::Held => "held",
            Self::Paused => "paused",
            Self::NoTeamEligible => "no_team_eligible",
            Self::NoTeamOpen => "no_team_open",
            Self::NoSeatFree => "no_seat_free",
            Self::TurnedDown => "turned_down",
            Self::Drained => "drained",
            Self::WaitsForBetter => "waits_for_better",
        }
    }
}

/// What could wake a waiting task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WakeCause {
    /// A team opens.
    TeamOpens,
    /// A seat frees.
    SeatFrees,
    /// A turn-down ends.
    TurnDownEnds,
    /// The roster or an override changes.
    RosterChanges,
    /// The firm amends the request.
    RequestAmended,
    /// A predecessor ends.
    PredecessorEnds,
    /// `not_before` is reached.
    NotBeforeReached,
    /// The hold or the pause ends.
    Resumed,
}

/// A proposal to a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// To whom.
    pub team: TeamId,
    /// Its number.
    pub assignment: u32,
    /// Since when.
    pub at: DateTime<Utc>,
    /// When it lapses.
    pub until: DateTime<Utc>,
    /// Whether `until` is the team's shift end, so that it is withdrawn then and not turned down.
    pub until_shift_end: bool,
    /// The priority of the task when it was made, which sets its limit: a later one is one of the next offer.
    #[serde(default)]
    pub priority: Priority,
    /// For how much of its team's open time its limit stood still, in milliseconds, since nothing was read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stood_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}
