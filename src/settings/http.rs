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
    /// Certificates; without them there is no TLS.
    pub tls: Option<HttpTls>,
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

/// Files of certificates, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpTls {
    /// The server's certificate, and those between it and its authority.
    pub certificate_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// Authorities of callers' certificates; with it a caller must show one.
    pub client_ca_file: Option<PathBuf>,
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
    // What is given and faulty is told of by its own fault.
    let (has_tokens, has_tls) = (fields.has("tokens_file"), fields.has("tls"));
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
    let tls = fields.section("tls", read_tls);
    if !listen.ip().is_loopback() && !behind_proxy {
        let lacking = match (tokens.is_some() || has_tokens, tls.is_some() || has_tls) {
            (true, true) => None,
            (true, false) => Some("http.tls.certificate_file and http.tls.key_file"),
            (false, true) => Some("http.tokens_file"),
            (false, false) => Some("http.tokens_file, http.tls.certificate_file and http.tls.key_file"),
        };
        if let Some(lacking) = lacking {
            let rule = "or http.behind_proxy = true where a proxy in front does TLS, or listen on 127.0.0.1";
            fields.fault("listen", format!("= \"{listen}\" is reached from outside: set {lacking}, {rule}"));
        }
    }
    Http {
        listen,
        tls,
        behind_proxy,
        tokens,
        requests_per_second: requests_per_second.unwrap_or(DEFAULT_REQUESTS_PER_SECOND),
        hosts,
        max_body_bytes: max_body_bytes.unwrap_or(DEFAULT_MAX_BODY_BYTES),
    }
}

fn read_tls(fields: &mut Fields) -> Option<HttpTls> {
    let (certificate, key) = (fields.path("certificate_file"), fields.path("key_file"));
    let client_ca_file = fields.path("client_ca_file");
    let missing = match (&certificate, &key) {
        (Some(_), Some(_)) => None,
        (None, Some(_)) => Some(("certificate_file", "is not given: a key needs its certificate")),
        (Some(_), None) => Some(("key_file", "is not given: a certificate needs its key")),
        (None, None) if client_ca_file.is_some() => {
            Some(("certificate_file", "is not given: callers are asked for certificates over TLS only"))
        }
        (None, None) => None,
    };
    if let Some((field, why)) = missing {
        fields.fault(field, why);
    }
    Some(HttpTls { certificate_file: certificate?, key_file: key?, client_ca_file })
}
