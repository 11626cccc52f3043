//! The JSON Schema of a roster, for editors and for tools that write rosters.
//!
//! It holds types, words and limits of every key; what reaches over several entries (references, sums, dates that must
//! follow each other) is found by [`super::load`] alone. A TOML date is a string here. Its keys are held against those
//! that the reader knows by a test, both ways.

use serde_json::{Map, Value, json};

use super::calendars::{DAYS, MAX_CALENDARS, MAX_DATES, MAX_FEEDS, MAX_HOLIDAYS, MAX_SHIFTS_PER_DAY};
use super::clients::{MAX_CLIENT_WEIGHT, MAX_CLIENTS, MAX_PLACES, MAX_URGENT_QUOTA, MAX_WALLS};
use super::processes::MAX_PROCESSES;
use super::routing::{MAX_FAIR_EVERY, MAX_HANDOFFS, MAX_WEIGHT};
use super::sla::{MAX_CLOCKS, MAX_PAUSES, MAX_POLICIES, MAX_STEPS, MOMENTS, PARTIES, PRIORITIES};
use super::teams::{ACCEPTANCES, DELIVERIES, MAX_CAPABILITIES, MAX_EFFORT_HOURS, MAX_TERMS};
use super::values::{MAX_COST_CENTS, MAX_DURATION_MINUTES, MAX_TEXT_CHARS};
use super::work_types::{HANDOFFS, MAX_EFFORT_MINUTES, MAX_WORK_TYPES, PRESENCES};
use super::{calendars, clients};
use crate::engine::process;
use crate::engine::roster::{MAX_SEATS, MAX_TEAMS};

/// Ids of teams, clients, calendars, policies and processes.
const ID: &str = "^[a-z0-9][a-z0-9-]{0,62}$";
/// Work types, specialties, languages, skills, regions, clocks, pause reasons.
const TERM: &str = "^[a-z][a-z0-9_-]{0,62}$";
const PLACE: &str = "^[A-Z]{2}(-[A-Z0-9]{1,3})?$";
const SPAN: &str = "^(?=.)([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";
const DATE: &str = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

/// The document (draft 2020-12).
#[must_use]
pub fn schema() -> Value {
    let mut whole = table(
        "A roster of Heliograph: one file, or one of several in a folder.",
        &[],
        [
            ("calendars", named(ID, MAX_CALENDARS, calendar())),
            ("teams", list(MAX_TEAMS, team())),
            ("clients", list(MAX_CLIENTS, client())),
            ("work_types", named(TERM, MAX_WORK_TYPES, work_type())),
            ("sla", named(ID, MAX_POLICIES, policy())),
            ("pauses", named(TERM, MAX_PAUSES, pause())),
            ("processes", named(ID, MAX_PROCESSES, process())),
            ("walls", list(MAX_WALLS, wall())),
            ("routing", routing()),
        ],
    );
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    whole["title"] = "Roster".into();
    whole
}

fn calendar() -> Value {
    let cuts = words(&calendars::CUTS);
    let feed = table(
        "A feed of closures beside the roster.",
        &["file"],
        [("file", pattern("[.]ics$")), ("max_age_days", whole(1, 3_660))],
    );
    table(
        "When a team or a client is at work; a day left out is closed.",
        &["time_zone"],
        [
            ("time_zone", about("An IANA name, such as Asia/Kolkata.", text())),
            ("holidays", list(MAX_HOLIDAYS, about("A region, such as GB-ENG, or a date.", text()))),
            ("holiday_cuts", about("Whether a holiday takes out shifts that start on it, or its hours.", cuts)),
            ("hours", week()),
            ("breaks", week()),
            ("dates", list(MAX_DATES, dated())),
            ("ics", list(MAX_FEEDS, feed)),
        ],
    )
}

fn week() -> Value {
    table("Hours of each day of the week.", &[], DAYS.map(|day| (day, shifts())))
}

fn shifts() -> Value {
    list(MAX_SHIFTS_PER_DAY, pattern("^[0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}$"))
}

fn dated() -> Value {
    let mut dated = table(
        "Hours or breaks of a date or a range of dates; no hours at all is closed.",
        &[],
        [
            ("date", date()),
            ("from", date()),
            ("until", date()),
            ("hours", shifts()),
            ("breaks", shifts()),
            (
                "planned",
                about("With no hours: the closure is meant and no gap in coverage.", json!({ "type": "boolean" })),
            ),
        ],
    );
    dated["oneOf"] = json!([{ "required": ["date"] }, { "required": ["from", "until"] }]);
    dated["anyOf"] = json!([{ "required": ["hours"] }, { "required": ["breaks"] }]);
    dated
}

