//! Updates, of a sender in the body and of a known operator: any bytes are one typed refusal, or an update that comes back
//! from a store as it was.
#![no_main]

mod refusals;

use heliograph::engine::update::{Sender, Update};
use heliograph::wire::Rules;
use heliograph::wire::update::{SenderHint, digest, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let rules = Rules::default();
    for hint in [SenderHint::InBody, SenderHint::Known(Sender::Operator("ana".into()))] {
        match parse(body, &hint, &rules) {
            Ok(update) => {
                let text = serde_json::to_string(&update).expect("an update is JSON");
                let stored: Update = serde_json::from_str(&text).expect("it reads back");
                assert_eq!((&stored, digest(&stored)), (&update, digest(&update)));
            }
            Err(refused) => refusals::check(&refused.refusal, body),
        }
    }
});
