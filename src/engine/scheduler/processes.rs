//! Processes while the scheduler runs: taken in whole, their steps' deadlines derived, ended with their last step.
//!
//! The deadline is a promise of the process, with a clock of its own. The steps have derived deadlines, which drive their
//! routing and are worked out anew whenever a step ends, is amended or waits again, and when teams change.

use chrono::{DateTime, Utc};

use super::clocks::just_before;
use super::requests::Incoming;
use super::{Said, Scheduler};
use crate::engine::effect::{
    AdmittedStep, Answer, DerivedBecause, DerivedMove, Effect, EscalationReason, ProcessAdmission, Recorded,
};
use crate::engine::event::EndedTask;
use crate::engine::id::TaskId;
use crate::engine::planted::planted;
use crate::engine::process::{self, Expected, Process, ProcessState, Span, StepEnd, Work};
use crate::engine::sla::{Clock, ClockEnd, Outcome, SlaNotice, StoppedClock};
use crate::engine::task::{Arrival, Task, TaskState};
use crate::engine::timer::Timer;

/// When the steps of an open process are expected to be done, as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessForecast {
    /// When it was worked out.
    pub at: DateTime<Utc>,
    /// Each step in the order of the process; none has one that has ended, or is not expected within the horizon.
    pub expected: Vec<Expected>,
    /// Since when and until when each open step has its time, when the process has a deadline.
    pub latest: Vec<Option<Span>>,
    /// Positions of the steps that decide when the process is done, the first first.
    pub critical: Vec<usize>,
}

/// When it is told that a step is later than its process allows.
pub(super) fn late_at(task: &Task) -> Option<DateTime<Utc>> {
    let step = task.process.as_ref().filter(|step| !step.late_told)?;
    step.derived.filter(|_| !task.state.is_ended())
}

impl Scheduler {
    /// An open process.
    #[must_use]
    pub fn process(&self, id: &TaskId) -> Option<&Process> {
        self.processes.get(&self.arrival_of(id)?)
    }

    /// The open process of an arrival.
    #[must_use]
    pub fn process_of(&self, arrival: Arrival) -> Option<&Process> {
        self.processes.get(&arrival)
    }

    /// All open processes, in order of arrival.
    pub fn open_processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// When an open process is expected to be done, step by step.
    #[must_use]
    pub fn process_forecast(&self, id: &TaskId) -> Option<ProcessForecast> {
        let process = self.process(id)?;
        let work = self.work_of(process);
        let expected = process::expect(process, self.now, &work);
        let critical = process::critical_path(process, &expected);
        let latest = self.latest_of(process);
        Some(ProcessForecast { at: self.now, expected, latest, critical })
    }

    pub(super) fn is_process(&self, arrival: Arrival) -> bool {
        self.processes.contains_key(&arrival)
    }

    /// Takes a process in with all of its steps.
    pub(super) fn take_in_process(&mut self, new: Process, tasks: Vec<Task>, predecessors: &[EndedTask]) {
        let (arrival, id) = (new.arrival, new.id.clone());
        let steps = new.steps.iter().map(|step| step.task.clone()).collect::<Vec<_>>();
        let last = new.steps.last().map_or(arrival, |step| step.arrival);
        self.next_arrival = self.next_arrival.max(arrival.0 + 1);
        let admission = ProcessAdmission {
            id: new.request.clone(),
            matter: new.matter.clone(),
            process: new.template.clone(),
            priority: new.priority,
            deadline: new.deadline,
            steps: new.steps.iter().map(|step| admitted_step(&new, step)).collect(),
        };
        self.insert_process(new);
        let incoming: Vec<Incoming> = tasks.into_iter().map(|task| self.insert_new(task, predecessors)).collect();
        self.to_derive.remove(&arrival);
        for (step, derived) in self.derived_moves(arrival, false) {
            self.set_derived(step, derived);
        }
        self.out.answer = Some(Answer::Admitted(id.clone()));
        self.record_process(arrival, Said::default(), Effect::AdmitProcess(Box::new(admission)));
        self.breach_process(arrival, just_before(self.now));
        for step in &incoming {
            self.tell_admission(*step);
        }
        self.admitting = Some((arrival, last));
        for id in [id].iter().chain(&steps) {
            self.apply_kept(id);
        }
        self.admitting = None;
        self.derive_stale();
        for step in incoming {
            self.settle_admission(step);
        }
    }

