//! What was worked, and what it cost: the question and the answer.

use std::sync::Arc;

use chrono::{DateTime, Utc};

/// By whom costs are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostBy {
    /// By the client whose work it was.
    Client,
    /// By the team that worked.
    Team,
}

/// Of which tasks costs are summed: those that ended at `from` or later and before `until`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostQuery {
    /// By whom.
    pub by: CostBy,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// What was worked for a client or by a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The client or the team.
    pub of: Arc<str>,
    /// On how many tasks.
    pub tasks: u64,
    /// How long, in seconds.
    pub worked_seconds: u64,
    /// What that cost, in cents.
    pub cost_cents: u64,
}
