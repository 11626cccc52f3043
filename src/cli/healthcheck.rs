//! `healthcheck`: whether a daemon is ready, check by check; exit 1 when it is not.

use serde_json::Value;

use super::daemon::DaemonArguments;
use super::failure::Failure;
use super::output::Output;

/// Arguments of `healthcheck`.
#[derive(Debug, clap::Args)]
pub(super) struct HealthcheckArguments {
    #[command(flatten)]
    daemon: DaemonArguments,
    /// Ask only whether it lives, whatever its broker and store do
    #[arg(long)]
    live: bool,
}

pub(super) fn run(arguments: &HealthcheckArguments, output: &mut Output) -> Result<(), Failure> {
    let daemon = arguments.daemon.unknown_to()?;
    let path = if arguments.live { "/livez" } else { "/readyz" };
    let reply = daemon.ask(path)?;
    let is_well = (200..300).contains(&reply.status);
    let document: Option<Value> = serde_json::from_str(&reply.body).ok();
    match (&document, output.is_json()) {
        (Some(document), true) => output.json(document)?,
        (None, true) => output.json(&serde_json::json!({ "status": reply.status }))?,
        (document, false) => {
            output.line(format!("{}: {}", daemon.url(), if is_well { "well" } else { "not well" }))?;
            print_checks(document.as_ref(), output)?;
        }
    }
    if is_well { Ok(()) } else { Err(Failure::No) }
}

fn print_checks(document: Option<&Value>, output: &mut Output) -> Result<(), Failure> {
    let checks = document.and_then(|document| document["checks"].as_array());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows: Vec<_> = (checks.into_iter().flatten())
        .map(|check| {
            let state = if check["ok"] == Value::Bool(true) { "ok" } else { "fault" };
            vec![text(&check["name"]), state.to_owned(), text(&check["detail"])]
        })
        .collect();
    if rows.is_empty() { Ok(()) } else { output.table(&["CHECK", "STATE", "DETAIL"], &rows) }
}
