//! The six scores with exact values, and the order that they make.

use std::collections::BTreeMap;

use heliograph::engine::explain::{Candidate, Scores, Verdict};
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Capacity, Roster, Team};
use heliograph::engine::scheduler::Preview;

use crate::world::*;

const MONDAY: &str = "2026-11-23T10:00:00Z";

fn candidates(world: &World, id: &str) -> BTreeMap<String, Candidate> {
    let verdicts = world.scheduler.explain(&task_id(id)).expect("it is open");
    by_team(verdicts)
}

fn by_team(verdicts: Vec<Verdict>) -> BTreeMap<String, Candidate> {
    let available = verdicts.into_iter().filter_map(|it| match it {
        Verdict::Available(candidate) => Some((candidate.team.to_string(), candidate)),
        Verdict::Rejected { .. } => None,
    });
    available.collect()
}

fn preview(roster: Roster, request: &WorkRequest) -> BTreeMap<String, Candidate> {
    by_team(Preview::of(request, roster.into(), at(MONDAY)).expect("it is admitted").verdicts)
}

#[test]
fn all_six_scores_and_their_sum_are_exact() {
    let skills = [(term("ediscovery"), 4)].into();
    let mut teams = vec![
        Team { skills, cost_per_hour_cents: 4_000, capacity: Capacity::Seats(3), ..always("a") },
        Team { cost_per_hour_cents: 10_000, ..team("b", "GB", "Europe/London", &["09:00-10:30"]) },
        Team { cost_per_hour_cents: 1_000, ..team("c", "GB", "Europe/London", &["20:00-21:00"]) },
    ];
    teams[1].skills = [(term("ediscovery"), 3)].into();
    let wanted = WorkRequest {
        skills: vec![skill("ediscovery", 3)],
        deadline: Some(at("2026-11-23T23:00:00Z")),
        ..request("a")
    };
    let scores = preview(roster(teams), &wanted);
    // Twelve hours of slack; (100 - 40) / (100 - 10) of the cost range.
    let a = Scores { margin: 50, uninterrupted: 100, affinity: 0, headroom: 100, level: 50, cost: 66 };
    assert_eq!(scores["a"].scores, a);
    assert_eq!(scores["a"].total, 50 * 4 + 100 * 3 + 100 * 2 + 50 + 66 * 2);
    // Half an hour today, half an hour tomorrow: late.
    let b = Scores { margin: 0, uninterrupted: 0, affinity: 0, headroom: 100, level: 0, cost: 0 };
    assert_eq!((scores["b"].scores, scores["b"].total, scores["b"].meets_due), (b, 200, false));
    assert_eq!(scores["b"].finish_at, Some(at("2026-11-24T09:30:00Z")));
}

#[test]
fn the_margin_is_full_at_a_day_of_slack_and_nothing_when_late() {
    let margin = |deadline: Option<&str>| {
        let request = WorkRequest { deadline: deadline.map(at), ..request("a") };
        preview(roster(vec![always("a")]), &request)["a"].scores.margin
    };
    assert_eq!(margin(None), 100);
    assert_eq!(margin(Some("2026-11-25T00:00:00Z")), 100);
    assert_eq!(margin(Some("2026-11-24T11:00:00Z")), 100);
    assert_eq!(margin(Some("2026-11-24T10:59:59Z")), 99);
    assert_eq!(margin(Some("2026-11-23T11:00:00Z")), 0);
    assert_eq!(margin(Some("2026-11-23T10:00:00Z")), 0);
}

#[test]
fn headroom_is_the_free_share_of_the_seats_rounded_down() {
    let mut world = World::new(MONDAY, roster(vec![Team { capacity: Capacity::Seats(3), ..always("a") }]));
    for (id, free) in [("x", 66), ("y", 33)] {
        let _ = world.send(request(id));
        let _ = world.send(WorkRequest { not_before: Some(at("2026-12-01T00:00:00Z")), ..request(&format!("{id}-p")) });
        assert_eq!(candidates(&world, &format!("{id}-p"))["a"].scores.headroom, free);
    }
}

