//! Rows of a store: any bytes are an error, or a value that comes back from its own row as it was.
#![no_main]

use heliograph::engine::event::Refusal;
use heliograph::engine::fairness::Mark;
use heliograph::engine::overrides::Override;
use heliograph::engine::process::Process;
use heliograph::engine::task::{Task, Words};
use heliograph::engine::update::KeptUpdate;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde::Serialize;
use serde::de::DeserializeOwned;

// The first byte says of what the rest is a row.
fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((kind, row)) = bytes.split_first() else { return Corpus::Reject };
    match kind {
        b't' => check::<Task>(row),
        b'p' => check::<Process>(row),
        b'k' => check::<KeptUpdate>(row),
        b'o' => check::<Override>(row),
        b'w' => check::<Words>(row),
        b'm' => check::<Mark>(row),
        b'r' => check::<Refusal>(row),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(row: &[u8]) {
    let Ok(value) = serde_json::from_slice::<T>(row) else { return };
    let written = serde_json::to_vec(&value).expect("a row is JSON");
    let read: T = serde_json::from_slice(&written).expect("it reads back");
    assert_eq!(read, value);
    assert_eq!(serde_json::to_vec(&read).expect("a row is JSON"), written);
}
