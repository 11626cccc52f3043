//! The clocks of tasks: their segments turn whenever a task or its hours change, and they are told of when time passes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Entry, Said, Scheduler};
use crate::engine::board::Board;
use crate::engine::calendar::Timeline;
use crate::engine::class::{ClassId, Classes};
use crate::engine::effect::{Effect, EscalationReason, WithdrawReason};
use crate::engine::roster::{Basis, EscalationAction, Roster};
use crate::engine::routing::{self, Outcome};
use crate::engine::sla::{self, Clock, Escalated, Hours, MovedDue, SegmentEnd, SlaNotice, StoppedClock, Turn, Turned};
use crate::engine::task::{Arrival, Task, TaskState, TurnDown, TurnDownCause, Waiting};
use crate::engine::timer::{Timer, Timers};

/// What is to be told of a clock behind what turned it.
#[derive(Debug, Clone)]
pub(super) enum Told {
    Moved(MovedDue),
    Stopped(Box<StoppedClock>),
}

impl Scheduler {
    /// Brings the clocks of a task that is in no index to what holds now, behind a change of the task or of its class.
    pub(super) fn turn_clocks(&mut self, arrival: Arrival, class_before: ClassId) {
        let Some(entry) = self.tasks.get_mut(&arrival) else { return };
        let teams_changed = (entry.class != class_before).then_some(SegmentEnd::TeamsChanged);
        let has_none = entry.task.clocks.is_empty() && entry.task.deadline.is_none();
        if has_none || teams_changed.is_none() && !sla::is_to_turn(&entry.task) {
            return;
        }
        let was = (&*self.board.roster, &self.board.classes, class_before);
        let turned = turn(entry, &self.board, was, teams_changed, self.now);
        self.take_turned(arrival, turned);
    }

    /// Hours or classes are other ones than those `before`, if any: what was counted until now stands, and the new ones
    /// count from now on.
    pub(super) fn turn_hours(&mut self, before: Option<(&Roster, &Classes)>, was_in: &BTreeMap<Arrival, ClassId>) {
        for (arrival, class) in was_in {
            self.unindex(*arrival);
            if let Some(entry) = self.tasks.get_mut(arrival) {
                let clocks_before = entry.task.clocks.clone();
                let (roster, classes) = before.unwrap_or((&self.board.roster, &self.board.classes));
                let turned =
                    turn(entry, &self.board, (roster, classes, *class), Some(SegmentEnd::HoursChanged), self.now);
                if entry.task.clocks != clocks_before {
                    self.take_turned(*arrival, turned);
                }
            }
            self.index(*arrival);
        }
    }

    /// The tasks with clocks that count hours, and their classes.
    pub(super) fn counted_by_hours(&self) -> BTreeMap<Arrival, ClassId> {
        let counts = |clock: &Clock| clock.is_running() && clock.rule.basis != Basis::Wall;
        let entries = self.tasks.values().filter(|entry| entry.task.clocks.iter().any(counts));
        entries.map(|entry| (entry.task.arrival, entry.class)).collect()
    }

    /// At a start: what ran until now was counted by the roster `before`, when that is another one; the rules of zones may
    /// be others in any case.
    pub(super) fn go_on_counting(&mut self, before: Option<Arc<Roster>>) {
        let mut was_in = self.counted_by_hours();
        let Some(before) = before else { return self.turn_hours(None, &was_in) };
        let mut board = Board::new(self.overrides.view(&before, self.now), self.board.conflicts.clone(), self.now);
        for (arrival, class) in &mut was_in {
            let Some(task) = self.tasks.get(arrival).map(|entry| &entry.task) else { continue };
            let roster = &board.roster;
            // A client that the roster before lacks has no class there, and nothing was covered for it.
            *class = ClassId(u32::MAX);
            if let Some(client) = roster.clients.get(&task.client) {
                *class = board.classes.join(roster, &board.walls, client, &task.matter, &task.needs, self.now);
            }
        }
        self.keep_work(&board.roster);
        self.turn_hours(Some((&board.roster, &board.classes)), &was_in);
    }

