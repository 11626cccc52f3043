//! `why` and `why-not`: what a daemon says about a task's place.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::daemon::{Daemon, DaemonArguments, encoded};
use super::explanation;
use super::failure::Failure;
use super::instant;
use super::output::{Output, on_one_line};
use super::tasks;
use crate::engine::explain::{Decision, Obstacle, Verdict};
use crate::engine::handoff::Comparison;
use crate::engine::id::{TaskId, TeamId};
use crate::wire::view::{TaskView, WaitingView};

/// Arguments of `why`.
#[derive(Debug, clap::Args)]
pub(super) struct WhyArguments {
    /// Task: CLIENT/ID
    task: TaskId,
    #[command(flatten)]
    daemon: DaemonArguments,
}

/// Arguments of `why-not`.
#[derive(Debug, clap::Args)]
pub(super) struct WhyNotArguments {
    /// Task: CLIENT/ID
    task: TaskId,
    /// Team of the roster
    team: TeamId,
    #[command(flatten)]
    daemon: DaemonArguments,
}

/// What is read of an explanation.
#[derive(Debug, Deserialize)]
struct Explanation {
    decision: Option<Decision>,
    as_decided: Option<AsDecided>,
    handoff: Option<Handoff>,
    own_wait: Option<WaitingView>,
    has_it: Option<String>,
    verdicts: Option<Vec<Verdict>>,
    #[serde(default)]
    obstacles: Vec<Obstacle>,
}

/// The table of the stored decision.
#[derive(Debug, Deserialize)]
struct AsDecided {
    verdicts: Option<Vec<Verdict>>,
    caveats: Vec<String>,
}

/// The last decision at a shift end.
#[derive(Debug, Deserialize)]
struct Handoff {
    at: String,
    /// The team that it was to go to; the holder when it was kept.
    team: Option<String>,
    /// The event; none when it was purged.
    body: Option<HandoffBody>,
}

#[derive(Debug, Deserialize)]
struct HandoffBody {
    offer_at: Option<String>,
    reason: Option<String>,
    note: Option<String>,
    comparison: Option<Comparison>,
}

/// One team's verdict, with every "no" of it.
#[derive(Debug, Serialize)]
struct Answer {
    #[serde(flatten)]
    verdict: Verdict,
    own_wait: Option<WaitingView>,
    has_it: Option<String>,
    obstacles: Vec<Obstacle>,
}

/// Prints the stored decision with every team's verdict as of then, and every team's verdict as things stand now.
pub(super) fn why(arguments: &WhyArguments, output: &mut Output) -> Result<(), Failure> {
    let document = document(&arguments.daemon.daemon()?, &arguments.task)?;
    if output.is_json() {
        return output.json(&document);
    }
    let explanation = read(document)?;
    match &explanation.decision {
        Some(decision) => explanation::print_decision(decision, output)?,
        None => output.line("nothing has been decided yet")?,
    }
    if let Some(AsDecided { verdicts, caveats }) = &explanation.as_decided {
        output.heading("As it was decided")?;
        verdicts.as_ref().map_or(Ok(()), |verdicts| explanation::print_verdicts(verdicts, output))?;
        caveats.iter().try_for_each(|caveat| output.line(format!("note: {}", on_one_line(caveat))))?;
    }
    if let Some(handoff) = &explanation.handoff {
        print_handoff(handoff, output)?;
    }
    match &explanation.verdicts {
        Some(verdicts) => {
            output.heading("As things stand now")?;
            print_own_wait(&explanation, output)?;
            print_predecessors(&explanation, arguments, output)?;
            explanation::print_verdicts(verdicts, output)
        }
        None => output.line("the task has ended, so no team is asked any more"),
    }
}

/// Whether it was passed on or kept at the last shift end, and the numbers of both sides.
fn print_handoff(handoff: &Handoff, output: &mut Output) -> Result<(), Failure> {
    output.heading("Last decision at a shift end")?;
    output.field("decided at", &handoff.at)?;
    let Some(body) = &handoff.body else { return output.line("the event was purged") };
    let team = handoff.team.as_deref().unwrap_or("-");
    output.field(
        "decision",
        &match (&body.offer_at, &body.reason) {
            (Some(offer_at), _) => format!("pass it to {team}, which is asked at {offer_at}"),
            (None, reason) => format!("{team} keeps it: {}", reason.as_deref().unwrap_or("-")),
        },
    )?;
    if let Some(note) = &body.note {
        output.field("note", &on_one_line(note))?;
    }
    let Some(numbers) = &body.comparison else { return Ok(()) };
    let best = numbers.best_team.as_ref().map_or("none", |team| team.as_str());
    output.field("rule", numbers.rule.as_str())?;
    output.field("due", &instant::or_dash(numbers.due_at))?;
    output.field("if kept", &instant::or_dash(numbers.keep_finish_at))?;
    output.field("best other", best)?;
    output.field("starts", &instant::or_dash(numbers.best_start_at))?;
    output.field("if passed", &instant::or_dash(numbers.best_finish_at))
}

