//! `check`: settings and roster, every fault at once.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::configuration;
use super::failure::{self, Failure};
use super::output::Output;
use crate::http;
use crate::roster::zones::ZoneSource;
use crate::roster::{self, Finding, Loaded};
use crate::runtime::clock;
use crate::settings::{Settings, SettingsFault};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArguments {
    /// Roster: a TOML file or a folder of them [default: that of the settings]
    #[arg(value_name = "ROSTER")]
    roster: Option<PathBuf>,
    /// Settings file [default: none, with HELIOGRAPH__SECTION__KEY from the environment]
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
}

pub(super) fn run(arguments: &CheckArguments, output: &mut Output) -> Result<(), Failure> {
    let (settings, of_settings) = match configuration::load(arguments.settings.as_deref()) {
        Ok(settings) => {
            let of_files = certificates(&settings);
            (Some(settings), of_files)
        }
        Err(faults) => (None, faults.0),
    };
    let path = arguments.roster.clone().or_else(|| settings.as_ref().map(|settings| settings.roster.path.clone()));
    let zone_source = settings.as_ref().map_or(ZoneSource::Auto, configuration::zone_source);
    // Faulty settings do not say which roster is meant.
    let loaded = path.as_ref().map(|path| roster::load(path, zone_source, clock::wall()));
    let (loaded, of_roster) = match loaded {
        Some(Ok(loaded)) => (Some(loaded), Vec::new()),
        Some(Err(faults)) => (None, faults.0),
        None => (None, Vec::new()),
    };
    let warnings = loaded.as_ref().map_or(&[][..], |loaded| &loaded.warnings);
    let is_valid = of_settings.is_empty() && of_roster.is_empty();
    if output.is_json() {
        output.json(&json!({
            "valid": is_valid,
            "faults": of_settings.iter().map(setting_json).chain(of_roster.iter().map(finding_json)).collect::<Vec<_>>(),
            "warnings": warnings.iter().map(finding_json).collect::<Vec<_>>(),
            "roster": loaded.as_ref().map(roster_json),
        }))?;
    } else {
        for fault in &of_settings {
            output.line(fault.to_string())?;
        }
        for fault in &of_roster {
            output.line(fault.to_string())?;
        }
        warnings.iter().for_each(|warning| failure::warn(&warning.to_string()));
        if let (true, Some(loaded), Some(path)) = (is_valid, &loaded, &path) {
            output.line(format!("{}: valid: {}", path.display(), summary(loaded)))?;
        }
    }
    if is_valid { Ok(()) } else { Err(Failure::Faulty) }
}

/// What is wrong with the files of certificates.
fn certificates(settings: &Settings) -> Vec<SettingsFault> {
    let read = settings.http.tls.as_ref().map(http::read_certificates);
    let faults = read.and_then(Result::err).into_iter();
    faults.map(|message| SettingsFault { field: String::new(), message }).collect()
}

fn summary(loaded: &Loaded) -> String {
    let roster = &loaded.roster;
    let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
    format!(
        "{}, {}, {}, {}, {}; digest {}; tzdata {}",
        count(roster.teams.len(), "team"),
        count(roster.clients.len(), "client"),
        count(roster.calendars.len(), "calendar"),
        count(roster.work_types.len(), "work type"),
        count(loaded.warnings.len(), "warning"),
        roster.digest.0,
        roster.tzdata
    )
}

fn roster_json(loaded: &Loaded) -> Value {
    let roster = &loaded.roster;
    json!({
        "digest": roster.digest,
        "tzdata": roster.tzdata,
        "teams": roster.teams.len(),
        "clients": roster.clients.len(),
        "calendars": roster.calendars.len(),
        "work_types": roster.work_types.len(),
    })
}

fn setting_json(fault: &SettingsFault) -> Value {
    json!({ "setting": fault.field, "message": fault.message })
}

fn finding_json(finding: &Finding) -> Value {
    json!({ "file": finding.file, "line": finding.line, "column": finding.column, "message": finding.message })
}
