//! Closing and opening segments, and what follows for the due times.

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::id::{TeamId, Term};
use crate::engine::planted::planted;
use crate::engine::roster::Moment;
use crate::engine::task::{Task, TaskState};

use super::clock::{Clock, OpenSegment, Overdue, Segment, SegmentEnd};
use super::hours::Hours;
use super::notice::{ClockEnd, MovedDue, Outcome, StoppedClock};

/// What may turn the clocks of a task, beside the task itself.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The hours that counted until now.
    pub before: Hours<'a>,
    /// The hours that count from now on.
    pub after: Hours<'a>,
    /// How they came to differ, if they may.
    pub because: Option<SegmentEnd>,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What a turn leaves to be stored and told.
#[derive(Debug, Default)]
pub struct Turned {
    /// Segments that are closed now.
    pub segments: Vec<Segment>,
    /// Due times that moved.
    pub moved: Vec<MovedDue>,
    /// Clocks that stopped.
    pub stopped: Vec<StoppedClock>,
}

/// Starts and stops the clocks for which `moment` is the time, each once.
pub fn touch(task: &mut Task, moment: Moment, now: DateTime<Utc>) {
    for clock in &mut task.clocks {
        if clock.rule.start == moment && clock.started_at.is_none() {
            clock.started_at = Some(now);
        }
        if clock.rule.stop == moment && clock.is_running() {
            clock.stopped_at = Some(now);
        }
    }
}

/// Whether a segment of a task is to be closed or opened, since who holds it, whether it stands or what is asked changed.
#[must_use]
pub fn is_to_turn(task: &Task) -> bool {
    let deadline = task.clocks.iter().find_map(|clock| clock.deadline);
    deadline != task.deadline || task.clocks.iter().any(|clock| !is_in_place(clock, task))
}

fn is_in_place(clock: &Clock, task: &Task) -> bool {
    match &clock.open {
        None => !clock.is_running(),
        Some(open) => {
            clock.is_running()
                && !is_cancelled(task)
                && open.holder.as_ref() == holder(task)
                && open.standing.as_ref() == standing(clock, task)
        }
    }
}

/// Brings the segments and the due times of a task to what holds from now on.
#[must_use]
pub fn turn(task: &mut Task, turn: Turn<'_>) -> Turned {
    let mut turned = Turned::default();
    let mut clocks = std::mem::take(&mut task.clocks);
    let amended = take_deadline(task.deadline, &mut clocks, turn.now);
    for clock in &mut clocks {
        let amended = amended && clock.deadline.is_some();
        turn_clock(clock, task, turn, amended, &mut turned);
    }
    task.clocks = clocks;
    turned
}

/// Gives the deadline's clock the deadline of the task; whether it had another one. A new deadline is a new promise, which
/// warns and is breached for itself.
fn take_deadline(deadline: Option<DateTime<Utc>>, clocks: &mut Vec<Clock>, now: DateTime<Utc>) -> bool {
    let Some(deadline) = deadline else { return false };
    match clocks.iter_mut().find(|clock| clock.deadline.is_some()) {
        Some(clock) if clock.deadline == Some(deadline) => false,
        Some(clock) => {
            clock.deadline = Some(deadline);
            (clock.warnings, clock.breached_at, clock.amended_at) = (0, None, Some(now));
            clock.overdue.clear();
            true
        }
        None => {
            clocks.push(Clock { started_at: Some(now), ..Clock::of_deadline(deadline) });
            false
        }
    }
}

