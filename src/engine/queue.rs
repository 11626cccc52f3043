//! Tasks that wait for a team, in the order in which they are looked at.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::class::ClassId;
use super::request::Priority;
use super::task::{Arrival, Task};

/// The place of a waiting task: priority, then the latest start, then arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitKey {
    /// Its priority.
    pub priority: Priority,
    /// Its due time less its remaining effort; the end of time when nothing is due.
    pub latest_start_at: DateTime<Utc>,
    /// Its arrival.
    pub arrival: Arrival,
}

impl WaitKey {
    /// The place of a task that must be done by `due_at`.
    #[must_use]
    pub fn of(task: &Task, due_at: Option<DateTime<Utc>>) -> Self {
        let effort = TimeDelta::minutes(i64::from(task.remaining_minutes()));
        let latest = due_at.and_then(|at| at.checked_sub_signed(effort));
        Self {
            priority: task.priority,
            latest_start_at: latest.unwrap_or(DateTime::<Utc>::MAX_UTC),
            arrival: task.arrival,
        }
    }
}

/// Waiting tasks by class.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Queue {
    by_class: BTreeMap<ClassId, BTreeSet<WaitKey>>,
}

impl Queue {
    /// Adds a task.
    pub fn insert(&mut self, class: ClassId, key: WaitKey) {
        self.by_class.entry(class).or_default().insert(key);
    }

    /// Takes a task out.
    pub fn remove(&mut self, class: ClassId, key: &WaitKey) {
        if let Some(keys) = self.by_class.get_mut(&class) {
            keys.remove(key);
            if keys.is_empty() {
                self.by_class.remove(&class);
            }
        }
    }

    /// The first task after `cursor` in any of the classes.
    #[must_use]
    pub fn next_after(&self, served: &BTreeSet<ClassId>, cursor: Option<WaitKey>) -> Option<WaitKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = cursor.map_or(Unbounded, Excluded);
        let waiting = self.by_class.iter().filter(|(class, _)| served.contains(class));
        waiting.filter_map(|(_, keys)| keys.range((from, Unbounded)).next()).min().copied()
    }

    /// All waiting tasks, by class and place.
    pub fn iter(&self) -> impl Iterator<Item = (ClassId, WaitKey)> + '_ {
        self.by_class.iter().flat_map(|(class, keys)| keys.iter().map(|key| (*class, *key)))
    }
}
