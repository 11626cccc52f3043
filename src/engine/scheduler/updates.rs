//! Updates of teams, firms and operators: who may, whether the move is legal, and what it does.

use chrono::TimeDelta;

use super::permission::{
    current_assignment, illegal, may_know, may_send, not_open, party, remaining_within, unknown_task,
};
use super::{Said, Scheduler};
use crate::engine::effect::{Answer, Effect, HandoffRefusal, WithdrawReason, WorkMessage};
use crate::engine::event::{EndedTask, Refusal, RefusalCode, UpdateResult};
use crate::engine::handoff::KeepReason;
use crate::engine::id::{RequestId, TeamId, Term};
use crate::engine::planted::planted;
use crate::engine::roster::{Moment, Party};
use crate::engine::task::{Active, Arrival, ClosedBecause, Notes, Pause, Task, TaskState, TurnDownCause};
use crate::engine::update::{Change, DeclineReason, Sender, Update, UpdateDigest};

impl Scheduler {
    /// Applies an update, answers its repeat, or refuses it. An id that came before with other content is refused, and
    /// the answer to its first content stands.
    pub(super) fn receive_update(
        &mut self,
        update: Update,
        digest: UpdateDigest,
        ended: Option<EndedTask>,
        earlier: Option<UpdateResult>,
    ) {
        let key = (update.sender.clone(), update.id.clone());
        if let Some(result) = self.answered.get(&key).cloned().or(earlier).filter(|_| !planted("repeat-done-again")) {
            let is_repeat = result.digest.is_none_or(|first| first == digest);
            if !is_repeat {
                let refusal = reused_id(&update);
                self.reject_update(&update, refusal.clone());
                self.out.answer = Some(Answer::Refused(refusal));
                return;
            }
            self.out.answer = Some(result.refused.map_or(Answer::Applied, Answer::Refused));
            return;
        }
        let digest = Some(digest);
        let ended = self.ended.get(&update.task).cloned().or(ended);
        let is_unknown = ended.is_none() && self.arrival_of(&update.task).is_none();
        if is_unknown && self.keep_early(&update) {
            self.answered.remember(key, UpdateResult { digest, refused: None });
            return;
        }
        let refused = self.apply(&update, ended.as_ref()).err();
        self.answered.remember(key, UpdateResult { digest, refused: refused.clone() });
        self.out.answer = Some(refused.clone().map_or(Answer::Applied, Answer::Refused));
        if let Some(refusal) = refused {
            self.reject_update(&update, refusal);
        }
    }

    pub(super) fn reject_update(&mut self, update: &Update, refusal: Refusal) {
        let effect = Effect::RejectUpdate { id: Some(update.id.clone()), refusal };
        match &update.sender {
            Sender::Team(team) => {
                let team = self.board.roster.team_index(team).map(|_| team.clone());
                let addressed = team.as_ref().map(|_| WorkMessage::UpdateResult);
                self.record_aside(None, team, addressed, effect);
            }
            Sender::Client(client) => self.record_aside(Some(client.clone()), None, None, effect),
            Sender::Operator(_) => self.record_aside(None, None, None, effect),
        }
    }

    fn apply(&mut self, update: &Update, ended: Option<&EndedTask>) -> Result<(), Refusal> {
        let Some(arrival) = self.arrival_of(&update.task) else {
            return Err(not_open(update, ended));
        };
        if self.is_process(arrival) {
            return self.update_process(arrival, update);
        }
        let Some(task) = self.task_of(arrival) else { return Err(unknown_task(update)) };
        may_know(update, task)?;
        may_send(update)?;
        if let (Sender::Team(team), Change::Complete { assignment, note }) = (&update.sender, &update.change)
            && self.completes_late(task, team, *assignment)
        {
            self.complete_late(arrival, team, *assignment, note.clone(), &update.id);
            return Ok(());
        }
        if let (Sender::Team(team), Change::Complete { assignment, note }) = (&update.sender, &update.change)
            && self.completes_too_late(task, team, *assignment)
        {
            self.attach_completion(arrival, team, *assignment, note.clone(), &update.id);
            return Ok(());
        }
        if let (Sender::Team(team), Change::Accept { assignment }) = (&update.sender, &update.change)
            && let Some(cleared) = self.accepts_late(task, team, *assignment)
        {
            self.accept_late(arrival, team, *assignment, &update.id, &cleared);
            return Ok(());
        }
        current_assignment(update, task)?;
        self.make_move(arrival, update)?;
        if self.task_of(arrival).is_some_and(|task| is_word_of_holder(update, task)) {
            self.hear(arrival);
        }
        Ok(())
    }

