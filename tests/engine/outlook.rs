//! The outlook of the hours ahead, with figures worked out by hand.

use heliograph::engine::outlook::{Ahead, Demand, WEEK_HOURS, hour_of, outlook};
use heliograph::engine::overrides::OverrideKind;
use heliograph::engine::roster::{Capacity, Team};

use crate::world::*;

/// A Monday; the outlook goes from 09:00 to 09:00 on Thursday, over three days of eight open hours in London.
const MONDAY: &str = "2026-11-23T08:30:00Z";
const LITIGATION: &str = "GB/litigation";

/// London with two people for litigation.
fn two_in_london() -> Team {
    Team { capacity: Capacity::Seats(2), capabilities: vec![capability(Some("GB"), Some("litigation"))], ..london() }
}

/// The same hour of the last weeks, the last one first.
fn came(demand: &mut Demand, hour: &str, minutes: &[u64]) {
    for (ago, minutes) in (1..).zip(minutes) {
        let hour = hour_of(at(hour)) - ago * WEEK_HOURS;
        demand.arrivals.insert((hour, LITIGATION.into()), *minutes);
    }
}

fn ahead(teams: Vec<Team>, demand: &Demand) -> Ahead {
    let found = outlook(&roster(teams), demand, at(MONDAY));
    assert_eq!((found.from, found.hours), (at("2026-11-23T09:00:00Z"), 72));
    found.capabilities.into_iter().find(|it| it.capability == LITIGATION).expect("the capability")
}

fn known_for(weeks: i64) -> Demand {
    Demand { known_from: Some(hour_of(at(MONDAY)) - weeks * WEEK_HOURS), ..Demand::default() }
}

#[test]
fn booked_and_expected_work_is_done_in_the_open_time_of_the_teams_and_the_rest_is_left() {
    let mut demand = known_for(20);
    demand.booked.insert(LITIGATION.into(), 1_000);
    // One flood and one idle week count for nothing.
    came(&mut demand, "2026-11-23T10:00:00Z", &[60, 60, 0, 60, 6_000, 60, 60, 60]);
    came(&mut demand, "2026-11-24T22:00:00Z", &[240; 8]);
    let it = ahead(vec![two_in_london()], &demand);
    assert_eq!((it.booked_minutes, it.expected_minutes, it.capacity_minutes), (1_000, 300, 3 * 8 * 60 * 2));
    let left: Vec<u64> = it.by_hour.iter().map(|hour| hour.left_minutes).collect();
    assert_eq!(left[..9], [880, 820, 700, 580, 460, 340, 220, 100, 100], "Monday from 09:00 to the evening");
    assert_eq!(left[23..26], [100, 0, 0], "Tuesday at 08:00, 09:00 and 10:00");
    assert_eq!(left[36..39], [0, 240, 240], "what comes at 22:00 waits for the morning");
    assert_eq!(left[47..50], [240, 120, 0], "Wednesday");
    assert_eq!((it.left_minutes, it.short_from), (0, None));
    assert_eq!(it.teams, [team_id("london")]);

    demand.booked.insert(LITIGATION.into(), 4_000);
    let it = ahead(vec![two_in_london()], &demand);
    assert_eq!((it.left_minutes, it.short_from), (4_000 + 300 - 2_880, Some(at("2026-11-23T09:00:00Z"))));
    let retired = Team { retired: true, ..two_in_london() };
    let it = ahead(vec![retired], &demand);
    assert_eq!((it.teams.len(), it.capacity_minutes, it.left_minutes), (0, 0, 4_300));
}

#[test]
fn a_drain_takes_its_hours_from_the_capacity() {
    let mut world = World::new(MONDAY, roster(vec![two_in_london()]));
    let drain =
        crate::overrides::wish("london", OverrideKind::Drain, Some("2026-11-24T00:00:00Z"), "2026-11-25T00:00:00Z");
    crate::overrides::set(&mut world, drain).0.expect("set");
    let found = outlook(world.scheduler.roster(), &known_for(0), at(MONDAY));
    assert_eq!(found.capabilities[0].capacity_minutes, 2 * 8 * 60 * 2);
}

#[test]
fn with_few_weeks_behind_it_the_mean_is_plain_and_with_none_nothing_is_expected() {
    for (weeks, expected) in [(0, 0), (1, 90), (2, 45), (3, 30), (4, 0), (5, 20)] {
        let mut demand = known_for(weeks);
        came(&mut demand, "2026-11-23T10:00:00Z", &[90, 0, 0, 0, 60, 600, 600, 600]);
        let found = outlook(&roster(vec![two_in_london()]), &demand, at(MONDAY));
        assert_eq!((found.weeks, found.capabilities[0].expected_minutes), (weeks, expected), "{weeks} weeks");
    }
    let nothing = outlook(&roster(vec![two_in_london()]), &Demand::default(), at(MONDAY));
    assert_eq!((nothing.weeks, nothing.capabilities[0].expected_minutes), (0, 0));
}

#[test]
fn a_team_counts_for_all_that_it_can_do_and_one_sized_by_effort_by_a_day_of_it() {
    let everything = Team {
        capacity: Capacity::EffortHours(17),
        capabilities: vec![capability(None, Some("litigation"))],
        ..london()
    };
    let other = Team { capabilities: vec![capability(Some("FR"), Some("litigation"))], ..always("paris") };
    let mut demand = known_for(8);
    for asked in ["*/litigation", "FR/litigation", LITIGATION, "GB/*", "GB/patents"] {
        demand.booked.insert(asked.into(), 1);
    }
    let found = outlook(&roster(vec![everything, other]), &demand, at(MONDAY)).capabilities;
    let teams: Vec<_> = found.iter().map(|it| (it.capability.as_str(), it.teams.len())).collect();
    let expected = [("*/litigation", 2), ("FR/litigation", 2), ("GB/*", 1), ("GB/litigation", 1), ("GB/patents", 0)];
    assert_eq!(teams, expected);
    assert_eq!(found[3].capacity_minutes, 3 * 8 * 60 * 3, "17 hours of effort are three people's day");
    assert_eq!((found[4].left_minutes, found[4].short_from), (1, Some(at("2026-11-23T09:00:00Z"))), "nobody can");
}

#[test]
fn what_was_said_is_judged_once_its_hours_are_over() {
    let now = hour_of(at(MONDAY));
    let mut demand = known_for(8);
    demand.said.insert((now - 80, LITIGATION.into()), 300);
    demand.said.insert((now - 72, LITIGATION.into()), 100);
    demand.said.insert((now - 71, LITIGATION.into()), 9_000);
    assert_eq!(ahead(vec![two_in_london()], &demand).past_error_percent, None, "nothing came");
    demand.arrivals.insert((now - 75, LITIGATION.into()), 200);
    demand.arrivals.insert((now - 1, LITIGATION.into()), 40);
    // 300 were said and 200 came; 100 were said and 40 came; the third is not over.
    let it = ahead(vec![two_in_london()], &demand);
    assert_eq!(it.past_error_percent, Some((100 + 60) * 100 / (200 + 40)));
    // Of what was not named it was said that nothing would come.
    demand.said.insert((now - 75, "GB/patents".into()), 1);
    let it = ahead(vec![two_in_london()], &demand);
    assert_eq!(it.past_error_percent, Some((100 + 60 + 200) * 100 / (200 + 40 + 200)));
}
