//! The waiting order: clients share the seats of a priority by weight, the oldest task has its turn, and no flood of one
//! client delays another's work past that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heliograph::engine::effect::{Effect, PriorityReason};
use heliograph::engine::event::Event;
use heliograph::engine::id::{ClientId, TaskId};
use heliograph::engine::request::{Priority, WorkRequest};
use heliograph::engine::roster::{Capacity, Client, Roster, Team};
use heliograph::engine::scheduler::{Limits, Scheduler};
use heliograph::engine::task::{Task, TaskState};
use heliograph::engine::update::{Change, DeclineReason, Sender};

use crate::random::Dice;
use crate::world::*;

/// A firm with one team that never closes, of so many seats, and the clients `acme`, `bolt` and `core` of these weights.
fn firm(seats: u32, fair_every: u32, weights: [u32; 3]) -> Roster {
    let mut roster = roster(vec![Team { capacity: Capacity::Seats(seats), ..always("zurich") }]);
    for (name, weight) in ["acme", "bolt", "core"].into_iter().zip(weights) {
        roster.clients.insert(client_id(name), Client { weight, ..client(name) });
    }
    roster.routing.fair_every = fair_every;
    roster
}

const NEVER: u32 = 1_000;

fn of(client: &str, number: usize) -> WorkRequest {
    WorkRequest { client: client_id(client), ..request(&format!("{client}-{number}")) }
}

fn urgent(client: &str, number: usize) -> WorkRequest {
    WorkRequest { priority: Some(Priority::Urgent), ..of(client, number) }
}

/// The team is busy with a task of `core` until [`World::complete_one`].
fn busy(roster: Roster) -> World {
    let mut world = World::new("2026-11-23T09:00:00Z", roster);
    world.checked_every = 50;
    let _ = world.send(of("core", 0));
    world
}

fn held(scheduler: &Scheduler) -> Option<&Task> {
    scheduler.open_tasks().find(|task| !matches!(task.state, TaskState::Waiting(_)))
}

/// The team does what it has in as long as was stated; gives the client and the number of what it has then.
fn serve(world: &mut World) -> (String, TaskId) {
    let task = held(&world.scheduler).expect("the team has one").clone();
    if matches!(task.state, TaskState::Offered(_)) {
        world.holder_of(&task, Change::Accept { assignment: task.assignments });
    }
    let done_at = world.now + minutes(i64::from(task.effort_minutes));
    world.run(done_at);
    world.holder_of(&task, Change::Complete { assignment: task.assignments, note: None });
    match held(&world.scheduler) {
        Some(next) => (next.client.to_string(), next.id.clone()),
        None => (String::new(), task.id),
    }
}

fn served(world: &mut World, many: usize) -> Vec<String> {
    (0..many).map(|_| serve(world).0).collect()
}

fn count(served: &[String], client: &str) -> usize {
    served.iter().filter(|it| *it == client).count()
}

#[test]
fn clients_share_the_seats_by_their_weights() {
    let mut world = busy(firm(1, NEVER, [300, 100, 100]));
    for number in 0..60 {
        let _ = (world.send(of("acme", number)), world.send(of("bolt", number)));
    }
    let order = served(&mut world, 40);
    assert_eq!((count(&order, "acme"), count(&order, "bolt")), (30, 10), "{order:?}");
    // At no time is one ahead of its share by more than a task.
    for end in 1..=order.len() {
        let acme = count(&order[..end], "acme");
        assert!((acme * 4).abs_diff(end * 3) <= 4, "{acme} of {end}");
    }
}

#[test]
fn effort_counts_and_not_the_number_of_tasks() {
    let mut world = busy(firm(1, NEVER, [100; 3]));
    for number in 0..40 {
        let long = WorkRequest { effort_minutes: Some(180), ..of("acme", number) };
        let _ = (world.send(long), world.send(of("bolt", number)));
    }
    let order = served(&mut world, 40);
    assert_eq!((count(&order, "acme"), count(&order, "bolt")), (10, 30), "{order:?}");
}