    /// The answer of the team that is to have an owned task next.
    fn answer_pass(&mut self, arrival: Arrival, update: &Update) -> Result<(), Refusal> {
        let id = Some(update.id.clone());
        match &update.change {
            Change::Accept { .. } => self.pass_on(arrival, id),
            Change::Decline { reason, note, .. } => {
                self.refuse_pass(arrival, HandoffRefusal::Declined { reason: *reason, note: note.clone() }, id);
            }
            change => {
                let message = format!("{} does not apply to a task that is offered; accept it first", change.kind());
                return Err(Refusal::of_field(RefusalCode::IllegalMove, "kind", message));
            }
        }
        Ok(())
    }

    /// The holder before this one has completed it after all: that ends the ownership of this one.
    fn complete_late(
        &mut self,
        arrival: Arrival,
        team: &TeamId,
        assignment: u32,
        note: Option<String>,
        update: &RequestId,
    ) {
        self.tell_overdue(arrival);
        let now = self.now;
        let Some(TaskState::Active(holder)) = self.task_of(arrival).map(|task| task.state.clone()) else { return };
        self.drop_plan(arrival, WithdrawReason::Recalled);
        self.end_part(arrival, |task| {
            crate::engine::sla::touch(task, Moment::Completed, now);
            task.state = TaskState::Completed { at: now, team: team.clone() };
        });
        let said = Said { update: Some(update.clone()), ..Said::to(team, WorkMessage::UpdateResult) };
        self.record(arrival, said, Effect::Complete { assignment, note });
        let ended = Effect::EndLate { assignment: holder.assignment };
        self.record(arrival, Said::to(&holder.team, WorkMessage::Ended), ended);
        self.end(arrival, true);
    }

