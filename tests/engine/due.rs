//! The due time: the deadline and the finish clocks on every basis, with pauses.

use chrono::{DateTime, Utc};
use heliograph::engine::explain::Verdict;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Basis, HandoffRule, Roster, Team};
use heliograph::engine::scheduler::Preview;
use heliograph::engine::update::{Change, Sender};

use crate::world::*;

fn under(basis: Basis, target_minutes: u32, mut roster: Roster) -> Roster {
    let policy = policy(basis, target_minutes);
    roster.sla.insert(policy.id.clone(), policy);
    roster.clients.values_mut().for_each(|client| client.sla = Some("gold".parse().unwrap()));
    roster
}

/// When a request must be done if the first team takes it.
fn due(now: &str, roster: Roster, request: &WorkRequest) -> Option<DateTime<Utc>> {
    let preview = Preview::of(request, roster.into(), at(now)).expect("it is admitted");
    match preview.verdicts.first().expect("a team") {
        Verdict::Available(candidate) => candidate.due_at,
        rejected => panic!("{rejected:?}"),
    }
}

#[test]
fn without_a_deadline_and_a_clock_nothing_is_due() {
    assert_eq!(due("2026-11-23T10:00:00Z", roster(vec![always("a")]), &request("a")), None);
}

#[test]
fn each_basis_counts_its_own_time() {
    // Monday 16:00 in London, four hours: seven hours of it are a night.
    let now = "2026-11-23T16:00:00Z";
    let teams = || roster(vec![always("zurich"), team("zzz", "GB", "UTC", &["16:00-16:30"])]);
    let cases = [
        (Basis::Wall, "2026-11-23T20:00:00Z"),
        (Basis::Calendar("office".parse().unwrap()), "2026-11-24T12:00:00Z"),
        (Basis::Client, "2026-11-24T12:00:00Z"),
        (Basis::Holder, "2026-11-23T20:00:00Z"),
        (Basis::Coverage, "2026-11-23T20:00:00Z"),
    ];
    for (basis, wanted) in cases {
        let due =
            due(now, under(basis.clone(), 240, teams()), &WorkRequest { client: client_id("bolt"), ..request("a") });
        assert_eq!(due, Some(at(wanted)), "{basis:?}");
    }
    let office = || roster(vec![london()]);
    assert_eq!(due(now, under(Basis::Holder, 240, office()), &request("a")), Some(at("2026-11-24T12:00:00Z")));
    assert_eq!(due(now, under(Basis::Coverage, 240, office()), &request("a")), Some(at("2026-11-24T12:00:00Z")));
}

#[test]
fn coverage_counts_while_any_eligible_team_is_open() {
    let teams = vec![london(), new_york(), Team { vetted_until: None, ..always("nobody") }];
    let due = due("2026-11-23T16:00:00Z", under(Basis::Coverage, 8 * 60, roster(teams)), &request("a"));
    // 16:00-22:00 today, 09:00-11:00 tomorrow.
    assert_eq!(due, Some(at("2026-11-24T11:00:00Z")));
}

#[test]
fn the_earliest_of_deadline_and_clocks_is_due() {
    let now = "2026-11-23T10:00:00Z";
    let with = |deadline| WorkRequest { deadline: Some(at(deadline)), ..request("a") };
    let gold = || under(Basis::Wall, 120, roster(vec![always("a")]));
    assert_eq!(due(now, gold(), &with("2026-11-23T11:30:00Z")), Some(at("2026-11-23T11:30:00Z")));
    assert_eq!(due(now, gold(), &with("2026-11-23T13:00:00Z")), Some(at("2026-11-23T12:00:00Z")));
}

/// When an open task must be done if its holder gives it to the first team.
fn due_now(world: &World, id: &str) -> Option<DateTime<Utc>> {
    let verdicts = world.scheduler.explain(&task_id(id)).expect("it is open");
    verdicts.into_iter().find_map(|it| match it {
        Verdict::Available(candidate) => Some(candidate.due_at),
        Verdict::Rejected { .. } => None,
    })?
}

