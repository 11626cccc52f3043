//! Talking to a daemon over HTTP.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use ureq::http::Response;
use ureq::{Agent, RequestBuilder};
use ureq::{Body, Error};

use super::failure::Failure;
use super::output::on_one_line;
use super::tls::TlsArguments;
use crate::settings::{self, Secret};

/// Where a daemon listens by default.
const DEFAULT_URL: &str = "http://127.0.0.1:8321";
/// Environment variable with the daemon's address.
const URL_VARIABLE: &str = "HELIOGRAPH_URL";
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer may take; a submission is answered after its commit.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Bytes of an answer at most.
const MAX_ANSWER_BYTES: u64 = 64 * 1024 * 1024;
/// Characters of a foreign answer that are shown.
const MAX_SHOWN_CHARS: usize = 200;
/// Status of a daemon that cannot answer now.
const UNAVAILABLE: u16 = 503;

/// Environment variable with the caller's token.
const TOKEN_VARIABLE: &str = "HELIOGRAPH_TOKEN";

/// Which daemon.
#[derive(Debug, clap::Args)]
pub(super) struct DaemonArguments {
    /// Address of the daemon [default: HELIOGRAPH_URL, else http://127.0.0.1:8321]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    #[command(flatten)]
    caller: CallerArguments,
}

/// By what the daemon knows the caller.
#[derive(Debug, clap::Args)]
pub(super) struct CallerArguments {
    /// File with the token to call with [default: that in HELIOGRAPH_TOKEN, else none]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsArguments,
}

impl CallerArguments {
    /// The token of the file or of the environment.
    fn token(&self) -> Result<Option<Secret>, Failure> {
        let Some(path) = &self.token_file else { return Ok(variable(TOKEN_VARIABLE).map(|token| Secret::new(&token))) };
        let fault = |why: String| Failure::Failed(format!("--token-file {}: {why}", path.display()));
        let secret = settings::read_secret(path).map_err(fault)?;
        Ok(Some(secret))
    }
}

/// A daemon that can be asked.
#[derive(Debug)]
pub(super) struct Daemon {
    agent: Agent,
    url: String,
    token: Option<Secret>,
}

/// An answer of the daemon.
#[derive(Debug)]
pub(super) struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// What is read of a problem document (RFC 9457).
#[derive(Debug, Deserialize)]
pub(super) struct Problem {
    pub title: Option<String>,
    pub detail: Option<String>,
    pub code: Option<String>,
    pub field: Option<String>,
}

impl DaemonArguments {
    /// The daemon that the arguments or the environment name.
    ///
    /// # Errors
    /// An address that is not `http://HOST[:PORT]` or `https://HOST[:PORT]`, a token or certificates that cannot be used.
    pub(super) fn daemon(&self) -> Result<Daemon, Failure> {
        Self::at(self.url.clone(), &self.caller)
    }

    /// The daemon as one who asks only what needs no token: none is sent.
    ///
    /// # Errors
    /// As [`DaemonArguments::daemon`].
    pub(super) fn unknown_to(&self) -> Result<Daemon, Failure> {
        Self::reached(self.url.clone(), None, &self.caller.tls)
    }

    /// The daemon at an address; the default one without.
    ///
    /// # Errors
    /// As [`DaemonArguments::daemon`].
    pub(super) fn at(url: Option<String>, caller: &CallerArguments) -> Result<Daemon, Failure> {
        Self::reached(url, caller.token()?, &caller.tls)
    }

    fn reached(url: Option<String>, token: Option<Secret>, tls: &TlsArguments) -> Result<Daemon, Failure> {
        let url = url.or_else(|| variable(URL_VARIABLE)).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let (scheme, authority) = url.trim_end_matches('/').split_once("://").unwrap_or_default();
        let is_authority = !authority.is_empty()
            && !authority.contains(['/', '?', '#', '@'])
            && !authority.contains(char::is_whitespace);
        if !is_authority || !["http", "https"].contains(&scheme) {
            let message = format!("the address of the daemon {url:?} is not http://HOST:PORT or https://HOST:PORT");
            return Err(Failure::Usage(message));
        }
        let is_plain = scheme == "http";
        if token.is_some() && is_plain && !is_loopback(authority) {
            return Err(Failure::Usage(format!(
                "{url:?} is another machine, and the token would cross the network in clear; use https"
            )));
        }
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            // A daemon is reached directly, whatever proxy the environment names for the web.
            .proxy(None)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_recv_response(Some(ANSWER_WITHIN))
            .timeout_recv_body(Some(ANSWER_WITHIN))
            .user_agent(concat!("heliograph/", env!("CARGO_PKG_VERSION")));
        let agent = if is_plain { agent } else { agent.tls_config(tls.config()?) };
        Ok(Daemon { agent: agent.build().new_agent(), url: format!("{scheme}://{authority}"), token })
    }
}