fn team() -> Value {
    let mut team = table(
        "Who can own a task.",
        &["id", "country", "calendar", "cost_per_hour"],
        [
            ("id", pattern(ID)),
            ("name", text()),
            ("country", about("Where it works.", pattern(PLACE))),
            ("region", about("For clients whose data must stay in a region.", pattern(TERM))),
            ("calendar", pattern(ID)),
            ("seats", about("Most tasks at once.", whole(1, MAX_SEATS))),
            ("effort_hours", about("Most remaining effort at once.", whole(1, MAX_EFFORT_HOURS))),
            ("urgent_reserve", about("Seats kept free for urgent work.", whole(0, MAX_SEATS))),
            ("capabilities", list(MAX_CAPABILITIES, capability())),
            ("skills", skills()),
            ("vetted_until", about("The last day of its vetting; without it the team gets no work.", expiry())),
            ("cost_per_hour", amount()),
            ("acceptance", words(&ACCEPTANCES)),
            ("delivery", words(&DELIVERIES)),
            ("contacts", list(MAX_TERMS, text())),
            ("broker_user", text()),
            ("retired", about("Takes nothing new.", json!({ "type": "boolean" }))),
        ],
    );
    team["oneOf"] = json!([{ "required": ["seats"] }, { "required": ["effort_hours"] }]);
    team
}

fn capability() -> Value {
    table(
        "A pair of jurisdiction and specialty that a team holds; * is all.",
        &["jurisdiction", "specialty"],
        [
            ("jurisdiction", or_all(PLACE)),
            ("specialty", or_all(TERM)),
            ("languages", list(MAX_TERMS, pattern(TERM))),
            ("level", whole(1, 5)),
            ("admitted_until", expiry()),
        ],
    )
}

fn client() -> Value {
    table(
        "A firm and its rules.",
        &["id", "country", "offshoring"],
        [
            ("id", pattern(ID)),
            ("name", text()),
            ("country", pattern(PLACE)),
            ("calendar", pattern(ID)),
            ("offshoring", about("Whether work may leave its country.", words(&clients::OFFSHORING))),
            ("residency", about("Regions in which its data may be.", list(MAX_PLACES, pattern(TERM)))),
            ("allowed_countries", list(MAX_PLACES, pattern(PLACE))),
            ("denied_countries", list(MAX_PLACES, pattern(PLACE))),
            ("sla", pattern(ID)),
            ("weight", about("Its share when seats are short.", whole(1, MAX_CLIENT_WEIGHT))),
            ("urgent_quota", whole(0, MAX_URGENT_QUOTA)),
            ("payload_on", about("When the payload leaves for the team.", words(&clients::PAYLOADS))),
            ("broker_user", text()),
            ("retired", about("Sends nothing new.", json!({ "type": "boolean" }))),
        ],
    )
}

fn wall() -> Value {
    table(
        "A team that must never see a client's work, or one matter of it.",
        &["team", "client", "reason"],
        [
            ("team", pattern(ID)),
            ("client", pattern(ID)),
            ("matter", json!({ "type": "string", "minLength": 1, "maxLength": 128 })),
            ("reason", text()),
        ],
    )
}

fn work_type() -> Value {
    table(
        "A kind of work, or what is changed in a built-in one.",
        &[],
        [
            ("presence", words(&PRESENCES)),
            ("specialty", pattern(TERM)),
            ("languages", list(MAX_TERMS, pattern(TERM))),
            ("skills", skills()),
            ("effort_minutes", whole(1, MAX_EFFORT_MINUTES)),
            ("sla", pattern(ID)),
            ("handoff", about("Whether it moves on at a shift's end.", words(&HANDOFFS))),
        ],
    )
}

fn policy() -> Value {
    let escalation = table(
        "What happens at a fraction of the target: exactly one of the three.",
        &["at"],
        [
            ("at", fraction(2.5)),
            ("raise_priority", words(&PRIORITIES)),
            ("reroute", json!({ "const": true })),
            ("notify", text()),
        ],
    );
    let mut clock = table(
        "A stopwatch of a task.",
        &["name", "stop", "basis"],
        [
            ("name", pattern(TERM)),
            ("start", words(&MOMENTS)),
            ("stop", words(&MOMENTS)),
            ("target", span()),
            ("target_minutes", whole(1, MAX_DURATION_MINUTES)),
            ("basis", about("By whose hours it counts.", pattern("^(wall|client|holder|coverage|calendar:.+)$"))),
            ("pause_on", list(MAX_PAUSES, pattern(TERM))),
            ("warn_at", list(MAX_STEPS, fraction(0.99))),
            ("escalate", list(MAX_STEPS, escalation)),
        ],
    );
    clock["oneOf"] = json!([{ "required": ["target"] }, { "required": ["target_minutes"] }]);
    table("An SLA policy.", &["clocks"], [("clocks", some(list(MAX_CLOCKS, clock)))])
}

