//! Rosters: any text has faults that say where they are, or is a roster that its own text makes again.
#![no_main]

use chrono::DateTime;
use heliograph::roster::parse_text;
use heliograph::roster::zones::ZoneSource;
use libfuzzer_sys::fuzz_target;

/// 2026-11-24T12:00:00Z, in seconds.
const ANCHOR: i64 = 1_795_521_600;

fuzz_target!(|text: &str| {
    let anchor = DateTime::from_timestamp(ANCHOR, 0).expect("an instant");
    match parse_text(text, ZoneSource::Bundled, anchor) {
        Ok(loaded) => {
            let again = parse_text(&loaded.text, ZoneSource::Bundled, anchor).expect("its text is a roster");
            assert_eq!(again.roster.digest, loaded.roster.digest);
            assert_eq!(again.roster.teams.len(), loaded.roster.teams.len());
        }
        Err(faults) => {
            assert!(!faults.0.is_empty());
            assert!(faults.0.iter().all(|fault| !fault.to_string().trim().is_empty()));
        }
    }
});
