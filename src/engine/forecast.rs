//! When a team would be done, and when a task must be done.

use chrono::{DateTime, TimeDelta, Utc};

use super::calendar::{Calendar, Pause, Timeline};
use super::roster::{Basis, Client, Moment, Roster, Team};
use super::task::{Clock, Task, TaskState};

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

/// The earliest of the deadline and the projected end of every running finish clock, if `team` held the task from `now`.
///
/// A clock that stands has no end. A clock of the basis `holder` counts what was used so far by the hours of those who
/// held the task and by the coverage in between, and the rest by the team's hours, or by the coverage without a team.
#[must_use]
pub fn due_at(
    task: &Task,
    roster: &Roster,
    team: Option<&Team>,
    coverage: Option<&Timeline>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let projection = Projection { task, roster, team, coverage, now };
    let running = task.clocks.iter().filter(|clock| clock.rule.stop == Moment::Completed && clock.stopped_at.is_none());
    running.filter_map(|clock| projection.due_at(clock)).chain(task.deadline).min()
}

/// When a task must be started to be done by `due_at`: its effort, walked back through the coverage of the teams that
/// may do it; in all time where the coverage does not reach.
#[must_use]
pub fn latest_start_at(due_at: DateTime<Utc>, remaining_minutes: u32, coverage: Option<&Timeline>) -> DateTime<Utc> {
    let effort = TimeDelta::minutes(i64::from(remaining_minutes));
    let in_coverage = coverage.and_then(|coverage| coverage.back_from(due_at, effort));
    in_coverage.or_else(|| due_at.checked_sub_signed(effort)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

/// What the end of a clock is projected from.
struct Projection<'a> {
    task: &'a Task,
    roster: &'a Roster,
    team: Option<&'a Team>,
    coverage: Option<&'a Timeline>,
    now: DateTime<Utc>,
}

impl Projection<'_> {
    /// The projected end of one running clock; `None` before its start, while it stands, or beyond the horizon.
    fn due_at(&self, clock: &Clock) -> Option<DateTime<Utc>> {
        let start = clock.started_at?;
        let target = TimeDelta::minutes(i64::from(clock.rule.target_minutes));
        let pauses: Vec<_> = clock.pauses.iter().map(|pause| Pause { from: pause.from, until: pause.until }).collect();
        match &clock.rule.basis {
            Basis::Wall => all_time_add(start, target, &pauses),
            Basis::Calendar(id) => self.roster.calendars.get(id)?.add(start, target, &pauses).ok(),
            Basis::Client => {
                self.roster.clients.get(&self.task.client)?.calendar.as_ref()?.add(start, target, &pauses).ok()
            }
            Basis::Holder => self.holder_due_at(start, target, &pauses),
            Basis::Coverage => self.coverage?.add(start, target, &pauses).ok(),
        }
    }

    fn holder_due_at(&self, start: DateTime<Utc>, target: TimeDelta, pauses: &[Pause]) -> Option<DateTime<Utc>> {
        let mut left = target;
        for (from, until, holder) in self.parts(start) {
            let used = match holder {
                Some(team) => team.calendar.elapsed(from, until, pauses),
                None => self.coverage.map_or(Ok(TimeDelta::zero()), |timeline| timeline.elapsed(from, until, pauses)),
            };
            let used = used.unwrap_or_default();
            if left <= used {
                return match holder {
                    Some(team) => team.calendar.add(from, left, pauses).ok(),
                    None => self.coverage?.add(from, left, pauses).ok(),
                };
            }
            left -= used;
        }
        let from = start.max(self.now);
        match self.team {
            Some(team) => team.calendar.add(from, left, pauses).ok(),
            None => self.coverage?.add(from, left, pauses).ok(),
        }
    }

    /// Who held the task between the start of a clock and now, in order; a team that the roster lacks held it for nobody.
    fn parts(&self, start: DateTime<Utc>) -> Vec<(DateTime<Utc>, DateTime<Utc>, Option<&Team>)> {
        let team = |id| self.roster.team_index(id).map(|index| self.roster.team(index));
        let earlier = self.task.holders.iter().map(|it| (it.from, it.until, &it.team));
        let owner = match &self.task.state {
            TaskState::Active(active) => Some((active.at, self.now, &active.team)),
            _ => None,
        };
        let mut parts = Vec::new();
        let mut done = start;
        for (from, until, holder) in earlier.chain(owner).filter(|(_, until, _)| *until > start) {
            let from = from.max(done);
            parts.push((done, from, None));
            parts.push((from, until, team(holder)));
            done = until;
        }
        parts.push((done, self.now.max(done), None));
        parts.retain(|(from, until, _)| from < until);
        parts
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
