//! The outlook: for each capability, the work that is booked and that is expected, against the open time of those who can
//! do it, hour by hour. Pure: it reads the effective view of the roster and sums of the past.
//!
//! Expected in an hour is what came in the same hour of the week, in UTC, over the last [`WEEKS`]: the mean without the least
//! and the most of them once there are four, so that one flood or one idle week counts for nothing. Capacity is an upper
//! bound: a team that can do several things counts whole for each. Effort in an hour that nobody can do then is left for the
//! next.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::id::TeamId;
use super::roster::{Capacity, Roster, Team};
use super::task::Needs;

/// How many hours ahead are looked at.
pub const HOURS: i64 = 72;
/// How many weeks back are looked at.
pub const WEEKS: i64 = 8;
/// Hours of a week.
pub const WEEK_HOURS: i64 = 168;
/// From so many weeks on the least and the most do not count.
const TRIMMED_FROM: usize = 4;
/// A team whose room is counted in effort works as many at once as would do that effort in a day of so many hours.
const DAY_HOURS: u32 = 8;

/// An hour, counted from 1970 in UTC.
pub type Hour = i64;

/// What the outlook rests on beside the roster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Demand {
    /// Remaining effort of open tasks in minutes, by the capability that they ask for.
    pub booked: BTreeMap<String, u64>,
    /// Effort of the tasks that were admitted in an hour, in minutes, by the capability that they ask for.
    pub arrivals: BTreeMap<(Hour, String), u64>,
    /// The first hour that is known of; `None` when none is.
    pub known_from: Option<Hour>,
    /// What was said before: for the [`HOURS`] from an hour on so much effort was expected.
    pub said: BTreeMap<(Hour, String), u64>,
}

/// The hours ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outlook {
    /// The first of them: the next full hour.
    pub from: DateTime<Utc>,
    /// How many.
    pub hours: i64,
    /// Over how many weeks the expected work is a mean; with 0 none is expected.
    pub weeks: i64,
    /// One entry a capability, by name.
    pub capabilities: Vec<Ahead>,
}

/// The hours ahead of a capability.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// Jurisdiction and specialty that tasks ask for, such as `US-NY/litigation`; `*` asks for none.
    pub capability: String,
    /// The teams that can do it and take work.
    pub teams: Vec<TeamId>,
    /// Remaining effort of open tasks, in minutes.
    pub booked_minutes: u64,
    /// Effort that is expected to come, in minutes.
    pub expected_minutes: u64,
    /// Open time of the teams times their seats, in minutes.
    pub capacity_minutes: u64,
    /// What is left at the end, in minutes.
    pub left_minutes: u64,
    /// Since when work has been left over at the end of each hour, when some is left at the end of all.
    pub short_from: Option<DateTime<Utc>>,
    /// How far off the forecasts of the last weeks were that can be judged by now: the sum of their errors in per cent of what
    /// came. `None` when there is none, or nothing came.
    pub past_error_percent: Option<u64>,
    /// Hour by hour.
    pub by_hour: Vec<AheadHour>,
}

/// One hour of a capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AheadHour {
    /// Effort that is expected to come in it, in minutes.
    pub expected_minutes: u64,
    /// Open time of the teams times their seats, in minutes.
    pub capacity_minutes: u64,
    /// What is left at its end, in minutes.
    pub left_minutes: u64,
}

/// The hour of an instant.
#[must_use]
pub fn hour_of(at: DateTime<Utc>) -> Hour {
    at.timestamp().div_euclid(3_600)
}

/// The capability that a task asks for.
#[must_use]
pub fn asked(needs: &Needs) -> String {
    let jurisdiction = needs.jurisdiction.as_ref().map_or("*", |it| it.as_str());
    let specialty = needs.specialty.as_ref().map_or("*", |it| it.as_str());
    format!("{jurisdiction}/{specialty}")
}

/// The outlook from the next full hour on.
#[must_use]
pub fn outlook(roster: &Roster, demand: &Demand, now: DateTime<Utc>) -> Outlook {
    let first = hour_of(now + TimeDelta::minutes(60) - TimeDelta::milliseconds(1));
    let weeks = known_weeks(demand, hour_of(now));
    let working: Vec<&Team> = roster.teams.iter().filter(|team| !team.retired).collect();
    let capacities: Vec<_> = working.iter().map(|team| (*team, capacity(team, first))).collect();
    let ahead = |capability: String| {
        let able: Vec<_> = capacities.iter().filter(|(team, _)| can(team, &capability)).collect();
        let teams = able.iter().map(|(team, _)| team.id.clone()).collect();
        let capacity: Vec<u64> =
            (0..HOURS as usize).map(|hour| able.iter().map(|(_, capacity)| capacity[hour]).sum()).collect();
        let past = Past { demand, capability: &capability, weeks };
        ahead(&past, teams, first, &capacity)
    };
    Outlook {
        from: instant(first),
        hours: HOURS,
        weeks,
        capabilities: names(&working, demand).into_iter().map(ahead).collect(),
    }
}

