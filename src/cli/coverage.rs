//! `coverage`: when anybody is open for each capability in the days ahead, and where that is thin.

use super::daemon::DaemonArguments;
use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::engine::coverage::{Coverage, Covered};
use crate::engine::id::TeamId;

/// Arguments of `coverage`.
#[derive(Debug, clap::Args)]
pub(super) struct CoverageArguments {
    /// How many days ahead, 1 to 92
    #[arg(long, value_name = "N", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=92))]
    days: u32,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: &CoverageArguments, output: &mut Output) -> Result<(), Failure> {
    let coverage: Coverage = arguments.daemon.daemon()?.get(&format!("/api/v1/coverage?days={}", arguments.days))?;
    if output.is_json() {
        return output.json(&coverage);
    }
    output.line("UTC days, one letter an hour: # open, + for a part of it, . closed")?;
    for covered in &coverage.capabilities {
        show(covered, output)?;
    }
    output.heading("Holidays of several teams")?;
    for it in &coverage.holiday_collisions {
        output.line(format!("{} {}", it.date, named(&it.teams)))?;
    }
    output.heading("Changes of the clock")?;
    for it in &coverage.clock_shifts {
        let at = instant::text(it.at);
        output.line(format!("{at} {} by {} minutes: {}", it.zone, it.minutes, named(&it.teams)))?;
    }
    Ok(())
}

fn show(covered: &Covered, output: &mut Output) -> Result<(), Failure> {
    output.heading(&covered.capability)?;
    match &covered.only {
        Some(team) => output.line(format!("single point of failure: {team} alone"))?,
        None => output.line(named(&covered.teams))?,
    }
    for day in &covered.days {
        output.line(format!("{} {} {:>4} min", day.date, day.hours, day.open_minutes))?;
    }
    for gap in &covered.gaps {
        output.line(format!("gap {} to {}", instant::text(gap.from), instant::text(gap.until)))?;
    }
    Ok(())
}

fn named(teams: &[TeamId]) -> String {
    teams.iter().map(TeamId::as_str).collect::<Vec<_>>().join(", ")
}
