//! The soft rules of routing: each 0..=100, with an integer weight from the roster. Source: the design's service
//! model, "Scores".

use chrono::{DateTime, TimeDelta, Utc};

use super::explain::Scores;
use super::load::TeamLoad;
use super::roster::{Capacity, Team, Weights};

/// What the scores of a candidate rest on.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    /// The team.
    pub team: &'a Team,
    /// What it holds now.
    pub load: &'a TeamLoad,
    /// When it would be done; `None` is not within its horizon.
    pub finish_at: Option<DateTime<Utc>>,
    /// When it must be done; `None` is no limit.
    pub due_at: Option<DateTime<Utc>>,
    /// The end of its shift.
    pub shift_end: DateTime<Utc>,
    /// Its affinity, 0..=100.
    pub affinity: u32,
    /// Skill levels above what is asked.
    pub excess: u32,
    /// The lowest and the highest cost of an hour in the roster, in cents.
    pub cost_range_cents: (u32, u32),
}

/// A score and its weight.
pub type Scorer = (fn(&Scored<'_>) -> u32, fn(&Weights) -> u32, fn(&mut Scores) -> &mut u32);

/// All scores, in the order of their columns.
pub const SCORERS: [Scorer; 6] = [
    (margin, |weights| weights.margin, |scores| &mut scores.margin),
    (uninterrupted, |weights| weights.uninterrupted, |scores| &mut scores.uninterrupted),
    (|ask| ask.affinity, |weights| weights.affinity, |scores| &mut scores.affinity),
    (headroom, |weights| weights.headroom, |scores| &mut scores.headroom),
    (level, |weights| weights.level, |scores| &mut scores.level),
    (cost, |weights| weights.cost, |scores| &mut scores.cost),
];

/// The scores of a candidate and their weighted sum.
#[must_use]
pub fn score(ask: &Scored<'_>, weights: &Weights) -> (Scores, u32) {
    let mut scores = Scores { margin: 0, uninterrupted: 0, affinity: 0, headroom: 0, level: 0, cost: 0 };
    let mut total = 0;
    for (rule, weight, column) in SCORERS {
        let value = rule(ask);
        *column(&mut scores) = value;
        total += value * weight(weights);
    }
    (scores, total)
}

/// Slack of a day or more is 100; no due time is all the slack there is.
fn margin(ask: &Scored<'_>) -> u32 {
    let Some(finish_at) = ask.finish_at else { return 0 };
    let Some(due_at) = ask.due_at else { return 100 };
    let day_ms = TimeDelta::days(1).num_milliseconds();
    let slack_ms = (due_at - finish_at).num_milliseconds().clamp(0, day_ms);
    u32::try_from(slack_ms * 100 / day_ms).unwrap_or(0)
}

fn uninterrupted(ask: &Scored<'_>) -> u32 {
    if ask.finish_at.is_some_and(|at| at <= ask.shift_end) { 100 } else { 0 }
}

fn headroom(ask: &Scored<'_>) -> u32 {
    let (size, used) = match ask.team.capacity {
        Capacity::Seats(seats) => (seats, ask.load.used),
        Capacity::EffortHours(hours) => (hours.saturating_mul(60), ask.load.used_minutes),
    };
    if size == 0 {
        return 0;
    }
    let share = u64::from(size.saturating_sub(used)) * 100 / u64::from(size);
    u32::try_from(share).unwrap_or(0)
}

fn level(ask: &Scored<'_>) -> u32 {
    ask.excess.saturating_mul(50).min(100)
}

/// The cheapest team of the roster is 100, the dearest 0.
fn cost(ask: &Scored<'_>) -> u32 {
    let (low, high) = ask.cost_range_cents;
    if high <= low {
        return 100;
    }
    let above = u64::from(high.saturating_sub(ask.team.cost_per_hour_cents));
    u32::try_from(above * 100 / u64::from(high - low)).unwrap_or(0).min(100)
}
