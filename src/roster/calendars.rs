//! `[calendars.<id>]`: from hours, holidays, dates and feeds to the rules of a calendar.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use super::reader::{At, Fields, Node, Report};
use super::source::{Source, is_feed_name};
use super::zones::Zones;
use super::{holidays, ics, values};
use crate::engine::calendar::{Calendar, CalendarSpec, Closure, DatedEntry, Holiday, HolidayCuts, Shift};
use crate::engine::id::CalendarId;
use crate::engine::zone::Zone;

/// Calendars of a roster at most.
pub const MAX_CALENDARS: usize = 10_000;
/// Region codes and single dates in `holidays` at most.
pub const MAX_HOLIDAYS: usize = 400;
/// Shifts or breaks of one day at most.
pub const MAX_SHIFTS_PER_DAY: usize = 24;
/// Dated entries of a calendar at most.
pub const MAX_DATES: usize = 2_000;
/// Dates that one entry spans at most.
pub const MAX_DATES_PER_ENTRY: i64 = 3_660;
/// Feeds of a calendar at most.
pub const MAX_FEEDS: usize = 16;
/// Age over which a feed gives a warning, unless it says otherwise.
pub const DEFAULT_FEED_AGE_DAYS: u32 = 90;
/// Years, that of the load and the ones after it, for which holidays must be known; a missing one gives a warning.
pub const HOLIDAY_YEARS: i32 = 2;

pub(super) const CUTS: [(&str, HolidayCuts); 2] = [("shift", HolidayCuts::Shift), ("date", HolidayCuts::Date)];
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// What calendars are read with.
pub(super) struct Surroundings<'a> {
    pub sources: &'a [Source],
    pub zones: &'a Zones,
    pub anchor: DateTime<Utc>,
}

