//! `processes` and `process`: work that is done in steps.

use serde::Deserialize;
use serde_json::Value;

use super::daemon::{DaemonArguments, encoded};
use super::failure::Failure;
use super::output::Output;
use super::tasks::{plain, read};
use crate::engine::id::{ClientId, MatterId, TaskId};
use crate::wire::process_view::{ProcessBrief, ProcessView, StepView};

/// Arguments of `processes`.
#[derive(Debug, clap::Args)]
pub(super) struct ProcessesArguments {
    /// Only this client's
    #[arg(long)]
    client: Option<ClientId>,
    /// Only of this matter
    #[arg(long)]
    matter: Option<MatterId>,
    /// Only in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Go on behind an earlier page: its `next`
    #[arg(long)]
    cursor: Option<String>,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    #[command(flatten)]
    daemon: DaemonArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum State {
    Open,
    Completed,
    Cancelled,
}

/// Arguments of `process`.
#[derive(Debug, clap::Args)]
pub(super) struct ProcessArguments {
    /// Process: CLIENT/ID
    process: TaskId,
    #[command(flatten)]
    daemon: DaemonArguments,
}

/// A page of processes.
#[derive(Debug, Deserialize)]
struct Page {
    processes: Vec<ProcessBrief>,
    next: Option<Value>,
}

/// Prints a page of processes, in order of arrival.
pub(super) fn list(arguments: &ProcessesArguments, output: &mut Output) -> Result<(), Failure> {
    let mut path = format!("/api/v1/processes?limit={}", arguments.limit);
    let state =
        arguments.state.and_then(|state| Some(clap::ValueEnum::to_possible_value(&state)?.get_name().to_owned()));
    let asked = [
        ("client", arguments.client.as_ref().map(|id| id.as_str())),
        ("matter", arguments.matter.as_ref().map(|id| id.as_str())),
        ("state", state.as_deref()),
        ("cursor", arguments.cursor.as_deref()),
    ];
    for (name, value) in asked {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let document: Value = arguments.daemon.daemon()?.get(&path)?;
    if output.is_json() {
        return output.json(&document);
    }
    let page: Page = read(document)?;
    let rows: Vec<_> = page.processes.iter().map(row).collect();
    output.table(&["PROCESS", "MATTER", "STATE", "STEPS", "PRIORITY", "DEADLINE", "ADMITTED"], &rows)?;
    match &page.next {
        Some(next) => output.line(format!("\nmore with --cursor {}", plain(next))),
        None => Ok(()),
    }
}

fn row(process: &ProcessBrief) -> Vec<String> {
    vec![
        process.id.clone(),
        process.matter.clone(),
        process.state.clone(),
        format!("{} of {} done", process.progress.completed, process.progress.steps),
        process.priority.clone(),
        process.deadline.clone().unwrap_or_else(|| "-".into()),
        process.admitted_at.clone(),
    ]
}

/// Prints a process: how far it is, and its steps in order; `*` marks those that decide when it is done.
pub(super) fn show(arguments: &ProcessArguments, output: &mut Output) -> Result<(), Failure> {
    let path = format!("/api/v1/processes/{}", encoded(arguments.process.as_str()));
    let document: Value = arguments.daemon.daemon()?.get(&path)?;
    if output.is_json() {
        return output.json(&document);
    }
    let view: ProcessView = read(document)?;
    let ProcessView { process, expected_finish, slack_minutes, .. } = &view;
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    output.field("process", &process.id)?;
    output.field("matter", &process.matter)?;
    output.field("template", &some(&process.process))?;
    output.field("state", &process.state)?;
    output.field("reason", &some(&process.reason))?;
    output.field("priority", &process.priority)?;
    let progress = &process.progress;
    let cancelled = if progress.cancelled > 0 { format!(", {} cancelled", progress.cancelled) } else { String::new() };
    let steps = format!("{} of {} steps done{cancelled}", progress.completed, progress.steps);
    output.field("progress", &format!("{steps}, {} of {} min", progress.completed_minutes, progress.effort_minutes))?;
    let breached = if process.breached { ", breached" } else { "" };
    output.field("deadline", &process.deadline.as_ref().map_or(String::new(), |at| format!("{at}{breached}")))?;
    output.field("expected", &some(expected_finish))?;
    output.field("slack", &slack_minutes.map_or(String::new(), span))?;
    output.field("admitted at", &process.admitted_at)?;
    output.field("ended at", &some(&process.ended_at))?;
    output.heading("Steps")?;
    let rows: Vec<_> = view.steps.iter().map(step_row).collect();
    output.table(&["", "STEP", "STATE", "TEAM", "LEFT", "DUE (DERIVED)", "EXPECTED", "SLACK", "AFTER"], &rows)
}

fn step_row(step: &StepView) -> Vec<String> {
    let or_dash = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".into());
    let state = match &step.waits {
        Some(reason) => format!("{}: {reason}", step.state),
        None => step.state.clone(),
    };
    let left = step.remaining_minutes.map(|left| format!("{left} of {} min", step.effort_minutes));
    vec![
        if step.critical { "*" } else { " " }.into(),
        step.step.clone(),
        state,
        or_dash(step.team.clone()),
        or_dash(left),
        or_dash(step.derived_deadline.clone()),
        or_dash(step.expected_finish.clone().or_else(|| step.ended_at.clone())),
        or_dash(step.slack_minutes.map(span)),
        or_dash(Some(step.after.join(", "))),
    ]
}

/// Minutes as days, hours and minutes: `-1d2h5m`.
fn span(minutes: i64) -> String {
    let sign = if minutes < 0 { "-" } else { "" };
    let left = minutes.unsigned_abs();
    let parts = [(left / 1_440, "d"), (left / 60 % 24, "h"), (left % 60, "m")];
    let text: String =
        parts.iter().filter(|(number, _)| *number > 0).map(|(number, unit)| format!("{number}{unit}")).collect();
    if text.is_empty() { "0m".into() } else { format!("{sign}{text}") }
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn a_slack_is_days_hours_and_minutes_with_its_sign() {
        let spans = [(0, "0m"), (59, "59m"), (1_440, "1d"), (1_565, "1d2h5m"), (-120, "-2h")];
        for (minutes, text) in spans {
            assert_eq!(span(minutes), text);
        }
    }
}