impl Daemon {
    /// The address, without a slash at its end.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Reads a document.
    ///
    /// # Errors
    /// The daemon does not answer, says no, or answers something else.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.document(self.ask(path)?)
    }

    /// Sends a body and reads the answer.
    ///
    /// # Errors
    /// The daemon does not answer, says no, or answers something else.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &[u8]) -> Result<T, Failure> {
        self.post_as("application/json", path, body)
    }

    /// Sends a body of another type and reads the answer.
    ///
    /// # Errors
    /// The daemon does not answer, says no, or answers something else.
    pub(super) fn post_as<T: DeserializeOwned>(&self, media: &str, path: &str, body: &[u8]) -> Result<T, Failure> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("content-type", media);
        let reply = self.reply(self.signed(request).send(body))?;
        self.document(reply)
    }

    /// Removes what stands at an address and reads the answer.
    ///
    /// # Errors
    /// The daemon does not answer, says no, or answers something else.
    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let reply = self.reply(self.signed(self.agent.delete(format!("{}{path}", self.url))).call())?;
        self.document(reply)
    }

    /// Reads whatever stands at an address.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub(super) fn ask(&self, path: &str) -> Result<Reply, Failure> {
        self.reply(self.signed(self.agent.get(format!("{}{path}", self.url))).call())
    }

    /// A request with the caller's token.
    fn signed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    fn reply(&self, answer: Result<Response<Body>, Error>) -> Result<Reply, Failure> {
        let read = answer.and_then(|mut answer| {
            let status = answer.status().as_u16();
            let body = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string()?;
            Ok(Reply { status, body })
        });
        read.map_err(|error| match error {
            Error::BodyExceedsLimit(limit) => {
                Failure::Failed(format!("{} answers with more than {limit} bytes; ask for less", self.url))
            }
            Error::BadUri(_) | Error::Http(_) => Failure::Usage(format!("{}: {error}", self.url)),
            error => Failure::Unreachable(format!("{} cannot be reached: {error}", self.url)),
        })
    }

    fn document<T: DeserializeOwned>(&self, reply: Reply) -> Result<T, Failure> {
        if !(200..300).contains(&reply.status) {
            return Err(self.refused(&reply));
        }
        serde_json::from_str(&reply.body)
            .map_err(|error| Failure::Failed(format!("{} answers what this version does not read: {error}", self.url)))
    }

    /// What a status other than 2xx means.
    pub(super) fn refused(&self, reply: &Reply) -> Failure {
        let said = match serde_json::from_str::<Problem>(&reply.body) {
            Ok(problem) => problem.to_string(),
            Err(_) => on_one_line(&reply.body.chars().take(MAX_SHOWN_CHARS).collect::<String>()),
        };
        let message = format!("{} answers {}: {said}", self.url, reply.status);
        if reply.status == UNAVAILABLE { Failure::Unreachable(message) } else { Failure::Failed(message) }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{}: ", on_one_line(field))?;
        }
        let said = self.detail.as_deref().or(self.title.as_deref()).unwrap_or("no reason given");
        f.write_str(&on_one_line(said))?;
        self.code.as_ref().map_or(Ok(()), |code| write!(f, " ({})", on_one_line(code)))
    }
}

/// Whether a host with or without a port is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Text as one segment of a path or one value behind the question mark (RFC 3986).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// A variable of the environment that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_is_one_segment_of_a_path() {
        assert_eq!(encoded("acme-llp/req:1@x y"), "acme-llp%2Freq%3A1%40x%20y");
    }
}
