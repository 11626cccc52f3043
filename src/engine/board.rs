//! The board: everything that a routing decision reads, apart from the task itself.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::affinity::Affinity;
use super::class::Classes;
use super::id::{ClientId, MatterId, TeamId};
use super::load::TeamLoad;
use super::roster::{Roster, TeamIndex};
use super::walls::Walls;

/// Roster, walls, classes, loads and affinities.
#[derive(Debug, Clone)]
pub struct Board {
    /// The roster in force.
    pub roster: Arc<Roster>,
    /// The walls in force.
    pub walls: Walls,
    /// Walls that teams raised by declining with `conflict`; they outlive a roster.
    pub conflicts: Vec<(TeamId, ClientId, MatterId)>,
    /// Requirement classes met so far under this roster.
    pub classes: Classes,
    /// Loads by team position.
    pub loads: Vec<TeamLoad>,
    /// Who worked for whom lately.
    pub affinity: Affinity,
    /// The lowest and the highest cost of an hour in the roster, in cents.
    pub cost_range_cents: (u32, u32),
}

impl Board {
    /// A board with nothing on it.
    #[must_use]
    pub fn new(roster: Arc<Roster>, conflicts: Vec<(TeamId, ClientId, MatterId)>, now: DateTime<Utc>) -> Self {
        let mut walls = Walls::of(&roster.walls);
        for (team, client, matter) in &conflicts {
            walls.raise(team, client, matter);
        }
        let costs = || roster.teams.iter().map(|team| team.cost_per_hour_cents);
        let mut loads = vec![TeamLoad::default(); roster.teams.len()];
        let min_gap = min_gap(&roster);
        for (load, team) in loads.iter_mut().zip(&roster.teams) {
            load.refresh(team, min_gap, now);
        }
        Self {
            walls,
            conflicts,
            classes: Classes::new(roster.teams.len()),
            loads,
            affinity: Affinity::default(),
            cost_range_cents: (costs().min().unwrap_or(0), costs().max().unwrap_or(0)),
            roster,
        }
    }

    /// The load of a team.
    #[must_use]
    pub fn load(&self, team: TeamIndex) -> &TeamLoad {
        &self.loads[usize::from(team.0)]
    }

    /// The load of a team, to change.
    pub fn load_mut(&mut self, team: TeamIndex) -> &mut TeamLoad {
        &mut self.loads[usize::from(team.0)]
    }

    /// Works out a team's hours anew.
    pub fn refresh(&mut self, team: TeamIndex, now: DateTime<Utc>) {
        let min_gap = min_gap(&self.roster);
        self.loads[usize::from(team.0)].refresh(self.roster.team(team), min_gap, now);
    }

    /// When a team can start work again after an instant, by its calendar alone.
    #[must_use]
    pub fn opens_at(&self, team: TeamIndex, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut load = TeamLoad::default();
        load.refresh(self.roster.team(team), min_gap(&self.roster), now);
        load.opens_at()
    }
}

/// The least closed time that makes a close a shift end.
fn min_gap(roster: &Roster) -> TimeDelta {
    TimeDelta::minutes(i64::from(roster.routing.handoff_min_gap_minutes))
}
