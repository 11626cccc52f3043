//! Updates of a whole process: what a firm or an operator says of it goes for all of its open steps.

use super::amending::amend_task;
use super::permission::{may_send, unknown_task};
use super::{Said, Scheduler};
use crate::engine::effect::{DerivedBecause, Effect};
use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::process::{Process, ProcessState};
use crate::engine::request::Priority;
use crate::engine::sla::{Clock, MovedDue, SegmentEnd};
use crate::engine::task::Arrival;
use crate::engine::update::{Amendment, Change, Sender, Update};

impl Scheduler {
    /// Applies an update of a process, or refuses it.
    pub(super) fn update_process(&mut self, arrival: Arrival, update: &Update) -> Result<(), Refusal> {
        let Some(process) = self.process_of(arrival) else { return Err(unknown_task(update)) };
        let knows = match &update.sender {
            Sender::Team(_) => false,
            Sender::Client(client) => *client == process.client,
            Sender::Operator(_) => true,
        };
        if !knows {
            return Err(unknown_task(update));
        }
        may_send(update)?;
        self.move_process(arrival, update)
    }

    /// What comes of an update of a process by somebody who may send it.
    pub(super) fn move_process(&mut self, arrival: Arrival, update: &Update) -> Result<(), Refusal> {
        match &update.change {
            Change::Cancel { reason } => self.call_off(arrival, reason, update),
            Change::Reprioritise { priority } => self.reprioritise_process(arrival, *priority, update),
            Change::Amend(amendment) => return self.amend_process(arrival, amendment, update),
            Change::Hold => self.for_each_open_step(arrival, |scheduler, step| scheduler.hold(step, update)),
            Change::Unhold => self.for_each_open_step(arrival, |scheduler, step| scheduler.unhold(step, update)),
            Change::Accept { .. }
            | Change::Decline { .. }
            | Change::Progress { .. }
            | Change::Pause { .. }
            | Change::Resume { .. }
            | Change::Handoff { .. }
            | Change::Keep { .. }
            | Change::Release { .. }
            | Change::Complete { .. }
            | Change::Recall
            | Change::OfferTo { .. } => return Err(self.of_a_step(arrival, update)),
        }
        Ok(())
    }

    /// The refusal of what can be said of a single step only.
    fn of_a_step(&self, arrival: Arrival, update: &Update) -> Refusal {
        let step = self.process_of(arrival).and_then(first_open_step).unwrap_or_default();
        let kind = update.change.kind();
        let message =
            format!("{kind} is said of one step and {} is a process; name the step, such as {step}", update.task);
        Refusal::of_field(RefusalCode::IllegalMove, "task", message)
    }

    fn open_steps(&self, arrival: Arrival) -> Vec<Arrival> {
        let Some(process) = self.process_of(arrival) else { return Vec::new() };
        process.steps.iter().filter(|step| step.ended.is_none()).map(|step| step.arrival).collect()
    }

    fn for_each_open_step(&mut self, arrival: Arrival, mut each: impl FnMut(&mut Self, Arrival)) {
        for step in self.open_steps(arrival) {
            each(self, step);
        }
    }

    /// Cancels the open steps, those that wait for others first, and then the process.
    fn call_off(&mut self, arrival: Arrival, reason: &str, update: &Update) {
        self.tell_overdue_process(arrival, self.now);
        self.calling_off = Some(arrival);
        for step in self.open_steps(arrival).into_iter().rev() {
            self.cancel(step, reason, update);
        }
        self.calling_off = None;
        let said = Said::default().ordered_by(update);
        self.record_process(arrival, said, Effect::CancelProcess { reason: reason.into() });
        self.end_process(arrival, ProcessState::Cancelled { at: self.now, reason: reason.into() });
    }

    fn reprioritise_process(&mut self, arrival: Arrival, priority: Priority, update: &Update) {
        self.change_process(arrival, |process| process.priority = priority);
        let effect = Effect::AmendProcess { deadline: None, priority: Some(priority) };
        self.record_process(arrival, Said::default().ordered_by(update), effect);
        self.for_each_open_step(arrival, |scheduler, step| scheduler.ask_for_priority(step, priority, update));
    }

