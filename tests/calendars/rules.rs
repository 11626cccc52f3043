//! Which time is open, rule by rule. Rules 1 and 11 have more in `zones`, rule 12 is in `holidays`, the others are in
//! `answers` and `together`.

use chrono::TimeDelta;
use heliograph::engine::calendar::{Calendar, Closure, InvalidShift, Shift};
use heliograph::engine::zone::Zone;

use crate::office::{Office, at, hours, london, office, office_in, open};

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