impl Surroundings<'_> {
    /// All calendars of the roster, faulty ones left out.
    pub fn calendars(&self, nodes: &[(At, Node)], report: &mut Report) -> BTreeMap<CalendarId, Arc<Calendar>> {
        let mut zones = BTreeMap::new();
        let mut calendars = BTreeMap::new();
        for (at, node) in nodes {
            if let Some(spec) = self.calendar(*at, *node, &mut zones, report) {
                calendars.entry(spec.id.clone()).or_insert_with(|| Arc::new(Calendar::new(spec, self.anchor)));
            }
        }
        calendars
    }

    fn calendar(
        &self,
        at: At,
        node: Node,
        zones: &mut BTreeMap<String, Arc<Zone>>,
        report: &mut Report,
    ) -> Option<CalendarSpec> {
        let id = CalendarId::new(node.name).map_err(|error| report.fault(at, error.to_string())).ok();
        let mut fields = Fields::of(node, format!("calendar {:?}", node.name), report)?;
        fields.at = at;
        let zone = fields.need("time_zone", report, |node, report| self.zone(node, zones, report));
        let holiday_nodes = fields.list("holidays", MAX_HOLIDAYS, report, |node, _| Some(node));
        let holiday_cuts = fields.read("holiday_cuts", report, values::choice(&CUTS)).unwrap_or_default();
        let weekly = fields.get("hours").map(|node| week(node, report)).unwrap_or_default();
        let breaks = fields.get("breaks").map(|node| week(node, report)).unwrap_or_default();
        let dates = dates(&mut fields, report);
        let closures = fields.list("ics", MAX_FEEDS, report, |node, report| self.feed(node, report));
        let is_open_ever = weekly.iter().any(|day| !day.is_empty())
            || dates.iter().any(|entry| entry.hours.as_ref().is_some_and(|hours| !hours.is_empty()));
        if !is_open_ever {
            report.warn(at, format!("{} has no hours: it is never open", fields.what));
        }
        fields.finish(report);
        let holidays = self.holidays(&holiday_nodes, report);
        let closures = closures.into_iter().flatten().collect();
        Some(CalendarSpec { id: id?, zone: zone?, weekly, breaks, holidays, holiday_cuts, dates, closures })
    }

    /// A zone of the database; calendars that name the same one share its table.
    fn zone(&self, node: Node, zones: &mut BTreeMap<String, Arc<Zone>>, report: &mut Report) -> Option<Arc<Zone>> {
        let Some(name) = values::string(node) else {
            node.wrong("an IANA name, such as \"Asia/Kolkata\"", report);
            return None;
        };
        if let Some(zone) = zones.get(name) {
            return Some(Arc::clone(zone));
        }
        let zone = self.zones.zone(name).map_err(|error| report.fault(node.at, error.to_string())).ok()?;
        let zone = Arc::new(zone);
        zones.insert(name.to_owned(), Arc::clone(&zone));
        Some(zone)
    }

    /// Region codes and single dates as holidays by date; a date that is listed has its region's name where there is one.
    fn holidays(&self, nodes: &[Node], report: &mut Report) -> BTreeMap<NaiveDate, Holiday> {
        let mut listed = BTreeMap::new();
        let mut regions = Vec::new();
        for node in nodes {
            let own_date = node.value.as_datetime().map(ToString::to_string);
            let Some(text) = values::string(*node).or(own_date.as_deref()) else {
                node.wrong("a region code, such as \"GB-ENG\", or a date, such as \"2026-12-24\"", report);
                continue;
            };
            if text.starts_with(|first: char| first.is_ascii_digit()) {
                let date = values::date(*node, report);
                listed.extend(
                    date.map(|date| (date, Holiday { name: "listed in the roster".to_owned(), estimated: false })),
                );
            } else {
                match holidays::region(text) {
                    Ok(region) => regions.push((*node, region)),
                    Err(error) => report.fault(node.at, error.to_string()),
                }
            }
        }
        for (node, region) in &regions {
            self.warn_of_unknown_years(*node, region, &listed, report);
        }
        let days = regions.into_iter().flat_map(|(_, region)| region.days);
        let mut holidays = listed;
        holidays.extend(days.map(|day| (day.date, Holiday { name: day.name.to_owned(), estimated: day.estimated })));
        holidays
    }

    /// A year that the data does not cover is known when the roster lists a date of it.
    fn warn_of_unknown_years(
        &self,
        node: Node,
        region: &holidays::Region,
        listed: &BTreeMap<NaiveDate, Holiday>,
        report: &mut Report,
    ) {
        let first = self.anchor.year();
        let is_known = |year: &i32| region.years.contains(year) || listed.keys().any(|date| date.year() == *year);
        let unknown = (first..first + HOLIDAY_YEARS).filter(|year| !is_known(year));
        let years: Vec<_> = unknown.map(|year| year.to_string()).collect();
        if !years.is_empty() {
            let (code, years) = (region.code, years.join(", "));
            report.warn(node.at, format!("holidays of {code} are not known for {years}: list their dates here"));
        }
    }

    /// The closures of `{ file, max_age_days }`; a stale feed is used, with a warning.
    fn feed(&self, node: Node, report: &mut Report) -> Option<Vec<Closure>> {
        let mut fields = Fields::of(node, "the feed", report)?;
        let file = fields.need("file", report, |node, _| Some(node));
        let max_age_days = fields.read("max_age_days", report, values::whole(1..=3_660));
        fields.finish(report);
        let node = file?;
        let Some(name) = values::string(node).filter(|name| is_feed_name(name)) else {
            node.wrong("the name of an .ics file beside the roster", report);
            return None;
        };
        let Some(source) = self.sources.iter().find(|source| source.name.as_ref() == name) else {
            report.fault(node.at, format!("feed {name:?} cannot be read: put it beside the roster"));
            return None;
        };
        match ics::read(source.text.as_bytes(), self.zones) {
            Ok(feed) => {
                let limit = TimeDelta::days(i64::from(max_age_days.unwrap_or(DEFAULT_FEED_AGE_DAYS)));
                if let Some(stamped_at) = feed.stamped_at.filter(|stamped_at| self.anchor - *stamped_at > limit) {
                    let days = (self.anchor - stamped_at).num_days();
                    report.warn(
                        node.at,
                        format!("feed {name:?} is {days} days old, the limit is {}: export it again", limit.num_days()),
                    );
                }
                Some(feed.closures.into_iter().map(|named| named.closure).collect())
            }
            Err(error) => {
                report.fault(node.at, format!("feed {name:?}: {error}"));
                None
            }
        }
    }
}

