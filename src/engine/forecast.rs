//! When a team would be done, and when a task must be done.

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Calendar, Timeline};
use super::planted::planted;
use super::roster::{Basis, Client, Moment, Roster, Team};
use super::sla::{Clock, Hours};
use super::task::Task;

/// How far ahead contact with a client's hours is looked for.
pub const CONTACT_HORIZON: TimeDelta = TimeDelta::days(28);

/// How far before and after a class is met its coverage is worked out.
pub const COVERAGE_SPAN: TimeDelta = TimeDelta::days(400);

/// The time in which any of the teams is open, around `now`; `None` when that leaves a calendar's horizon.
#[must_use]
pub fn coverage<'a>(teams: impl Iterator<Item = &'a Team>, now: DateTime<Utc>) -> Option<Timeline> {
    let mut calendars: Vec<&Calendar> = Vec::new();
    for team in teams {
        if !calendars.iter().any(|seen| std::ptr::eq(*seen, &*team.calendar)) {
            calendars.push(&team.calendar);
        }
    }
    Timeline::union(&calendars, now - COVERAGE_SPAN, now + COVERAGE_SPAN).ok()
}

/// When a team is done that starts at `start` and works in its open time only; `None` is not within its horizon.
#[must_use]
pub fn finish_at(team: &Team, start: DateTime<Utc>, remaining_minutes: u32) -> Option<DateTime<Utc>> {
    team.calendar.add(start, TimeDelta::minutes(i64::from(remaining_minutes)), &[]).ok()
}

/// Whether a clock of a task counts by the coverage of its class.
#[must_use]
pub fn needs_coverage(task: &Task) -> bool {
    task.clocks.iter().any(|clock| matches!(clock.rule.basis, Basis::Coverage | Basis::Holder))
}

/// The earliest of the deadline, also one derived from that of a process, and the projected end of every running finish clock, if `team` held the task from `now`.
///
/// A clock that stands has no end. A clock of the basis `holder` keeps what its segments counted, the open one by whoever
/// holds the task until now, and counts the rest by the team's hours, or by the coverage without a team.
#[must_use]
pub fn due_at(
    task: &Task,
    roster: &Roster,
    team: Option<&Team>,
    coverage: Option<&Timeline>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let hours = Hours { roster, client: &task.client, coverage };
    let running = task.clocks.iter().filter(|clock| clock.rule.stop == Moment::Completed && clock.deadline.is_none());
    let deadline = task.deadline.filter(|_| !planted("deadline-not-due"));
    let derived = task.derived_deadline().filter(|_| !planted("derived-deadline-not-due"));
    let stated = deadline.into_iter().chain(derived);
    running.filter_map(|clock| clock_due_at(clock, hours, team, now)).chain(stated).min()
}

/// The projected end of one running clock; `None` before its start, while it stands, or beyond the horizon.
fn clock_due_at(clock: &Clock, hours: Hours<'_>, team: Option<&Team>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let open = clock.open.as_ref().filter(|open| open.standing.is_none())?;
    let basis = &clock.rule.basis;
    let left = clock.target() - TimeDelta::milliseconds(clock.counted_ms);
    let used = hours.counted(basis, open, now);
    if *basis != Basis::Holder || left <= used {
        return hours.reach(basis, open.holder.as_ref(), open.from, left);
    }
    hours.reach(basis, team.map(|team| &team.id), open.from.max(now), left - used)
}

/// When a task must be started to be done by `due_at`: its effort, walked back through the coverage of the teams that
/// may do it; in all time where the coverage does not reach.
#[must_use]
pub fn latest_start_at(due_at: DateTime<Utc>, remaining_minutes: u32, coverage: Option<&Timeline>) -> DateTime<Utc> {
    let effort = TimeDelta::minutes(i64::from(remaining_minutes));
    let in_coverage = coverage.and_then(|coverage| coverage.back_from(due_at, effort));
    in_coverage.or_else(|| due_at.checked_sub_signed(effort)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// The longest overlap of one of the team's shifts with the client's hours within [`CONTACT_HORIZON`] of `now`; a
/// client without hours is never in contact.
#[must_use]
pub fn longest_contact(roster: &Roster, team: &Team, client: &Client, now: DateTime<Utc>) -> TimeDelta {
    let gap = TimeDelta::minutes(i64::from(roster.routing.handoff_min_gap_minutes));
    let until = now + CONTACT_HORIZON;
    let mut longest = TimeDelta::zero();
    let mut from = now;
    while let Ok(opens_at) = team.calendar.next_open(from) {
        if opens_at >= until {
            break;
        }
        let closes_at = team.calendar.shift_end(opens_at, gap).map_or(until, |end| end.min(until));
        longest = longest.max(contact_between(team, client, opens_at, closes_at));
        from = closes_at.max(opens_at + TimeDelta::milliseconds(1));
    }
    longest
}

/// How long both the team and the client are open between two instants, at most [`CONTACT_HORIZON`] apart: a team that
/// never closes has no shift end.
#[must_use]
pub fn contact_between(team: &Team, client: &Client, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let Some(hours) = &client.calendar else { return TimeDelta::zero() };
    let Ok(shifts) = team.calendar.open_intervals(from, to.min(from + CONTACT_HORIZON)) else {
        return TimeDelta::zero();
    };
    shifts.map(|(open, close)| hours.elapsed(open, close, &[]).unwrap_or_default()).sum()
}
