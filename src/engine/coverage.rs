//! Coverage: for each capability that the teams hold, when any of them is open in the days ahead, and where it is thin.
//!
//! A gap is time in which nobody is open though by the weekly hours somebody would be: nights and weekends that nobody
//! covers are no news, a holiday that closes everybody at once is. A closure that the roster calls planned is no gap. Pure: it reads the effective view of the roster.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::{Calendar, CalendarSpec, Timeline};
use super::id::TeamId;
use super::roster::{Capability, Roster, Team};

/// Days that can be asked for.
pub const MAX_DAYS: u32 = 92;
/// Gaps of a capability that are named at most.
pub const MAX_GAPS: usize = 100;

/// The days ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The first day, in UTC.
    pub from: NaiveDate,
    /// One entry a capability, by name.
    pub capabilities: Vec<Covered>,
    /// Days on which two teams or more have a holiday.
    pub holiday_collisions: Vec<HolidayCollision>,
    /// Changes of the clock in zones of teams: hours move against the others in that week.
    pub clock_shifts: Vec<ClockShift>,
}

/// The coverage of a capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Jurisdiction and specialty, such as `US-NY/litigation`; `*` is all.
    pub capability: String,
    /// The teams that can do it and take work.
    pub teams: Vec<TeamId>,
    /// The one team, when there is no other: a single point of failure.
    pub only: Option<TeamId>,
    /// One entry a day.
    pub days: Vec<CoveredDay>,
    /// The gaps, in order.
    pub gaps: Vec<Gap>,
}

/// A day of a capability, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoveredDay {
    /// The day.
    pub date: NaiveDate,
    /// Minutes in which any team is open.
    pub open_minutes: i64,
    /// One letter an hour: `#` open, `+` for a part of it, `.` closed.
    pub hours: String,
}

/// Time in which nobody is open though by the weekly hours somebody would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Its start.
    pub from: DateTime<Utc>,
    /// Its end, exclusive.
    pub until: DateTime<Utc>,
}

/// A day on which several teams have a holiday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HolidayCollision {
    /// The day, in the teams' own zones.
    pub date: NaiveDate,
    /// The teams.
    pub teams: Vec<TeamId>,
}

/// A change of the clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockShift {
    /// When.
    pub at: DateTime<Utc>,
    /// The zone.
    pub zone: String,
    /// By how many minutes the clock goes forward.
    pub minutes: i32,
    /// The teams in that zone.
    pub teams: Vec<TeamId>,
}

/// The coverage of `days` days from the one of `now` on, at most [`MAX_DAYS`].
#[must_use]
pub fn coverage(roster: &Roster, now: DateTime<Utc>, days: u32) -> Coverage {
    let from = now.date_naive();
    let dates: Vec<_> = from.iter_days().take(days.clamp(1, MAX_DAYS) as usize).collect();
    let start = midnight(from);
    let until = dates.last().map_or(start, |last| midnight(last.checked_add_days(Days::new(1)).unwrap_or(*last)));
    let working: Vec<&Team> = roster.teams.iter().filter(|team| !team.retired).collect();
    let capabilities = names(&working).into_iter().map(|(name, held)| {
        let able: Vec<_> = working.iter().filter(|team| can(team, held)).copied().collect();
        covered(name, &able, &dates, (start, now, until))
    });
    Coverage {
        from,
        capabilities: capabilities.collect(),
        holiday_collisions: holiday_collisions(&working, &dates),
        clock_shifts: clock_shifts(&working, (start, until)),
    }
}

/// The capabilities that teams hold, by name.
fn names<'a>(teams: &[&'a Team]) -> BTreeMap<String, &'a Capability> {
    let held = teams.iter().flat_map(|team| &team.capabilities);
    held.map(|held| {
        let jurisdiction = held.jurisdiction.as_ref().map_or("*", |it| it.as_str());
        let specialty = held.specialty.as_ref().map_or("*", |it| it.as_str());
        (format!("{jurisdiction}/{specialty}"), held)
    })
    .collect()
}

/// Whether a team can do what a capability names.
fn can(team: &Team, asked: &Capability) -> bool {
    team.capabilities.iter().any(|held| {
        (held.jurisdiction.is_none() || held.jurisdiction == asked.jurisdiction)
            && (held.specialty.is_none() || held.specialty == asked.specialty)
    })
}

