//! When a team would be done, and when a task must be done.

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Pause, Timeline};
use super::roster::{Basis, Client, Moment, Roster, Team};
use super::task::{Clock, Task};

/// How far ahead contact with a client's hours is looked for.
pub const CONTACT_HORIZON: TimeDelta = TimeDelta::days(28);

/// How far before and after a class is met its coverage is worked out.
pub const COVERAGE_SPAN: TimeDelta = TimeDelta::days(400);

/// The time in which any of the teams is open, around `now`; `None` when that leaves a calendar's horizon.
#[must_use]
pub fn coverage<'a>(teams: impl Iterator<Item = &'a Team>, now: DateTime<Utc>) -> Option<Timeline> {
    let calendars: Vec<_> = teams.map(|team| &*team.calendar).collect();
    Timeline::union(&calendars, now - COVERAGE_SPAN, now + COVERAGE_SPAN).ok()
}

/// When a team is done that starts at `start` and works in its open time only; `None` is not within its horizon.
#[must_use]
pub fn finish_at(team: &Team, start: DateTime<Utc>, remaining_minutes: u32) -> Option<DateTime<Utc>> {
    team.calendar.add(start, TimeDelta::minutes(i64::from(remaining_minutes)), &[]).ok()
}

/// The earliest of the deadline and the projected end of every running finish clock, if `team` held the task.
///
/// A clock that stands has no end; a clock of the basis `holder` counts by the team's hours, and by the coverage while
/// there is no team.
#[must_use]
pub fn due_at(task: &Task, roster: &Roster, team: Option<&Team>, coverage: Option<&Timeline>) -> Option<DateTime<Utc>> {
    let running = task.clocks.iter().filter(|clock| clock.rule.stop == Moment::Completed && clock.stopped_at.is_none());
    running.filter_map(|clock| clock_due_at(clock, task, roster, team, coverage)).chain(task.deadline).min()
}

/// The projected end of one running clock; `None` before its start, while it stands, or beyond the horizon.
fn clock_due_at(
    clock: &Clock,
    task: &Task,
    roster: &Roster,
    team: Option<&Team>,
    coverage: Option<&Timeline>,
) -> Option<DateTime<Utc>> {
    let start = clock.started_at?;
    let target = TimeDelta::minutes(i64::from(clock.rule.target_minutes));
    let pauses: Vec<_> = clock.pauses.iter().map(|pause| Pause { from: pause.from, until: pause.until }).collect();
    let covered = || coverage.and_then(|timeline| timeline.add(start, target, &pauses).ok());
    match &clock.rule.basis {
        Basis::Wall => all_time_add(start, target, &pauses),
        Basis::Calendar(id) => roster.calendars.get(id)?.add(start, target, &pauses).ok(),
        Basis::Client => roster.clients.get(&task.client)?.calendar.as_ref()?.add(start, target, &pauses).ok(),
        Basis::Holder => match team {
            Some(team) => team.calendar.add(start, target, &pauses).ok(),
            None => covered(),
        },
        Basis::Coverage => covered(),
    }
}

/// `start + target`, pauses left out, in all time; `pauses` are in order and apart.
fn all_time_add(start: DateTime<Utc>, target: TimeDelta, pauses: &[Pause]) -> Option<DateTime<Utc>> {
    let mut due_at = start.checked_add_signed(target)?;
    for pause in pauses {
        let from = pause.from.max(start);
        if from >= due_at {
            break;
        }
        due_at = due_at.checked_add_signed((pause.until? - from).max(TimeDelta::zero()))?;
    }
    Some(due_at)
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
        let Ok(closes_at) = team.calendar.shift_end(opens_at, gap) else { break };
        longest = longest.max(contact_between(team, client, opens_at, closes_at));
        from = closes_at.max(opens_at + TimeDelta::milliseconds(1));
    }
    longest
}

/// How long both the team and the client are open between two instants.
#[must_use]
pub fn contact_between(team: &Team, client: &Client, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
    let Some(hours) = &client.calendar else { return TimeDelta::zero() };
    let Ok(shifts) = team.calendar.open_intervals(from, to) else { return TimeDelta::zero() };
    shifts.map(|(open, close)| hours.elapsed(open, close, &[]).unwrap_or_default()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    #[test]
    fn a_pause_moves_the_end_of_a_clock_on_all_time() {
        let pause = |from, until: Option<i64>| Pause { from: at(from), until: until.map(at) };
        let due = |pauses: &[Pause]| all_time_add(at(0), TimeDelta::minutes(60), pauses);
        assert_eq!(due(&[]), Some(at(60)));
        assert_eq!(due(&[pause(10, Some(20)), pause(65, Some(75))]), Some(at(80)));
        assert_eq!(due(&[pause(60, Some(90))]), Some(at(60)), "a pause from the end on comes too late");
        assert_eq!(due(&[pause(10, None)]), None);
    }
}
