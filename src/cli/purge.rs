//! `purge`: the closed tasks of a matter are emptied of payload and notes before their time.

use super::confirm;
use super::daemon::DaemonArguments;
use super::failure::Failure;
use super::output::Output;
use crate::engine::id::{ClientId, MatterId, TaskId};
use crate::http::{PurgeOutcome, PurgeRequest};

const PATH: &str = "/api/v1/purges";

/// Arguments of `purge`.
#[derive(Debug, clap::Args)]
pub(super) struct PurgeArguments {
    /// The matter
    matter: MatterId,
    /// Whose matter it is
    #[arg(long, value_name = "ID")]
    client: ClientId,
    /// Who asks for it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    author: String,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Say which tasks would be emptied, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Do not ask after showing them
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: PurgeArguments, output: &mut Output) -> Result<(), Failure> {
    let PurgeArguments { matter, client, author, reason, dry_run, yes, daemon } = arguments;
    let daemon = daemon.daemon()?;
    let request = PurgeRequest { client, matter, author: Some(author), reason, dry_run: true };
    if dry_run || !yes {
        let found: PurgeOutcome = daemon.post(PATH, &body(&request)?)?;
        if dry_run && output.is_json() {
            return output.json(&found);
        }
        if !output.is_json() {
            output.line(format!("payload and notes of {} closed tasks would be forgotten for good", found.count))?;
            named(&found.tasks, found.count, output)?;
            left_open(&found, output)?;
        }
        if dry_run {
            return Ok(());
        }
        confirm::ask(yes, output)?;
    }
    let done: PurgeOutcome = daemon.post(PATH, &body(&PurgeRequest { dry_run: false, ..request })?)?;
    if output.is_json() {
        return output.json(&done);
    }
    let how = if done.done { "are emptied" } else { "are being emptied; it goes on by itself" };
    output.line(format!("{} closed tasks {how} (fact {})", done.count, done.fact.unwrap_or_default()))?;
    left_open(&done, output)
}

fn left_open(outcome: &PurgeOutcome, output: &mut Output) -> Result<(), Failure> {
    if outcome.open_count == 0 {
        return Ok(());
    }
    output.line(format!("{} tasks are open and left; purge again once they have ended", outcome.open_count))?;
    named(&outcome.left_open, outcome.open_count, output)
}

fn named(tasks: &[TaskId], count: u64, output: &mut Output) -> Result<(), Failure> {
    for task in tasks {
        output.line(format!("  {task}"))?;
    }
    match count.saturating_sub(tasks.len() as u64) {
        0 => Ok(()),
        more => output.line(format!("  and {more} more")),
    }
}

fn body(request: &PurgeRequest) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(request).map_err(|error| Failure::Failed(format!("the purge is no JSON: {error}")))
}
