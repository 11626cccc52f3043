//! Single values: each function reads one or reports what is wrong with it.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use toml::de::DeValue;

use super::countries::{self, Doubt};
use super::reader::{Names, Node, Report};
use crate::engine::id::{Id, IdKind};
use crate::engine::request::Place;
use crate::engine::zone::Zone;

/// Characters of a text at most.
pub const MAX_TEXT_CHARS: usize = 200;
/// The longest duration: ten years.
pub const MAX_DURATION_MINUTES: u32 = 10 * 366 * 24 * 60;
/// The dearest hour in cents.
pub const MAX_COST_CENTS: u32 = 100_000_000;

/// Text of 1 to [`MAX_TEXT_CHARS`] characters without control characters.
pub(super) fn text(node: Node, report: &mut Report) -> Option<String> {
    let fits = |text: &str| (1..=MAX_TEXT_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    match string(node) {
        Some(text) if fits(text) => Some(text.to_owned()),
        _ => {
            node.wrong(&format!("text of 1 to {MAX_TEXT_CHARS} printable characters"), report);
            None
        }
    }
}

pub(super) fn boolean(node: Node, report: &mut Report) -> Option<bool> {
    let truth = node.value.as_bool();
    if truth.is_none() {
        node.wrong("true or false", report);
    }
    truth
}

/// A whole number in `range`.
pub(super) fn whole(range: RangeInclusive<u32>) -> impl Fn(Node, &mut Report) -> Option<u32> {
    move |node, report| {
        let number = match node.value {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            node.wrong(&format!("a whole number from {} to {}", range.start(), range.end()), report);
        }
        number
    }
}

/// A level of a skill or a capability, 1..=5.
pub(super) fn level(node: Node, report: &mut Report) -> Option<u8> {
    whole(1..=5)(node, report).and_then(|level| u8::try_from(level).ok())
}

/// An identifier by its grammar.
pub(super) fn id<K: IdKind>(node: Node, report: &mut Report) -> Option<Id<K>> {
    let Some(text) = string(node) else {
        node.wrong(&format!("a {}: {}", K::NAME, K::GRAMMAR), report);
        return None;
    };
    match Id::new(text) {
        Ok(id) => Some(id),
        Err(error) => {
            report.fault(node.at, error.to_string());
            None
        }
    }
}

/// An identifier that something in the roster has.
pub(super) fn reference<K: IdKind>(names: &Names) -> impl Fn(Node, &mut Report) -> Option<Id<K>> {
    move |node, report| id(node, report).filter(|id: &Id<K>| names.check(id.as_str(), node.at, report))
}

/// A country that exists, or a subdivision of one.
pub(super) fn place(node: Node, report: &mut Report) -> Option<Place> {
    known_place(node, countries::check, report)
}

/// The law of a country, of a subdivision of one, or of a union of countries.
pub(super) fn jurisdiction(node: Node, report: &mut Report) -> Option<Place> {
    known_place(node, countries::check_jurisdiction, report)
}

fn known_place(node: Node, check: fn(&Place) -> Result<(), Doubt>, report: &mut Report) -> Option<Place> {
    let Some(text) = string(node) else {
        node.wrong("a two-letter country, such as \"US\", or a subdivision, such as \"US-NY\"", report);
        return None;
    };
    let place = Place::new(text).map_err(|error| report.fault(node.at, error.to_string())).ok()?;
    match check(&place) {
        Ok(()) => {}
        Err(Doubt::NoCountry(message)) => report.fault(node.at, message),
        Err(Doubt::UnknownSubdivision(message)) => report.warn(node.at, message),
    }
    Some(place)
}

/// `"*"` as all, or a single value.
pub(super) fn all_or<T>(
    read: impl Fn(Node, &mut Report) -> Option<T>,
) -> impl Fn(Node, &mut Report) -> Option<Option<T>> {
    move |node, report| if string(node) == Some("*") { Some(None) } else { read(node, report).map(Some) }
}

/// One of a few words.
pub(super) fn choice<T: Copy>(choices: &[(&str, T)]) -> impl Fn(Node, &mut Report) -> Option<T> {
    move |node, report| {
        let found = choices.iter().find(|(word, _)| string(node) == Some(word));
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
            node.wrong(&words.join(" or "), report);
        }
        found.map(|(_, value)| *value)
    }
}

