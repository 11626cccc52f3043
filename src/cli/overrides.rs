//! `override` and `drain`: teams closed, opened, drained or sized for a time.
//!
//! What an override brings about at once is shown before it is confirmed.

use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;

use super::confirm;
use super::daemon::{Daemon, DaemonArguments, encoded};
use super::failure::Failure;
use super::instant;
use super::output::Output;
use super::plan::show_consequences;
use crate::engine::id::TeamId;
use crate::engine::overrides::{Override, OverrideKind};
use crate::http::{OverrideList, OverrideOutcome, OverrideRequest};

const PATH: &str = "/api/v1/overrides";

/// Arguments of `override`.
#[derive(Debug, clap::Args)]
pub(super) struct OverrideArguments {
    #[command(subcommand)]
    command: OverrideCommand,
}

#[derive(Debug, clap::Subcommand)]
enum OverrideCommand {
    /// Close, open or drain a team, or set its seats, for a time
    Add(AddArguments),
    /// List the overrides that stand or are to come
    List {
        #[command(flatten)]
        daemon: DaemonArguments,
    },
    /// End an override before its time
    Remove(RemoveArguments),
}

/// What is set on a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// It is closed, whatever its calendar says
    Close,
    /// It is open, whatever its calendar says
    Open,
    /// It has so many seats
    Seats,
    /// It takes nothing new and hands off at its shift end
    Drain,
}

#[derive(Debug, clap::Args)]
struct AddArguments {
    /// The team
    team: TeamId,
    /// What is set
    #[arg(value_enum)]
    kind: Kind,
    /// How many seats, for seats
    #[arg(long, value_name = "N", required_if_eq("kind", "seats"))]
    seats: Option<u32>,
    #[command(flatten)]
    terms: Terms,
}

/// Arguments of `drain`.
#[derive(Debug, clap::Args)]
pub(super) struct DrainArguments {
    /// The team
    team: TeamId,
    #[command(flatten)]
    terms: Terms,
}

#[derive(Debug, clap::Args)]
struct Terms {
    /// From when on, RFC 3339 [default: now]
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    from: Option<DateTime<Utc>>,
    /// When it ends by itself, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    until: DateTime<Utc>,
    #[command(flatten)]
    by: By,
}

#[derive(Debug, clap::Args)]
struct RemoveArguments {
    /// Its number
    id: u64,
    #[command(flatten)]
    by: By,
}

/// Who does it, why, and where.
#[derive(Debug, clap::Args)]
struct By {
    /// Who does it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    author: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask after showing what it brings about
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: OverrideArguments, output: &mut Output) -> Result<(), Failure> {
    match arguments.command {
        OverrideCommand::Add(AddArguments { team, kind, seats, terms }) => add(team, kind, seats, terms, output),
        OverrideCommand::List { daemon } => list(&daemon.daemon()?, output),
        OverrideCommand::Remove(arguments) => remove(&arguments, output),
    }
}

pub(super) fn drain(arguments: DrainArguments, output: &mut Output) -> Result<(), Failure> {
    add(arguments.team, Kind::Drain, None, arguments.terms, output)
}

fn add(team: TeamId, kind: Kind, seats: Option<u32>, terms: Terms, output: &mut Output) -> Result<(), Failure> {
    let Terms { from, until, by } = terms;
    let daemon = by.daemon.daemon()?;
    let word = kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let request = OverrideRequest {
        team,
        kind: word,
        seats,
        from,
        until,
        author: Some(by.author),
        reason: by.reason,
        preview: true,
    };
    let tried: OverrideOutcome = daemon.post(PATH, &body(&request)?)?;
    confirm(&tried, by.yes, output)?;
    let done: OverrideOutcome = daemon.post(PATH, &body(&OverrideRequest { preview: false, ..request })?)?;
    told(&done, "is set", output)
}

fn remove(arguments: &RemoveArguments, output: &mut Output) -> Result<(), Failure> {
    let RemoveArguments { id, by } = arguments;
    let daemon = by.daemon.daemon()?;
    let path = format!("{PATH}/{id}?author={}&reason={}", encoded(&by.author), encoded(&by.reason));
    let tried: OverrideOutcome = daemon.delete(&format!("{path}&preview=true"))?;
    confirm(&tried, by.yes, output)?;
    told(&daemon.delete(&path)?, "is removed", output)
}

fn body(request: &OverrideRequest) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(request).map_err(|error| Failure::Failed(format!("the override is no JSON: {error}")))
}

/// Shows what would happen, and asks unless that was answered before.
fn confirm(tried: &OverrideOutcome, yes: bool, output: &mut Output) -> Result<(), Failure> {
    if !output.is_json() {
        match &tried.consequences {
            Some(consequences) => show_consequences(consequences, output)?,
            None => output.line("too many tasks are open to try what it would bring about")?,
        }
    }
    confirm::ask(yes, output)
}

fn told(done: &OverrideOutcome, what: &str, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(done);
    }
    output.line(format!("override {} {what}", done.id.unwrap_or_default()))
}

fn list(daemon: &Daemon, output: &mut Output) -> Result<(), Failure> {
    let list: OverrideList = daemon.get(PATH)?;
    if output.is_json() {
        return output.json(&list);
    }
    let rows: Vec<_> = list.overrides.iter().map(row).collect();
    output.table(&["ID", "TEAM", "WHAT", "FROM", "UNTIL", "AUTHOR", "REASON"], &rows)
}

fn row(it: &Override) -> Vec<String> {
    let what = match it.kind {
        OverrideKind::Seats { seats } => format!("seats {seats}"),
        OverrideKind::Close | OverrideKind::Open | OverrideKind::Drain => it.kind.as_str().into(),
    };
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let (author, reason) = (it.author.clone(), it.reason.clone());
    vec![it.id.to_string(), it.team.to_string(), what, at(it.from), at(it.until), author, reason]
}