    fn take_turned(&mut self, arrival: Arrival, turned: Turned) {
        self.out.changed.insert(arrival);
        self.out.segments.extend(turned.segments);
        let moved = turned.moved.into_iter().map(Told::Moved);
        let stopped = turned.stopped.into_iter().map(|it| Told::Stopped(Box::new(it)));
        let told: Vec<_> = moved.chain(stopped).collect();
        if !told.is_empty() {
            self.to_tell.entry(arrival).or_default().extend(told);
        }
    }

    /// Tells of what turned in the clocks of a task: each move from where it was told last, and nothing of moves of a clock
    /// that stopped.
    pub(super) fn tell_clocks(&mut self, arrival: Arrival) {
        let Some(own) = self.to_tell.remove(&arrival) else { return };
        let (mut moves, mut stops): (Vec<MovedDue>, Vec<Box<StoppedClock>>) = (Vec::new(), Vec::new());
        for told in own {
            match told {
                Told::Stopped(stopped) => stops.push(stopped),
                Told::Moved(moved) => match moves.iter_mut().find(|it| it.clock == moved.clock) {
                    Some(earlier) => (earlier.to, earlier.because) = (moved.to, moved.because),
                    None => moves.push(moved),
                },
            }
        }
        moves.retain(|moved| moved.from != moved.to && !stops.iter().any(|stopped| stopped.clock == moved.clock));
        let said = self.said_of_holder(arrival);
        for moved in moves {
            self.record_one(arrival, said.clone(), Effect::MoveDue(moved));
        }
        for stopped in stops {
            self.record_one(arrival, said.clone(), Effect::StopSla(stopped));
        }
    }

    /// Tells of all clocks that turned with nothing else told of their tasks.
    pub(super) fn tell_all_clocks(&mut self) {
        while let Some((arrival, _)) = self.to_tell.first_key_value() {
            self.tell_clocks(*arrival);
        }
    }

    fn said_of_holder(&self, arrival: Arrival) -> Said {
        self.task_of(arrival).and_then(|task| task.state.team()).map_or_else(Said::default, Said::of)
    }

    /// A pause has reached its cap: the clocks run again.
    pub(super) fn cap_pause(&mut self, arrival: Arrival) {
        let now = self.now;
        if self.task_of(arrival).and_then(Task::pause_capped_at).is_none_or(|cap_at| cap_at > now) {
            return;
        }
        self.change(arrival, |task| {
            if let Some(pause) = &mut task.paused {
                pause.is_capped = true;
            }
        });
        self.tell_clocks(arrival);
    }

    /// The first clock of a task for which something was due by an instant, and when that was.
    fn due_clock(
        &self,
        arrival: Arrival,
        until: DateTime<Utc>,
        due: fn(&Clock) -> Option<DateTime<Utc>>,
    ) -> Option<(usize, DateTime<Utc>)> {
        let clocks = self.task_of(arrival)?.clocks.iter().enumerate();
        let reached = clocks.filter_map(|(position, clock)| Some((due(clock)?, position)));
        let (reached_at, position) = reached.filter(|(reached_at, _)| *reached_at <= until).min()?;
        Some((position, reached_at))
    }

    /// Takes a step of a clock, and works out when its next ones are due.
    fn step_clock(&mut self, arrival: Arrival, position: usize, step: impl FnOnce(&mut Clock)) -> Option<Clock> {
        self.out.changed.insert(arrival);
        self.unindex(arrival);
        let entry = self.tasks.get_mut(&arrival)?;
        let client = entry.task.client.clone();
        let coverage = coverage(&entry.task, (&self.board.roster, &self.board.classes, entry.class), self.now);
        let hours = Hours { roster: &self.board.roster, client: &client, coverage };
        let stepped = entry.task.clocks.get_mut(position).map(|clock| {
            let before = clock.clone();
            step(clock);
            sla::project_steps(clock, hours);
            before
        });
        self.index(arrival);
        stepped
    }

