//! Work requests, well meant: what is taken, and how exactly a fault is named.

use heliograph::engine::event::RefusalCode::{self, DuplicateKey, InvalidField, MissingField, UnknownField};
use heliograph::engine::request::{Presence, Priority};

use super::samples::{EXAMPLE, at, place, read, refusal, request_with, term};

#[test]
fn the_contracts_example_is_read_whole() {
    let parsed = read(EXAMPLE).unwrap();
    let request = parsed.request;
    assert_eq!(request.id.as_str(), "req-2026-000123");
    assert_eq!(request.client.as_str(), "acme-llp");
    assert_eq!(request.matter.as_str(), "M-4471");
    assert_eq!(request.work_type.unwrap().as_str(), "document_review");
    assert_eq!(request.jurisdiction, Some(place("US-NY")));
    assert_eq!(request.languages, Some(vec![term("en")]));
    assert_eq!((request.skills[0].name.as_str(), request.skills[0].level), ("privilege-review", 2));
    assert_eq!(request.presence, Some(Presence::None));
    assert_eq!(request.allowed_countries, ["US", "IN", "PH"].map(place));
    assert_eq!(request.consent.unwrap().reference.as_deref(), Some("C-77"));
    assert_eq!(request.priority, Some(Priority::Normal));
    assert_eq!(request.deadline, Some(at("2026-11-24T22:00:00Z")));
    assert_eq!((request.effort_minutes, request.not_before, request.steps.len()), (Some(90), None, 0));
    assert_eq!(&*parsed.payload, br#"{"anything":"opaque"}"#);
}

#[test]
fn a_payload_keeps_every_byte_but_white_space() {
    let payload = " { \"a b\" : [ 1.0 , 1e400,\t-0 , 123456789012345678901234567890 ] ,\r\n \"\\u0041\\\"  x\" : \"\\ud800\", \"a\":1, \"a\":2 } ";
    let parsed = read(request_with(&format!("\"payload\":{payload}"))).unwrap();
    let expected = r#"{"a b":[1.0,1e400,-0,123456789012345678901234567890],"\u0041\"  x":"\ud800","a":1,"a":2}"#;
    assert_eq!(std::str::from_utf8(&parsed.payload).unwrap(), expected);
    assert_eq!(&*read(request_with("")).unwrap().payload, b"");
}

#[test]
fn after_names_tasks_of_the_same_client() {
    let request = read(request_with(r#""after":["r0"]"#)).unwrap().request;
    assert_eq!(request.after[0].as_str(), "acme-llp/r0");
}

#[test]
fn a_deadline_may_name_a_zone_that_agrees() {
    for (text, instant) in [
        ("2026-11-24T17:00:00-05:00[America/New_York]", "2026-11-24T22:00:00Z"),
        ("2026-11-24T17:00:00.25+05:30[Asia/Kolkata]", "2026-11-24T11:30:00.25Z"),
        ("2026-11-24T22:00:00Z[America/New_York]", "2026-11-24T22:00:00Z"),
        ("2026-11-01T01:30:00-05:00[America/New_York]", "2026-11-01T06:30:00Z"),
        ("2026-11-01T01:30:00-04:00[America/New_York]", "2026-11-01T05:30:00Z"),
    ] {
        let request = read(request_with(&format!(r#""deadline":"{text}""#))).unwrap().request;
        assert_eq!(request.deadline, Some(at(instant)), "{text}");
    }
}

#[test]
fn each_fault_names_its_field_value_limit_and_what_to_do() {
    let long = "x".repeat(200);
    let many = vec!["\"US\""; 65].join(",");
    let cases: Vec<(String, RefusalCode, &str, String)> = vec![
        (r#""priorty":"high""#.into(), UnknownField, "priorty", r#"is not a known field; the nearest is "priority""#.into()),
        (r#""":1"#.into(), UnknownField, r#""""#, r#"is not a known field; the nearest is "id""#.into()),
        (r#""consent":{"offshore":true,"":1}"#.into(), UnknownField, r#"consent."""#, r#"is not a known field; the nearest is "offshore""#.into()),
        (r#""skills":[{"name":"a","level":1},{"name":"b","level":9}]"#.into(), InvalidField, "skills[1].level", "9 is not a whole number from 1 to 5".into()),
        (r#""skills":[{"name":"a","lvl":1}]"#.into(), UnknownField, "skills[0].lvl", r#"is not a known field; the nearest is "level""#.into()),
        (r#""skills":[{"name":"a"}]"#.into(), MissingField, "skills[0].level", "is required; add it".into()),
        (r#""consent":{"offshore":"yes"}"#.into(), InvalidField, "consent.offshore", r#""yes" is not true or false"#.into()),
        (r#""priority":"hi""#.into(), InvalidField, "priority", r#""hi" is not one of urgent, high, normal, low; the nearest is "high""#.into()),
        (r#""effort_minutes":525601"#.into(), InvalidField, "effort_minutes", "525601 is not a whole number from 1 to 525600".into()),
        (r#""effort_minutes":0"#.into(), InvalidField, "effort_minutes", "0 is not a whole number from 1 to 525600".into()),
        (r#""effort_minutes":1.5"#.into(), InvalidField, "effort_minutes", "1.5 is not a whole number from 1 to 525600".into()),
        (format!(r#""allowed_countries":[{many}]"#), InvalidField, "allowed_countries", "has more than 64 entries; send fewer".into()),
        (r#""place":"usa""#.into(), InvalidField, "place", r#"place "usa" is not valid: use a two-letter country, such as US, or a subdivision, such as US-NY"#.into()),
        (format!(r#""sla":"{long}""#), InvalidField, "sla", format!("sla id {:?} is not valid: use 1 to 63 of a-z 0-9 and -, not starting with -", &long[..80])),
        (r#""after":["r0","r1"]"#.into(), InvalidField, "after[1]", r#""r1" is the request itself; remove it"#.into()),
        (r#""matter":"M-2""#.into(), DuplicateKey, "matter", "stands twice in one object; keep one".into()),
        (r#""place":null,"place":"US""#.into(), DuplicateKey, "place", "stands twice in one object; keep one".into()),
        (r#""payload":1,"payload":1"#.into(), DuplicateKey, "payload", "stands twice in one object; keep one".into()),
        (r#""consent":{"offshore":true,"offshore":true}"#.into(), DuplicateKey, "consent.offshore", "stands twice in one object; keep one".into()),
        (r#""skills":[{"name":"a","level":1,"name":"a"}]"#.into(), DuplicateKey, "skills[0].name", "stands twice in one object; keep one".into()),
        (r#""steps":[]"#.into(), InvalidField, "steps", "has no entries; add one, or leave it out".into()),
        (format!(r#""steps":[{}]"#, vec![r#"{"id":"a","work_type":"x"}"#; 201].join(",")), InvalidField, "steps", "has more than 200 entries; send fewer".into()),
        (r#""steps":[{"id":"a","work_type":"x"},{"id":"a","work_type":"x"}]"#.into(), InvalidField, "steps[1].id", r#""a" names two steps; rename one"#.into()),
        (r#""steps":[{"id":"a/b","work_type":"x"}]"#.into(), InvalidField, "steps[0].id", r#"id "a/b" is not valid: use 1 to 128 of A-Z a-z 0-9 . _ : @ -"#.into()),
        (r#""steps":[{"id":"a","work_type":"x","jurisdiction":"New York"}]"#.into(), InvalidField, "steps[0].jurisdiction", r#"place "New York" is not valid: use a two-letter country, such as US, or a subdivision, such as US-NY"#.into()),
        (r#""process":"p","steps":[{"id":"a","work_type":"x"}]"#.into(), InvalidField, "steps", "stands beside process; give one of them".into()),
        (r#""deadline":"2026-11-24T17:00:00""#.into(), InvalidField, "deadline", r#""2026-11-24T17:00:00" is not an instant with an offset; use RFC 3339, such as 2026-11-24T17:00:00-05:00, with a zone in brackets if you like"#.into()),
        (r#""deadline":"2026-11-24T17:00:00-04:00[America/New_York]""#.into(), InvalidField, "deadline", r#""2026-11-24T17:00:00-04:00[America/New_York]" has a zone that is unknown or does not have this offset then; correct one of them"#.into()),
        (r#""not_before":"9999-01-01T00:00:00Z""#.into(), InvalidField, "not_before", r#""9999-01-01T00:00:00Z" is outside the years 1970 to 9998; use a year inside"#.into()),
        (r#""deadline":"2026-12-31T23:59:60Z""#.into(), InvalidField, "deadline", r#""2026-12-31T23:59:60Z" is a leap second; use the second before or after"#.into()),
    ];
    for (members, code, field, message) in cases {
        let expected = (code, Some(field.to_owned()), message);
        assert_eq!(refusal(request_with(&members)), expected, "{members:.100}");
    }
}

#[test]
fn a_required_field_that_is_absent_or_null_is_missing() {
    for body in [
        r#"{"client":"acme-llp","matter":"M","work_type":"x"}"#,
        r#"{"id":null,"client":"acme-llp","matter":"M","work_type":"x"}"#,
    ] {
        assert_eq!(refusal(body), (MissingField, Some("id".into()), "is required; add it".into()));
    }
    let no_work = r#"{"id":"r","client":"acme-llp","matter":"M"}"#;
    let message = "is required without process or steps; add one of them";
    assert_eq!(refusal(no_work), (MissingField, Some("work_type".into()), message.into()));
    assert!(read(r#"{"id":"r","client":"acme-llp","matter":"M","process":"p"}"#).is_ok());
}

#[test]
fn steps_that_wait_for_each_other_are_refused_with_the_path() {
    let steps = |a: &str, b: &str, c: &str| {
        let step = |id: &str, after: &str| format!(r#"{{"id":"{id}","work_type":"x","after":[{after}]}}"#);
        refusal(request_with(&format!(r#""steps":[{},{},{}]"#, step("a", a), step("b", b), step("c", c))))
    };
    let message = "wait for each other: b -> c -> b; break the cycle";
    assert_eq!(steps("", "\"c\"", "\"b\""), (InvalidField, Some("steps".into()), message.into()));
    let message = "\"z\" names no step of this request; name one of its steps";
    assert_eq!(steps("\"z\"", "", ""), (InvalidField, Some("steps[0].after[0]".into()), message.into()));
    let many: Vec<_> = (0..200).map(|number| format!(r#"{{"id":"s{number}","work_type":"x"}}"#)).collect();
    assert_eq!(read(request_with(&format!(r#""steps":[{}]"#, many.join(",")))).unwrap().request.steps.len(), 200);
    let valid = r#""steps":[{"id":"a","work_type":"x","after":["b"]},{"id":"b","work_type":"x"}]"#;
    assert_eq!(read(request_with(valid)).unwrap().request.steps[0].after[0].as_str(), "b");
}

#[test]
fn a_refusal_names_the_sender_as_far_as_it_can_be_read() {
    let refused = read(request_with(r#""bogus":1"#)).unwrap_err();
    assert_eq!(refused.client.unwrap().as_str(), "acme-llp");
    assert_eq!(refused.id.unwrap().as_str(), "r1");
    let refused = read(r#"{"id":"bad id","client":5}"#).unwrap_err();
    assert_eq!((refused.client, refused.id), (None, None));
}