/// Prints one team's verdict with everything in its way; exit 1 when the daemon has no such team or the task has ended.
pub(super) fn why_not(arguments: &WhyNotArguments, output: &mut Output) -> Result<(), Failure> {
    let (task, team) = (&arguments.task, &arguments.team);
    let path = format!("{}?team={}", address(task), encoded(team.as_str()));
    let mut explanation = read(arguments.daemon.daemon()?.get(&path)?)?;
    let Some(mut verdicts) = explanation.verdicts.take() else {
        return Err(Failure::Failed(format!("{task} has ended, so no team is asked any more")));
    };
    let Some(verdict) = verdicts.pop().filter(|verdict| verdict.team() == team) else {
        return Err(Failure::Failed(format!("the daemon says nothing of team {team}")));
    };
    if output.is_json() {
        let Explanation { own_wait, has_it, obstacles, .. } = explanation;
        return output.json(&Answer { verdict, own_wait, has_it, obstacles });
    }
    if let Some(state) = &explanation.has_it {
        return output.line(format!("{team} has {task} already: {state}"));
    }
    print_own_wait(&explanation, output)?;
    match verdict {
        Verdict::Available(candidate) => {
            let if_it_did = if explanation.own_wait.is_some() { "if it did not wait" } else { "now" };
            output.line(format!("{team} could take {task} {if_it_did}"))?;
            output.field("total", &candidate.total.to_string())?;
            output.field("finish", &instant::or_dash(candidate.finish_at))?;
            output.field("due", &instant::or_dash(candidate.due_at))
        }
        Verdict::Rejected { .. } => print_obstacles(task, team, &explanation.obstacles, output),
    }
}

/// What keeps the task from every team.
fn print_own_wait(explanation: &Explanation, output: &mut Output) -> Result<(), Failure> {
    let Some(waiting) = &explanation.own_wait else { return Ok(()) };
    let until = waiting.wakes_at.as_ref().map(|at| format!(" until {at}")).unwrap_or_default();
    output.line(format!("the task waits whatever the teams say: {}{until}", waiting.reason))
}

/// Which tasks must end first, when it waits for such.
fn print_predecessors(explanation: &Explanation, arguments: &WhyArguments, output: &mut Output) -> Result<(), Failure> {
    if !explanation.own_wait.as_ref().is_some_and(|waiting| waiting.reason.starts_with("predecessor")) {
        return Ok(());
    }
    let path = format!("/api/v1/tasks/{}", encoded(arguments.task.as_str()));
    let task: TaskView = tasks::read(arguments.daemon.daemon()?.get(&path)?)?;
    output.line(format!("it comes after {}", tasks::waits_after(&task)))
}

/// Every "no" in the order in which it is asked; all of them must be cleared.
fn print_obstacles(task: &TaskId, team: &TeamId, all: &[Obstacle], output: &mut Output) -> Result<(), Failure> {
    output.line(match all.len() {
        1 => format!("{team} cannot take {task} now"),
        count => format!("{team} cannot take {task} now: {count} rules say no"),
    })?;
    for (position, Obstacle { filter, rejection, cleared_by }) in all.iter().enumerate() {
        if position > 0 {
            output.line("")?;
        }
        output.field("filter", filter.as_str())?;
        output.field("because", &facts(rejection))?;
        output.field("cleared by", cleared_by)?;
    }
    Ok(())
}

fn document(daemon: &Daemon, task: &TaskId) -> Result<Value, Failure> {
    daemon.get(&address(task))
}

fn address(task: &TaskId) -> String {
    format!("/api/v1/tasks/{}/explanation", encoded(task.as_str()))
}

fn read(document: Value) -> Result<Explanation, Failure> {
    serde_json::from_value(document)
        .map_err(|error| Failure::Failed(format!("the daemon answers what this version does not read: {error}")))
}

/// A rejection's word and the facts that it rests on.
fn facts(rejection: &impl Serialize) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::to_value(rejection) else { return String::new() };
    let because = fields.remove("because");
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let facts: Vec<_> = fields.iter().map(|(name, value)| format!("{name} {}", shown(value))).collect();
    let word = because.as_ref().map(shown).unwrap_or_default();
    if facts.is_empty() { word } else { format!("{word}: {}", facts.join(", ")) }
}