    /// The legal moves: a task's state, what the update says, and what comes of it.
    pub(super) fn make_move(&mut self, arrival: Arrival, update: &Update) -> Result<(), Refusal> {
        use Change as C;
        use TaskState as S;
        let Some(state) = self.task_of(arrival).map(|task| task.state.clone()) else {
            return Err(unknown_task(update));
        };
        if let (Sender::Team(team), Some(offer)) = (&update.sender, self.task_of(arrival).and_then(Task::handoff_offer))
            && offer.team == *team
        {
            return self.answer_pass(arrival, update);
        }
        let id = Some(update.id.clone());
        match (&state, &update.change) {
            (S::Offered(_), C::Accept { .. }) => self.accept(arrival, id),
            (S::Offered(offer), C::Decline { reason, note, .. }) => {
                self.decline(arrival, &offer.team, offer.assignment, *reason, note.clone(), id);
            }
            (S::Active(active), C::Progress { remaining_minutes, note, .. }) => {
                remaining_within(Some(*remaining_minutes))?;
                self.progress(arrival, active, *remaining_minutes, note.clone(), id);
            }
            (S::Offered(_), C::Pause { .. }) if party(&update.sender) == Party::Team => {
                return Err(illegal(update, &state));
            }
            (S::Active(_) | S::Offered(_) | S::Waiting(_), C::Pause { reason, .. }) => {
                return self.pause(arrival, reason, update);
            }
            (S::Active(_) | S::Offered(_) | S::Waiting(_), C::Resume { .. }) => return self.resume(arrival, update),
            (S::Active(_), C::Handoff { notes, done, next_step, remaining_minutes, .. }) => {
                remaining_within(*remaining_minutes)?;
                let said = Notes { notes: notes.clone(), done: done.clone(), next_step: next_step.clone() };
                self.hand_on(arrival, said, *remaining_minutes, update.id.clone());
            }
            (S::Active(active), C::Release { reason, .. }) => {
                self.give_back(arrival, active, reason, id);
            }
            (S::Active(active), C::Keep { reason, .. }) => {
                let said = Said { update: id, ..Said::to(&active.team, WorkMessage::UpdateResult) };
                self.change_active(arrival, |active| active.handoff.answered = false);
                self.keep_on(arrival, KeepReason::Asked, None, Some((said, reason.clone())));
                // One that is retired or not vetted any more cannot keep it.
                self.decide_handoff(arrival);
            }
            (S::Active(active), C::Complete { note, .. }) => self.complete(arrival, active, note.clone(), id),
            (S::Offered(offer), C::Recall) => self.recall_offer(arrival, offer, update),
            (S::Active(active), C::Recall) => self.recall_owned(arrival, active, update),
            (S::Waiting(_) | S::Offered(_), C::OfferTo { to, set_aside }) => {
                return self.offer_to(arrival, to, set_aside, update);
            }
            (S::Waiting(_) | S::Offered(_) | S::Active(_), C::Cancel { reason }) => {
                self.cancel(arrival, reason, update)
            }
            (S::Waiting(_) | S::Offered(_) | S::Active(_), C::Hold) => self.hold(arrival, update),
            (S::Waiting(_) | S::Offered(_) | S::Active(_), C::Unhold) => self.unhold(arrival, update),
            (S::Waiting(_) | S::Offered(_) | S::Active(_), C::Reprioritise { priority }) => {
                self.ask_for_priority(arrival, *priority, update);
            }
            (S::Waiting(_) | S::Offered(_) | S::Active(_), C::Amend(amendment)) => {
                return self.amend(arrival, amendment, update);
            }
            (S::Active(_), C::OfferTo { .. }) => {
                let message = "a team owns the task; recall it first, and then have it offered";
                return Err(Refusal::of_field(RefusalCode::IllegalMove, "kind", message));
            }
            (S::Waiting(_), C::Recall)
            | (S::Active(_) | S::Waiting(_), C::Accept { .. } | C::Decline { .. })
            | (
                S::Waiting(_) | S::Offered(_),
                C::Progress { .. } | C::Handoff { .. } | C::Release { .. } | C::Keep { .. } | C::Complete { .. },
            )
            | (
                S::Completed { .. } | S::Cancelled { .. },
                C::Accept { .. }
                | C::Decline { .. }
                | C::Progress { .. }
                | C::Pause { .. }
                | C::Resume { .. }
                | C::Handoff { .. }
                | C::Keep { .. }
                | C::Release { .. }
                | C::Complete { .. }
                | C::Recall
                | C::OfferTo { .. }
                | C::Cancel { .. }
                | C::Hold
                | C::Unhold
                | C::Reprioritise { .. }
                | C::Amend(_),
            ) => return Err(illegal(update, &state)),
        }
        Ok(())
    }

    fn decline(
        &mut self,
        arrival: Arrival,
        team: &TeamId,
        assignment: u32,
        reason: DeclineReason,
        note: Option<String>,
        update: Option<RequestId>,
    ) {
        self.turn_down(arrival, team, TurnDownCause::Declined(reason));
        self.vacate(arrival);
        let said = Said { update, ..Said::to(team, WorkMessage::UpdateResult) };
        self.record(arrival, said, Effect::Decline { assignment, reason, note });
        if reason == DeclineReason::Conflict && !planted("conflict-without-wall") {
            self.raise_conflict(arrival, team);
        }
        self.route(arrival);
    }

