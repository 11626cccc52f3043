//! What a calendar answers, rule by rule: sums, limits, pauses, edges.

use chrono::TimeDelta;
use heliograph::engine::calendar::{Calendar, CalendarError, HORIZON_YEARS, Minutes, Pause};

use crate::office::{Office, at, hours, london, minutes, office};

fn pause(from: &str, until: Option<&str>) -> Pause {
    Pause { from: at(from), until: until.map(at) }
}

#[test]
fn rule_7_add_lands_on_the_close_and_zero_gives_the_start() {
    let calendar = london();
    let friday = at("2026-06-05T15:30:00Z");
    assert_eq!(calendar.add(friday, hours(1), &[]), Ok(at("2026-06-05T16:30:00Z")));
    assert_eq!(calendar.add(friday, hours(1) + TimeDelta::milliseconds(1), &[]), Ok(at("2026-06-08T08:00:00.001Z")));
    let sunday = at("2026-06-07T12:00:00.000000001Z");
    assert_eq!(calendar.add(sunday, TimeDelta::zero(), &[]), Ok(sunday));
    assert_eq!(calendar.add(sunday, minutes(90), &[]), Ok(at("2026-06-08T09:30:00Z")));
    assert_eq!(
        calendar.add(at("2026-06-01T08:00:00Z"), TimeDelta::nanoseconds(1), &[]),
        Ok(at("2026-06-01T08:00:00.001Z"))
    );
}

#[test]
fn rule_7_elapsed_is_signed() {
    let calendar = london();
    let (from, to) = (at("2026-06-05T15:30:00Z"), at("2026-06-08T08:45:00Z"));
    assert_eq!(calendar.elapsed(from, to, &[]), Ok(minutes(105)));
    assert_eq!(calendar.elapsed(to, from, &[]), Ok(minutes(-105)));
    assert_eq!(calendar.elapsed(from, from, &[]), Ok(TimeDelta::zero()));
}

#[test]
fn rule_8_a_calendar_that_never_opens_is_an_error_and_names_the_limit() {
    let calendar = office("UTC").around("2026-06-01T00:00:00Z");
    let (from, until) = (at("2026-06-01T00:00:00Z"), at("2036-06-01T00:00:00Z"));
    assert_eq!(calendar.next_open(from), Err(CalendarError::NeverOpen { at: from, until }));
    assert_eq!(calendar.add(from, hours(1), &[]), Err(CalendarError::NotEnoughTime { from, wanted: hours(1), until }));
    assert_eq!(
        calendar.next_open(from).unwrap_err().to_string(),
        "the calendar is never open from 2026-06-01 00:00:00 UTC until its horizon ends at 2036-06-01 00:00:00 UTC"
    );
    assert_eq!(calendar.elapsed(from, at("2030-01-01T00:00:00Z"), &[]), Ok(TimeDelta::zero()));
}

#[test]
fn rule_8_the_horizon_reaches_ten_years_each_way_and_no_further() {
    let calendar = london();
    assert_eq!(HORIZON_YEARS, 10);
    let (from, until) = calendar.horizon();
    assert_eq!((from, until), (at("2016-06-01T00:00:00Z"), at("2036-06-01T00:00:00Z")));
    assert!(calendar.is_open(at("2016-06-01T10:00:00Z")));
    assert!(calendar.is_open(at("2036-05-30T10:00:00Z")));
    assert_eq!(calendar.next_open(at("2033-01-01T00:00:00Z")), Ok(at("2033-01-03T09:00:00Z")));
    let beyond = at("2036-06-02T10:00:00Z");
    assert!(!calendar.is_open(beyond));
    let error = CalendarError::BeyondHorizon { at: beyond, from, until };
    assert_eq!(calendar.next_open(beyond), Err(error));
    assert_eq!(calendar.next_close(beyond), Err(error));
    assert_eq!(calendar.shift_end(beyond, hours(1)), Err(error));
    assert_eq!(calendar.elapsed(at("2026-06-01T00:00:00Z"), beyond, &[]), Err(error));
    assert_eq!(calendar.add(beyond, hours(1), &[]), Err(error));
    assert_eq!(calendar.open_intervals(at("2026-06-01T00:00:00Z"), beyond).err(), Some(error));
}

