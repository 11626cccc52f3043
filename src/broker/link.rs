//! One connection to the broker, from the socket up, and the pause before the next one.
//!
//! A link is never repaired. When it is dropped its socket is shut, so that neither a broker that went silent nor one that
//! blocks publishers can keep anything of it alive.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_rs::{Runtime, Tokio};
use futures_util::StreamExt;
use lapin::tcp::AsyncTcpStream;
use lapin::{Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::Shared;
use super::error::{BrokerError, within};
use super::guard::{self, Guarded};
use super::options::AmqpOptions;
use super::pulse::{self, Heard};
use super::tls::Encryption;

/// How long saying good-bye may take; after that the socket is shut all the same.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How a link is, for metrics and readiness.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkStatus {
    /// Connected and set up.
    pub up: bool,
    /// Why the broker blocks publishers, while it does.
    pub blocked: Option<String>,
    /// How many links were lost or could not be opened since the start.
    pub failures: u64,
    /// What ended the last one.
    pub last_error: Option<String>,
}

/// An open connection.
pub(super) struct Link {
    connection: Connection,
    socket: Breaker,
    heard: Heard,
    watcher: Option<JoinHandle<()>>,
}

impl Link {
    pub(super) async fn open(shared: &Shared, name: &str) -> Result<Self, BrokerError> {
        let limit = shared.options.connect_within;
        let socket = Breaker::default();
        let heard = Heard::default();
        let opened = tokio::time::timeout(limit, connect(shared, name, socket.clone(), heard.clone())).await;
        let connection = match opened {
            Ok(connection) => connection?,
            Err(_) => return Err(BrokerError::Timeout { doing: "connecting to the broker", within: limit }),
        };
        Ok(Self { connection, socket, heard, watcher: None })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Ends when the broker does not hear the daemon any more, or the link fails.
    pub(super) async fn missed(&self, options: &AmqpOptions) -> BrokerError {
        pulse::missed(&self.connection, &self.heard, options.heartbeat, options.answer_within).await
    }

    /// Keeps `status` up to date for as long as this link lives.
    pub(super) fn report_to(&mut self, status: watch::Sender<LinkStatus>) {
        let mut events = Box::pin(self.connection.events_listener());
        status.send_modify(|status| {
            status.up = true;
            status.blocked = None;
        });
        self.watcher = Some(tokio::spawn(async move {
            while let Some(event) = events.next().await {
                status.send_modify(|status| match event {
                    Event::ConnectionBlocked(reason) => status.blocked = Some(reason),
                    Event::ConnectionUnblocked => status.blocked = None,
                    Event::Error(error) => {
                        status.up = false;
                        status.last_error = Some(error.to_string());
                    }
                    _ => {}
                });
            }
        }));
    }

    /// Ends the connection in good order.
    pub(super) async fn close(self) {
        // A link that cannot say good-bye in time is cut by its drop.
        let _ = within(CLOSE_WITHIN, "closing", self.connection.close(200, "bye".into())).await;
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
        self.socket.cut();
    }
}

/// Marks a link as lost.
pub(super) fn report_lost(status: &watch::Sender<LinkStatus>, error: &BrokerError) {
    status.send_modify(|status| {
        status.up = false;
        status.blocked = None;
        status.failures += 1;
        status.last_error = Some(error.to_string());
    });
}

/// Where the broker's name leads now.
pub(super) async fn addresses(shared: &Shared) -> Result<Vec<SocketAddr>, BrokerError> {
    let unreachable = |reason: String| BrokerError::Unreachable { address: shared.address.to_string(), reason };
    let found = tokio::net::lookup_host((shared.address.host(), shared.address.port()))
        .await
        .map_err(|error| unreachable(error.to_string()))?
        .collect::<Vec<_>>();
    if found.is_empty() { Err(unreachable("the name has no address".to_owned())) } else { Ok(found) }
}

/// What the address asks for: `None` for `amqp`.
pub(super) fn encryption(shared: &Shared) -> Result<Option<Arc<Encryption>>, BrokerError> {
    if !shared.address.is_encrypted() {
        return Ok(None);
    }
    Ok(Some(Arc::new(Encryption::read(&shared.options.tls)?)))
}

async fn connect(shared: &Shared, name: &str, socket: Breaker, heard: Heard) -> Result<Connection, BrokerError> {
    let addresses = addresses(shared).await?;
    let encryption = encryption(shared)?;
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tokio = Runtime::new(Tokio::current());
    // A timed-out attempt is given up from outside; its socket must not outlive it.
    let guard = CutOnDrop(Some(socket.clone()));
    let opened = Connection::connector(
        shared.address.uri(&shared.options),
        guard::runtime(),
        async move |uri, _| {
            let mut failed = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
            for address in &addresses {
                let plain = match AsyncTcpStream::connect(&tokio, *address).await {
                    Ok(plain) => plain,
                    Err(error) => {
                        failed = error;
                        continue;
                    }
                };
                if let AsyncTcpStream::Plain(stream) = &plain {
                    stream.get_ref().set_nodelay(true)?;
                    socket.hold(TcpStream::from(stream.get_ref().as_fd().try_clone_to_owned()?));
                }
                let stream = match &encryption {
                    None => plain,
                    Some(encryption) => encryption.encrypt(plain, &uri.authority.host).await?,
                };
                return Ok(AsyncTcpStream::Plain(Guarded::new(stream, heard.clone())));
            }
            Err(failed.into())
        },
        properties,
    )
    .await
    .map_err(|error| BrokerError::Unreachable { address: shared.address.to_string(), reason: error.to_string() })?;
    guard.keep();
    Ok(opened)
}

/// A second handle of a link's socket, to shut it whatever its owner is doing.
#[derive(Debug, Clone, Default)]
struct Breaker(Arc<Mutex<Contact>>);

#[derive(Debug, Default)]
enum Contact {
    #[default]
    Open,
    Closed(TcpStream),
    Cut,
}

impl Breaker {
    fn hold(&self, socket: TcpStream) {
        let mut contact = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *contact {
            Contact::Cut => shut(&socket),
            Contact::Open | Contact::Closed(_) => *contact = Contact::Closed(socket),
        }
    }

