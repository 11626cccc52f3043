//! The sixteen rules, one by one. Rules 1 and 11 have more in `zones`, rule 12 in `holidays`.

use chrono::TimeDelta;
use heliograph::engine::calendar::{
    Calendar, CalendarError, Closure, HORIZON_YEARS, InvalidShift, Minutes, Pause, Shift, Timeline,
};
use heliograph::engine::zone::Zone;

use crate::office::{Office, at, hours, minutes, office, office_in, open, zone};

fn london() -> Calendar {
    office("Europe/London")
        .weekdays(&["09:00-17:30"])
        .breaks_on(&[0, 1, 2, 3, 4], &["12:30-13:30"])
        .around("2026-06-01T00:00:00Z")
}

fn pause(from: &str, until: Option<&str>) -> Pause {
    Pause { from: at(from), until: until.map(at) }
}

#[test]
fn rule_1_a_start_in_a_gap_snaps_to_the_jump() {
    let calendar = office("Europe/London").daily(&["01:30-09:00"]).around("2026-03-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"), ["03-29T01:00/03-29T08:00"]);
}

#[test]
fn rule_1_an_end_in_a_fold_is_the_first_occurrence() {
    let calendar = office("Europe/London").daily(&["00:30-01:30"]).around("2026-10-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-10-24T23:00:00Z", "2026-10-25T12:00:00Z"), ["10-24T23:30/10-25T00:30"]);
}

#[test]
fn rule_1_a_shift_within_a_gap_is_empty_and_never_inverts() {
    let calendar = office("Europe/London").daily(&["01:15-01:45"]).around("2026-03-01T00:00:00Z");
    assert!(open(&calendar, "2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z").is_empty());
}

#[test]
fn rule_1_adjacent_shifts_leave_no_hole_on_any_night() {
    let calendar = office("Europe/London").daily(&["00:00-01:30", "01:30-24:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-03-01T00:00:00Z", "2026-11-30T00:00:00Z"), ["03-01T00:00/11-30T00:00"]);
}

#[test]
fn rule_1_a_date_that_does_not_exist_yields_no_time() {
    let calendar = office("Pacific/Apia").daily(&["09:00-17:00", "22:00-02:00"]).around("2012-01-01T00:00:00Z");
    // Apia went from 24:00 on the 29th, 10:00 UTC on the 30th, to 00:00 on the 31st.
    assert_eq!(
        open(&calendar, "2011-12-29T18:00:00Z", "2011-12-31T04:00:00Z"),
        ["12-29T19:00/12-30T03:00", "12-30T08:00/12-30T10:00", "12-30T19:00/12-31T03:00"]
    );
}

#[test]
fn rule_2_intervals_are_half_open() {
    let calendar = london();
    assert!(!calendar.is_open(at("2026-06-01T07:59:59.999Z")));
    assert!(calendar.is_open(at("2026-06-01T08:00:00Z")));
    assert!(calendar.is_open(at("2026-06-01T16:29:59.999Z")));
    assert!(!calendar.is_open(at("2026-06-01T16:30:00Z")));
}

#[test]
fn rule_2_a_night_is_an_hour_shorter_or_longer_when_clocks_change() {
    let calendar = office("Europe/London").daily(&["00:30-04:30"]).around("2026-06-01T00:00:00Z");
    let length = |date: &str| {
        let noon = at(&format!("{date}T12:00:00Z"));
        calendar.elapsed(noon - hours(14), noon, &[]).unwrap()
    };
    assert_eq!(length("2026-03-28"), hours(4));
    assert_eq!(length("2026-03-29"), hours(3));
    assert_eq!(length("2026-10-25"), hours(5));
}

#[test]
fn rule_3_24_00_is_an_end_only() {
    assert_eq!("18:00-24:00".parse::<Shift>().unwrap().end_minute(), 1440);
    assert_eq!("24:00-06:00".parse::<Shift>(), Err(InvalidShift::Start { value: "24:00".to_owned() }));
    assert_eq!("18:00-24:01".parse::<Shift>(), Err(InvalidShift::End { value: "24:01".to_owned() }));
    assert_eq!("00:00-00:00".parse::<Shift>(), Err(InvalidShift::Empty));
    let calendar = office("Asia/Tokyo").on(&[0], &["18:00-24:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"), ["06-01T09:00/06-01T15:00"]);
}