#[test]
fn a_client_that_comes_back_catches_up_with_nothing() {
    let mut world = busy(firm(1, NEVER, [100; 3]));
    for number in 0..60 {
        let _ = world.send(of("acme", number));
    }
    let alone = served(&mut world, 20);
    assert_eq!(count(&alone, "acme"), 20);
    for number in 0..40 {
        let _ = world.send(of("bolt", number));
    }
    let order = served(&mut world, 20);
    assert_eq!(count(&order, "bolt"), 10, "{order:?}");
    assert!(count(&order[..3], "bolt") <= 2, "its first turn is not a run: {order:?}");
}

#[test]
fn work_that_takes_longer_than_stated_is_charged_in_the_end() {
    let mut world = busy(firm(1, NEVER, [100; 3]));
    // An hour each by the request, and four by the clock.
    let mut order = Vec::new();
    for number in 0..40 {
        let _ = (world.send(of("acme", number)), world.send(of("bolt", number)));
    }
    for _ in 0..40 {
        let task = held(&world.scheduler).expect("one").clone();
        if task.client.as_str() == "acme" {
            world.holder_of(&task, Change::Accept { assignment: task.assignments });
            let later = world.now + minutes(180);
            world.run(later);
        }
        order.push(serve(&mut world).0);
    }
    let acme = count(&order, "acme");
    assert!((7..=9).contains(&acme), "four times the effort gives a quarter of the seats that the other has: {acme}");
}

#[test]
fn an_offer_that_is_made_again_is_charged_once() {
    let mut world = busy(firm(1, NEVER, [100; 3]));
    let _ = (world.send(of("acme", 1)), world.send(of("bolt", 1)));
    serve(&mut world);
    let first = held(&world.scheduler).expect("one").clone();
    assert_eq!(first.client.as_str(), "acme");
    let before = world.scheduler.marks().clone();
    world.holder_of(&first, Change::Decline { assignment: 1, reason: DeclineReason::Busy, note: None });
    serve(&mut world);
    let again = held(&world.scheduler).expect("one").clone();
    assert_eq!((again.id, again.assignments), (first.id, 2));
    let tag = |marks: &BTreeMap<_, u64>, name: &str| {
        let mark = heliograph::engine::fairness::Mark::Tag(Priority::Normal, client_id(name));
        marks.get(&mark).copied().unwrap_or(0)
    };
    assert_eq!(tag(world.scheduler.marks(), "acme"), tag(&before, "acme"));
}

#[test]
fn one_seat_in_so_many_goes_to_the_oldest_task_of_any_priority() {
    let mut world = busy(firm(1, 8, [100; 3]));
    let low = |number| WorkRequest { priority: Some(Priority::Low), ..of("acme", number) };
    for number in 0..5 {
        let _ = world.send(low(number));
    }
    for number in 0..80 {
        let _ = world.send(urgent("bolt", number));
    }
    let order = served(&mut world, 40);
    let places: Vec<_> = (1..).zip(&order).filter(|(_, client)| *client == "acme").map(|(place, _)| place).collect();
    assert_eq!(places, [8, 16, 24, 32, 40], "each waits for no more than eight seats for each that is before it");
}

#[test]
fn the_oldest_that_the_team_cannot_take_does_not_hold_up_the_turn() {
    let mut world = busy(firm(1, 2, [100; 3]));
    let patent = WorkRequest { skills: vec![skill("patents", 3)], priority: Some(Priority::Low), ..of("acme", 1) };
    let low = WorkRequest { priority: Some(Priority::Low), ..of("acme", 2) };
    let _ = (world.send(patent), world.send(low));
    for number in 0..8 {
        let _ = world.send(urgent("bolt", number));
    }
    let order = served(&mut world, 4);
    assert_eq!(order, ["bolt", "acme", "bolt", "bolt"]);
}

