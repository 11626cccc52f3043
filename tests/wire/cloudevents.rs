//! CloudEvents around a request.

use heliograph::engine::event::{
    Refusal,
    RefusalCode::{self, DuplicateKey, InvalidField, MissingField, TooDeep},
};
use heliograph::wire::Rules;
use heliograph::wire::cloudevents::{Envelope, inner};

use super::samples::{EXAMPLE, read};

const HEAD: &str = r#""specversion":"1.0","id":"e1","source":"/dms","type":"work.requested""#;

fn structured(body: &str) -> Result<Vec<u8>, Refusal> {
    let envelope = Envelope { content_type: Some("application/CloudEvents+json; charset=utf-8"), headers: &[] };
    inner(envelope, body.as_bytes(), &Rules::default()).map(std::borrow::Cow::into_owned)
}

#[test]
fn a_body_in_no_envelope_passes_through() {
    let envelope = Envelope { content_type: Some("application/json"), headers: &[("traceparent", "00-1-1-00")] };
    assert_eq!(&*inner(envelope, b"not even JSON", &Rules::default()).unwrap(), b"not even JSON");
}

#[test]
fn the_data_of_a_structured_event_is_the_request() {
    let body = format!(r#"{{{HEAD},"traceparent":"x","data":{EXAMPLE}}}"#);
    assert_eq!(read(structured(&body).unwrap()).unwrap(), read(EXAMPLE).unwrap());
}

#[test]
fn data_in_base64_is_decoded() {
    for (text, bytes) in [("", ""), ("eA==", "x"), ("eHk=", "xy"), ("eHl6", "xyz"), ("e30KPz8/Pz4+", "{}\n????>>")] {
        let body = format!(r#"{{{HEAD},"data_base64":"{text}"}}"#);
        assert_eq!(structured(&body).unwrap(), bytes.as_bytes(), "{text}");
    }
    for text in ["e", "eA", "eA=", "eB==", "e-_=", "=eA=", "eA==eA==", "====", " eA=", "eHl="] {
        let refusal = structured(&format!(r#"{{{HEAD},"data_base64":"{text}"}}"#)).expect_err(text);
        assert_eq!((refusal.code, refusal.field.as_deref()), (InvalidField, Some("data_base64")), "{text}");
    }
}

#[test]
fn a_structured_event_with_a_fault_is_refused() {
    let cases: [(String, RefusalCode, &str); 9] = [
        (r#"{"specversion":"1.0","source":"s","type":"t","data":{}}"#.into(), MissingField, "id"),
        (r#"{"id":"e","source":"s","type":"t","data":{}}"#.into(), MissingField, "specversion"),
        (format!(r#"{{{},"data":{{}}}}"#, HEAD.replace("1.0", "0.3")), InvalidField, "specversion"),
        (format!(r#"{{{},"data":{{}}}}"#, HEAD.replace("/dms", "")), InvalidField, "source"),
        (format!("{{{HEAD}}}"), MissingField, "data"),
        (format!(r#"{{{HEAD},"data":1,"data_base64":""}}"#), InvalidField, "data_base64"),
        (format!(r#"{{{HEAD},"data":1,"data":2}}"#), DuplicateKey, "data"),
        (format!(r#"{{{HEAD},"data":1,"":2,"":2}}"#), DuplicateKey, r#""""#),
        (format!(r#"{{{HEAD},"datacontenttype":"text/xml","data":1}}"#), InvalidField, "datacontenttype"),
    ];
    for (body, code, field) in cases {
        let refusal = structured(&body).expect_err(&body);
        assert_eq!((refusal.code, refusal.field.as_deref()), (code, Some(field)), "{body}");
    }
    assert_eq!(structured(&format!(r#"{{{HEAD},"data":{}"#, "[".repeat(1_000_000))).unwrap_err().code, TooDeep);
}

#[test]
fn the_body_of_a_binary_event_is_the_request() {
    for prefix in ["cloudEvents_", "cloudEvents:", "ce-"] {
        let names = ["specversion", "id", "source", "type"].map(|name| format!("{prefix}{name}"));
        let headers: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(["1.0", "e", "s", "t"]).collect();
        let envelope = Envelope { content_type: Some("application/json"), headers: &headers };
        assert_eq!(&*inner(envelope, EXAMPLE.as_bytes(), &Rules::default()).unwrap(), EXAMPLE.as_bytes());
        let envelope = Envelope { content_type: None, headers: &headers[..3] };
        let refusal = inner(envelope, b"{}", &Rules::default()).unwrap_err();
        assert_eq!((refusal.code, refusal.field.as_deref()), (MissingField, Some("type")));
    }
}

#[test]
fn a_batch_is_refused() {
    let envelope = Envelope { content_type: Some("application/cloudevents-batch+json"), headers: &[] };
    let refusal = inner(envelope, b"[]", &Rules::default()).unwrap_err();
    assert_eq!(refusal.to_string(), "content_type: a batch of CloudEvents is not taken; send one event a message");
}