#[test]
fn rule_3_hours_are_read_strictly_and_printed_as_read() {
    for bad in
        ["", "9:00-17:00", "09:00", "09:00-17:60", "09.00-17.00", "09:00 - 17:00", "09:00-17:00-18:00", "0٩:00-17:00"]
    {
        assert!(matches!(bad.parse::<Shift>(), Err(InvalidShift::Form { .. })), "{bad:?}");
    }
    for good in ["00:00-24:00", "22:00-06:00", "09:05-17:55"] {
        assert_eq!(good.parse::<Shift>().unwrap().to_string(), good);
    }
    let shift: Shift = serde_json::from_str("\"09:00-17:30\"").unwrap();
    assert_eq!(serde_json::to_string(&shift).unwrap(), "\"09:00-17:30\"");
    assert!(serde_json::from_str::<Shift>("\"00:00-00:00\"").is_err());
}

#[test]
fn rule_4_an_end_at_or_before_the_start_is_overnight_and_belongs_to_the_start() {
    let calendar = office("UTC").on(&[4], &["22:00-06:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z"), ["06-05T22:00/06-06T06:00"]);
    let full = office("UTC").on(&[0], &["09:00-09:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&full, "2026-06-01T00:00:00Z", "2026-06-08T00:00:00Z"), ["06-01T09:00/06-02T09:00"]);
}

#[test]
fn rule_4_overlapping_and_touching_intervals_merge() {
    let calendar =
        office("UTC").on(&[0], &["08:00-12:00", "10:00-14:00", "14:00-15:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"), ["06-01T08:00/06-01T15:00"]);
}

#[test]
fn rule_5_a_holiday_removes_the_shifts_that_start_on_it() {
    let calendar = office("UTC").daily(&["22:00-06:00"]).holiday("2026-06-02").around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-01T12:00:00Z", "2026-06-04T12:00:00Z"),
        ["06-01T22:00/06-02T06:00", "06-03T22:00/06-04T06:00"]
    );
}

#[test]
fn rule_5_a_holiday_can_cut_its_date_instead() {
    let calendar =
        office("UTC").daily(&["22:00-06:00"]).holiday("2026-06-02").cutting_dates().around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-01T12:00:00Z", "2026-06-04T12:00:00Z"),
        ["06-01T22:00/06-02T00:00", "06-03T22:00/06-04T06:00"]
    );
}

#[test]
fn rule_6_a_dated_entry_goes_before_a_holiday_and_a_holiday_before_weekly_hours() {
    let calendar = office("UTC")
        .daily(&["09:00-17:00"])
        .holiday("2026-06-02")
        .holiday("2026-06-03")
        .dated("2026-06-03", "2026-06-03", Some(&["10:00-12:00"]), &[])
        .dated("2026-06-04", "2026-06-04", Some(&[]), &[])
        .around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-01T00:00:00Z", "2026-06-06T00:00:00Z"),
        ["06-01T09:00/06-01T17:00", "06-03T10:00/06-03T12:00", "06-05T09:00/06-05T17:00"]
    );
}

#[test]
fn rule_6_a_dated_entry_without_hours_only_adds_breaks() {
    let calendar = office("UTC")
        .daily(&["09:00-17:00"])
        .breaks_on(&[0, 1, 2], &["12:00-13:00"])
        .holiday("2026-06-02")
        .dated("2026-06-01", "2026-06-02", None, &["15:00-15:30"])
        .around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z"),
        ["06-01T09:00/06-01T12:00", "06-01T13:00/06-01T15:00", "06-01T15:30/06-01T17:00"]
    );
}

