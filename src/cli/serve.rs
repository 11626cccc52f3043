//! `serve` and `demo`: the daemon.

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::configuration;
use super::failure::Failure;
use super::instant;

/// The fastest clock of a demo: a week in ten minutes and a bit.
const MAX_SPEED: i64 = 1_000;

/// Arguments of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct ServeArguments {
    /// Settings file [default: none, with HELIOGRAPH__SECTION__KEY from the environment]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
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
    Err(Failure::Failed(format!("{} cannot be served by this build", settings.store.path.display())))
}

/// Runs the demo until it is stopped.
pub(super) fn demo(arguments: &DemoArguments) -> Result<(), Failure> {
    Err(Failure::Failed(format!("{} cannot be served by this build", arguments.listen)))
}
