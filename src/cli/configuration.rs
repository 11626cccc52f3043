//! Where commands find settings and roster.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use crate::roster::zones::ZoneSource;
use crate::settings::{self, Settings, SettingsFaults};

/// Where settings and roster are.
#[derive(Debug, Default, clap::Args)]
pub(super) struct ConfigurationArguments {
    /// Roster: a TOML file or a folder of them [default: that of the settings]
    #[arg(long, value_name = "PATH")]
    pub roster: Option<PathBuf>,
    /// Settings file [default: none, with HELIOGRAPH__SECTION__KEY from the environment]
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
}

/// What commands that need no daemon take from the settings.
#[derive(Debug)]
pub(super) struct Configuration {
    pub roster: PathBuf,
    pub zone_source: ZoneSource,
}

impl ConfigurationArguments {
    /// Reads the settings; the roster named on the command line comes first.
    pub(super) fn settings(&self) -> Result<Configuration, Failure> {
        let settings = load(self.settings.as_deref()).map_err(|faults| Failure::Configuration(faults.to_string()))?;
        let zone_source = zone_source(&settings);
        Ok(Configuration { roster: self.roster.clone().unwrap_or(settings.roster.path), zone_source })
    }
}

/// The settings of a file and of the environment.
///
/// # Errors
/// Every fault.
pub(super) fn load(file: Option<&Path>) -> Result<Settings, SettingsFaults> {
    // A variable that is no text cannot be a setting.
    let environment =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    settings::load(file, environment)
}

/// The setting of zones in the words of the roster.
pub(super) fn zone_source(settings: &Settings) -> ZoneSource {
    match settings.zones.source {
        settings::ZoneSource::Auto => ZoneSource::Auto,
        settings::ZoneSource::System => ZoneSource::System,
        settings::ZoneSource::Bundled => ZoneSource::Bundled,
    }
}
