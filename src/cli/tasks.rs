//! `tasks` and `task`: what a daemon holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::costs::money;
use super::daemon::{Daemon, DaemonArguments, encoded};
use super::failure::{Failure, warn};
use super::ledger;
use super::output::Output;
use crate::engine::id::{ClientId, TaskId, TeamId};
use crate::roster;
use crate::wire::view::{NeedsView, TaskView};

/// Facts of a history asked for at once.
const HISTORY_PAGE: usize = 500;
/// Facts of a history shown at most; a longer one is for the API.
const MAX_HISTORY: usize = 5_000;

/// Arguments of `tasks`.
#[derive(Debug, clap::Args)]
pub(super) struct TasksArguments {
    /// Only this client's
    #[arg(long)]
    client: Option<ClientId>,
    /// Only those offered to, owned by or completed by this team
    #[arg(long)]
    team: Option<TeamId>,
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
    Waiting,
    Offered,
    Active,
    Completed,
    Cancelled,
}

/// Arguments of `task`.
#[derive(Debug, clap::Args)]
pub(super) struct TaskArguments {
    /// Task: CLIENT/ID, or CLIENT/ID/STEP
    task: TaskId,
    #[command(flatten)]
    daemon: DaemonArguments,
}

/// A page of tasks.
#[derive(Debug, Deserialize)]
struct Page {
    tasks: Vec<TaskView>,
    next: Option<Value>,
}

/// The names of the teams of the roster in force.
#[derive(Debug, Deserialize)]
struct TeamNames {
    teams: Vec<TeamName>,
}

#[derive(Debug, Deserialize)]
struct TeamName {
    id: TeamId,
}

/// A page of a task's facts, as the daemon wrote them.
#[derive(Debug, Deserialize)]
struct History {
    facts: Vec<Value>,
    next: Option<Value>,
}

/// A task and its facts.
#[derive(Serialize)]
struct Story<'a> {
    task: &'a Value,
    history: &'a [Value],
}

/// Prints a page of tasks, in order of arrival.
pub(super) fn list(arguments: &TasksArguments, output: &mut Output) -> Result<(), Failure> {
    let daemon = arguments.daemon.daemon()?;
    let mut path = format!("/api/v1/tasks?limit={}", arguments.limit);
    let state =
        arguments.state.and_then(|state| Some(clap::ValueEnum::to_possible_value(&state)?.get_name().to_owned()));
    let asked = [
        ("client", arguments.client.as_ref().map(|id| id.as_str())),
        ("team", arguments.team.as_ref().map(|id| id.as_str())),
        ("state", state.as_deref()),
        ("cursor", arguments.cursor.as_deref()),
    ];
    for (name, value) in asked {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", encoded(value)));
        }
    }
    let document: Value = daemon.get(&path)?;
    if output.is_json() {
        return output.json(&document);
    }
    let page: Page = read(document)?;
    let rows: Vec<_> = page.tasks.iter().map(row).collect();
    output.table(&["TASK", "STATE", "TEAM", "PRIORITY", "DEADLINE", "SINCE"], &rows)?;
    if let Some(next) = &page.next {
        output.line(format!("\nmore with --cursor {}", plain(next)))?;
    }
    match &arguments.team {
        Some(team) if page.tasks.is_empty() => warn_unless_in_roster(team, &daemon),
        _ => Ok(()),
    }
}

/// A team without tasks may be one that was written wrongly. An earlier roster's team is no fault.
fn warn_unless_in_roster(team: &TeamId, daemon: &Daemon) -> Result<(), Failure> {
    let TeamNames { teams } = daemon.get("/api/v1/teams")?;
    let names: Vec<_> = teams.iter().map(|team| team.id.as_str()).collect();
    if !names.contains(&team.as_str()) {
        let near = roster::nearest(team.as_str(), names);
        let near = near.map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        warn(&format!("the roster in force has no team {:?}{near}", team.as_str()));
    }
    Ok(())
}

