//! `forecast`: what is booked and expected in the hours ahead, against those who are open.

use super::daemon::DaemonArguments;
use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::engine::outlook::{Ahead, Outlook};

/// Arguments of `forecast`.
#[derive(Debug, clap::Args)]
pub(super) struct ForecastArguments {
    /// Also those with nothing booked and nothing expected
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: &ForecastArguments, output: &mut Output) -> Result<(), Failure> {
    let outlook: Outlook = arguments.daemon.daemon()?.get("/api/v1/forecast")?;
    if output.is_json() {
        return output.json(&outlook);
    }
    let (hours, from, weeks) = (outlook.hours, instant::text(outlook.from), outlook.weeks);
    output.line(format!("{hours} hours from {from}; expected is the mean of the same hours of {weeks} weeks"))?;
    let has_work = |it: &&Ahead| arguments.all || it.booked_minutes + it.expected_minutes > 0;
    let rows: Vec<_> = outlook.capabilities.iter().filter(has_work).map(row).collect();
    let head = ["CAPABILITY", "TEAMS", "BOOKED", "EXPECTED", "CAPACITY", "LEFT", "SHORT FROM", "PAST ERROR"];
    output.table(&head, &rows)
}

fn row(it: &Ahead) -> Vec<String> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".into());
    vec![
        it.capability.clone(),
        it.teams.len().to_string(),
        hours(it.booked_minutes),
        hours(it.expected_minutes),
        hours(it.capacity_minutes),
        hours(it.left_minutes),
        or_dash(it.short_from.map(instant::text)),
        or_dash(it.past_error_percent.map(|percent| format!("{percent} %"))),
    ]
}

fn hours(minutes: u64) -> String {
    format!("{} h {:02}", minutes / 60, minutes % 60)
}