#[test]
fn a_pause_stops_the_clocks_that_list_its_reason_and_never_the_deadline() {
    let deadline = Some(at("2026-11-23T20:00:00Z"));
    let mut world = World::new("2026-11-23T10:00:00Z", under(Basis::Wall, 240, roster(vec![always("a")])));
    let _ = world.send(WorkRequest { deadline, ..request("x") });
    world.accept("x");
    assert_eq!(due_now(&world, "x"), Some(at("2026-11-23T14:00:00Z")));
    let reason = || term("client-question");
    world.run_to("2026-11-23T11:00:00Z");
    world.holder("x", |assignment| Change::Pause { assignment: Some(assignment), reason: reason() });
    assert_eq!(due_now(&world, "x"), deadline, "a clock that stands has no end");
    world.run_to("2026-11-23T13:30:00Z");
    world.firm("x", Change::Resume { assignment: None });
    assert_eq!(due_now(&world, "x"), Some(at("2026-11-23T16:30:00Z")));
}

#[test]
fn a_holder_clock_keeps_what_earlier_holders_and_the_wait_have_used() {
    // Five hours. London works from 09:00; Zurich never closes; both are eligible, so coverage is all time.
    let mut roster = under(Basis::Holder, 300, roster(vec![london(), always("zurich")]));
    roster.work_types.values_mut().for_each(|kind| kind.handoff = HandoffRule::Never);
    let mut world = World::new("2026-11-23T15:00:00Z", roster);
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("x") });
    world.accept("x");
    world.run_to("2026-11-24T10:00:00Z");
    // London used 15:00-17:00 and 09:00-10:00, so two hours are left of the five.
    world.holder("x", |assignment| Change::Release { assignment, reason: "ill".into() });
    let (_, brief) = world.last_offer("x");
    assert_eq!((world.place_of("x").as_str(), brief.due_at), ("offered zurich", Some(at("2026-11-24T12:00:00Z"))));
}

#[test]
fn the_order_of_waiting_knows_the_clocks_of_coverage() {
    let one_seat = Team { capacity: heliograph::engine::roster::Capacity::Seats(1), ..london() };
    let mut roster = under(Basis::Coverage, 600, roster(vec![one_seat]));
    roster.clients.get_mut("bolt").expect("a client").sla = None;
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    let _ = world.send(request("held"));
    world.accept("held");
    let _ = world.send(WorkRequest { client: client_id("bolt"), ..request("no-date") });
    let _ = world.send(request("clocked"));
    world.complete("held");
    assert_eq!(world.place_of("clocked"), "offered london");
}

#[test]
fn only_the_owner_of_a_task_may_pause_it_among_teams() {
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![always("a")]));
    let _ = world.send(request("x"));
    let pause = Change::Pause { assignment: Some(1), reason: term("client-question") };
    let refusal = world.update(Sender::Team(team_id("a")), "x", pause).unwrap_err();
    assert_eq!(refusal.code, heliograph::engine::event::RefusalCode::IllegalMove);
    assert_eq!(world.place_of("x"), "offered a");
}

#[test]
fn coverage_is_known_a_year_and_a_half_after_the_start() {
    let mut roster = roster(vec![london()]);
    roster.sla.insert("gold".parse().unwrap(), policy(Basis::Coverage, 240));
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    world.checked_every = 1_000;
    let gold = |id| WorkRequest { sla: Some("gold".parse().unwrap()), ..request(id) };
    let _ = world.send(gold("a"));
    world.firm("a", Change::Hold);
    world.run_to("2028-05-15T09:00:00Z");
    let _ = world.send(gold("b"));
    assert_eq!(world.last_offer("b").1.due_at, Some(at("2028-05-15T13:00:00Z")), "four hours of coverage");
}
