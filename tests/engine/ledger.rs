//! The ledger against a naive sum: over a random walk the time of every running clock is added up anew, minute by minute,
//! from who holds a task, what pauses it and which hours count; totals, warnings and breaches must be those of the engine.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::effect::Effect;
use heliograph::engine::roster::{Basis, SlaClock, Team};
use heliograph::engine::task::{Task, TaskState, Waiting};

use crate::random::{Rules, Walk};

/// What was counted of a clock, by the number of its task's arrival and its position.
type Sums = BTreeMap<(u64, usize), TimeDelta>;

/// Adds what each running clock counts from one instant to another, with everything as it stands before the second.
fn count(walk: &Walk, sums: &mut Sums, from: DateTime<Utc>, until: DateTime<Utc>) {
    let rules = Rules { scheduler: &walk.world.scheduler, set: &walk.set, now: from, later: BTreeSet::new() };
    for task in walk.world.scheduler.open_tasks() {
        for (position, clock) in task.clocks.iter().enumerate().filter(|(_, clock)| clock.is_running()) {
            *sums.entry((task.arrival.0, position)).or_default() += between(&rules, task, &clock.rule, from, until);
        }
    }
}

/// Adds what clocks have counted that the last step started, for an instant before it: nobody held their tasks then.
fn count_starts(walk: &Walk, sums: &mut Sums) -> usize {
    let (now, mut late) = (walk.world.scheduler.now(), 0);
    let rules = Rules { scheduler: &walk.world.scheduler, set: &walk.set, now, later: BTreeSet::new() };
    for task in walk.world.scheduler.open_tasks() {
        let unheld = Task { state: TaskState::Waiting(Waiting::undecided(now)), ..task.clone() };
        for (position, clock) in task.clocks.iter().enumerate() {
            let Some(started_at) = clock.started_at else { continue };
            sums.entry((task.arrival.0, position)).or_insert_with(|| {
                late += usize::from(started_at < now);
                between(&rules, &unheld, &clock.rule, started_at, now)
            });
        }
    }
    late
}

/// What a clock counts from one instant to another, as things stand.
fn between(rules: &Rules<'_>, task: &Task, rule: &SlaClock, from: DateTime<Utc>, until: DateTime<Utc>) -> TimeDelta {
    let pause = task.paused.as_ref().filter(|pause| rule.pause_on.contains(&pause.reason) && pause.from <= from);
    let stands = |at| pause.is_some_and(|pause| pause.cap_at.is_none_or(|cap_at| cap_at > at));
    let cap_after = |at: DateTime<Utc>| pause.and_then(|pause| pause.cap_at).filter(|cap_at| *cap_at > at);
    let (mut sum, mut at) = (TimeDelta::zero(), from);
    while at < until {
        let whole_minute = at + TimeDelta::milliseconds(60_000 - at.timestamp_millis().rem_euclid(60_000));
        let next = whole_minute.min(until).min(cap_after(at).unwrap_or(until));
        if !stands(at) && counts(rules, task, &rule.basis, at) {
            sum += next - at;
        }
        at = next;
    }
    sum
}

fn counts(rules: &Rules<'_>, task: &Task, basis: &Basis, at: DateTime<Utc>) -> bool {
    let roster = rules.scheduler.roster();
    let covered = || roster.teams.iter().any(|team: &Team| rules.is_eligible(team, task) && team.calendar.is_open(at));
    match basis {
        Basis::Wall => true,
        Basis::Calendar(id) => roster.calendars[id].is_open(at),
        Basis::Client => roster.clients[&task.client].calendar.as_ref().is_some_and(|hours| hours.is_open(at)),
        Basis::Coverage => covered(),
        Basis::Holder => match &task.state {
            TaskState::Active(active) => {
                roster.teams.iter().any(|team| team.id == active.team && team.calendar.is_open(at))
            }
            _ => covered(),
        },
    }
}

