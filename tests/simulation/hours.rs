//! Open hours by the rules of calendars alone: dates are walked one by one and written times looked up in `chrono-tz`.
//! Instants and spans are milliseconds.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::Tz;
use heliograph::roster::holidays;
use toml::{Table, Value};

/// Open times, each from its first instant to the first that is not open any more, in order.
pub type Spans = Vec<(i64, i64)>;

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
/// A close is a shift end when the team stays closed for this long.
pub const SHIFT_GAP: i64 = 2 * HOUR;

/// The first instant at which the wall clock of a zone reads a time or later.
pub fn instant(zone: Tz, date: NaiveDate, minutes: i64) -> i64 {
    let wanted = date.and_time(NaiveTime::MIN) + TimeDelta::minutes(minutes);
    let local = (0..=180).find_map(|later| zone.from_local_datetime(&(wanted + TimeDelta::minutes(later))).earliest());
    local.expect("a gap of three hours at most").timestamp_millis()
}

/// The open times of a calendar of the roster from one date to another.
pub fn of_calendar(calendar: &Table, from: NaiveDate, until: NaiveDate) -> Spans {
    let zone: Tz = text(calendar, "time_zone").parse().expect("a zone");
    let free = free_days(calendar);
    let (mut shifts, mut breaks) = (Spans::new(), Spans::new());
    for date in from.iter_days().take_while(|date| *date < until) {
        let weekday = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][date.weekday().num_days_from_monday() as usize];
        let weekly = |key: &str| calendar.get(key).and_then(|days| days.get(weekday));
        let entry = dated(calendar, date);
        let own = entry.and_then(|entry| entry.get("hours"));
        let hours = own.or_else(|| weekly("hours").filter(|_| !free.contains(&date)));
        shifts.extend(spans(zone, date, hours));
        breaks.extend(spans(zone, date, weekly("breaks")));
        breaks.extend(spans(zone, date, entry.and_then(|entry| entry.get("breaks"))));
    }
    without(&merged(shifts), &merged(breaks))
}

fn text<'a>(table: &'a Table, key: &str) -> &'a str {
    table[key].as_str().expect("text")
}

fn free_days(calendar: &Table) -> BTreeSet<NaiveDate> {
    let mut days = BTreeSet::new();
    for holiday in calendar.get("holidays").and_then(Value::as_array).into_iter().flatten() {
        let holiday = holiday.as_str().expect("text");
        match holiday.parse() {
            Ok(date) => drop(days.insert(date)),
            Err(_) => days.extend(holidays::region(holiday).expect("a region").days.iter().map(|day| day.date)),
        }
    }
    days
}

fn dated(calendar: &Table, date: NaiveDate) -> Option<&Value> {
    let day =
        |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).map(|it| it.parse::<NaiveDate>().unwrap());
    calendar.get("dates").and_then(Value::as_array)?.iter().find(|entry| match day(entry, "date") {
        Some(only) => only == date,
        None => day(entry, "from") <= Some(date) && Some(date) <= day(entry, "until"),
    })
}

fn spans(zone: Tz, date: NaiveDate, written: Option<&Value>) -> Spans {
    let minutes = |time: &str| {
        let (hours, minutes) = time.split_once(':').expect("a time");
        hours.parse::<i64>().unwrap() * 60 + minutes.parse::<i64>().unwrap()
    };
    let span = |text: &Value| {
        let (start, end) = text.as_str().and_then(|it| it.split_once('-')).expect("a span");
        let (start, end) = (minutes(start), minutes(end));
        let over_night = if end <= start { 24 * 60 } else { 0 };
        (instant(zone, date, start), instant(zone, date, end + over_night))
    };
    written.and_then(Value::as_array).into_iter().flatten().map(span).collect()
}

/// The same times without overlaps.
pub fn merged(mut spans: Spans) -> Spans {
    spans.sort_unstable();
    let mut all = Spans::new();
    for (from, until) in spans.into_iter().filter(|(from, until)| from < until) {
        match all.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => all.push((from, until)),
        }
    }
    all
}

/// What is left of some times when others are taken away.
pub fn without(spans: &Spans, taken: &Spans) -> Spans {
    let (mut left, mut next) = (Spans::new(), 0);
    for &(mut from, until) in spans {
        while next > 0 && taken[next - 1].1 > from {
            next -= 1;
        }
        while next < taken.len() && taken[next].0 < until {
            let (cut_from, cut_until) = taken[next];
            if cut_from > from {
                left.push((from, cut_from));
            }
            from = from.max(cut_until);
            next += 1;
        }
        if from < until {
            left.push((from, until));
        }
    }
    left
}

/// The spans that end after an instant.
fn ahead(spans: &Spans, at: i64) -> &[(i64, i64)] {
    &spans[spans.partition_point(|span| span.1 <= at)..]
}

pub fn is_open(spans: &Spans, at: i64) -> bool {
    ahead(spans, at).first().is_some_and(|span| span.0 <= at)
}

/// The earliest open instant from one on.
pub fn next_open(spans: &Spans, at: i64) -> Option<i64> {
    ahead(spans, at).first().map(|span| span.0.max(at))
}

/// How much open time lies between two instants.
pub fn between(spans: &Spans, from: i64, until: i64) -> i64 {
    let inside = ahead(spans, from).iter().take_while(|span| span.0 < until);
    inside.map(|span| span.1.min(until) - span.0.max(from)).sum()
}

/// The open times of several teams between two instants.
pub fn any_of<'a>(teams: impl Iterator<Item = &'a Spans>, from: i64, until: i64) -> Spans {
    let inside = teams.flat_map(|spans| ahead(spans, from).iter().take_while(|span| span.0 < until));
    merged(inside.map(|span| (span.0.max(from), span.1.min(until))).collect())
}

/// The earliest instant with so much open time behind it.
pub fn add(spans: &Spans, from: i64, mut amount: i64) -> Option<i64> {
    if amount <= 0 {
        return Some(from);
    }
    for span in ahead(spans, from) {
        let start = span.0.max(from);
        if span.1 - start >= amount {
            return Some(start + amount);
        }
        amount -= span.1 - start;
    }
    None
}

/// The end of the shift that is open at an instant: breaks shorter than [`SHIFT_GAP`] are none.
pub fn shift_end(spans: &Spans, at: i64) -> Option<i64> {
    let ahead = ahead(spans, at);
    let mut end = ahead.first().filter(|span| span.0 <= at)?.1;
    for span in &ahead[1..] {
        if span.0 - end >= SHIFT_GAP {
            break;
        }
        end = span.1;
    }
    Some(end)
}

/// Whether the closed time around an instant is a break: shorter than [`SHIFT_GAP`].
pub fn is_break(spans: &Spans, at: i64) -> bool {
    let place = spans.partition_point(|span| span.1 <= at);
    let (Some(before), Some(after)) = (place.checked_sub(1).and_then(|it| spans.get(it)), spans.get(place)) else {
        return false;
    };
    after.0 > at && after.0 - before.1 < SHIFT_GAP
}
