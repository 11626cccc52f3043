//! `why` and `why-not`: what a daemon says about a task's place.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::daemon::{Daemon, DaemonArguments, encoded};
use super::explanation;
use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::engine::explain::{Decision, Verdict};
use crate::engine::id::{TaskId, TeamId};

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
    verdicts: Option<Vec<Verdict>>,
}

/// Prints the stored decision and every team's verdict as things stand now.
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
    match &explanation.verdicts {
        Some(verdicts) => {
            output.heading("As things stand now")?;
            explanation::print_verdicts(verdicts, output)
        }
        None => output.line("the task has ended, so no team is asked any more"),
    }
}

/// Prints one team's verdict; exit 1 when the daemon has none of that team.
pub(super) fn why_not(arguments: &WhyNotArguments, output: &mut Output) -> Result<(), Failure> {
    let explanation = read(document(&arguments.daemon.daemon()?, &arguments.task)?)?;
    let (task, team) = (&arguments.task, &arguments.team);
    let Some(verdicts) = explanation.verdicts else {
        return Err(Failure::Failed(format!("{task} has ended, so no team is asked any more")));
    };
    let Some(verdict) = verdicts.into_iter().find(|verdict| team_of(verdict) == team) else {
        return Err(Failure::Failed(format!("the roster in force has no team {team}")));
    };
    if output.is_json() {
        return output.json(&verdict);
    }
    match verdict {
        Verdict::Available(candidate) => {
            output.line(format!("{team} could take {task} now"))?;
            output.field("total", &candidate.total.to_string())?;
            output.field("finish", &instant::or_dash(candidate.finish_at))?;
            output.field("due", &instant::or_dash(candidate.due_at))
        }
        Verdict::Rejected { filter, rejection, cleared_by, .. } => {
            output.line(format!("{team} cannot take {task} now"))?;
            output.field("filter", filter.as_str())?;
            output.field("because", &facts(&rejection))?;
            output.field("cleared by", &cleared_by)
        }
    }
}

fn document(daemon: &Daemon, task: &TaskId) -> Result<Value, Failure> {
    daemon.get(&format!("/api/v1/tasks/{}/explanation", encoded(task.as_str())))
}

fn read(document: Value) -> Result<Explanation, Failure> {
    serde_json::from_value(document)
        .map_err(|error| Failure::Failed(format!("the daemon answers what this version does not read: {error}")))
}

fn team_of(verdict: &Verdict) -> &TeamId {
    match verdict {
        Verdict::Available(candidate) => &candidate.team,
        Verdict::Rejected { team, .. } => team,
    }
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
