//! `plan`: what a roster would change on a daemon, and bringing it into force.

use std::path::PathBuf;

use super::daemon::{CallerArguments, Daemon, DaemonArguments};
use super::failure::{self, Failure};
use super::output::Output;
use crate::engine::difference::{Change, Difference};
use crate::http::{Consequences, RosterPlan};
use crate::roster::zones::ZoneSource;
use crate::roster::{self, Loaded};
use crate::runtime::clock;

/// Events about tasks that are shown at most.
const MAX_SHOWN: usize = 20;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArguments {
    /// Roster: a TOML file or a folder of them
    #[arg(value_name = "ROSTER")]
    roster: PathBuf,
    /// Address of the daemon [default: HELIOGRAPH_URL, else http://127.0.0.1:8321]
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    #[command(flatten)]
    caller: CallerArguments,
    /// Bring it into force, unless roster or overrides change meanwhile
    #[arg(long)]
    apply: bool,
    /// Bring it into force although it was in force before
    #[arg(long, requires = "apply")]
    force: bool,
}

pub(super) fn run(arguments: &PlanArguments, output: &mut Output) -> Result<(), Failure> {
    let Loaded { text, .. } = roster::load(&arguments.roster, ZoneSource::Auto, clock::wall())
        .map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let daemon = DaemonArguments::at(arguments.against.clone(), &arguments.caller)?;
    let plan: RosterPlan = send(&daemon, "/api/v1/roster/plan", &text)?;
    if arguments.apply {
        return apply(arguments, &daemon, &plan, &text, output);
    }
    show(&plan, output)?;
    if plan.digest == plan.in_force { Ok(()) } else { Err(Failure::Changes) }
}

fn apply(
    arguments: &PlanArguments,
    daemon: &Daemon,
    plan: &RosterPlan,
    text: &str,
    output: &mut Output,
) -> Result<(), Failure> {
    let path = format!("/api/v1/roster/apply?check_index={}&force={}", plan.check_index, arguments.force);
    let done: RosterPlan = send(daemon, &path, text)?;
    if output.is_json() {
        return output.json(&done);
    }
    if !done.applied {
        return output.line(format!("{} is in force already", done.digest));
    }
    show_changes(&done.changes, output)?;
    output.line(format!("{} is in force", done.digest))
}

fn send(daemon: &Daemon, path: &str, text: &str) -> Result<RosterPlan, Failure> {
    daemon.post_as("application/toml", path, text.as_bytes())
}

fn show(plan: &RosterPlan, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json(plan);
    }
    plan.warnings.iter().for_each(|warning| failure::warn(warning));
    if plan.digest == plan.in_force {
        return output.line(format!("no changes: {} is in force", plan.in_force));
    }
    show_changes(&plan.changes, output)?;
    if let Some(refusal) = &plan.refused {
        output.line(format!("it cannot come into force: {}", refusal.detail))?;
        for missing in &refusal.missing {
            output.line(format!("  {} needs {}", missing.task, missing.needs))?;
        }
    }
    match &plan.consequences {
        Some(consequences) => show_consequences(consequences, output),
        None if plan.refused.is_some() => Ok(()),
        None => output.line("too many tasks are open to try what it would bring about"),
    }
}

fn show_changes(changes: &[Difference], output: &mut Output) -> Result<(), Failure> {
    for Difference { entry, id, change, fields } in changes {
        let sign = match change {
            Change::Added => '+',
            Change::Removed => '-',
            Change::Changed => '~',
        };
        output.line(format!("{sign} {entry} {id}"))?;
        for field in fields {
            output.line(format!("    {}: {} -> {}", field.field, field.before, field.after))?;
        }
    }
    if changes.is_empty() { output.line("only comments or the order of entries differ") } else { Ok(()) }
}

/// What a change would bring about at once.
pub(super) fn show_consequences(consequences: &Consequences, output: &mut Output) -> Result<(), Failure> {
    let counts: Vec<_> = consequences.events.iter().map(|(event, count)| format!("{count} {event}")).collect();
    output.line(format!("at once: {}", if counts.is_empty() { "nothing".into() } else { counts.join(", ") }))?;
    for it in consequences.tasks.iter().take(MAX_SHOWN) {
        let team = it.team.as_ref().map(|team| format!(" ({team})")).unwrap_or_default();
        output.line(format!("    {} {}{team}", it.event, it.task))?;
    }
    let more = consequences.tasks.len().saturating_sub(MAX_SHOWN);
    if more > 0 { output.line(format!("    and {more} more")) } else { Ok(()) }
}