#[test]
fn rule_8_a_sum_that_does_not_fit_is_never_partial() {
    let calendar = london();
    let from = at("2036-05-30T15:30:00Z");
    assert_eq!(calendar.add(from, hours(1), &[]), Ok(at("2036-05-30T16:30:00Z")));
    let wanted = hours(1) + TimeDelta::milliseconds(1);
    let until = at("2036-06-01T00:00:00Z");
    assert_eq!(calendar.add(from, wanted, &[]), Err(CalendarError::NotEnoughTime { from, wanted, until }));
    assert!(matches!(calendar.add(from, TimeDelta::MAX, &[]), Err(CalendarError::NotEnoughTime { .. })));
}

#[test]
fn rule_8_a_calendar_that_never_closes_says_so() {
    let calendar = office("Europe/London").daily(&["00:00-24:00"]).around("2026-06-01T00:00:00Z");
    let now = at("2026-06-01T00:00:00Z");
    let error = CalendarError::NeverCloses { at: now, until: at("2036-06-01T00:00:00Z") };
    assert_eq!(calendar.next_close(now), Err(error));
    assert_eq!(calendar.shift_end(now, hours(1)), Err(error));
    assert_eq!(calendar.add(now, TimeDelta::days(3000), &[]), Ok(now + TimeDelta::days(3000)));
}

#[test]
fn rule_8_answers_are_the_same_on_both_sides_of_what_is_compiled_first() {
    let calendar = london();
    for day in 380..420 {
        let from = at("2026-06-01T12:00:00Z") + TimeDelta::days(day);
        let fresh = Calendar::new(calendar.spec().clone(), from);
        assert_eq!(calendar.add(from, hours(20), &[]), fresh.add(from, hours(20), &[]));
        assert_eq!(calendar.next_open(from), fresh.next_open(from));
        assert_eq!(calendar.next_close(from), fresh.next_close(from));
        assert_eq!(calendar.is_open(from), fresh.is_open(from));
        assert_eq!(calendar.shift_end(from, hours(10)), fresh.shift_end(from, hours(10)));
    }
}

#[test]
fn rule_9_elapsed_is_open_minus_paused() {
    let calendar = london();
    let (from, to) = (at("2026-06-01T08:00:00Z"), at("2026-06-01T16:30:00Z"));
    let elapsed = |pauses: &[Pause]| calendar.elapsed(from, to, pauses).unwrap();
    assert_eq!(elapsed(&[]), minutes(450));
    // One hour of break lies within this pause.
    let noon = pause("2026-06-01T11:00:00Z", Some("2026-06-01T13:00:00Z"));
    assert_eq!(elapsed(&[noon]), minutes(390));
    assert_eq!(elapsed(&[noon, noon]), minutes(390), "overlapping pauses count once");
    let early = pause("2026-05-31T00:00:00Z", Some("2026-06-01T08:30:00Z"));
    assert_eq!(elapsed(&[noon, early]), minutes(360), "in any order");
    assert_eq!(elapsed(&[pause("2026-06-01T15:30:00Z", None)]), minutes(390));
    assert_eq!(elapsed(&[pause("2026-06-02T00:00:00Z", None)]), minutes(450));
    assert_eq!(
        elapsed(&[pause("2026-06-01T13:00:00Z", Some("2026-06-01T11:00:00Z"))]),
        minutes(450),
        "an inverted one is empty"
    );
    assert_eq!(calendar.elapsed(to, from, &[noon]), Ok(minutes(-390)));
}

