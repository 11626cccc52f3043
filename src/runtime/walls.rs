//! The walls in force as those see them who let messages out: the outbox and the readers over HTTP.
//!
//! A wall stands here from the moment that it is decided, before it is on disk: what has not left by then stays. One that
//! is taken away stands until that is on disk.

use std::sync::{Arc, PoisonError, RwLock};

use crate::engine::effect::{ExposedMessage, Exposure, MAX_EXPOSED_NAMED};
use crate::engine::id::{ClientId, MatterId, TaskId, TeamId};
use crate::engine::walls::{Walled, Walls};
use crate::store::{Reader, StoreError};
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message;

/// How many messages behind one wall are counted; an exposure of more says so many.
const MAX_COUNTED: usize = 1_000_000;

/// The walls in force; clones show the same.
#[derive(Debug, Clone, Default)]
pub struct WallsInForce(Arc<RwLock<Arc<Walls>>>);

impl WallsInForce {
    /// These walls stand too from now on.
    pub fn raise(&self, walls: &Walls) {
        let mut in_force = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = Walls::clone(&in_force);
        walls.iter().for_each(|wall| all.add(&wall));
        *in_force = Arc::new(all);
    }

    /// These walls stand from now on, and no others.
    pub fn set(&self, walls: Walls) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(walls);
    }

    /// Whether the message of a fact must not reach its team any more.
    #[must_use]
    pub fn hide(&self, fact: &Fact) -> bool {
        let (Some(message), Some(team)) = (fact.addressed, &fact.team) else { return false };
        let walls = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        walls.hide(message, fact.with_payload, team, fact.client.as_ref(), fact.matter.as_ref())
    }
}

impl WallsInForce {
    /// Whether a wall stands between a team and a matter.
    #[must_use]
    pub fn stand(&self, team: &TeamId, client: &ClientId, matter: &MatterId) -> bool {
        let walls = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        walls.clear(team, client, matter).is_err()
    }
}

/// The wall that a fact raises.
#[must_use]
pub fn raised(fact: &Fact) -> Option<Walled> {
    let (Some(team), Some(client), "wall.raised") = (&fact.team, &fact.client, &*fact.event_type) else { return None };
    Some((team.clone(), client.clone(), fact.matter.clone()))
}

/// What had left for a team before the fact that raised a wall; `None` when nothing had. `stayed` tells of messages that
/// did not leave, as far as the store does not know yet.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn exposure(
    reader: &mut dyn Reader,
    incarnation: &str,
    wall: &Walled,
    raised_by: FactSeq,
    mut stayed: impl FnMut(FactSeq) -> bool,
) -> Result<Option<Exposure>, StoreError> {
    let told = reader.told(wall, raised_by, MAX_COUNTED)?;
    let left: Vec<(FactSeq, TaskId)> = told.into_iter().filter(|(seq, _)| !stayed(*seq)).collect();
    if left.is_empty() {
        return Ok(None);
    }
    let (team, client, matter) = wall.clone();
    let count = left.len() as u64;
    let named = left.into_iter().take(MAX_EXPOSED_NAMED);
    let messages =
        named.map(|(seq, task)| ExposedMessage { message_id: message::work_id(incarnation, seq), task }).collect();
    Ok(Some(Exposure { team, client, matter, wall: raised_by.0, count, messages }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_stands_as_soon_as_it_is_decided_and_falls_only_when_that_is_committed() {
        let team = |id: &str| id.parse::<TeamId>().expect("a team");
        let (client, matter) = ("acme".parse().expect("a client"), "M-1".parse().expect("a matter"));
        let walls = |id: &str| {
            let mut walls = Walls::default();
            walls.raise(&team(id), &client, &matter);
            walls
        };
        let in_force = WallsInForce::default();
        in_force.set(walls("sydney"));
        let stand = |id: &str| in_force.stand(&team(id), &client, &matter);
        in_force.raise(&walls("london"));
        assert_eq!((stand("sydney"), stand("london")), (true, true), "another roster is decided");
        in_force.set(walls("london"));
        assert_eq!((stand("sydney"), stand("london")), (false, true), "it is on disk");
    }
}
