//! The board: everything that a routing decision reads, apart from the task itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::affinity::Affinity;
use super::class::Classes;
use super::id::{ClientId, MatterId, TeamId};
use super::roster::{Roster, Team, TeamIndex};
use super::task::Arrival;
use super::walls::Walls;

/// What a team holds and when it is open, kept up to date by timers.
#[derive(Debug, Clone, Default)]
pub struct TeamLoad {
    /// Tasks offered to it or owned by it.
    pub tasks: BTreeSet<Arrival>,
    /// Seats in use: offered and owned tasks that are not paused.
    pub used: u32,
    /// The remaining effort of those, in minutes.
    pub used_minutes: u32,
    /// Tasks that it declined as busy, which a freed seat wakes.
    pub busy: BTreeSet<Arrival>,
    /// Whether it is open now.
    pub open: bool,
    /// The end of the present or next shift.
    pub shift_end: Option<DateTime<Utc>>,
    /// When it opens next after the present interval.
    pub next_open: Option<DateTime<Utc>>,
    /// Its first opening after `shift_end`, when it is open.
    pub next_shift: Option<DateTime<Utc>>,
    /// When its open state changes next.
    pub changes_at: Option<DateTime<Utc>>,
}

impl TeamLoad {
    /// The end of the shift that is open now; `None` when it is closed.
    #[must_use]
    pub fn open_shift_end(&self) -> Option<DateTime<Utc>> {
        if self.open { self.shift_end } else { None }
    }

    /// When it can start work again: its next opening, or its next shift when it is open.
    #[must_use]
    pub fn opens_at(&self) -> Option<DateTime<Utc>> {
        if self.open { self.next_shift } else { self.next_open }
    }

    /// Works out the hours around `now` from the team's calendar.
    pub fn refresh(&mut self, team: &Team, min_gap: TimeDelta, now: DateTime<Utc>) {
        self.open = team.calendar.is_open(now);
        self.next_open = team.calendar.next_open(now).ok();
        self.shift_end =
            self.next_open.map(|at| team.calendar.shift_end(at, min_gap).unwrap_or(DateTime::<Utc>::MAX_UTC));
        self.next_shift = self.shift_end.and_then(|end| team.calendar.next_open(end).ok());
        self.changes_at = if self.open { team.calendar.next_close(now).ok() } else { self.next_open };
    }
}

/// Roster, walls, classes, loads and affinities.
#[derive(Debug)]
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
}

/// The least closed time that makes a close a shift end.
fn min_gap(roster: &Roster) -> TimeDelta {
    TimeDelta::minutes(i64::from(roster.routing.handoff_min_gap_minutes))
}
