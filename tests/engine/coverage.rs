//! Coverage of the days ahead: open minutes, gaps, thin places.

use std::sync::Arc;

use heliograph::engine::calendar::{Calendar, Change, DatedEntry, Holiday};
use heliograph::engine::coverage::{Gap, coverage};
use heliograph::engine::overrides::OverrideKind;
use heliograph::engine::roster::Team;

use crate::world::*;

const MONDAY: &str = "2026-11-23T00:00:00Z";

fn closed(team: Team, from: &str, until: &str) -> Team {
    let change = Change { from: at(from), until: at(until), open: false };
    Team { calendar: Arc::new(team.calendar.with(vec![change])), ..team }
}

#[test]
fn nights_and_weekends_that_nobody_covers_are_no_gaps_and_one_team_alone_is_named() {
    let covered = coverage(&roster(vec![london()]), at(MONDAY), 7).capabilities.remove(0);
    assert_eq!((covered.only, covered.gaps.len()), (Some(team_id("london")), 0));
    assert_eq!(covered.days[5].open_minutes, 0, "Saturday");
    assert!(covered.days[0].open_minutes > 0 && covered.days[0].hours.starts_with("........."));
}

#[test]
fn what_is_closed_against_the_weekly_hours_is_a_gap_unless_another_team_is_open() {
    let (from, until) = ("2026-11-24T10:00:00Z", "2026-11-24T12:00:00Z");
    let alone = coverage(&roster(vec![closed(london(), from, until)]), at(MONDAY), 7);
    assert_eq!(alone.capabilities[0].gaps, [Gap { from: at(from), until: at(until) }]);
    let together = coverage(&roster(vec![closed(london(), from, until), always("zurich")]), at(MONDAY), 7);
    assert!(together.capabilities[0].gaps.is_empty() && together.capabilities[0].only.is_none());
}

#[test]
fn a_closure_that_the_roster_calls_planned_is_no_gap() {
    let closed_on_tuesday = |planned| {
        let day = "2026-11-24".parse().expect("a date");
        let mut spec = london().calendar.spec().clone();
        let entry = DatedEntry { from: day, until: day, hours: Some(Vec::new()), breaks: Vec::new(), planned };
        spec.dates = vec![entry];
        Team { calendar: Arc::new(Calendar::new(spec, at(MONDAY))), ..london() }
    };
    for (planned, gaps) in [(false, 1), (true, 0)] {
        let covered = coverage(&roster(vec![closed_on_tuesday(planned)]), at(MONDAY), 7).capabilities.remove(0);
        assert_eq!((covered.gaps.len(), covered.days[1].open_minutes), (gaps, 0), "planned: {planned}");
    }
}

#[test]
fn a_retired_team_covers_nothing() {
    let retired = Team { retired: true, ..always("zurich") };
    let covered = coverage(&roster(vec![london(), retired]), at(MONDAY), 7).capabilities.remove(0);
    assert_eq!(covered.teams, [team_id("london")]);
}

#[test]
fn a_drained_team_covers_nothing_while_the_drain_lasts() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    for (from, until) in [(None, "2026-11-23T12:00:00Z"), (Some("2026-11-24T00:00:00Z"), "2026-11-25T00:00:00Z")] {
        let drain = crate::overrides::wish("london", OverrideKind::Drain, from, until);
        crate::overrides::set(&mut world, drain).0.expect("set");
    }
    let covered = coverage(world.scheduler.roster(), at(MONDAY), 3).capabilities.remove(0);
    let open: Vec<_> = covered.days.iter().map(|day| day.open_minutes).collect();
    assert_eq!((open, covered.only), (vec![300, 0, 480], Some(team_id("london"))));
}

#[test]
fn holidays_of_several_teams_and_changes_of_the_clock_are_named() {
    let on_holiday = |team: Team| {
        let mut spec = team.calendar.spec().clone();
        let holiday = Holiday { name: "a feast".into(), estimated: false };
        spec.holidays.insert("2026-03-27".parse().expect("a date"), holiday);
        let calendar = heliograph::engine::calendar::Calendar::new(spec, at("2026-03-23T00:00:00Z"));
        Team { calendar: Arc::new(calendar), ..team }
    };
    let teams = vec![on_holiday(london()), on_holiday(sydney()), new_york()];
    let ahead = coverage(&roster(teams), at("2026-03-23T00:00:00Z"), 8);
    let collision = &ahead.holiday_collisions[0];
    assert_eq!((collision.date.to_string(), collision.teams.len()), ("2026-03-27".into(), 2));
    let shift = &ahead.clock_shifts[0];
    assert_eq!((shift.zone.as_str(), shift.minutes, shift.at), ("Europe/London", 60, at("2026-03-29T01:00:00Z")));
}
