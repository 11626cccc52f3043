//! The calendar against the walk through the minutes, around every transition of every zone and in random weeks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};
use heliograph::engine::calendar::{Calendar, CalendarSpec, DatedEntry, Holiday, HolidayCuts, Shift};
use heliograph::roster::zones::Zones;
use proptest::prelude::*;
use proptest::sample::select;

use crate::naive::{Rules, Span, walk};
use crate::office::{at, office_in};
use crate::zones::{ORACLE, Offsets};

const MINUTES_PER_DAY: i64 = 1440;
/// On each side of a transition.
const WINDOW_MINUTES: i64 = 72 * 60;

fn instant(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(minute * 60, 0).expect("a date")
}

fn date(day: i64) -> NaiveDate {
    NaiveDate::from_epoch_days(i32::try_from(day).expect("a date")).expect("a date")
}

/// The same rules in the program's own words.
fn spec_of(rules: &Rules, zone: heliograph::engine::zone::Zone) -> CalendarSpec {
    let shifts = |spans: &Vec<Span>| spans.iter().map(|&(start, end)| Shift::new(start, end).expect("hours")).collect();
    CalendarSpec {
        weekly: rules.weekly.each_ref().map(shifts),
        breaks: rules.breaks.each_ref().map(shifts),
        holidays: rules
            .holidays
            .iter()
            .map(|day| (date(*day), Holiday { name: String::new(), estimated: false }))
            .collect(),
        holiday_cuts: if rules.holidays_cut_dates { HolidayCuts::Date } else { HolidayCuts::Shift },
        dates: rules
            .dated
            .iter()
            .map(|(day, (hours, breaks))| DatedEntry {
                from: date(*day),
                until: date(*day),
                hours: hours.as_ref().map(shifts),
                breaks: shifts(breaks),
                planned: false,
            })
            .collect(),
        ..office_in(std::sync::Arc::new(zone))
    }
}

fn offset_minutes(offsets: &Offsets, minute: i64) -> i64 {
    let (_, offset) = offsets.iter().rfind(|(second, _)| *second <= minute * 60).expect("a start");
    i64::from(offset / 60)
}

/// Holds the calendar against the walk over `from..until`, in minutes: all intervals, and every question at sampled instants.
fn compare(calendar: &Calendar, rules: &Rules, offsets: &Offsets, from: i64, until: i64) -> Result<(), String> {
    // Offsets around the window, so that the walk reads a short list at each minute.
    let first = offsets.iter().rposition(|(second, _)| *second <= (from - MINUTES_PER_DAY) * 60).expect("a start");
    let near: Offsets = offsets[first..].iter().take_while(|(second, _)| *second < until * 60).copied().collect();
    let open = walk(rules, |minute| offset_minutes(&near, minute), from, until);

    let found: Vec<_> = calendar
        .open_intervals(instant(from), instant(until))
        .map_err(|error| error.to_string())?
        .map(|(start, end)| (start.timestamp(), end.timestamp()))
        .collect();
    let wanted = ranges(&open, from);
    if found != wanted {
        return Err(format!("open {found:?}, the walk says {wanted:?}"));
    }

    let sum: Vec<i64> = std::iter::once(0)
        .chain(open.iter().scan(0, |sum, open| {
            *sum += i64::from(*open);
            Some(*sum)
        }))
        .collect();
    let samples = (0..open.len()).step_by(353);
    for here in samples {
        let now = instant(from + here as i64);
        if calendar.is_open(now) != open[here] {
            return Err(format!("is_open at {now}"));
        }
        if let Some(next) = (here..open.len()).find(|minute| open[*minute])
            && calendar.next_open(now) != Ok(instant(from + next as i64))
        {
            return Err(format!("next_open at {now}"));
        }
        let closes = |minute: &usize| open[*minute - 1] && !open[*minute];
        if let Some(next) = (here + 1..open.len()).find(closes)
            && calendar.next_close(now) != Ok(instant(from + next as i64))
        {
            return Err(format!("next_close at {now}"));
        }
        let there = (here * 7 + 1009) % open.len();
        let elapsed = TimeDelta::minutes(sum[there] - sum[here]);
        if calendar.elapsed(now, instant(from + there as i64), &[]) != Ok(elapsed) {
            return Err(format!("elapsed from {now}"));
        }
        let amount = (here as i64 * 31) % 1500 + 1;
        if let Some(end) = (here..sum.len()).find(|minute| sum[*minute] - sum[here] == amount)
            && calendar.add(now, TimeDelta::minutes(amount), &[]) != Ok(instant(from + end as i64))
        {
            return Err(format!("add {amount} minutes at {now}"));
        }
    }
    Ok(())
}

/// Runs of open minutes as (first second, last second exclusive).
fn ranges(open: &[bool], from: i64) -> Vec<(i64, i64)> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for (i, _) in open.iter().enumerate().filter(|(_, open)| **open) {
        let (start, end) = ((from + i as i64) * 60, (from + i as i64 + 1) * 60);
        match ranges.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => ranges.push((start, end)),
        }
    }
    ranges
}

const KINDS: usize = 9;