/// Hours or breaks by day of the week, Monday first.
fn week(node: Node, report: &mut Report) -> [Vec<Shift>; 7] {
    let mut week: [Vec<Shift>; 7] = Default::default();
    let Some(mut fields) = Fields::of(node, node.name, report) else { return week };
    for (day, shifts) in DAYS.into_iter().zip(&mut week) {
        *shifts = fields.set(day, MAX_SHIFTS_PER_DAY, report, shift);
    }
    fields.finish(report);
    week
}

fn shift(node: Node, report: &mut Report) -> Option<Shift> {
    let Some(text) = values::string(node) else {
        node.wrong("hours of the form \"HH:MM-HH:MM\", such as \"09:00-17:30\"", report);
        return None;
    };
    Shift::from_str(text).map_err(|error| report.fault(node.at, error.to_string())).ok()
}

/// The dated entries, and a fault for a range of dates whose hours are given twice.
fn dates(fields: &mut Fields, report: &mut Report) -> Vec<DatedEntry> {
    let entries = fields.list("dates", MAX_DATES, report, |node, report| Some((node.at, dated_entry(node, report)?)));
    let mut first: BTreeMap<(NaiveDate, NaiveDate), At> = BTreeMap::new();
    for (at, entry) in entries.iter().filter(|(_, entry)| entry.hours.is_some()) {
        if let Some(other) = first.insert((entry.from, entry.until), *at) {
            let line = report.line_of(other);
            report.fault(*at, format!("the hours of {} are given twice: the first are at {line}", range(entry)));
        }
    }
    entries.into_iter().map(|(_, entry)| entry).collect()
}

fn range(entry: &DatedEntry) -> String {
    if entry.from == entry.until { entry.from.to_string() } else { format!("{} to {}", entry.from, entry.until) }
}

fn dated_entry(node: Node, report: &mut Report) -> Option<DatedEntry> {
    let mut fields = Fields::of(node, "the dated entry", report)?;
    let has = |key| node.value.get(key).is_some();
    let is_range = has("from") || has("until");
    if has("date") == is_range {
        report.fault(node.at, "the dated entry needs either \"date\" or both \"from\" and \"until\"");
    }
    let (from, until) = if is_range {
        fields.read("date", report, values::date);
        (fields.need("from", report, values::date), fields.need("until", report, values::date))
    } else {
        let date = fields.read("date", report, values::date);
        // Known, though not there.
        let _ = (fields.get("from"), fields.get("until"));
        (date, date)
    };
    let hours = fields.get("hours").map(|node| shifts(node, report));
    let breaks = fields.get("breaks").map(|node| shifts(node, report)).unwrap_or_default();
    if hours.is_none() && breaks.is_empty() {
        report.fault(node.at, "the dated entry changes nothing: give \"hours\" ([] is closed) or \"breaks\"");
    }
    let planned = fields.read("planned", report, values::boolean).unwrap_or(false);
    if planned && hours.as_ref().is_none_or(|hours| !hours.is_empty()) {
        report.fault(node.at, "\"planned\" is for a closure that is meant: give \"hours\" = [] with it");
    }
    fields.finish(report);
    let (from, until) = (from?, until?);
    let dates = (until - from).num_days() + 1;
    if !(1..=MAX_DATES_PER_ENTRY).contains(&dates) {
        report.fault(
            node.at,
            format!("the dated entry runs from {from} until {until}: use 1 to {MAX_DATES_PER_ENTRY} dates"),
        );
        return None;
    }
    Some(DatedEntry { from, until, hours, breaks, planned })
}

fn shifts(node: Node, report: &mut Report) -> Vec<Shift> {
    let elements = node.array(MAX_SHIFTS_PER_DAY, report);
    elements.into_iter().filter_map(|element| shift(element, report)).collect()
}
