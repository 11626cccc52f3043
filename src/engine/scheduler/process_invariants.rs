//! What must hold of processes between two steps.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::invariants::Broken;
use super::{Scheduler, processes};
use crate::engine::forecast;
use crate::engine::process::{Process, ProcessStep};
use crate::engine::task::{Task, TaskState};
use crate::engine::timer::Timer;

impl Scheduler {
    pub(super) fn check_processes(&self) -> Result<(), Broken> {
        for (arrival, process) in &self.processes {
            let broken = |what| Broken::Process { process: process.id.clone(), what };
            if self.by_id.get(&process.id) != Some(arrival) {
                return Err(broken("is not found by its id"));
            }
            if process.open_steps() == 0 {
                return Err(broken("is open and has no open step"));
            }
            for step in &process.steps {
                if self.task_of(step.arrival).is_some() != step.ended.is_none() {
                    return Err(broken("says of a step that it is open and it has ended, or the other way round"));
                }
            }
            if let Some(clock) = &process.clock {
                let due =
                    [(clock.warns_at, Timer::SlaWarns(*arrival)), (clock.breaches_at(), Timer::SlaBreached(*arrival))];
                if due.into_iter().any(|(at, timer)| at.is_some_and(|at| !self.timers.contains(at, timer))) {
                    return Err(broken("has no timer for its deadline"));
                }
            }
            // One that was just restored is derived by the first step.
            if !self.to_derive.contains_key(arrival) && !self.is_derived(process) {
                return Err(broken("has a step whose derived deadline is another one"));
            }
        }
        Ok(())
    }

    /// What a step's task says of its process is true, and its lateness will be told.
    pub(super) fn check_step(&self, task: &Task) -> Result<(), &'static str> {
        let Some(step) = &task.process else { return Ok(()) };
        let process = self.processes.get(&step.process_arrival);
        if !process.is_some_and(|process| process.steps.iter().any(|row| row.task == task.id && row.id == step.step)) {
            return Err("steps of open processes");
        }
        if processes::late_at(task).is_some_and(|at| !self.timers.contains(at, Timer::StepLate(task.arrival))) {
            return Err("timer of a late step");
        }
        Ok(())
    }

    fn is_derived(&self, process: &Process) -> bool {
        let mut known = BTreeMap::new();
        process.steps.iter().filter_map(|step| Some((step, self.task_of(step.arrival)?))).all(|(step, task)| {
            !matches!(task.state, TaskState::Waiting(_))
                || task.derived_deadline() == self.naive_finish(process, step, &mut known)
        })
    }

    /// By the rule as it is written: the least latest start of the steps that wait for it, and without one the deadline.
    fn naive_finish<'a>(
        &self,
        process: &'a Process,
        step: &'a ProcessStep,
        known: &mut BTreeMap<&'a str, Option<DateTime<Utc>>>,
    ) -> Option<DateTime<Utc>> {
        if let Some(finish) = known.get(step.id.as_str()) {
            return *finish;
        }
        let mut finish = process.deadline;
        for next in process.steps.iter().filter(|next| process.names_before(next).contains(&step.id)) {
            let Some(entry) = self.tasks.get(&next.arrival) else { continue };
            let Some(next_finish) = self.naive_finish(process, next, known) else { continue };
            let class = self.board.classes.get(entry.class);
            let coverage = class.and_then(|class| class.coverage(&self.board.roster, self.now));
            let start = forecast::latest_start_at(next_finish, entry.task.remaining_minutes(), coverage);
            finish = finish.map(|finish| finish.min(start));
        }
        known.insert(step.id.as_str(), finish);
        finish
    }
}
