//! What can go wrong with a broker, in words that an operator can act on.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use lapin::ErrorKind;

/// AMQP reply code.
const PRECONDITION_FAILED: u16 = 406;

/// A fault of the broker, of the way to it, or of what was asked of it.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// The address cannot be read. It is not repeated, since it holds a password.
    #[error(
        "amqp.url is not valid; write amqp[s]://user:password@host:port/vhost, with special characters percent-encoded"
    )]
    Url,
    /// A password would travel unencrypted.
    #[error(
        "amqp.url is plain AMQP to {host}, which is not this machine; use amqps, or set amqp.allow_plain_remote = true"
    )]
    PlainRemote {
        /// The host.
        host: String,
    },
    /// A name cannot be used.
    #[error("{field} gives the name `{name}` to a queue or exchange, but {fault}; shorten or change it")]
    Name {
        /// The setting or id that the name comes from.
        field: &'static str,
        /// The whole name.
        name: String,
        /// What is wrong.
        fault: &'static str,
    },
    /// A file for TLS cannot be used.
    #[error("{field} = {}: {reason}", path.display())]
    TlsFile {
        /// The setting.
        field: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// There is nobody to trust.
    #[error(
        "this machine has no certificate authorities ({reason}); name the file of the broker's own in amqp.tls.ca_file"
    )]
    NoAuthorities {
        /// What the system says.
        reason: String,
    },
    /// Nobody answers at the address, or not as a broker should.
    #[error("the broker at {address} cannot be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        address: String,
        /// What was met.
        reason: String,
    },
    /// The broker did not answer in time.
    #[error("{doing} took longer than {} ms", within.as_millis())]
    Timeout {
        /// What was awaited.
        doing: &'static str,
        /// The limit.
        within: Duration,
    },
    /// The link failed, or the broker refused.
    #[error("{doing}: {reason}")]
    Link {
        /// What was tried.
        doing: &'static str,
        /// The broker's or the system's words.
        reason: String,
    },
    /// The broker takes no body of this size; it closes the channel over one.
    #[error("publishing: the broker takes no body over {limit_bytes} bytes; its max_message_size says so")]
    BodyTooLarge {
        /// The most it takes.
        limit_bytes: usize,
    },
    /// Exchanges or queues are not as they must be; every fault is listed.
    #[error("{}", list(.0))]
    Topology(Vec<TopologyFault>),
}

/// One exchange, queue or binding that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyFault {
    /// Which, such as ``queue `heliograph.requests` ``.
    pub object: String,
    /// What differs.
    pub fault: String,
    /// What to do.
    pub remedy: String,
}

impl fmt::Display for TopologyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.object, self.fault, self.remedy)
    }
}

fn list(faults: &[TopologyFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Awaits an answer of the broker for so long and no longer.
pub(super) async fn within<T>(
    limit: Duration,
    doing: &'static str,
    answer: impl Future<Output = lapin::Result<T>>,
) -> Result<T, BrokerError> {
    match tokio::time::timeout(limit, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(BrokerError::Link { doing, reason: error.to_string() }),
        Err(_) => Err(BrokerError::Timeout { doing, within: limit }),
    }
}

/// The limit that the broker names when it closes a channel over a body that is larger.
pub(super) fn body_limit(error: &lapin::Error) -> Option<usize> {
    let (code, text) = reply(error)?;
    if code == PRECONDITION_FAILED { named_limit(&text) } else { None }
}

/// RabbitMQ says "message size 5000 is larger than configured max size 4096".
fn named_limit(text: &str) -> Option<usize> {
    let (_, after) = text.split_once("message size ")?;
    let (_, limit) = after.split_once("max size ")?;
    limit.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// The AMQP reply code and text of an error, when the broker gave one.
pub(super) fn reply(error: &lapin::Error) -> Option<(u16, String)> {
    match error.kind() {
        ErrorKind::ProtocolError(error) => Some((error.get_id(), error.get_message().to_string())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_a_body_is_read_from_the_brokers_words() {
        let said = "PRECONDITION_FAILED - message size 5000 is larger than configured max size 4096";
        assert_eq!(named_limit(said), Some(4096));
        assert_eq!(named_limit("message size 5000 is larger than max size 536870912, so"), Some(536_870_912));
        for other in ["PRECONDITION_FAILED - unknown delivery tag 7", "message size 5000 is larger than max size x", ""]
        {
            assert_eq!(named_limit(other), None, "{other}");
        }
    }
}
