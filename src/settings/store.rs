//! `[store]`: where state is kept.

use std::net::IpAddr;
use std::path::PathBuf;

use super::fields::Fields;
use super::secret::Secret;

/// Seconds that a lease lasts, by default.
pub const DEFAULT_LEASE_SECONDS: u64 = 3;

/// Where state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Store {
    /// In a SQLite file, which one daemon has.
    Sqlite {
        /// The file.
        path: PathBuf,
    },
    /// In a PostgreSQL database, which an active daemon and its standbys share; `store.path` is not used then.
    Postgres(Postgres),
}

/// A PostgreSQL database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Postgres {
    /// `postgresql://`, with user, password and database.
    pub url: Secret,
    /// PEM file of the authorities that may sign the server's certificate; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// Whether passwords may cross the network in clear.
    pub allow_plain_remote: bool,
    /// What the other daemons are told of this one when it leads; the address that it listens on when absent.
    pub name: Option<String>,
    /// How long a lease lasts, 2..=60 seconds.
    pub lease_seconds: u64,
}

pub(super) fn read(fields: &mut Fields) -> Store {
    let url_key = if fields.has("postgres_file") { "postgres_file" } else { "postgres" };
    let path = fields.path("path").unwrap_or_else(|| PathBuf::from("heliograph.db"));
    let url = fields.secret("postgres", "postgres_file");
    let (ca_file, name) = (fields.path("ca_file"), fields.text("name"));
    let allow_plain_remote = fields.boolean("allow_plain_remote").unwrap_or(false);
    let lease_seconds = fields.whole("lease_seconds", 2..=60).unwrap_or(DEFAULT_LEASE_SECONDS);
    let Some(url) = url else { return Store::Sqlite { path } };
    if !is_address(url.reveal()) {
        let rule = "is not of the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE (its value is not shown)";
        fields.fault(url_key, rule);
    }
    if !allow_plain_remote && turns_encryption_off(url.reveal()) {
        let rule =
            "has sslmode=disable and a host off loopback: leave sslmode out, or set store.allow_plain_remote = true";
        fields.fault(url_key, rule);
    }
    Store::Postgres(Postgres { url, ca_file, allow_plain_remote, name, lease_seconds })
}

/// Whether it names a host and a database.
fn is_address(url: &str) -> bool {
    let rest = url.strip_prefix("postgresql://").or_else(|| url.strip_prefix("postgres://"));
    rest.and_then(|rest| rest.split_once('/')).is_some_and(|(host, database)| {
        !host.is_empty() && !database.is_empty() && !database.starts_with('?') && !url.contains(char::is_whitespace)
    })
}

fn turns_encryption_off(url: &str) -> bool {
    let host = url.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let is_loopback = name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    url.contains("sslmode=disable") && !is_loopback
}
