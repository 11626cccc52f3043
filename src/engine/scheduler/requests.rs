//! Work requests: duplicates, conflicts, predecessors, admission.

use std::collections::BTreeMap;

use super::{Said, Scheduler};
use crate::engine::admission;
use crate::engine::chains::{Chains, Infeasible};
use crate::engine::class::MAX_CLASSES_IN_USE;
use crate::engine::effect::{Admission, Answer, Effect, PriorityReason};
use crate::engine::event::{EndedTask, Refusal, RefusalCode};
use crate::engine::id::TaskId;
use crate::engine::request::{RequestDigest, WorkRequest};
use crate::engine::roster::Moment;
use crate::engine::sla;
use crate::engine::task::{Arrival, Task, TaskState};

/// Most tasks that may stand before one, over all its predecessors; they are walked when a cycle is looked for.
pub const MAX_BEFORE: usize = 10_000;

/// Most tasks of a cycle that its refusal names.
const MAX_NAMED: usize = 16;

impl Scheduler {
    /// Admits a request, recognises its repeat, or refuses it.
    pub(super) fn receive_request(
        &mut self,
        request: &WorkRequest,
        ended: Option<EndedTask>,
        predecessors: &[EndedTask],
    ) {
        let id = TaskId::of(&request.client, &request.id);
        let known = self.known_digest(&id).cloned().or(ended.map(|it| it.digest));
        if let Some(digest) = known {
            self.answer_repeat(request, id, &digest);
            return;
        }
        let admitted = if self.tasks.len() >= self.limits.max_open_tasks {
            Err(Box::new(self.full()))
        } else {
            admission::admit(request, &self.board.roster, Arrival(self.next_arrival), self.now)
                .and_then(|task| self.without_cycle(task))
                .and_then(|task| self.has_room_for(&task).map(|()| task).map_err(Box::new))
        };
        match admitted {
            Ok(task) => self.take_in(task, predecessors),
            Err(refusal) => {
                self.out.answer = Some(Answer::Refused((*refusal).clone()));
                let effect = Effect::RejectRequest { id: Some(request.id.clone()), refusal: *refusal };
                self.record_aside(Some(request.client.clone()), None, None, effect);
            }
        }
    }

    fn known_digest(&self, id: &TaskId) -> Option<&RequestDigest> {
        let open = self.arrival_of(id).and_then(|arrival| self.task_of(arrival)).map(|task| &task.digest);
        open.or_else(|| self.ended.get(id).map(|ended| &ended.digest))
    }

    fn answer_repeat(&mut self, request: &WorkRequest, id: TaskId, known: &RequestDigest) {
        if *known == request.digest {
            self.out.answer = Some(Answer::Duplicate(id));
            return;
        }
        let message = format!(
            "{:?} was used before with other content; send changes as `amend`, new work under a new id",
            request.id
        );
        let refusal = Refusal::of_field(RefusalCode::Conflict, "id", message);
        self.out.answer = Some(Answer::Refused(refusal.clone()));
        let effect = Effect::ReportConflict { id: request.id.clone(), refusal };
        self.record_aside(Some(request.client.clone()), None, None, effect);
    }

    fn full(&self) -> Refusal {
        let limit = self.limits.max_open_tasks;
        let message = format!("{limit} tasks are open, which is the limit; send again when some have ended");
        Refusal::new(RefusalCode::Full, message)
    }

    /// Holds the number of requirement classes to its limit.
    pub(super) fn has_room_for(&self, task: &Task) -> Result<(), Refusal> {
        let board = &self.board;
        let Some(client) = board.roster.clients.get(&task.client) else { return Ok(()) };
        if board.classes.has_room_for(&board.walls, client, &task.matter, &task.needs) {
            return Ok(());
        }
        let message = format!(
            "open tasks have {MAX_CLASSES_IN_USE} different sets of needs, which is the limit; ask for the same skills, \
             countries and excluded teams as another open task, or send again when some have ended"
        );
        Err(Refusal::new(RefusalCode::Full, message))
    }

