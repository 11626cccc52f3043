//! What a firm changes of its task: holds, the priority, and the request itself.

use super::{Said, Scheduler};
use crate::engine::admission::{self, MAX_EFFORT_MINUTES};
use crate::engine::effect::{DerivedBecause, Effect, PriorityReason, WithdrawReason};
use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::request::Priority;
use crate::engine::task::{Arrival, Task, TaskState, Waiting};
use crate::engine::update::{Amendment, Sender, Update};

impl Scheduler {
    /// The firm holds the task: it is not offered; an owner keeps it.
    pub(super) fn hold(&mut self, arrival: Arrival, update: &Update) {
        self.withdraw(arrival, WithdrawReason::Held);
        self.drop_plan(arrival, WithdrawReason::Held);
        self.change(arrival, |task| task.held = true);
        self.record(arrival, Said::default().ordered_by(update), Effect::Hold { held: true });
        self.route_if_waiting(arrival);
        self.decide_handoff(arrival);
    }

    pub(super) fn unhold(&mut self, arrival: Arrival, update: &Update) {
        self.change(arrival, |task| task.held = false);
        self.record(arrival, Said::default().ordered_by(update), Effect::Hold { held: false });
        self.route_if_waiting(arrival);
        self.decide_handoff(arrival);
    }

    /// The firm or an operator changes the priority; what a firm asks for counts towards its urgent quota.
    pub(super) fn ask_for_priority(&mut self, arrival: Arrival, asked: Priority, update: &Update) {
        let Some(task) = self.task_of(arrival) else { return };
        let counts = matches!(update.sender, Sender::Client(_)) && task.priority != Priority::Urgent;
        let client = task.client.clone();
        let priority = if counts { self.within_quota(&client, asked) } else { asked };
        let because = (priority != asked).then_some(PriorityReason::UrgentQuota);
        let said = self.changed(arrival).ordered_by(update);
        self.set_priority(arrival, said, priority, because);
    }

    /// A step of a clock raises the priority.
    pub(super) fn raise_priority(&mut self, arrival: Arrival, priority: Priority) {
        self.set_priority(arrival, self.changed(arrival), priority, Some(PriorityReason::Escalation));
    }

    fn set_priority(&mut self, arrival: Arrival, said: Said, priority: Priority, because: Option<PriorityReason>) {
        self.change(arrival, |task| {
            task.keep_terms();
            task.priority = priority;
        });
        self.record(arrival, said, Effect::Reprioritise { priority, because });
        // Not at once: when the step is late, not every team is known yet to have closed.
        self.to_route.insert(arrival);
    }

    pub(super) fn amend(&mut self, arrival: Arrival, amendment: &Amendment, update: &Update) -> Result<(), Refusal> {
        admission::effort_within(amendment.effort_minutes).map_err(|refusal| *refusal)?;
        self.tell_overdue(arrival);
        self.keeps_derived_deadline(arrival, amendment)?;
        for team in amendment.excluded_teams.iter().flatten() {
            if self.board.roster.team_index(team).is_none() {
                let message = format!("{team:?} is not a team of the roster; leave it out");
                return Err(Refusal::of_field(RefusalCode::UnknownTeam, "excluded_teams", message));
            }
        }
        self.has_room_for_amended(arrival, amendment)?;
        self.change(arrival, |task| amend_task(task, amendment));
        self.rejoin_class(arrival);
        let said = self.changed(arrival).ordered_by(update);
        self.record(arrival, said, Effect::Amend(Box::new(amendment.clone())));
        self.amend_step(arrival);
        self.check_standing(arrival, WithdrawReason::Amended);
        if self.task_of(arrival).is_some_and(|task| task.not_before.is_some_and(|at| at > self.now)) {
            self.withdraw(arrival, WithdrawReason::Amended);
        }
        // What is stored of its wait is the answer to another request now.
        self.change(arrival, |task| {
            if let TaskState::Waiting(waiting) = &mut task.state {
                *waiting = Waiting::undecided(waiting.since);
            }
        });
        self.tell_infeasible(arrival);
        self.route_if_waiting(arrival);
        Ok(())
    }

    fn has_room_for_amended(&self, arrival: Arrival, amendment: &Amendment) -> Result<(), Refusal> {
        let Some(mut amended) = self.task_of(arrival).cloned() else { return Ok(()) };
        amend_task(&mut amended, amendment);
        self.has_room_for(&[amended])
    }

    /// Works out the class of a task whose needs or walls changed.
    pub(super) fn rejoin_class(&mut self, arrival: Arrival) {
        let Some(task) = self.task_of(arrival).cloned() else { return };
        let class = self.join_class(&task);
        let Some(before) = self.tasks.get(&arrival).map(|entry| entry.class) else { return };
        self.move_class(arrival, class);
        self.board.classes.leave(before);
        self.derive_later(arrival, DerivedBecause::TeamsChanged);
    }
}

pub(super) fn amend_task(task: &mut Task, amendment: &Amendment) {
    let Amendment {
        deadline,
        effort_minutes,
        consent,
        allowed_countries,
        denied_countries,
        excluded_teams,
        not_before,
    } = amendment.clone();
    task.keep_terms();
    task.deadline = deadline.or(task.deadline);
    task.not_before = not_before.or(task.not_before);
    if let Some(effort_minutes) = effort_minutes {
        amend_effort(task, effort_minutes);
    }
    let needs = &mut task.needs;
    needs.consent = consent.or(needs.consent.take());
    for (new, old) in
        [(allowed_countries, &mut needs.allowed_countries), (denied_countries, &mut needs.denied_countries)]
    {
        if let Some(mut places) = new {
            places.sort();
            places.dedup();
            *old = places;
        }
    }
    if let Some(mut teams) = excluded_teams {
        teams.sort();
        teams.dedup();
        needs.excluded_teams = teams;
    }
}

/// What is left changes by as much as the whole does.
fn amend_effort(task: &mut Task, effort_minutes: u32) {
    let before = std::mem::replace(&mut task.effort_minutes, effort_minutes);
    let left = match (&mut task.state, task.holders.last_mut()) {
        (TaskState::Active(active), _) => &mut active.remaining_minutes,
        (_, Some(holder)) => &mut holder.remaining_minutes,
        (_, None) => return,
    };
    *left = left.saturating_add(effort_minutes).saturating_sub(before).min(MAX_EFFORT_MINUTES);
}
