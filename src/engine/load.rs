//! What a team holds, when it is open, and what fits beside it.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::explain::Rejection;
use super::request::Priority;
use super::roster::{Capacity, Team};
use super::task::Arrival;

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

    /// Whether a task of this priority and remaining effort fits beside what the team holds.
    ///
    /// # Errors
    /// [`Rejection::NoSeat`] or [`Rejection::NoRoom`] with the figures.
    pub fn room_for(&self, team: &Team, priority: Priority, remaining_minutes: u32) -> Result<(), Rejection> {
        match team.capacity {
            Capacity::Seats(seats) => {
                let kept_free = if priority == Priority::Urgent { 0 } else { team.urgent_reserve };
                let seats = seats.saturating_sub(kept_free);
                if self.used < seats { Ok(()) } else { Err(Rejection::NoSeat { used: self.used, seats }) }
            }
            Capacity::EffortHours(hours) => {
                let limit_minutes = hours.saturating_mul(60);
                let fits = self.used_minutes.saturating_add(remaining_minutes) <= limit_minutes;
                if fits || self.used == 0 {
                    return Ok(());
                }
                Err(Rejection::NoRoom { used_minutes: self.used_minutes, limit_minutes })
            }
        }
    }
}
