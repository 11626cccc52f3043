//! What the sample roster promises.

use std::collections::BTreeSet;
use std::path::Path;

use heliograph::engine::id::TeamId;
use heliograph::engine::request::Presence;
use heliograph::engine::roster::{Acceptance, Basis, Capacity, Delivery, Offshoring, PayloadOn, Roster, Routing};
use heliograph::roster::{self, zones::ZoneSource};

use super::anchor;

fn sample() -> Roster {
    let loaded = roster::sample(ZoneSource::Bundled, anchor()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(), [""; 0]);
    loaded.roster
}

#[test]
fn the_sample_is_the_file_in_config_and_loads_without_fault_or_warning() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/roster.toml");
    let loaded = roster::load(&path, ZoneSource::Bundled, anchor()).unwrap();
    assert_eq!(loaded.roster.digest, sample().digest);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn the_sample_has_teams_on_six_continents() {
    let roster = sample();
    assert!(roster.teams.len() >= 14, "{}", roster.teams.len());
    let zones: BTreeSet<_> = roster.teams.iter().map(|team| team.calendar.spec().zone.name()).collect();
    for zone in [
        "Australia/Sydney",
        "Asia/Kolkata",
        "Africa/Johannesburg",
        "Europe/London",
        "America/New_York",
        "America/Bogota",
    ] {
        assert!(zones.contains(zone), "{zone}");
    }
    let one_seat = roster.teams.iter().filter(|team| team.capacity == Capacity::Seats(1)).count();
    assert!(one_seat >= 3);
    assert!(roster.teams.iter().any(|team| matches!(team.capacity, Capacity::EffortHours(_))));
    assert!(roster.teams.iter().any(|team| team.acceptance == Acceptance::Implicit));
    assert!(roster.teams.iter().any(|team| team.delivery == Delivery::Http));
}

#[test]
fn the_sample_has_zones_off_the_full_hour() {
    let roster = sample();
    let offsets: BTreeSet<_> =
        roster.teams.iter().map(|team| team.calendar.spec().zone.offset_at(anchor()) / 60).collect();
    for minutes in [5 * 60 + 30, 5 * 60 + 45, -(3 * 60 + 30)] {
        assert!(offsets.contains(&minutes), "{minutes}");
    }
}

#[test]
fn somebody_is_open_in_every_hour_from_monday_morning_to_friday_night() {
    let roster = sample();
    for hour in 0..4 * 24 + 13 {
        let at = anchor() + chrono::TimeDelta::hours(hour);
        let open = roster.teams.iter().filter(|team| team.id.as_str() != "incident-desk" && team.calendar.is_open(at));
        assert!(open.count() >= 1, "{at}");
    }
}

#[test]
fn every_team_is_vetted_and_holds_something_and_some_admissions_end() {
    let roster = sample();
    let until = |text: &str| Some(text.parse().unwrap());
    for team in &roster.teams {
        assert!(team.vetted_until > until("2027-06-01T00:00:00Z"), "{}", team.id);
        assert!(team.vetted_until < until("2029-01-02T00:00:00Z"), "{}", team.id);
        assert!(!team.capabilities.is_empty() && team.cost_per_hour_cents > 0, "{}", team.id);
    }
    let ending = roster.teams.iter().flat_map(|team| &team.capabilities).filter(|held| held.admitted_until.is_some());
    assert!(ending.count() >= 10);
}

#[test]
fn the_sample_has_clients_of_every_rule_walls_of_both_kinds_and_clocks_of_every_basis() {
    let roster = sample();
    let clients = || roster.clients.values();
    assert!(clients().count() >= 8);
    for rule in [Offshoring::Allowed, Offshoring::Denied, Offshoring::Consent] {
        assert!(clients().any(|client| client.offshoring == rule), "{rule:?}");
    }
    for country in ["US", "GB", "AU", "DE"] {
        assert!(clients().any(|client| client.country.country() == country), "{country}");
    }
    assert!(clients().any(|client| client.payload_on == PayloadOn::Accept && !client.residency.is_empty()));
    assert!(clients().all(|client| client.calendar.is_some() && client.sla.is_some()));
    assert!(roster.walls.iter().any(|wall| wall.matter.is_none()));
    assert!(roster.walls.iter().any(|wall| wall.matter.is_some()));
    let bases: Vec<_> = roster.sla.values().flat_map(|policy| &policy.clocks).map(|clock| &clock.basis).collect();
    for basis in [Basis::Wall, Basis::Client, Basis::Holder, Basis::Coverage] {
        assert!(bases.contains(&&basis), "{basis:?}");
    }
    assert!(bases.iter().any(|basis| matches!(basis, Basis::Calendar(_))));
    let processes: Vec<_> = roster.processes.keys().map(|id| id.as_str()).collect();
    assert_eq!(processes, ["contract-diligence", "discovery-review", "patent-filing"]);
    assert_eq!(roster.routing, Routing::default());
    assert!(roster.work_types.values().any(|work_type| work_type.presence == Presence::Contact));
}

#[test]
fn each_client_has_a_team_that_no_wall_keeps_away() {
    let roster = sample();
    for client in roster.clients.keys() {
        let is_walled = |team: &TeamId| roster.walls.iter().any(|wall| wall.team == *team && wall.client == *client);
        assert!(roster.teams.iter().any(|team| !is_walled(&team.id)), "{client}");
    }
}

#[test]
fn the_fortnight_around_the_turn_of_the_year_has_its_own_hours() {
    let roster = sample();
    let open = |team: &str, at: &str| {
        let team = roster.teams.iter().find(|other| other.id.as_str() == team).unwrap();
        team.calendar.is_open(at.parse().unwrap())
    };
    assert!(open("london", "2026-12-24T11:00:00Z") && !open("london", "2026-12-24T15:00:00Z"));
    assert!(!open("wellington", "2027-01-05T22:00:00Z"));
    assert!(open("bengaluru", "2026-12-05T11:00:00Z") && !open("bengaluru", "2026-12-12T11:00:00Z"));
    assert!(open("dubai", "2027-02-10T10:30:00Z") && !open("dubai", "2027-02-10T12:00:00Z"));
    assert!(open("tel-aviv", "2026-11-29T08:00:00Z") && !open("tel-aviv", "2026-11-27T08:00:00Z"));
    assert!(open("kathmandu", "2026-11-29T06:00:00Z") && !open("kathmandu", "2026-11-28T06:00:00Z"));
}
