//! When work is done that teams hand from one to the next: the best chain of shifts from a first holder on.
//!
//! The single forecast comes first, chains only when that is late or outlasts the shift. Source: the design's service
//! model, "Routing", forecast finish.

use chrono::{DateTime, TimeDelta, Utc};

use super::board::Board;
use super::class::Class;
use super::forecast;
use super::id::TeamId;
use super::roster::{HandoffRule, TeamIndex};
use super::routing::{self, meets};
use super::task::Task;

/// How many unfinished chains are followed from one hop to the next, those that promise most.
const MAX_CHAINS: usize = 8;

/// How many first holders have their chains worked out, those that start first; the others count by their own finish.
pub const MAX_CHAINED: usize = 8;

/// A task and the teams that may do it, at an instant.
#[derive(Debug, Clone, Copy)]
pub struct Chains<'a> {
    /// What is known of teams.
    pub board: &'a Board,
    /// The task.
    pub task: &'a Task,
    /// Its class.
    pub class: &'a Class,
    /// Now.
    pub now: DateTime<Utc>,
    /// The rule in force for the task.
    pub rule: HandoffRule,
}

/// A task that no team and no chain of teams is expected to do in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infeasible {
    /// When it must be done, by the hours of the team that would be done first.
    pub due_at: Option<DateTime<Utc>>,
    /// When that team, or the chain that begins with it, would be done; `None` is not within a calendar's horizon.
    pub best_finish_at: Option<DateTime<Utc>>,
    /// That team.
    pub best_team: TeamId,
}

impl Chains<'_> {
    /// Whether nobody is expected to do the task in time that may start from an instant on, with the best that there is;
    /// `None` when somebody is, and when nobody may do it at all.
    #[must_use]
    pub fn infeasible(&self, from: DateTime<Utc>) -> Option<Infeasible> {
        let (roster, minutes) = (&self.board.roster, self.task.remaining_minutes());
        let due_for = self.due_for();
        let mut starts = Vec::new();
        for team in self.class.eligible.iter().map(|(team, _)| *team) {
            let Some(start_at) = self.asked_again_at(team, from).and_then(|from| self.start_of(team, from)) else {
                continue;
            };
            if meets(forecast::finish_at(roster.team(team), start_at, minutes), due_for(team)) {
                return None;
            }
            starts.push((start_at, team));
        }
        starts.sort_unstable();
        let needed = TimeDelta::minutes(i64::from(minutes));
        let mut best: Option<(DateTime<Utc>, TeamIndex, Option<DateTime<Utc>>)> = None;
        for (place, (start_at, team)) in starts.iter().enumerate() {
            let due_at = due_for(*team);
            let hops = if place < MAX_CHAINED { roster.routing.max_handoffs } else { 0 };
            let finish_at = self.best_finish(*team, *start_at, needed, due_at, hops);
            if meets(finish_at, due_at) {
                return None;
            }
            let this = (finish_at.unwrap_or(DateTime::<Utc>::MAX_UTC), *team, due_at);
            best = Some(best.map_or(this, |best| best.min(this)));
        }
        best.map(|(finish_at, team, due_at)| Infeasible {
            due_at,
            best_finish_at: Some(finish_at).filter(|at| *at < DateTime::<Utc>::MAX_UTC),
            best_team: roster.team(team).id.clone(),
        })
    }

    /// From when on a team may be asked, at `from` or later; `None` when it has refused for good.
    fn asked_again_at(&self, team: TeamIndex, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let id = &self.board.roster.team(team).id;
        match self.task.turn_downs.iter().find(|it| it.team == *id) {
            Some(turn_down) => turn_down.until.map(|until| until.max(from)),
            None => Some(from),
        }
    }

    /// When the task must be done by the hours of each team.
    pub fn due_for(&self) -> impl Fn(TeamIndex) -> Option<DateTime<Utc>> {
        let roster = &self.board.roster;
        let coverage = self.class.counted_coverage(self.task, roster, self.now);
        move |team| forecast::due_at(self.task, roster, Some(roster.team(team)), coverage, self.now)
    }

    /// When a team could start work that is free from an instant on; `None` when it may not, or not within its horizon.
    pub fn start_of(&self, team: TeamIndex, free_at: DateTime<Utc>) -> Option<DateTime<Utc>> {
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
        let finish_at = forecast::finish_at(entry, start_at, remaining);
        let part_ends_at = routing::part_end(self.task, finish_at, Some(self.shift_end(team, start_at)));
        let lasts = |until: DateTime<Utc>| until > start_at && until >= part_ends_at;
        let qualified = lasts(fit.vetted_until) && fit.admitted_until.is_none_or(lasts);
        let meets_client = || routing::has_contact_from(self.board, self.task, self.class, team, start_at);
        (qualified && meets_client()).then_some(start_at)
    }

    /// When work is done that a team starts: alone, or by the best chain when alone it is late or outlasts the shift.
    pub fn best_finish(
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

    /// What a hand-off costs.
    #[must_use]
    pub fn cost(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.board.roster.routing.handoff_cost_minutes))
    }

    fn start_window(&self) -> TimeDelta {
        TimeDelta::minutes(i64::from(self.board.roster.routing.min_start_window_minutes))
    }
}
