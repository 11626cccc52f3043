//! The schemas say what the programs do, both ways.

use std::collections::BTreeSet;

use heliograph::engine::event::RefusalCode::UnknownField;
use heliograph::wire::Rules;
use heliograph::wire::chain::{Head, Sealer};
use heliograph::wire::schema::{SchemaKind, print};
use heliograph::wire::update::{SenderHint, parse};
use serde_json::Value;

use super::samples::{EXAMPLE, effects, read, recorded};

fn schema(kind: SchemaKind) -> Value {
    serde_json::from_str(&print(kind)).unwrap()
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

#[test]
fn the_schema_of_a_request_has_the_fields_of_the_contract() {
    let schema = schema(SchemaKind::Request);
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let example: Value = serde_json::from_str(EXAMPLE).unwrap();
    assert_eq!(names(&schema["properties"]), names(&example));
    assert_eq!(schema["required"], serde_json::json!(["id", "client", "matter"]));
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_parser_knows_every_field_of_the_schema_and_no_other() {
    let schema = schema(SchemaKind::Request);
    for name in names(&schema["properties"]) {
        let known = match read(format!(r#"{{"{name}":{{}}}}"#)) {
            Ok(_) => true,
            Err(refused) => refused.refusal.code != UnknownField,
        };
        assert!(known, "{name}");
    }
    let request = read(EXAMPLE).unwrap().request;
    let mut kept = names(&serde_json::to_value(&request).unwrap());
    kept.remove("digest");
    kept.insert("payload".into());
    assert_eq!(kept, names(&schema["properties"]));
}

#[test]
fn the_parser_knows_every_field_of_an_update_in_the_schema() {
    let schema = schema(SchemaKind::Update);
    let kinds = schema["oneOf"].as_array().unwrap();
    assert_eq!(kinds.len(), 16);
    let all: BTreeSet<String> = kinds.iter().flat_map(|kind| names(&kind["properties"])).collect();
    for kind in kinds {
        let word = kind["properties"]["kind"]["const"].as_str().unwrap();
        let own = names(&kind["properties"]);
        for name in all.iter().filter(|name| !["id", "task", "kind", "team"].contains(&name.as_str())) {
            let body = format!(r#"{{"id":"u","task":"acme-llp/r","team":"t","kind":"{word}","{name}":null}}"#);
            let result = parse(body.as_bytes(), &SenderHint::InBody, &Rules::default());
            let unknown = result.is_err_and(|refused| refused.refusal.code == UnknownField);
            assert_eq!(unknown, !own.contains(name), "{word} {name}");
        }
    }
}

#[test]
fn the_schema_of_events_describes_what_is_published_both_ways() {
    let schema = schema(SchemaKind::Event);
    let kinds = schema["oneOf"].as_array().unwrap();
    let type_of = |kind: &Value| kind["properties"]["type"]["const"].as_str().unwrap().to_owned();
    let mut published = BTreeSet::new();
    let mut sealer = Sealer::after(Head::default());
    let common: BTreeSet<String> =
        ["type", "at", "task", "task_seq", "stream_seq", "client", "team", "update"].map(String::from).into();
    for effect in effects() {
        let fact = sealer.seal(recorded(effect, 1));
        let kind = kinds.iter().find(|kind| type_of(kind) == *fact.event_type);
        let properties = &kind.unwrap_or_else(|| panic!("no schema of {}", fact.event_type))["properties"];
        let body: Value = serde_json::from_slice(&fact.body).unwrap();
        let own: BTreeSet<String> = names(&body).difference(&common).cloned().collect();
        let described: BTreeSet<String> = names(properties).difference(&common).cloned().collect();
        assert_eq!(own, described, "{}", fact.event_type);
        for (name, value) in body.as_object().unwrap() {
            assert!(has_type(value, &properties[name]), "{} {name}: {value}", fact.event_type);
        }
        published.insert(fact.event_type.to_string());
    }
    assert_eq!(kinds.iter().map(type_of).collect::<BTreeSet<_>>(), published);
}

fn has_type(value: &Value, schema: &Value) -> bool {
    let word = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match &schema["type"] {
        Value::String(only) => only == word,
        Value::Array(words) => words.iter().any(|w| w == word),
        _ => schema["const"] == *value,
    }
}

#[test]
fn the_asyncapi_document_names_every_exchange_and_resolves_its_references() {
    let text = print(SchemaKind::AsyncApi);
    let document: Value = serde_json::from_str(&text).unwrap();
    let addresses: BTreeSet<&str> = document["channels"]
        .as_object()
        .unwrap()
        .values()
        .map(|channel| channel["address"].as_str().unwrap())
        .collect();
    let exchanges =
        ["requests", "updates", "work", "events", "rejected", "replies"].map(|name| format!("heliograph.{name}"));
    assert_eq!(addresses, exchanges.iter().map(String::as_str).collect());
    let mut seen = 0;
    for reference in text.split("\"$ref\": \"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
        seen += 1;
    }
    assert_eq!(seen, 12);
}

#[test]
fn every_document_prints_the_same_each_time() {
    for kind in SchemaKind::ALL {
        assert_eq!(print(kind), print(kind), "{}", kind.as_str());
    }
}
