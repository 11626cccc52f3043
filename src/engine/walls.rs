//! Ethical walls: a team that must never receive or see a client's matter.
//!
//! [`Cleared`] can only be made here, and an offer cannot be made without it.

use std::collections::{BTreeMap, BTreeSet};

use super::effect::WorkMessage;
use super::explain::Rejection;
use super::id::{ClientId, MatterId, TeamId};
use super::planted::planted;
use super::roster::Wall;

/// A wall between a team and a client, or one matter of it.
pub type Walled = (TeamId, ClientId, Option<MatterId>);

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

    /// Adds a wall.
    pub fn add(&mut self, (team, client, matter): &Walled) {
        match matter {
            Some(matter) => self.raise(team, client, matter),
            None => {
                self.clients.insert((client.clone(), team.clone()));
            }
        }
    }

    /// Whether this very wall stands, by itself.
    #[must_use]
    pub fn has(&self, team: &TeamId, client: &ClientId, matter: Option<&MatterId>) -> bool {
        match matter {
            None => self.clients.contains(&(client.clone(), team.clone())),
            Some(matter) => {
                self.matters.get(&(client.clone(), matter.clone())).is_some_and(|teams| teams.contains(team))
            }
        }
    }

    /// All walls, in order.
    pub fn iter(&self) -> impl Iterator<Item = Walled> + '_ {
        let clients = self.clients.iter().map(|(client, team)| (team.clone(), client.clone(), None));
        let matters = self.matters.iter().flat_map(|((client, matter), teams)| {
            teams.iter().map(move |team| (team.clone(), client.clone(), Some(matter.clone())))
        });
        clients.chain(matters)
    }

    /// Whether a message must not reach a team: it tells of work, by its kind or by the payload that goes with it, and a
    /// wall stands or it is not known whose work it is.
    #[must_use]
    pub fn hide(
        &self,
        message: WorkMessage,
        with_payload: bool,
        team: &TeamId,
        client: Option<&ClientId>,
        matter: Option<&MatterId>,
    ) -> bool {
        let cleared = client.zip(matter).is_some_and(|(client, matter)| self.clear(team, client, matter).is_ok());
        (with_payload || message.tells_of_work()) && !cleared
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
        if planted("walls-not-asked") {
            return Ok(Cleared(()));
        }
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
