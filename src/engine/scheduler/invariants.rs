//! What must hold between two steps.

use super::{Census, Scheduler, index};
use crate::engine::id::TaskId;
use crate::engine::queue::Queue;
use crate::engine::roster::TeamIndex;
use crate::engine::routing;
use crate::engine::sla::{self, SlaCensus};
use crate::engine::task::{Task, TaskState};
use crate::engine::timer::Timer;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A task is not in the index that its state asks for.
    #[error("task {task} is {state} and not indexed so: {index}")]
    Index {
        /// The task.
        task: TaskId,
        /// Its state.
        state: &'static str,
        /// Which index.
        index: &'static str,
    },
    /// A team's load is not the sum of what it holds.
    #[error("team {team} has {counted} tasks of {minutes} min that use a seat and counts {used} of {used_minutes} min")]
    Load {
        /// The team.
        team: String,
        /// Tasks counted.
        counted: u32,
        /// Seats that its load says are in use.
        used: u32,
        /// Remaining minutes counted.
        minutes: u32,
        /// Remaining minutes that its load says are in use.
        used_minutes: u32,
    },
    /// An index is not what the tasks make it.
    #[error("the {0} differs from what the open tasks make it")]
    Differs(&'static str),
    /// A closed team owns a task without a stored reason.
    #[error("team {team} is closed and owns {task} without a reason")]
    ClosedOwner {
        /// The team.
        team: String,
        /// The task.
        task: TaskId,
    },
    /// A team has a task that a wall keeps from it.
    #[error("team {team} has {task} behind a wall")]
    Walled {
        /// The team.
        team: String,
        /// The task.
        task: TaskId,
    },
    /// A task is offered to a closed team.
    #[error("{task} is offered to {team}, which is closed")]
    OfferedToClosed {
        /// The team.
        team: String,
        /// The task.
        task: TaskId,
    },
    /// A process is not as its steps make it.
    #[error("process {process} {what}")]
    Process {
        /// The process.
        process: TaskId,
        /// What is wrong.
        what: &'static str,
    },
    /// A waiting task still waits for a decision.
    #[error("{0} waits without a reason")]
    Undecided(TaskId),
}

