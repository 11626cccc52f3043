//! `backup`: a copy of the store, whether a daemon runs on it or not.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use serde_json::json;

use super::configuration;
use super::failure::Failure;
use super::output::Output;
use crate::runtime::clock;
use crate::settings::Store;
use crate::store::sqlite::{BackedUp, BackupStep, backup};

/// Between two lines about the progress where nobody watches, in per cent.
const LINE_EVERY_PERCENT: u64 = 25;

/// Arguments of `backup`.
#[derive(Debug, clap::Args)]
pub(super) struct BackupArguments {
    /// Where the copy is to be; nothing may stand there
    path: PathBuf,
    /// Settings file, whose store is copied [default: none, with HELIOGRAPH__SECTION__KEY from the environment]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

pub(super) fn run(arguments: &BackupArguments, output: &mut Output) -> Result<(), Failure> {
    let settings = configuration::load(arguments.settings.as_deref())
        .map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let Store::Sqlite { path: store } = &settings.store else {
        let message = "store.postgres is set: copy that database with pg_dump; `serve --restored` goes on with a copy";
        return Err(Failure::Usage(message.into()));
    };
    let mut progress = Progress::default();
    let done = backup(store, &arguments.path, clock::wall(), &mut |step| progress.show(step));
    progress.end();
    let BackedUp { bytes, facts, head } = done.map_err(|error| Failure::Failed(error.to_string()))?;
    let link: String = head.link.iter().map(|byte| format!("{byte:02x}")).collect();
    let path = arguments.path.display().to_string();
    if output.is_json() {
        return output
            .json(&json!({ "path": path, "bytes": bytes, "facts": facts, "last_fact": head.seq.0, "link": link }));
    }
    output.line(format!(
        "{path}: {bytes} bytes, {facts} facts, checked; the chain ends at fact {} with {link}",
        head.seq.0
    ))
}

/// How far it is, on stderr: one line that changes on a terminal, a few lines elsewhere.
#[derive(Debug, Default)]
struct Progress {
    shown: Option<(&'static str, u64)>,
}

impl Progress {
    fn show(&mut self, step: BackupStep) {
        let (what, done, of) = match step {
            BackupStep::Copying { done, of } => ("copying", done, of),
            BackupStep::Checking { done, of } => ("checking", done, of),
        };
        let percent = (done * 100).checked_div(of).unwrap_or(100).min(100);
        let mut stderr = std::io::stderr();
        // Where stderr is closed nobody watches.
        if stderr.is_terminal() {
            let _ = write!(stderr, "\r{what:<8} {percent:>3} %");
        } else {
            let step = percent - percent % LINE_EVERY_PERCENT;
            if self.shown != Some((what, step)) {
                let _ = writeln!(stderr, "{what} {step} %");
            }
            self.shown = Some((what, step));
        }
    }

    fn end(&self) {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            let _ = writeln!(stderr);
        }
    }
}
