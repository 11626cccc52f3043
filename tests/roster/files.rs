//! Files and folders of a roster, and its text in memory.

use std::fs;

use heliograph::engine::id::{CalendarId, TeamId, Term, WorkTypeId};
use heliograph::engine::request::Presence;
use heliograph::engine::roster::{Capacity, HandoffRule};
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

#[test]
fn a_folder_is_one_roster_whose_tables_may_be_in_any_file() {
    let text = include_str!("../fixtures/roster/london-only.toml");
    let (calendars, rest) = text.split_once("[[teams]]").unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b-teams.toml"), format!("[[teams]]{rest}")).unwrap();
    fs::write(folder.path().join("a-calendars.toml"), calendars.trim_end()).unwrap();
    fs::write(folder.path().join("notes.txt"), "not = read =").unwrap();
    let loaded = roster::load(folder.path(), ZoneSource::Bundled, anchor()).unwrap();
    assert_eq!((loaded.roster.teams.len(), loaded.roster.clients.len()), (1, 1));
    assert!(loaded.text.starts_with("#:file a-calendars.toml\n"));
    let again = roster::parse_text(&loaded.text, ZoneSource::Bundled, anchor()).unwrap();
    assert_eq!(again.roster.digest, loaded.roster.digest);
    assert_eq!(again.text, loaded.text);
}

#[test]
fn a_fault_in_a_folder_names_the_file_as_it_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../fixtures/roster/london-only.toml");
    fs::write(folder.path().join("a.toml"), text).unwrap();
    fs::write(folder.path().join("b.toml"), "# twice\n[calendars.london]\ntime_zone = \"UTC\"\n").unwrap();
    let faults = roster::load(folder.path(), ZoneSource::Bundled, anchor()).unwrap_err().to_string();
    let shown = folder.path().join("b.toml");
    assert_eq!(
        faults,
        format!("{}:2:12: calendar \"london\" is defined twice: the first is at a.toml:3", shown.display())
    );
    fs::write(folder.path().join("b.toml"), "#\n#:file a.toml\n").unwrap();
    let faults = roster::load(folder.path(), ZoneSource::Bundled, anchor()).unwrap_err().to_string();
    assert_eq!(faults, format!("{}: a line starts with \"#:file \": change that comment", shown.display()));
}

#[test]
fn calendars_alone_load_from_a_file_whose_other_tables_are_faulty() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.toml");
    fs::write(&path, "[calendars.a]\ntime_zone = \"UTC\"\nhours = { mon = [\"00:00-24:00\"] }\n[[teams]]\nid = 3\n")
        .unwrap();
    let calendars = roster::load_calendars(&path, ZoneSource::Bundled, anchor()).unwrap();
    assert!(calendars[&CalendarId::new("a").unwrap()].is_open(anchor()));
    assert!(roster::load(&path, ZoneSource::Bundled, anchor()).is_err());
    fs::write(&path, "[calendars.a]\ntime_zone = \"UTX\"\n").unwrap();
    let faults = roster::load_calendars(&path, ZoneSource::Bundled, anchor()).unwrap_err();
    assert!(faults.to_string().starts_with(&format!("{}:2:13: ", path.display())), "{faults}");
}

#[test]
fn a_roster_changes_only_what_it_says_of_a_work_type() {
    let text = "[work_types.court_appearance]\neffort_minutes = 90\n[work_types.call]\npresence = \"contact\"\n";
    let work_types = parse(text).unwrap().roster.work_types;
    let of = |id: &str| &work_types[&WorkTypeId::new(id).unwrap()];
    assert_eq!(of("court_appearance").presence, Presence::InPerson);
    assert_eq!(of("court_appearance").effort_minutes, Some(90));
    assert_eq!((of("call").handoff, of("call").effort_minutes), (HandoffRule::Never, None));
    assert_eq!(of("patent_filing").specialty.as_ref().map(Term::as_str), Some("patents"));
    assert_eq!(of("legal_research").handoff, HandoffRule::WhenBetter);
}

#[test]
fn amounts_spans_and_ends_of_dates_are_exact() {
    let text = include_str!("../fixtures/roster/london-only.toml")
        .replace("cost_per_hour = 95", "cost_per_hour = 0.07")
        .replace("\"2028-12-31\"", "2027-06-30")
        + "\n[routing]\nhandoff_min_gap = \"1d2h\"\nundelivered_within = \"1m30s\"\n";
    let roster = parse(&text).unwrap().roster;
    assert_eq!(roster.teams[0].cost_per_hour_cents, 7);
    // The date lasts to its end in London, an hour ahead of UTC in summer.
    assert_eq!(roster.teams[0].vetted_until.unwrap().to_rfc3339(), "2027-06-30T23:00:00+00:00");
    assert_eq!(roster.routing.handoff_min_gap_minutes, 26 * 60);
    assert_eq!(roster.routing.undelivered_within_seconds, 90);
}

#[test]
fn a_client_may_be_walled_from_every_team() {
    let loaded = roster::load(&fixture("walled-everywhere.toml"), ZoneSource::Bundled, anchor()).unwrap();
    let roster = loaded.roster;
    let is_walled = |team: &TeamId, client: &str| {
        roster.walls.iter().any(|wall| wall.team == *team && wall.client.as_str() == client && wall.matter.is_none())
    };
    assert_eq!(roster.teams.len(), 2);
    assert!(roster.teams.iter().all(|team| is_walled(&team.id, "walled-bank")));
    assert!(!roster.teams.iter().any(|team| is_walled(&team.id, "acme-llp")));
}

#[test]
fn a_name_that_cannot_stand_on_a_line_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a\nb.toml"), include_str!("../fixtures/roster/london-only.toml")).unwrap();
    fs::write(folder.path().join("c.toml"), "").unwrap();
    let faults = roster::load(folder.path(), ZoneSource::Bundled, anchor()).unwrap_err();
    assert_eq!(faults.to_string(), r#"a file has the name "a\nb.toml": use printable characters"#);
    for text in ["#:file \u{202e}a.toml\nx = 1\n", "#:file \nx = 1\n"] {
        let faults = roster::parse_text(text, ZoneSource::Bundled, anchor()).unwrap_err();
        assert!(faults.to_string().starts_with("a file has the name \""), "{faults}");
    }
}
