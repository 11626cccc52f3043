//! Keep or pass: whether a task that outlasts its holder's shift is done sooner by another team.
//!
//! Both sides are compared by the best chain finish given that first holder: its open time first, then the best further
//! hand-offs that the hops left allow, each at the cost of a hand-off. Source: the design's service model, "Hand-off"
//! and "Routing".

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::board::Board;
use super::class::Class;
use super::forecast;
use super::id::TeamId;
use super::roster::{HandoffRule, TeamIndex};
use super::routing::meets;
use super::task::Task;

/// How many unfinished chains are followed from one hop to the next, those that promise most.
const MAX_CHAINS: usize = 8;

/// How many targets have their chains worked out, those that start first; the others count by their own finish.
const MAX_CHAINED_TARGETS: usize = 8;

/// How many times `max_handoffs` a task may be passed on when that saves its due time.
pub const SAVING_FACTOR: u32 = 3;

/// The numbers behind a decision to keep or to pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comparison {
    /// When it must be done, by the hours of its holder.
    pub due_at: Option<DateTime<Utc>>,
    /// When it is done if its holder keeps it.
    pub keep_finish_at: Option<DateTime<Utc>>,
    /// The team that would finish first, of those that it could be passed to.
    pub best_team: Option<TeamId>,
    /// When that team could start.
    pub best_start_at: Option<DateTime<Utc>>,
    /// When it is done if that team gets it.
    pub best_finish_at: Option<DateTime<Utc>>,
    /// The rule that decided.
    pub rule: HandoffRule,
}

/// Keep or pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The holder keeps it.
    Keep(KeepReason),
    /// The team gets it at an instant.
    Pass {
        /// The team.
        to: TeamIndex,
        /// When it can start.
        start_at: DateTime<Utc>,
        /// Whether this saves the due time.
        saves_due: bool,
    },
}

/// Why a holder keeps a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepReason {
    /// The work type is never handed off.
    Never,
    /// No other team would be done so much sooner that it is worth it.
    NotBetter,
    /// No other team can take it.
    NoTaker,
    /// It has been passed on as often as it may be.
    LimitReached,
    /// The firm holds it.
    Held,
    /// The holder asked to.
    Asked,
    /// The holder's next shift began before another team took it.
    NextShift,
}

/// What is compared: a task, its holder, and from when on another team could have it.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What is known of teams.
    pub board: &'a Board,
    /// The task.
    pub task: &'a Task,
    /// Its class.
    pub class: &'a Class,
    /// Its holder.
    pub owner: TeamIndex,
    /// Now.
    pub now: DateTime<Utc>,
    /// From when on another team could have it: the close, or now.
    pub free_at: DateTime<Utc>,
    /// The rule in force for this holder and task.
    pub rule: HandoffRule,
}

/// A team that could take the task on.
#[derive(Debug, Clone, Copy)]
struct Target {
    team: TeamIndex,
    start_at: DateTime<Utc>,
    finish_at: Option<DateTime<Utc>>,
    meets_due: bool,
}

/// Compares and decides.
#[must_use]
pub fn compare(ask: &Question<'_>) -> (Verdict, Comparison) {
    let roster = &ask.board.roster;
    let owner = roster.team(ask.owner);
    let coverage = || ask.class.coverage(roster, ask.now);
    let coverage = forecast::needs_coverage(ask.task).then(coverage).flatten();
    let due_for = |team: TeamIndex| forecast::due_at(ask.task, roster, Some(roster.team(team)), coverage, ask.now);
    let left = ask.left_at(ask.free_at);
    let hops = roster.routing.max_handoffs.saturating_sub(ask.task.handoffs);
    let keep_start = owner.calendar.next_open(ask.free_at).ok();
    let keep_finish_at = keep_start.and_then(|start| ask.best_finish(ask.owner, start, left, due_for(ask.owner), hops));
    let best = ask.best_target(left, hops.saturating_sub(1), due_for);
    let due_at = due_for(ask.owner);
    let comparison = Comparison {
        due_at,
        keep_finish_at,
        best_team: best.map(|best| roster.team(best.team).id.clone()),
        best_start_at: best.map(|best| best.start_at),
        best_finish_at: best.and_then(|best| best.finish_at),
        rule: ask.rule,
    };
    let keep_meets = meets(keep_finish_at, due_at);
    (ask.verdict(best, keep_finish_at, keep_meets), comparison)
}

