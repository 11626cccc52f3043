//! The store's own look at walls: no fact tells a team of work behind a wall, whoever decided it.

use std::sync::Arc;

use super::{Batch, StoreError};
use crate::engine::id::{ClientId, MatterId, TeamId};
use crate::engine::walls::{Walled, Walls};
use crate::wire::fact::Fact;

/// The walls as stored; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Guard {
    walls: Arc<Walls>,
    /// Those that teams raised; they outlive a roster.
    conflicts: Arc<Vec<(TeamId, ClientId, MatterId)>>,
}

impl Guard {
    /// From the walls of the roster in force and those that teams raised.
    pub fn of(roster: &[Walled], conflicts: Vec<(TeamId, ClientId, MatterId)>) -> Self {
        Self { walls: Arc::new(all(roster, &conflicts)), conflicts: Arc::new(conflicts) }
    }

    /// Checks the next fact of a batch. A wall of the batch counts from the fact on that tells of it.
    pub fn check(&mut self, fact: &Fact, batch: &Batch) -> Result<(), StoreError> {
        if let (Some(walls), "roster.changed") = (&batch.walls, &*fact.event_type) {
            self.walls = Arc::new(all(walls, &self.conflicts));
        }
        let Some(team) = &fact.team else { return Ok(()) };
        if let (Some(client), "wall.raised") = (&fact.client, &*fact.event_type) {
            self.raise((team.clone(), client.clone(), fact.matter.clone()), batch);
        }
        match fact.addressed {
            Some(message)
                if self.walls.hide(message, fact.with_payload, team, fact.client.as_ref(), fact.matter.as_ref()) =>
            {
                Err(StoreError::Inconsistent(format!(
                    "fact {} would tell team {team} of work behind a wall; nothing of its batch is stored",
                    fact.seq.0
                )))
            }
            _ => Ok(()),
        }
    }

    fn raise(&mut self, wall: Walled, batch: &Batch) {
        Arc::make_mut(&mut self.walls).add(&wall);
        if let (team, client, Some(matter)) = wall
            && batch.conflicts.iter().any(|it| (&it.team, &it.client, &it.matter) == (&team, &client, &matter))
        {
            Arc::make_mut(&mut self.conflicts).push((team, client, matter));
        }
    }
}

fn all(roster: &[Walled], conflicts: &[(TeamId, ClientId, MatterId)]) -> Walls {
    let mut walls = Walls::default();
    for wall in roster {
        walls.add(wall);
    }
    for (team, client, matter) in conflicts {
        walls.raise(team, client, matter);
    }
    walls
}
