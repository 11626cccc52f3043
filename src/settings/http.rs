//! `[http]`: where the API, the metrics and the console are served, and for whom.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::fields::Fields;
use super::tokens::{self, Tokens};

/// The port on loopback where HTTP listens, by default.
pub const DEFAULT_PORT: u16 = 8321;
/// Bytes of a request's body at most, by default.
pub const DEFAULT_MAX_BODY_BYTES: u64 = 8 * 1024 * 1024;
/// The largest limit for a body.
pub const MAX_BODY_BYTES: u64 = 64 * 1024 * 1024;
/// Requests a second of one token at most, by default.
pub const DEFAULT_REQUESTS_PER_SECOND: u64 = 500;

/// Where HTTP listens, whom it knows and what it takes. Without tokens whoever reaches it may do everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether a proxy in front does TLS.
    pub behind_proxy: bool,
    /// Who may call; without it everybody who reaches the address.
    pub tokens: Option<TokensFile>,
    /// Requests a second of one token, and of one address for what needs none.
    pub requests_per_second: u64,
    /// Host names that callers may use, beside `localhost` and loopback addresses.
    pub hosts: Vec<String>,
    /// Bytes of a body at most.
    pub max_body_bytes: u64,
}

/// A file of tokens and what it held when the settings were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokensFile {
    /// The file.
    pub path: PathBuf,
    /// Its tokens.
    pub tokens: Tokens,
}

pub(super) fn read(fields: &mut Fields) -> Http {
    let rule = "use an address and a port, such as \"127.0.0.1:8321\"";
    let listen = fields.parsed("listen", rule, |text| text.parse().ok());
    let behind_proxy = fields.boolean("behind_proxy").unwrap_or(false);
    let tokens = fields.path("tokens_file").and_then(|path| match tokens::read(&path) {
        Ok(tokens) => Some(TokensFile { path, tokens }),
        Err(faults) => {
            faults.iter().for_each(|fault| fields.fault("tokens_file", fault));
            None
        }
    });
    let requests_per_second = fields.whole("requests_per_second", 1..=1_000_000);
    let hosts = fields.list("hosts").unwrap_or_default();
    let max_body_bytes = fields.whole("max_body_bytes", 1_024..=MAX_BODY_BYTES);
    let listen = listen.unwrap_or(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)));
    if !listen.ip().is_loopback() && !behind_proxy {
        let rule = "is reached from outside: put a proxy in front that does TLS and checks its callers and set \
                    http.behind_proxy = true, or listen on 127.0.0.1";
        fields.fault("listen", format!("= \"{listen}\" {rule}"));
    }
    Http {
        listen,
        behind_proxy,
        tokens,
        requests_per_second: requests_per_second.unwrap_or(DEFAULT_REQUESTS_PER_SECOND),
        hosts,
        max_body_bytes: max_body_bytes.unwrap_or(DEFAULT_MAX_BODY_BYTES),
    }
}
