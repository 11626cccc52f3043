//! When steps must be done, and when they are expected to be: the deadline walked back, and the present walked forward.
//!
//! Pure sums over the order of the steps. Source: the service model, "Processes".

use chrono::{DateTime, TimeDelta, Utc};

use super::Process;
use crate::engine::calendar::{Calendar, Timeline};
use crate::engine::forecast;

/// What is left of an open step, and the time in which it can be worked on.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// Remaining effort in minutes.
    pub remaining_minutes: u32,
    /// The time in which any team is open that may do it.
    pub coverage: Option<&'a Timeline>,
    /// The hours of the team that has it, offered or owned.
    pub holder: Option<&'a Calendar>,
    /// Before when it must not start.
    pub not_before: Option<DateTime<Utc>>,
}

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The start.
    pub start_at: DateTime<Utc>,
    /// The finish.
    pub finish_at: DateTime<Utc>,
}

/// When a step is expected to start and to be done; none is not within the horizon.
pub type Expected = Option<Span>;

/// When each step must start and be done at the latest, so that all are done by the deadline. `work` has the open steps, by
/// position; one that has ended has none and stands in nobody's way.
#[must_use]
pub fn latest(process: &Process, deadline: DateTime<Utc>, work: &[Option<Work<'_>>]) -> Vec<Option<Span>> {
    let mut latest: Vec<Option<Span>> = vec![None; process.steps.len()];
    let mut finish_at = vec![deadline; process.steps.len()];
    // Successors stand behind, so that going back meets them first.
    for position in (0..process.steps.len()).rev() {
        let Some(left) = &work[position] else { continue };
        let finish = finish_at[position];
        let start_at = forecast::latest_start_at(finish, left.remaining_minutes, left.coverage);
        latest[position] = Some(Span { start_at, finish_at: finish });
        for before in &process.steps[position].after {
            finish_at[*before] = finish_at[*before].min(start_at);
        }
    }
    latest
}

/// When each open step is expected to be done, as things stand: each by the hours of the team that has it, else by those of
/// all that may do it, and none before those that it waits for.
#[must_use]
pub fn expect(process: &Process, now: DateTime<Utc>, work: &[Option<Work<'_>>]) -> Vec<Expected> {
    let mut expected: Vec<Expected> = vec![None; process.steps.len()];
    for position in 0..process.steps.len() {
        let Some(left) = &work[position] else { continue };
        let after = process.steps[position].after.iter().copied();
        let start_at = after
            .filter(|before| work[*before].is_some())
            .try_fold(left.not_before.map_or(now, |at| at.max(now)), |start_at, before| {
                Some(start_at.max(expected[before]?.finish_at))
            });
        expected[position] = start_at.and_then(|start_at| {
            let effort = TimeDelta::minutes(i64::from(left.remaining_minutes));
            let finish_at = match (left.holder, left.coverage) {
                (Some(hours), _) => hours.add(start_at, effort, &[]).ok(),
                (None, Some(coverage)) => coverage.add(start_at, effort, &[]).ok(),
                (None, None) => start_at.checked_add_signed(effort),
            };
            Some(Span { start_at, finish_at: finish_at? })
        });
    }
    expected
}

/// The steps that decide when the process is done, the first first: from the one that is done last back, each time to the
/// one that is done last of those before.
#[must_use]
pub fn critical_path(process: &Process, expected: &[Expected]) -> Vec<usize> {
    let finish_of = |position: &usize| expected[*position].map(|span| (span.finish_at, *position));
    let last_of = |positions: &mut dyn Iterator<Item = usize>| {
        positions.filter(|at| finish_of(at).is_some()).max_by_key(finish_of)
    };
    let mut path = Vec::new();
    let mut next = last_of(&mut (0..process.steps.len()));
    while let Some(position) = next {
        path.push(position);
        next = last_of(&mut process.steps[position].after.iter().copied());
    }
    path.reverse();
    path
}
