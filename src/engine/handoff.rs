//! Keep or pass: whether a task that outlasts its holder's shift is done sooner by another team.
//!
//! Both sides are compared by the best chain finish given that first holder: its open time first, then the best further
//! hand-offs that the hops left allow, each at the cost of a hand-off. Source: the design's service model, "Hand-off"
//! and "Routing".

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::chains::{Chains, MAX_CHAINED};
use super::id::TeamId;
use super::planted::planted;
use super::roster::{HandoffRule, TeamIndex};
use super::routing::meets;

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
    /// The task, the teams that may do it, and the rule in force for this holder and task.
    pub chains: Chains<'a>,
    /// Its holder.
    pub owner: TeamIndex,
    /// From when on another team could have it: the close, or now.
    pub free_at: DateTime<Utc>,
    /// Whether the holder is to pass it whatever is gained: it has handed it on, winds down, or may not have it much longer.
    pub is_to_leave: bool,
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
    let Chains { board, task, rule, .. } = ask.chains;
    let roster = &board.roster;
    let due_for = ask.chains.due_for();
    let left = ask.left_at(ask.free_at);
    let hops = roster.routing.max_handoffs.saturating_sub(task.handoffs);
    let due_at = due_for(ask.owner);
    let keep_start = roster.team(ask.owner).calendar.next_open(ask.free_at).ok();
    let keep_finish_at = keep_start.and_then(|start| ask.chains.best_finish(ask.owner, start, left, due_at, hops));
    let best = ask.best_target(left, hops.saturating_sub(1), due_for);
    let comparison = Comparison {
        due_at,
        keep_finish_at,
        best_team: best.map(|best| roster.team(best.team).id.clone()),
        best_start_at: best.map(|best| best.start_at),
        best_finish_at: best.and_then(|best| best.finish_at),
        rule,
    };
    let keep_meets = meets(keep_finish_at, due_at);
    (ask.verdict(best, keep_finish_at, keep_meets), comparison)
}

impl Question<'_> {
    fn verdict(&self, best: Option<Target>, keep_finish_at: Option<DateTime<Utc>>, keep_meets: bool) -> Verdict {
        if self.chains.rule == HandoffRule::Never {
            return Verdict::Keep(KeepReason::Never);
        }
        if self.chains.task.held {
            return Verdict::Keep(KeepReason::Held);
        }
        let Some(best) = best else { return Verdict::Keep(KeepReason::NoTaker) };
        let saves_due = best.meets_due && !keep_meets;
        let minutes = |minutes: u32| TimeDelta::minutes(i64::from(minutes));
        let routing = &self.chains.board.roster.routing;
        let gains = |least: TimeDelta| match (keep_finish_at, best.finish_at) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(keep), Some(pass)) => keep - pass >= least,
        };
        let is_better = match (keep_meets, best.meets_due) {
            (false, true) => true,
            (true, true) => planted("pass-for-any-gain") || gains(minutes(routing.handoff_min_gain_minutes)),
            (true, false) => false,
            (false, false) => gains(minutes(routing.handoff_cost_minutes)),
        };
        let limit = if saves_due { routing.max_handoffs.saturating_mul(SAVING_FACTOR) } else { routing.max_handoffs };
        match self.chains.rule {
            HandoffRule::WhenBetter if !is_better => Verdict::Keep(KeepReason::NotBetter),
            HandoffRule::Never | HandoffRule::WhenBetter | HandoffRule::Always
                if !self.is_to_leave && self.chains.task.handoffs >= limit && !planted("hand-offs-without-limit") =>
            {
                Verdict::Keep(KeepReason::LimitReached)
            }
            HandoffRule::Never | HandoffRule::WhenBetter | HandoffRule::Always => {
                Verdict::Pass { to: best.team, start_at: best.start_at, saves_due }
            }
        }
    }

    /// The effort that is expected to be left at an instant until which the holder works on.
    fn left_at(&self, at: DateTime<Utc>) -> TimeDelta {
        let Chains { board, task, .. } = self.chains;
        let holding = board.load(self.owner).tasks.get(&task.arrival);
        let left = holding.map_or(task.remaining_minutes(), |it| it.expected_left(board.roster.team(self.owner), at));
        TimeDelta::minutes(i64::from(left.max(1)))
    }

    /// The team to pass it to: one in time before one that is not, then the one that finishes first, then cost, then id.
    fn best_target(
        &self,
        left: TimeDelta,
        hops: u32,
        due_for: impl Fn(TeamIndex) -> Option<DateTime<Utc>>,
    ) -> Option<Target> {
        let needed = left + self.chains.cost();
        let mut starts: Vec<(DateTime<Utc>, TeamIndex)> = self
            .chains
            .class
            .eligible
            .iter()
            .filter(|(team, _)| *team != self.owner)
            .filter_map(|(team, _)| Some((self.chains.start_of(*team, self.free_at)?, *team)))
            .collect();
        starts.sort_unstable();
        let targets = starts.iter().enumerate().map(|(place, (start_at, team))| {
            let due_at = due_for(*team);
            let hops = if place < MAX_CHAINED { hops } else { 0 };
            let finish_at = self.chains.best_finish(*team, *start_at, needed, due_at, hops);
            Target { team: *team, start_at: *start_at, finish_at, meets_due: meets(finish_at, due_at) }
        });
        let cost = |team: TeamIndex| self.chains.board.roster.team(team).cost_per_hour_cents;
        let latest = DateTime::<Utc>::MAX_UTC;
        targets.min_by_key(|it| (!it.meets_due, it.finish_at.unwrap_or(latest), cost(it.team), it.team))
    }
}