/// What the ledger of a clock adds up to: its closed segments, and the open one by the same naive sum.
fn check_totals(walk: &Walk, sums: &Sums) -> usize {
    let mut checked = 0;
    for task in walk.world.stored.values().chain(&walk.world.ended) {
        for (position, clock) in task.clocks.iter().enumerate() {
            let segments = walk.world.segments.get(&(task.arrival, clock.rule.name.clone()));
            let rows: i64 = segments.into_iter().flatten().map(|segment| segment.counted_ms).sum();
            assert_eq!(rows, clock.counted_ms, "{} {}", task.id, clock.rule.name);
            if clock.stopped_at.is_some() {
                let counted = TimeDelta::milliseconds(rows);
                assert_eq!(sums.get(&(task.arrival.0, position)), Some(&counted), "{} {clock:?}", task.id);
                checked += 1;
            }
        }
    }
    checked
}

/// A clock of a policy has warned of what it has used up and of nothing more, and is breached when all of it is.
fn check_told(walk: &Walk, sums: &Sums, all_fired: bool) {
    for task in walk.world.scheduler.open_tasks() {
        for (position, clock) in task.clocks.iter().enumerate().filter(|(_, clock)| clock.is_running()) {
            let used = sums.get(&(task.arrival.0, position)).copied().unwrap_or_default();
            let reached = |percent: &u8| used >= clock.amount(*percent);
            let warnings = clock.rule.warn_at_percent.iter().filter(|percent| reached(percent)).count();
            let is_used_up = used >= clock.target();
            let told = format!("{} {used} {clock:?} at {}", task.id, walk.world.now);
            if clock.deadline.is_none() {
                let given = usize::try_from(clock.warnings).expect("few warnings");
                assert!(given == warnings || !all_fired && given < warnings, "{told}");
                assert!(clock.breached_at.is_some() == is_used_up || !all_fired && is_used_up, "{told}");
            }
        }
    }
}

/// Every breach and every warning is of one percentage of one clock, and there is no second.
fn check_once(walk: &mut Walk, seen: &mut BTreeMap<String, DateTime<Utc>>) -> usize {
    let notices = std::mem::take(&mut walk.world.log).into_iter().filter_map(|it| {
        let (Effect::WarnSla(notice) | Effect::BreachSla(notice)) = &it.effect else { return None };
        assert!(notice.reached_at <= it.at, "told early: {it:?}");
        let (task, _) = it.task.as_ref()?;
        // Another deadline is another promise.
        let promise = notice.due_at.filter(|_| notice.policy.is_none());
        Some((format!("{task} {} {} {promise:?}", notice.clock, notice.percent), it.at))
    });
    let mut count = 0;
    for (what, at) in notices {
        count += 1;
        assert_eq!(seen.insert(what.clone(), at), None, "{what} was told before");
    }
    count
}

#[test]
fn over_a_random_walk_every_total_is_the_naive_sum_and_every_warning_and_breach_comes_once() {
    let (mut totals, mut told, mut late, mut closed) = (0, 0, 0, BTreeMap::new());
    for seed in 500..511 {
        println!("seed {seed}");
        let (mut walk, mut sums, mut seen) = (Walk::new(seed), Sums::new(), BTreeMap::new());
        walk.world.checked_every = 64;
        for _ in 0..1_000 {
            let before = walk.world.now;
            let Some(event) = walk.next_event() else { continue };
            let after = walk.world.now;
            count(&walk, &mut sums, before.max(walk.world.scheduler.now()), after);
            let _ = walk.world.step(event);
            late += count_starts(&walk, &mut sums);
            let all_fired = walk.world.scheduler.next_deadline().is_none_or(|due_at| due_at > after);
            check_told(&walk, &sums, all_fired);
            told += check_once(&mut walk, &mut seen);
        }
        totals += check_totals(&walk, &sums);
        for segment in walk.world.segments.values().flatten() {
            *closed.entry(segment.closed_by).or_insert(0) += 1;
        }
    }
    let met = format!("{totals} totals, {told} told, {late} started late, {closed:?}");
    println!("{met}");
    assert!(totals > 500 && told > 300 && late > 5 && closed.len() == 8, "{met}");
}