#[test]
fn many_that_become_ready_at_one_instant_share_the_seats_too() {
    let mut world = World::new("2026-11-23T08:00:00Z", firm(10, NEVER, [100; 3]));
    let at_nine = |request| WorkRequest { not_before: Some(at("2026-11-23T09:00:00Z")), ..request };
    for number in 0..50 {
        let _ = world.send(at_nine(of("acme", number)));
    }
    for number in 0..10 {
        let _ = world.send(at_nine(of("bolt", number)));
    }
    world.run_to("2026-11-23T09:00:00Z");
    let offered = world.scheduler.open_tasks().filter(|task| matches!(task.state, TaskState::Offered(_)));
    let bolt = offered.filter(|task| task.client.as_str() == "bolt").count();
    assert_eq!(bolt, 5);
}

#[test]
fn a_flood_of_one_client_delays_another_by_no_more_than_its_share() {
    const FLOOD: usize = 100_000;
    let roster = Arc::new(firm(1, 8, [100; 3]));
    let mut scheduler = Scheduler::new(roster, Limits::default(), at("2026-11-23T09:00:00Z"));
    let now = at("2026-11-23T09:00:00Z");
    for number in 0..FLOOD {
        let request = Box::new(of("acme", number));
        let _ = scheduler.step(now, Event::RequestReceived { request, ended: None, predecessors: Vec::new() });
    }
    let mut world = World::around(scheduler, now);
    world.checked_every = u32::MAX;
    for number in 0..20 {
        let _ = world.send(of("bolt", number));
    }
    let order = served(&mut world, 50);
    let places: Vec<_> = (1..).zip(&order).filter(|(_, client)| *client == "bolt").map(|(place, _)| place).collect();
    assert_eq!(places.len(), 20, "all are served while 100,000 wait");
    for (number, place) in (1..).zip(places) {
        // Half of the seats that are not the oldest task's: 7 of 16, rounded up, and the one that was taken.
        assert!(place <= (number * 16 + 6) / 7 + 1, "number {number} got seat {place}");
    }
}

#[test]
fn urgent_work_past_the_quota_of_the_day_counts_as_high() {
    let mut roster = firm(1, NEVER, [100; 3]);
    roster.clients.get_mut("acme").expect("a client").urgent_quota = Some(2);
    let mut world = busy(roster);
    for number in 1..=3 {
        let _ = (world.send(urgent("acme", number)), world.send(urgent("bolt", number)));
    }
    let priority = |world: &World, number| world.task(&format!("acme-{number}")).priority;
    assert_eq!([1, 2, 3].map(|number| priority(&world, number)), [Priority::Urgent, Priority::Urgent, Priority::High]);
    assert_eq!(world.story("acme-3")[..2], ["admit", "reprioritise"]);
    let told = world.log.iter().find_map(|it| match &it.effect {
        Effect::Reprioritise { priority, because } => Some((*priority, *because)),
        _ => None,
    });
    assert_eq!(told, Some((Priority::High, Some(PriorityReason::UrgentQuota))));
    // A firm that asks later meets the same limit; an operator does not.
    let _ = world.send(of("acme", 4));
    world.firm("acme-4", Change::Reprioritise { priority: Priority::Urgent });
    assert_eq!(priority(&world, 4), Priority::High);
    world
        .update(Sender::Operator("local".into()), "acme-4", Change::Reprioritise { priority: Priority::Urgent })
        .unwrap();
    assert_eq!(priority(&world, 4), Priority::Urgent);
    // Another day.
    world.run_to("2026-11-24T00:00:00Z");
    let _ = world.send(urgent("acme", 5));
    assert_eq!(priority(&world, 5), Priority::Urgent);
    let days = world.scheduler.marks().keys().filter(|mark| format!("{mark:?}").starts_with("Urgent")).count();
    assert_eq!(days, 1, "the day before is forgotten");
}

