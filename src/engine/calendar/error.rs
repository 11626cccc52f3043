//! Why a calendar has no answer.

use chrono::{DateTime, TimeDelta, Utc};

/// A question that a calendar cannot answer with a true instant or sum. It never answers with a partial one (rule 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// The question lies outside of the horizon.
    #[error("{at} is outside the calendar's horizon of {from} to {until}")]
    BeyondHorizon {
        /// The instant asked about.
        at: DateTime<Utc>,
        /// The start of the horizon.
        from: DateTime<Utc>,
        /// The end of the horizon.
        until: DateTime<Utc>,
    },
    /// Nothing opens any more.
    #[error("the calendar is never open from {at} until its horizon ends at {until}")]
    NeverOpen {
        /// The instant asked about.
        at: DateTime<Utc>,
        /// The end of the horizon.
        until: DateTime<Utc>,
    },
    /// Nothing closes any more.
    #[error("the calendar has no such close from {at} until its horizon ends at {until}")]
    NeverCloses {
        /// The instant asked about.
        at: DateTime<Utc>,
        /// The end of the horizon.
        until: DateTime<Utc>,
    },
    /// Not enough business time is left within the horizon.
    #[error("the calendar has less than {} ms of open time from {from} until its horizon ends at {until}", .wanted.num_milliseconds())]
    NotEnoughTime {
        /// Where the sum started.
        from: DateTime<Utc>,
        /// The business time asked for.
        wanted: TimeDelta,
        /// The end of the horizon.
        until: DateTime<Utc>,
    },
    /// An open-ended pause stands in the way, so there is no deadline (rule 9).
    #[error("the clock is paused since {since} without an end, so it has no deadline")]
    Paused {
        /// The start of the pause.
        since: DateTime<Utc>,
    },
    /// Business time cannot be added backwards (rule 16).
    #[error("{} ms of business time cannot be added: use zero or more", .amount.num_milliseconds())]
    Negative {
        /// The amount as given.
        amount: TimeDelta,
    },
}

impl CalendarError {
    /// Whether a longer horizon might answer.
    pub(super) fn is_at_horizon(&self) -> bool {
        match self {
            Self::BeyondHorizon { .. }
            | Self::NeverOpen { .. }
            | Self::NeverCloses { .. }
            | Self::NotEnoughTime { .. } => true,
            Self::Paused { .. } | Self::Negative { .. } => false,
        }
    }
}
