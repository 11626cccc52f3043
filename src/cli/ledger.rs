//! The clocks of a task and their ledger, so that a person can redo every sum.

use chrono::TimeDelta;

use super::failure::Failure;
use super::output::Output;
use crate::engine::calendar::Minutes;
use crate::wire::clock_view::ClockView;
use crate::wire::view::TaskView;

/// Prints the clocks, what each holder used of them, and every segment.
pub(super) fn print(task: &TaskView, output: &mut Output) -> Result<(), Failure> {
    if task.clocks.is_empty() {
        return Ok(());
    }
    output.heading("Clocks")?;
    let rows: Vec<_> = task.clocks.iter().map(clock_row).collect();
    output.table(&["CLOCK", "BASIS", "TARGET", "COUNTED", "STARTED", "DUE", "STATE"], &rows)?;
    if task.clocks.iter().all(|clock| clock.segments.is_empty() && clock.open.is_none()) {
        return Ok(());
    }
    output.heading("Counted by holder")?;
    let shares = |clock: &ClockView| -> Vec<Vec<String>> {
        let row = |it: &crate::wire::clock_view::ShareView| {
            vec![clock.name.clone(), or_dash(it.holder.as_ref()), minutes(it.counted_ms)]
        };
        clock.shares.iter().map(row).collect()
    };
    output.table(&["CLOCK", "HOLDER", "COUNTED"], &task.clocks.iter().flat_map(shares).collect::<Vec<_>>())?;
    output.heading("Ledger")?;
    let rows: Vec<_> = task.clocks.iter().flat_map(segment_rows).collect();
    output.table(&["CLOCK", "FROM", "UNTIL", "HOLDER", "COUNTED", "PAUSED", "CLOSED BY"], &rows)
}

fn clock_row(clock: &ClockView) -> Vec<String> {
    let state = if let Some(outcome) = &clock.outcome {
        outcome.clone()
    } else if let Some(reason) = &clock.paused {
        format!("stands: {reason}")
    } else if clock.started_at.is_none() {
        "not started".into()
    } else if clock.breached_at.is_some() {
        "breached".into()
    } else if clock.warnings > 0 {
        "warned".into()
    } else {
        "runs".into()
    };
    vec![
        clock.name.clone(),
        clock.basis.clone(),
        format!("{} min", clock.target_minutes),
        minutes(clock.counted_ms),
        or_dash(clock.started_at.as_ref()),
        or_dash(clock.due_at.as_ref()),
        state,
    ]
}

fn segment_rows(clock: &ClockView) -> Vec<Vec<String>> {
    let closed = clock.segments.iter().map(|it| {
        vec![
            clock.name.clone(),
            it.from.clone(),
            it.until.clone(),
            or_dash(it.holder.as_ref()),
            minutes(it.counted_ms),
            or_dash(it.paused.as_ref()),
            it.closed_by.clone(),
        ]
    });
    let open = clock.open.iter().map(|it| {
        let (name, holder) = (clock.name.clone(), or_dash(it.holder.as_ref()));
        vec![name, it.from.clone(), "-".into(), holder, "-".into(), or_dash(it.paused.as_ref()), "-".into()]
    });
    closed.chain(open).collect()
}

/// Time of a basis, exact to the millisecond.
fn minutes(ms: i64) -> String {
    format!("{} min", Minutes(TimeDelta::milliseconds(ms)))
}

fn or_dash(text: Option<&String>) -> String {
    text.cloned().unwrap_or_else(|| "-".into())
}
