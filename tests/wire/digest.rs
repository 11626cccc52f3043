//! What "the same request" means: any order, any white space, and nothing else.

use heliograph::engine::request::WorkRequest;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::samples::{EXAMPLE, read};

fn id() -> impl Strategy<Value = String> {
    "[A-Za-z0-9._:@-]{1,20}"
}

fn slug() -> impl Strategy<Value = String> {
    "[a-z0-9][a-z0-9-]{0,12}"
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,12}"
}

fn country() -> impl Strategy<Value = String> {
    "[A-Z]{2}(-[A-Z0-9]{1,3})?"
}

fn countries() -> impl Strategy<Value = Value> {
    prop::collection::vec(country(), 1..4).prop_map(Value::from)
}

fn instant() -> impl Strategy<Value = String> {
    (1970..9998_i32, 1..13_u32, 1..29_u32, 0..24_u32, 0..60_u32, 0..1_000_000_000_u32)
        .prop_map(|(y, mo, d, h, m, ns)| format!("{y:04}-{mo:02}-{d:02}T{h:02}:{m:02}:00.{ns:09}Z"))
}

/// Optional fields by name, each valid and not empty.
fn optional() -> impl Strategy<Value = Map<String, Value>> {
    let skill = (word(), 1..6_u8).prop_map(|(name, level)| json!({ "name": name, "level": level }));
    let consent = (any::<bool>(), "[ -~äöü]{1,30}")
        .prop_map(|(offshore, reference)| json!({ "offshore": offshore, "reference": reference }));
    let fields: Vec<(&'static str, BoxedStrategy<Value>)> = vec![
        ("jurisdiction", country().prop_map(Value::from).boxed()),
        ("specialty", word().prop_map(Value::from).boxed()),
        ("languages", prop::collection::vec(word(), 0..3).prop_map(Value::from).boxed()),
        ("skills", prop::collection::vec(skill, 1..3).prop_map(Value::from).boxed()),
        ("presence", prop::sample::select(vec!["none", "contact", "in_person"]).prop_map(Value::from).boxed()),
        ("place", country().prop_map(Value::from).boxed()),
        ("allowed_countries", countries().boxed()),
        ("denied_countries", countries().boxed()),
        ("consent", consent.boxed()),
        ("effort_minutes", (1..=525_600_u32).prop_map(Value::from).boxed()),
        ("priority", prop::sample::select(vec!["urgent", "high", "normal", "low"]).prop_map(Value::from).boxed()),
        ("sla", slug().prop_map(Value::from).boxed()),
        ("deadline", instant().prop_map(Value::from).boxed()),
        ("not_before", instant().prop_map(Value::from).boxed()),
        ("after", prop::collection::vec("[a-z]{25}", 1..3).prop_map(Value::from).boxed()),
        ("preferred_team", slug().prop_map(Value::from).boxed()),
        ("excluded_teams", prop::collection::vec(slug(), 1..3).prop_map(Value::from).boxed()),
        ("process", slug().prop_map(Value::from).boxed()),
        ("payload", "[ -~]{0,40}".prop_map(|text| json!({ "note": text, "list": [1, 2.5, null] })).boxed()),
    ];
    let maybe: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| prop::option::of(value).prop_map(move |value| value.map(|value| (name.to_owned(), value))))
        .collect();
    maybe.prop_map(|fields| fields.into_iter().flatten().collect())
}

fn request() -> impl Strategy<Value = Map<String, Value>> {
    (id(), slug(), "[ -~äß]{1,30}", word(), optional()).prop_map(|(id, client, matter, work_type, mut fields)| {
        for (name, value) in [("id", id), ("client", client), ("matter", matter), ("work_type", work_type)] {
            fields.insert(name.into(), value.into());
        }
        fields
    })
}

/// The request as its sender wrote it: what parsing must be the inverse of.
fn as_sent(request: &WorkRequest, payload: &[u8]) -> Map<String, Value> {
    let Value::Object(mut fields) = serde_json::to_value(request).unwrap() else { panic!("a request is an object") };
    fields.remove("digest");
    if request.steps.is_empty() {
        fields.remove("steps");
    }
    let prefix = format!("{}/", request.client);
    let after: Vec<&str> = request.after.iter().map(|task| task.as_str().strip_prefix(&prefix).unwrap()).collect();
    fields.insert("after".into(), after.into());
    if !payload.is_empty() {
        fields.insert("payload".into(), serde_json::from_slice(payload).unwrap());
    }
    fields
}

fn digest_of(text: &str) -> String {
    read(text).unwrap_or_else(|refused| panic!("{refused}: {text}")).request.digest.0.into()
}

proptest! {
    #[test]
    fn parsing_is_the_inverse_of_writing(fields in request()) {
        let first = read(Value::Object(fields).to_string()).unwrap();
        let again = read(Value::Object(as_sent(&first.request, &first.payload)).to_string()).unwrap();
        prop_assert_eq!(first, again);
    }

    #[test]
    fn the_digest_does_not_depend_on_order_or_white_space(fields in request(), seed in any::<prop::sample::Index>()) {
        let mut members: Vec<(&String, &Value)> = fields.iter().collect();
        let middle = seed.index(members.len());
        members.rotate_left(middle);
        members.reverse();
        let spaced: Vec<String> = members
            .iter()
            .map(|(name, value)| format!("\n\t\"{name}\" : {}", serde_json::to_string_pretty(value).unwrap()))
            .collect();
        let spaced = format!(" {{{} }}\r\n", spaced.join(" ,"));
        prop_assert_eq!(digest_of(&spaced), digest_of(&Value::Object(fields.clone()).to_string()));
    }

    #[test]
    fn the_digest_differs_on_any_change(fields in request(), other in request()) {
        let original = digest_of(&Value::Object(fields.clone()).to_string());
        for (name, value) in &other {
            let mut changed = fields.clone();
            let before = changed.insert(name.clone(), value.clone());
            if before.as_ref() != Some(value) {
                prop_assert_ne!(digest_of(&Value::Object(changed).to_string()), original.clone(), "{}", name);
            }
        }
        for name in fields.keys().filter(|name| !["id", "client", "matter", "work_type"].contains(&name.as_str())) {
            let mut changed = fields.clone();
            changed.remove(name);
            prop_assert_ne!(digest_of(&Value::Object(changed).to_string()), original.clone(), "{}", name);
        }
    }
}

#[test]
fn the_digest_of_the_contracts_example_never_changes() {
    let expected = "869b89fa85af3e1870e4b7cbe205cc4b3e4fe5627307bae8cf1208ffe1ed172e";
    assert_eq!(digest_of(EXAMPLE), expected);
}

#[test]
fn the_same_instant_in_another_offset_is_the_same_request() {
    let utc = EXAMPLE.replace("2026-11-24T17:00:00-05:00", "2026-11-24T22:00:00.000Z");
    assert_eq!(digest_of(&utc), digest_of(EXAMPLE));
}