    fn take_in(&mut self, mut task: Task, predecessors: &[EndedTask]) {
        let (mut after, mut cancelled) = (Vec::new(), Vec::new());
        for id in std::mem::take(&mut task.after) {
            let ended = self.ended.get(&id).or_else(|| predecessors.iter().find(|it| it.id == id));
            match ended.map(|it| &*it.state) {
                Some("completed") => {}
                Some("cancelled") => cancelled.push(id),
                _ => after.push(id),
            }
        }
        (task.after, task.after_cancelled) = (after, cancelled);
        let ready = task.is_unblocked() && task.not_before.is_none_or(|at| at <= self.now);
        sla::touch(&mut task, Moment::Admitted, self.now);
        let asked = task.priority;
        task.priority = self.within_quota(&task.client, asked);
        let admission = Admission {
            id: task.request.clone(),
            matter: task.matter.clone(),
            work_type: task.needs.work_type.clone(),
            priority: asked,
            effort_minutes: task.effort_minutes,
            deadline: task.deadline,
            ready,
        };
        let (arrival, id, priority) = (task.arrival, task.id.clone(), task.priority);
        self.insert(task);
        self.out.answer = Some(Answer::Admitted(id));
        self.record(arrival, Said::default(), Effect::Admit(admission));
        if priority != asked {
            let effect = Effect::Reprioritise { priority, because: Some(PriorityReason::UrgentQuota) };
            self.record(arrival, Said::default(), effect);
        }
        // A deadline that is past is breached with the admission.
        self.breach(arrival, super::clocks::just_before(self.now));
        self.admitting = Some(arrival);
        self.apply_kept(arrival);
        self.admitting = None;
        // Clocks that start when it is ready have their due time from now on; the admission has told that it is ready.
        if ready && self.task_of(arrival).is_some_and(|task| task.is_to_be_ready(self.now)) {
            self.mark_ready(arrival, self.now);
        }
        self.mark_ready_now(arrival);
        self.tell_infeasible(arrival);
        self.route(arrival);
    }

    /// Says of a waiting task that it cannot be done in time, when that is so.
    pub(super) fn tell_infeasible(&mut self, arrival: Arrival) {
        let Some(entry) = self.tasks.get(&arrival) else { return };
        let (task, board) = (&entry.task, &self.board);
        let Some(class) = board.classes.get(entry.class).filter(|_| matches!(task.state, TaskState::Waiting(_))) else {
            return;
        };
        let chains = Chains { board, task, class, now: self.now, rule: task.needs.handoff };
        let from = task.not_before.map_or(self.now, |at| at.max(self.now));
        let Some(Infeasible { due_at, best_finish_at, best_team }) = chains.infeasible(from) else { return };
        let effect = Effect::ReportInfeasible { due_at, best_finish_at, best_team };
        self.record(arrival, Said::default(), effect);
    }

    /// Looks at the tasks that wait for a task that has ended.
    pub(super) fn end_predecessor(&mut self, id: &TaskId, completed: bool) {
        for arrival in self.dependants.get(id).cloned().unwrap_or_default() {
            self.change(arrival, |task| {
                task.after.retain(|it| it != id);
                if !completed {
                    task.after_cancelled.push(id.clone());
                }
            });
            self.route(arrival);
        }
    }

    /// Refuses the request that would close a cycle of predecessors, naming the path. Only one that some open task waits
    /// for can close one, so the tasks before it are walked for such a request alone.
    fn without_cycle(&self, task: Task) -> Result<Task, Box<Refusal>> {
        if !self.dependants.contains_key(&task.id) && !task.after.contains(&task.id) {
            return Ok(task);
        }
        let mut reached_from: BTreeMap<TaskId, TaskId> = BTreeMap::new();
        let mut to_walk = vec![task.id.clone()];
        while let Some(id) = to_walk.pop() {
            let after = if id == task.id { Some(&task) } else { self.task(&id) };
            for before in after.map_or(&[][..], |task| &task.after) {
                if *before == task.id {
                    return Err(cycle(&task.id, &id, &reached_from));
                }
                if !reached_from.contains_key(before) {
                    if reached_from.len() == MAX_BEFORE {
                        return Err(too_many_before());
                    }
                    reached_from.insert(before.clone(), id.clone());
                    to_walk.push(before.clone());
                }
            }
        }
        Ok(task)
    }
}

/// The refusal of a cycle that ends in `last`, as its path was reached.
fn cycle(first: &TaskId, last: &TaskId, reached_from: &BTreeMap<TaskId, TaskId>) -> Box<Refusal> {
    let mut names = vec![first.as_str(), last.as_str()];
    let mut id = last;
    while let Some(before) = reached_from.get(id) {
        names.push(before.as_str());
        id = before;
    }
    names.reverse();
    if names.len() > MAX_NAMED {
        names.splice(MAX_NAMED / 2..names.len() - MAX_NAMED / 2, ["..."]);
    }
    let message = format!("closes a cycle: {}; leave one of them out", names.join(" after "));
    Box::new(Refusal::of_field(RefusalCode::InvalidField, "after", message))
}

fn too_many_before() -> Box<Refusal> {
    let message = format!("more than {MAX_BEFORE} tasks come before it, which is the limit; leave some of them out");
    Box::new(Refusal::of_field(RefusalCode::InvalidField, "after", message))
}
