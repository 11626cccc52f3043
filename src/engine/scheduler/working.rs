//! What holders work: counted by their hours, told in the packet, and charged to the client in the end.

use std::sync::Arc;

use super::{Said, Scheduler};
use crate::engine::calendar::Calendar;
use crate::engine::effect::Effect;
use crate::engine::roster::Roster;
use crate::engine::task::{Active, Arrival, Holder, MAX_PACKET_HOLDERS, Task, TaskState};

impl Scheduler {
    /// The holder says how much is left.
    pub(super) fn report_left(&mut self, arrival: Arrival, remaining_minutes: u32) {
        let now = self.now;
        self.change_work(arrival, |active, hours, is_paused| active.report(remaining_minutes, hours, is_paused, now));
    }

    /// Counts what the holder has worked until now, since a pause begins or ends.
    pub(super) fn count_work(&mut self, arrival: Arrival) {
        let now = self.now;
        self.change_work(arrival, |active, hours, is_paused| active.count_work(hours, is_paused, now));
    }

    /// The holder is heard of.
    pub(super) fn hear(&mut self, arrival: Arrival) {
        let now = self.now;
        if matches!(self.task_of(arrival).map(|task| &task.state), Some(TaskState::Active(it)) if it.is_heard(now)) {
            return;
        }
        self.change_work(arrival, |active, hours, is_paused| active.hear(hours, is_paused, now));
    }

    /// The holder has said nothing for long: that is told once.
    pub(super) fn tell_stalled(&mut self, arrival: Arrival) {
        let Some(task) = self.task_of(arrival) else { return };
        let TaskState::Active(active) = &task.state else { return };
        let Some(hours) = hours_of(&self.board.roster, active) else { return };
        if active.stalls_at(hours, task.paused.is_some()).is_none_or(|at| at > self.now) {
            return;
        }
        let silent_ms = active.worked_ms(hours, false, self.now).saturating_sub(active.silence.heard_ms);
        let team = active.team.clone();
        let effect = Effect::ReportStalled {
            assignment: active.assignment,
            silent_minutes: silent_ms / 60_000,
            remaining_minutes: active.remaining_minutes,
        };
        let now = self.now;
        self.change_active(arrival, |active| active.silence.told_at = Some(now));
        self.record(arrival, Said::of(&team), effect);
    }

    /// The part of the holder ends with a change of the task: it is kept with it.
    pub(super) fn end_part(&mut self, arrival: Arrival, change: impl FnOnce(&mut Task)) {
        let part = self.task_of(arrival).and_then(|task| self.part_until_now(task));
        self.change(arrival, |task| {
            part.into_iter().for_each(|part| task.add_holder(part));
            change(task);
        });
    }

    /// What a team is told of earlier holders; the holder of now is the last of them.
    pub(super) fn packet(&self, task: &Task) -> Vec<Holder> {
        let mut packet = task.packet().to_vec();
        packet.extend(self.part_until_now(task));
        packet.iter_mut().for_each(|part| part.cost_cents = 0);
        packet.drain(..packet.len().saturating_sub(MAX_PACKET_HOLDERS));
        packet
    }

    /// Other hours are in force: what was worked until now is counted by those before.
    pub(super) fn keep_work(&mut self, before: &Roster) {
        let counts_on = |task: &Task| {
            let TaskState::Active(active) = &task.state else { return None };
            let hours = hours_of(before, active).filter(|_| task.paused.is_none())?;
            let is_same = hours_of(&self.board.roster, active).is_some_and(|after| Arc::ptr_eq(after, hours));
            (!is_same).then(|| (task.arrival, Arc::clone(hours)))
        };
        let counted: Vec<_> = self.tasks.values().filter_map(|entry| counts_on(&entry.task)).collect();
        let now = self.now;
        for (arrival, hours) in counted {
            self.change_active(arrival, |active| active.count_work(&hours, false, now));
        }
    }

    fn part_until_now(&self, task: &Task) -> Option<Holder> {
        let TaskState::Active(active) = &task.state else { return None };
        let roster = &self.board.roster;
        let team = roster.team(roster.team_index(&active.team)?);
        Some(active.ended_part(team, task.paused.is_some(), self.now))
    }

    fn change_work(&mut self, arrival: Arrival, change: impl FnOnce(&mut Active, &Calendar, bool)) {
        let Some(task) = self.task_of(arrival) else { return };
        let TaskState::Active(active) = &task.state else { return };
        let Some(hours) = hours_of(&self.board.roster, active).cloned() else { return };
        let is_paused = task.paused.is_some();
        self.change_active(arrival, |active| change(active, &hours, is_paused));
    }
}

fn hours_of<'a>(roster: &'a Roster, active: &Active) -> Option<&'a Arc<Calendar>> {
    roster.team_index(&active.team).map(|team| &roster.team(team).calendar)
}
