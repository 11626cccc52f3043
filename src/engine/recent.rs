//! A memory of fixed size: the newest entries stay, the oldest go.
//!
//! The scheduler decides a batch ahead of the disk, so what the store cannot know yet must be remembered here.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// The newest `limit` entries by key.
#[derive(Debug, Clone)]
pub struct Recent<K, V> {
    limit: usize,
    order: VecDeque<K>,
    entries: HashMap<K, V>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    /// An empty memory.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, order: VecDeque::new(), entries: HashMap::new() }
    }

    /// Remembers an entry; at the limit the oldest is forgotten.
    pub fn remember(&mut self, key: K, value: V) {
        if self.entries.insert(key.clone(), value).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > self.limit
            && let Some(oldest) = self.order.pop_front()
        {
            self.entries.remove(&oldest);
        }
    }

    /// What is remembered under a key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// What is remembered under a key, to be changed; it grows no younger by that.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_goes_at_the_limit() {
        let mut recent = Recent::new(2);
        for key in 1..=3 {
            recent.remember(key, key * 10);
        }
        assert_eq!((recent.get(&1), recent.get(&2), recent.get(&3)), (None, Some(&20), Some(&30)));
    }
}
