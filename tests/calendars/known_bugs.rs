//! Bugs that calendar libraries are known for, each held against this one.

use chrono::TimeDelta;
use heliograph::engine::calendar::CalendarError;

use crate::office::{Office, at, hours, minutes, office, open};

#[test]
fn an_end_at_24_00_is_right_on_the_days_when_clocks_change() {
    let calendar = office("America/New_York").on(&[6], &["09:00-24:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-03-08T00:00:00Z", "2026-03-10T00:00:00Z"), ["03-08T13:00/03-09T04:00"]);
    assert_eq!(open(&calendar, "2026-11-01T00:00:00Z", "2026-11-03T00:00:00Z"), ["11-01T14:00/11-02T05:00"]);
}

#[test]
fn a_round_the_clock_calendar_loses_nothing_at_midnight() {
    let calendar = office("America/New_York").daily(&["00:00-24:00"]).around("2026-06-01T00:00:00Z");
    let from = at("2026-06-01T12:00:00Z");
    for days in 1..=365 {
        let span = TimeDelta::days(days);
        assert_eq!(calendar.elapsed(from, from + span, &[]), Ok(span));
        assert_eq!(calendar.add(from, span, &[]), Ok(from + span));
    }
    assert!(calendar.is_open(at("2026-06-02T03:59:59.999Z")));
    assert!(calendar.is_open(at("2026-06-02T04:00:00Z")));
}

#[test]
fn no_hour_is_lost_inside_a_night_shift_when_clocks_change() {
    let calendar = office("Europe/Berlin").daily(&["22:00-06:00"]).around("2026-06-01T00:00:00Z");
    let night = |from: &str| calendar.elapsed(at(from), at(from) + hours(14), &[]).unwrap();
    assert_eq!(night("2026-03-28T18:00:00Z"), hours(7));
    assert_eq!(night("2026-10-24T18:00:00Z"), hours(9));
    assert_eq!(calendar.add(at("2026-03-28T21:00:00Z"), hours(7), &[]), Ok(at("2026-03-29T04:00:00Z")));
    assert_eq!(calendar.add(at("2026-10-24T20:00:00Z"), hours(9), &[]), Ok(at("2026-10-25T05:00:00Z")));
}

#[test]
fn hours_that_start_or_end_in_a_gap_or_fold_work() {
    let calendar = office("America/New_York").daily(&["01:30-02:30"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-03-08T04:00:00Z", "2026-03-08T20:00:00Z"), ["03-08T06:30/03-08T07:00"]);
    assert_eq!(open(&calendar, "2026-11-01T04:00:00Z", "2026-11-01T20:00:00Z"), ["11-01T05:30/11-01T07:30"]);
    assert_eq!(calendar.add(at("2026-03-08T00:00:00Z"), minutes(30), &[]), Ok(at("2026-03-08T07:00:00Z")));
}

#[test]
fn is_open_and_the_next_change_agree_in_the_fold() {
    let calendar = office("Europe/London").daily(&["00:30-01:15", "01:45-02:15"]).around("2026-10-20T00:00:00Z");
    let mut now = at("2026-10-24T22:00:00Z");
    while now < at("2026-10-25T06:00:00Z") {
        if calendar.is_open(now) {
            let close = calendar.next_close(now).unwrap();
            assert!(calendar.is_open(close - TimeDelta::milliseconds(1)) && !calendar.is_open(close), "{now}");
            assert_eq!(calendar.elapsed(now, close, &[]), Ok(close - now), "open all the way from {now}");
        } else {
            let open = calendar.next_open(now).unwrap();
            assert!(calendar.is_open(open) && !calendar.is_open(open - TimeDelta::milliseconds(1)), "{now}");
            assert_eq!(calendar.elapsed(now, open, &[]), Ok(TimeDelta::zero()), "closed all the way from {now}");
        }
        now += minutes(1);
    }
}

#[test]
fn no_phantom_hour_opens_on_the_monday_after_spring_forward() {
    let calendar = office("Europe/Berlin").daily(&["10:00-16:00"]).on(&[0], &[]).around("2026-03-01T00:00:00Z");
    assert!(open(&calendar, "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z").is_empty());
    assert_eq!(
        open(&calendar, "2026-03-29T00:00:00Z", "2026-03-31T22:00:00Z"),
        ["03-29T08:00/03-29T14:00", "03-31T08:00/03-31T14:00"]
    );
}

#[test]
fn time_counts_from_after_midnight_inside_an_overnight_shift() {
    let calendar = office("Asia/Manila").weekdays(&["21:00-06:00"]).around("2026-06-01T00:00:00Z");
    // 01:00 on Saturday in Manila, in Friday's shift.
    let now = at("2026-06-05T17:00:00Z");
    assert!(calendar.is_open(now));
    assert_eq!(calendar.elapsed(now, now + hours(10), &[]), Ok(hours(5)));
    assert_eq!(calendar.add(now, hours(5), &[]), Ok(at("2026-06-05T22:00:00Z")));
}

#[test]
fn a_sum_beyond_the_horizon_is_an_error_and_not_cut() {
    let calendar = office("UTC").on(&[0], &["09:00-10:00"]).around("2026-06-01T00:00:00Z");
    let from = at("2026-06-01T00:00:00Z");
    assert_eq!(calendar.add(from, hours(500), &[]), Ok(at("2035-12-24T10:00:00Z")));
    assert!(matches!(calendar.add(from, hours(600), &[]), Err(CalendarError::NotEnoughTime { .. })));
    assert!(matches!(
        calendar.elapsed(from, at("2037-01-01T00:00:00Z"), &[]),
        Err(CalendarError::BeyondHorizon { .. })
    ));
}

#[test]
fn history_keeps_the_offset_of_its_day() {
    let calendar = office("Europe/London").weekdays(&["09:00-17:00"]).around("2026-07-01T00:00:00Z");
    assert_eq!(calendar.next_open(at("2026-01-05T00:00:00Z")), Ok(at("2026-01-05T09:00:00Z")));
    assert_eq!(calendar.next_open(at("2026-07-06T00:00:00Z")), Ok(at("2026-07-06T08:00:00Z")));
    assert_eq!(calendar.next_open(at("2018-01-08T00:00:00Z")), Ok(at("2018-01-08T09:00:00Z")));
}

#[test]
fn lunch_is_a_break_and_not_a_holiday() {
    let calendar = office("Asia/Kolkata")
        .weekdays(&["09:00-18:00"])
        .breaks_on(&[0, 1, 2, 3, 4], &["13:00-14:00"])
        .around("2026-06-01T00:00:00Z");
    // 12:00 in Kolkata, and two hours later with lunch between.
    assert_eq!(calendar.add(at("2026-06-01T06:30:00Z"), hours(2), &[]), Ok(at("2026-06-01T09:30:00Z")));
    assert_eq!(calendar.add(at("2026-06-01T06:30:00Z"), hours(8), &[]), Ok(at("2026-06-02T06:30:00Z")));
}

#[test]
fn afternoon_hours_do_not_move_on_the_day_when_clocks_change() {
    let calendar = office("America/New_York").daily(&["09:00-12:00", "13:30-17:00"]).around("2026-03-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-03-08T00:00:00Z", "2026-03-09T00:00:00Z"),
        ["03-08T13:00/03-08T16:00", "03-08T17:30/03-08T21:00"]
    );
}
