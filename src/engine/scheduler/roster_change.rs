//! Another roster comes into force: everything that rests on it is worked out anew.

use std::sync::Arc;

use super::Scheduler;
use crate::engine::board::Board;
use crate::engine::effect::{Effect, WithdrawReason};
use crate::engine::id::TaskId;
use crate::engine::queue::Queue;
use crate::engine::roster::Roster;
use crate::engine::task::{Arrival, TaskState, WaitReason};
use crate::engine::timer::Timers;

/// Something that an open task needs and a roster lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The task.
    pub task: TaskId,
    /// What it needs, such as `team sydney`.
    pub needs: String,
}

impl Scheduler {
    /// What open tasks need that a roster lacks, at most 20 lines; such a roster must not come into force.
    #[must_use]
    pub fn missing_in(&self, roster: &Roster) -> Vec<Missing> {
        let mut missing = Vec::new();
        for entry in self.tasks.values() {
            let task = &entry.task;
            let needs = if !roster.clients.contains_key(&task.client) {
                format!("client {}", task.client)
            } else if let Some(team) = task.state.team().filter(|team| roster.team_index(team).is_none()) {
                format!("team {team}")
            } else {
                continue;
            };
            missing.push(Missing { task: task.id.clone(), needs });
            if missing.len() == 20 {
                break;
            }
        }
        missing
    }

    pub(super) fn change_roster(&mut self, roster: Arc<Roster>) {
        let affinity = std::mem::take(&mut self.board.affinity);
        let conflicts = std::mem::take(&mut self.board.conflicts);
        let adopted = Effect::AdoptRoster { digest: roster.digest.clone(), tzdata: Arc::clone(&roster.tzdata) };
        self.board = Board::new(roster, conflicts, self.now);
        self.board.affinity = affinity;
        self.record_aside(None, None, None, adopted);
        self.reindex();
        self.start_teams();
        for arrival in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.check_standing(arrival, WithdrawReason::RosterChanged);
            if self.task_of(arrival).is_some_and(|task| is_open_to_offers(&task.state)) {
                self.route(arrival);
            }
        }
    }

    /// Builds every index anew from the tasks.
    fn reindex(&mut self) {
        self.queue = Queue::default();
        self.timers = Timers::default();
        self.census = super::Census::default();
        self.dependants.clear();
        self.to_fill.clear();
        let tasks: Vec<_> = std::mem::take(&mut self.tasks).into_values().map(|entry| entry.task).collect();
        for task in tasks {
            self.insert(task);
        }
    }

    /// Moves a task to another class of the same roster.
    pub(super) fn move_class(&mut self, arrival: Arrival, class: crate::engine::class::ClassId) {
        self.unindex(arrival);
        if let Some(entry) = self.tasks.get_mut(&arrival) {
            entry.class = class;
            entry.awaits = None;
        }
        self.index(arrival);
    }
}

fn is_open_to_offers(state: &TaskState) -> bool {
    matches!(state, TaskState::Waiting(it) if it.reason == WaitReason::NoTeamEligible || super::index::is_routable(it.reason))
}
