//! A fact: one effect as it is stored, chained and published.
//!
//! The facts of a store form one sequence without holes. Each carries the digest of its body and packet and a link,
//! `SHA-256(previous link | sequence | instant | type | task | client | team | body digest)`, so that changing,
//! removing or reordering records shows; a purged body leaves the chain valid.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::engine::effect::WorkMessage;
use crate::engine::id::{ClientId, MatterId, TaskId, TeamId};
use crate::engine::load::Held;

/// A position in the sequence of facts, rising by one from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct FactSeq(pub u64);

/// A link of the chain.
pub type Link = [u8; 32];

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its position.
    pub seq: FactSeq,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The event type, such as `task.offered`.
    pub event_type: Arc<str>,
    /// The task, with the number of this fact in it.
    pub task: Option<(TaskId, u64)>,
    /// The client it concerns.
    pub client: Option<ClientId>,
    /// The matter it concerns, where a wall has to know it: of messages to teams and of walls.
    pub matter: Option<MatterId>,
    /// The team it concerns.
    pub team: Option<TeamId>,
    /// Whether it is also a message to that team.
    pub addressed: Option<WorkMessage>,
    /// How much that team holds after it; the chain does not cover it.
    pub held: Option<Held>,
    /// Whether that message carries the payload of the task's request.
    pub with_payload: bool,
    /// The JSON object that is published, without the packet and the payload; empty when it was purged.
    pub body: Arc<[u8]>,
    /// Earlier holders and what they said, as a JSON array: for the team that the fact is addressed to, and nobody else.
    pub packet: Option<Arc<[u8]>>,
    /// SHA-256 of the body, followed by the packet, as they were written.
    pub body_digest: Link,
    /// The chain's link to this fact.
    pub link: Link,
    /// The decision behind it as JSON; never published to a queue.
    pub decision: Option<Arc<[u8]>>,
}

impl Fact {
    /// Whether its message tells a team of work, so that a wall keeps it back.
    #[must_use]
    pub fn tells_of_work(&self) -> bool {
        self.addressed.is_some_and(|message| self.with_payload || message.tells_of_work())
    }
}
