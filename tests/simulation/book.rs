//! The roster as the rules read it: straight from its text, nothing of the engine in between.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chrono::{DateTime, NaiveDate};
use heliograph::engine::request::Presence;
use toml::{Table, Value};

use super::hours::{self, MINUTE, Spans};

pub struct Book {
    pub calendars: BTreeMap<String, Rc<Spans>>,
    /// In the order of their ids.
    pub teams: Vec<Team>,
    pub clients: BTreeMap<String, Client>,
    pub work_types: BTreeMap<String, WorkType>,
    pub policies: BTreeMap<String, Vec<Promise>>,
    /// Minutes after which a pause stops no clock any more.
    pub pause_caps: BTreeMap<String, Option<i64>>,
    pub walls: Vec<(String, String, Option<String>)>,
}

pub struct Team {
    pub id: String,
    pub country: String,
    pub region: String,
    pub hours: Rc<Spans>,
    pub seats: Option<i64>,
    pub effort_hours: Option<i64>,
    pub urgent_reserve: i64,
    pub held: Vec<Held>,
    pub skills: BTreeMap<String, i64>,
    pub vetted_until: i64,
    pub accepts_by_policy: bool,
    pub retired: bool,
}

/// A capability.
pub struct Held {
    pub jurisdiction: String,
    pub specialty: String,
    pub languages: BTreeSet<String>,
    pub admitted_until: i64,
}

pub struct Client {
    pub country: String,
    pub offshoring: String,
    pub residency: Vec<String>,
    pub allowed: Vec<String>,
    pub denied: Vec<String>,
    pub hours: Rc<Spans>,
    pub sla: String,
}

#[derive(Clone, Default)]
pub struct WorkType {
    pub presence: Presence,
    pub specialty: Option<String>,
    pub languages: Vec<String>,
    pub skills: BTreeMap<String, i64>,
    pub effort_minutes: i64,
    pub never_moves: bool,
}

/// A clock of a policy.
#[derive(Clone, Debug)]
pub struct Promise {
    pub name: String,
    pub start: String,
    pub stop: String,
    pub target: i64,
    pub basis: String,
    pub pause_on: Vec<String>,
    /// Hundredths of the target.
    pub warn_at: Vec<i64>,
}

/// The built-in catalogue.
const CATALOGUE: [(&str, Presence, Option<&str>, i64); 12] = [
    ("document_review", Presence::None, None, 240),
    ("legal_research", Presence::None, None, 180),
    ("legal_writing", Presence::None, None, 240),
    ("drafting_pleadings", Presence::None, None, 300),
    ("drafting_briefs", Presence::None, None, 360),
    ("patent_services", Presence::None, Some("patents"), 240),
    ("patent_filing", Presence::None, Some("patents"), 180),
    ("back_office", Presence::None, None, 60),
    ("legal_tech_consulting", Presence::None, None, 120),
    ("agency_work", Presence::InPerson, None, 120),
    ("court_appearance", Presence::InPerson, None, 240),
    ("in_person_negotiation", Presence::InPerson, None, 240),
];

impl Book {
    pub fn read(text: &str) -> Self {
        let file: Table = text.parse().expect("TOML");
        let day = |text: &str| text.parse::<NaiveDate>().expect("a date");
        let (from, until) = (day("2026-10-01"), day("2028-06-01"));
        let calendars: BTreeMap<_, _> = table(&file["calendars"])
            .iter()
            .map(|(id, it)| (id.clone(), Rc::new(hours::of_calendar(table(it), from, until))))
            .collect();
        let zone = |calendar: &str| table(&file["calendars"])[calendar]["time_zone"].as_str().unwrap().parse().unwrap();
        let mut teams: Vec<Team> = entries(&file, "teams")
            .map(|it| {
                let calendar = text_of(it, "calendar");
                Team::read(it, &calendars[&calendar], zone(&calendar))
            })
            .collect();
        teams.sort_by(|a, b| a.id.cmp(&b.id));
        let clients = entries(&file, "clients").map(|it| (text_of(it, "id"), Client::read(it, &calendars)));
        let mut work_types: BTreeMap<String, WorkType> = CATALOGUE.into_iter().map(built_in).collect();
        for (id, it) in table(&file["work_types"]) {
            let base = work_types.get(id).cloned().unwrap_or_default();
            work_types.insert(id.clone(), base.with(table(it)));
        }
        let policies = table(&file["sla"]).iter().map(|(id, it)| (id.clone(), promises(table(it))));
        let caps = table(&file["pauses"])
            .iter()
            .map(|(id, it)| (id.clone(), it.get("cap").map(|it| span(it.as_str().unwrap()))));
        let walls = entries(&file, "walls");
        let walls = walls.map(|it| (text_of(it, "team"), text_of(it, "client"), maybe(it, "matter"))).collect();
        let clients = clients.collect();
        Self { clients, work_types, policies: policies.collect(), pause_caps: caps.collect(), walls, calendars, teams }
    }

    pub fn team(&self, id: &str) -> usize {
        self.teams.binary_search_by(|team| (*team.id).cmp(id)).unwrap_or_else(|_| panic!("no team {id}"))
    }
}

