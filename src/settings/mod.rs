//! The service's own settings: where it listens, stores and logs.
//!
//! Defaults, then a TOML file, then the environment (`HELIOGRAPH__SECTION__KEY`), the later one wins. All faults are found
//! at once; a key that nobody knows is one. Pure but for the files that it is asked to read.

mod amqp;
mod audit;
mod fields;
mod http;
mod keeping;
mod secret;
mod store;
pub mod tokens;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, Environment, FileFormat, Map, Source as _, Value};
use toml::de::DeTable;

use self::fields::Fields;

pub use amqp::{Amqp, AmqpTls, MAX_MESSAGE_BYTES, Prefix, Topology};
pub use audit::{Audit, DEFAULT_ANCHOR_EVERY};
pub use fields::{SettingsFault, read_secret};
pub use http::{DEFAULT_PORT, Http, HttpTls, MAX_BODY_BYTES, TokensFile};
pub use keeping::Keeping;
pub use secret::Secret;
pub use store::{DEFAULT_LEASE_SECONDS, Postgres, Store};

/// Bytes of a settings file at most.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Open tasks at most, by default; more are refused until some end.
pub const DEFAULT_MAX_OPEN_TASKS: u64 = 1_000_000;
/// Requests decided and committed together at most, by default.
pub const DEFAULT_BATCH: u64 = 512;
/// Bytes published and not yet confirmed at most, by default.
pub const DEFAULT_PUBLISH_IN_FLIGHT_BYTES: u64 = 64 * 1024 * 1024;

/// Starts the names of environment variables that are settings.
const ENVIRONMENT_PREFIX: &str = "HELIOGRAPH";

/// Everything that can be set, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `[store]`.
    pub store: Store,
    /// `[amqp]`; `None` runs without a broker.
    pub amqp: Option<Amqp>,
    /// `[http]`.
    pub http: Http,
    /// `[roster]`.
    pub roster: Roster,
    /// `[zones]`.
    pub zones: Zones,
    /// `[log]`.
    pub log: Log,
    /// `[limits]`.
    pub limits: Limits,
    /// `[keeping]`.
    pub keeping: Keeping,
    /// `[audit]`.
    pub audit: Audit,
}

/// Where the roster is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// A TOML file or a folder of them.
    pub path: PathBuf,
}

/// Which zone database is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zones {
    /// Its source.
    pub source: ZoneSource,
}

/// A zone database to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ZoneSource {
    /// The newer of the two.
    #[default]
    Auto,
    /// The system's zoneinfo.
    System,
    /// The copy inside the program.
    Bundled,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Their form.
    pub format: LogFormat,
    /// The least level that is written.
    pub level: LogLevel,
}

/// The form of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// A level of logs, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// The service cannot do its work.
    Error,
    /// Somebody would be woken.
    Warn,
    /// Decisions that someone may ask about.
    #[default]
    Info,
    /// What led to them.
    Debug,
    /// Everything.
    Trace,
}

/// Limits on what is held at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Open tasks.
    pub max_open_tasks: u64,
    /// Requests decided and committed together.
    pub batch: usize,
    /// Bytes published and not yet confirmed.
    pub publish_in_flight_bytes: u64,
}

/// Every fault of the settings: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsFaults(pub Vec<SettingsFault>);

impl fmt::Display for SettingsFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if i > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsFaults {}

/// Reads the settings: defaults, then `file`, then those of `environment` that start with `HELIOGRAPH__`.
///
/// # Errors
/// Every fault: a file that cannot be read, an unknown key, a value outside its limits, an unsafe combination. Secrets are
/// in none of their texts.
pub fn load(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, SettingsFaults> {
    let values = collect(file, environment).map_err(|fault| SettingsFaults(vec![fault]))?;
    let mut faults = Vec::new();
    let mut fields = Fields::new(values, &mut faults);
    let settings = read(&mut fields);
    fields.finish();
    faults.sort();
    if faults.is_empty() { Ok(settings) } else { Err(SettingsFaults(faults)) }
}

fn read(fields: &mut Fields) -> Settings {
    Settings {
        store: fields.section("store", store::read),
        amqp: fields.section("amqp", amqp::read),
        http: fields.section("http", http::read),
        roster: fields.section("roster", |roster| Roster {
            path: roster.path("path").unwrap_or_else(|| PathBuf::from("config/roster.toml")),
        }),
        zones: fields.section("zones", |zones| {
            let sources =
                [("auto", ZoneSource::Auto), ("system", ZoneSource::System), ("bundled", ZoneSource::Bundled)];
            Zones { source: zones.choice("source", &sources).unwrap_or_default() }
        }),
        log: fields.section("log", read_log),
        limits: fields.section("limits", read_limits),
        keeping: fields.section("keeping", keeping::read),
        audit: fields.section("audit", audit::read),
    }
}

fn read_log(fields: &mut Fields) -> Log {
    let formats = [("auto", LogFormat::Auto), ("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("info", LogLevel::Info),
        ("debug", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ];
    Log {
        format: fields.choice("format", &formats).unwrap_or_default(),
        level: fields.choice("level", &levels).unwrap_or_default(),
    }
}

fn read_limits(fields: &mut Fields) -> Limits {
    let batch = fields.whole("batch", 1..=10_000).unwrap_or(DEFAULT_BATCH);
    let in_flight = fields.whole("publish_in_flight_bytes", amqp::MAX_MESSAGE_BYTES..=1024 * 1024 * 1024);
    Limits {
        max_open_tasks: fields.whole("max_open_tasks", 1..=10_000_000).unwrap_or(DEFAULT_MAX_OPEN_TASKS),
        batch: usize::try_from(batch).unwrap_or(usize::MAX),
        publish_in_flight_bytes: in_flight.unwrap_or(DEFAULT_PUBLISH_IN_FLIGHT_BYTES),
    }
}

/// The file and the environment as one tree of values.
fn collect(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Map<String, Value>, SettingsFault> {
    let mut builder = Config::builder();
    if let Some(path) = file {
        builder = builder.add_source(config::File::from_str(&read_file(path)?, FileFormat::Toml));
    }
    let environment = Environment::with_prefix(ENVIRONMENT_PREFIX)
        .prefix_separator("__")
        .separator("__")
        .source(Some(environment.into_iter().collect()));
    let collected = builder.add_source(environment).build().and_then(|config| config.collect());
    collected.map_err(|_| {
        let message =
            "the environment has a HELIOGRAPH__ name that is no path of settings: use HELIOGRAPH__SECTION__KEY";
        SettingsFault { field: String::new(), message: message.to_owned() }
    })
}

/// The text of the settings file. A syntax error is told by its place alone: the line may hold a password.
fn read_file(path: &Path) -> Result<String, SettingsFault> {
    let shown = path.display();
    let fault = |message: String| SettingsFault { field: String::new(), message };
    let unreadable = |error: std::io::Error| fault(format!("{shown}: cannot be read: {error}"));
    let bytes = fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(fault(format!("{shown}: has {bytes} bytes, the limit is {MAX_FILE_BYTES}")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    if let Err(error) = DeTable::parse(&text) {
        let before = &text[..error.span().map_or(0, |span| span.start)];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        return Err(fault(format!("{shown}:{line}:{column}: {}", error.message())));
    }
    Ok(text)
}
