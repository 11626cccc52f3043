//! What differs between two rosters, entry by entry and field by field, for people who are about to change one for the
//! other.

use std::collections::BTreeMap;
use std::fmt::Debug;

use serde::{Deserialize, Serialize};

use super::roster::{Client, Roster, Team};

/// Characters of a value at most; the rest is cut.
const MAX_VALUE_CHARS: usize = 200;

/// An entry that only one of two rosters has, or that differs between them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The kind of entry: `team`, `client`, `calendar`, `work_type`, `sla`, `pause`, `process`, `wall` or `routing`.
    pub entry: String,
    /// Which one.
    pub id: String,
    /// What became of it.
    pub change: Change,
    /// The fields that differ, when both have it.
    pub fields: Vec<FieldChange>,
}

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the new roster has it.
    Added,
    /// Only the old one has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name.
    pub field: String,
    /// Its value in the old roster.
    pub before: String,
    /// Its value in the new one.
    pub after: String,
}

/// A field of an entry, as text.
type Field<T> = (&'static str, fn(&T) -> String);

const TEAM: [Field<Team>; 15] = [
    ("name", |it| shown(&it.name)),
    ("country", |it| shown(&it.country)),
    ("region", |it| shown(&it.region)),
    ("calendar", |it| shown(&it.calendar_id)),
    ("capacity", |it| shown(&it.capacity)),
    ("urgent_reserve", |it| shown(&it.urgent_reserve)),
    ("capabilities", |it| shown(&it.capabilities)),
    ("skills", |it| shown(&it.skills)),
    ("vetted_until", |it| shown(&it.vetted_until)),
    ("cost_per_hour_cents", |it| shown(&it.cost_per_hour_cents)),
    ("acceptance", |it| shown(&it.acceptance)),
    ("delivery", |it| shown(&it.delivery)),
    ("contacts", |it| shown(&it.contacts)),
    ("broker_user", |it| shown(&it.broker_user)),
    ("retired", |it| shown(&it.retired)),
];

const CLIENT: [Field<Client>; 12] = [
    ("name", |it| shown(&it.name)),
    ("country", |it| shown(&it.country)),
    ("calendar", |it| shown(&it.calendar.as_ref().map(|calendar| calendar.spec()))),
    ("offshoring", |it| shown(&it.offshoring)),
    ("residency", |it| shown(&it.residency)),
    ("allowed_countries", |it| shown(&it.allowed_countries)),
    ("denied_countries", |it| shown(&it.denied_countries)),
    ("sla", |it| shown(&it.sla)),
    ("weight", |it| shown(&(it.weight, it.urgent_quota))),
    ("payload_on", |it| shown(&it.payload_on)),
    ("broker_user", |it| shown(&it.broker_user)),
    ("retired", |it| shown(&it.retired)),
];

/// What a roster changes that comes after another one, in the order of the kinds of entries and of their ids.
#[must_use]
pub fn between(old: &Roster, new: &Roster) -> Vec<Difference> {
    let mut all = Vec::new();
    let teams = |roster: &Roster| -> BTreeMap<String, Vec<String>> {
        roster.teams.iter().map(|team| (team.id.to_string(), values(team, &TEAM))).collect()
    };
    compare("team", &names(&TEAM), teams(old), teams(new), &mut all);
    let clients = |roster: &Roster| -> BTreeMap<String, Vec<String>> {
        roster.clients.values().map(|client| (client.id.to_string(), values(client, &CLIENT))).collect()
    };
    compare("client", &names(&CLIENT), clients(old), clients(new), &mut all);
    let calendars =
        |roster: &Roster| whole(roster.calendars.iter().map(|(id, it)| (id.to_string(), it.spec().clone())));
    compare("calendar", &["hours"], calendars(old), calendars(new), &mut all);
    let work_types = |roster: &Roster| whole(roster.work_types.iter().map(|(id, it)| (id.to_string(), it.clone())));
    compare("work_type", &["entry"], work_types(old), work_types(new), &mut all);
    let policies = |roster: &Roster| whole(roster.sla.iter().map(|(id, it)| (id.to_string(), it.clone())));
    compare("sla", &["clocks"], policies(old), policies(new), &mut all);
    let pauses = |roster: &Roster| whole(roster.pauses.iter().map(|(id, it)| (id.to_string(), it.clone())));
    compare("pause", &["entry"], pauses(old), pauses(new), &mut all);
    let processes = |roster: &Roster| whole(roster.processes.iter().map(|(id, it)| (id.to_string(), it.clone())));
    compare("process", &["steps"], processes(old), processes(new), &mut all);
    let walls = |roster: &Roster| {
        whole(roster.walls.iter().map(|it| {
            let matter = it.matter.as_ref().map_or("*", |matter| matter.as_str());
            (format!("{} from {} {matter}", it.team, it.client), it.reason.clone())
        }))
    };
    compare("wall", &["reason"], walls(old), walls(new), &mut all);
    let routing = |roster: &Roster| whole([("routing".to_owned(), roster.routing.clone())]);
    compare("routing", &["rules"], routing(old), routing(new), &mut all);
    all
}

fn compare(
    entry: &str,
    names: &[&str],
    mut old: BTreeMap<String, Vec<String>>,
    new: BTreeMap<String, Vec<String>>,
    all: &mut Vec<Difference>,
) {
    let difference = |id: String, change, fields| Difference { entry: entry.into(), id, change, fields };
    let mut found = Vec::new();
    for (id, after) in new {
        let Some(before) = old.remove(&id) else {
            found.push(difference(id, Change::Added, Vec::new()));
            continue;
        };
        let pairs = names.iter().zip(before.iter().zip(&after)).filter(|(_, (before, after))| before != after);
        let fields: Vec<_> = pairs
            .map(|(field, (before, after))| FieldChange {
                field: (*field).into(),
                before: cut(before),
                after: cut(after),
            })
            .collect();
        if !fields.is_empty() {
            found.push(difference(id, Change::Changed, fields));
        }
    }
    found.extend(old.into_keys().map(|id| difference(id, Change::Removed, Vec::new())));
    found.sort_by(|a, b| a.id.cmp(&b.id));
    all.append(&mut found);
}

/// Entries that are compared as one value.
fn whole<T: Debug>(entries: impl IntoIterator<Item = (String, T)>) -> BTreeMap<String, Vec<String>> {
    entries.into_iter().map(|(id, value)| (id, vec![shown(&value)])).collect()
}

fn names<T>(fields: &[Field<T>]) -> Vec<&'static str> {
    fields.iter().map(|(name, _)| *name).collect()
}

fn values<T>(entry: &T, fields: &[Field<T>]) -> Vec<String> {
    fields.iter().map(|(_, read)| read(entry)).collect()
}

fn shown(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_VALUE_CHARS).collect()
}
