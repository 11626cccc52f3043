//! What a team holds, when it is open, and what fits beside it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::explain::Rejection;
use super::planted::planted;
use super::request::Priority;
use super::roster::{Capacity, Team};
use super::task::Arrival;

/// What a team holds and when it is open, kept up to date by timers.
#[derive(Debug, Clone, Default)]
pub struct TeamLoad {
    /// Tasks offered to it or owned by it.
    pub tasks: BTreeMap<Arrival, Holding>,
    /// Tasks that another team owns and this one is to have next, planned or offered.
    pub passing: BTreeMap<Arrival, Coming>,
    /// Seats in use: offered and owned tasks that are not paused, and those that it is to have next.
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

/// How much a team holds at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Seats in use.
    pub used: u32,
    /// The remaining effort in them, in minutes.
    pub used_minutes: u32,
}

/// A task that a team has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// Remaining effort in minutes, as last reported.
    pub remaining_minutes: u32,
    /// What was worked of it by then, in minutes, and since when more is; `None` for an offer.
    pub worked: Option<(u32, DateTime<Utc>)>,
    /// Whether it uses a seat: it does not while it is paused.
    pub uses_seat: bool,
}

/// A task that a team is to have next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Coming {
    /// The effort that a seat is kept for, in minutes.
    pub remaining_minutes: u32,
    /// When it is to be offered; the beginning of time once it is.
    pub offer_at: DateTime<Utc>,
}

impl Coming {
    fn as_holding(&self) -> Holding {
        Holding { remaining_minutes: self.remaining_minutes, worked: None, uses_seat: true }
    }
}

/// The least share of the last report that is taken to be left, in percent, however long ago that was.
const LEAST_LEFT_PERCENT: u32 = 25;

/// The least minutes of it that are taken to be left.
const LEAST_LEFT_MINUTES: u32 = 30;

impl Holding {
    /// When the team is expected to be done with it: the last report less the open time since, but no less than a
    /// quarter of it and half an hour. `None` is not within the team's horizon.
    fn expected_end(&self, team: &Team, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let left = self.expected_left(team, now);
        team.calendar.add(now, TimeDelta::minutes(i64::from(left.max(1))), &[]).ok()
    }

    /// The minutes that are expected to be left of it at an instant until which the team works on it.
    #[must_use]
    pub fn expected_left(&self, team: &Team, now: DateTime<Utc>) -> u32 {
        let reported = self.remaining_minutes;
        let worked = self.worked.map_or(0, |(before, since)| {
            let more = team.calendar.elapsed(since, now.max(since), &[]).unwrap_or_default();
            before.saturating_add(u32::try_from(more.num_minutes()).unwrap_or(0))
        });
        let least = (reported / 100 * LEAST_LEFT_PERCENT).max(LEAST_LEFT_MINUTES).min(reported);
        reported.saturating_sub(worked).max(least)
    }
}

impl TeamLoad {
    /// How much it holds.
    #[must_use]
    pub fn held(&self) -> Held {
        Held { used: self.used, used_minutes: self.used_minutes }
    }

    /// Keeps a seat for a task that it is to have next.
    pub fn keep_seat(&mut self, arrival: Arrival, coming: Coming) {
        self.passing.insert(arrival, coming);
        self.used += 1;
        self.used_minutes = self.used_minutes.saturating_add(coming.remaining_minutes);
    }

    /// Keeps that seat no longer.
    pub fn free_seat(&mut self, arrival: Arrival) {
        if let Some(kept) = self.passing.remove(&arrival) {
            self.used = self.used.saturating_sub(1);
            self.used_minutes = self.used_minutes.saturating_sub(kept.remaining_minutes);
        }
    }

    /// The end of the shift that is open now; `None` when it is closed.
    #[must_use]
    pub fn open_shift_end(&self) -> Option<DateTime<Utc>> {
        if self.open { self.shift_end } else { None }
    }

    /// Whether it closes at this instant although that has not been noticed: at the closing instant it is closed.
    #[must_use]
    pub fn closes_now(&self, now: DateTime<Utc>) -> bool {
        self.open && self.changes_at.is_some_and(|at| at <= now)
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
        room_beside(team, (self.used, self.used_minutes), priority, remaining_minutes)
    }

    /// When a task is expected to fit: now, or when so many of the tasks that the team has are expected to have ended. For
    /// `except`, which a seat is kept for, that seat and those of the tasks that come after it count as free. `None` is not
    /// within the team's horizon, or never.
    #[must_use]
    pub fn room_expected_at(
        &self,
        team: &Team,
        priority: Priority,
        remaining_minutes: u32,
        now: DateTime<Utc>,
        except: Option<Arrival>,
    ) -> Option<DateTime<Utc>> {
        let own = except.and_then(|arrival| Some((self.passing.get(&arrival)?.offer_at, arrival)));
        let is_before =
            |(arrival, coming): &(&Arrival, &Coming)| own.is_none_or(|own| (coming.offer_at, **arrival) < own);
        let (mut used, mut used_minutes) = (self.used, self.used_minutes);
        for (_, later) in self.passing.iter().filter(|it| !is_before(it)) {
            (used, used_minutes) = (used.saturating_sub(1), used_minutes.saturating_sub(later.remaining_minutes));
        }
        if room_beside(team, (used, used_minutes), priority, remaining_minutes).is_ok() {
            return Some(now);
        }
        let coming = self.passing.iter().filter(is_before).map(|(_, coming)| coming.as_holding());
        let seated = self.tasks.values().filter(|task| task.uses_seat).copied().chain(coming);
        let mut ends: Vec<_> =
            seated.filter_map(|task| Some((task.expected_end(team, now)?, task.remaining_minutes))).collect();
        ends.sort_unstable();
        ends.into_iter().find_map(|(end, minutes)| {
            (used, used_minutes) = (used.saturating_sub(1), used_minutes.saturating_sub(minutes));
            room_beside(team, (used, used_minutes), priority, remaining_minutes).is_ok().then_some(end)
        })
    }
}

/// Whether a task fits beside so many tasks of so many minutes.
fn room_beside(
    team: &Team,
    (used, used_minutes): (u32, u32),
    priority: Priority,
    remaining_minutes: u32,
) -> Result<(), Rejection> {
    match team.capacity {
        Capacity::Seats(seats) => {
            let kept_free =
                if priority == Priority::Urgent || planted("urgent-reserve-for-all") { 0 } else { team.urgent_reserve };
            let seats = seats.saturating_sub(kept_free);
            if used < seats || planted("seat-too-many") && used == seats {
                Ok(())
            } else {
                Err(Rejection::NoSeat { used, seats })
            }
        }
        Capacity::EffortHours(hours) => {
            let limit_minutes = hours.saturating_mul(60);
            let fits = used_minutes.saturating_add(remaining_minutes) <= limit_minutes;
            if fits || used == 0 { Ok(()) } else { Err(Rejection::NoRoom { used_minutes, limit_minutes }) }
        }
    }
}
