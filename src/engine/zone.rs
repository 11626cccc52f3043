//! A time zone as data: a sorted table of instants and offsets, so that the engine depends on no zone database.
//!
//! A written local time means the first instant at which the zone's wall clock reads that time or later (rule 1 of the
//! calendars): in a gap it snaps to the jump, in a fold it is the first occurrence.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use serde::Serialize;

/// A zone's offsets from UTC over time. Equal tables serialise to equal bytes, so a zone can be digested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Zone {
    name: String,
    /// The periods of one offset, in order; the first starts at the beginning of time.
    periods: Vec<Period>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Period {
    start_second: i64,
    offset_seconds: i32,
    /// The latest wall clock, as seconds of local time, that was reached before this period ended.
    /// It never falls, whatever the offsets do, so it can be searched.
    #[serde(skip)]
    local_end_second: i64,
}

impl Zone {
    /// A zone from its table: `initial_offset_seconds` holds until the first transition, and each transition is
    /// (unix second, offset in seconds east of UTC from then on).
    ///
    /// Transitions may come in any order; of two at one second the later one in the list holds, and one that changes
    /// nothing is dropped.
    #[must_use]
    pub fn new(name: &str, initial_offset_seconds: i32, mut transitions: Vec<(i64, i32)>) -> Self {
        transitions.sort_by_key(|(second, _)| *second);
        let mut periods = vec![Period::starting(i64::MIN, initial_offset_seconds)];
        for (second, offset_seconds) in transitions {
            periods.pop_if(|last| last.start_second == second);
            if periods.last().is_none_or(|last| last.offset_seconds != offset_seconds) {
                periods.push(Period::starting(second, offset_seconds));
            }
        }
        let mut latest = i64::MIN;
        for i in 0..periods.len() {
            let end = periods.get(i + 1).map_or(i64::MAX, |next| next.start_second);
            latest = latest.max(end.saturating_add(i64::from(periods[i].offset_seconds)));
            periods[i].local_end_second = if end == i64::MAX { i64::MAX } else { latest };
        }
        Self { name: name.to_owned(), periods }
    }

    /// Coordinated universal time: no offset, no transitions.
    #[must_use]
    pub fn utc() -> Self {
        Self::new("UTC", 0, Vec::new())
    }

    /// The name as the roster wrote it, such as `Europe/Kiev`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The instants at which the offset changes, with the new offset in seconds east of UTC.
    pub fn transitions(&self) -> impl Iterator<Item = (DateTime<Utc>, i32)> + '_ {
        self.periods.iter().skip(1).map(|period| (instant(period.start_second), period.offset_seconds))
    }

    /// Seconds east of UTC at `at`.
    #[must_use]
    pub fn offset_at(&self, at: DateTime<Utc>) -> i32 {
        let second = at.timestamp();
        let after = self.periods.partition_point(|period| period.start_second <= second);
        self.periods[after - 1].offset_seconds
    }

    /// What the wall clock reads at `at`.
    #[must_use]
    pub fn to_local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let offset = TimeDelta::seconds(i64::from(self.offset_at(at)));
        at.naive_utc().checked_add_signed(offset).unwrap_or(at.naive_utc())
    }

    /// The first instant at which the wall clock reads `local` or later (rule 1).
    ///
    /// A local time that is skipped gives the instant of the jump; see [`Zone::has_date`] for dates that are skipped whole.
    #[must_use]
    pub fn first_instant(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let local_second = local.and_utc().timestamp();
        let index = self.periods.partition_point(|period| period.local_end_second <= local_second);
        let period = self.periods[index.min(self.periods.len() - 1)];
        let second = local_second - i64::from(period.offset_seconds);
        if second < period.start_second {
            return instant(period.start_second);
        }
        instant(second) + TimeDelta::nanoseconds(i64::from(local.and_utc().timestamp_subsec_nanos()))
    }

    /// Whether the wall clock ever reads a time on `date`: false for Apia's 30 December 2011. Such a date has no hours.
    #[must_use]
    pub fn has_date(&self, date: NaiveDate) -> bool {
        let start = self.first_instant(date.and_time(NaiveTime::MIN));
        date.succ_opt().is_none_or(|next| start < self.first_instant(next.and_time(NaiveTime::MIN)))
    }
}

impl Period {
    fn starting(start_second: i64, offset_seconds: i32) -> Self {
        Self { start_second, offset_seconds, local_end_second: i64::MAX }
    }
}

/// The instant of a unix second; seconds beyond the range of dates give its nearest end.
fn instant(second: i64) -> DateTime<Utc> {
    let nearest = if second < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(second, 0).unwrap_or(nearest)
}