fn turn_clock(clock: &mut Clock, task: &Task, turn: Turn<'_>, amended: bool, turned: &mut Turned) {
    let (was_running, due_before) = (clock.open.is_some(), clock.due_at);
    let began_at = clock.open.as_ref().map(|open| open.from);
    let capped = end_capped_pause(clock, task, turn, turned);
    if is_cancelled(task) && clock.is_running() {
        clock.stopped_at = Some(turn.now);
    }
    let closed_by = clock.open.as_ref().and_then(|open| closed_by(clock, open, task, turn, amended));
    if let Some(closed_by) = closed_by {
        // A stop that is noticed late has its own instant.
        let until = clock.stopped_at.map_or(turn.now, |stopped_at| stopped_at.min(turn.now));
        turned.segments.extend(close(clock, task, Turn { now: until, ..turn }, closed_by));
    }
    let turned_by = closed_by.or(capped);
    let Some(stopped_at) = clock.stopped_at else {
        if clock.is_running() && clock.open.is_none() {
            let (holder, standing) = (holder(task).cloned(), standing(clock, task).cloned());
            // A start that is noticed late counts from its own instant.
            let started_at = clock.started_at.filter(|_| clock.segments == 0);
            let from = started_at.map_or(turn.now, |started_at| started_at.min(turn.now));
            // Never before the one that it follows.
            let from = began_at.map_or(from, |began_at| from.max(began_at));
            clock.open = Some(OpenSegment { from, holder, standing });
        }
        if turned_by.is_some() || !was_running || turn.because.is_some() {
            project(clock, turn.after);
        }
        if was_running && clock.due_at != due_before {
            let because = turned_by.or(turn.because).unwrap_or(SegmentEnd::HoursChanged);
            let clock_name = clock.rule.name.clone();
            turned.moved.push(MovedDue { clock: clock_name, from: due_before, to: clock.due_at, because });
        }
        return;
    };
    if was_running {
        (clock.warns_at, clock.escalates_at) = (None, None);
        clock.overdue.clear();
        let outcome = match (&clock.breached_at, is_cancelled(task)) {
            (Some(_), _) => Outcome::Breached,
            (None, true) => Outcome::Cancelled,
            (None, false) => Outcome::Met,
        };
        let end = ClockEnd { outcome, stopped_at };
        turned.stopped.push(StoppedClock::of(clock, task.sla.as_ref(), end));
    }
}

/// Ends the segment for which a clock stood when its pause has reached its cap; a cap that is noticed late has its own
/// instant all the same, whatever else has happened since.
fn end_capped_pause(clock: &mut Clock, task: &Task, turn: Turn<'_>, turned: &mut Turned) -> Option<SegmentEnd> {
    let pause = task.paused.as_ref().filter(|pause| pause.is_capped)?;
    let open = clock.open.as_ref().filter(|open| open.standing.as_ref() == Some(&pause.reason))?;
    let capped_at = pause.cap_at?.min(turn.now).max(open.from);
    let running = OpenSegment { from: capped_at, standing: None, ..open.clone() };
    turned.segments.extend(close(clock, task, Turn { now: capped_at, ..turn }, SegmentEnd::PauseCapped));
    clock.open = Some(running);
    Some(SegmentEnd::PauseCapped)
}

/// What closes the open segment of a clock now, if anything does.
fn closed_by(clock: &Clock, open: &OpenSegment, task: &Task, turn: Turn<'_>, amended: bool) -> Option<SegmentEnd> {
    let (holder, standing) = (holder(task), standing(clock, task));
    let counted = |hours: Hours<'_>| hours.counted(&clock.rule.basis, open, turn.now);
    if clock.stopped_at.is_some() {
        Some(SegmentEnd::Stopped)
    } else if open.holder.as_ref() != holder {
        Some(SegmentEnd::HolderChanged)
    } else if open.standing.as_ref() != standing {
        Some(match (standing, &task.paused) {
            (Some(_), _) => SegmentEnd::Paused,
            (None, Some(_)) => SegmentEnd::PauseCapped,
            (None, None) => SegmentEnd::Resumed,
        })
    } else if amended {
        Some(SegmentEnd::Amended)
    } else {
        // What both count alike may go on; the new hours count what comes.
        turn.because.filter(|_| counted(turn.before) != counted(turn.after))
    }
}