#[test]
fn rule_9_add_leaves_out_pauses_and_an_open_pause_has_no_deadline() {
    let calendar = london();
    let from = at("2026-06-01T08:00:00Z");
    let first = pause("2026-06-01T09:00:00Z", Some("2026-06-01T10:00:00Z"));
    assert_eq!(calendar.add(from, hours(1), &[first]), Ok(at("2026-06-01T09:00:00Z")), "lands on the pause's start");
    assert_eq!(calendar.add(from, hours(2), &[first]), Ok(at("2026-06-01T11:00:00Z")));
    let inside = at("2026-06-01T09:30:00Z");
    assert_eq!(calendar.add(inside, hours(1), &[first]), Ok(at("2026-06-01T11:00:00Z")));
    let open_ended = pause("2026-06-01T10:30:00Z", None);
    assert_eq!(calendar.add(from, minutes(90), &[open_ended, first]), Ok(at("2026-06-01T10:30:00Z")));
    let since = at("2026-06-01T10:30:00Z");
    assert_eq!(calendar.add(from, minutes(91), &[first, open_ended]), Err(CalendarError::Paused { since }));
    assert_eq!(calendar.add(since + hours(1), minutes(1), &[open_ended]), Err(CalendarError::Paused { since }));
}

#[test]
fn rule_16_next_open_includes_its_instant_and_next_close_does_not() {
    let calendar = london();
    let (open, close) = (at("2026-06-01T08:00:00Z"), at("2026-06-01T11:30:00Z"));
    assert_eq!(calendar.next_open(open), Ok(open));
    let within = at("2026-06-01T09:00:00.000001Z");
    assert_eq!(calendar.next_open(within), Ok(within));
    assert_eq!(calendar.next_open(close), Ok(at("2026-06-01T12:30:00Z")));
    assert_eq!(calendar.next_close(open), Ok(close));
    assert_eq!(calendar.next_close(close), Ok(at("2026-06-01T16:30:00Z")));
    assert_eq!(calendar.next_close(at("2026-06-06T00:00:00Z")), Ok(at("2026-06-08T11:30:00Z")));
}

#[test]
fn rule_16_negative_minutes_cannot_be_added() {
    let error = london().add(at("2026-06-01T08:00:00Z"), minutes(-5), &[]).unwrap_err();
    assert_eq!(error, CalendarError::Negative { amount: minutes(-5) });
    assert_eq!(error.to_string(), "-300000 ms of business time cannot be added: use zero or more");
}

#[test]
fn rule_16_minutes_print_exactly_without_trailing_zeros() {
    let printed = |ms: i64| Minutes(TimeDelta::milliseconds(ms)).to_string();
    assert_eq!(printed(0), "0");
    assert_eq!(printed(5_400_000), "90");
    assert_eq!(printed(30_000), "0.5");
    assert_eq!(printed(-75_000), "-1.25");
    assert_eq!(printed(1_000), "0.0166667");
    assert_eq!(printed(59_999), "0.9999833");
    assert_eq!(printed(6_000_000), "100");
    for ms in 0..60_000 {
        let minutes: f64 = printed(ms).parse().unwrap();
        assert_eq!((minutes * 60_000.0).round() as i64, ms);
    }
}

#[test]
fn the_shift_end_skips_breaks() {
    let calendar = london();
    let morning = at("2026-06-01T08:00:00Z");
    assert_eq!(calendar.shift_end(morning, minutes(61)), Ok(at("2026-06-01T16:30:00Z")));
    assert_eq!(calendar.shift_end(morning, minutes(60)), Ok(at("2026-06-01T11:30:00Z")));
    assert_eq!(calendar.shift_end(at("2026-06-01T16:30:00Z"), hours(2)), Ok(at("2026-06-01T16:30:00Z")), "at or after");
    assert_eq!(calendar.shift_end(morning, hours(24)), Ok(at("2026-06-05T16:30:00Z")), "the weekend");
}
