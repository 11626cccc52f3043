//! From local rules to intervals.
//!
//! All arithmetic is on dates, and each local time becomes an instant by the zone alone: nothing adds 24 hours to get
//! tomorrow (rule 11).

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Utc};

use super::{CalendarSpec, Closure, HolidayCuts, Shift, Timeline, intervals};
use crate::engine::zone::Zone;

/// Shifts reach at most to the end of the date after their start; dates further outside cannot matter.
const MARGIN_DAYS: u64 = 3;

/// The open time of `spec` from `from` to `until`.
pub(super) fn compile(spec: &CalendarSpec, from: DateTime<Utc>, until: DateTime<Utc>) -> Timeline {
    let mut day = margin_before(spec.zone.to_local(from).date());
    let last = margin_after(spec.zone.to_local(until).date());
    let exceptions = exceptions(spec, day, last);

    let mut open = Vec::new();
    let mut cuts: Vec<_> = spec.closures.iter().map(|closure| closed_range(&spec.zone, closure)).collect();
    while day <= last {
        if spec.zone.has_date(day) {
            let weekday = day.weekday().num_days_from_monday() as usize;
            let exception = exceptions.get(&day).copied().unwrap_or_default();
            open.extend(hours_on(spec, day, exception).iter().filter_map(|shift| shift_range(&spec.zone, *shift, day)));
            let breaks = spec.breaks[weekday].iter().chain(breaks_on(spec, day, exception));
            cuts.extend(breaks.filter_map(|shift| shift_range(&spec.zone, *shift, day)));
            if cuts_whole_date(spec, day, exception) {
                cuts.extend(date_range(&spec.zone, day));
            }
        }
        let Some(next) = day.succ_opt() else { break };
        day = next;
    }
    let left = intervals::without(intervals::merged(open), &intervals::merged(cuts));
    Timeline::from_merged(from.timestamp_millis(), until.timestamp_millis(), left)
}

/// What the dated entries say about one date.
#[derive(Clone, Copy, Default)]
struct Exception<'a> {
    hours: Option<&'a [Shift]>,
    has_breaks: bool,
}

/// The dates between `first` and `last` that have entries. Of several with hours the last one holds.
fn exceptions(spec: &CalendarSpec, first: NaiveDate, last: NaiveDate) -> BTreeMap<NaiveDate, Exception<'_>> {
    let mut exceptions: BTreeMap<NaiveDate, Exception<'_>> = BTreeMap::new();
    for entry in &spec.dates {
        let end = entry.until.min(last);
        for day in entry.from.max(first).iter_days().take_while(|day| *day <= end) {
            let exception = exceptions.entry(day).or_default();
            exception.hours = entry.hours.as_deref().or(exception.hours);
            exception.has_breaks |= !entry.breaks.is_empty();
        }
    }
    exceptions
}

/// The shifts that start on `day`: dated entry, then holiday, then weekly hours (rules 5 and 6).
fn hours_on<'a>(spec: &'a CalendarSpec, day: NaiveDate, exception: Exception<'a>) -> &'a [Shift] {
    match exception.hours {
        Some(hours) => hours,
        None if spec.holidays.contains_key(&day) => &[],
        None => &spec.weekly[day.weekday().num_days_from_monday() as usize],
    }
}

/// The breaks of every dated entry that covers `day`.
fn breaks_on<'a>(spec: &'a CalendarSpec, day: NaiveDate, exception: Exception<'a>) -> impl Iterator<Item = &'a Shift> {
    let entries = if exception.has_breaks { spec.dates.as_slice() } else { &[] };
    entries.iter().filter(move |entry| (entry.from..=entry.until).contains(&day)).flat_map(|entry| &entry.breaks)
}

fn cuts_whole_date(spec: &CalendarSpec, day: NaiveDate, exception: Exception<'_>) -> bool {
    spec.holiday_cuts == HolidayCuts::Date
        && spec.holidays.contains_key(&day)
        && exception.hours.is_none_or(<[Shift]>::is_empty)
}

fn shift_range(zone: &Zone, shift: Shift, day: NaiveDate) -> Option<(i64, i64)> {
    let (start, end) = shift.on(day)?;
    Some(local_range(zone, start, end))
}

fn date_range(zone: &Zone, day: NaiveDate) -> Option<(i64, i64)> {
    Some(local_range(zone, day.and_time(NaiveTime::MIN), day.succ_opt()?.and_time(NaiveTime::MIN)))
}

fn closed_range(zone: &Zone, closure: &Closure) -> (i64, i64) {
    match *closure {
        Closure::Instants { from, until } => (from.timestamp_millis(), until.timestamp_millis()),
        Closure::Local { from, until } => local_range(zone, from, until),
    }
}

fn local_range(zone: &Zone, start: NaiveDateTime, end: NaiveDateTime) -> (i64, i64) {
    (zone.first_instant(start).timestamp_millis(), zone.first_instant(end).timestamp_millis())
}

fn margin_before(day: NaiveDate) -> NaiveDate {
    day.checked_sub_days(Days::new(MARGIN_DAYS)).unwrap_or(NaiveDate::MIN)
}

fn margin_after(day: NaiveDate) -> NaiveDate {
    day.checked_add_days(Days::new(MARGIN_DAYS)).unwrap_or(NaiveDate::MAX)
}
