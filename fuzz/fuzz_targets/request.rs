//! Requests: any bytes are one typed refusal, or a request that is the same, with the same digest, when it is written anew.
#![no_main]

mod plain;
mod refusals;

use heliograph::wire::Rules;
use heliograph::wire::request::{Parsed, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let rules = Rules::default();
    match parse(body, &rules) {
        Ok(parsed) => {
            let spaced = [b"\n ", body, b"\t\r\n"].concat();
            assert_eq!(parse(&spaced, &rules).as_ref(), Ok(&parsed), "white space around it counts");
            let again = written(&parsed);
            assert_eq!(parse(again.as_bytes(), &rules).as_ref(), Ok(&parsed), "{again}");
        }
        Err(refused) => refusals::check(&refused.refusal, body),
    }
});

/// The request as a firm would write it, its fields in another order and null where they are absent.
fn written(parsed: &Parsed) -> String {
    let mut fields = serde_json::to_value(&parsed.request).expect("a request is JSON");
    let client = format!("{}/", parsed.request.client);
    let after = parsed.request.after.iter().map(|task| task.as_str().strip_prefix(&client).expect("the client's own"));
    fields["after"] = after.collect();
    let fields = fields.as_object_mut().expect("an object");
    fields.remove("digest");
    // None given is no process of no steps.
    fields.retain(|name, value| name != "steps" || *value != json!([]));
    let mut members: Vec<String> =
        fields.iter().rev().map(|(name, value)| format!("{}: {value:#}", Value::from(name.as_str()))).collect();
    if !parsed.payload.is_empty() {
        let payload: &RawValue = serde_json::from_slice(&parsed.payload).expect("a payload is JSON");
        members.insert(0, format!("\"payload\": {payload}"));
    }
    format!("{{ {} }}", members.join(" ,\n"))
}
