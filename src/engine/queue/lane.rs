//! The waiting tasks of one class: in order, by age, and by effort for a team that has only so much time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Unbounded};

use super::WaitKey;
use crate::engine::id::ClientId;
use crate::engine::task::Arrival;

/// Waiting tasks of one class, which are all of one client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lane {
    /// Whose they are.
    pub client: ClientId,
    all: Keys,
    by_effort: BTreeMap<u32, Keys>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Keys {
    in_order: BTreeSet<WaitKey>,
    by_age: BTreeMap<Arrival, WaitKey>,
}

impl Keys {
    fn insert(&mut self, key: WaitKey) {
        self.in_order.insert(key);
        self.by_age.insert(key.arrival, key);
    }

    fn remove(&mut self, key: &WaitKey) {
        self.in_order.remove(key);
        self.by_age.remove(&key.arrival);
    }

    fn first(&self, after: Option<WaitKey>) -> Option<WaitKey> {
        self.in_order.range((after.map_or(Unbounded, Excluded), Unbounded)).next().copied()
    }

    fn oldest(&self, after: Option<Arrival>) -> Option<WaitKey> {
        self.by_age.range((after.map_or(Unbounded, Excluded), Unbounded)).next().map(|(_, key)| *key)
    }
}

impl Lane {
    pub fn new(client: ClientId) -> Self {
        Self { client, all: Keys::default(), by_effort: BTreeMap::new() }
    }

    pub fn insert(&mut self, key: WaitKey) {
        self.all.insert(key);
        self.by_effort.entry(key.remaining_minutes).or_default().insert(key);
    }

    pub fn remove(&mut self, key: &WaitKey) {
        self.all.remove(key);
        if let Some(keys) = self.by_effort.get_mut(&key.remaining_minutes) {
            keys.remove(key);
            if keys.in_order.is_empty() {
                self.by_effort.remove(&key.remaining_minutes);
            }
        }
    }

    /// The first task after one, of at most so much effort.
    pub fn first(&self, after: Option<WaitKey>, most_minutes: u32) -> Option<WaitKey> {
        if most_minutes == u32::MAX {
            return self.all.first(after);
        }
        self.by_effort.range(..=most_minutes).filter_map(|(_, keys)| keys.first(after)).min()
    }

    /// The task that came first after an arrival, of at most so much effort.
    pub fn oldest(&self, after: Option<Arrival>, most_minutes: u32) -> Option<WaitKey> {
        if most_minutes == u32::MAX {
            return self.all.oldest(after);
        }
        let fitting = self.by_effort.range(..=most_minutes);
        fitting.filter_map(|(_, keys)| keys.oldest(after)).min_by_key(|key| key.arrival)
    }

    pub fn is_empty(&self) -> bool {
        self.all.in_order.is_empty()
    }

    pub fn keys(&self) -> impl Iterator<Item = WaitKey> {
        self.all.in_order.iter().copied()
    }
}
