//! Whether anybody, or any chain of teams, can do a task in time.

use heliograph::engine::effect::Effect;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Acceptance, Basis, HandoffRule, Roster, Team};
use heliograph::engine::update::{Amendment, Change};

use crate::world::*;

/// Monday in London; its shift ends at 17:00, Sydney's next begins at 22:00.
const MONDAY: &str = "2026-11-23T10:00:00Z";

/// What is said of a task that cannot be done in time: due, best finish, best team.
fn infeasible(world: &World) -> Vec<(String, String, String)> {
    let told = world.log.iter().filter_map(|it| match &it.effect {
        Effect::ReportInfeasible { due_at: Some(due_at), best_finish_at: Some(finish_at), best_team } => {
            let text = |at: &chrono::DateTime<chrono::Utc>| at.format("%d %H:%M").to_string();
            Some((text(due_at), text(finish_at), best_team.to_string()))
        }
        _ => None,
    });
    told.collect()
}

fn sent(teams: Vec<Team>, minutes: u32, deadline: &str) -> World {
    let mut world = World::new(MONDAY, roster(teams));
    let _ = world.send(WorkRequest { effort_minutes: Some(minutes), deadline: Some(at(deadline)), ..request("a") });
    world
}

#[test]
fn a_deadline_that_nobody_can_meet_is_told_with_the_best_finish_and_the_task_is_routed_all_the_same() {
    let world = sent(vec![london()], 720, "2026-11-24T06:00:00Z");
    assert_eq!(infeasible(&world), [("24 06:00".into(), "24 14:00".into(), "london".into())]);
    assert_eq!(world.story("a"), ["admit", "report_infeasible", "offer"]);
}

#[test]
fn a_chain_of_teams_that_is_in_time_makes_it_feasible() {
    // Seven hours in London, then five and the hand-off's quarter of an hour in Sydney: Tuesday 03:15.
    let world = sent(vec![london(), sydney()], 720, "2026-11-24T03:15:00Z");
    assert_eq!(infeasible(&world), []);
    let world = sent(vec![london(), sydney()], 720, "2026-11-24T03:14:00Z");
    assert_eq!(infeasible(&world), [("24 03:14".into(), "24 03:15".into(), "london".into())]);
}

#[test]
fn a_task_that_is_never_handed_off_has_no_chain() {
    let mut roster = roster(vec![london(), Team { acceptance: Acceptance::Implicit, ..sydney() }]);
    roster.work_types.values_mut().for_each(|kind| kind.handoff = HandoffRule::Never);
    let mut world = World::new(MONDAY, roster);
    let deadline = Some(at("2026-11-24T06:00:00Z"));
    let _ = world.send(WorkRequest { effort_minutes: Some(720), deadline, ..request("a") });
    assert_eq!(infeasible(&world).len(), 1);
}

#[test]
fn a_clock_that_starts_when_the_task_is_ready_counts_and_an_amended_deadline_is_looked_at_anew() {
    let mut roster: Roster = roster(vec![london()]);
    roster.sla = [("gold".parse().unwrap(), policy(Basis::Wall, 60))].into();
    let mut world = World::new(MONDAY, roster);
    let sla = Some("gold".parse().unwrap());
    let _ = world.send(WorkRequest { effort_minutes: Some(90), sla, ..request("a") });
    assert_eq!(infeasible(&world), [("23 11:00".into(), "23 11:30".into(), "london".into())]);
    let mut world = sent(vec![london()], 60, "2026-11-24T12:00:00Z");
    world.run_to("2026-11-23T18:00:00Z");
    assert!(world.place_of("a").starts_with("waiting") && infeasible(&world).is_empty());
    let sooner = Amendment { deadline: Some(at("2026-11-24T09:30:00Z")), ..Amendment::default() };
    world.firm("a", Change::Amend(Box::new(sooner)));
    assert_eq!(infeasible(&world), [("24 09:30".into(), "24 10:00".into(), "london".into())]);
}

#[test]
fn what_is_in_time_and_what_has_no_due_time_is_told_nothing_of() {
    let mut world = sent(vec![london()], 60, "2026-11-24T06:00:00Z");
    let _ = world.send(request("b"));
    assert_eq!(infeasible(&world), []);
}