    fn cut(&self) {
        let mut contact = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Contact::Closed(socket) = &*contact {
            shut(socket);
        }
        *contact = Contact::Cut;
    }
}

fn shut(socket: &TcpStream) {
    // A socket that is shut already says so; there is nothing left to do then.
    let _ = socket.shutdown(Shutdown::Both);
}

struct CutOnDrop(Option<Breaker>);

impl CutOnDrop {
    fn keep(mut self) {
        self.0 = None;
    }
}

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            socket.cut();
        }
    }
}

/// How long to wait before the next link: twice as long each time, and never the same for two daemons.
#[derive(Debug)]
pub(super) struct Backoff {
    failures_in_a_row: u32,
    random: u64,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(10);
    /// A link that lived this long without being of use yet makes the next pause the first again all the same.
    pub(super) const PROVEN_AFTER: Duration = Duration::from_secs(10);

    /// `salt` sets two links of one process apart.
    pub(super) fn new(salt: u64) -> Self {
        let seed = (u64::from(std::process::id()) << 8) ^ salt;
        Self { failures_in_a_row: 0, random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }

    pub(super) fn reset(&mut self) {
        self.failures_in_a_row = 0;
    }

    /// Between half of the pause and all of it.
    pub(super) fn next(&mut self) -> Duration {
        let pause = Self::FIRST.saturating_mul(1 << self.failures_in_a_row.min(10)).min(Self::LONGEST);
        self.failures_in_a_row += 1;
        // xorshift64: jitter needs spread, not secrecy.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let part = u32::try_from(self.random % 1000).unwrap_or(0);
        pause / 2 + pause / 2 * part / 1000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit_and_differ_between_links() {
        let mut one = Backoff::new(1);
        let mut other = Backoff::new(2);
        let pauses = (0..20).map(|_| one.next()).collect::<Vec<_>>();
        assert_ne!(pauses, (0..20).map(|_| other.next()).collect::<Vec<_>>());
        for (n, pause) in pauses.iter().enumerate() {
            let full = Backoff::FIRST.saturating_mul(1 << n.min(10)).min(Backoff::LONGEST);
            assert!(*pause >= full / 2 && *pause <= full, "pause {n} is {pause:?} of {full:?}");
        }
        one.reset();
        assert!(one.next() <= Backoff::FIRST);
    }
}