impl Team {
    fn read(it: &Table, hours: &Rc<Spans>, zone: chrono_tz::Tz) -> Self {
        let expiry = |it: &Table, key: &str| maybe(it, key).map(|text| expiry(&text, zone));
        let held = |it: &Table| Held {
            jurisdiction: text_of(it, "jurisdiction"),
            specialty: text_of(it, "specialty"),
            languages: texts(it, "languages").into_iter().collect(),
            admitted_until: expiry(it, "admitted_until").unwrap_or(i64::MAX),
        };
        Self {
            id: text_of(it, "id"),
            country: text_of(it, "country"),
            region: maybe(it, "region").unwrap_or_default(),
            hours: Rc::clone(hours),
            seats: number(it, "seats"),
            effort_hours: number(it, "effort_hours"),
            urgent_reserve: number(it, "urgent_reserve").unwrap_or(0),
            held: entries(it, "capabilities").map(held).collect(),
            skills: levels(it),
            vetted_until: expiry(it, "vetted_until").unwrap_or(i64::MIN),
            accepts_by_policy: maybe(it, "acceptance").as_deref() == Some("implicit"),
            retired: it.get("retired").and_then(Value::as_bool).unwrap_or(false),
        }
    }
}

impl Client {
    fn read(it: &Table, calendars: &BTreeMap<String, Rc<Spans>>) -> Self {
        Self {
            country: text_of(it, "country"),
            offshoring: text_of(it, "offshoring"),
            residency: texts(it, "residency"),
            allowed: texts(it, "allowed_countries"),
            denied: texts(it, "denied_countries"),
            hours: Rc::clone(&calendars[&text_of(it, "calendar")]),
            sla: text_of(it, "sla"),
        }
    }
}

fn built_in((id, presence, specialty, effort_minutes): (&str, Presence, Option<&str>, i64)) -> (String, WorkType) {
    let specialty = specialty.map(str::to_owned);
    let never_moves = presence != Presence::None;
    (id.to_owned(), WorkType { presence, specialty, effort_minutes, never_moves, ..WorkType::default() })
}

impl WorkType {
    fn with(self, it: &Table) -> Self {
        let presence = match maybe(it, "presence").as_deref() {
            Some("contact") => Presence::Contact,
            Some("in_person") => Presence::InPerson,
            _ => self.presence,
        };
        Self {
            presence,
            specialty: maybe(it, "specialty").or(self.specialty),
            languages: texts(it, "languages"),
            skills: levels(it),
            effort_minutes: number(it, "effort_minutes").unwrap_or(self.effort_minutes),
            never_moves: presence != Presence::None,
        }
    }
}

fn promises(policy: &Table) -> Vec<Promise> {
    let clock = |it: &Table| Promise {
        name: text_of(it, "name"),
        start: maybe(it, "start").unwrap_or_else(|| "ready".to_owned()),
        stop: text_of(it, "stop"),
        target: span(&text_of(it, "target")),
        basis: text_of(it, "basis"),
        pause_on: texts(it, "pause_on"),
        warn_at: it.get("warn_at").and_then(Value::as_array).into_iter().flatten().map(hundredths).collect(),
    };
    entries(policy, "clocks").map(clock).collect()
}

fn hundredths(fraction: &Value) -> i64 {
    let fraction = fraction.as_float().or_else(|| fraction.as_integer().map(|it| it as f64)).expect("a number");
    (fraction * 100.0).round() as i64
}

/// A date lasts to its end in the zone of the team, a time is the end itself.
fn expiry(text: &str, zone: chrono_tz::Tz) -> i64 {
    match text.parse::<NaiveDate>() {
        Ok(date) => hours::instant(zone, date.succ_opt().expect("a date"), 0),
        Err(_) => DateTime::parse_from_rfc3339(text).expect("a time").timestamp_millis(),
    }
}

fn span(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 24 * 60,
        _ => panic!("{text} is not a span"),
    };
    number.parse::<i64>().expect("a number") * minutes * MINUTE
}

fn table(it: &Value) -> &Table {
    it.as_table().expect("a table")
}

fn entries<'a>(it: &'a Table, key: &str) -> impl Iterator<Item = &'a Table> {
    it.get(key).and_then(Value::as_array).into_iter().flatten().map(table)
}

fn maybe(it: &Table, key: &str) -> Option<String> {
    it.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn text_of(it: &Table, key: &str) -> String {
    maybe(it, key).unwrap_or_else(|| panic!("no {key}"))
}

fn texts(it: &Table, key: &str) -> Vec<String> {
    let texts = it.get(key).and_then(Value::as_array).into_iter().flatten();
    texts.map(|it| it.as_str().expect("text").to_owned()).collect()
}

fn number(it: &Table, key: &str) -> Option<i64> {
    it.get(key).and_then(Value::as_integer)
}

fn levels(it: &Table) -> BTreeMap<String, i64> {
    let levels = it.get("skills").and_then(Value::as_table).into_iter().flatten();
    levels.map(|(name, level)| (name.clone(), level.as_integer().expect("a level"))).collect()
}
