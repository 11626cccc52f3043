//! Which broker answers: the first frame of a connection names product and version, before any password is sent.
//!
//! The client library keeps this frame to itself, hence the few lines of protocol here.

use std::fmt;

use futures_util::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use lapin::protocol::connection::parse_start;
use lapin::tcp::AsyncTcpStream;
use lapin::types::{AMQPValue, FieldTable};

use super::Shared;
use super::error::BrokerError;
use super::link::{addresses, encryption};

/// What a client says first.
const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";
/// Frame type, channel, size.
const FRAME_HEADER_BYTES: usize = 7;
/// Class and method of `connection.start`.
const CONNECTION_START: [u8; 4] = [0, 10, 0, 10];
/// The properties of a broker are about 500 bytes; more than this is no broker.
const LONGEST_START_BYTES: usize = 64 * 1024;

/// The product behind an address.
#[derive(Debug)]
pub(super) struct Server {
    product: String,
    version: String,
    /// The first number of the version, 0 when it cannot be read.
    pub(super) major: u32,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.product, self.version)
    }
}

/// Asks the broker who it is.
pub(super) async fn server(shared: &Shared) -> Result<Server, BrokerError> {
    let limit = shared.options.connect_within;
    let unreachable = |reason: String| BrokerError::Unreachable { address: shared.address.to_string(), reason };
    match tokio::time::timeout(limit, start_frame(shared)).await {
        Err(_) => Err(unreachable(format!("no answer within {} ms", limit.as_millis()))),
        Ok(Err(Fault::Broker(error))) => Err(error),
        Ok(Err(Fault::Io(error))) => Err(unreachable(error.to_string())),
        Ok(Ok(frame)) => {
            read_start(&frame).ok_or_else(|| unreachable("what answers is not an AMQP 0-9-1 broker".to_owned()))
        }
    }
}

enum Fault {
    Broker(BrokerError),
    Io(std::io::Error),
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// The payload of the broker's first frame.
async fn start_frame(shared: &Shared) -> Result<Vec<u8>, Fault> {
    let addresses = addresses(shared).await.map_err(Fault::Broker)?;
    let encryption = encryption(shared).map_err(Fault::Broker)?;
    let runtime = lapin::runtime::default_runtime().map_err(std::io::Error::other)?;
    let mut opened = Err(std::io::Error::from(std::io::ErrorKind::AddrNotAvailable));
    for address in addresses {
        opened = AsyncTcpStream::connect(&runtime, address).await;
        if opened.is_ok() {
            break;
        }
    }
    let stream = opened?;
    let Some(encryption) = encryption else { return Ok(say_hello(stream).await?) };
    let stream = encryption.encrypt(stream, shared.address.host()).await?;
    Ok(say_hello(stream).await.map_err(|error| encryption.explained(error))?)
}

/// The payload of what is answered to the protocol header.
async fn say_hello(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> std::io::Result<Vec<u8>> {
    stream.write_all(PROTOCOL_HEADER).await?;
    stream.flush().await?;
    let mut header = [0; FRAME_HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let [_, _, _, size @ ..] = header;
    let size = usize::try_from(u32::from_be_bytes(size)).unwrap_or(usize::MAX);
    let mut payload = vec![0; size.min(LONGEST_START_BYTES)];
    stream.read_exact(&mut payload).await?;
    Ok(payload)
}

fn read_start(payload: &[u8]) -> Option<Server> {
    let start = payload.strip_prefix(&CONNECTION_START)?;
    let (_, start) = parse_start(start).ok()?;
    let product = text(&start.server_properties, "product")?;
    let version = text(&start.server_properties, "version")?;
    let major = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    Some(Server { product, version, major })
}

fn text(properties: &FieldTable, name: &str) -> Option<String> {
    match properties.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_broker_is_not_read_as_one() {
        for answer in [&b"HTTP/1.1 400 Bad Request"[..], b"", b"\0\x0a\0\x0a", b"\0\x0a\0\x0a\0\x09\xff\xff\xff\xff"] {
            assert!(read_start(answer).is_none(), "{answer:?}");
        }
    }
}