impl Question<'_> {
    fn verdict(&self, best: Option<Target>, keep_finish_at: Option<DateTime<Utc>>, keep_meets: bool) -> Verdict {
        if self.rule == HandoffRule::Never {
            return Verdict::Keep(KeepReason::Never);
        }
        if self.task.held {
            return Verdict::Keep(KeepReason::Held);
        }
        let Some(best) = best else { return Verdict::Keep(KeepReason::NoTaker) };
        let saves_due = best.meets_due && !keep_meets;
        let minutes = |minutes: u32| TimeDelta::minutes(i64::from(minutes));
        let routing = &self.board.roster.routing;
        let gains = |least: TimeDelta| match (keep_finish_at, best.finish_at) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(keep), Some(pass)) => keep - pass >= least,
        };
        let is_better = match (keep_meets, best.meets_due) {
            (false, true) => true,
            (true, true) => gains(minutes(routing.handoff_min_gain_minutes)),
            (true, false) => false,
            (false, false) => gains(minutes(routing.handoff_cost_minutes)),
        };
        let limit = if saves_due { routing.max_handoffs.saturating_mul(SAVING_FACTOR) } else { routing.max_handoffs };
        match self.rule {
            HandoffRule::WhenBetter if !is_better => Verdict::Keep(KeepReason::NotBetter),
            HandoffRule::Never | HandoffRule::WhenBetter | HandoffRule::Always if self.task.handoffs >= limit => {
                Verdict::Keep(KeepReason::LimitReached)
            }
            HandoffRule::Never | HandoffRule::WhenBetter | HandoffRule::Always => {
                Verdict::Pass { to: best.team, start_at: best.start_at, saves_due }
            }
        }
    }

    /// The effort that is expected to be left at an instant until which the holder works on.
    fn left_at(&self, at: DateTime<Utc>) -> TimeDelta {
        let reported = TimeDelta::minutes(i64::from(self.task.remaining_minutes()));
        let holding = self.board.load(self.owner).tasks.get(&self.task.arrival);
        let since = holding.and_then(|holding| holding.worked_since).unwrap_or(self.now);
        let calendar = &self.board.roster.team(self.owner).calendar;
        let worked = calendar.elapsed(since, at.max(since), &[]).unwrap_or_default();
        // A holder that has worked for longer than it reported has something left all the same.
        (reported - worked).max(reported / 4).max(TimeDelta::minutes(1))
    }

    /// The team to pass it to: one in time before one that is not, then the one that finishes first, then cost, then id.
    fn best_target(
        &self,
        left: TimeDelta,
        hops: u32,
        due_for: impl Fn(TeamIndex) -> Option<DateTime<Utc>>,
    ) -> Option<Target> {
        let needed = left + self.cost();
        let mut starts: Vec<(DateTime<Utc>, TeamIndex)> = self
            .class
            .eligible
            .iter()
            .filter(|(team, _)| *team != self.owner)
            .filter_map(|(team, _)| Some((self.start_of(*team, self.free_at)?, *team)))
            .collect();
        starts.sort_unstable();
        let targets = starts.iter().enumerate().map(|(place, (start_at, team))| {
            let due_at = due_for(*team);
            let hops = if place < MAX_CHAINED_TARGETS { hops } else { 0 };
            let finish_at = self.best_finish(*team, *start_at, needed, due_at, hops);
            Target { team: *team, start_at: *start_at, finish_at, meets_due: meets(finish_at, due_at) }
        });
        let cost = |team: TeamIndex| self.board.roster.team(team).cost_per_hour_cents;
        let latest = DateTime::<Utc>::MAX_UTC;
        targets.min_by_key(|it| (!it.meets_due, it.finish_at.unwrap_or(latest), cost(it.team), it.team))
    }

    /// When a team could start work that is free from an instant on; `None` when it may not, or not within its horizon.
    fn start_of(&self, team: TeamIndex, free_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (entry, load) = (self.board.roster.team(team), self.board.load(team));
        let remaining = self.task.remaining_minutes();
        if entry.winds_down() || self.task.is_turned_down_by(&entry.id, free_at) {
            return None;
        }
        let fit = self.class.fit(team)?;
        let has_room_at =
            load.room_expected_at(entry, self.task.priority, remaining, self.now, Some(self.task.arrival))?;
        let from = free_at.max(has_room_at);
        let mut start_at = entry.calendar.next_open(from).ok()?;
        if self.shift_end(team, start_at) - start_at < self.start_window() {
            start_at = entry.calendar.next_open(self.shift_end(team, start_at)).ok()?;
        }
        let qualified = fit.vetted_until > start_at && fit.admitted_until.is_none_or(|until| until > start_at);
        qualified.then_some(start_at)
    }

    /// When work is done that a team starts: alone, or by the best chain when alone it is late or outlasts the shift.
    fn best_finish(
        &self,
        team: TeamIndex,
        start_at: DateTime<Utc>,
        needed: TimeDelta,
        due_at: Option<DateTime<Utc>>,
        hops: u32,
    ) -> Option<DateTime<Utc>> {
        let single = self.board.roster.team(team).calendar.add(start_at, needed, &[]).ok();
        let outlasts = single.is_none_or(|finish_at| finish_at > self.shift_end(team, start_at));
        if hops == 0 || self.rule == HandoffRule::Never || !outlasts && meets(single, due_at) {
            return single;
        }
        self.chain(team, start_at, needed, hops, single)
    }

    /// The earliest finish of the chains from a first holder; `best` is the finish without a hand-off.
    fn chain(
        &self,
        first: TeamIndex,
        start_at: DateTime<Utc>,
        needed: TimeDelta,
        hops: u32,
        mut best: Option<DateTime<Utc>>,
    ) -> Option<DateTime<Utc>> {
        let mut chains = vec![(start_at, needed, first)];
        for _ in 0..hops {
            let mut next = Vec::new();
            for (start_at, needed, team) in chains {
                let close = self.shift_end(team, start_at);
                let Ok(worked) = self.board.roster.team(team).calendar.elapsed(start_at, close, &[]) else { continue };
                if worked >= needed {
                    continue;
                }
                let left = needed - worked + self.cost();
                let others = self.class.eligible.iter().filter(|(other, _)| *other != team);
                for (other, start_at) in others.filter_map(|(other, _)| Some((*other, self.start_of(*other, close)?))) {
                    if best.is_some_and(|best| start_at + left >= best) {
                        continue;
                    }
                    let finish_at = self.board.roster.team(other).calendar.add(start_at, left, &[]).ok();
                    best = [best, finish_at].into_iter().flatten().min();
                    next.push((start_at, left, other));
                }
            }
            next.sort_unstable_by_key(|(start_at, left, team)| (*start_at + *left, *team));
            next.truncate(MAX_CHAINS);
            chains = next;
        }
        best
    }

    fn shift_end(&self, team: TeamIndex, at: DateTime<Utc>) -> DateTime<Utc> {
        let gap = TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_min_gap_minutes));
        self.board.roster.team(team).calendar.shift_end(at, gap).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn cost(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_cost_minutes))
    }

    fn start_window(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.board.roster.routing.min_start_window_minutes))
    }
}