/// Hours that meet a transition in every way: `days` are the dates on which the clock changes.
fn rules_of_kind(kind: usize, days: &BTreeSet<i64>) -> Rules {
    let every = |spans: &[Span]| std::array::from_fn(|_| spans.to_vec());
    let week = |spans: &[Span]| std::array::from_fn(|day| if day < 5 { spans.to_vec() } else { Vec::new() });
    let hour = |hour: u16| hour * 60;
    match kind {
        0 => Rules { weekly: every(&[(0, hour(24))]), ..Rules::default() },
        1 => Rules { weekly: every(&[(0, hour(2)), (hour(2), hour(3)), (hour(3), hour(24))]), ..Rules::default() },
        2 => Rules { weekly: week(&[(hour(22), hour(6))]), ..Rules::default() },
        3 => Rules {
            weekly: every(&[(hour(1), hour(5))]),
            breaks: every(&[(hour(2) + 15, hour(2) + 45)]),
            ..Rules::default()
        },
        4 => Rules { weekly: week(&[(hour(9), 750), (810, 1050)]), ..Rules::default() },
        5 => Rules { weekly: every(&[(1410, 30), (hour(2), hour(3))]), ..Rules::default() },
        6 => Rules { weekly: every(&[(hour(18), 150)]), holidays: days.clone(), ..Rules::default() },
        7 => Rules {
            weekly: every(&[(hour(20), hour(4))]),
            holidays: days.clone(),
            holidays_cut_dates: true,
            ..Rules::default()
        },
        _ => Rules {
            weekly: every(&[(hour(8), hour(24))]),
            holidays: days.clone(),
            holidays_cut_dates: true,
            dated: days
                .iter()
                .map(|day| (*day, (Some(vec![(30, 210), (1320, 600)]), vec![(60, 80), (1430, 100)])))
                .collect(),
            ..Rules::default()
        },
    }
}

/// Every kind of hours meets every kind of transition: zones that change together get different kinds.
fn check_zones(part: usize, parts: usize) {
    let zones = Zones::bundled();
    let mut windows = 0;
    for (index, (name, offsets)) in ORACLE.iter().enumerate().filter(|(index, _)| index % parts == part) {
        let table = zones.zone(name).expect("a zone");
        let mut by_year: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
        for (second, _) in &offsets[1..] {
            let year = instant(second / 60).year();
            if (2024..=2030).contains(&year) {
                by_year.entry(year).or_default().push(second / 60);
            }
        }
        for (year, transitions) in by_year {
            let local_day = |minute: &i64| (minute + offset_minutes(offsets, *minute)).div_euclid(MINUTES_PER_DAY);
            let days = transitions.iter().map(local_day).collect();
            let turn = index + usize::try_from(year).expect("a year");
            for kind in [turn % KINDS, (turn + 4) % KINDS] {
                let rules = rules_of_kind(kind, &days);
                let calendar = Calendar::new(spec_of(&rules, table.clone()), at(&format!("{year}-01-01T00:00:00Z")));
                for &transition in &transitions {
                    let (from, until) = (transition - WINDOW_MINUTES, transition + WINDOW_MINUTES);
                    compare(&calendar, &rules, offsets, from, until)
                        .unwrap_or_else(|fault| panic!("{name} {}, kind {kind}: {fault}", instant(transition)));
                    windows += 1;
                }
            }
        }
    }
    assert!(windows > 2500, "only {windows} windows were walked");
}

#[test]
fn the_walk_agrees_around_every_transition_of_the_first_zones() {
    check_zones(0, 2);
}

#[test]
fn the_walk_agrees_around_every_transition_of_the_other_zones() {
    check_zones(1, 2);
}

fn span() -> impl Strategy<Value = Span> {
    let quarter = |quarters: u16| quarters * 15;
    (0..96_u16, 0..=96_u16)
        .prop_map(move |(start, end)| (quarter(start), quarter(end)))
        .prop_filter("00:00-00:00 is an error", |span| *span != (0, 0))
}

fn spans(most: usize) -> impl Strategy<Value = Vec<Span>> {
    prop::collection::vec(span(), 0..=most)
}

fn rules(first_day: i64) -> impl Strategy<Value = Rules> {
    let day = move || (-2..10_i64).prop_map(move |offset| first_day + offset);
    (
        prop::array::uniform7(spans(3)),
        prop::array::uniform7(spans(2)),
        prop::collection::btree_set(day(), 0..4),
        any::<bool>(),
        prop::collection::btree_map(day(), (prop::option::of(spans(2)), spans(2)), 0..4),
    )
        .prop_map(|(weekly, breaks, holidays, holidays_cut_dates, dated)| Rules {
            weekly,
            breaks,
            holidays,
            holidays_cut_dates,
            dated,
        })
}

/// A zone and a week of 2024-2030 with random rules.
fn random_week() -> impl Strategy<Value = (&'static str, i64, Rules)> {
    let first = at("2024-01-01T00:00:00Z").timestamp() / 86_400;
    let names: Vec<_> = ORACLE.keys().copied().collect();
    (select(names), first..first + 2550).prop_flat_map(|(name, day)| (Just(name), Just(day), rules(day)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_walk_agrees_in_random_weeks((name, day, rules) in random_week()) {
        let zone = Zones::bundled().zone(name).expect("a zone");
        let calendar = Calendar::new(spec_of(&rules, zone), instant(day * MINUTES_PER_DAY));
        let offsets = &ORACLE[name];
        let fault = compare(&calendar, &rules, offsets, day * MINUTES_PER_DAY, (day + 7) * MINUTES_PER_DAY).err();
        prop_assert_eq!(fault, None);
    }
}

#[test]
fn the_walk_finds_a_wrong_calendar() {
    let rules = rules_of_kind(3, &BTreeSet::new());
    let wrong = Rules { breaks: Default::default(), ..rules.clone() };
    let zone = Zones::bundled().zone("Europe/London").expect("a zone");
    let calendar = Calendar::new(spec_of(&wrong, zone), at("2026-01-01T00:00:00Z"));
    let from = at("2026-03-28T00:00:00Z").timestamp() / 60;
    assert!(compare(&calendar, &rules, &ORACLE["Europe/London"], from, from + 2 * MINUTES_PER_DAY).is_err());
}
