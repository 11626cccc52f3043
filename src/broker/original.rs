//! All properties and headers of a foreign message, as JSON: they are told on, never copied onto a message of ours.

use std::fmt;

use lapin::BasicProperties;
use lapin::types::AMQPValue;
use serde_json::{Map, Value, json};

/// The properties and headers of a message as its publisher set them.
#[derive(Clone, Default)]
pub struct OriginalProperties {
    properties: BasicProperties,
    routing_key: String,
}

impl OriginalProperties {
    /// The JSON is at most this many bytes: it travels in a header, and a message's headers must fit into one frame.
    pub const LIMIT_BYTES: usize = 48 * 1024;

    pub(super) fn new(properties: BasicProperties, routing_key: String) -> Self {
        Self { properties, routing_key }
    }

    /// Renders them as a JSON object with the names that AMQP gives them. Headers that would pass
    /// [`OriginalProperties::LIMIT_BYTES`] are left out and `headers_omitted_bytes` says so.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut object = self.without_headers();
        if let Some(headers) = self.properties.headers() {
            let headers =
                headers.inner().iter().map(|(name, value)| (name.to_string(), rendered(value))).collect::<Map<_, _>>();
            object.insert("headers".to_owned(), Value::Object(headers));
        }
        let text = Value::Object(object).to_string();
        if text.len() <= Self::LIMIT_BYTES {
            return text;
        }
        let mut object = self.without_headers();
        object.insert("headers_omitted_bytes".to_owned(), json!(text.len()));
        Value::Object(object).to_string()
    }

    fn without_headers(&self) -> Map<String, Value> {
        let all = &self.properties;
        let texts = [
            ("content_type", all.content_type()),
            ("content_encoding", all.content_encoding()),
            ("correlation_id", all.correlation_id()),
            ("reply_to", all.reply_to()),
            ("expiration", all.expiration()),
            ("message_id", all.message_id()),
            ("type", all.kind()),
            ("user_id", all.user_id()),
            ("app_id", all.app_id()),
            ("cluster_id", all.cluster_id()),
        ];
        let numbers = [
            ("delivery_mode", all.delivery_mode().map(u64::from)),
            ("priority", all.priority().map(u64::from)),
            ("timestamp", *all.timestamp()),
        ];
        let mut object = Map::new();
        object.insert("routing_key".to_owned(), json!(self.routing_key));
        object.extend(
            texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text.as_ref()?.as_str())))),
        );
        object.extend(numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?)))));
        object
    }
}

impl fmt::Debug for OriginalProperties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OriginalProperties(..)")
    }
}

/// A header's value as text: strings as they are, the rest as JSON.
pub(super) fn plain(value: &AMQPValue) -> String {
    match rendered(value) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// Goes as deep as headers nest, which is no deeper than [`super::tame::NESTING_LIMIT`] for all that arrives.
fn rendered(value: &AMQPValue) -> Value {
    match value {
        AMQPValue::Boolean(value) => json!(value),
        AMQPValue::ShortShortInt(value) => json!(value),
        AMQPValue::ShortShortUInt(value) => json!(value),
        AMQPValue::ShortInt(value) => json!(value),
        AMQPValue::ShortUInt(value) => json!(value),
        AMQPValue::LongInt(value) => json!(value),
        AMQPValue::LongUInt(value) => json!(value),
        AMQPValue::LongLongInt(value) => json!(value),
        AMQPValue::Timestamp(value) => json!(value),
        AMQPValue::Float(value) => json!(value),
        AMQPValue::Double(value) => json!(value),
        AMQPValue::DecimalValue(value) => json!({ "scale": value.scale, "value": value.value }),
        AMQPValue::ShortString(text) => json!(text.as_str()),
        AMQPValue::LongString(text) => json!(String::from_utf8_lossy(text.as_bytes())),
        AMQPValue::ByteArray(bytes) => json!(bytes.as_slice()),
        AMQPValue::FieldArray(values) => values.as_slice().iter().map(rendered).collect(),
        AMQPValue::FieldTable(table) => {
            Value::Object(table.inner().iter().map(|(name, value)| (name.to_string(), rendered(value))).collect())
        }
        AMQPValue::Void => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use lapin::types::{FieldTable, LongString};

    use super::*;

    fn with_header(name: &str, value: &str) -> OriginalProperties {
        let mut headers = FieldTable::default();
        headers.insert(name.into(), AMQPValue::LongString(LongString::from(value)));
        let properties =
            BasicProperties::default().with_user_id("acme".into()).with_expiration("5".into()).with_headers(headers);
        OriginalProperties::new(properties, "key".to_owned())
    }

    #[test]
    fn every_property_and_header_is_told() {
        assert_eq!(
            with_header("CC", "elsewhere").to_json(),
            r#"{"expiration":"5","headers":{"CC":"elsewhere"},"routing_key":"key","user_id":"acme"}"#
        );
    }

    #[test]
    fn headers_too_large_for_a_frame_are_left_out_and_counted() {
        let json = with_header("big", &"\u{1}".repeat(20_000)).to_json();
        assert!(json.len() <= OriginalProperties::LIMIT_BYTES);
        let value: Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!(value["user_id"], "acme");
        assert!(value["headers_omitted_bytes"].as_u64().expect("a number") > 120_000);
        assert!(value.get("headers").is_none());
    }
}