/// Prints a task: its state, what it needs, who held it, its clocks with their ledger, and its facts.
pub(super) fn show(arguments: &TaskArguments, output: &mut Output) -> Result<(), Failure> {
    let daemon = arguments.daemon.daemon()?;
    let address = format!("/api/v1/tasks/{}", encoded(arguments.task.as_str()));
    let document: Value = daemon.get(&address)?;
    let mut facts = Vec::new();
    let mut path = format!("{address}/history?limit={HISTORY_PAGE}");
    loop {
        let History { facts: mut page, next } = daemon.get(&path)?;
        facts.append(&mut page);
        match next {
            Some(next) if facts.len() < MAX_HISTORY => {
                path = format!("{address}/history?limit={HISTORY_PAGE}&after={}", encoded(&plain(&next)));
            }
            _ => break,
        }
    }
    if output.is_json() {
        return output.json(&Story { task: &document, history: &facts });
    }
    let task: TaskView = read(document)?;
    print_task(&task, output)?;
    print_needs(&task.needs, output)?;
    print_people(&task, output)?;
    ledger::print(&task, output)?;
    output.heading("History")?;
    let rows: Vec<_> = facts.iter().map(fact_row).collect();
    output.table(&["AT", "EVENT", "TEAM", "DETAIL"], &rows)
}

fn row(task: &TaskView) -> Vec<String> {
    let mut state = task.state.clone();
    if let Some(waiting) = &task.waiting {
        state.push_str(&format!(": {}", waiting.reason));
    }
    let waits_for = task.waiting.as_ref().map_or("", |waiting| &waiting.reason);
    if task.held && waits_for != "held" {
        state.push_str(", held");
    } else if task.paused.is_some() && waits_for != "paused" {
        state.push_str(", paused");
    }
    if let Some(because) = task.owned_while_closed.as_ref().filter(|because| *because != "paused") {
        state.push_str(&format!(", closed: {because}"));
    }
    if let Some(handoff) = &task.handoff {
        state.push_str(&format!(", next {}", handoff.to));
    }
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    vec![
        task.id.clone(),
        state,
        or_dash(&task.team),
        task.priority.clone(),
        or_dash(&task.deadline.clone().or_else(|| derived_due(task))),
        task.since.clone(),
    ]
}

fn print_task(task: &TaskView, output: &mut Output) -> Result<(), Failure> {
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    output.field("task", &task.id)?;
    output.field("matter", &task.matter)?;
    output.field("state", &task.state)?;
    output.field("since", &task.since)?;
    output.field("team", &some(&task.team))?;
    output.field("assignment", &task.assignment.map_or(String::new(), |number| number.to_string()))?;
    output.field("until", &some(&task.until))?;
    if let Some(waiting) = &task.waiting {
        output.field("waits", &waiting.reason)?;
        output.field("wakes at", &some(&waiting.wakes_at))?;
        output.field("woken by", &waiting.woken_by.join(", "))?;
        output.field("waits for", &waiting.waits_for.join(", "))?;
    }
    output.field("while closed", &some(&task.owned_while_closed))?;
    if let Some(handoff) = &task.handoff {
        let until = handoff.until.as_ref().map_or(String::new(), |until| format!(", offered until {until}"));
        output.field("next team", &format!("{} at {}{until}", handoff.to, handoff.offer_at))?;
    }
    output.field("reason", &some(&task.reason))?;
    output.field("paused", &some(&task.paused))?;
    output.field("held", if task.held { "by the client" } else { "" })?;
    output.field("priority", &task.priority)?;
    let remaining = task.remaining_minutes.map_or(String::new(), |left| format!(", {left} left"));
    output.field("effort", &format!("{} min{remaining}", task.effort_minutes))?;
    output.field("deadline", &some(&task.deadline))?;
    output.field("process", &some(&task.process))?;
    output.field("due", &derived_due(task).unwrap_or_default())?;
    output.field("not before", &some(&task.not_before))?;
    output.field("after", &waits_after(task))?;
    output.field("admitted at", &task.admitted_at)
}

/// When a step must be done for its process to be in time.
fn derived_due(task: &TaskView) -> Option<String> {
    task.derived_deadline.as_ref().map(|at| format!("{at} (derived)"))
}

