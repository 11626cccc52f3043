//! A firm and its teams as programs: believable work requests, and teams that answer their offers.
//!
//! Pure: the same seed and the same instants give the same bytes. Nothing here reads a clock or sends anything.

mod chance;
pub mod crew;
pub mod firm;
mod kinds;

use chrono::{DateTime, Utc};

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: DateTime<Utc>,
    /// A JSON object: a work request or an update.
    pub body: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::crew::Crew;
    use super::firm::Firm;
    use super::*;
    use crate::engine::effect::{Answer, Effects};
    use crate::engine::event::{Event, RefusalCode};
    use crate::engine::id::TeamId;
    use crate::engine::scheduler::{Limits, Scheduler};
    use crate::roster::zones::ZoneSource;
    use crate::wire::chain::{Head, Sealer};
    use crate::wire::update::SenderHint;
    use crate::wire::{Rules, message, request, update};

    /// The firm, its teams and a scheduler between them, with the messages that a daemon would carry.
    struct World {
        now: DateTime<Utc>,
        scheduler: Scheduler,
        sealer: Sealer,
        crews: BTreeMap<TeamId, Crew>,
        events: BTreeMap<String, u32>,
        refusals: Vec<RefusalCode>,
    }

    impl World {
        fn step(&mut self, event: Event) {
            let Effects { recorded, answer, .. } = self.scheduler.step(self.now, event);
            if let Some(Answer::Refused(refusal)) = answer {
                self.refusals.push(refusal.code);
            }
            for recorded in recorded {
                *self.events.entry(recorded.effect.event_type().into()).or_default() += 1;
                let fact = self.sealer.seal(recorded);
                if let (Some(message), Some(team)) = (message::work("i", &fact, None), &fact.team) {
                    self.crews.get_mut(team).unwrap().hear(self.now, &message.body);
                }
            }
        }

        fn count(&self, event_type: &str) -> u32 {
            self.events.get(event_type).copied().unwrap_or(0)
        }
    }

    /// Two days from a Monday morning in Sydney on.
    fn two_days(seed: u64) -> World {
        let start: DateTime<Utc> = "2026-11-29T20:00:00Z".parse().unwrap();
        let roster = Arc::new(crate::roster::sample(ZoneSource::Bundled, start).unwrap().roster);
        let mut firm = Firm::new(seed, &roster);
        let crews = roster.teams.iter().map(|team| (team.id.clone(), Crew::new(seed, team, &roster)));
        let mut world = World {
            now: start,
            crews: crews.collect(),
            scheduler: Scheduler::new(roster, Limits::default(), start),
            sealer: Sealer::after(Head::default()),
            events: BTreeMap::new(),
            refusals: Vec::new(),
        };
        let mut next = firm.next(start);
        loop {
            let crew_at = world.crews.values().filter_map(Crew::next_at).min();
            let request_at = next.as_ref().map(|due| due.at);
            let due = [crew_at, request_at, world.scheduler.next_deadline()].into_iter().flatten().min().unwrap();
            world.now = world.now.max(due);
            if world.now > start + TimeDelta::days(2) {
                return world;
            }
            if let Some(due) = next.take_if(|due| due.at <= world.now) {
                let parsed = request::parse(&due.body, &Rules::default()).unwrap();
                let request = Box::new(parsed.request);
                world.step(Event::RequestReceived { request, ended: None, predecessors: Vec::new() });
                next = firm.next(due.at);
            }
            let said: Vec<Due> = world.crews.values_mut().flat_map(|crew| crew.take(due)).collect();
            for due in said {
                let update = Box::new(update::parse(&due.body, &SenderHint::InBody, &Rules::default()).unwrap());
                let digest = update::digest(&update);
                world.step(Event::UpdateReceived { update, digest, ended: None, earlier: None });
            }
            world.step(Event::DeadlineReached);
        }
    }

    #[test]
    fn two_days_of_the_sample_firm_are_mostly_accepted_and_completed_and_hardly_ever_refused() {
        let world = two_days(1);
        let (admitted, offered) = (world.count("task.admitted"), world.count("task.offered"));
        let (accepted, completed) = (world.count("task.accepted"), world.count("task.completed"));
        assert!(admitted > 200, "{:?}", world.events);
        assert!(accepted * 100 > offered * 80, "{:?}", world.events);
        assert!(completed * 100 > admitted * 50, "{:?}", world.events);
        assert!(world.count("task.declined") > 0 && world.count("task.progressed") > 0, "{:?}", world.events);
        // An offer may end in the moment in which its team answers.
        assert!(world.refusals.len() * 50 < completed as usize, "{:?}", world.refusals);
    }

    #[test]
    fn one_seed_gives_one_history() {
        assert_eq!(two_days(3).sealer.head(), two_days(3).sealer.head());
    }
}