fn pause() -> Value {
    let parties = || some(list(PARTIES.len(), words(&PARTIES)));
    table(
        "Why a task may stand still.",
        &["set_by", "end_by"],
        [("set_by", parties()), ("end_by", parties()), ("cap", span())],
    )
}

fn process() -> Value {
    let step = table(
        "A step, done by one team.",
        &["id", "work_type"],
        [
            ("id", pattern("^[A-Za-z0-9._:@-]{1,128}$")),
            ("work_type", pattern(TERM)),
            ("jurisdiction", pattern(PLACE)),
            ("specialty", pattern(TERM)),
            ("effort_minutes", whole(1, MAX_EFFORT_MINUTES)),
            ("after", list(process::MAX_STEPS, text())),
        ],
    );
    table("A template of steps.", &["steps"], [("steps", some(list(process::MAX_STEPS, step)))])
}

fn routing() -> Value {
    let weight = || whole(0, MAX_WEIGHT);
    let weights = ["margin", "uninterrupted", "affinity", "headroom", "level", "cost"].map(|name| (name, weight()));
    let limits = PRIORITIES.map(|(name, _)| (name, span()));
    table(
        "Weights and limits; what is left out keeps its default.",
        &[],
        [
            ("weights", table("What each score counts.", &[], weights)),
            ("min_start_window", span()),
            ("handoff_min_gap", span()),
            ("handoff_cost", span()),
            ("handoff_notice", span()),
            ("handoff_grace", span()),
            ("handoff_min_gain", span()),
            ("decline_cooldown", span()),
            ("decline_cooldown_max", span()),
            ("late_complete_within", span()),
            ("offer_limit", table("How long an offer stands, by priority.", &[], limits)),
            ("undelivered_within", span()),
            ("max_handoffs", whole(0, MAX_HANDOFFS)),
            ("fair_every", whole(1, MAX_FAIR_EVERY)),
        ],
    )
}

/// A table with these keys and no others.
fn table<const N: usize>(about: &str, required: &[&str], keys: [(&str, Value); N]) -> Value {
    let keys: Map<String, Value> = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut table = json!({ "type": "object", "description": about, "additionalProperties": false });
    table["properties"] = keys.into();
    if !required.is_empty() {
        table["required"] = json!(required);
    }
    table
}

/// A table whose keys are names.
fn named(name: &str, limit: usize, entry: Value) -> Value {
    json!({
        "type": "object", "propertyNames": { "pattern": name }, "maxProperties": limit, "additionalProperties": entry,
    })
}

fn list(limit: usize, entry: Value) -> Value {
    json!({ "type": "array", "maxItems": limit, "items": entry })
}

fn some(mut list: Value) -> Value {
    list["minItems"] = 1.into();
    list
}

fn skills() -> Value {
    about("Levels from 1 to 5 by skill.", named(TERM, MAX_TERMS, whole(1, 5)))
}

fn about(text: &str, mut schema: Value) -> Value {
    schema["description"] = text.into();
    schema
}

fn text() -> Value {
    json!({ "type": "string", "minLength": 1, "maxLength": MAX_TEXT_CHARS })
}

fn pattern(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

fn or_all(name: &str) -> Value {
    json!({ "anyOf": [{ "const": "*" }, pattern(name)] })
}

fn words<T>(choices: &[(&str, T)]) -> Value {
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    json!({ "enum": words })
}

fn whole(least: u32, most: u32) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

fn fraction(most: f64) -> Value {
    json!({ "type": ["number", "string"], "minimum": 0.01, "maximum": most })
}

fn amount() -> Value {
    json!({ "type": ["number", "string"], "minimum": 0, "maximum": MAX_COST_CENTS / 100 })
}

fn span() -> Value {
    about("A span, such as 15m, 4h, 1h30m or 2d.", pattern(SPAN))
}

fn date() -> Value {
    about("A date, such as 2026-12-31.", pattern(DATE))
}

fn expiry() -> Value {
    json!({ "type": "string", "description": "A date, which lasts to its end, or an RFC 3339 time." })
}
