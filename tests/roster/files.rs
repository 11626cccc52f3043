//! Files and folders of a roster, and its text in memory.

use heliograph::engine::id::{CalendarId, TeamId};
use heliograph::engine::roster::Capacity;
use heliograph::roster::{self, zones::ZoneSource};

use super::{anchor, fixture, parse};

#[test]
fn a_roster_of_one_file_loads_with_its_team_calendar_and_client() {
    let loaded = roster::load(&fixture("london-only.toml"), ZoneSource::Bundled, anchor()).unwrap();
    assert_eq!(loaded.warnings, []);
    let roster = &loaded.roster;
    let london = roster.team(roster.team_index(&TeamId::new("london").unwrap()).unwrap());
    assert_eq!(london.capacity, Capacity::Seats(10));
    assert_eq!(london.cost_per_hour_cents, 9_500);
    assert_eq!(london.vetted_until.unwrap().to_rfc3339(), "2029-01-01T00:00:00+00:00");
    let calendar = &roster.calendars[&CalendarId::new("london").unwrap()];
    assert!(calendar.is_open(anchor()));
    assert!(!calendar.is_open("2026-12-25T10:00:00Z".parse().unwrap()));
    assert!(roster.work_types.keys().any(|id| id.as_str() == "legal_research"));
    assert_eq!(roster.work_types.len(), 12);
}

#[test]
fn the_text_that_was_kept_gives_the_same_digest() {
    let loaded = roster::load(&fixture("london-only.toml"), ZoneSource::Bundled, anchor()).unwrap();
    let again = roster::parse_text(&loaded.text, ZoneSource::Bundled, anchor()).unwrap();
    assert_eq!(loaded.roster.digest, again.roster.digest);
    assert_eq!(loaded.roster.digest.0.len(), 64);
    assert_ne!(parse(&format!("{}#", loaded.text)).unwrap().roster.digest, loaded.roster.digest);
}
