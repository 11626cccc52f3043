//! `hours` on a file with nothing but calendars.

use crate::program::{Files, Ran, run};

const CALENDARS: &str = r#"
[calendars.office]
time_zone = "Europe/London"
[calendars.office.hours]
mon = ["09:00-12:30", "13:30-17:30"]
tue = ["09:00-17:30"]
wed = ["09:00-17:30"]
thu = ["09:00-17:30"]
fri = ["09:00-17:30"]

[calendars.night]
time_zone = "America/New_York"
[calendars.night.hours]
sun = ["01:00-05:00"]

[calendars.gap]
time_zone = "America/New_York"
[calendars.gap.hours]
sun = ["02:30-05:00"]

[calendars.once]
time_zone = "UTC"
[[calendars.once.dates]]
date = "2026-11-24"
hours = ["09:00-10:00"]
"#;

fn hours(arguments: &[&str]) -> Ran {
    let files = Files::new(&[("calendars.toml", CALENDARS)]);
    let roster = files.path("calendars.toml");
    run(&[&["hours"], arguments, &["--roster", &roster]].concat())
}

#[track_caller]
fn says(arguments: &[&str], line: &str) {
    assert_eq!(hours(arguments).data(), format!("{line}\n"));
}

#[test]
fn it_is_open_at_the_opening_and_closed_at_the_close() {
    says(&["office", "is-open", "--at", "2026-11-24T09:00:00Z"], "true");
    says(&["office", "is-open", "--at", "2026-11-24T17:30:00Z"], "false");
    says(&["office", "is-open", "--at", "2026-11-23T12:45:00+00:00"], "false");
}

#[test]
fn next_open_includes_the_instant_and_next_close_does_not() {
    says(&["office", "next-open", "--at", "2026-11-24T10:15:00Z"], "2026-11-24T10:15:00Z");
    says(&["office", "next-open", "--at", "2026-11-27T18:00:00Z"], "2026-11-30T09:00:00Z");
    says(&["office", "next-close", "--at", "2026-11-24T17:30:00Z"], "2026-11-25T17:30:00Z");
}

#[test]
fn instants_come_in_any_offset_and_leave_in_utc() {
    says(&["office", "next-open", "--at", "2026-07-01T03:00:00-05:00"], "2026-07-01T08:00:00Z");
}

#[test]
fn add_lands_on_the_close_and_takes_decimal_minutes() {
    says(&["office", "add", "--from", "2026-11-23T09:00:00Z", "--minutes", "210"], "2026-11-23T12:30:00Z");
    says(&["office", "add", "--from", "2026-11-23T09:00:00Z", "--minutes", "210.5"], "2026-11-23T13:30:30Z");
    says(&["office", "add", "--from", "2026-11-22T09:00:00Z", "--minutes", "0"], "2026-11-22T09:00:00Z");
}

#[test]
fn elapsed_is_signed_and_printed_without_trailing_zeros() {
    let (monday, tuesday) = ("2026-11-23T17:00:00Z", "2026-11-24T09:00:30Z");
    says(&["office", "elapsed", "--from", monday, "--to", tuesday], "30.5");
    says(&["office", "elapsed", "--from", tuesday, "--to", monday], "-30.5");
}

#[test]
fn pauses_do_not_count() {
    let pause = "2026-11-24T10:00:00Z/2026-11-24T11:00:00Z";
    let other = "2026-11-24T10:30:00Z/2026-11-24T11:30:00Z";
    let from = "2026-11-24T09:00:00Z";
    says(&["office", "add", "--from", from, "--minutes", "90", "--pause", pause], "2026-11-24T11:30:00Z");
    says(
        &["office", "elapsed", "--from", from, "--to", "2026-11-24T12:00:00Z", "--pause", pause, "--pause", other],
        "90",
    );
}

#[test]
fn a_night_is_an_hour_shorter_in_spring_and_longer_in_autumn() {
    says(&["night", "elapsed", "--from", "2026-03-08T00:00:00Z", "--to", "2026-03-09T00:00:00Z"], "180");
    says(&["night", "elapsed", "--from", "2026-03-15T00:00:00Z", "--to", "2026-03-16T00:00:00Z"], "240");
    says(&["night", "elapsed", "--from", "2026-11-01T00:00:00Z", "--to", "2026-11-02T00:00:00Z"], "300");
}