impl Scheduler {
    /// Checks every task against every index.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn check_invariants(&self) -> Result<(), Broken> {
        for (arrival, entry) in &self.tasks {
            self.check_task(*arrival, &entry.task)?;
        }
        self.check_queue()?;
        self.check_processes()?;
        for (team, owner) in self.board.roster.indexed_teams() {
            self.check_load(team, owner.id.as_str())?;
        }
        Ok(())
    }

    fn check_task(&self, arrival: crate::engine::task::Arrival, task: &Task) -> Result<(), Broken> {
        let broken = |index| Broken::Index { task: task.id.clone(), state: task.state.as_str(), index };
        if self.by_id.get(&task.id) != Some(&arrival) {
            return Err(broken("by id"));
        }
        if sla::is_to_turn(task) {
            return Err(broken("clocks"));
        }
        self.check_step(task).map_err(broken)?;
        let due = [
            (task.next_warning_at(), Timer::SlaWarns(arrival)),
            (task.next_breach_at(), Timer::SlaBreached(arrival)),
            (task.next_escalation_at(), Timer::SlaEscalates(arrival)),
        ];
        if due.into_iter().any(|(at, timer)| at.is_some_and(|at| !self.timers.contains(at, timer))) {
            return Err(broken("timers of clocks"));
        }
        let told_at = super::predecessors::told_unknown_at(task, &self.by_id);
        if told_at.is_some_and(|at| !self.timers.contains(at, Timer::PredecessorUnknown(arrival))) {
            return Err(broken("timer of an unknown predecessor"));
        }
        match &task.state {
            TaskState::Waiting(waiting) => {
                if waiting.is_undecided() && !self.drains() {
                    return Err(Broken::Undecided(task.id.clone()));
                }
                let queued = self.tasks.get(&arrival).is_some_and(|entry| entry.key.is_some());
                if queued != index::is_routable(waiting.reason) && !waiting.is_undecided() {
                    return Err(broken("queue"));
                }
            }
            TaskState::Offered(offer) => {
                if !self.is_cut_off() && !self.timers.contains(offer.until, Timer::OfferLapses(arrival)) {
                    return Err(broken("lapse timer"));
                }
                self.check_owner(task, offer.team.as_str())?;
            }
            TaskState::Active(active) => self.check_owner(task, active.team.as_str())?,
            TaskState::Completed { .. } | TaskState::Cancelled { .. } => return Err(broken("open tasks")),
        }
        Ok(())
    }

    fn check_owner(&self, task: &Task, team: &str) -> Result<(), Broken> {
        let owner = task.state.team().and_then(|id| self.board.roster.team_index(id));
        let missing = || Broken::Index { task: task.id.clone(), state: task.state.as_str(), index: "team" };
        let owner = owner.ok_or_else(missing)?;
        if !self.board.load(owner).tasks.contains_key(&task.arrival) {
            return Err(missing());
        }
        let class = self.tasks.get(&task.arrival).map(|entry| entry.class).ok_or_else(missing)?;
        let standing = routing::still_stands(&self.board, task, class, owner, self.now);
        if standing.is_err_and(|rejection| rejection.filter() == crate::engine::explain::Filter::Wall) {
            return Err(Broken::Walled { team: team.into(), task: task.id.clone() });
        }
        if self.board.load(owner).open || self.is_cut_off() {
            return Ok(());
        }
        match &task.state {
            TaskState::Active(active) if active.closed_because.is_none() => {
                Err(Broken::ClosedOwner { team: team.into(), task: task.id.clone() })
            }
            TaskState::Offered(_) if !self.in_break(owner) => {
                Err(Broken::OfferedToClosed { team: team.into(), task: task.id.clone() })
            }
            _ => Ok(()),
        }
    }

    fn check_load(&self, team: TeamIndex, name: &str) -> Result<(), Broken> {
        let load = self.board.load(team);
        let holds = |task: &&Task| task.paused.is_none() && task.state.team().is_some_and(|id| id.as_str() == name);
        let tasks = || load.tasks.keys().filter_map(|arrival| self.task_of(*arrival)).filter(holds);
        let coming = || load.passing.keys().filter_map(|arrival| self.seat_kept_at(*arrival, name));
        let counted = u32::try_from(tasks().count() + coming().count()).unwrap_or(u32::MAX);
        let minutes = tasks().map(Task::remaining_minutes).chain(coming()).fold(0, u32::saturating_add);
        if (counted, minutes) == (load.used, load.used_minutes) {
            return Ok(());
        }
        Err(Broken::Load { team: name.into(), counted, used: load.used, minutes, used_minutes: load.used_minutes })
    }

    /// The effort for which a team keeps a seat, when it is to have the task next.
    fn seat_kept_at(&self, arrival: crate::engine::task::Arrival, team: &str) -> Option<u32> {
        let TaskState::Active(active) = &self.task_of(arrival)?.state else { return None };
        let passing = active.handoff.passing.as_ref().filter(|passing| passing.to.as_str() == team)?;
        Some(passing.effort_minutes)
    }

    /// The queue and the census are what the tasks make them.
    fn check_queue(&self) -> Result<(), Broken> {
        let (mut queue, mut census, mut sla) = (Queue::default(), Census::default(), SlaCensus::default());
        for entry in self.tasks.values() {
            census.add(&entry.task);
            sla.add(&entry.task);
            match entry.key {
                Some(key) if entry.awaits.is_empty() => queue.insert(entry.class, &entry.task.client, key),
                Some(key) => queue.insert_awaiting(&entry.awaits, entry.class, &entry.task.client, key),
                None => {}
            }
        }
        if !self.queue.is_like(&queue) {
            return Err(Broken::Differs("queue"));
        }
        if census != self.census || sla != self.sla {
            return Err(Broken::Differs("census"));
        }
        Ok(())
    }
}
