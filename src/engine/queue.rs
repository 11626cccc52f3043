//! Tasks that wait for a team, in the order in which they are looked at.
//!
//! A team that opens or has a freed seat finds its next task without a look at the others: by class, the classes by
//! their first task, and inside a class by effort for a team that has only so much time. A task that waits for a
//! better team is seen by the teams that it waits for alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use chrono::{DateTime, Utc};

use super::class::ClassId;
use super::request::Priority;
use super::roster::TeamIndex;
use super::task::{Arrival, Task};

/// The place of a waiting task: priority, then the latest start, then arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitKey {
    /// Its priority.
    pub priority: Priority,
    /// When it must be started at the latest; the end of time when nothing is due.
    pub latest_start_at: DateTime<Utc>,
    /// Its arrival.
    pub arrival: Arrival,
    /// Its remaining effort, which says whether it fits and never where it stands.
    pub remaining_minutes: u32,
}

impl WaitKey {
    /// The place of a task that must be started by then.
    #[must_use]
    pub fn of(task: &Task, latest_start_at: Option<DateTime<Utc>>) -> Self {
        Self {
            priority: task.priority,
            latest_start_at: latest_start_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
            arrival: task.arrival,
            remaining_minutes: task.remaining_minutes(),
        }
    }
}

/// The waiting tasks of a class, in order and by effort.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Lane {
    all: BTreeSet<WaitKey>,
    by_effort: BTreeMap<u32, BTreeSet<WaitKey>>,
}

impl Lane {
    /// The first task after `cursor` of at most so much effort.
    fn first(&self, cursor: Option<WaitKey>, most_minutes: u32) -> Option<WaitKey> {
        let from = (cursor.map_or(Unbounded, Excluded), Unbounded);
        if most_minutes == u32::MAX {
            return self.all.range(from).next().copied();
        }
        let fitting = self.by_effort.range(..=most_minutes);
        fitting.filter_map(|(_, keys)| keys.range(from).next()).min().copied()
    }
}

/// Waiting tasks by class, and by the teams that they wait for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    by_class: BTreeMap<ClassId, Lane>,
    /// The first task of each class.
    heads: BTreeSet<(WaitKey, ClassId)>,
    /// By team, with the class of each.
    awaiting: BTreeMap<TeamIndex, BTreeMap<WaitKey, ClassId>>,
}

impl Queue {
    /// Adds a task that any team of its class may take.
    pub fn insert(&mut self, class: ClassId, key: WaitKey) {
        self.update(class, |lane| {
            lane.all.insert(key);
            lane.by_effort.entry(key.remaining_minutes).or_default().insert(key);
        });
    }

    /// Takes it out.
    pub fn remove(&mut self, class: ClassId, key: &WaitKey) {
        self.update(class, |lane| {
            lane.all.remove(key);
            if let Some(keys) = lane.by_effort.get_mut(&key.remaining_minutes) {
                keys.remove(key);
                if keys.is_empty() {
                    lane.by_effort.remove(&key.remaining_minutes);
                }
            }
        });
    }

    /// Adds a task that waits for these teams.
    pub fn insert_awaiting(&mut self, teams: &[TeamIndex], class: ClassId, key: WaitKey) {
        for team in teams {
            self.awaiting.entry(*team).or_default().insert(key, class);
        }
    }

    /// Takes it out.
    pub fn remove_awaiting(&mut self, teams: &[TeamIndex], key: &WaitKey) {
        for team in teams {
            if let Some(keys) = self.awaiting.get_mut(team) {
                keys.remove(key);
                if keys.is_empty() {
                    self.awaiting.remove(team);
                }
            }
        }
    }

    /// The first task after `cursor` that fits and waits for the team or is of a class that it serves: `room_in` gives the
    /// most effort that the team can take of a class, `None` when it can take nothing.
    #[must_use]
    pub fn next_after(
        &self,
        team: TeamIndex,
        served: &BTreeSet<ClassId>,
        cursor: Option<WaitKey>,
        room_in: impl Fn(ClassId) -> Option<u32>,
    ) -> Option<WaitKey> {
        let from = (cursor.map_or(Unbounded, Excluded), Unbounded);
        let first_in = |class: &ClassId| {
            let lane = self.by_class.get(class).filter(|_| served.contains(class))?;
            lane.first(cursor, room_in(*class)?)
        };
        let fits =
            |(key, class): &(&WaitKey, &ClassId)| room_in(**class).is_some_and(|most| key.remaining_minutes <= most);
        let awaiting = self.awaiting.get(&team).and_then(|keys| keys.range(from).find(fits)).map(|(key, _)| *key);
        if served.len() < self.heads.len() {
            return served.iter().filter_map(first_in).chain(awaiting).min();
        }
        // The class with the best task is found early when the team serves many of the classes that wait.
        let mut best = awaiting;
        for (head, class) in &self.heads {
            if best.is_some_and(|best| best < *head) {
                break;
            }
            best = first_in(class).into_iter().chain(best).min();
        }
        best
    }

    /// The tasks that wait for a team, in order.
    #[must_use]
    pub fn awaiting(&self, team: TeamIndex) -> Vec<WaitKey> {
        self.awaiting.get(&team).map(|keys| keys.keys().copied().collect()).unwrap_or_default()
    }

    /// Changes a class, and keeps its place among the first tasks.
    fn update(&mut self, class: ClassId, change: impl FnOnce(&mut Lane)) {
        let lane = self.by_class.entry(class).or_default();
        let before = lane.all.first().copied();
        change(lane);
        let after = lane.all.first().copied();
        if after.is_none() {
            self.by_class.remove(&class);
        }
        if before == after {
            return;
        }
        if let Some(key) = before {
            self.heads.remove(&(key, class));
        }
        if let Some(key) = after {
            self.heads.insert((key, class));
        }
    }
}
