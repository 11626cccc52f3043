//! `recall` and `offer-to`: what an operator orders, with a look at the effect before it is confirmed.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::daemon::{Daemon, DaemonArguments, encoded};
use super::failure::Failure;
use super::output::Output;
use super::update::fresh_id;
use crate::engine::explain::Obstacle;
use crate::engine::id::{TaskId, TeamId};
use crate::runtime::clock;
use crate::wire::view::TaskView;

/// What both orders have.
#[derive(Debug, clap::Args)]
pub(super) struct OrderArguments {
    /// Task: CLIENT/ID
    task: TaskId,
    /// Why, for the record
    #[arg(long)]
    reason: String,
    /// Who asks for it, for the record [default: the operator of the daemon's machine]
    #[arg(long)]
    by: Option<String>,
    /// Say what it would do, and do nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    daemon: DaemonArguments,
}

/// Arguments of `recall`.
#[derive(Debug, clap::Args)]
pub(super) struct RecallArguments {
    #[command(flatten)]
    order: OrderArguments,
}

/// Arguments of `offer-to`.
#[derive(Debug, clap::Args)]
pub(super) struct OfferToArguments {
    #[command(flatten)]
    order: OrderArguments,
    /// Team of the roster
    #[arg(long)]
    team: TeamId,
    /// Obstacles that are not to be in the way: `turned_down`, `drained`, `open` (its shift ends soon), `seats`
    #[arg(long, value_name = "WORD,...", value_delimiter = ',')]
    set_aside: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Obstacles {
    #[serde(default)]
    obstacles: Vec<Obstacle>,
}

/// Takes a task back from the team that has it; exit 1 when no team has it.
pub(super) fn recall(arguments: &RecallArguments, output: &mut Output) -> Result<(), Failure> {
    let order = &arguments.order;
    let daemon = order.daemon.daemon()?;
    if !order.dry_run {
        return order.send(&daemon, "recall", Map::new(), output);
    }
    let task: TaskView = read(daemon.get(&address(&order.task))?)?;
    let Some(team) = task.team.filter(|_| matches!(task.state.as_str(), "offered" | "active")) else {
        return Err(Failure::Failed(format!("{} is {} and no team has it", order.task, task.state)));
    };
    output.line(format!("{} would be taken from {team}, where it is {}", order.task, task.state))?;
    output.line(format!("{team} would not be asked again until its turn-down ends, and another team is looked for"))
}

/// Has a task offered to a team; exit 1 when something is in the way that is not set aside.
pub(super) fn offer_to(arguments: &OfferToArguments, output: &mut Output) -> Result<(), Failure> {
    let (order, team) = (&arguments.order, &arguments.team);
    let daemon = order.daemon.daemon()?;
    if !order.dry_run {
        let more = [("to", json!(team)), ("set_aside", json!(arguments.set_aside))];
        let more = more.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
        return order.send(&daemon, "offer_to", more, output);
    }
    let path = format!("{}/explanation?team={}", address(&order.task), encoded(team.as_str()));
    let Obstacles { obstacles } = read(daemon.get(&path)?)?;
    let is_set_aside = |obstacle: &Obstacle| arguments.set_aside.iter().any(|it| it == obstacle.filter.as_str());
    let rows: Vec<_> = (obstacles.iter())
        .map(|it| {
            let how = if is_set_aside(it) { "set aside" } else { "in the way" };
            vec![it.filter.as_str().into(), how.into(), it.cleared_by.clone()]
        })
        .collect();
    if !rows.is_empty() {
        output.table(&["RULE", "HOW", "CLEARED BY"], &rows)?;
    }
    match obstacles.iter().filter(|it| !is_set_aside(it)).count() {
        0 => output.line(format!("{} would be offered to {team}", order.task)),
        count => Err(Failure::Failed(format!("{team} cannot have {}: {count} in the way", order.task))),
    }
}

impl OrderArguments {
    fn send(
        &self,
        daemon: &Daemon,
        kind: &str,
        mut body: Map<String, Value>,
        output: &mut Output,
    ) -> Result<(), Failure> {
        body.insert("id".into(), json!(fresh_id(clock::wall())));
        body.insert("task".into(), json!(self.task));
        body.insert("kind".into(), json!(kind));
        body.insert("reason".into(), json!(self.reason));
        body.insert("by".into(), json!(self.by));
        let path = format!("{}/updates", address(&self.task));
        let answer: Value = daemon.post(&path, Value::Object(body).to_string().as_bytes())?;
        if output.is_json() {
            return output.json(&answer);
        }
        let task: TaskView = read(daemon.get(&address(&self.task))?)?;
        let with = task.team.map(|team| format!(" {team}")).unwrap_or_default();
        output.line(format!("{}: {kind} applied; it is {}{with} now", self.task, task.state))
    }
}

fn address(task: &TaskId) -> String {
    format!("/api/v1/tasks/{}", encoded(task.as_str()))
}

fn read<T: serde::de::DeserializeOwned>(document: Value) -> Result<T, Failure> {
    serde_json::from_value(document)
        .map_err(|error| Failure::Failed(format!("the daemon answers what this version does not read: {error}")))
}
