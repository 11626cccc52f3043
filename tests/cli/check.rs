//! `check`.

use crate::program::{Files, command, ran, run, sample};

#[test]
fn the_sample_roster_is_valid() {
    let ran = run(&["check", &sample()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains(": valid: "), "{ran:?}");
}

#[test]
fn every_fault_is_told_at_its_place_with_exit_78() {
    let roster = "[calendars.a]\ntime_zone = \"Europe/Lodnon\"\n[calendars.b]\ntime_zone = \"+05:30\"\nholiday = []\n";
    let files = Files::new(&[("roster.toml", roster)]);
    let path = files.path("roster.toml");
    let ran = run(&["check", &path]);
    assert_eq!((ran.code, ran.stderr.as_str()), (78, ""));
    let places: Vec<_> = ran.stdout.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(places, [format!("{path}:2:13"), format!("{path}:4:13"), format!("{path}:5:1")], "{ran:?}");
}

#[test]
fn faults_as_json_have_file_line_and_column() {
    let files = Files::new(&[("roster.toml", "[calendars.a]\ntime_zone = \"Europe/Lodnon\"\n")]);
    let ran = run(&["check", &files.path("roster.toml"), "--format", "json"]);
    assert_eq!(ran.code, 78);
    let report = ran.json();
    assert_eq!(report["valid"], false);
    assert_eq!((&report["faults"][0]["line"], &report["faults"][0]["column"]), (&2.into(), &13.into()));
    let report = run(&["check", &sample(), "--format", "json"]).json();
    assert_eq!((&report["valid"], &report["faults"]), (&true.into(), &serde_json::json!([])));
    assert!(report["roster"]["teams"].as_u64().unwrap() > 0);
}

#[test]
fn faults_of_settings_and_of_roster_are_told_together() {
    let settings = "[http]\nlisten = \"nowhere\"\n[store]\npth = \"x\"\n";
    let files = Files::new(&[("s.toml", settings), ("roster.toml", "[calendars.a]\ntime_zone = \"No/Where\"\n")]);
    let ran = run(&["check", &files.path("roster.toml"), "--settings", &files.path("s.toml")]);
    assert_eq!(ran.code, 78);
    for fault in ["http.listen", "store.pth", "roster.toml:2:13"] {
        assert!(ran.stdout.contains(fault), "{fault}: {ran:?}");
    }
}

#[test]
fn the_roster_of_the_settings_is_checked_when_none_is_named() {
    let ran = ran(command().arg("check").env("HELIOGRAPH__ROSTER__PATH", sample()));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with(&sample()), "{ran:?}");
}

#[test]
fn a_file_that_is_not_there_is_exit_78() {
    let ran = run(&["check", "no-such-roster.toml"]);
    assert_eq!(ran.code, 78);
    assert!(ran.stdout.contains("no-such-roster.toml: "), "{ran:?}");
}
