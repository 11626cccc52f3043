//! `route`: where a request would go at an instant, on an otherwise idle roster, and what every team says to it.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::configuration::ConfigurationArguments;
use super::explanation;
use super::failure::{self, Failure};
use super::instant;
use super::output::Output;
use super::submit::read_input;
use crate::engine::scheduler::Preview;
use crate::engine::task::Waiting;
use crate::roster;
use crate::runtime::clock;
use crate::wire::{Rules, request};

/// Arguments of `route`.
#[derive(Debug, clap::Args)]
pub(super) struct RouteArguments {
    /// Work request as JSON, or - for stdin
    #[arg(value_name = "REQUEST.json")]
    request: PathBuf,
    /// The instant at which it arrives, RFC 3339 [default: now]
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    at: Option<DateTime<Utc>>,
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

pub(super) fn run(arguments: &RouteArguments, output: &mut Output) -> Result<(), Failure> {
    let at = arguments.at.unwrap_or_else(clock::wall);
    let configuration = arguments.configuration.settings()?;
    let loaded = roster::load(&configuration.roster, configuration.zone_source, at)
        .map_err(|faults| Failure::Configuration(faults.to_string()))?;
    loaded.warnings.iter().for_each(|warning| failure::warn(&warning.to_string()));
    let body = read_input(&arguments.request)?;
    let refused = |refusal: &dyn std::fmt::Display| Failure::Failed(format!("the request would be refused: {refusal}"));
    let parsed = request::parse(&body, &Rules::default()).map_err(|error| refused(&error))?;
    let preview = Preview::of(&parsed.request, Arc::new(loaded.roster), at).map_err(|refusal| refused(&refusal))?;
    if output.is_json() {
        return output.json(&json!({
            "decision": preview.decision,
            "waiting": preview.waiting.as_ref().map(waiting_json),
            "verdicts": preview.verdicts,
        }));
    }
    match (&preview.decision.winner, &preview.waiting) {
        (Some(team), None) => output.field("offered to", team.as_str())?,
        (_, Some(waiting)) => print_waiting(waiting, output)?,
        (None, None) => {}
    }
    explanation::print_decision(&preview.decision, output)?;
    output.line("")?;
    explanation::print_verdicts(&preview.verdicts, output)
}

fn print_waiting(waiting: &Waiting, output: &mut Output) -> Result<(), Failure> {
    output.field("waits", waiting.reason.as_str())?;
    output.field("wakes at", &waiting.wakes_at.map_or(String::new(), instant::text))
}

fn waiting_json(waiting: &Waiting) -> Value {
    json!({ "reason": waiting.reason.as_str(), "since": waiting.since, "wakes_at": waiting.wakes_at })
}
