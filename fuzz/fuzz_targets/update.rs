//! Updates, of a sender in the body and of one that is known: any bytes are one typed refusal, or an update that is the
//! same when its fields come in another order, whoever is known to send it, and when it comes back from a store.
#![no_main]

mod plain;
mod refusals;

use heliograph::engine::event::RefusalCode;
use heliograph::engine::id::TeamId;
use heliograph::engine::update::{Sender, Update};
use heliograph::wire::Rules;
use heliograph::wire::update::{SenderHint, digest, parse};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let rules = Rules::default();
    let operator = SenderHint::Known(Sender::Operator("ana".into()));
    for hint in [SenderHint::InBody, operator] {
        match parse(body, &hint, &rules) {
            Ok(update) => {
                let text = serde_json::to_string(&update).expect("an update is JSON");
                let stored: Update = serde_json::from_str(&text).expect("it reads back");
                assert_eq!((&stored, digest(&stored)), (&update, digest(&update)));
                let sorted: Value = serde_json::from_slice(body).expect("it is JSON");
                assert_eq!(parse(format!("{sorted:#}").as_bytes(), &hint, &rules).as_ref(), Ok(&update));
                if hint == SenderHint::InBody {
                    by_somebody_known(body, &update, &rules);
                }
            }
            Err(refused) => refusals::check(&refused.refusal, body),
        }
    }
});

/// Who the body names may send it, and nobody else.
fn by_somebody_known(body: &[u8], update: &Update, rules: &Rules) {
    let known = SenderHint::Known(update.sender.clone());
    assert_eq!(parse(body, &known, rules).as_ref(), Ok(update));
    let other = ["sydney", "london"].map(|team| Sender::Team(TeamId::new(team).expect("an id")));
    let other = other.into_iter().find(|team| *team != update.sender).expect("one of two is another");
    let refused = parse(body, &SenderHint::Known(other), rules).expect_err("it names another");
    assert_eq!(refused.refusal.code, RefusalCode::Identity);
}
