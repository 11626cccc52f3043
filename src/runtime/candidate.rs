//! A roster on its way into force, and what the loop says of it.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::engine::roster::Roster;
use crate::http::{RosterPlan, Unavailable};
use crate::wire::fact::FactSeq;

/// What the loop says of a roster.
pub type Judged = Result<RosterPlan, Unavailable>;

/// A roster that was read and has no faults.
#[derive(Debug)]
pub struct Candidate {
    /// The roster.
    pub roster: Arc<Roster>,
    /// The text that its digest is of.
    pub text: Arc<str>,
    /// What is asked of the loop.
    pub wanted: Wanted,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Judged>,
}

/// What is asked of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// To say what it would change.
    Plan,
    /// To say what keeps it from coming into force, if anything does.
    Check {
        /// Although it was in force before.
        forced: bool,
    },
    /// To bring it into force.
    Apply {
        /// Although it was in force before.
        forced: bool,
        /// Only when nothing has changed since this fact.
        check_index: Option<FactSeq>,
    },
}

impl Wanted {
    /// Whether one that was in force before may come back.
    #[must_use]
    pub fn is_forced(self) -> bool {
        match self {
            Self::Plan => false,
            Self::Check { forced } | Self::Apply { forced, .. } => forced,
        }
    }
}
