//! `costs`: what was worked on the tasks that ended in a span of time, and what it cost.

use chrono::{DateTime, Utc};

use super::daemon::{DaemonArguments, encoded};
use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::http::CostList;

/// Arguments of `costs`.
#[derive(Debug, clap::Args)]
pub(super) struct CostsArguments {
    /// Sum by: client or team
    #[arg(long, value_name = "WORD", default_value = "client", value_parser = ["client", "team"])]
    by: String,
    /// Tasks that ended at this instant or later, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    from: DateTime<Utc>,
    /// And before this one
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    until: DateTime<Utc>,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: &CostsArguments, output: &mut Output) -> Result<(), Failure> {
    let instant = |at: DateTime<Utc>| encoded(&instant::text(at));
    let (from, until) = (instant(arguments.from), instant(arguments.until));
    let path = format!("/api/v1/costs?by={}&from={from}&until={until}", arguments.by);
    let list: CostList = arguments.daemon.daemon()?.get(&path)?;
    if output.is_json() {
        return output.json(&list);
    }
    let rows: Vec<_> = (list.costs.iter())
        .map(|it| {
            let (hours, minutes) = (it.worked_minutes / 60, it.worked_minutes % 60);
            vec![it.of.clone(), it.tasks.to_string(), format!("{hours} h {minutes:02} min"), money(it.cost_cents)]
        })
        .collect();
    output.table(&[&arguments.by.to_uppercase(), "TASKS", "WORKED", "COST"], &rows)
}

/// Cents as an amount of the roster's currency.
pub(super) fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}
