//! Work requests: duplicates, conflicts, predecessors, admission.

use std::collections::BTreeMap;

use super::{Said, Scheduler};
use crate::engine::admission;
use crate::engine::chains::{Chains, Infeasible};
use crate::engine::class::MAX_CLASSES_IN_USE;
use crate::engine::effect::{Admission, Answer, Effect, PriorityReason};
use crate::engine::event::{EndedTask, Refusal, RefusalCode};
use crate::engine::id::TaskId;
use crate::engine::process::{Planned, plan};
use crate::engine::request::{Priority, RequestDigest, WorkRequest};
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
        let arrival = Arrival(self.next_arrival);
        let room = self.has_room_to_open(1).map_err(Box::new);
        let taken_in = if request.is_process() {
            room.and_then(|()| plan(request, &self.board.roster, arrival, self.now)).and_then(
                |Planned { process, tasks }| {
                    self.has_room_to_open(tasks.len())?;
                    self.without_cycle(&process.id, &tasks, &request.after)?;
                    self.has_room_for(&tasks)?;
                    self.take_in_process(process, tasks, predecessors);
                    Ok(())
                },
            )
        } else {
            room.and_then(|()| admission::admit(request, &self.board.roster, arrival, self.now)).and_then(|task| {
                self.without_cycle(&task.id, &[], &task.after)?;
                self.has_room_for(std::slice::from_ref(&task))?;
                self.take_in(task, predecessors);
                Ok(())
            })
        };
        if let Err(refusal) = taken_in {
            self.out.answer = Some(Answer::Refused((*refusal).clone()));
            let effect = Effect::RejectRequest { id: Some(request.id.clone()), refusal: *refusal };
            self.record_aside(Some(request.client.clone()), None, None, effect);
        }
    }

    fn known_digest(&self, id: &TaskId) -> Option<&RequestDigest> {
        let arrival = self.arrival_of(id);
        let open = arrival.and_then(|arrival| self.task_of(arrival)).map(|task| &task.digest);
        let process = || self.processes.get(&arrival?).map(|process| &process.digest);
        open.or_else(process).or_else(|| self.ended.get(id).map(|ended| &ended.digest))
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

    /// Holds the number of open tasks to its limit.
    fn has_room_to_open(&self, tasks: usize) -> Result<(), Refusal> {
        let (open, limit) = (self.tasks.len(), self.limits.max_open_tasks);
        if open + tasks <= limit {
            return Ok(());
        }
        let message = if tasks == 1 {
            format!("{limit} tasks are open, which is the limit; send again when some have ended")
        } else {
            format!(
                "{open} tasks are open and it has {tasks} steps, and {limit} are the limit; send again when some have ended"
            )
        };
        Err(Refusal::new(RefusalCode::Full, message))
    }

    /// Holds the number of requirement classes to its limit, for tasks of one matter.
    pub(super) fn has_room_for(&self, tasks: &[Task]) -> Result<(), Refusal> {
        let board = &self.board;
        let Some(task) = tasks.first() else { return Ok(()) };
        let Some(client) = board.roster.clients.get(&task.client) else { return Ok(()) };
        if board.classes.has_room_for(&board.walls, client, &task.matter, tasks.iter().map(|task| &task.needs)) {
            return Ok(());
        }
        let message = format!(
            "open tasks have {MAX_CLASSES_IN_USE} different sets of needs, which is the limit; ask for the same skills, \
             countries and excluded teams as another open task, or send again when some have ended"
        );
        Err(Refusal::new(RefusalCode::Full, message))
    }

    fn take_in(&mut self, task: Task, predecessors: &[EndedTask]) {
        let (id, arrival) = (task.id.clone(), task.arrival);
        let incoming = self.insert_new(task, predecessors);
        self.out.answer = Some(Answer::Admitted(id.clone()));
        self.tell_admission(incoming);
        self.admitting = Some((arrival, arrival));
        self.apply_kept(&id);
        self.admitting = None;
        self.settle_admission(incoming);
    }

    /// Takes a new task in, without a word; what it waits for and has ended is in its way no more.
    pub(super) fn insert_new(&mut self, mut task: Task, predecessors: &[EndedTask]) -> Incoming {
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
        let (arrival, asked) = (task.arrival, task.priority);
        task.priority = self.within_quota(&task.client, asked);
        self.insert(task);
        Incoming { arrival, asked, ready }
    }

    /// Says that a new task is there.
    pub(super) fn tell_admission(&mut self, Incoming { arrival, asked, ready }: Incoming) {
        let Some(task) = self.task_of(arrival) else { return };
        let priority = task.priority;
        let admission = Admission {
            id: task.request.clone(),
            matter: task.matter.clone(),
            work_type: task.needs.work_type.clone(),
            priority: asked,
            effort_minutes: task.effort_minutes,
            deadline: task.deadline,
            ready,
            process: task.process.as_ref().map(|step| step.process.clone()),
            derived_deadline: task.derived_deadline(),
        };
        self.record(arrival, Said::default(), Effect::Admit(admission));
        if priority != asked {
            let effect = Effect::Reprioritise { priority, because: Some(PriorityReason::UrgentQuota) };
            self.record(arrival, Said::default(), effect);
        }
        // A deadline that is past is breached with the admission.
        self.breach(arrival, super::clocks::just_before(self.now));
    }

    /// Routes a new task, once what was kept for it is applied.
    pub(super) fn settle_admission(&mut self, Incoming { arrival, ready, .. }: Incoming) {
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
        // What a step can do is known when those before it have ended.
        if task.process.is_some() && !task.is_unblocked() {
            return;
        }
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
            if self.task_of(arrival).is_some_and(|task| task.process.is_some() && task.is_unblocked()) {
                self.mark_ready_now(arrival);
                self.tell_infeasible(arrival);
            }
            self.route(arrival);
        }
    }

    /// Refuses the request that would close a cycle of predecessors, naming the path. Only one that some open task waits
    /// for, as a whole or for a step of it, can close one, so the tasks before it are walked for such a request alone.
    fn without_cycle(&self, new: &TaskId, steps: &[Task], after: &[TaskId]) -> Result<(), Box<Refusal>> {
        let is_own = |id: &TaskId| id == new || steps.iter().any(|step| step.id == *id);
        let is_waited_for = steps.iter().map(|step| &step.id).chain([new]).any(|id| self.dependants.contains_key(id));
        if !is_waited_for && !after.iter().any(is_own) {
            return Ok(());
        }
        let mut reached_from: BTreeMap<TaskId, TaskId> = BTreeMap::new();
        let mut to_walk = vec![new.clone()];
        while let Some(id) = to_walk.pop() {
            for before in if id == *new { after.to_vec() } else { self.waited_for(&id) } {
                if is_own(&before) {
                    return Err(cycle(&before, &id, &reached_from));
                }
                if !reached_from.contains_key(&before) {
                    if reached_from.len() == MAX_BEFORE {
                        return Err(too_many_before());
                    }
                    reached_from.insert(before.clone(), id.clone());
                    to_walk.push(before);
                }
            }
        }
        Ok(())
    }

    /// What an open task waits for; a process waits for what its steps wait for beside each other.
    fn waited_for(&self, id: &TaskId) -> Vec<TaskId> {
        let Some(arrival) = self.arrival_of(id) else { return Vec::new() };
        let Some(process) = self.processes.get(&arrival) else {
            return self.task_of(arrival).map(|task| task.after.clone()).unwrap_or_default();
        };
        let tasks = process.steps.iter().filter_map(|step| self.task_of(step.arrival));
        let after = tasks.flat_map(|task| &task.after).filter(|id| process.steps.iter().all(|step| step.task != **id));
        after.cloned().collect()
    }
}

/// A new task that is not told of yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Incoming {
    pub(super) arrival: Arrival,
    /// The priority that was asked for.
    asked: Priority,
    /// Whether nothing has to come first.
    ready: bool,
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