    /// The deadline is the process's; consent, countries and excluded teams go for each open step.
    fn amend_process(&mut self, arrival: Arrival, amendment: &Amendment, update: &Update) -> Result<(), Refusal> {
        let of_steps =
            [("effort_minutes", amendment.effort_minutes.is_some()), ("not_before", amendment.not_before.is_some())];
        if let Some((field, _)) = of_steps.iter().find(|(_, is_given)| *is_given) {
            let step = self.process_of(arrival).and_then(first_open_step).unwrap_or_default();
            let message = format!("is amended step by step in a process; name the step, such as {step}");
            return Err(Refusal::of_field(RefusalCode::InvalidField, *field, message));
        }
        let for_steps = Amendment { deadline: None, ..amendment.clone() };
        let steps = self.open_steps(arrival);
        if for_steps != Amendment::default() {
            let amended = steps.iter().filter_map(|step| self.task_of(*step).cloned()).map(|mut task| {
                amend_task(&mut task, &for_steps);
                task
            });
            self.has_room_for(&amended.collect::<Vec<_>>())?;
            for step in &steps {
                self.amend(*step, &for_steps, update)?;
            }
        }
        if let Some(deadline) = amendment.deadline {
            self.amend_deadline(arrival, deadline, update);
        }
        Ok(())
    }

    fn amend_deadline(&mut self, arrival: Arrival, deadline: chrono::DateTime<chrono::Utc>, update: &Update) {
        let now = self.now;
        self.tell_overdue_process(arrival, now);
        let before = self.process_of(arrival).and_then(|process| process.deadline);
        self.change_process(arrival, |process| {
            process.deadline = Some(deadline);
            match &mut process.clock {
                Some(clock) if before != Some(deadline) => clock.amend_alone(deadline, now),
                Some(_) => {}
                None => process.clock = Some(Clock::running_to(deadline, now)),
            }
        });
        let effect = Effect::AmendProcess { deadline: Some(deadline), priority: None };
        self.record_process(arrival, Said::default().ordered_by(update), effect);
        if let Some(clock) = self.process_of(arrival).and_then(|process| process.clock.as_ref())
            && before.is_some_and(|before| before != deadline)
        {
            let clock = clock.rule.name.clone();
            let moved = MovedDue { clock, from: before, to: Some(deadline), because: SegmentEnd::Amended };
            self.record_process(arrival, Said::default(), Effect::MoveDue(moved));
        }
        self.to_derive.insert(arrival, DerivedBecause::DeadlineAmended);
        if self.admitting.is_none() {
            self.derive_stale();
        }
    }

    /// A step has no deadline of its own to amend.
    pub(super) fn keeps_derived_deadline(&self, arrival: Arrival, amendment: &Amendment) -> Result<(), Refusal> {
        let step = self.task_of(arrival).and_then(|task| task.process.as_ref());
        match step.filter(|_| amendment.deadline.is_some()) {
            None => Ok(()),
            Some(step) => {
                let message = format!("is derived from that of the process; amend the deadline of {}", step.process);
                Err(Refusal::of_field(RefusalCode::InvalidField, "deadline", message))
            }
        }
    }

    /// A step was amended: its process has its effort, and deadlines are derived from that.
    pub(super) fn amend_step(&mut self, arrival: Arrival) {
        let Some(task) = self.task_of(arrival) else { return };
        let Some(process) = task.process.as_ref().map(|step| step.process_arrival) else { return };
        let effort_minutes = task.effort_minutes;
        self.change_process(process, |process| {
            if let Some(step) = process.steps.iter_mut().find(|step| step.arrival == arrival) {
                step.effort_minutes = effort_minutes;
            }
        });
        self.to_derive.insert(process, DerivedBecause::StepAmended);
        if self.admitting.is_none() {
            self.derive_stale();
        }
    }
}

fn first_open_step(process: &Process) -> Option<String> {
    process.steps.iter().find(|step| step.ended.is_none()).map(|step| step.task.to_string())
}