fn covered(
    capability: String,
    teams: &[&Team],
    dates: &[NaiveDate],
    (start, now, until): (DateTime<Utc>, DateTime<Utc>, DateTime<Utc>),
) -> Covered {
    let calendars: Vec<&Calendar> = teams.iter().map(|team| team.new_work_hours()).collect();
    let as_is = union(&calendars, start, until);
    let weekly: Vec<Calendar> = calendars.iter().map(|it| Calendar::new(by_week(it.spec()), start)).collect();
    let usual = union(&weekly.iter().collect::<Vec<_>>(), start, until);
    let only = match teams {
        [team] => Some(team.id.clone()),
        _ => None,
    };
    Covered {
        capability,
        teams: teams.iter().map(|team| team.id.clone()).collect(),
        only,
        days: dates.iter().map(|date| day(&as_is, *date)).collect(),
        gaps: gaps(&as_is, &usual, now, until),
    }
}

/// The weekly hours and breaks, and the closures that are meant.
fn by_week(spec: &CalendarSpec) -> CalendarSpec {
    let planned = spec.dates.iter().filter(|entry| entry.planned).cloned().collect();
    CalendarSpec { holidays: BTreeMap::new(), dates: planned, closures: Vec::new(), ..spec.clone() }
}

/// What lies outside of a calendar's horizon counts as closed.
fn union(calendars: &[&Calendar], from: DateTime<Utc>, until: DateTime<Utc>) -> Timeline {
    Timeline::union(calendars, from, until).unwrap_or_else(|_| Timeline::new(from, until, []))
}

fn day(timeline: &Timeline, date: NaiveDate) -> CoveredDay {
    let start = midnight(date);
    let open = |from: DateTime<Utc>, span: TimeDelta| {
        timeline.elapsed(from, from + span, &[]).map_or(0, |open| open.num_minutes())
    };
    let hours = (0..24).map(|hour| match open(start + TimeDelta::hours(hour), TimeDelta::hours(1)) {
        0 => '.',
        60 => '#',
        _ => '+',
    });
    CoveredDay { date, open_minutes: open(start, TimeDelta::hours(24)), hours: hours.collect() }
}

/// What `usual` has open from `now` on and `as_is` has not.
fn gaps(as_is: &Timeline, usual: &Timeline, now: DateTime<Utc>, until: DateTime<Utc>) -> Vec<Gap> {
    let Ok(expected) = usual.open_intervals(now, until) else { return Vec::new() };
    let mut gaps = Vec::new();
    for (open, close) in expected {
        let mut at = open;
        let Ok(covered) = as_is.open_intervals(open, close) else { continue };
        for (from, to) in covered {
            if at < from {
                gaps.push(Gap { from: at, until: from });
            }
            at = to;
        }
        if at < close {
            gaps.push(Gap { from: at, until: close });
        }
    }
    gaps.truncate(MAX_GAPS);
    gaps
}

fn holiday_collisions(teams: &[&Team], dates: &[NaiveDate]) -> Vec<HolidayCollision> {
    let on = |date: &NaiveDate| {
        let closed = teams.iter().filter(|team| team.calendar.spec().holidays.contains_key(date));
        HolidayCollision { date: *date, teams: closed.map(|team| team.id.clone()).collect() }
    };
    dates.iter().map(on).filter(|it| it.teams.len() > 1).collect()
}

fn clock_shifts(teams: &[&Team], (start, until): (DateTime<Utc>, DateTime<Utc>)) -> Vec<ClockShift> {
    let mut found: BTreeMap<(DateTime<Utc>, String), (i32, BTreeSet<TeamId>)> = BTreeMap::new();
    for team in teams {
        let zone = &team.calendar.spec().zone;
        for (at, offset_seconds) in zone.transitions().filter(|(at, _)| (start..until).contains(at)) {
            let before = zone.offset_at(at - TimeDelta::seconds(1));
            let shift =
                found.entry((at, zone.name().into())).or_insert(((offset_seconds - before) / 60, BTreeSet::new()));
            shift.1.insert(team.id.clone());
        }
    }
    let shift = |((at, zone), (minutes, teams)): ((DateTime<Utc>, String), (i32, BTreeSet<TeamId>))| ClockShift {
        at,
        zone,
        minutes,
        teams: teams.into_iter().collect(),
    };
    found.into_iter().map(shift).collect()
}

fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_time(NaiveTime::MIN).and_utc()
}