#[test]
fn rule_6_breaks_are_subtracted_wherever_they_fall() {
    let calendar = office("UTC")
        .on(&[0], &["22:00-06:00"])
        .breaks_on(&[1], &["02:00-02:30"])
        .dated("2026-06-02", "2026-06-02", None, &["04:00-04:15"])
        .around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-01T00:00:00Z", "2026-06-03T00:00:00Z"),
        ["06-01T22:00/06-02T02:00", "06-02T02:30/06-02T04:00", "06-02T04:15/06-02T06:00"]
    );
    let replaced = office("UTC")
        .breaks_on(&[0], &["12:00-13:00"])
        .dated("2026-06-01", "2026-06-01", Some(&["10:00-14:00"]), &[])
        .around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&replaced, "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"),
        ["06-01T10:00/06-01T12:00", "06-01T13:00/06-01T14:00"]
    );
}

#[test]
fn rule_6_of_several_dated_entries_the_last_with_hours_holds_and_all_breaks_apply() {
    let calendar = office("UTC")
        .dated("2026-06-01", "2026-06-05", Some(&["08:00-10:00"]), &["08:30-08:45"])
        .dated("2026-06-01", "2026-06-01", Some(&["08:00-12:00"]), &[])
        .dated("2026-06-01", "2026-06-01", None, &["11:00-11:30"])
        .around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-01T00:00:00Z", "2026-06-02T00:00:00Z"),
        ["06-01T08:00/06-01T08:30", "06-01T08:45/06-01T11:00", "06-01T11:30/06-01T12:00"]
    );
}

#[test]
fn rule_6_hours_of_a_dated_entry_set_a_date_cut_aside_and_empty_hours_do_not() {
    let calendar = |hours: &[&str]| {
        let spec = office("UTC").daily(&["22:00-06:00"]).holiday("2026-06-02").cutting_dates();
        spec.dated("2026-06-02", "2026-06-02", Some(hours), &[]).around("2026-06-01T00:00:00Z")
    };
    let (from, to) = ("2026-06-01T12:00:00Z", "2026-06-03T12:00:00Z");
    assert_eq!(open(&calendar(&["10:00-12:00"]), from, to), ["06-01T22:00/06-02T06:00", "06-02T10:00/06-02T12:00"]);
    assert_eq!(open(&calendar(&[]), from, to), ["06-01T22:00/06-02T00:00"]);
}

#[test]
fn closures_are_subtracted_from_everything() {
    let calendar = office("Europe/London")
        .daily(&["22:00-06:00"])
        .dated("2026-06-02", "2026-06-02", Some(&["10:00-12:00"]), &[])
        .closed(Closure::Instants { from: at("2026-06-02T10:00:00Z"), until: at("2026-06-02T10:30:00Z") })
        .closed(Closure::Local {
            from: "2026-06-03T00:00:00".parse().unwrap(),
            until: "2026-06-04T00:00:00".parse().unwrap(),
        })
        .around("2026-06-01T00:00:00Z");
    assert_eq!(
        open(&calendar, "2026-06-02T06:00:00Z", "2026-06-04T12:00:00Z"),
        ["06-02T09:00/06-02T10:00", "06-02T10:30/06-02T11:00", "06-03T23:00/06-04T05:00"]
    );
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
fn rule_10_equal_rules_have_equal_bytes_and_a_new_zone_table_changes_them() {
    let bytes = |zone: Zone| serde_json::to_string(&office_in(zone.into()).daily(&["09:00-17:00"])).unwrap();
    let old = Zone::new("Europe/Somewhere", 3600, vec![(1_774_746_000, 7200), (1_792_890_000, 3600)]);
    let new = Zone::new("Europe/Somewhere", 3600, vec![(1_774_746_000, 7200)]);
    assert_eq!(bytes(old.clone()), bytes(old.clone()));
    assert_ne!(bytes(old.clone()), bytes(new.clone()));
    // The rebuilt timeline differs after the change alone.
    let [old, new] =
        [old, new].map(|zone| office_in(zone.into()).daily(&["09:00-17:00"]).around("2026-06-01T00:00:00Z"));
    let days = |calendar: &Calendar, from, to| open(calendar, from, to);
    assert_eq!(
        days(&old, "2026-01-01T00:00:00Z", "2026-10-24T22:00:00Z"),
        days(&new, "2026-01-01T00:00:00Z", "2026-10-24T22:00:00Z")
    );
    assert_ne!(
        days(&old, "2026-10-25T22:00:00Z", "2026-11-01T00:00:00Z"),
        days(&new, "2026-10-25T22:00:00Z", "2026-11-01T00:00:00Z")
    );
}

#[test]
fn rule_11_hours_keep_their_place_on_the_clock_across_a_change() {
    let calendar = office("Australia/Lord_Howe").daily(&["09:00-10:00"]).around("2026-04-01T00:00:00Z");
    // Lord Howe goes back by half an hour on 5 April.
    assert_eq!(
        open(&calendar, "2026-04-03T12:00:00Z", "2026-04-05T12:00:00Z"),
        ["04-03T22:00/04-03T23:00", "04-04T22:30/04-04T23:30"]
    );
}

#[test]
fn rule_11_a_change_at_midnight_leaves_the_date_whole() {
    // Cairo's clock goes from 24:00 back to 23:00 at the end of 29 October 2026.
    let calendar = office("Africa/Cairo").on(&[3], &["00:00-24:00"]).around("2026-10-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-10-28T00:00:00Z", "2026-10-31T00:00:00Z"), ["10-28T21:00/10-29T22:00"]);
    // And from 00:00 to 01:00 at the start of 24 April.
    let calendar = office("Africa/Cairo").on(&[4], &["00:00-24:00"]).around("2026-04-01T00:00:00Z");
    assert_eq!(open(&calendar, "2026-04-23T00:00:00Z", "2026-04-26T00:00:00Z"), ["04-23T22:00/04-24T21:00"]);
}

