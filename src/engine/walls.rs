//! Ethical walls: a team that must never receive or see a client's matter.
//!
//! [`Cleared`] can only be made here, and an offer cannot be made without it.

use std::collections::{BTreeMap, BTreeSet};

use super::explain::Rejection;
use super::id::{ClientId, MatterId, TeamId};
use super::roster::Wall;

/// Proof that no wall stands between a team and a matter.
#[derive(Debug)]
pub struct Cleared(());

/// All walls in force: those of the roster and those that teams raised by declining with `conflict`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walls {
    clients: BTreeSet<(ClientId, TeamId)>,
    matters: BTreeMap<(ClientId, MatterId), BTreeSet<TeamId>>,
}

impl Walls {
    /// The walls of a roster.
    #[must_use]
    pub fn of(walls: &[Wall]) -> Self {
        let mut all = Self::default();
        for wall in walls {
            match &wall.matter {
                None => {
                    all.clients.insert((wall.client.clone(), wall.team.clone()));
                }
                Some(matter) => all.raise(&wall.team, &wall.client, matter),
            }
        }
        all
    }

    /// Adds a wall around one matter.
    pub fn raise(&mut self, team: &TeamId, client: &ClientId, matter: &MatterId) {
        self.matters.entry((client.clone(), matter.clone())).or_default().insert(team.clone());
    }

    /// Whether some wall names this matter, so that it needs a class of its own.
    #[must_use]
    pub fn names(&self, client: &ClientId, matter: &MatterId) -> bool {
        !self.matters.is_empty() && self.matters.contains_key(&(client.clone(), matter.clone()))
    }

    /// Clears a team for a matter.
    ///
    /// # Errors
    /// The wall that stands.
    pub fn clear(&self, team: &TeamId, client: &ClientId, matter: &MatterId) -> Result<Cleared, Rejection> {
        if !self.clients.is_empty() && self.clients.contains(&(client.clone(), team.clone())) {
            return Err(Rejection::WalledFromClient);
        }
        if self.matters.is_empty() {
            return Ok(Cleared(()));
        }
        match self.matters.get(&(client.clone(), matter.clone())) {
            Some(teams) if teams.contains(team) => Err(Rejection::WalledFromMatter),
            _ => Ok(Cleared(())),
        }
    }
}
