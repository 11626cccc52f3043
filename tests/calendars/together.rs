//! Several calendars together, and a calendar in several hands.

use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::calendar::{Change, Timeline};

use crate::office::{Office, at, hours, london, office, zone};

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

#[test]
fn changed_hours_lie_on_top_of_the_rules_and_the_later_change_counts() {
    let office = Arc::new(office("UTC").daily(&["09:00-17:00"]).around("2026-06-01T00:00:00Z"));
    let change = |from, until, open| Change { from: at(from), until: at(until), open };
    let changed = office.with(vec![
        change("2026-06-01T12:00:00Z", "2026-06-02T12:00:00Z", false),
        change("2026-06-01T14:00:00Z", "2026-06-01T20:00:00Z", true),
    ]);
    let open: Vec<_> =
        changed.open_intervals(at("2026-06-01T00:00:00Z"), at("2026-06-03T00:00:00Z")).unwrap().collect();
    let range = |from, until| (at(from), at(until));
    assert_eq!(
        open,
        [
            range("2026-06-01T09:00:00Z", "2026-06-01T12:00:00Z"),
            range("2026-06-01T14:00:00Z", "2026-06-01T20:00:00Z"),
            range("2026-06-02T12:00:00Z", "2026-06-02T17:00:00Z"),
        ]
    );
    assert_eq!(office.next_close(at("2026-06-01T10:00:00Z")), Ok(at("2026-06-01T17:00:00Z")), "the rules stay");
    let far = at("2032-06-01T10:00:00Z");
    assert!(changed.is_open(far), "beyond what is compiled first");
}