#[test]
fn rule_13_the_weekend_is_where_no_hours_are() {
    let israel = office("Asia/Jerusalem").on(&[6, 0, 1, 2, 3], &["09:00-17:00"]).around("2026-06-01T00:00:00Z");
    assert!(israel.is_open(at("2026-06-07T08:00:00Z")), "Sunday");
    assert!(!israel.is_open(at("2026-06-05T08:00:00Z")), "Friday");
    let dubai =
        office("Asia/Dubai").weekdays(&["08:00-17:00"]).on(&[4], &["08:00-12:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(dubai.next_close(at("2026-06-05T05:00:00Z")), Ok(at("2026-06-05T08:00:00Z")));
    let nepal = office("Asia/Kathmandu").on(&[6, 0, 1, 2, 3, 4], &["10:00-17:00"]).around("2026-06-01T00:00:00Z");
    assert_eq!(nepal.next_open(at("2026-06-05T12:00:00Z")), Ok(at("2026-06-07T04:15:00Z")));
}

#[test]
fn rule_14_half_days_make_up_saturdays_and_ramadan_hours_are_dated_entries() {
    let calendar = office("Asia/Riyadh")
        .on(&[6, 0, 1, 2, 3], &["09:00-17:00"])
        .dated("2026-02-18", "2026-03-19", Some(&["10:00-15:00"]), &[])
        .dated("2026-04-04", "2026-04-04", Some(&["09:00-13:00"]), &[])
        .around("2026-02-01T00:00:00Z");
    let length = |date: &str| {
        let midnight = at(&format!("{date}T00:00:00+03:00"));
        calendar.elapsed(midnight, midnight + hours(24), &[]).unwrap()
    };
    assert_eq!(
        ["2026-02-17", "2026-02-18", "2026-03-19", "2026-03-22"].map(length),
        [hours(8), hours(5), hours(5), hours(8)]
    );
    assert_eq!(length("2026-04-04"), hours(4), "a Saturday");
    assert_eq!(length("2026-04-11"), TimeDelta::zero());
}

#[test]
fn rule_15_where_one_office_closes_as_another_opens_exactly_one_is_open() {
    let london = office("UTC").daily(&["09:00-17:00"]).around("2026-06-01T00:00:00Z");
    let dallas = office("UTC").daily(&["17:00-24:00"]).around("2026-06-01T00:00:00Z");
    let handover = at("2026-06-01T17:00:00Z");
    assert_eq!(london.next_close(at("2026-06-01T10:00:00Z")), Ok(handover));
    assert_eq!(dallas.next_open(at("2026-06-01T10:00:00Z")), Ok(handover));
    assert_eq!((london.is_open(handover), dallas.is_open(handover)), (false, true));
    let both = Timeline::union(&[&dallas, &london], at("2026-06-01T00:00:00Z"), at("2026-06-02T00:00:00Z")).unwrap();
    assert_eq!(both.next_close(at("2026-06-01T10:00:00Z")).ok(), None, "no gap at the hand-over");
    assert_eq!(both.total(), hours(15));
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

#[test]
fn coverage_of_several_offices_is_their_union() {
    let office_at = |zone_name: &str| office(zone_name).weekdays(&["08:00-20:00"]).around("2026-06-01T00:00:00Z");
    let (sydney, london, denver) =
        (office_at("Australia/Sydney"), office_at("Europe/London"), office_at("America/Denver"));
    let (from, until) = (at("2026-06-01T00:00:00Z"), at("2026-06-08T00:00:00Z"));
    let cover = Timeline::union(&[&sydney, &london, &denver], from, until).unwrap();
    assert_eq!((cover.from(), cover.until()), (from, until));
    // Sydney 22-10, London 7-19, Denver 14-2: covered from Monday to Denver's Friday night, then Sydney's Monday.
    let gap = at("2026-06-06T02:00:00Z");
    assert_eq!(cover.next_close(from), Ok(gap));
    assert_eq!(cover.next_open(gap), Ok(at("2026-06-07T22:00:00Z")));
    assert_eq!(cover.add(at("2026-06-06T01:00:00Z"), hours(2), &[]), Ok(at("2026-06-07T23:00:00Z")));
    assert_eq!(cover.total(), until - from - (at("2026-06-07T22:00:00Z") - gap));
    assert!(Timeline::union(&[&london], from, at("2050-01-01T00:00:00Z")).is_err());
    assert_eq!(Timeline::union(&[], from, until).unwrap().total(), TimeDelta::zero());
}

#[test]
fn a_timeline_merges_clips_and_drops_what_it_is_given() {
    let instant = |hour: i64| at("2026-06-01T00:00:00Z") + hours(hour);
    let ranges = [(5, 6), (-3, 1), (2, 2), (4, 3), (6, 7), (23, 30), (5, 5)];
    let timeline = Timeline::new(instant(0), instant(24), ranges.map(|(open, close)| (instant(open), instant(close))));
    let open: Vec<_> = timeline.open_intervals(instant(0), instant(24)).unwrap().collect();
    assert_eq!(open, [(0, 1), (5, 7), (23, 24)].map(|(open, close)| (instant(open), instant(close))));
    let clipped: Vec<_> = timeline.open_intervals(instant(6), instant(8)).unwrap().collect();
    assert_eq!(clipped, [(instant(6), instant(7))]);
    assert_eq!(timeline.open_intervals(instant(8), instant(6)).unwrap().count(), 0);
    assert_eq!(timeline.elapsed(instant(0), instant(24), &[]), Ok(hours(4)), "up to its very end");
    assert!(Timeline::new(instant(2), instant(1), []).next_open(instant(2)).is_err());
}

#[test]
fn a_timeline_of_all_time_stays_small_and_right() {
    let (first, last) = (chrono::DateTime::<chrono::Utc>::MIN_UTC, chrono::DateTime::<chrono::Utc>::MAX_UTC);
    let days = (0..1000).map(|day| at("2026-06-01T09:00:00Z") + TimeDelta::days(day));
    let timeline = Timeline::new(first, last, days.map(|open| (open, open + hours(8))));
    assert_eq!(timeline.total(), hours(8000));
    assert_eq!(timeline.next_open(first), Ok(at("2026-06-01T09:00:00Z")));
    assert_eq!(timeline.add(at("2026-06-03T10:00:00Z"), hours(7 + 8 * 90), &[]), Ok(at("2026-09-01T17:00:00Z")));
    assert!(timeline.next_open(last).is_err());
}

#[test]
fn a_calendar_is_shared_between_threads() {
    fn shareable<T: Send + Sync>(_: &T) {}
    shareable(&london());
    assert_eq!(london().spec().zone, zone("Europe/London"));
}
