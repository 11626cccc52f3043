//! Short ways to write a calendar and an instant.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use heliograph::engine::calendar::{Calendar, CalendarSpec, Closure, DatedEntry, Holiday, HolidayCuts, Shift};
use heliograph::engine::id::CalendarId;
use heliograph::engine::zone::Zone;
use heliograph::roster::zones::Zones;

static ZONES: LazyLock<Zones> = LazyLock::new(Zones::bundled);

/// A zone of the bundled database, so that results do not depend on the machine.
pub fn zone(name: &str) -> Arc<Zone> {
    Arc::new(ZONES.zone(name).expect("a zone"))
}

/// An instant, `2026-03-29T01:00:00Z`.
pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// A date, `2026-03-29`.
pub fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

pub fn shifts(hours: &[&str]) -> Vec<Shift> {
    hours.iter().map(|text| text.parse().expect("hours")).collect()
}

pub fn hours(hours: i64) -> TimeDelta {
    TimeDelta::hours(hours)
}

pub fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

/// A calendar that is never open, to build upon.
pub fn office(zone_name: &str) -> CalendarSpec {
    office_in(zone(zone_name))
}

pub fn office_in(zone: Arc<Zone>) -> CalendarSpec {
    CalendarSpec {
        id: CalendarId::new("office").expect("an id"),
        zone,
        weekly: Default::default(),
        breaks: Default::default(),
        holidays: BTreeMap::new(),
        holiday_cuts: HolidayCuts::Shift,
        dates: Vec::new(),
        closures: Vec::new(),
    }
}

/// Builds upon a spec. Weekdays count from Monday, 0.
pub trait Office: Sized {
    fn on(self, weekdays: &[usize], hours: &[&str]) -> Self;
    fn breaks_on(self, weekdays: &[usize], breaks: &[&str]) -> Self;
    fn holiday(self, date: &str) -> Self;
    fn cutting_dates(self) -> Self;
    fn dated(self, from: &str, until: &str, hours: Option<&[&str]>, breaks: &[&str]) -> Self;
    fn closed(self, closure: Closure) -> Self;
    fn around(self, anchor: &str) -> Calendar;

    fn daily(self, hours: &[&str]) -> Self {
        self.on(&[0, 1, 2, 3, 4, 5, 6], hours)
    }
    fn weekdays(self, hours: &[&str]) -> Self {
        self.on(&[0, 1, 2, 3, 4], hours)
    }
}

impl Office for CalendarSpec {
    fn on(mut self, weekdays: &[usize], hours: &[&str]) -> Self {
        for &weekday in weekdays {
            self.weekly[weekday] = shifts(hours);
        }
        self
    }

    fn breaks_on(mut self, weekdays: &[usize], breaks: &[&str]) -> Self {
        for &weekday in weekdays {
            self.breaks[weekday] = shifts(breaks);
        }
        self
    }

    fn holiday(mut self, date: &str) -> Self {
        self.holidays.insert(day(date), Holiday { name: "a holiday".to_owned(), estimated: false });
        self
    }

    fn cutting_dates(mut self) -> Self {
        self.holiday_cuts = HolidayCuts::Date;
        self
    }

    fn dated(mut self, from: &str, until: &str, hours: Option<&[&str]>, breaks: &[&str]) -> Self {
        let (from, until) = (day(from), day(until));
        self.dates.push(DatedEntry { from, until, hours: hours.map(shifts), breaks: shifts(breaks), planned: false });
        self
    }

    fn closed(mut self, closure: Closure) -> Self {
        self.closures.push(closure);
        self
    }

    fn around(self, anchor: &str) -> Calendar {
        Calendar::new(self, at(anchor))
    }
}

/// The open ranges of a calendar between two instants, as text without seconds.
pub fn open(calendar: &Calendar, from: &str, to: &str) -> Vec<String> {
    let text = |instant: DateTime<Utc>| instant.format("%m-%dT%H:%M").to_string();
    let intervals = calendar.open_intervals(at(from), at(to)).expect("within the horizon");
    intervals.map(|(open, close)| format!("{}/{}", text(open), text(close))).collect()
}

/// London on weekdays, with an hour for lunch.
pub fn london() -> Calendar {
    office("Europe/London")
        .weekdays(&["09:00-17:30"])
        .breaks_on(&[0, 1, 2, 3, 4], &["12:30-13:30"])
        .around("2026-06-01T00:00:00Z")
}
