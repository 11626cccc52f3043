//! `serve` and `demo`: the daemon, from a command line to its end.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::configuration;
use super::failure::Failure;
use super::instant;
use crate::runtime::clock::{self, Clock};
use crate::runtime::demo;
use crate::runtime::faults;
use crate::runtime::serve::{self, RosterSource, ServeError, ServeOptions};
use crate::settings::{LogFormat, LogLevel, Settings, Store};
use crate::telemetry::logs::{self, Format, LogCounts};

/// The fastest clock of a demo: a week in ten minutes and a bit.
const MAX_SPEED: i64 = 1_000;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArguments {
    /// Settings file [default: none, with HELIOGRAPH__SECTION__KEY from the environment]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// The store is a copy that takes its original's place, for this one start: message ids are new from then on
    #[arg(long)]
    restored: bool,
}

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct DemoArguments {
    /// How many times as fast as real time its clock runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=MAX_SPEED))]
    pub speed: u32,
    /// Where its clock starts, RFC 3339 [default: now]
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    pub at: Option<DateTime<Utc>>,
    /// Folder for its data [default: a new one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8321")]
    pub listen: SocketAddr,
    /// Seed of the simulated firm and teams
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Runs the daemon until it is stopped.
pub(super) fn serve(arguments: &ServeArguments) -> Result<(), Failure> {
    let settings = configuration::load(arguments.settings.as_deref())
        .map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let clock = Clock::of_environment().map_err(Failure::Configuration)?;
    faults::of_environment().map_err(Failure::Configuration)?;
    let logs = start_logs(&settings)?;
    let roster = RosterSource::Path(settings.roster.path.clone());
    on_runtime(async {
        let scheme = if settings.http.tls.is_some() { "https" } else { "http" };
        let options = ServeOptions { settings, roster, restored: arguments.restored, clock, logs };
        match serve::start(options, |address| say_where(scheme, address), stop_signal()).await.map_err(failure)? {
            Some(running) => running.until(stop_signal()).await.map_err(failure),
            None => Ok(()),
        }
    })
}

/// Runs the demo until it is stopped.
pub(super) fn demo(arguments: &DemoArguments) -> Result<(), Failure> {
    if !arguments.listen.ip().is_loopback() {
        let message =
            format!("--listen {} is not a loopback address, and a demo has no tokens; use 127.0.0.1", arguments.listen);
        return Err(Failure::Usage(message));
    }
    let (data, _removed_at_the_end) = data_folder(arguments.data.as_deref())?;
    // A demo is the same wherever it runs: neither a settings file nor the environment changes it.
    let mut settings = crate::settings::load(None, []).map_err(|faults| Failure::Configuration(faults.to_string()))?;
    settings.store = Store::Sqlite { path: data.join("demo.db") };
    settings.http.listen = arguments.listen;
    settings.log.level = LogLevel::Warn;
    let clock = Clock::starting(arguments.at.unwrap_or_else(clock::wall), arguments.speed);
    let logs = start_logs(&settings)?;
    on_runtime(async {
        let options = ServeOptions { settings, roster: RosterSource::Sample, restored: false, clock, logs };
        let started = serve::start(options, |address| say_where("http", address), std::future::pending())
            .await
            .map_err(failure)?;
        let Some(running) = started else { return Ok(()) };
        println!("tasks: http://{0}/api/v1/tasks   events: http://{0}/api/v1/events", running.address);
        println!("why a task is where it is: heliograph why TASK --url http://{}", running.address);
        let stop = CancellationToken::new();
        let mut facts = demo::populate(&running, arguments.seed, &stop);
        let roster = Arc::clone(&running.roster);
        let show = async move {
            while let Some(fact) = facts.recv().await {
                if let Some(line) = demo::line(&fact, &roster) {
                    println!("{line}");
                }
            }
        };
        let ended = running.until(async {
            tokio::select! {
                () = stop_signal() => {}
                () = show => {}
            }
        });
        let ended = ended.await;
        stop.cancel();
        ended.map_err(failure)
    })
}

/// The folder for a demo's data, and what removes it when it is one of its own.
fn data_folder(named: Option<&Path>) -> Result<(PathBuf, Option<Removed>), Failure> {
    let fault = |path: &Path, error: std::io::Error| Failure::Failed(format!("{}: {error}", path.display()));
    if let Some(folder) = named {
        std::fs::create_dir_all(folder).map_err(|error| fault(folder, error))?;
        return Ok((folder.to_owned(), None));
    }
    let folder = std::env::temp_dir().join(format!("heliograph-demo-{}", std::process::id()));
    std::fs::DirBuilder::new().mode(0o700).create(&folder).map_err(|error| fault(&folder, error))?;
    Ok((folder.clone(), Some(Removed(folder))))
}

/// Removes a folder when it goes out of scope.
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // What is left behind in the system's folder for such things is cleared by the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn start_logs(settings: &Settings) -> Result<LogCounts, Failure> {
    let format = match settings.log.format {
        LogFormat::Auto => Format::for_stderr(),
        LogFormat::Text => Format::Text,
        LogFormat::Json => Format::Json,
    };
    let level = match settings.log.level {
        LogLevel::Error => "error",
        LogLevel::Warn => "warn",
        LogLevel::Info => "info",
        LogLevel::Debug => "debug",
        LogLevel::Trace => "trace",
    };
    logs::init(level, format).map_err(|error| Failure::Configuration(error.to_string()))
}

fn on_runtime(run: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::Failed(format!("cannot start threads: {error}")))?.block_on(run)
}

fn failure(error: ServeError) -> Failure {
    if error.is_configuration() {
        Failure::Configuration(error.to_string())
    } else {
        Failure::Failed(error.to_string())
    }
}

/// The first line of stdout; programs wait for it.
fn say_where(scheme: &str, address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {scheme}://{address}")?;
    stdout.flush()
}

/// SIGINT or SIGTERM; a second one ends the process at once.
async fn stop_signal() {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return std::future::pending().await };
    let mut either = async move || tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} };
    either().await;
    tokio::spawn(async move {
        either().await;
        std::process::exit(130);
    });
}