#[test]
fn affinity_is_a_hundred_for_the_matter_and_fifty_for_the_client() {
    let mut world = World::new(MONDAY, roster(vec![always("a"), always("b")]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("b")), ..request("x") });
    world.accept("x");
    let probe = |id: &str, matter_id: &str| WorkRequest {
        matter: matter(matter_id),
        not_before: Some(at("2027-06-01T00:00:00Z")),
        ..request(id)
    };
    let _ = (world.send(probe("same", "M-1")), world.send(probe("client", "M-2")));
    let affinity = |world: &World, id: &str| {
        let of = candidates(world, id);
        (of["a"].scores.affinity, of["b"].scores.affinity)
    };
    assert_eq!((affinity(&world, "same"), affinity(&world, "client")), ((0, 100), (0, 50)));
    world.run(at(MONDAY) + minutes(90 * 24 * 60 + 1));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("a")), ..request("late") });
    assert_eq!(affinity(&world, "same"), (0, 0), "it ends after 90 days");
}

#[test]
fn a_team_that_is_in_time_comes_before_one_that_scores_higher() {
    let cheap = Team { cost_per_hour_cents: 1, ..team("cheap", "GB", "Europe/London", &["09:00-10:30"]) };
    let dear = Team { cost_per_hour_cents: 90_000, capacity: Capacity::Seats(1), ..always("dear") };
    let deadline = Some(at("2026-11-23T11:00:00Z"));
    let mut world = World::new(MONDAY, roster(vec![cheap, dear]));
    let _ = world.send(WorkRequest { deadline, ..request("a") });
    assert_eq!(world.place_of("a"), "offered dear");
}

#[test]
fn equal_sums_go_by_cost_and_equal_costs_by_team_id() {
    let mut costly = roster(vec![always("a"), Team { cost_per_hour_cents: 4_000, ..always("b") }]);
    costly.routing.weights.cost = 0;
    let mut world = World::new(MONDAY, costly);
    let _ = world.send(request("x"));
    assert_eq!(world.place_of("x"), "offered b");
    let mut world = World::new(MONDAY, roster(vec![always("b"), always("a")]));
    let _ = world.send(request("x"));
    assert_eq!(world.place_of("x"), "offered a");
}

#[test]
fn the_preferred_team_wins_when_it_is_in_time_and_only_then() {
    let slow = || team("slow", "GB", "Europe/London", &["09:00-10:30"]);
    let prefers = |deadline: Option<&str>| {
        let mut world = World::new(MONDAY, roster(vec![always("a"), slow()]));
        let request = WorkRequest { preferred_team: Some(team_id("slow")), deadline: deadline.map(at), ..request("x") };
        let _ = world.send(request);
        world.place_of("x")
    };
    assert_eq!(prefers(None), "offered slow");
    assert_eq!(prefers(Some("2026-11-24T09:30:00Z")), "offered slow");
    assert_eq!(prefers(Some("2026-11-24T09:29:59Z")), "offered a");
}

#[test]
fn a_decision_keeps_its_candidates_in_order_and_counts_the_rest_by_filter() {
    let walled = Team { vetted_until: None, ..always("c") };
    let mut world = World::new(MONDAY, roster(vec![sydney(), always("a"), always("b"), walled]));
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("b")), ..request("x") });
    let decision = world.last_offer("x").0.decision.clone().expect("a decision");
    let order: Vec<_> = decision.available.iter().map(|it| it.team.as_str()).collect();
    assert_eq!((order, decision.available_count), (vec!["a", "b"], 2));
    assert_eq!(decision.winner, Some(team_id("b")));
    let counts: Vec<_> = decision.rejected.iter().map(|(filter, count)| (filter.as_str(), *count)).collect();
    assert_eq!(counts, [("vetting", 1), ("open", 1)]);
}
