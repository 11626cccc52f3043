//! `route`.

use crate::program::{Files, run, run_with_stdin, sample};

const REQUEST: &str = r#"{
    "id": "r1", "client": "acme-llp", "matter": "M-1", "work_type": "document_review", "jurisdiction": "US-NY",
    "specialty": "litigation", "languages": ["en"], "consent": {"offshore": true, "reference": "C-77"}, "effort_minutes": 90
}"#;
/// New York and Mumbai are open then, or one of them is.
const TUESDAY: &str = "2026-12-01T16:00:00Z";

fn teams_of_the_sample() -> usize {
    std::fs::read_to_string(sample()).unwrap().lines().filter(|line| line.trim() == "[[teams]]").count()
}

#[test]
fn every_team_has_a_line_and_the_winner_the_first() {
    let ran = run_with_stdin(&["route", "-", "--at", TUESDAY, "--roster", &sample()], REQUEST);
    let lines: Vec<_> = ran.data().lines().collect();
    let winner = lines[0].strip_prefix("offered to").expect("it is offered").trim();
    let table = lines.iter().position(|line| line.starts_with("TEAM")).unwrap();
    assert_eq!(lines.len() - table - 1, teams_of_the_sample());
    assert!(lines[table + 1].starts_with(winner), "{ran:?}");
}

#[test]
fn json_has_the_decision_and_every_verdict() {
    let files = Files::new(&[("r.json", REQUEST)]);
    let path = files.path("r.json");
    let arguments = ["route", path.as_str(), "--at", TUESDAY, "--roster", &sample(), "--format", "json"];
    let document = run(&arguments).json();
    assert_eq!(document["verdicts"].as_array().unwrap().len(), teams_of_the_sample());
    assert!(document["decision"]["winner"].is_string() && document["waiting"].is_null());
    assert_eq!(document["decision"]["at"], TUESDAY);
}

#[test]
fn a_request_that_nobody_can_take_now_says_when_it_is_looked_at_again() {
    let saturday_night = "2026-12-05T23:00:00Z";
    let ran = run_with_stdin(&["route", "-", "--at", saturday_night, "--roster", &sample()], REQUEST);
    assert!(ran.data().starts_with("waits        no_team_open\nwakes at     2026-12-"), "{ran:?}");
}

#[test]
fn a_request_that_would_be_refused_is_exit_1_with_the_field() {
    let unknown_client = REQUEST.replace("acme-llp", "nobody");
    let ran = run_with_stdin(&["route", "-", "--at", TUESDAY, "--roster", &sample()], &unknown_client);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("client"), "{ran:?}");
    let misspelt = REQUEST.replace("matter", "mater");
    let ran = run_with_stdin(&["route", "-", "--at", TUESDAY, "--roster", &sample()], &misspelt);
    assert!(ran.code == 1 && ran.stderr.contains("the nearest is \"matter\""), "{ran:?}");
}

#[test]
fn a_faulty_roster_is_exit_78_and_a_missing_request_exit_1() {
    let files = Files::new(&[("roster.toml", "[[teams]]\nid = 1\n")]);
    let ran = run_with_stdin(&["route", "-", "--roster", &files.path("roster.toml")], REQUEST);
    assert!(ran.code == 78 && ran.stdout.is_empty() && ran.stderr.contains("roster.toml:"), "{ran:?}");
    let ran = run(&["route", "no-such-request.json", "--roster", &sample()]);
    assert!(ran.code == 1 && ran.stderr.contains("no-such-request.json"), "{ran:?}");
}
