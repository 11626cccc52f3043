//! What a store forgets, and by when.

use chrono::{DateTime, Utc};

use crate::engine::id::TeamId;
use crate::wire::fact::FactSeq;

/// What is to be forgotten by now.
///
/// Content is the payload of a task and what people wrote about it. Nothing of an open task is forgotten, nor a fact that
/// has not been published, is undelivered, or has not been read by a team that reads over HTTP; the last fact always stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forgetting {
    /// The engine's time.
    pub now: DateTime<Utc>,
    /// Content of tasks that ended before.
    pub content_before: DateTime<Utc>,
    /// Rows and facts of tasks that ended before, and answers to updates that were given before.
    pub rows_before: DateTime<Utc>,
    /// The teams that read their messages over HTTP.
    pub read_over_http: Vec<TeamId>,
    /// At most so many tasks, facts and answers of each kind in one transaction.
    pub portion: usize,
}

/// What one transaction has forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// Payloads of tasks.
    pub payloads: u64,
    /// Texts of people: notes of tasks, and facts that held some.
    pub words: u64,
    /// Tasks with everything that stood beside them.
    pub tasks: u64,
    /// Facts, from the front of the chain.
    pub facts: u64,
    /// Answers to updates.
    pub updates: u64,
    /// The purge that came to its end.
    pub purged: Option<FactSeq>,
    /// Whether there is more to forget.
    pub is_more: bool,
}

impl Forgotten {
    /// Whether there was anything to forget.
    #[must_use]
    pub fn is_something(&self) -> bool {
        let Self { payloads, words, tasks, facts, updates, purged, is_more: _ } = self;
        payloads + words + tasks + facts + updates > 0 || purged.is_some()
    }

    /// Adds what another transaction has forgotten.
    pub fn add(&mut self, other: Self) {
        self.payloads += other.payloads;
        self.words += other.words;
        self.tasks += other.tasks;
        self.facts += other.facts;
        self.updates += other.updates;
        self.purged = self.purged.max(other.purged);
        self.is_more = other.is_more;
    }
}
