//! What holds for every calendar.

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::calendar::{Calendar, CalendarError, Pause, Shift};
use proptest::prelude::*;
use proptest::sample::select;

use crate::office::{at, office};

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/London",
    "Asia/Kolkata",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Pacific/Chatham",
    "America/Vancouver",
];

fn shifts(most: usize) -> impl Strategy<Value = Vec<Shift>> {
    let shift = (0..1440_u16, 0..=1440_u16).prop_filter_map("00:00-00:00", |(start, end)| Shift::new(start, end).ok());
    prop::collection::vec(shift, 0..=most)
}

fn calendar() -> impl Strategy<Value = Calendar> {
    (select(&ZONES[..]), prop::array::uniform7(shifts(2)), prop::array::uniform7(shifts(1)))
        .prop_filter("something is open", |(_, weekly, _)| weekly.iter().any(|day| !day.is_empty()))
        .prop_map(|(zone, weekly, breaks)| {
            let mut spec = office(zone);
            (spec.weekly, spec.breaks) = (weekly, breaks);
            Calendar::new(spec, at("2026-06-01T00:00:00Z"))
        })
}

/// Within the year of the anchor, to the millisecond.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    (0..300 * 86_400_000_i64).prop_map(|ms| at("2026-03-01T00:00:00Z") + TimeDelta::milliseconds(ms))
}

fn amount() -> impl Strategy<Value = TimeDelta> {
    (1..100 * 3_600_000_i64).prop_map(TimeDelta::milliseconds)
}

fn pauses() -> impl Strategy<Value = Vec<Pause>> {
    let pause = (instant(), 0..10 * 86_400_000_i64)
        .prop_map(|(from, ms)| Pause { from, until: Some(from + TimeDelta::milliseconds(ms)) });
    prop::collection::vec(pause, 0..4)
}

const MS: TimeDelta = TimeDelta::milliseconds(1);

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn elapsed_undoes_add_and_no_earlier_instant_would_do(
        calendar in calendar(), from in instant(), amount in amount(), pauses in pauses()
    ) {
        match calendar.add(from, amount, &pauses) {
            Ok(end) => {
                prop_assert_eq!(calendar.elapsed(from, end, &pauses), Ok(amount));
                prop_assert_eq!(calendar.elapsed(from, end - MS, &pauses), Ok(amount - MS));
            }
            // Breaks may leave nothing open.
            Err(error) => prop_assert!(matches!(error, CalendarError::NotEnoughTime { .. }), "{error}"),
        }
    }

    #[test]
    fn elapsed_adds_up_and_changes_sign(
        calendar in calendar(), a in instant(), b in instant(), c in instant(), pauses in pauses()
    ) {
        let elapsed = |from, to| calendar.elapsed(from, to, &pauses).unwrap();
        prop_assert_eq!(elapsed(a, b) + elapsed(b, c), elapsed(a, c));
        prop_assert_eq!(elapsed(a, b), -elapsed(b, a));
        prop_assert!(elapsed(a.min(b), a.max(b)) <= a.max(b) - a.min(b));
    }

    #[test]
    fn is_open_agrees_with_the_next_open_and_the_next_close(calendar in calendar(), now in instant()) {
        let opens = calendar.next_open(now);
        prop_assert_eq!(calendar.is_open(now), opens == Ok(now));
        if let Ok(opens) = opens {
            prop_assert!(calendar.is_open(opens));
            prop_assert_eq!(calendar.elapsed(now, opens, &[]), Ok(TimeDelta::zero()));
        }
        if let Ok(closes) = calendar.next_close(now) {
            prop_assert!(closes > now && !calendar.is_open(closes) && calendar.is_open(closes - MS));
            // Exactly one run of open time lies between.
            let start = calendar.next_open(now).unwrap();
            prop_assert_eq!(calendar.elapsed(start, closes, &[]), Ok(closes - start));
        }
    }

    #[test]
    fn prefix_sums_equal_the_sum_of_the_intervals(calendar in calendar(), a in instant(), b in instant()) {
        let (from, to) = (a.min(b), a.max(b));
        let intervals: Vec<_> = calendar.open_intervals(from, to).unwrap().collect();
        let sum = intervals.iter().fold(TimeDelta::zero(), |sum, (open, close)| sum + (*close - *open));
        prop_assert_eq!(calendar.elapsed(from, to, &[]), Ok(sum));
        prop_assert!(intervals.iter().all(|(open, close)| open < close && *open >= from && *close <= to));
        prop_assert!(intervals.windows(2).all(|pair| pair[0].1 < pair[1].0), "sorted and apart");
    }

    #[test]
    fn pauses_count_once_in_any_order(
        calendar in calendar(), a in instant(), b in instant(), amount in amount(), pauses in pauses()
    ) {
        let twice: Vec<_> = pauses.iter().rev().chain(&pauses).copied().collect();
        prop_assert_eq!(calendar.elapsed(a, b, &pauses), calendar.elapsed(a, b, &twice));
        prop_assert_eq!(calendar.add(a, amount, &pauses), calendar.add(a, amount, &twice));
    }

    #[test]
    fn the_shift_end_is_a_close_with_its_gap(calendar in calendar(), now in instant(), gap in amount()) {
        if let Ok(end) = calendar.shift_end(now, gap) {
            prop_assert!(end >= now && !calendar.is_open(end) && calendar.is_open(end - MS));
            prop_assert_eq!(calendar.elapsed(end, end + gap, &[]), Ok(TimeDelta::zero()));
            let gaps_before = calendar.open_intervals(now, end).unwrap().collect::<Vec<_>>();
            prop_assert!(gaps_before.windows(2).all(|pair| pair[1].0 - pair[0].1 < gap), "no earlier one");
        }
    }
}