    fn progress(
        &mut self,
        arrival: Arrival,
        active: &Active,
        remaining_minutes: u32,
        note: Option<String>,
        update: Option<RequestId>,
    ) {
        self.report_left(arrival, remaining_minutes);
        let said = Said { update, ..Said::to(&active.team, WorkMessage::UpdateResult) };
        let effect = Effect::Progress { assignment: active.assignment, remaining_minutes, note };
        self.record(arrival, said, effect);
        // What is left now may end before the close, or fit into the grace.
        self.decide_handoff(arrival);
    }

    fn pause(&mut self, arrival: Arrival, reason: &Term, update: &Update) -> Result<(), Refusal> {
        let party = party(&update.sender);
        let rule = self.board.roster.pauses.get(reason).ok_or_else(|| {
            let known: Vec<_> = self.board.roster.pauses.keys().map(Term::as_str).collect();
            let message = format!("{reason:?} is not a pause reason of the roster; it has {}", known.join(", "));
            Refusal::of_field(RefusalCode::InvalidField, "reason", message)
        })?;
        if !rule.set_by.contains(&party) {
            let message = format!("{reason:?} may not be set by a {party:?}; the roster lets {:?}", rule.set_by);
            return Err(Refusal::of_field(RefusalCode::NotAllowed, "reason", message.to_lowercase()));
        }
        let Some(task) = self.task_of(arrival) else { return Err(unknown_task(update)) };
        if task.paused.is_some() {
            return Err(Refusal::new(RefusalCode::IllegalMove, "the task is paused already; resume it first"));
        }
        let cap = rule.cap_minutes.map(|minutes| TimeDelta::minutes(i64::from(minutes)));
        let cap_at = cap.filter(|_| !planted("pause-has-no-cap")).and_then(|cap| self.now.checked_add_signed(cap));
        let (now, was_offered) = (self.now, matches!(task.state, TaskState::Offered(_)));
        if was_offered {
            self.withdraw(arrival, WithdrawReason::Paused);
        }
        self.drop_plan(arrival, WithdrawReason::Paused);
        self.count_work(arrival);
        self.change(arrival, |task| {
            if let TaskState::Active(active) = &mut task.state
                && active.closed_because.is_some()
            {
                active.closed_because = Some(ClosedBecause::Paused);
            }
            task.paused = Some(Pause { reason: reason.clone(), from: now, cap_at, is_capped: false });
        });
        self.tell_owner(arrival, update, Effect::Pause { reason: reason.clone() });
        self.route_if_waiting(arrival);
        Ok(())
    }

    fn resume(&mut self, arrival: Arrival, update: &Update) -> Result<(), Refusal> {
        let Some(task) = self.task_of(arrival) else { return Err(unknown_task(update)) };
        let behind_cancelled = !task.after_cancelled.is_empty();
        let party = party(&update.sender);
        match &task.paused {
            Some(pause) => {
                let may = self.board.roster.pauses.get(&pause.reason).is_none_or(|rule| rule.end_by.contains(&party));
                if !may {
                    let message = format!("a pause for {:?} may not be ended by the {party:?}", pause.reason);
                    return Err(Refusal::new(RefusalCode::NotAllowed, message.to_lowercase()));
                }
            }
            None if behind_cancelled && party != Party::Team => {}
            None => return Err(Refusal::new(RefusalCode::IllegalMove, "the task is not paused")),
        }
        let behind_cancelled = behind_cancelled && task.paused.is_none();
        self.count_work(arrival);
        self.change(arrival, |task| {
            task.paused = None;
            if let TaskState::Active(active) = &mut task.state
                && active.closed_because == Some(ClosedBecause::Paused)
            {
                active.closed_because = Some(ClosedBecause::Kept);
            }
            if behind_cancelled {
                task.after_cancelled.clear();
            }
        });
        self.tell_owner(arrival, update, Effect::Resume {});
        self.route_if_waiting(arrival);
        self.decide_handoff(arrival);
        Ok(())
    }

