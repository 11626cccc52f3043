//! Rosters: any text has faults that say where they are, or is a roster that its own text makes again.
#![no_main]

mod plain;

use chrono::DateTime;
use heliograph::engine::difference;
use heliograph::roster::zones::ZoneSource;
use heliograph::roster::{Finding, MAX_FINDINGS, Source, join, parse_text, split};
use libfuzzer_sys::fuzz_target;

/// 2026-11-24T12:00:00Z, in seconds.
const ANCHOR: i64 = 1_795_521_600;
/// A finding quotes what it is about only in part, but for names that the file itself gives.
const MAX_FINDING_BYTES: usize = 65_536;

fuzz_target!(|text: &str| {
    let anchor = DateTime::from_timestamp(ANCHOR, 0).expect("an instant");
    let sources = split(text);
    match parse_text(text, ZoneSource::Bundled, anchor) {
        Ok(loaded) => {
            let again = parse_text(&loaded.text, ZoneSource::Bundled, anchor).expect("its text is a roster");
            assert_eq!(again.roster.digest, loaded.roster.digest);
            assert_eq!(join(&split(&loaded.text)), loaded.text);
            assert_eq!(difference::between(&loaded.roster, &again.roster), []);
            assert_eq!(again.warnings, loaded.warnings);
            loaded.warnings.iter().for_each(|warning| check(warning, &sources));
        }
        Err(faults) => {
            assert!((1..=MAX_FINDINGS + 1).contains(&faults.0.len()), "{} faults", faults.0.len());
            faults.0.iter().for_each(|fault| check(fault, &sources));
        }
    }
});

/// It is one line, nothing in it is invisible, and it stands where it says.
fn check(finding: &Finding, sources: &[Source]) {
    assert!(plain::is_plain(&finding.to_string(), MAX_FINDING_BYTES), "{finding:?}");
    if finding.line == 0 {
        return;
    }
    // Two files may have the same name.
    let mut named = sources.iter().filter(|source| source.name == finding.file);
    let line_of =
        |source: &Source| source.text.split('\n').nth(finding.line as usize - 1).map(|line| line.chars().count());
    let has_place = |columns: usize| (1..=columns + 1).contains(&(finding.column as usize));
    assert!(named.any(|source| line_of(source).is_some_and(has_place)), "{finding:?}");
}
