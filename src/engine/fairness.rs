//! What the waiting order remembers: how much each client has had of a priority, and the turns of teams.
//!
//! Inside a priority clients are served by start-time fair queueing: the client with the smallest tag comes first, and
//! an offer raises its tag by the effort over the client's weight. Virtual time is the largest tag that was served; a
//! client that begins to wait starts there at the earliest. Source: the service model, "Waiting order", after Goyal,
//! Vin and Cheng, "Start-time Fair Queueing" (1996).

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::id::{ClientId, TeamId};
use super::request::Priority;

/// What a minute of effort costs a client of weight 1.
const MINUTE: u64 = 10_000;

/// A number that is remembered; one that is 0 is as good as none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// The virtual time of a priority.
    VirtualTime(Priority),
    /// The tag of a client in a priority.
    Tag(Priority, ClientId),
    /// How many seats in a row a team has given by shares.
    Turns(TeamId),
    /// How many urgent tasks of a client counted as urgent on a day of UTC.
    Urgent(ClientId, NaiveDate),
    /// Since when nothing is read, in milliseconds since 1970: a start in the middle of that finds the same beginning.
    CutOff,
}

/// What a client was charged for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// In which priority.
    pub priority: Priority,
    /// The effort in minutes.
    pub minutes: u32,
    /// The client's weight then.
    pub weight: u32,
}

impl Charge {
    fn cost_of(self, minutes: u32) -> u64 {
        u64::from(minutes) * MINUTE / u64::from(self.weight.max(1))
    }
}

/// All marks, and which of them a store does not know yet.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    values: BTreeMap<Mark, u64>,
    changed: BTreeSet<Mark>,
}

impl Marks {
    /// The marks that a store kept.
    #[must_use]
    pub fn restored(values: impl IntoIterator<Item = (Mark, u64)>) -> Self {
        Self { values: values.into_iter().collect(), changed: BTreeSet::new() }
    }

    /// A mark; 0 when there is none.
    #[must_use]
    pub fn get(&self, mark: &Mark) -> u64 {
        self.values.get(mark).copied().unwrap_or(0)
    }

    /// All marks that are not 0.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<Mark, u64> {
        &self.values
    }

    /// Sets a mark; one that is 0 is forgotten.
    pub fn set(&mut self, mark: Mark, value: u64) {
        let before = if value == 0 { self.values.remove(&mark) } else { self.values.insert(mark.clone(), value) };
        if before.unwrap_or(0) != value {
            self.changed.insert(mark);
        }
    }

    /// The marks that changed since this was asked last.
    pub fn take_changed(&mut self) -> BTreeMap<Mark, u64> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|mark| (mark.clone(), self.get(&mark))).collect()
    }

    /// Forgets the urgent tasks of days before this one, of a client.
    pub fn forget_days_before(&mut self, client: &ClientId, day: NaiveDate) {
        let days = Mark::Urgent(client.clone(), NaiveDate::MIN)..Mark::Urgent(client.clone(), day);
        for mark in self.values.range(days).map(|(mark, _)| mark.clone()).collect::<Vec<_>>() {
            self.set(mark, 0);
        }
    }

    /// The tag of a client.
    #[must_use]
    pub fn tag(&self, priority: Priority, client: &ClientId) -> u64 {
        self.get(&Mark::Tag(priority, client.clone()))
    }

    /// The tag that a client would begin to wait with.
    #[must_use]
    pub fn tag_of_newcomer(&self, priority: Priority, client: &ClientId) -> u64 {
        self.get(&Mark::VirtualTime(priority)).max(self.tag(priority, client))
    }

    /// A client begins to wait: what it did not use before is not kept for it.
    pub fn begin(&mut self, priority: Priority, client: &ClientId) {
        let begins = self.tag_of_newcomer(priority, client);
        self.set(Mark::Tag(priority, client.clone()), begins);
    }

    /// A client that waits, or has just begun to, is served.
    pub fn charge(&mut self, client: &ClientId, charge: Charge) {
        let time = Mark::VirtualTime(charge.priority);
        let tag = self.tag(charge.priority, client);
        let reached = self.get(&time).max(tag);
        self.set(time, reached);
        self.set(Mark::Tag(charge.priority, client.clone()), tag.saturating_add(charge.cost_of(charge.minutes)));
    }

    /// A task has ended that was charged for: the charge becomes what was worked.
    pub fn correct(&mut self, client: &ClientId, charge: Charge, worked_minutes: u32) {
        let (charged, worked) = (charge.cost_of(charge.minutes), charge.cost_of(worked_minutes));
        let tag = self.tag(charge.priority, client);
        let corrected = tag.saturating_add(worked).saturating_sub(charged);
        self.set(Mark::Tag(charge.priority, client.clone()), corrected);
    }
}