    /// The holder gives the task back, with what it knows for the next holder.
    fn give_back(&mut self, arrival: Arrival, active: &Active, reason: &str, update: Option<RequestId>) {
        self.drop_plan(arrival, WithdrawReason::Recalled);
        self.end_holding(arrival);
        self.turn_down(arrival, &active.team, TurnDownCause::Released);
        let said = Said { update, ..Said::to(&active.team, WorkMessage::Ended) };
        self.record(arrival, said, Effect::Release { assignment: active.assignment, reason: reason.into() });
        self.route(arrival);
    }

    fn complete(&mut self, arrival: Arrival, active: &Active, note: Option<String>, update: Option<RequestId>) {
        self.tell_overdue(arrival);
        let now = self.now;
        self.drop_plan(arrival, WithdrawReason::Recalled);
        self.remember_holder(&active.team, arrival);
        self.end_part(arrival, |task| {
            if let Some(part) = task.holders.last_mut() {
                part.remaining_minutes = 0;
            }
            crate::engine::sla::touch(task, Moment::Completed, now);
            task.state = TaskState::Completed { at: now, team: active.team.clone() };
        });
        let said = Said { update, ..Said::to(&active.team, WorkMessage::Ended) };
        self.record(arrival, said, Effect::Complete { assignment: active.assignment, note });
        self.end(arrival, true);
    }

    pub(super) fn cancel(&mut self, arrival: Arrival, reason: &str, update: &Update) {
        self.tell_overdue(arrival);
        let now = self.now;
        let Some(task) = self.task_of(arrival) else { return };
        let said = match task.assignment() {
            Some((team, _)) => Said::to(team, WorkMessage::Ended),
            None => Said::default(),
        };
        self.drop_plan(arrival, WithdrawReason::Cancelled);
        self.end_part(arrival, |task| {
            task.state = TaskState::Cancelled { at: now, reason: reason.into() };
        });
        self.record(arrival, said.ordered_by(update), Effect::Cancel { reason: reason.into() });
        self.end(arrival, false);
    }

    fn end(&mut self, arrival: Arrival, completed: bool) {
        let Some(task) = self.task_of(arrival) else { return };
        let (id, step) = (task.id.clone(), task.process.as_ref().map(|step| step.process_arrival));
        if let Some(process) = step {
            self.end_step(process, arrival);
        }
        self.retire(arrival);
        self.end_predecessor(&id, completed);
        if let Some(process) = step {
            self.end_process_when_done(process);
        }
    }

    pub(super) fn changed(&self, arrival: Arrival) -> Said {
        match self.task_of(arrival).and_then(Task::assignment) {
            Some((team, _)) => Said::to(team, WorkMessage::Changed),
            None => Said::default(),
        }
    }

    /// Tells the owner of a change, as the answer to its update when it sent it.
    fn tell_owner(&mut self, arrival: Arrival, update: &Update, effect: Effect) {
        let mut said = self.changed(arrival);
        if let Sender::Team(team) = &update.sender {
            said = Said { update: Some(update.id.clone()), ..Said::to(team, WorkMessage::UpdateResult) };
        }
        self.record(arrival, said.ordered_by(update), effect);
    }

    pub(super) fn route_if_waiting(&mut self, arrival: Arrival) {
        if self.task_of(arrival).is_some_and(|task| matches!(task.state, TaskState::Waiting(_))) {
            self.route(arrival);
        }
    }
}

/// Whether an update is a word of the team that holds the task; its accept says nothing of the work yet.
fn is_word_of_holder(update: &Update, task: &Task) -> bool {
    let TaskState::Active(active) = &task.state else { return false };
    let is_accept = matches!(update.change, Change::Accept { .. });
    !is_accept && matches!(&update.sender, Sender::Team(team) if *team == active.team)
}

fn reused_id(update: &Update) -> Refusal {
    let message = format!("{:?} came before with other content; give each update an id of its own", update.id);
    Refusal::of_field(RefusalCode::Conflict, "id", message)
}