/// The capabilities that teams hold or work asks for.
fn names(teams: &[&Team], demand: &Demand) -> BTreeSet<String> {
    let held = teams.iter().flat_map(|team| &team.capabilities).map(|held| {
        let jurisdiction = held.jurisdiction.as_ref().map_or("*", |it| it.as_str());
        let specialty = held.specialty.as_ref().map_or("*", |it| it.as_str());
        format!("{jurisdiction}/{specialty}")
    });
    let came = demand.arrivals.keys().map(|(_, capability)| capability.clone());
    held.chain(demand.booked.keys().cloned()).chain(came).collect()
}

/// Whether a team can do what tasks ask for; languages, skills and consent are not looked at.
fn can(team: &Team, capability: &str) -> bool {
    let (jurisdiction, specialty) = capability.split_once('/').unwrap_or((capability, "*"));
    let fits = |asked: &str, held: Option<&str>| asked == "*" || held.is_none_or(|held| held == asked);
    team.capabilities.iter().any(|held| {
        fits(jurisdiction, held.jurisdiction.as_ref().map(|it| it.as_str()))
            && fits(specialty, held.specialty.as_ref().map(|it| it.as_str()))
    })
}

/// Open time times seats of each hour, in minutes; what lies outside of a calendar's horizon counts as closed.
fn capacity(team: &Team, first: Hour) -> Vec<u64> {
    let at_once = u64::from(match team.capacity {
        Capacity::Seats(seats) => seats,
        Capacity::EffortHours(hours) => hours.div_ceil(DAY_HOURS),
    });
    let open = |hour| team.new_work_hours().elapsed(instant(hour), instant(hour + 1), &[]);
    let minutes = |hour| at_once * open(hour).map_or(0, |open| open.num_minutes().unsigned_abs());
    (first..first + HOURS).map(minutes).collect()
}

/// How many whole weeks before an hour are known, at most [`WEEKS`].
fn known_weeks(demand: &Demand, now: Hour) -> i64 {
    demand.known_from.map_or(0, |from| ((now - from) / WEEK_HOURS).clamp(0, WEEKS))
}

/// What is known of a capability.
struct Past<'a> {
    demand: &'a Demand,
    capability: &'a str,
    weeks: i64,
}

impl Past<'_> {
    /// What came in an hour.
    fn came(&self, hour: Hour) -> u64 {
        self.demand.arrivals.get(&(hour, self.capability.to_owned())).copied().unwrap_or(0)
    }

    /// The mean of the same hour of the last weeks, rounded down, without the least and the most once there are enough.
    fn expected(&self, hour: Hour) -> u64 {
        let mut past: Vec<u64> = (1..=self.weeks).map(|ago| self.came(hour - ago * WEEK_HOURS)).collect();
        past.sort_unstable();
        let counted = if past.len() >= TRIMMED_FROM { &past[1..past.len() - 1] } else { &past[..] };
        counted.iter().sum::<u64>().checked_div(counted.len() as u64).unwrap_or(0)
    }

    /// The sum of the errors of what was said for hours that are over, in per cent of what came in them. Of a capability that
    /// a forecast did not name it said that nothing would come.
    fn error_percent(&self, now: Hour) -> Option<u64> {
        let judged: BTreeSet<Hour> = self.demand.said.keys().map(|(from, _)| *from).collect();
        let (mut off, mut came) = (0, 0);
        for from in judged.into_iter().filter(|from| from + HOURS <= now) {
            let said = self.demand.said.get(&(from, self.capability.to_owned())).copied().unwrap_or(0);
            let real: u64 = (from..from + HOURS).map(|hour| self.came(hour)).sum();
            off += said.abs_diff(real);
            came += real;
        }
        (off * 100).checked_div(came)
    }
}

fn ahead(past: &Past<'_>, teams: Vec<TeamId>, first: Hour, capacity: &[u64]) -> Ahead {
    let booked_minutes = past.demand.booked.get(past.capability).copied().unwrap_or(0);
    let (mut left, mut short_from) = (booked_minutes, None);
    let mut by_hour = Vec::with_capacity(capacity.len());
    for (hour, capacity) in (first..).zip(capacity) {
        let expected_minutes = past.expected(hour);
        left = (left + expected_minutes).saturating_sub(*capacity);
        short_from = if left == 0 { None } else { short_from.or(Some(instant(hour))) };
        by_hour.push(AheadHour { expected_minutes, capacity_minutes: *capacity, left_minutes: left });
    }
    Ahead {
        teams,
        booked_minutes,
        expected_minutes: by_hour.iter().map(|it| it.expected_minutes).sum(),
        capacity_minutes: capacity.iter().sum(),
        left_minutes: left,
        short_from,
        past_error_percent: past.error_percent(first - 1),
        by_hour,
        capability: past.capability.to_owned(),
    }
}

fn instant(hour: Hour) -> DateTime<Utc> {
    DateTime::from_timestamp(hour * 3_600, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