/// What it waits for, and what of that was cancelled.
pub(super) fn waits_after(task: &TaskView) -> String {
    let cancelled = task.after_cancelled.iter().map(|id| format!("{id} (cancelled)"));
    cancelled.chain(task.after.iter().cloned()).collect::<Vec<_>>().join(", ")
}

fn print_needs(needs: &NeedsView, output: &mut Output) -> Result<(), Failure> {
    let some = |text: &Option<String>| text.clone().unwrap_or_default();
    output.heading("Needs")?;
    output.field("work type", &needs.work_type)?;
    output.field("jurisdiction", &some(&needs.jurisdiction))?;
    output.field("specialty", &some(&needs.specialty))?;
    output.field("languages", &needs.languages.join(", "))?;
    let skills: Vec<_> = needs.skills.iter().map(|skill| format!("{} {}", skill.name, skill.level)).collect();
    output.field("skills", &skills.join(", "))?;
    output.field("presence", &needs.presence)?;
    output.field("place", &some(&needs.place))?;
    output.field("only in", &needs.allowed_countries.join(", "))?;
    output.field("not in", &needs.denied_countries.join(", "))?;
    let consent = needs.consent_offshore.map_or("", |offshore| if offshore { "given" } else { "refused" });
    output.field("offshoring", consent)?;
    output.field("preferred", &some(&needs.preferred_team))?;
    output.field("excluded", &needs.excluded_teams.join(", "))
}

/// Who held it, and who turned it down.
fn print_people(task: &TaskView, output: &mut Output) -> Result<(), Failure> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    if !task.holders.is_empty() {
        let is_ended = matches!(task.state.as_str(), "completed" | "cancelled");
        output.heading(if is_ended { "Holders" } else { "Earlier holders" })?;
        let rows: Vec<_> = (task.holders.iter())
            .map(|it| {
                let left = format!("{} min", it.remaining_minutes);
                let late = it.completed_late_at.as_ref().map(|at| format!("completed, too late to count, at {at}"));
                let notes: Vec<_> =
                    [&it.notes, &it.done, &it.next_step, &late].into_iter().flatten().cloned().collect();
                let notes = if notes.is_empty() { "-".into() } else { notes.join("; ") };
                let worked = format!("{} min", it.worked_minutes);
                let cost = money(it.cost_cents);
                vec![it.team.clone(), it.from.clone(), it.until.clone(), worked, cost, left, notes]
            })
            .collect();
        output.table(&["TEAM", "FROM", "UNTIL", "WORKED", "COST", "LEFT", "NOTES"], &rows)?;
    }
    if !task.turn_downs.is_empty() {
        output.heading("Turned down by")?;
        let rows: Vec<_> =
            task.turn_downs.iter().map(|it| vec![it.team.clone(), it.cause.clone(), or_dash(&it.until)]).collect();
        output.table(&["TEAM", "CAUSE", "UNTIL"], &rows)?;
    }
    Ok(())
}

/// Fields of an event that have columns of their own, or are the same for all events of a task.
const COLUMNS: [&str; 6] = ["type", "at", "team", "task", "task_seq", "client"];

fn fact_row(fact: &Value) -> Vec<String> {
    let fields = fact["body"].as_object();
    let own = fields.into_iter().flatten().filter(|(name, value)| {
        !COLUMNS.contains(&name.as_str()) && !value.is_null() && !value.as_array().is_some_and(Vec::is_empty)
    });
    let detail: Vec<_> = own.map(|(name, value)| format!("{name} {}", plain(value))).collect();
    let column = |name: &str| match &fact[name] {
        Value::Null => "-".to_owned(),
        value => plain(value),
    };
    vec![column("at"), column("type"), column("team"), detail.join(", ")]
}

/// A value as text, a string without its quotes.
pub(super) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

pub(super) fn read<T: serde::de::DeserializeOwned>(document: Value) -> Result<T, Failure> {
    serde_json::from_value(document)
        .map_err(|error| Failure::Failed(format!("the daemon answers what this version does not read: {error}")))
}
