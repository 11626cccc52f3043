//! The JSON Schema of a roster has the keys that the reader knows, both ways.

use std::collections::BTreeSet;

use heliograph::roster::schema;
use serde_json::Value;

use super::faults_of;

/// A key that is like no other, so that its fault lists those that are known.
const STRANGE: &str = "qqqqqqqq = 1";

/// Where each table stands in the schema, and a roster with a strange key in that table.
const TABLES: [(&str, &str); 20] = [
    ("", "STRANGE"),
    ("/properties/calendars/additionalProperties", "[calendars.a]\nSTRANGE"),
    ("/properties/calendars/additionalProperties/properties/hours", "[calendars.a.hours]\nSTRANGE"),
    ("/properties/calendars/additionalProperties/properties/breaks", "[calendars.a.breaks]\nSTRANGE"),
    ("/properties/calendars/additionalProperties/properties/dates/items", "[[calendars.a.dates]]\nSTRANGE"),
    ("/properties/calendars/additionalProperties/properties/ics/items", "[[calendars.a.ics]]\nSTRANGE"),
    ("/properties/teams/items", "[[teams]]\nSTRANGE"),
    ("/properties/teams/items/properties/capabilities/items", "[[teams]]\n[[teams.capabilities]]\nSTRANGE"),
    ("/properties/clients/items", "[[clients]]\nSTRANGE"),
    ("/properties/work_types/additionalProperties", "[work_types.a]\nSTRANGE"),
    ("/properties/sla/additionalProperties", "[sla.a]\nSTRANGE"),
    ("/properties/sla/additionalProperties/properties/clocks/items", "[[sla.a.clocks]]\nSTRANGE"),
    (
        "/properties/sla/additionalProperties/properties/clocks/items/properties/escalate/items",
        "[[sla.a.clocks]]\n[[sla.a.clocks.escalate]]\nSTRANGE",
    ),
    ("/properties/pauses/additionalProperties", "[pauses.a]\nSTRANGE"),
    ("/properties/processes/additionalProperties", "[processes.a]\nSTRANGE"),
    ("/properties/processes/additionalProperties/properties/steps/items", "[[processes.a.steps]]\nSTRANGE"),
    ("/properties/walls/items", "[[walls]]\nSTRANGE"),
    ("/properties/routing", "[routing]\nSTRANGE"),
    ("/properties/routing/properties/weights", "[routing.weights]\nSTRANGE"),
    ("/properties/routing/properties/offer_limit", "[routing.offer_limit]\nSTRANGE"),
];

#[test]
fn the_reader_knows_every_key_of_the_schema_and_no_other() {
    let schema = schema();
    for (place, text) in TABLES {
        let faults = faults_of(&text.replace("STRANGE", STRANGE));
        let told = faults.iter().find_map(|fault| fault.split_once("unknown key \"qqqqqqqq\"; known are "));
        let (_, known) = told.unwrap_or_else(|| panic!("{place}: {faults:#?}"));
        let known: BTreeSet<&str> = known.split(", ").collect();
        let table = schema.pointer(place).unwrap_or_else(|| panic!("no table at {place}"));
        let keys: BTreeSet<&str> = table["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, known, "{place}");
        assert_eq!(table["additionalProperties"], false, "{place}");
    }
}

#[test]
fn the_test_above_looks_at_every_table_of_the_schema() {
    fn tables(schema: &Value) -> usize {
        let own = usize::from(schema.get("properties").is_some_and(|_| schema["type"] == "object"));
        let below: usize = match schema {
            Value::Object(entries) => entries.values().map(tables).sum(),
            Value::Array(entries) => entries.iter().map(tables).sum(),
            _ => 0,
        };
        own + below
    }
    assert_eq!(tables(&schema()), TABLES.len());
}

#[test]
fn a_key_that_the_schema_requires_is_one_whose_lack_is_a_fault() {
    let schema = schema();
    for (place, text) in TABLES {
        let faults = faults_of(&text.replace("STRANGE", STRANGE)).join("\n");
        let required = schema.pointer(place).and_then(|table| table["required"].as_array());
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            let lacks = [format!("has no {key:?}"), format!("has no {key}: add")];
            assert!(lacks.iter().any(|it| faults.contains(it)), "{place} {key}: {faults}");
        }
    }
}
