//! Another roster comes into force: everything that rests on it is worked out anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Scheduler;
use crate::engine::board::Board;
use crate::engine::class::{ClassId, Classes};
use crate::engine::effect::{Effect, WithdrawReason};
use crate::engine::id::{CalendarId, TaskId, TeamId};
use crate::engine::load::TeamLoad;
use crate::engine::queue::Queue;
use crate::engine::roster::{Basis, Roster};
use crate::engine::task::{Arrival, Task, TaskState, WaitReason};
use crate::engine::timer::Timers;

/// Something that an open task needs and a roster lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The task.
    pub task: TaskId,
    /// What it needs, such as `team sydney`.
    pub needs: String,
}

/// What stood before the board was taken anew.
struct Was {
    board: Board,
    /// The tasks with clocks that count hours, and their classes then.
    counted: BTreeMap<Arrival, ClassId>,
}

/// Tasks that are named at most.
const MAX_MISSING: usize = 20;

/// What open tasks need that a roster lacks, at most 20 lines; such a roster must not come into force.
#[must_use]
pub fn missing_in<'a>(tasks: impl IntoIterator<Item = &'a Task>, roster: &Roster) -> Vec<Missing> {
    let lacks = |task: &Task| needs(task, roster).map(|needs| Missing { task: task.id.clone(), needs });
    tasks.into_iter().filter_map(lacks).take(MAX_MISSING).collect()
}

/// The first thing that a task needs and a roster lacks.
fn needs(task: &Task, roster: &Roster) -> Option<String> {
    if !roster.clients.contains_key(&task.client) {
        Some(format!("client {}", task.client))
    } else if let Some(team) = teams_of(task).find(|team| roster.team_index(team).is_none()) {
        Some(format!("team {team}"))
    } else if let Some(calendar) = calendars_of(task).find(|id| !roster.calendars.contains_key(*id)) {
        Some(format!("calendar {calendar}"))
    } else if let Some(pause) = task.paused.as_ref().filter(|pause| !roster.pauses.contains_key(&pause.reason)) {
        Some(format!("pause reason {}", pause.reason))
    } else {
        let policy = task.sla.as_ref().filter(|id| !roster.sla.contains_key(*id))?;
        Some(format!("sla policy {policy}"))
    }
}

impl Scheduler {
    /// What open tasks need that a roster lacks, at most 20 lines; such a roster must not come into force.
    #[must_use]
    pub fn missing_in(&self, roster: &Roster) -> Vec<Missing> {
        missing_in(self.tasks.values().map(|entry| &entry.task), roster)
    }

    /// A start brings another roster into force: it is told of before all that was decided under it already, and nobody
    /// keeps what it does not let them have until the timers that are overdue have fired.
    pub(super) fn begin_with_roster(&mut self) {
        let decided = std::mem::take(&mut self.out.recorded);
        self.tell_roster();
        self.tell_new_walls();
        self.out.recorded.extend(decided);
        for arrival in self.tasks.keys().copied().collect::<Vec<_>>() {
            if let Some(because) = self.what_fails(arrival) {
                self.take_back(arrival, WithdrawReason::RosterChanged, because);
            }
        }
    }

    pub(super) fn change_roster(&mut self, roster: Arc<Roster>) {
        let is_begun = self.base.digest == roster.digest;
        self.base = roster;
        if !is_begun {
            self.tell_roster();
        }
        let was = self.take_board();
        self.tell_new_walls();
        self.renew_all(&was);
    }

    fn tell_roster(&mut self) {
        let Roster { digest, tzdata, .. } = &*self.base;
        let adopted = Effect::AdoptRoster { digest: digest.clone(), tzdata: Arc::clone(tzdata) };
        self.record_aside(None, None, None, adopted);
    }

    /// The overrides changed: the view of the roster with them is taken anew, and everything that rests on it.
    pub(super) fn take_view(&mut self) {
        let was = self.take_board();
        self.renew_all(&was);
    }

    /// A board of the roster with the overrides as they stand now; gives what stood before.
    fn take_board(&mut self) -> Was {
        let counted = self.counted_by_hours();
        let conflicts = self.board.conflicts.clone();
        let next = Board::new(self.overrides.view(&self.base, self.now), conflicts, self.now);
        let mut board = std::mem::replace(&mut self.board, next);
        self.board.affinity = std::mem::take(&mut board.affinity);
        Was { board, counted }
    }

