//! Bytes from somebody who means harm: bounded work, an exact refusal, nothing invisible in a message.

use heliograph::engine::event::RefusalCode::{InvalidField, InvalidJson, TooDeep, TooLarge, UnknownField};

use super::samples::{read, refusal, request_with};

#[test]
fn a_body_over_a_mebibyte_is_refused_unread() {
    let body = vec![b'['; 64 * 1024 * 1024];
    let message = "67108864 bytes are more than the limit of 1048576; send less";
    assert_eq!(refusal(&body), (TooLarge, None, message.into()));
    let just = request_with(&format!(r#""payload":"{}""#, "x".repeat(1024 * 1024)));
    assert_eq!(refusal(&just[..]).0, TooLarge);
}

#[test]
fn a_body_of_exactly_a_mebibyte_is_read() {
    let empty = request_with(r#""payload":"""#).len();
    let body = request_with(&format!(r#""payload":"{}""#, "x".repeat(1024 * 1024 - empty)));
    assert_eq!(body.len(), 1024 * 1024);
    assert!(read(&body).is_ok());
}

#[test]
fn nesting_over_64_is_refused_anywhere() {
    let nested = |levels: usize| request_with(&format!(r#""payload":{}{}"#, "[".repeat(levels), "]".repeat(levels)));
    assert!(read(nested(63)).is_ok());
    let body = nested(64);
    let too_deep_at = body.find('[').unwrap() + 63;
    let message = format!("nested deeper than 64 levels at byte {too_deep_at}; flatten the message");
    assert_eq!(refusal(body), (TooDeep, None, message));
    assert_eq!(refusal(request_with(&format!(r#""place":{}"#, "[".repeat(70)))).0, TooDeep);
}

#[test]
fn a_million_levels_do_not_recurse() {
    for levels in [100_000, 1_000_000] {
        assert_eq!(refusal("[".repeat(levels)).0, TooDeep);
        assert_eq!(refusal(r#"{"a":"#.repeat(levels / 5)).0, TooDeep);
    }
}

#[test]
fn brackets_inside_strings_are_not_nesting() {
    let text = format!(r#""payload":"{}\"{}""#, "[".repeat(500), "{".repeat(500));
    assert!(read(request_with(&text)).is_ok());
}

#[test]
fn bytes_that_are_not_utf_8_are_refused_with_their_place() {
    let mut body = request_with("").into_bytes();
    body[8] = 0xff;
    assert_eq!(refusal(&body), (InvalidJson, None, "not UTF-8 at byte 8; send JSON in UTF-8".into()));
}

#[test]
fn what_is_not_one_object_is_refused() {
    for body in ["", "null", "[]", "\"x\"", "1", "{}{}", "{\"id\":", "\u{feff}{}"] {
        let (code, field, message) = refusal(body);
        assert_eq!((code, field), (InvalidJson, None), "{body}");
        assert!(message.ends_with("send one JSON object") || message.ends_with("send an object"), "{message}");
    }
    assert_eq!(refusal("[]").2, "a work request is one JSON object; send an object");
}

#[test]
fn numbers_beyond_all_limits_are_refused() {
    let (code, _, message) = refusal(request_with(r#""effort_minutes":1e400"#));
    assert_eq!(code, InvalidJson);
    assert!(message.starts_with("not valid JSON: number out of range"), "{message}");
    for huge in ["99999999999999999999", "4294967296", "18446744073709551615", "-1", "1e18"] {
        let (code, field, _) = refusal(request_with(&format!(r#""effort_minutes":{huge}"#)));
        assert_eq!((code, field.as_deref()), (InvalidField, Some("effort_minutes")), "{huge}");
    }
}

#[test]
fn lone_surrogates_outside_the_payload_are_refused() {
    assert_eq!(refusal(request_with(r#""place":"\ud800""#)).0, InvalidJson);
}

#[test]
fn ids_with_metacharacters_of_routing_keys_and_logs_are_refused() {
    for bad in ["a#b", "a*b", "a b", "a\\nb", "a\\u0000b", "a\\u202eb", "a\\u001b[31mb", "a/b", "a%b", "é", ""] {
        let body = format!(r#"{{"id":"{bad}","client":"acme-llp","matter":"M","work_type":"x"}}"#);
        let (code, field, message) = refusal(&body);
        assert_eq!((code, field.as_deref()), (InvalidField, Some("id")), "{bad}");
        assert!(message.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{message:?}");
    }
    for bad in ["acme.llp", "acme*", "#", "Acme", "-a"] {
        let body = format!(r#"{{"id":"r","client":"{bad}","matter":"M","work_type":"x"}}"#);
        assert_eq!(refusal(&body).1.as_deref(), Some("client"), "{bad}");
    }
}

#[test]
fn invisible_characters_in_matters_and_references_are_refused_and_escaped() {
    let body = r#"{"id":"r","client":"acme-llp","matter":"M\u202e\u0000\n1","work_type":"x"}"#;
    let message = r#"matter "M\u{202e}\0\n1" is not valid: use 1 to 128 printable characters"#;
    assert_eq!(refusal(body), (InvalidField, Some("matter".into()), message.into()));
    let (code, field, message) = refusal(request_with(r#""consent":{"offshore":true,"reference":"a\u2066b"}"#));
    assert_eq!((code, field.as_deref()), (InvalidField, Some("consent.reference")));
    assert_eq!(message, r#""a\u{2066}b" is not 1 to 128 printable characters"#);
}

#[test]
fn a_hostile_field_name_is_cut_and_escaped() {
    let (code, field, message) = refusal(request_with(&format!(r#""\u202e\n{}":1"#, "k".repeat(100_000))));
    assert_eq!(code, UnknownField);
    assert_eq!(field.unwrap(), format!(r"\u{{202e}}\n{}", "k".repeat(78)));
    assert!(message.len() < 100, "{message}");
}

#[test]
fn a_hundred_thousand_fields_or_entries_are_refused_in_bounded_work() {
    let fields: Vec<String> = (0..90_000).map(|n| format!(r#""f{n}":0"#)).collect();
    assert_eq!(refusal(request_with(&fields.join(","))).0, UnknownField);
    let same = vec![r#""place":null"#; 60_000].join(",");
    assert_eq!(refusal(request_with(&same)).1.as_deref(), Some("place"));
    let entries = vec!["0"; 400_000].join(",");
    let (code, field, _) = refusal(request_with(&format!(r#""languages":[{entries}]"#)));
    assert_eq!((code, field.as_deref()), (InvalidField, Some("languages")));
}

#[test]
fn a_value_is_quoted_up_to_80_characters() {
    let (_, _, message) = refusal(request_with(&format!(r#""priority":"{}""#, "ü".repeat(50_000))));
    let message = message.strip_prefix(&format!("\"{}\" is not one of", "ü".repeat(80)));
    assert!(message.is_some());
}
