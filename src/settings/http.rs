//! `[http]`: where the API, the metrics and the console are served, and for whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::fields::Fields;

/// The port on loopback where HTTP listens, by default.
pub const DEFAULT_PORT: u16 = 8321;
/// Bytes of a request's body at most, by default.
pub const DEFAULT_MAX_BODY_BYTES: u64 = 8 * 1024 * 1024;
/// The largest limit for a body.
pub const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;
/// Requests a second and caller, by default.
pub const DEFAULT_REQUESTS_PER_SECOND: u64 = 200;

/// Where HTTP listens and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether a proxy in front does TLS and knows its callers.
    pub behind_proxy: bool,
    /// File with the hashed tokens and their roles; without one every caller may do everything.
    pub tokens_file: Option<PathBuf>,
    /// Certificate and key, both PEM.
    pub tls: Option<HttpTls>,
    /// Host names that callers may use, beside loopback and the address itself.
    pub hosts: Vec<String>,
    /// Bytes of a body at most.
    pub max_body_bytes: u64,
    /// Requests a second and caller at most.
    pub requests_per_second: u64,
}

/// Certificate and key of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTls {
    /// Certificate chain, PEM.
    pub certificate_file: PathBuf,
    /// Key, PEM.
    pub key_file: PathBuf,
}

pub(super) fn read(fields: &mut Fields) -> Http {
    let rule = "use an address and a port, such as \"127.0.0.1:8321\"";
    let listen = fields.parsed("listen", rule, |text| text.parse().ok());
    let behind_proxy = fields.boolean("behind_proxy").unwrap_or(false);
    let tokens_file = fields.path("tokens_file");
    let hosts = fields.list("hosts").unwrap_or_default();
    let max_body_bytes = fields.whole("max_body_bytes", 1_024..=MAX_BODY_BYTES);
    let requests_per_second = fields.whole("requests_per_second", 1..=1_000_000);
    let tls = fields.section("tls", read_tls);
    let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)));
    if !listen.ip().is_loopback() && !behind_proxy && (tokens_file.is_none() || tls.is_none()) {
        fields.fault(
            "listen",
            format!(
                "= \"{listen}\" is reached from outside: set http.tokens_file and http.tls, or http.behind_proxy = true, \
                 or listen on 127.0.0.1"
            ),
        );
    }
    Http {
        listen,
        behind_proxy,
        tokens_file,
        tls,
        hosts,
        max_body_bytes: max_body_bytes.unwrap_or(DEFAULT_MAX_BODY_BYTES),
        requests_per_second: requests_per_second.unwrap_or(DEFAULT_REQUESTS_PER_SECOND),
    }
}

fn read_tls(fields: &mut Fields) -> Option<HttpTls> {
    match (fields.path("certificate_file"), fields.path("key_file")) {
        (Some(certificate_file), Some(key_file)) => Some(HttpTls { certificate_file, key_file }),
        (None, None) => None,
        (Some(_), None) => {
            fields.fault("key_file", "is not given: a certificate needs its key");
            None
        }
        (None, Some(_)) => {
            fields.fault("certificate_file", "is not given: a key needs its certificate");
            None
        }
    }
}