    /// Works out anew what rests on the board.
    fn renew_all(&mut self, was: &Was) {
        let to_route = std::mem::take(&mut self.to_route);
        self.reindex();
        self.to_route = to_route;
        self.keep_work(&was.board.roster);
        self.turn_hours(Some((&was.board.roster, &was.board.classes)), &was.counted);
        self.tell_all_clocks();
        self.start_teams();
        for arrival in self.tasks.keys().copied().collect::<Vec<_>>() {
            self.check_standing(arrival, WithdrawReason::RosterChanged);
            self.refit_offer(arrival);
        }
        // Free seats go in the order in which tasks wait, and what is left is decided anew.
        self.place_waiting();
        let waiting = self.tasks.values().filter(|entry| is_open_to_offers(&entry.task.state));
        let waiting = waiting.map(|entry| entry.task.arrival).collect();
        self.route_in_order(waiting);
    }

    /// An offer stands as long as the team's new hours let it: one to a team that is closed now is taken back.
    fn refit_offer(&mut self, arrival: Arrival) {
        let Some(TaskState::Offered(offer)) = self.task_of(arrival).map(|task| &task.state) else { return };
        let Some(team) = self.board.roster.team_index(&offer.team) else { return };
        let load = self.board.load(team);
        let closed_by_override = self.board.roster.team(team).closed_by_override;
        if !load.open && (closed_by_override || !self.in_break(team)) {
            let why = if closed_by_override { WithdrawReason::ClosedByOverride } else { WithdrawReason::ShiftEnd };
            self.withdraw(arrival, why);
            self.to_route.insert(arrival);
            return;
        }
        let shift_end = load.shift_end.unwrap_or(self.now);
        let refitted = self.limited(offer.clone(), team, shift_end);
        self.change(arrival, |task| {
            if let TaskState::Offered(offer) = &mut task.state {
                *offer = refitted;
            }
        });
    }

    /// Works every class out anew, for the hours that lie ahead now.
    pub(super) fn renew_classes(&mut self) {
        let was_in = self.counted_by_hours();
        let before = std::mem::replace(&mut self.board.classes, Classes::new(self.board.roster.teams.len()));
        for load in &mut self.board.loads {
            *load = TeamLoad::default();
        }
        let to_route = std::mem::take(&mut self.to_route);
        self.reindex();
        self.turn_hours(Some((&Arc::clone(&self.board.roster), &before)), &was_in);
        self.to_route = to_route;
        self.start_teams();
    }

    /// Builds every index anew from the tasks.
    fn reindex(&mut self) {
        let marks = std::mem::take(self.queue.marks_mut());
        self.queue = Queue::default();
        self.timers = Timers::default();
        self.set_kept_timers();
        self.renew_processes();
        self.census = super::Census::default();
        self.sla = crate::engine::sla::SlaCensus::default();
        self.dependants.clear();
        self.by_matter.clear();
        self.to_fill.clear();
        self.to_route.clear();
        let tasks: Vec<_> = std::mem::take(&mut self.tasks).into_values().map(|entry| entry.task).collect();
        for task in tasks {
            self.insert(task);
        }
        self.queue.restore(marks);
    }

    /// Moves a task to another class of the same roster.
    pub(super) fn move_class(&mut self, arrival: Arrival, class: crate::engine::class::ClassId) {
        self.change_entry(arrival, |entry| entry.class = class);
    }
}

/// The teams that have a task, or are to have it next.
fn teams_of(task: &Task) -> impl Iterator<Item = &TeamId> {
    let passing = match &task.state {
        TaskState::Active(active) => active.handoff.passing.as_ref().map(|passing| &passing.to),
        _ => None,
    };
    task.state.team().into_iter().chain(passing)
}

/// The calendars that a task's clocks count by.
fn calendars_of(task: &Task) -> impl Iterator<Item = &CalendarId> {
    task.clocks.iter().filter_map(|clock| match &clock.rule.basis {
        Basis::Calendar(id) => Some(id),
        Basis::Wall | Basis::Client | Basis::Holder | Basis::Coverage => None,
    })
}

fn is_open_to_offers(state: &TaskState) -> bool {
    matches!(state, TaskState::Waiting(it) if it.reason == WaitReason::NoTeamEligible || super::index::is_routable(it.reason))
}
