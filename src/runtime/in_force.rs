//! The roster in force as those see it who stand outside the loop: HTTP, the outbox, the readers of mailboxes.
//!
//! It follows the loop once the change is on disk, and before anything that rests on it leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;

use crate::engine::id::TeamId;
use crate::engine::roster::{Delivery, Roster};
use crate::wire::fact::FactSeq;

/// The roster in force and what hangs on it; clones show the same.
#[derive(Debug, Clone)]
pub struct InForce(Arc<RwLock<Held>>);

/// A roster that comes into force, or goes on being so under other overrides.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// With the overrides as they stand.
    pub roster: Arc<Roster>,
    /// Without them.
    pub base: Arc<Roster>,
}

impl From<Arc<Roster>> for Adopted {
    /// A roster without overrides.
    fn from(roster: Arc<Roster>) -> Self {
        Self { base: Arc::clone(&roster), roster }
    }
}

#[derive(Debug)]
struct Held {
    roster: Arc<Roster>,
    base: Arc<Roster>,
    http_teams: BTreeSet<TeamId>,
    undelivered_within: Duration,
    mailboxes: BTreeMap<TeamId, watch::Sender<FactSeq>>,
}

impl Held {
    fn of(Adopted { roster, base }: Adopted, mut mailboxes: BTreeMap<TeamId, watch::Sender<FactSeq>>) -> Self {
        mailboxes.retain(|team, _| roster.team_index(team).is_some());
        for team in &roster.teams {
            mailboxes.entry(team.id.clone()).or_insert_with(|| watch::channel(FactSeq(0)).0);
        }
        let http_teams = roster.teams.iter().filter(|team| team.delivery == Delivery::Http);
        Self {
            http_teams: http_teams.map(|team| team.id.clone()).collect(),
            undelivered_within: Duration::from_secs(u64::from(roster.routing.undelivered_within_seconds)),
            roster,
            base,
            mailboxes,
        }
    }
}

impl InForce {
    /// A roster that is in force.
    #[must_use]
    pub fn new(adopted: impl Into<Adopted>) -> Self {
        Self(Arc::new(RwLock::new(Held::of(adopted.into(), BTreeMap::new()))))
    }

    /// Another one is in force from now on. Readers of a team that is gone end.
    pub fn adopt(&self, adopted: Adopted) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mailboxes = std::mem::take(&mut held.mailboxes);
        *held = Held::of(adopted, mailboxes);
    }

    /// The roster without the overrides.
    #[must_use]
    pub fn base(&self) -> Arc<Roster> {
        Arc::clone(&self.read().base)
    }

    /// The roster with the overrides as they stand.
    #[must_use]
    pub fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.read().roster)
    }

    /// Whether a team reads over HTTP and has no queue.
    #[must_use]
    pub fn reads_over_http(&self, team: &TeamId) -> bool {
        self.read().http_teams.contains(team)
    }

    /// How long an offer may stay undelivered.
    #[must_use]
    pub fn undelivered_within(&self) -> Duration {
        self.read().undelivered_within
    }

    /// Tells the reader of a team of its last message.
    pub fn tell(&self, team: &TeamId, last: FactSeq) {
        if let Some(mailbox) = self.read().mailboxes.get(team) {
            mailbox.send_replace(last);
        }
    }

    /// The last message of a team, as it rises; `None` when the roster has no such team.
    #[must_use]
    pub fn mailbox(&self, team: &TeamId) -> Option<watch::Receiver<FactSeq>> {
        self.read().mailboxes.get(team).map(watch::Sender::subscribe)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Held> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
impl InForce {
    /// A roster in force of which these teams read over HTTP and offers may stay undelivered for so long.
    pub fn with(roster: Arc<Roster>, http_teams: BTreeSet<TeamId>, undelivered_within: Duration) -> Self {
        let held = Held { http_teams, undelivered_within, ..Held::of(roster.into(), BTreeMap::new()) };
        Self(Arc::new(RwLock::new(held)))
    }
}
