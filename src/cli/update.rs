//! `update`: what a team, a firm or an operator says about a task.
//!
//! The update is checked here as the daemon will check it, so that a slip of the pen is a usage error and never sent.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use super::daemon::{DaemonArguments, encoded};
use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::engine::id::{ClientId, RequestId, TaskId, TeamId};
use crate::engine::update::Sender;
use crate::runtime::clock;
use crate::wire::Rules;
use crate::wire::update::{self, LOCAL_OPERATOR, SenderHint};

/// Arguments of `update`.
#[derive(Debug, clap::Args)]
pub(super) struct UpdateArguments {
    /// Task: CLIENT/ID
    task: TaskId,
    /// What is said, such as accept, decline, progress, pause, complete, cancel, hold or amend
    kind: String,
    /// The team that says it
    #[arg(long, requires = "assignment", group = "sender")]
    team: Option<TeamId>,
    /// The client that says it
    #[arg(long, group = "sender")]
    client: Option<ClientId>,
    /// Say it as the operator of the daemon's machine, the default
    #[arg(long, group = "sender")]
    operator: bool,
    /// The offer or ownership that a team speaks of
    #[arg(long, value_name = "N")]
    assignment: Option<u32>,
    /// Id of the update, unique per sender; the same id again changes nothing [default: from the time]
    #[arg(long)]
    id: Option<RequestId>,
    /// Why: for decline, pause, keep, release and cancel, and for all that an operator says
    #[arg(long)]
    reason: Option<String>,
    /// Who has it said, for the record, when an operator says it [default: the operator of the daemon's machine]
    #[arg(long, conflicts_with_all = ["team", "client"])]
    by: Option<String>,
    /// Free text, for decline, progress and complete
    #[arg(long)]
    note: Option<String>,
    /// Effort left, for progress and handoff
    #[arg(long, value_name = "N")]
    remaining_minutes: Option<u32>,
    /// What the next holder must know, for handoff
    #[arg(long)]
    notes: Option<String>,
    /// What is done, for handoff
    #[arg(long)]
    done: Option<String>,
    /// What comes next, for handoff
    #[arg(long)]
    next_step: Option<String>,
    /// The new priority, for reprioritise
    #[arg(long)]
    priority: Option<String>,
    /// The new deadline, RFC 3339, for amend
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    deadline: Option<DateTime<Utc>>,
    /// The new earliest start, RFC 3339, for amend
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    not_before: Option<DateTime<Utc>>,
    /// The new effort, for amend
    #[arg(long, value_name = "N")]
    effort_minutes: Option<u32>,
    /// The new allowed countries, for amend
    #[arg(long, value_name = "PLACE,...", value_delimiter = ',')]
    allowed_countries: Option<Vec<String>>,
    /// The new denied countries, for amend
    #[arg(long, value_name = "PLACE,...", value_delimiter = ',')]
    denied_countries: Option<Vec<String>>,
    /// The new excluded teams, for amend
    #[arg(long, value_name = "TEAM,...", value_delimiter = ',')]
    excluded_teams: Option<Vec<String>>,
    /// The record of a consent to offshoring, for amend
    #[arg(long, value_name = "REFERENCE")]
    consent: Option<String>,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: &UpdateArguments, output: &mut Output) -> Result<(), Failure> {
    let daemon = arguments.daemon.daemon()?;
    let body = arguments.body(clock::wall()).to_string();
    update::parse(body.as_bytes(), &arguments.sender(), &Rules::default())
        .map_err(|refused| Failure::Usage(format!("the update is not valid: {refused}")))?;
    let path = format!("/api/v1/tasks/{}/updates", encoded(arguments.task.as_str()));
    let answer: Value = daemon.post(&path, body.as_bytes())?;
    if output.is_json() {
        return output.json(&answer);
    }
    output.line(format!("{}: {} applied", arguments.task, arguments.kind))
}

impl UpdateArguments {
    /// Who sends it, as the daemon will see it.
    fn sender(&self) -> SenderHint {
        let by_name = self.team.is_some() || self.client.is_some();
        if by_name { SenderHint::InBody } else { SenderHint::Known(Sender::Operator(LOCAL_OPERATOR.into())) }
    }

    /// The update as JSON: what was given, under the names of the contract.
    fn body(&self, now: DateTime<Utc>) -> Value {
        let id = self.id.as_ref().map_or_else(|| fresh_id(now), ToString::to_string);
        let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let fields = [
            ("id", json!(id)),
            ("task", json!(self.task)),
            ("kind", json!(self.kind)),
            ("team", json!(self.team)),
            ("client", json!(self.client)),
            ("assignment", json!(self.assignment)),
            ("reason", json!(self.reason)),
            ("by", json!(self.by)),
            ("note", json!(self.note)),
            ("remaining_minutes", json!(self.remaining_minutes)),
            ("notes", json!(self.notes)),
            ("done", json!(self.done)),
            ("next_step", json!(self.next_step)),
            ("priority", json!(self.priority)),
            ("deadline", json!(self.deadline.map(at))),
            ("not_before", json!(self.not_before.map(at))),
            ("effort_minutes", json!(self.effort_minutes)),
            ("allowed_countries", json!(self.allowed_countries)),
            ("denied_countries", json!(self.denied_countries)),
            ("excluded_teams", json!(self.excluded_teams)),
            ("consent", self.consent.as_ref().map_or(Value::Null, |it| json!({ "offshore": true, "reference": it }))),
        ];
        let given = fields.into_iter().filter(|(_, value)| !value.is_null());
        Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
    }
}

/// An id of an update that no other has: made of the time and of this process.
pub(super) fn fresh_id(now: DateTime<Utc>) -> String {
    format!("cli-{}-{}", now.format("%Y%m%dT%H%M%S%3f"), std::process::id())
}