/// A span such as `"15m"`, `"4h"`, `"1h30m"` or `"2d"` in minutes; a day is 24 hours.
pub(super) fn minutes(node: Node, report: &mut Report) -> Option<u32> {
    let minutes = string(node).and_then(seconds_of).filter(|seconds| seconds % 60 == 0).map(|seconds| seconds / 60);
    let minutes = minutes.and_then(|minutes| u32::try_from(minutes).ok());
    let minutes = minutes.filter(|minutes| *minutes <= MAX_DURATION_MINUTES);
    if minutes.is_none() {
        node.wrong("a span in whole minutes of at most ten years, such as \"15m\", \"1h30m\" or \"2d\"", report);
    }
    minutes
}

/// As [`minutes`], and not zero.
pub(super) fn some_minutes(node: Node, report: &mut Report) -> Option<u32> {
    let minutes = minutes(node, report)?;
    if minutes == 0 {
        node.wrong("a span of at least one minute", report);
    }
    Some(minutes).filter(|minutes| *minutes > 0)
}

/// A span such as `"60s"` in seconds, from 1 second to 1 day.
pub(super) fn seconds(node: Node, report: &mut Report) -> Option<u32> {
    let seconds = string(node).and_then(seconds_of).filter(|seconds| (1..=86_400).contains(seconds));
    if seconds.is_none() {
        node.wrong("a span from \"1s\" to \"1d\"", report);
    }
    seconds.and_then(|seconds| u32::try_from(seconds).ok())
}

/// Currency units with at most two decimals, in cents: `42`, `42.5` or `"42.50"`.
pub(super) fn cents(node: Node, report: &mut Report) -> Option<u32> {
    let cents = hundredths(node).filter(|cents| *cents <= MAX_COST_CENTS);
    if cents.is_none() {
        node.wrong(&format!("an amount from 0 to {} with at most two decimals", MAX_COST_CENTS / 100), report);
    }
    cents
}

/// A fraction of a target with at most two decimals, as a percentage in `range`.
pub(super) fn percent(range: RangeInclusive<u8>) -> impl Fn(Node, &mut Report) -> Option<u8> {
    move |node, report| {
        let percent = hundredths(node).and_then(|percent| u8::try_from(percent).ok());
        let percent = percent.filter(|percent| range.contains(percent));
        if percent.is_none() {
            let shown = |percent: u8| f32::from(percent) / 100.0;
            let (least, most) = (shown(*range.start()), shown(*range.end()));
            node.wrong(&format!("a fraction from {least} to {most} with at most two decimals"), report);
        }
        percent
    }
}

/// A date, written as text or bare: `"2027-03-31"` or `2027-03-31`.
pub(super) fn date(node: Node, report: &mut Report) -> Option<NaiveDate> {
    let date = written_time(node).and_then(|text| date_of(&text));
    if date.is_none() {
        node.wrong("a date, such as \"2026-12-31\"", report);
    }
    date
}

/// The first instant at which something that lasts until a written time is over: a date lasts to its end in `zone`, an
/// RFC 3339 time is the end itself.
pub(super) fn expiry(zone: &Zone) -> impl Fn(Node, &mut Report) -> Option<DateTime<Utc>> {
    move |node, report| {
        let text = written_time(node);
        let of_date = |text: &str| Some(zone.first_instant(date_of(text)?.succ_opt()?.and_time(NaiveTime::MIN)));
        let of_instant = |text: &str| DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc());
        let expiry = text.as_deref().and_then(|text| of_date(text).or_else(|| of_instant(text)));
        if expiry.is_none() {
            node.wrong("a date, such as \"2027-06-30\", or an RFC 3339 time", report);
        }
        expiry
    }
}

/// The text of a string.
pub(super) fn string(node: Node<'_>) -> Option<&str> {
    node.value.as_str()
}

/// A date by its text, `YYYY-MM-DD` and nothing else.
pub(super) fn date_of(text: &str) -> Option<NaiveDate> {
    (text.len() == 10).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten()
}

/// A string, or a bare TOML date or time as text.
fn written_time(node: Node) -> Option<String> {
    match node.value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        _ => None,
    }
}

/// Numbers with units, largest first, each unit at most once.
fn seconds_of(text: &str) -> Option<u64> {
    const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
    let (mut rest, mut total, mut units) = (text, 0_u64, UNITS.iter());
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, tail) = rest.split_at(digits);
        let unit = tail.chars().next()?;
        let (_, seconds) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*seconds)?)?;
        rest = &tail[1..];
    }
    (!text.is_empty()).then_some(total)
}

/// A number with at most two decimals, times a hundred, exactly.
fn hundredths(node: Node) -> Option<u32> {
    let text = match node.value {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        DeValue::String(text) => text,
        _ => return None,
    };
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || decimals.len() > 2 || !is_digits(whole) || !is_digits(decimals) || text.ends_with('.') {
        return None;
    }
    let hundredths = format!("{decimals:0<2}").parse::<u32>().ok()?;
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(hundredths)
}
