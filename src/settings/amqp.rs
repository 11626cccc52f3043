//! `[amqp]`: the connection to RabbitMQ.

use std::net::IpAddr;
use std::path::PathBuf;

use super::fields::Fields;
use super::secret::Secret;

/// Bytes of a message at most, by default: the contract's 1 MiB.
pub const DEFAULT_MAX_MESSAGE_BYTES: u64 = 1024 * 1024;
/// The largest limit for a message: what the broker's deploy files allow.
pub const MAX_MESSAGE_BYTES: u64 = 2 * 1024 * 1024;
/// Deliveries in flight, by default.
pub const DEFAULT_PREFETCH: u16 = 1_000;
/// Seconds between heartbeats, by default.
pub const DEFAULT_HEARTBEAT_SECONDS: u16 = 5;

/// The connection to RabbitMQ and what is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amqp {
    /// `amqp://` or `amqps://`, with user and password.
    pub url: Secret,
    /// The file that it was read from, where a password may change.
    pub url_file: Option<PathBuf>,
    /// First part of the names of exchanges and queues.
    pub prefix: Prefix,
    /// Whether exchanges and queues are made or only checked.
    pub topology: Topology,
    /// Deliveries in flight, 1..=65535.
    pub prefetch: u16,
    /// Whether a message needs the broker's validated user.
    pub require_user_id: bool,
    /// Seconds between heartbeats, 1..=300.
    pub heartbeat_seconds: u16,
    /// Certificates, for `amqps`.
    pub tls: AmqpTls,
    /// Bytes of a message at most.
    pub max_message_bytes: u64,
}

/// Certificates of the connection.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AmqpTls {
    /// PEM file of the authorities that may sign the broker's certificate; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// The client's certificate, PEM.
    pub certificate_file: Option<PathBuf>,
    /// The client's key, PEM.
    pub key_file: Option<PathBuf>,
}

/// What the daemon does about exchanges and queues at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Topology {
    /// Declares them.
    #[default]
    Declare,
    /// Checks that they are there.
    Check,
}

/// First part of the names of exchanges and queues: 1 to 63 of a-z 0-9 . _ and -, starting with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix(Box<str>);

impl Prefix {
    /// Checks the grammar.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
        let fits = text.len() <= 63 && text.starts_with(|first: char| first.is_ascii_lowercase());
        (fits && text.bytes().all(is_inner)).then(|| Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `None` when neither `url` nor `url_file` is given: the daemon then runs without a broker.
pub(super) fn read(fields: &mut Fields) -> Option<Amqp> {
    let url_key = if fields.has("url_file") { "url_file" } else { "url" };
    let url_file = fields.file_named("url_file");
    let url = fields.secret("url", "url_file");
    let prefix_rule = "use 1 to 63 of a-z 0-9 . _ and -, starting with a letter";
    let prefix = fields.parsed("prefix", prefix_rule, Prefix::new).unwrap_or_else(|| Prefix("heliograph".into()));
    let topologies = [("declare", Topology::Declare), ("check", Topology::Check)];
    let topology = fields.choice("topology", &topologies).unwrap_or_default();
    let prefetch = narrow(fields.whole("prefetch", 1..=u64::from(u16::MAX)), DEFAULT_PREFETCH);
    let require_user_id = fields.boolean("require_user_id").unwrap_or(true);
    let heartbeat_seconds = narrow(fields.whole("heartbeat_seconds", 1..=300), DEFAULT_HEARTBEAT_SECONDS);
    let allow_plain_remote = fields.boolean("allow_plain_remote").unwrap_or(false);
    let max_message_bytes = fields.whole("max_message_bytes", 1_024..=MAX_MESSAGE_BYTES);
    let tls = fields.section("tls", read_tls);
    let url = url?;
    match Address::of(url.reveal()) {
        None => {
            let rule =
                "is not of the form amqp://USER:PASSWORD@HOST:PORT/VHOST or amqps://... (its value is not shown)";
            fields.fault(url_key, rule);
            return None;
        }
        Some(address) if !address.is_encrypted && !address.is_loopback() && !allow_plain_remote => {
            let host = address.host;
            fields.fault(
                url_key,
                format!("sends passwords to {host:?} in clear: use amqps://, or set amqp.allow_plain_remote = true"),
            );
            return None;
        }
        Some(address) if !address.is_encrypted && tls != AmqpTls::default() => {
            fields.fault(url_key, "does not use the certificates of amqp.tls: use amqps://, or leave them out");
        }
        Some(_) => {}
    }
    Some(Amqp {
        url,
        url_file,
        prefix,
        topology,
        prefetch,
        require_user_id,
        heartbeat_seconds,
        tls,
        max_message_bytes: max_message_bytes.unwrap_or(DEFAULT_MAX_MESSAGE_BYTES),
    })
}

fn read_tls(fields: &mut Fields) -> AmqpTls {
    let tls = AmqpTls {
        ca_file: fields.path("ca_file"),
        certificate_file: fields.path("certificate_file"),
        key_file: fields.path("key_file"),
    };
    match (&tls.certificate_file, &tls.key_file) {
        (None, Some(_)) => fields.fault("certificate_file", "is not given: a key needs its certificate"),
        (Some(_), None) => fields.fault("key_file", "is not given: a certificate needs its key"),
        (None, None) | (Some(_), Some(_)) => {}
    }
    tls
}

/// The parts of the broker's address that decide what is safe.
struct Address<'a> {
    is_encrypted: bool,
    host: &'a str,
}

impl<'a> Address<'a> {
    fn of(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let is_encrypted = match scheme {
            "amqp" => false,
            "amqps" => true,
            _ => return None,
        };
        let authority = rest.split(['/', '?', '#']).next()?;
        let host_and_port = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let (host, port) = match host_and_port.strip_prefix('[') {
            Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
            None => match host_and_port.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (host_and_port, None),
            },
        };
        let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
        let is_host = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@');
        (is_host && port.is_none_or(is_port)).then_some(Self { is_encrypted, host })
    }

    fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

fn narrow(number: Option<u64>, default: u16) -> u16 {
    number.and_then(|number| u16::try_from(number).ok()).unwrap_or(default)
}