    /// Warns of what a task's clocks have used up by now, each percentage once.
    pub(super) fn warn(&mut self, arrival: Arrival) {
        while let Some((position, reached_at)) = self.due_clock(arrival, self.now, |clock| clock.warns_at) {
            let Some(clock) = self.step_clock(arrival, position, |clock| clock.warnings += 1) else { return };
            let Some(percent) = clock.next_warning() else { return };
            let notice = self.notice(arrival, &clock, percent, reached_at);
            self.record(arrival, self.said_of_holder(arrival), Effect::WarnSla(Box::new(notice)));
        }
    }

    /// Tells of the clocks of a task whose target was used up by an instant, each once.
    pub(super) fn breach(&mut self, arrival: Arrival, until: DateTime<Utc>) {
        while let Some((position, reached_at)) = self.due_clock(arrival, until, Clock::breaches_at) {
            let breach = |clock: &mut Clock| clock.breached_at = Some(reached_at);
            let Some(clock) = self.step_clock(arrival, position, breach) else { return };
            let notice = self.notice(arrival, &clock, 100, reached_at);
            self.record(arrival, self.said_of_holder(arrival), Effect::BreachSla(Box::new(notice)));
        }
    }

    /// Tells of what a task's clocks used up before now, ahead of something that may stop them: a step that is late fires
    /// only so many timers, and none while what was sent in an outage is read.
    pub(super) fn tell_overdue(&mut self, arrival: Arrival) {
        if self.task_of(arrival).and_then(Task::next_breach_at).is_some_and(|breach_at| breach_at < self.now) {
            self.warn(arrival);
            self.breach(arrival, just_before(self.now));
        }
    }

    fn notice(&self, arrival: Arrival, clock: &Clock, percent: u8, reached_at: DateTime<Utc>) -> SlaNotice {
        let sla = self.task_of(arrival).and_then(|task| task.sla.as_ref());
        SlaNotice {
            clock: clock.rule.name.clone(),
            policy: clock.policy(sla).cloned(),
            percent,
            reached_at,
            due_at: clock.due_at,
            late_by: clock.late_by(reached_at, self.told_at()),
        }
    }

    /// Takes the escalation steps that are due of a task's clocks, each once.
    pub(super) fn escalate(&mut self, arrival: Arrival) {
        while let Some((position, reached_at)) = self.due_clock(arrival, self.now, |clock| clock.escalates_at) {
            let Some(clock) = self.step_clock(arrival, position, |clock| clock.escalations += 1) else { return };
            let Some(step) = clock.next_escalation() else { return };
            let sla = self.task_of(arrival).and_then(|task| task.sla.as_ref());
            let (action, priority, contact) = Escalated::action(&step.action);
            let escalated = Escalated {
                clock: clock.rule.name.clone(),
                policy: clock.policy(sla).cloned(),
                percent: step.at_percent,
                reached_at,
                action,
                priority,
                contact,
                late_by: clock.late_by(reached_at, self.told_at()),
            };
            self.record(
                arrival,
                self.said_of_holder(arrival),
                Effect::RaiseEscalation {
                    reason: EscalationReason::SlaStep,
                    step: Some(Box::new(escalated)),
                    unknown: Vec::new(),
                },
            );
            match &step.action {
                EscalationAction::RaisePriority(priority) => {
                    // The most urgent priority is the least.
                    if self.task_of(arrival).is_some_and(|task| *priority < task.priority) {
                        self.raise_priority(arrival, *priority);
                    }
                }
                EscalationAction::Reroute => self.reroute(arrival),
                EscalationAction::Notify(_) => {}
            }
        }
    }

