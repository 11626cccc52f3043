//! Business minutes for people and messages.

use std::fmt;

use chrono::TimeDelta;

/// Milliseconds of a minute.
const MINUTE_MS: u64 = 60_000;
/// Decimals that tell any two milliseconds apart.
const DECIMALS: u32 = 7;

/// Prints a span in minutes without trailing zeros: `90`, `0.5`, `-1.25` (rule 16). Spans are exact to the millisecond; one
/// that has no finite decimal form, such as a second, is rounded to seven decimals, from which the millisecond can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minutes(pub TimeDelta);

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.num_milliseconds();
        let (whole, rest_ms) = (ms.unsigned_abs() / MINUTE_MS, ms.unsigned_abs() % MINUTE_MS);
        let scale = 10_u64.pow(DECIMALS);
        let decimals = format!("{:07}", (rest_ms * scale + MINUTE_MS / 2) / MINUTE_MS);
        let decimals = decimals.trim_end_matches('0');
        let sign = if ms < 0 { "-" } else { "" };
        let point = if decimals.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{decimals}")
    }
}
