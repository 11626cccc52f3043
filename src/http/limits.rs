//! The limits on what callers can take.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::gate::TokensInForce;
use super::tls::CertificatesInForce;

/// A request's head must be there after this long; an idle connection is closed after it.
pub const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// A request's body must be there this long after its head.
pub const BODY_WITHIN: Duration = Duration::from_secs(10);
/// An answer begins after this long, or is that the daemon was too slow; longer than the longest long poll.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// A caller that takes nothing of an answer for this long is cut off.
pub const STALLED_WITHIN: Duration = Duration::from_secs(30);
/// How often a stream of events without events shows that it lives.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Most requests in one array.
pub const MAX_ARRAY: usize = 1_000;
/// Most tasks, facts or messages in one answer.
pub const MAX_PAGE: usize = 500;
/// Tasks, facts or messages in one answer when the caller does not say.
pub(super) const DEFAULT_PAGE: usize = 100;
/// Longest long poll, in seconds.
pub const MAX_WAIT_SECONDS: u64 = 30;
/// Most bytes of a request's head.
pub(super) const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Connections over the limit that are told so at once; further ones wait to be accepted.
pub(super) const MAX_TURNED_AWAY: usize = 32;
/// Facts that a stream of events reads at once.
pub(super) const EVENTS_BATCH: usize = 200;
/// A stream of events that has caught up reads again after this long at the earliest.
pub(super) const EVENTS_PAUSE: Duration = Duration::from_millis(20);

/// Wrong tokens of one address in a minute; further ones are told to wait.
pub const MAX_WRONG_TOKENS: u64 = 30;
/// Tokens and addresses whose calls are counted at once.
pub(super) const MAX_COUNTED_CALLERS: usize = 4_096;

/// How the server is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the server shows and wants of callers; without it there is no TLS.
    pub certificates: Option<CertificatesInForce>,
    /// Who may call; without it everybody may do everything.
    pub tokens: Option<TokensInForce>,
    /// Requests a second of one token, and of one address for what needs none; unlimited where there are no tokens.
    pub requests_per_second: u64,
    /// Host names that callers may use beside `localhost` and loopback addresses, in lower case, without port.
    pub hosts: Vec<String>,
    /// Most bytes of a body.
    pub max_body_bytes: usize,
    /// Most connections; one more is answered with 503 and closed.
    pub max_connections: usize,
    /// Most requests with a body that are handled at once; times `max_body_bytes`, this bounds the memory for bodies.
    pub max_bodies: usize,
    /// Most long polls that wait at once.
    pub max_long_polls: usize,
    /// Most streams of events at once.
    pub max_event_streams: usize,
    /// [`HEADERS_WITHIN`].
    pub headers_within: Duration,
    /// [`BODY_WITHIN`].
    pub body_within: Duration,
    /// [`HEARTBEAT_EVERY`].
    pub heartbeat_every: Duration,
    /// How long a stop waits for answers that have begun.
    pub stop_within: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            certificates: None,
            tokens: None,
            requests_per_second: 500,
            hosts: Vec::new(),
            max_body_bytes: 8 * 1024 * 1024,
            max_connections: 1_024,
            max_bodies: 32,
            max_long_polls: 700,
            max_event_streams: 64,
            headers_within: HEADERS_WITHIN,
            body_within: BODY_WITHIN,
            heartbeat_every: HEARTBEAT_EVERY,
            stop_within: Duration::from_secs(5),
        }
    }
}

/// Places for what is limited in number.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) bodies: Arc<Semaphore>,
    pub(super) rosters: Arc<Semaphore>,
    pub(super) long_polls: Arc<Semaphore>,
    pub(super) event_streams: Arc<Semaphore>,
}

impl Places {
    pub(super) fn of(options: &Options) -> Self {
        Self {
            bodies: Arc::new(Semaphore::new(options.max_bodies)),
            rosters: Arc::new(Semaphore::new(1)),
            long_polls: Arc::new(Semaphore::new(options.max_long_polls)),
            event_streams: Arc::new(Semaphore::new(options.max_event_streams)),
        }
    }
}