    /// A waiting task is looked at again; an offer is taken back when another team can have the task now. An owner keeps it.
    fn reroute(&mut self, arrival: Arrival) {
        let Some(entry) = self.tasks.get(&arrival) else { return };
        match &entry.task.state {
            TaskState::Waiting(_) => {
                self.to_route.insert(arrival);
            }
            TaskState::Offered(offer) => {
                let mut other = entry.task.clone();
                let cause = TurnDownCause::Lapsed;
                other.turn_downs.retain(|it| it.team != offer.team);
                other.turn_downs.push(TurnDown { team: offer.team.clone(), cause, times: 1, until: None });
                other.state = TaskState::Waiting(Waiting::undecided(self.now));
                let choice = routing::decide(&self.board, &other, entry.class, self.now);
                if matches!(choice.outcome, Outcome::Offer(..)) {
                    self.withdraw(arrival, WithdrawReason::Escalated);
                    self.to_route.insert(arrival);
                }
            }
            TaskState::Active(_) | TaskState::Completed { .. } | TaskState::Cancelled { .. } => {}
        }
    }

    /// What the running clocks of a task have counted, for the next holder.
    pub(super) fn clocks_so_far(&self, arrival: Arrival) -> Vec<sla::ClockBrief> {
        let Some(entry) = self.tasks.get(&arrival) else { return Vec::new() };
        let hours = hours(&entry.task, (&self.board.roster, &self.board.classes, entry.class), self.now);
        let running = entry.task.clocks.iter().filter(|clock| clock.is_running());
        running.map(|clock| sla::ClockBrief::of(clock, hours, self.now)).collect()
    }
}

/// Sets or clears the timers of a task's clocks.
pub(super) fn each_timer(task: &Task, timers: &mut Timers, put: fn(&mut Timers, DateTime<Utc>, Timer)) {
    let arrival = task.arrival;
    if let Some(cap_at) = task.pause_capped_at() {
        put(timers, cap_at, Timer::PauseCapped(arrival));
    }
    if task.clocks.is_empty() || task.state.is_ended() {
        return;
    }
    let due = [
        (task.next_warning_at(), Timer::SlaWarns(arrival)),
        (task.next_breach_at(), Timer::SlaBreached(arrival)),
        (task.next_escalation_at(), Timer::SlaEscalates(arrival)),
    ];
    for (due_at, timer) in due {
        if let Some(due_at) = due_at {
            put(timers, due_at, timer);
        }
    }
}

/// When something of a task's clocks is due next.
pub(super) fn next_due_at(task: &Task) -> Option<DateTime<Utc>> {
    let due = [task.pause_capped_at(), task.next_warning_at(), task.next_breach_at(), task.next_escalation_at()];
    due.into_iter().flatten().min()
}

/// The last instant before one, at the resolution of clocks.
pub(super) fn just_before(at: DateTime<Utc>) -> DateTime<Utc> {
    at - TimeDelta::milliseconds(1)
}

/// A roster, its classes, and the class of a task among them.
type InClass<'a> = (&'a Roster, &'a Classes, ClassId);

fn hours<'a>(task: &'a Task, in_class: InClass<'a>, now: DateTime<Utc>) -> Hours<'a> {
    Hours { roster: in_class.0, client: &task.client, coverage: coverage(task, in_class, now) }
}

/// The coverage that a task's clocks count by, when one does.
fn coverage<'a>(task: &Task, (roster, classes, class): InClass<'a>, now: DateTime<Utc>) -> Option<&'a Timeline> {
    classes.get(class)?.counted_coverage(task, roster, now)
}

fn turn(
    entry: &mut Entry,
    board: &Board,
    before: InClass<'_>,
    because: Option<SegmentEnd>,
    now: DateTime<Utc>,
) -> Turned {
    if let Some(pause) = entry.task.paused.as_mut().filter(|pause| pause.cap_at.is_some_and(|cap_at| cap_at <= now)) {
        pause.is_capped = true;
    }
    let client = entry.task.client.clone();
    let in_force = (&*board.roster, &board.classes, entry.class);
    let turn = Turn {
        before: Hours { client: &client, coverage: coverage(&entry.task, before, now), roster: before.0 },
        after: Hours { client: &client, coverage: coverage(&entry.task, in_force, now), roster: &board.roster },
        because,
        now,
    };
    sla::turn(&mut entry.task, turn)
}
