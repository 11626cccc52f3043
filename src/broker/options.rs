//! What the broker adapter is told: addresses, limits and deadlines.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};

use super::error::BrokerError;
use crate::settings;

/// An AMQP address with its password; its debug output shows nothing.
#[derive(Clone)]
pub struct AmqpUrl(String);

impl AmqpUrl {
    /// Takes `amqp[s]://user:password@host:port/vhost`; it is checked by [`super::Broker::new`].
    #[must_use]
    pub fn new(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AmqpUrl(..)")
    }
}

/// Whether exchanges and queues are made or only looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TopologyMode {
    /// What is missing is made.
    #[default]
    Declare,
    /// Nothing is made. Names, kinds and arguments are compared; bindings cannot be read over AMQP and are not.
    Check,
}

/// Files for `amqps`; they are read at each connection, so that a renewed certificate is taken up.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// PEM certificates of the authorities that are trusted; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// What the daemon shows of itself.
    pub identity: Option<ClientIdentity>,
}

/// A client certificate.
#[derive(Debug, Clone)]
pub struct ClientIdentity {
    /// PEM, the daemon's own certificate first.
    pub certificate_file: PathBuf,
    /// PEM, not encrypted.
    pub key_file: PathBuf,
}

/// Everything the adapter can be told.
#[derive(Debug, Clone)]
pub struct AmqpOptions {
    /// Where the broker is.
    pub url: AmqpUrl,
    /// A file with the address, read at each connection for the user and the password in it.
    pub url_file: Option<PathBuf>,
    /// What the names of exchanges and queues begin with.
    pub prefix: String,
    /// Whether they are made or only checked.
    pub topology: TopologyMode,
    /// How many deliveries of one queue may be unsettled.
    pub prefetch: u16,
    /// A body over this many bytes makes the prefetch of its queue fall to [`AmqpOptions::REDUCED_PREFETCH`] for a while.
    pub message_limit_bytes: usize,
    /// Silence of twice this ends a link; whole seconds.
    pub heartbeat: Duration,
    /// How long opening a connection may take, name resolution and handshakes included.
    pub connect_within: Duration,
    /// How long a single answer of the broker (a declaration, an acknowledgement that leaves) may take.
    pub answer_within: Duration,
    /// How long the confirms of one batch may take; time in which the broker blocks publishers does not count.
    pub confirm_within: Duration,
    /// How many bytes of bodies may be published and not yet confirmed.
    pub in_flight_bytes: usize,
    /// Files for `amqps`.
    pub tls: Tls,
    /// Lets a password travel unencrypted to another machine.
    pub allow_plain_remote: bool,
}

impl AmqpOptions {
    /// The prefetch after a message over the limit.
    pub const REDUCED_PREFETCH: u16 = 16;

    /// The defaults for an address.
    #[must_use]
    pub fn new(url: AmqpUrl) -> Self {
        Self {
            url,
            url_file: None,
            prefix: "heliograph.".to_owned(),
            topology: TopologyMode::Declare,
            prefetch: 1000,
            message_limit_bytes: 1024 * 1024,
            heartbeat: Duration::from_secs(5),
            connect_within: Duration::from_secs(10),
            answer_within: Duration::from_secs(10),
            confirm_within: Duration::from_secs(30),
            in_flight_bytes: 64 * 1024 * 1024,
            tls: Tls::default(),
            allow_plain_remote: false,
        }
    }
}

/// A checked address.
#[derive(Clone)]
pub(super) struct Address {
    uri: AMQPUri,
}

impl Address {
    pub(super) fn parse(options: &AmqpOptions) -> Result<Self, BrokerError> {
        let AmqpUrl(text) = &options.url;
        // The parser's own message can repeat the address, password included.
        let mut uri: AMQPUri = text.parse().map_err(|_| BrokerError::Url)?;
        if let Some(host) = bracketed_host(text) {
            // The parser takes no IPv6 address and would silently mean localhost.
            host.parse::<IpAddr>().map_err(|_| BrokerError::Url)?;
            host.clone_into(&mut uri.authority.host);
        }
        let seconds = options.heartbeat.as_secs().clamp(1, u64::from(u16::MAX));
        uri.query.heartbeat = u16::try_from(seconds).ok();
        let address = Self { uri };
        if !address.is_encrypted() && !address.is_loopback() && !options.allow_plain_remote {
            return Err(BrokerError::PlainRemote { host: address.host().to_owned() });
        }
        Ok(address)
    }

    /// The address with the user and the password as the file of the options has them now. A file that cannot be used
    /// leaves those before: the broker says whether they still let the daemon in.
    pub(super) fn uri(&self, options: &AmqpOptions) -> AMQPUri {
        let mut uri = self.uri.clone();
        let Some(path) = &options.url_file else { return uri };
        let read = settings::read_secret(path).map(|text| text.reveal().parse::<AMQPUri>());
        match read {
            Ok(Ok(now)) => uri.authority.userinfo = now.authority.userinfo,
            // The parser's own message can repeat the address, password included.
            Ok(Err(_)) => {
                tracing::warn!("amqp.url_file holds no address; user and password stay as they were read before")
            }
            Err(reason) => {
                tracing::warn!(reason, "amqp.url_file cannot be used; user and password stay as they were read before");
            }
        }
        uri
    }

    pub(super) fn host(&self) -> &str {
        &self.uri.authority.host
    }

    pub(super) fn port(&self) -> u16 {
        self.uri.authority.port
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.uri.scheme == AMQPScheme::AMQPS
    }

    fn is_loopback(&self) -> bool {
        self.host() == "localhost" || self.host().parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

/// `host:port`, for messages.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host(), self.port())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

fn bracketed_host(url: &str) -> Option<&str> {
    let authority = url.split_once("://")?.1.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    Some(host.strip_prefix('[')?.split_once(']')?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<Address, BrokerError> {
        Address::parse(&AmqpOptions::new(AmqpUrl::new(url.to_owned())))
    }

    #[test]
    fn a_plain_address_of_another_machine_is_refused_unless_allowed() {
        for url in [
            "amqp://u:canary@10.0.0.7:5672/%2f",
            "amqp://u:canary@[2001:db8::1]/%2f",
            "amqp://u:canary@localhost.example/",
        ] {
            let error = parsed(url).expect_err(url);
            assert!(matches!(error, BrokerError::PlainRemote { .. }), "{url}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
            let mut options = AmqpOptions::new(AmqpUrl::new(url.to_owned()));
            options.allow_plain_remote = true;
            Address::parse(&options).expect(url);
        }
        parsed("amqps://u:p@10.0.0.7/%2f").expect("encrypted");
    }

    #[test]
    fn loopback_addresses_may_be_plain() {
        for (url, host) in
            [("amqp://127.0.0.1", "127.0.0.1"), ("amqp://u:p@[::1]:5673/%2f", "::1"), ("amqp://localhost", "localhost")]
        {
            assert_eq!(parsed(url).expect(url).host(), host);
        }
    }

    #[test]
    fn a_faulty_address_is_refused_without_repeating_it() {
        for url in [
            "canary",
            "http://u:canary@localhost",
            "amqp:canary",
            "amqp://u:canary@[::zz]/",
            "amqp://u:canary@localhost:99999",
        ] {
            let error = parsed(url).expect_err(url);
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn debug_output_never_shows_the_password() {
        let options = AmqpOptions::new(AmqpUrl::new("amqp://u:canary@localhost:5672/%2f".to_owned()));
        let address = Address::parse(&options).expect("valid");
        assert!(!format!("{options:?} {address:?} {address}").contains("canary"));
    }
}
