//! What arrives: deliveries as plain data, and the comings and goings of the link between them.

use lapin::types::AMQPValue;

use super::original::{OriginalProperties, plain};

/// What a consumer tells its owner, in order.
#[derive(Debug)]
pub enum Inbound {
    /// A link is up; what follows carries this epoch.
    Connected {
        /// How many updates were waiting.
        updates: u64,
        /// Counts the links of this consumer from 1.
        epoch: u64,
    },
    /// A message.
    Delivery(Box<Delivery>),
    /// The link of this epoch is gone. What was not settled comes again in a later epoch.
    Lost {
        /// Which link.
        epoch: u64,
        /// Why.
        reason: String,
    },
}

/// Which queue a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intake {
    /// Work requests.
    Requests,
    /// Updates of teams and firms.
    Updates,
}

/// Names one delivery of one link, for settling it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryToken {
    /// The link.
    pub epoch: u64,
    /// The delivery's number on the link, from 1.
    pub tag: u64,
}

/// One message as it was delivered.
#[derive(Debug)]
pub struct Delivery {
    /// The queue.
    pub intake: Intake,
    /// What to settle it with.
    pub token: DeliveryToken,
    /// Whether it may have been delivered before.
    pub redelivered: bool,
    /// How many deliveries before this one failed, as the queue counts them.
    pub delivery_count: u64,
    /// The body, whatever its size.
    pub body: Vec<u8>,
    /// The properties that have a meaning here.
    pub properties: Properties,
    /// All properties and headers, for the copy of a rejected message.
    pub original: OriginalProperties,
}

/// The properties of a message that have a meaning here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties {
    /// MIME type of the body.
    pub content_type: Option<String>,
    /// The broker has checked that it is the publisher's.
    pub user_id: Option<String>,
    /// Where a receipt is wanted.
    pub reply_to: Option<String>,
    /// The publisher's id of the message.
    pub message_id: Option<String>,
    /// The publisher's reference.
    pub correlation_id: Option<String>,
    /// Headers in order of their names, each value as text; nested ones as JSON.
    pub headers: Vec<(String, String)>,
}

impl Delivery {
    pub(super) fn new(intake: Intake, epoch: u64, delivery: lapin::message::Delivery) -> Self {
        let properties = read(&delivery.properties);
        let delivery_count = delivery_count(&delivery.properties);
        let routing_key = delivery.routing_key.to_string();
        Self {
            intake,
            token: DeliveryToken { epoch, tag: delivery.delivery_tag },
            redelivered: delivery.redelivered,
            delivery_count,
            body: delivery.data,
            properties,
            original: OriginalProperties::new(delivery.properties, routing_key),
        }
    }
}

fn read(properties: &lapin::BasicProperties) -> Properties {
    let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
    Properties {
        content_type: text(properties.content_type()),
        user_id: text(properties.user_id()),
        reply_to: text(properties.reply_to()),
        message_id: text(properties.message_id()),
        correlation_id: text(properties.correlation_id()),
        headers: properties.headers().as_ref().map_or_else(Vec::new, |headers| {
            headers.inner().iter().map(|(name, value)| (name.to_string(), plain(value))).collect()
        }),
    }
}

fn delivery_count(properties: &lapin::BasicProperties) -> u64 {
    let count = properties.headers().as_ref().and_then(|headers| headers.inner().get("x-delivery-count"));
    match count {
        Some(AMQPValue::LongLongInt(count)) => u64::try_from(*count).unwrap_or(0),
        Some(AMQPValue::LongInt(count)) => u64::try_from(*count).unwrap_or(0),
        Some(AMQPValue::LongUInt(count)) => u64::from(*count),
        Some(AMQPValue::ShortInt(count)) => u64::try_from(*count).unwrap_or(0),
        Some(AMQPValue::ShortUInt(count)) => u64::from(*count),
        Some(AMQPValue::ShortShortInt(count)) => u64::try_from(*count).unwrap_or(0),
        Some(AMQPValue::ShortShortUInt(count)) => u64::from(*count),
        _ => 0,
    }
}
