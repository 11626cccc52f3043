//! What is published and what becomes of it.

use std::sync::Arc;

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString, ShortStringError};

/// Delivery mode of a message that the broker keeps on disk.
const PERSISTENT: u8 = 2;
/// Room in a header frame for everything but the headers and the five short strings.
const FRAME_OVERHEAD_BYTES: usize = 256;
/// Name length, type and value length of one header.
const HEADER_OVERHEAD_BYTES: usize = 6;

/// Where the daemon publishes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exchange {
    /// Messages to teams; the routing key is the team's id.
    Work,
    /// Every fact.
    Events,
    /// Messages that were not taken; the routing key is [`super::Names::rejected`].
    Rejected,
    /// Receipts.
    Replies,
}

/// One message; it is published persistent. Properties of foreign messages have no place in it.
#[derive(Debug, Clone)]
pub struct Publication {
    /// Where to.
    pub exchange: Exchange,
    /// At most 255 bytes, as all texts here but the headers' values.
    pub routing_key: String,
    /// Whether the broker returns it when no queue takes it.
    pub mandatory: bool,
    /// Stable over repeats; with exchange and routing key it names the message in its batch.
    pub message_id: String,
    /// The type of the fact.
    pub message_type: String,
    /// The task.
    pub correlation_id: Option<String>,
    /// Seconds since 1970-01-01 UTC.
    pub timestamp: u64,
    /// MIME type of the body.
    pub content_type: String,
    /// Headers, as texts.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Arc<[u8]>,
}

/// What became of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The broker has it, in every queue that takes it.
    Confirmed,
    /// It was mandatory and no queue took it.
    Returned {
        /// AMQP reply code, 312 for a message without a route.
        reply_code: u16,
        /// The broker's words.
        reply_text: String,
    },
    /// The broker could not take it; another try may succeed.
    Nacked,
    /// It breaks a limit of the protocol or of the broker and was not sent; no other try can succeed while the limit
    /// stands.
    Unsendable {
        /// Which part of it.
        field: &'static str,
        /// Its size.
        bytes: usize,
        /// The most it may be.
        limit_bytes: usize,
    },
}

impl Publication {
    /// Routing key and properties on the wire.
    pub(super) fn wire(
        &self,
        frame_limit_bytes: usize,
        body_limit_bytes: usize,
    ) -> Result<(ShortString, BasicProperties), Outcome> {
        if self.body.len() > body_limit_bytes {
            return Err(Outcome::Unsendable { field: "body", bytes: self.body.len(), limit_bytes: body_limit_bytes });
        }
        let short = |field, text: &str| {
            let fault = |_: ShortStringError| Outcome::Unsendable { field, bytes: text.len(), limit_bytes: 255 };
            ShortString::try_new(text).map_err(fault)
        };
        let routing_key = short("routing_key", &self.routing_key)?;
        let mut properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_message_id(short("message_id", &self.message_id)?)
            .with_type(short("type", &self.message_type)?)
            .with_content_type(short("content_type", &self.content_type)?)
            .with_timestamp(self.timestamp);
        if let Some(id) = &self.correlation_id {
            properties = properties.with_correlation_id(short("correlation_id", id)?);
        }
        if !self.headers.is_empty() {
            let mut headers = FieldTable::default();
            for (name, value) in &self.headers {
                headers.insert(short("header name", name)?, AMQPValue::LongString(LongString::from(value.as_str())));
            }
            properties = properties.with_headers(headers);
        }
        let bytes = self.header_frame_bytes();
        if bytes > frame_limit_bytes {
            return Err(Outcome::Unsendable { field: "headers", bytes, limit_bytes: frame_limit_bytes });
        }
        Ok((routing_key, properties))
    }

    /// No less than the size of the frame with the properties: the broker closes a connection over a larger frame.
    fn header_frame_bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len() + HEADER_OVERHEAD_BYTES);
        let texts = [&self.message_id, &self.message_type, &self.content_type].map(String::len).iter().sum::<usize>();
        FRAME_OVERHEAD_BYTES + texts + self.correlation_id.as_ref().map_or(0, String::len) + headers.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn publication() -> Publication {
        Publication {
            exchange: Exchange::Events,
            routing_key: "task.admitted.acme.-".to_owned(),
            mandatory: false,
            message_id: "m-1".to_owned(),
            message_type: "task.admitted".to_owned(),
            correlation_id: Some("acme/1".to_owned()),
            timestamp: 1,
            content_type: "application/json".to_owned(),
            headers: vec![("traceparent".to_owned(), "00-x".to_owned())],
            body: Arc::from(&b"{}"[..]),
        }
    }

    #[test]
    fn a_text_over_255_bytes_is_unsendable_and_named() {
        let mut long = publication();
        long.correlation_id = Some("x".repeat(256));
        let expected = Outcome::Unsendable { field: "correlation_id", bytes: 256, limit_bytes: 255 };
        assert_eq!(long.wire(131_072, 2).expect_err("too long"), expected);
    }

    #[test]
    fn headers_that_pass_a_frame_are_unsendable() {
        let mut large = publication();
        large.headers.push(("x-heliograph-original".to_owned(), "x".repeat(131_072)));
        assert!(matches!(large.wire(131_072, 2), Err(Outcome::Unsendable { field: "headers", .. })));
    }

    #[test]
    fn a_body_that_the_broker_does_not_take_is_unsendable() {
        let expected = Outcome::Unsendable { field: "body", bytes: 2, limit_bytes: 1 };
        assert_eq!(publication().wire(131_072, 1).expect_err("too large"), expected);
    }

    #[test]
    fn only_properties_of_our_own_are_set() {
        let (_, properties) = publication().wire(131_072, 2).expect("sendable");
        assert_eq!(*properties.delivery_mode(), Some(2));
        assert!(properties.user_id().is_none() && properties.expiration().is_none() && properties.reply_to().is_none());
    }
}
