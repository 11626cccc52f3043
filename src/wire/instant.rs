//! Instants on the wire: RFC 3339 or RFC 9557 in, RFC 3339 in UTC out.
//!
//! With a zone in brackets the offset and the zone must agree; `Z` before a zone states no offset (RFC 9557, 2.2) and
//! agrees with all.

use chrono::{DateTime, Datelike, SecondsFormat, SubsecRound, Utc};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZoneDatabase;

use super::json::shown;
use super::rules::YEARS;

/// Longest text that can be an instant with a zone.
const MAX_CHARS: usize = 128;

const PARSER: DateTimeParser = DateTimeParser::new();

/// Reads an instant; the error says what is wrong and what to do.
pub(super) fn parse(text: &str, zones: &TimeZoneDatabase) -> Result<DateTime<Utc>, String> {
    let not_an_instant = || {
        format!(
            "{} is not an instant with an offset; use RFC 3339, such as 2026-11-24T17:00:00-05:00, \
             with a zone in brackets if you like",
            shown(text)
        )
    };
    if text.len() > MAX_CHARS {
        return Err(not_an_instant());
    }
    let (plain, zone) = text.split_at(text.find('[').unwrap_or(text.len()));
    let local = DateTime::parse_from_rfc3339(plain).map_err(|_| not_an_instant())?;
    if !YEARS.contains(&local.year()) || !YEARS.contains(&local.to_utc().year()) {
        let (first, last) = YEARS.into_inner();
        return Err(format!("{} is outside the years {first} to {last}; use a year inside", shown(text)));
    }
    if local.timestamp_subsec_nanos() >= 1_000_000_000 {
        return Err(format!("{} is a leap second; use the second before or after", shown(text)));
    }
    if !zone.is_empty() {
        PARSER.parse_zoned_with(zones, text).map_err(|_| {
            format!("{} has a zone that is unknown or does not have this offset then; correct one of them", shown(text))
        })?;
    }
    Ok(local.to_utc())
}

/// An instant as messages carry it: UTC with milliseconds.
pub(super) fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// An instant cut to the resolution of the wire, a millisecond.
pub(super) fn truncated(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(3)
}
