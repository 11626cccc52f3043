//! Requests: any bytes are one typed refusal, or a request that white space does not change.
#![no_main]

mod refusals;

use heliograph::wire::Rules;
use heliograph::wire::request::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let rules = Rules::default();
    match parse(body, &rules) {
        Ok(parsed) => {
            let spaced = [b"\n ", body, b"\t\r\n"].concat();
            assert_eq!(parse(&spaced, &rules).as_ref(), Ok(&parsed), "white space around it counts");
            assert!(
                parsed.payload.is_empty()
                    || serde_json::from_slice::<&serde_json::value::RawValue>(&parsed.payload).is_ok()
            );
        }
        Err(refused) => refusals::check(&refused.refusal, body),
    }
});
