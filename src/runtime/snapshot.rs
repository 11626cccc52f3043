//! Teams as they stand in the loop.

use chrono::{DateTime, Utc};

use crate::engine::id::TeamId;
use crate::engine::load::TeamLoad;
use crate::engine::roster::{Capacity, Delivery, Team};

/// A team and its load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamSnapshot {
    /// Its id.
    pub id: TeamId,
    /// Its name for people.
    pub name: String,
    /// Its country.
    pub country: String,
    /// Its zone.
    pub time_zone: String,
    /// Whether it is open.
    pub open: bool,
    /// When that changes next.
    pub changes_at: Option<DateTime<Utc>>,
    /// The end of the present or next shift.
    pub shift_end: Option<DateTime<Utc>>,
    /// Seats, when it is sized by seats.
    pub seats: Option<u32>,
    /// Hours of effort, when it is sized by them.
    pub effort_hours: Option<u32>,
    /// Seats in use.
    pub used: u32,
    /// Minutes of remaining effort in use.
    pub used_minutes: u32,
    /// How messages reach it.
    pub delivery: Delivery,
}

impl TeamSnapshot {
    /// A team as it stands.
    #[must_use]
    pub fn of(team: &Team, load: &TeamLoad) -> Self {
        let (seats, effort_hours) = match team.capacity {
            Capacity::Seats(seats) => (Some(seats), None),
            Capacity::EffortHours(hours) => (None, Some(hours)),
        };
        Self {
            id: team.id.clone(),
            name: team.name.clone(),
            country: team.country.as_str().into(),
            time_zone: team.calendar.spec().zone.name().into(),
            open: load.open,
            changes_at: load.changes_at,
            shift_end: load.shift_end,
            seats,
            effort_hours,
            used: load.used,
            used_minutes: load.used_minutes,
            delivery: team.delivery,
        }
    }
}
