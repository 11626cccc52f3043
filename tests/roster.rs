//! The roster's files: what loads, what is refused and where, and what the sample promises.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use heliograph::roster::zones::ZoneSource;
use heliograph::roster::{self, Faults, Loaded, Source};

#[path = "roster/faults.rs"]
mod faults;
#[path = "roster/files.rs"]
mod files;
#[path = "roster/sample.rs"]
mod sample;
#[path = "roster/schema.rs"]
mod schema;
#[path = "roster/warnings.rs"]
mod warnings;

/// The instant at which the tests load their rosters.
fn anchor() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roster").join(name)
}

/// Parses one file in memory with the zones inside the program.
fn parse(text: &str) -> Result<Loaded, Faults> {
    roster::parse(&[Source::new("roster.toml", text)], ZoneSource::Bundled, anchor())
}

/// The faults of one file in memory, a line each.
fn faults_of(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.0.iter().map(ToString::to_string).collect(),
    }
}