    /// Takes a process in, new or from the store.
    pub(super) fn insert_process(&mut self, process: Process) {
        let arrival = process.arrival;
        self.by_id.insert(process.id.clone(), arrival);
        self.processes.insert(arrival, process);
        self.put_process_timers(arrival, true);
        self.to_derive.insert(arrival, DerivedBecause::TeamsChanged);
    }

    /// Sets the timers of all processes anew, and derives the deadlines of their steps before anything is routed.
    pub(super) fn renew_processes(&mut self) {
        for arrival in self.processes.keys().copied().collect::<Vec<_>>() {
            self.put_process_timers(arrival, true);
            self.to_derive.entry(arrival).or_insert(DerivedBecause::TeamsChanged);
        }
    }

    fn put_process_timers(&mut self, arrival: Arrival, set: bool) {
        let Some(clock) = self.processes.get(&arrival).and_then(|process| process.clock.as_ref()) else { return };
        let due = [(clock.warns_at, Timer::SlaWarns(arrival)), (clock.breaches_at(), Timer::SlaBreached(arrival))];
        for (due_at, timer) in due {
            match due_at {
                Some(due_at) if set => self.timers.set(due_at, timer),
                Some(due_at) => self.timers.clear(due_at, timer),
                None => {}
            }
        }
    }

    /// The only way to change a process.
    pub(super) fn change_process(&mut self, arrival: Arrival, change: impl FnOnce(&mut Process)) {
        self.out.processes_changed.insert(arrival);
        self.put_process_timers(arrival, false);
        if let Some(process) = self.processes.get_mut(&arrival) {
            change(process);
        }
        self.put_process_timers(arrival, true);
    }

    /// Records an effect on an open process.
    pub(super) fn record_process(&mut self, arrival: Arrival, said: Said, effect: Effect) {
        let (at, claimed_at) = (self.told_at(), self.claimed_at());
        let Some(process) = self.processes.get_mut(&arrival) else { return };
        process.task_seq += 1;
        self.out.processes_changed.insert(arrival);
        self.out.recorded.push(Recorded {
            at,
            claimed_at,
            task: Some((process.id.clone(), process.task_seq)),
            client: Some(process.client.clone()),
            matter: None,
            team: None,
            addressed: None,
            held: None,
            update: None,
            order: said.order,
            decision: None,
            effect,
        });
    }

    /// Derives the deadlines of the process of a step anew before anything is routed.
    pub(super) fn derive_later(&mut self, step: Arrival, because: DerivedBecause) {
        if let Some(process) = self.task_of(step).and_then(|task| task.process.as_ref()) {
            let process = process.process_arrival;
            self.to_derive.entry(process).or_insert(because);
        }
    }

    /// Derives what is to be derived anew, and tells of what moved; what was sent in an outage is read first.
    pub(super) fn derive_stale(&mut self) {
        if self.drains() {
            return;
        }
        while let Some((process, because)) = self.to_derive.pop_first() {
            self.derive(process, because);
        }
    }

    fn derive(&mut self, process: Arrival, because: DerivedBecause) {
        for (step, to) in self.derived_moves(process, because == DerivedBecause::DeadlineAmended) {
            let from = self.task_of(step).and_then(Task::derived_deadline);
            self.set_derived(step, to);
            let said = self.changed(step);
            self.record(step, said, Effect::MoveDerived(DerivedMove { from, to, because }));
            self.tell_infeasible(step);
            self.to_route.insert(step);
        }
    }

    /// The steps whose derived deadline is another one now: those that no team has, or all that are open.
    fn derived_moves(&self, arrival: Arrival, of_all: bool) -> Vec<(Arrival, Option<DateTime<Utc>>)> {
        let Some(process) = self.processes.get(&arrival) else { return Vec::new() };
        let latest = self.latest_of(process);
        let moves = process.steps.iter().zip(latest).filter_map(|(step, latest)| {
            let task = self.task_of(step.arrival)?;
            let derived = latest.map(|span| span.finish_at);
            let is_free = of_all || matches!(task.state, TaskState::Waiting(_));
            (is_free && task.derived_deadline() != derived).then_some((step.arrival, derived))
        });
        moves.collect()
    }

