//! The AsyncAPI 3.0 document: which exchanges and queues there are, who publishes what, and what the messages are.

use serde_json::{Value, json};

use crate::engine::effect::WorkMessage;

use super::message::ExchangeName;
use super::{event, schema, update};

/// The document.
pub(super) fn document() -> Value {
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Heliograph",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Work requests and updates in; events, messages to teams, receipts and rejected messages out. \
                            Messages out are persistent JSON with a stable message_id.",
        },
        "defaultContentType": "application/json",
        "channels": {
            "requests": exchange("heliograph.requests", "direct", "Work requests; routing key heliograph.requests.", &["request"]),
            "updates": exchange("heliograph.updates", "direct", "Updates; routing key heliograph.updates.", &["update"]),
            "work": exchange(ExchangeName::Work.as_str(), "direct", "Messages to teams; routing key is the team id, queue heliograph.team.<team>.", &["work"]),
            "events": exchange(ExchangeName::Events.as_str(), "topic", "All facts, no payload; routing key <noun>.<verb>.<client or ->.<team or ->.", &["event"]),
            "rejected": exchange(ExchangeName::Rejected.as_str(), "direct", "Messages that were set aside, body untouched.", &["rejected"]),
            "replies": exchange(ExchangeName::Replies.as_str(), "direct", "Receipts; routing key is the reply_to <client>.<anything>.", &["receipt"]),
        },
        "operations": {
            "takeRequests": operation("receive", "requests"),
            "takeUpdates": operation("receive", "updates"),
            "tellTeams": operation("send", "work"),
            "publishEvents": operation("send", "events"),
            "setAside": operation("send", "rejected"),
            "sendReceipts": operation("send", "replies"),
        },
        "components": { "messages": {
            "request": message("A work request.", schema::request().to_value()),
            "update": message("What a team or a firm says about a task.", update::schema().to_value()),
            "event": message("A fact; its type is the event type.", event::schema().to_value()),
            "work": message(
                &format!("An event that is addressed to a team; an offer has the earlier holders and their notes as `packet`, and the payload where it travels. Types: {}.", work_words()),
                json!({ "type": "object", "required": ["type", "at"] }),
            ),
            "rejected": message(
                "The original body; the reason is in the header x-heliograph-reason, the original's properties and headers in x-heliograph-original.",
                json!(true),
            ),
            "receipt": message("How a request was answered.", json!({
                "type": "object",
                "properties": {
                    "outcome": { "enum": ["admitted", "duplicate", "refused"] },
                    "client": { "type": "string" },
                    "id": { "type": "string" },
                    "task": { "type": "string" },
                    "refusal": { "type": "object" },
                },
                "required": ["outcome", "client"],
            })),
        } },
    })
}

fn work_words() -> String {
    WorkMessage::ALL.map(WorkMessage::as_str).join(", ")
}

fn exchange(address: &str, kind: &str, about: &str, messages: &[&str]) -> Value {
    let messages: serde_json::Map<String, Value> = messages
        .iter()
        .map(|name| ((*name).into(), json!({ "$ref": format!("#/components/messages/{name}") })))
        .collect();
    json!({
        "address": address,
        "description": about,
        "messages": messages,
        "bindings": { "amqp": { "is": "routingKey", "exchange": { "name": address, "type": kind, "durable": true } } },
    })
}

fn operation(action: &str, channel: &str) -> Value {
    json!({ "action": action, "channel": { "$ref": format!("#/channels/{channel}") } })
}

fn message(about: &str, payload: Value) -> Value {
    json!({ "summary": about, "payload": payload })
}
