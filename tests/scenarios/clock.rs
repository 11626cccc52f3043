//! Local times: `Tue 2026-11-24 09:00 London`, with the parts left out that the moment of the line says already.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

/// Where and when a line of a story is told.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    pub at: DateTime<Utc>,
    pub zone: Tz,
}

/// The cities that stories may name.
pub struct Cities(BTreeMap<String, Tz>);

impl Cities {
    /// Every city of the zone names, and every calendar of the roster by its id.
    pub fn new<'a>(calendars: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let city = |zone: &Tz| zone.name().rsplit('/').next().map(|city| (city.replace('_', " "), *zone));
        let mut cities: BTreeMap<String, Tz> = chrono_tz::TZ_VARIANTS.iter().filter_map(city).collect();
        for (id, zone) in calendars {
            let name: Vec<String> = id.split('-').map(capital).collect();
            cities.insert(name.join(" "), zone.parse().expect("a zone"));
        }
        Self(cities)
    }

    /// The zone that the words begin with, and how many of them name it.
    fn leading(&self, words: &[&str]) -> Option<(Tz, usize)> {
        (1..=words.len().min(3)).rev().find_map(|many| Some((*self.0.get(&words[..many].join(" "))?, many)))
    }

    /// The time that the words begin with, and how many they are: `[Tue 2026-11-24] 09:00[:30] [City]`.
    pub fn time(&self, words: &[&str], near: Option<Moment>) -> Result<Option<(Moment, usize)>, String> {
        let mut taken = 0;
        let weekday = words.first().filter(|word| WEEKDAYS.contains(word));
        taken += usize::from(weekday.is_some());
        let date = words.get(taken).and_then(|word| NaiveDate::parse_from_str(word, "%Y-%m-%d").ok());
        taken += usize::from(date.is_some());
        let Some(time) = words.get(taken).and_then(|word| time_of_day(word)) else { return Ok(None) };
        taken += 1;
        let named = self.leading(&words[taken..]);
        taken += named.map_or(0, |(_, many)| many);
        let zone = named.map(|(zone, _)| zone).or(near.map(|it| it.zone)).ok_or("name the city of a time")?;
        let date = date.or(near.map(|it| it.at.with_timezone(&zone).date_naive())).ok_or("give the date of a time")?;
        let said = weekday.map(|word| WEEKDAYS.iter().position(|it| it == word));
        let really = usize::try_from(date.weekday().num_days_from_monday()).expect("a weekday");
        if said.is_some_and(|said| said != Some(really)) {
            return Err(format!("{date} is a {}", WEEKDAYS[really]));
        }
        Ok(Some((Moment { at: first_instant(zone, date, time), zone }, taken)))
    }
}

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn time_of_day(word: &str) -> Option<NaiveTime> {
    ["%H:%M", "%H:%M:%S"].iter().find_map(|form| NaiveTime::parse_from_str(word, form).ok())
}

/// The first instant at which the wall clock of a zone reads a time or later.
fn first_instant(zone: Tz, date: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    let wanted = date.and_time(time);
    let found = (0..=180).find_map(|later| zone.from_local_datetime(&(wanted + TimeDelta::minutes(later))).earliest());
    found.expect("a gap of three hours at most").to_utc()
}

/// An instant as it is written in a story at a moment.
pub fn written(at: DateTime<Utc>, near: Moment) -> String {
    let (local, here) = (at.with_timezone(&near.zone), near.at.with_timezone(&near.zone));
    let time = if local.timestamp() % 60 == 0 { "%H:%M" } else { "%H:%M:%S" };
    let date = if local.date_naive() == here.date_naive() { String::new() } else { "%a %Y-%m-%d ".to_owned() };
    local.format(&format!("{date}{time}")).to_string()
}
