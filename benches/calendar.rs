//! The cost of the questions that the scheduler asks most.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{Criterion, criterion_group, criterion_main};
use heliograph::engine::calendar::{Calendar, CalendarSpec, HolidayCuts, Shift};
use heliograph::engine::id::CalendarId;
use heliograph::roster::zones::Zones;

fn london() -> Calendar {
    let shift = |text: &str| text.parse::<Shift>().expect("hours");
    let day = vec![shift("09:00-17:30")];
    let lunch = vec![shift("12:30-13:30")];
    let week = |day: &Vec<Shift>| std::array::from_fn(|weekday| if weekday < 5 { day.clone() } else { Vec::new() });
    let spec = CalendarSpec {
        id: CalendarId::new("london").expect("id"),
        zone: Arc::new(Zones::bundled().zone("Europe/London").expect("zone")),
        weekly: week(&day),
        breaks: week(&lunch),
        holidays: BTreeMap::new(),
        holiday_cuts: HolidayCuts::Shift,
        dates: Vec::new(),
        closures: Vec::new(),
    };
    Calendar::new(spec, "2026-11-23T00:00:00Z".parse().expect("instant"))
}

fn questions(c: &mut Criterion) {
    let calendar = london();
    // Instants spread over half a year, so that neither the branch predictor nor the cache knows the answer.
    let start: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().expect("instant");
    let instants: Vec<_> = (0..4096).map(|i| start + TimeDelta::minutes(i * 7919 % 262_800)).collect();
    let mut next = instants.iter().copied().cycle();
    let mut next = move || next.next().expect("a cycle");
    let month = TimeDelta::days(30);
    let week = TimeDelta::hours(40);

    c.bench_function("is_open", |b| b.iter(|| calendar.is_open(black_box(next()))));
    c.bench_function("next_open", |b| b.iter(|| calendar.next_open(black_box(next()))));
    c.bench_function("next_close", |b| b.iter(|| calendar.next_close(black_box(next()))));
    c.bench_function("add 40 h", |b| b.iter(|| calendar.add(black_box(next()), week, &[])));
    c.bench_function("elapsed 30 days", |b| {
        let mut ranges = instants.iter().map(|from| (*from, *from + month)).collect::<Vec<_>>().into_iter().cycle();
        b.iter(|| {
            let (from, to) = black_box(ranges.next().expect("a cycle"));
            calendar.elapsed(from, to, &[])
        });
    });
    c.bench_function("compile the near window", |b| b.iter(|| london().is_open(black_box(start))));
}

criterion_group!(benches, questions);
criterion_main!(benches);
