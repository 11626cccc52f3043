//! Which teams have worked for a matter or a client lately.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, TimeDelta, Utc};

use super::id::{ClientId, MatterId, TeamId};

/// How long a team's work for a matter or a client counts.
pub const AFFINITY_FOR: TimeDelta = TimeDelta::days(90);

/// How many pairs of team and matter are remembered; past it the oldest goes.
pub const MAX_AFFINITIES: usize = 200_000;

/// The affinity of a team that worked for the same matter.
const SAME_MATTER: u32 = 100;

/// The affinity of a team that worked for the same client.
const SAME_CLIENT: u32 = 50;

type MatterKey = (ClientId, MatterId);

/// The last time each team took work of a matter, and of a client.
#[derive(Debug, Clone, Default)]
pub struct Affinity {
    matters: HashMap<MatterKey, Vec<(TeamId, DateTime<Utc>)>>,
    clients: HashMap<ClientId, Vec<(TeamId, DateTime<Utc>)>>,
    order: VecDeque<(MatterKey, TeamId, DateTime<Utc>)>,
}

impl Affinity {
    /// A team took work of a matter.
    pub fn remember(&mut self, team: &TeamId, client: &ClientId, matter: &MatterId, at: DateTime<Utc>) {
        touch(self.clients.entry(client.clone()).or_default(), team, at);
        let key = (client.clone(), matter.clone());
        touch(self.matters.entry(key.clone()).or_default(), team, at);
        self.order.push_back((key, team.clone(), at));
        if self.order.len() > MAX_AFFINITIES {
            self.forget_oldest();
        }
    }

    /// What is known of one matter and its client alone, by the affinity of each team at an instant.
    #[must_use]
    pub fn of_matter(client: &ClientId, matter: &MatterId, teams: &BTreeMap<TeamId, u32>, now: DateTime<Utc>) -> Self {
        let with = |least: u32| teams.iter().filter(move |(_, score)| **score >= least);
        let known = |least| with(least).map(|(team, _)| (team.clone(), now)).collect();
        Self {
            matters: [((client.clone(), matter.clone()), known(SAME_MATTER))].into(),
            clients: [(client.clone(), known(SAME_CLIENT))].into(),
            order: VecDeque::new(),
        }
    }

    /// 100 for the same matter, 50 for the same client, else 0, for each team through the returned view.
    #[must_use]
    pub fn of(&self, client: &ClientId, matter: &MatterId, now: DateTime<Utc>) -> View<'_> {
        View {
            matter: self.matters.get(&(client.clone(), matter.clone())).map_or(&[], Vec::as_slice),
            client: self.clients.get(client).map_or(&[], Vec::as_slice),
            since: now - AFFINITY_FOR,
        }
    }

    fn forget_oldest(&mut self) {
        let Some((key, team, at)) = self.order.pop_front() else { return };
        if let Some(teams) = self.matters.get_mut(&key) {
            teams.retain(|(other, last)| *other != team || *last > at);
            if teams.is_empty() {
                self.matters.remove(&key);
            }
        }
    }
}

fn touch(teams: &mut Vec<(TeamId, DateTime<Utc>)>, team: &TeamId, at: DateTime<Utc>) {
    match teams.iter_mut().find(|(other, _)| other == team) {
        Some((_, last)) => *last = at.max(*last),
        None => teams.push((team.clone(), at)),
    }
}

/// What is remembered of one matter and its client.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    matter: &'a [(TeamId, DateTime<Utc>)],
    client: &'a [(TeamId, DateTime<Utc>)],
    since: DateTime<Utc>,
}

impl View<'_> {
    /// The affinity of a team, 0..=100.
    #[must_use]
    pub fn score(&self, team: &TeamId) -> u32 {
        let knows =
            |teams: &[(TeamId, DateTime<Utc>)]| teams.iter().any(|(other, last)| other == team && *last >= self.since);
        if knows(self.matter) {
            SAME_MATTER
        } else if knows(self.client) {
            SAME_CLIENT
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_matter_counts_twice_the_same_client_and_both_end_after_90_days() {
        let (team, client) = (TeamId::new("sydney").unwrap(), ClientId::new("acme").unwrap());
        let (one, two) = (MatterId::new("M-1").unwrap(), MatterId::new("M-2").unwrap());
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let mut affinity = Affinity::default();
        affinity.remember(&team, &client, &one, at);
        assert_eq!(affinity.of(&client, &one, at + AFFINITY_FOR).score(&team), 100);
        assert_eq!(affinity.of(&client, &two, at + AFFINITY_FOR).score(&team), 50);
        assert_eq!(affinity.of(&client, &one, at + AFFINITY_FOR + TimeDelta::seconds(1)).score(&team), 0);
    }
}
