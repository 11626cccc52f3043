//! The roster of a story: the sample of the project, with what the story says otherwise.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use heliograph::engine::roster::Roster;
use heliograph::roster::zones::ZoneSource;
use heliograph::roster::{self, Source};
use toml::{Table, Value};

const SAMPLE: &str = include_str!("../../config/roster.toml");

/// A roster as a table that changes.
pub struct Draft(Table);

impl Draft {
    /// The sample with these teams only, and with changes.
    pub fn new(teams: &[String], changes: &str) -> Result<Self, String> {
        let mut draft = Self(SAMPLE.parse().map_err(|error| format!("the sample: {error}"))?);
        if !teams.is_empty() {
            draft.keep_teams(teams)?;
        }
        draft.change(changes)?;
        Ok(draft)
    }

    fn keep_teams(&mut self, teams: &[String]) -> Result<(), String> {
        let wanted: BTreeSet<&str> = teams.iter().map(String::as_str).collect();
        let named =
            |entry: &Value, key: &str| entry.get(key).and_then(Value::as_str).is_some_and(|it| wanted.contains(it));
        let all = self.0.get_mut("teams").and_then(Value::as_array_mut).expect("teams");
        all.retain(|team| named(team, "id"));
        if all.len() != wanted.len() {
            return Err(format!("a team of {teams:?} is not in the sample"));
        }
        self.0.get_mut("walls").and_then(Value::as_array_mut).expect("walls").retain(|wall| named(wall, "team"));
        Ok(())
    }

    /// Puts a change on top: tables into tables, entries with an `id` onto those of that id, all else in its place.
    pub fn change(&mut self, toml: &str) -> Result<(), String> {
        let changes: Table = toml.parse().map_err(|error| format!("the roster of the story: {error}"))?;
        merge(&mut self.0, changes);
        Ok(())
    }

    /// The roster that it makes.
    pub fn roster(&self, anchor: DateTime<Utc>) -> Result<Arc<Roster>, String> {
        let text = toml::to_string(&self.0).map_err(|error| error.to_string())?;
        let loaded = roster::parse(&[Source::new("roster.toml", &text)], ZoneSource::Bundled, anchor);
        loaded.map(|loaded| Arc::new(loaded.roster)).map_err(|faults| format!("the roster of the story: {faults}"))
    }
}

fn merge(into: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (into.get_mut(&key), change) {
            (Some(Value::Table(below)), Value::Table(change)) => merge(below, change),
            (Some(Value::Array(entries)), Value::Array(new))
                if !new.is_empty() && new.iter().all(|it| it.get("id").is_some()) =>
            {
                new.into_iter().for_each(|entry| merge_entry(entries, entry));
            }
            (Some(Value::Array(entries)), Value::Array(new)) if key == "walls" => entries.extend(new),
            (_, change) => {
                into.insert(key, change);
            }
        }
    }
}

fn merge_entry(entries: &mut Vec<Value>, new: Value) {
    let known = entries.iter_mut().find(|it| it.get("id") == new.get("id"));
    match (known.and_then(Value::as_table_mut), new) {
        (Some(known), Value::Table(new)) => merge(known, new),
        (_, new) => entries.push(new),
    }
}
