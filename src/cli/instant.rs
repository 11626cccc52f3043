//! Instants and minutes on the command line.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Decimals of minutes that are read; more cannot tell milliseconds apart.
const MAX_DECIMALS: usize = 9;
/// Digits before the point: minutes of some 19,000 years.
const MAX_DIGITS: usize = 10;
const MINUTE_MS: i128 = 60_000;

/// Reads RFC 3339.
///
/// # Errors
/// What to write instead.
pub(super) fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    let instant = DateTime::parse_from_rfc3339(text);
    instant
        .map(|instant| instant.to_utc())
        .map_err(|_| "use RFC 3339 with an offset, such as 2026-11-24T17:00:00-05:00".to_owned())
}

/// RFC 3339 in UTC, with no more digits than needed.
pub(super) fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

/// The same for an instant that may be none.
pub(super) fn or_dash(at: Option<DateTime<Utc>>) -> String {
    at.map_or("-".into(), text)
}

/// Reads minutes, whole or decimal, to the nearest millisecond.
///
/// # Errors
/// What to write instead.
pub(super) fn minutes(text: &str) -> Result<TimeDelta, String> {
    let rule = || "use minutes, whole or decimal and not negative, such as 90 or 0.5".to_owned();
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(decimals) || whole.len() > MAX_DIGITS || decimals.len() > MAX_DECIMALS {
        return Err(rule());
    }
    let number: i128 = format!("{whole}{decimals}").parse().map_err(|_| rule())?;
    let scale = 10_i128.pow(u32::try_from(decimals.len()).map_err(|_| rule())?);
    let ms = (number * MINUTE_MS + scale / 2) / scale;
    i64::try_from(ms).ok().and_then(TimeDelta::try_milliseconds).ok_or_else(rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_exact_to_the_millisecond() {
        let ms = |text| minutes(text).map(|span| span.num_milliseconds());
        assert_eq!(ms("90"), Ok(5_400_000));
        assert_eq!(ms("0.5"), Ok(30_000));
        assert_eq!(ms("0.0166667"), Ok(1_000));
        assert_eq!(ms("0"), Ok(0));
    }

    #[test]
    fn what_is_no_number_of_minutes_is_refused() {
        for text in ["", "-5", "+5", "1e3", "1.", ".5", "1.2.3", "99999999999", "1.0000000000", "ninety", "１"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