#[test]
fn an_opening_inside_the_gap_snaps_to_the_jump() {
    says(&["gap", "next-open", "--at", "2026-03-08T00:00:00Z"], "2026-03-08T07:00:00Z");
    says(&["gap", "next-close", "--at", "2026-03-08T00:00:00Z"], "2026-03-08T09:00:00Z");
}

#[test]
fn never_is_the_answer_with_exit_1_when_nothing_opens_any_more() {
    for question in [
        &["once", "next-open", "--at", "2026-11-25T00:00:00Z"][..],
        &["once", "next-close", "--at", "2026-11-25T00:00:00Z"],
        &["once", "add", "--from", "2026-11-24T00:00:00Z", "--minutes", "60.001"],
        &["office", "add", "--from", "2026-11-24T09:00:00Z", "--minutes", "1", "--pause", "2026-11-24T09:00:00Z/"],
    ] {
        let ran = hours(question);
        assert_eq!((ran.code, ran.stdout.as_str()), (1, "never\n"), "{ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
    }
    says(&["once", "add", "--from", "2026-11-24T00:00:00Z", "--minutes", "60"], "2026-11-24T10:00:00Z");
}

#[test]
fn json_holds_one_answer() {
    let answer = |arguments: &[&str]| hours(&[arguments, &["--format", "json"]].concat()).json()["answer"].clone();
    assert_eq!(answer(&["office", "is-open", "--at", "2026-11-24T09:00:00Z"]), true);
    assert_eq!(answer(&["office", "next-open", "--at", "2026-11-24T08:00:00Z"]), "2026-11-24T09:00:00Z");
    let (from, to) = ("2026-11-24T09:00:00Z", "2026-11-24T09:01:30Z");
    assert_eq!(answer(&["office", "elapsed", "--from", from, "--to", to]), 1.5);
    assert!(answer(&["once", "next-open", "--at", "2026-11-25T00:00:00Z"]).is_null());
}

#[test]
fn a_question_without_its_arguments_or_with_those_of_another_is_a_usage_error() {
    for question in [
        &["office", "add", "--from", "2026-11-24T09:00:00Z"][..],
        &["office", "add", "--from", "2026-11-24T09:00:00Z", "--minutes", "-5"],
        &["office", "elapsed", "--from", "2026-11-24T09:00:00Z"],
        &["office", "is-open", "--minutes", "5"],
        &["office", "is-open", "--at", "2026-11-24"],
        &["office", "is-open", "--pause", "2026-11-24T09:00:00Z/"],
        &["office", "elapsed", "--to", "2026-11-24T09:00:00Z", "--pause", "2026-11-24T09:00:00Z/2026-11-24T08:00:00Z"],
        &["office", "opens"],
        &["nowhere", "is-open"],
    ] {
        let ran = hours(question);
        assert!(ran.code == 2 && ran.stdout.is_empty() && !ran.stderr.is_empty(), "{question:?}: {ran:?}");
    }
}

#[test]
fn an_unknown_calendar_comes_with_the_nearest_name_or_with_all() {
    let ran = hours(&["ofice", "is-open"]);
    assert!(ran.code == 2 && ran.stderr.contains("no calendar \"ofice\"; did you mean \"office\"?"), "{ran:?}");
    let ran = hours(&["nowhere", "is-open"]);
    assert!(ran.stderr.contains("no calendar \"nowhere\"; it has "), "{ran:?}");
}

#[test]
fn the_question_may_be_decades_from_now() {
    says(&["office", "is-open", "--at", "2045-06-01T10:00:00Z"], "true");
}

#[test]
fn tables_beside_the_calendars_may_be_missing_or_faulty() {
    let text = format!("{CALENDARS}\n[[teams]]\nid = 7\nnonsense = true\n");
    let files = Files::new(&[("roster.toml", &text)]);
    let ran =
        run(&["hours", "office", "is-open", "--at", "2026-11-24T09:00:00Z", "--roster", &files.path("roster.toml")]);
    assert_eq!(ran.data(), "true\n");
}

#[test]
fn a_faulty_calendar_is_exit_78_with_its_place() {
    let files = Files::new(&[("roster.toml", "[calendars.a]\ntime_zone = \"Mars/Olympus\"\n")]);
    let ran = run(&["hours", "a", "is-open", "--roster", &files.path("roster.toml")]);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""));
    assert!(ran.stderr.contains("roster.toml:2:13: "), "{ran:?}");
}
