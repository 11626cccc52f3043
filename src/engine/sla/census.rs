//! Counts of open tasks by how they stand to their clocks, for metrics.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::engine::id::TeamId;
use crate::engine::task::Task;

use super::clock::SlaState;

/// Open tasks with a running clock, by the team that has them; none has those that wait.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlaCensus {
    states: BTreeMap<(Option<TeamId>, SlaState), u64>,
    breaches: BTreeMap<Option<TeamId>, BTreeMap<DateTime<Utc>, u64>>,
}

/// The census at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SlaPicture {
    /// Tasks by team and state.
    pub states: BTreeMap<(Option<TeamId>, SlaState), u64>,
    /// When the next clock of a team's tasks is breached.
    pub next_breach_at: BTreeMap<Option<TeamId>, DateTime<Utc>>,
}

impl SlaCensus {
    /// Counts an open task.
    pub fn add(&mut self, task: &Task) {
        if let Some(state) = task.sla_state() {
            *self.states.entry((task.state.team().cloned(), state)).or_default() += 1;
        }
        if let Some(at) = task.next_breach_at() {
            let of_team = self.breaches.entry(task.state.team().cloned()).or_default();
            *of_team.entry(at).or_default() += 1;
        }
    }

    /// Counts it no more.
    pub fn remove(&mut self, task: &Task) {
        if let Some(state) = task.sla_state() {
            take_one(&mut self.states, &(task.state.team().cloned(), state));
        }
        if let Some(at) = task.next_breach_at() {
            let team = task.state.team().cloned();
            if let Some(of_team) = self.breaches.get_mut(&team) {
                take_one(of_team, &at);
                if of_team.is_empty() {
                    self.breaches.remove(&team);
                }
            }
        }
    }

    /// What there is to show.
    #[must_use]
    pub fn picture(&self) -> SlaPicture {
        let first = |(team, breaches): (&Option<TeamId>, &BTreeMap<DateTime<Utc>, u64>)| {
            breaches.first_key_value().map(|(at, _)| (team.clone(), *at))
        };
        SlaPicture { states: self.states.clone(), next_breach_at: self.breaches.iter().filter_map(first).collect() }
    }
}

fn take_one<K: Ord>(counts: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}
