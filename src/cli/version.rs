//! `--version`: the program's version, and that of the zone rules with where they come from.

use serde_json::json;

use super::configuration::ConfigurationArguments;
use super::failure::Failure;
use super::output::Output;
use crate::roster::zones::Zones;

pub(super) fn run(output: &mut Output) -> Result<(), Failure> {
    let source = ConfigurationArguments::default().settings()?.zone_source;
    let zones = Zones::open(source).map_err(|error| Failure::Configuration(error.to_string()))?;
    let (version, tzdata) = (env!("CARGO_PKG_VERSION"), zones.version());
    if output.is_json() {
        return output.json(&json!({ "version": version, "tzdata": tzdata }));
    }
    output.line(format!("heliograph {version}"))?;
    output.line(format!("tzdata {tzdata}"))
}