    fn set_derived(&mut self, step: Arrival, derived: Option<DateTime<Utc>>) {
        let now = self.now;
        self.change(step, |task| {
            if let Some(step) = &mut task.process {
                step.derived = derived;
                // What is late by the new one too is not told again.
                step.late_told &= derived.is_some_and(|at| at <= now);
            }
        });
    }

    /// Since when and until when each open step of a process has its time.
    pub(super) fn latest_of(&self, process: &Process) -> Vec<Option<Span>> {
        let Some(deadline) = process.deadline else { return vec![None; process.steps.len()] };
        process::latest(process, deadline, &self.work_of(process))
    }

    /// What is left of the open steps of a process, by position.
    fn work_of(&self, process: &Process) -> Vec<Option<Work<'_>>> {
        let roster = &self.board.roster;
        let work = process.steps.iter().map(|step| {
            let entry = self.tasks.get(&step.arrival)?;
            let class = self.board.classes.get(entry.class);
            let team = entry.task.state.team().and_then(|team| roster.team_index(team));
            Some(Work {
                remaining_minutes: entry.task.remaining_minutes(),
                coverage: class.and_then(|class| class.coverage(roster, self.now)),
                holder: team.map(|team| &*roster.team(team).calendar),
                not_before: entry.task.not_before,
            })
        });
        work.collect()
    }

    /// Tells on-call staff that a step is later than its process allows.
    pub(super) fn tell_step_late(&mut self, arrival: Arrival) {
        if self.task_of(arrival).and_then(late_at).is_none_or(|at| at > self.now) {
            return;
        }
        self.change(arrival, |task| {
            if let Some(step) = &mut task.process {
                step.late_told = true;
            }
        });
        let said = self.task_of(arrival).and_then(|task| task.state.team()).map_or_else(Said::default, Said::of);
        let effect = Effect::RaiseEscalation { reason: EscalationReason::StepLate, step: None, unknown: Vec::new() };
        self.record(arrival, said, effect);
    }

    /// Notes in its process that a step has ended; its task is still there.
    pub(super) fn end_step(&mut self, process: Arrival, step: Arrival) {
        let now = self.now;
        let Some(task) = self.task_of(step) else { return };
        let completed_by = match &task.state {
            TaskState::Completed { team, .. } => Some(team.clone()),
            TaskState::Waiting(_) | TaskState::Offered(_) | TaskState::Active(_) | TaskState::Cancelled { .. } => None,
        };
        self.change_process(process, |process| {
            if let Some(row) = process.steps.iter_mut().find(|row| row.arrival == step) {
                row.ended = Some(StepEnd { at: now, completed_by });
            }
        });
        self.to_derive.entry(process).or_insert(DerivedBecause::StepEnded);
    }

    /// Ends a process whose steps have all ended, unless it is just being called off.
    pub(super) fn end_process_when_done(&mut self, arrival: Arrival) {
        let is_done = |process: &&Process| process.open_steps() == 0 || planted("process-ends-with-its-first-step");
        let Some(process) = self.processes.get(&arrival).filter(is_done) else { return };
        if self.calling_off == Some(arrival) {
            return;
        }
        let (completed, cancelled) = (process.completed_steps(), process.cancelled_steps());
        // What was sent in an outage may come in another order than it happened in.
        let at = process.last_end_at().map_or(self.now, |last| last.max(self.now));
        self.tell_overdue_process(arrival, at);
        if completed > 0 {
            self.record_process(arrival, Said::default(), Effect::CompleteProcess { completed, cancelled });
            self.end_process(arrival, ProcessState::Completed { at });
        } else {
            let reason = "every step was cancelled";
            self.record_process(arrival, Said::default(), Effect::CancelProcess { reason: reason.into() });
            self.end_process(arrival, ProcessState::Cancelled { at, reason: reason.into() });
        }
    }

    /// Takes a process out whose end was told, and lets go on what waits for it.
    pub(super) fn end_process(&mut self, arrival: Arrival, state: ProcessState) {
        let is_completed = matches!(state, ProcessState::Completed { .. });
        let ended_at = state.ended_at().unwrap_or(self.now);
        self.change_process(arrival, |process| {
            process.state = state;
            if let Some(clock) = &mut process.clock {
                clock.stop_alone(ended_at);
            }
        });
        if let Some(clock) = self.processes.get(&arrival).and_then(|process| process.clock.as_ref()) {
            let outcome = match (clock.breached_at, is_completed) {
                (Some(_), _) => Outcome::Breached,
                (None, true) => Outcome::Met,
                (None, false) => Outcome::Cancelled,
            };
            let stopped = StoppedClock::of(clock, None, ClockEnd { outcome, stopped_at: ended_at });
            self.record_process(arrival, Said::default(), Effect::StopSla(Box::new(stopped)));
        }
        self.to_derive.remove(&arrival);
        let Some(process) = self.processes.remove(&arrival) else { return };
        self.by_id.remove(&process.id);
        let (id, digest, state) = (process.id.clone(), process.digest.clone(), process.state.as_str().into());
        self.ended.remember(id.clone(), EndedTask { id: id.clone(), digest, state, team: None });
        self.out.processes_ended.push(process);
        self.end_predecessor(&id, is_completed);
    }

    /// Warns of what the deadline's clock of a process had used up by an instant.
    pub(super) fn warn_process(&mut self, arrival: Arrival, until: DateTime<Utc>) {
        while let Some(reached_at) = self.clock_due(arrival, |clock| clock.warns_at).filter(|at| *at <= until) {
            let Some(percent) = self.clock_of(arrival).and_then(Clock::next_warning) else { return };
            self.change_process(arrival, |process| {
                if let Some(clock) = &mut process.clock {
                    clock.warnings += 1;
                    clock.project_alone();
                }
            });
            if let Some(notice) = self.process_notice(arrival, percent, reached_at) {
                self.record_process(arrival, Said::default(), Effect::WarnSla(Box::new(notice)));
            }
        }
    }

    /// Tells of the deadline of a process when it was passed by an instant.
    pub(super) fn breach_process(&mut self, arrival: Arrival, until: DateTime<Utc>) {
        let Some(reached_at) = self.clock_due(arrival, Clock::breaches_at).filter(|at| *at <= until) else { return };
        self.change_process(arrival, |process| {
            if let Some(clock) = &mut process.clock {
                clock.breached_at = Some(reached_at);
                clock.project_alone();
            }
        });
        if let Some(notice) = self.process_notice(arrival, 100, reached_at) {
            self.record_process(arrival, Said::default(), Effect::BreachSla(Box::new(notice)));
        }
    }

    /// Tells of what its deadline used up before an instant, ahead of what stops it then.
    pub(super) fn tell_overdue_process(&mut self, arrival: Arrival, at: DateTime<Utc>) {
        if self.clock_due(arrival, Clock::breaches_at).is_some_and(|breach_at| breach_at < at) {
            self.warn_process(arrival, just_before(at));
            self.breach_process(arrival, just_before(at));
        }
    }

    fn clock_of(&self, arrival: Arrival) -> Option<&Clock> {
        self.processes.get(&arrival)?.clock.as_ref()
    }

    fn clock_due(&self, arrival: Arrival, due: impl Fn(&Clock) -> Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        due(self.clock_of(arrival)?)
    }

    fn process_notice(&self, arrival: Arrival, percent: u8, reached_at: DateTime<Utc>) -> Option<SlaNotice> {
        let clock = self.clock_of(arrival)?;
        Some(SlaNotice {
            clock: clock.rule.name.clone(),
            policy: None,
            percent,
            reached_at,
            due_at: clock.due_at,
            late_by: clock.late_by(reached_at, self.told_at()),
        })
    }
}

fn admitted_step(process: &Process, step: &process::ProcessStep) -> AdmittedStep {
    AdmittedStep {
        step: step.id.clone(),
        task: step.task.clone(),
        work_type: step.work_type.clone(),
        effort_minutes: step.effort_minutes,
        after: process.names_before(step),
    }
}