/// The order of the rules, worked out by looking at every waiting task each time.
struct Naive {
    weights: BTreeMap<ClientId, u64>,
    waiting: BTreeSet<(u64, Priority, ClientId, u64)>,
    tags: BTreeMap<(Priority, ClientId), u64>,
    time: BTreeMap<Priority, u64>,
    turns: u32,
    fair_every: u32,
}

impl Naive {
    fn begin(&mut self, priority: Priority, client: &ClientId) {
        let waits = self.waiting.iter().any(|(_, p, c, _)| (p, c) == (&priority, client));
        let time = self.time.get(&priority).copied().unwrap_or(0);
        let tag = self.tags.entry((priority, client.clone())).or_default();
        if !waits {
            *tag = (*tag).max(time);
        }
    }

    fn arrive(&mut self, arrival: u64, priority: Priority, client: &ClientId, minutes: u64) {
        self.begin(priority, client);
        self.waiting.insert((arrival, priority, client.clone(), minutes));
    }

    fn next(&mut self) -> u64 {
        let oldest = self.turns + 1 >= self.fair_every;
        let tag = |it: &Self, p: Priority, c: &ClientId| it.tags[&(p, c.clone())];
        let key = |it: &&(u64, Priority, ClientId, u64)| (it.1, tag(self, it.1, &it.2), it.2.clone(), it.0);
        let chosen = if oldest { self.waiting.first() } else { self.waiting.iter().min_by_key(key) };
        let chosen = chosen.expect("one waits").clone();
        self.turns = if oldest { 0 } else { self.turns + 1 };
        let (arrival, priority, client, minutes) = chosen.clone();
        let start = tag(self, priority, &client);
        let time = self.time.entry(priority).or_default();
        *time = (*time).max(start);
        *self.tags.get_mut(&(priority, client.clone())).expect("a tag") += minutes * 10_000 / self.weights[&client];
        self.waiting.remove(&chosen);
        arrival
    }
}

#[test]
fn the_order_is_that_of_the_rules_for_any_arrivals() {
    for seed in 1..=6 {
        let (mut dice, weights) = (Dice::new(seed), [100, 300, 70]);
        let mut world = World::new("2026-11-23T09:00:00Z", firm(1, 5, weights));
        world.checked_every = 100;
        let names = ["acme", "bolt", "core"];
        let mut naive = Naive {
            weights: names.into_iter().zip(weights).map(|(name, it)| (client_id(name), u64::from(it))).collect(),
            waiting: BTreeSet::new(),
            tags: BTreeMap::new(),
            time: BTreeMap::new(),
            turns: 0,
            fair_every: 5,
        };
        // The first one finds a free seat: it waits for nothing, and is charged all the same.
        let mut number = 0;
        let mut send = |world: &mut World, naive: &mut Naive, dice: &mut Dice| {
            let (name, priority) = (dice.of(&names), dice.of(&Priority::ALL));
            let effort = dice.of(&[15, 60, 240]);
            let request = WorkRequest { priority: Some(priority), effort_minutes: Some(effort), ..of(name, number) };
            let _ = world.send(request);
            naive.arrive(number.try_into().unwrap(), priority, &client_id(name), u64::from(effort));
            number += 1;
        };
        send(&mut world, &mut naive, &mut dice);
        let (turns, _) = (naive.turns, naive.next());
        naive.turns = turns;
        for turn in 0..600 {
            for _ in 0..dice.below(3) {
                send(&mut world, &mut naive, &mut dice);
            }
            if naive.waiting.is_empty() {
                continue;
            }
            let (_, id) = serve(&mut world);
            let arrival = world.scheduler.task(&id).expect("it has the seat").arrival.0;
            assert_eq!(arrival, naive.next(), "seed {seed}, turn {turn}");
        }
    }
}