/// Closes the open segment; one without any length leaves no trace.
fn close(clock: &mut Clock, task: &Task, turn: Turn<'_>, closed_by: SegmentEnd) -> Option<Segment> {
    let open = clock.open.take()?;
    if open.from >= turn.now {
        return None;
    }
    let hours = if planted("past-counted-anew") { turn.after } else { turn.before };
    let counted_ms = hours.counted(&clock.rule.basis, &open, turn.now).num_milliseconds();
    note_overdue(clock, &open, hours, counted_ms);
    clock.segments += 1;
    clock.counted_ms += counted_ms;
    Some(Segment {
        task: task.arrival,
        clock: clock.rule.name.clone(),
        number: clock.segments,
        from: open.from,
        until: turn.now,
        holder: open.holder,
        standing: open.standing,
        counted_ms,
        closed_by,
    })
}

/// Notes when those percentages were used up that a segment reached before it is closed and that nobody has been told of:
/// later segments could not tell.
fn note_overdue(clock: &mut Clock, open: &OpenSegment, hours: Hours<'_>, counted_ms: i64) {
    for percent in clock.untold() {
        let left = clock.amount(percent) - TimeDelta::milliseconds(clock.counted_ms);
        let is_noted = clock.overdue.iter().any(|it| it.percent == percent);
        if is_noted || open.standing.is_some() || left > TimeDelta::milliseconds(counted_ms) {
            continue;
        }
        if let Some(at) = hours.reach(&clock.rule.basis, open.holder.as_ref(), open.from, left) {
            clock.overdue.push(Overdue { percent, at });
        }
    }
}

/// Works out when the target is used up and when the next steps are due; a clock that was breached is left alone but for
/// its escalation steps.
fn project(clock: &mut Clock, hours: Hours<'_>) {
    if clock.breached_at.is_none() {
        clock.due_at = clock.deadline.or_else(|| reach(clock, hours, 100));
    }
    project_steps(clock, hours);
}

/// Works out when the next warning and the next escalation step are due.
pub fn project_steps(clock: &mut Clock, hours: Hours<'_>) {
    let untold = clock.untold();
    clock.overdue.retain(|it| untold.contains(&it.percent));
    clock.warns_at = clock.next_warning().and_then(|percent| reach(clock, hours, percent));
    clock.escalates_at = clock.next_escalation().and_then(|step| reach(clock, hours, step.at_percent));
}

/// When the clock has used up, or will have, so much of its target, as things stand.
fn reach(clock: &Clock, hours: Hours<'_>, percent: u8) -> Option<DateTime<Utc>> {
    if let Some(overdue) = clock.overdue.iter().find(|it| it.percent == percent) {
        return Some(overdue.at);
    }
    let open = clock.open.as_ref().filter(|open| open.standing.is_none())?;
    let left = clock.amount(percent) - TimeDelta::milliseconds(clock.counted_ms);
    hours.reach(&clock.rule.basis, open.holder.as_ref(), open.from, left)
}

/// Who holds a task, as far as its clocks are concerned: an offer is not held yet.
fn holder(task: &Task) -> Option<&TeamId> {
    match &task.state {
        TaskState::Active(active) => Some(&active.team),
        TaskState::Waiting(_) | TaskState::Offered(_) | TaskState::Completed { .. } | TaskState::Cancelled { .. } => {
            None
        }
    }
}

/// The pause reason for which a clock stands.
fn standing<'a>(clock: &Clock, task: &'a Task) -> Option<&'a Term> {
    let pause = task.paused.as_ref().filter(|pause| !pause.is_capped)?;
    let stands = clock.rule.pause_on.contains(&pause.reason) && !planted("pause-stops-no-clock");
    stands.then_some(&pause.reason)
}

fn is_cancelled(task: &Task) -> bool {
    matches!(task.state, TaskState::Cancelled { .. })
}
