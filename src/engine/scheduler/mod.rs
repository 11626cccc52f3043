//! The one door into the engine.
//!
//! [`Scheduler::step`] takes what happened and says what is to be done about it. Time only goes forward; timers fire
//! when [`Scheduler::next_deadline`] has passed and a step says so. A task is in exactly one state, and every index
//! beside the tasks is derived from them: [`Scheduler::check_invariants`] works them out anew and compares.

mod amending;
mod clocks;
mod filling;
mod index;
mod invariants;
mod kept;
mod operating;
mod outage;
mod overriding;
mod passing;
mod permission;
mod placing;
mod predecessors;
mod process_invariants;
mod process_updates;
mod processes;
mod queries;
mod requests;
mod roster_change;
mod sharing;
mod timers;
mod updates;
mod walling;
mod working;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::board::Board;
use super::class::ClassId;
use super::effect::{Answer, DerivedBecause, Effect, Effects, Recorded, WorkMessage};
use super::event::{EndedTask, Event, UpdateResult};
use super::fairness::{Mark, Marks};
use super::id::{ClientId, MatterId, RequestId, TaskId, TeamId};
use super::load::Held;
use super::overrides::Overrides;
use super::process::Process;
use super::queue::{Queue, WaitKey};
use super::recent::Recent;
use super::roster::{Roster, TeamIndex};
use super::sla::SlaCensus;
use super::task::{Arrival, Task};
use super::timer::Timers;
use super::update::{KeptUpdate, Order, Sender, Update};
use super::walls::Walls;

use clocks::Told;
use outage::Outage;

pub use index::Census;
pub use invariants::Broken;
pub use kept::{KEPT_FOR, MAX_KEPT, MAX_KEPT_BY_CLIENT};
pub use predecessors::UNKNOWN_FOR;
pub use processes::ProcessForecast;
pub use queries::Preview;
pub use requests::MAX_BEFORE;
pub use roster_change::{Missing, missing_in};

/// How many timers one step fires; the rest fire in the next.
pub const MAX_TIMERS_PER_STEP: usize = 1_000;

/// How many ended tasks and answered updates are remembered, for what arrives before the store can tell.
pub const REMEMBERED: usize = 65_536;

/// Limits that the settings give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most open tasks; a request past it is refused as `full`.
    pub max_open_tasks: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_open_tasks: 2_000_000 }
    }
}

/// An open task and its place in the indexes.
#[derive(Debug, Clone)]
struct Entry {
    task: Task,
    class: ClassId,
    key: Option<WaitKey>,
    /// The teams that it waits for because they finish better, as the task names them.
    awaits: Vec<TeamIndex>,
}

/// Why a team's waiting tasks are looked at.
#[derive(Debug, Default, Clone, Copy)]
struct Fill {
    /// It has just opened: what waited for that and did not get in looks for another team.
    opened: bool,
    /// A task that it owned uses its seat no more, or less of its effort.
    owner_freed: bool,
}

/// What a store hands back at a start.
#[derive(Debug, Default)]
pub struct Restored {
    /// Open tasks.
    pub open: Vec<Task>,
    /// Open processes.
    pub processes: Vec<Process>,
    /// Tasks that ended last, for affinity.
    pub ended: Vec<Task>,
    /// Walls that teams raised.
    pub conflicts: Vec<(TeamId, ClientId, MatterId)>,
    /// Walls of the roster that was in force; those that another roster adds are told of.
    pub walls: Walls,
    /// Updates that came before their request.
    pub kept: Vec<KeptUpdate>,
    /// Overrides, with those that ended not long ago.
    pub overrides: Overrides,
    /// What the waiting order remembers.
    pub marks: BTreeMap<Mark, u64>,
    /// The next arrival number.
    pub next_arrival: u64,
    /// The roster that was in force until now, when it is another one: what clocks counted was counted by it.
    pub roster_before: Option<Arc<Roster>>,
    /// The last instant before the time in which nothing ran; `None` is a first start. What was sent since is read before
    /// anything else is decided, until [`Event::OutageEnded`].
    pub outage_since: Option<DateTime<Utc>>,
}

/// All open tasks, the board they are routed on, and what time will bring.
#[derive(Debug, Clone)]
pub struct Scheduler {
    now: DateTime<Utc>,
    /// The last instant up to which everything has fired that was due.
    fired_until: DateTime<Utc>,
    limits: Limits,
    /// The roster in force, without overrides; the board has the view with them.
    base: Arc<Roster>,
    overrides: Overrides,
    /// When one of them begins or ends next.
    overrides_turn_at: Option<DateTime<Utc>>,
    board: Board,
    tasks: BTreeMap<Arrival, Entry>,
    /// Open tasks and processes by their ids.
    by_id: HashMap<TaskId, Arrival>,
    processes: BTreeMap<Arrival, Process>,
    /// Processes whose steps have their deadlines derived anew before anything is routed.
    to_derive: BTreeMap<Arrival, DerivedBecause>,
    /// The process that is being called off: it ends when all of its steps have.
    calling_off: Option<Arrival>,
    by_matter: HashMap<(ClientId, MatterId), BTreeSet<Arrival>>,
    next_arrival: u64,
    queue: Queue,
    timers: Timers,
    census: Census,
    sla: SlaCensus,
    /// Waiting tasks by the predecessor that they wait for.
    dependants: BTreeMap<TaskId, BTreeSet<Arrival>>,
    ended: Recent<TaskId, EndedTask>,
    answered: Recent<(Sender, RequestId), UpdateResult>,
    /// Updates that came before their request, by a number that rises.
    kept: BTreeMap<u64, KeptUpdate>,
    kept_by_task: BTreeMap<TaskId, BTreeSet<u64>>,
    kept_by_client: BTreeMap<ClientId, usize>,
    next_kept: u64,
    /// The tasks that are being admitted, the first and the last: they are routed once, when what was kept for them is
    /// applied.
    admitting: Option<(Arrival, Arrival)>,
    /// Teams whose waiting tasks are looked at before the step ends.
    to_fill: BTreeMap<TeamIndex, Fill>,
    /// Waiting tasks that are decided after that.
    to_route: BTreeSet<Arrival>,
    /// Whether the full table of each decision is kept beside it.
    keeps_tables: bool,
    /// The walls that have been told of.
    told_walls: Walls,
    /// Whether a process is amended step by step: deadlines are derived behind the last one.
    derives_later: bool,
    /// The time in which nothing was read, while it lasts.
    outage: Option<Outage>,
    /// What is to be told of clocks behind what turned them.
    to_tell: BTreeMap<Arrival, Vec<Told>>,
    out: Effects,
}

impl Scheduler {
    /// A scheduler without tasks.
    #[must_use]
    pub fn new(roster: Arc<Roster>, limits: Limits, now: DateTime<Utc>) -> Self {
        Self::restore(roster, limits, Restored::default(), now)
    }

    /// A scheduler with the open tasks of a store, whose clients and teams the roster must have (see
    /// [`Scheduler::missing_in`]); what became possible meanwhile is decided by the first step.
    #[must_use]
    pub fn restore(roster: Arc<Roster>, limits: Limits, restored: Restored, now: DateTime<Utc>) -> Self {
        let overrides = restored.overrides;
        let outage = restored.outage_since.map(|since| Outage::before_start(since.min(now), &restored.marks));
        let mut scheduler = Self {
            now,
            fired_until: outage.as_ref().map_or(now, Outage::since),
            limits,
            board: Board::new(overrides.view(&roster, now), restored.conflicts, now),
            base: roster,
            overrides,
            overrides_turn_at: None,
            tasks: BTreeMap::new(),
            by_id: HashMap::new(),
            processes: BTreeMap::new(),
            to_derive: BTreeMap::new(),
            calling_off: None,
            by_matter: HashMap::new(),
            next_arrival: restored.next_arrival,
            queue: Queue::default(),
            timers: Timers::default(),
            census: Census::default(),
            sla: SlaCensus::default(),
            dependants: BTreeMap::new(),
            kept: BTreeMap::new(),
            kept_by_task: BTreeMap::new(),
            kept_by_client: BTreeMap::new(),
            next_kept: 0,
            admitting: None,
            ended: Recent::new(REMEMBERED),
            answered: Recent::new(REMEMBERED),
            to_fill: BTreeMap::new(),
            to_route: BTreeSet::new(),
            keeps_tables: false,
            told_walls: restored.walls,
            derives_later: false,
            outage,
            to_tell: BTreeMap::new(),
            out: Effects::default(),
        };
        for task in &restored.ended {
            scheduler.remember_work(task);
            scheduler.remember_end(task);
        }
        for process in restored.processes {
            scheduler.insert_process(process);
        }
        for task in restored.open {
            scheduler.remember_work(&task);
            scheduler.insert(task);
        }
        scheduler.queue.restore(Marks::restored(restored.marks));
        if scheduler.outage.is_some() {
            scheduler.remember_outage();
        }
        for kept in restored.kept {
            scheduler.insert_kept(kept);
        }
        scheduler.go_on_counting(restored.roster_before);
        scheduler.start_teams();
        scheduler
    }

    /// Takes an event and says what is to be done. Time that goes back counts as standing still.
    ///
    /// At one instant events come before timers, and timers in the order of [`super::timer::Timer`]. A step fires all
    /// timers that were due before `now`, so that no event overtakes them. With [`Event::DeadlineReached`] it fires
    /// those due at `now` too, and at most [`MAX_TIMERS_PER_STEP`]: a caller that sends it until
    /// [`Scheduler::next_deadline`] lies ahead, and only then the event that came, has bounded steps.
    #[must_use]
    pub fn step(&mut self, now: DateTime<Utc>, event: Event) -> Effects {
        self.now = now.max(self.now);
        let event = if self.drains() { self.step_in_drain(event) } else { Some(event) };
        if let Some(event) = event {
            self.step_on(event);
        }
        self.queue.end_step();
        self.out.marks = self.queue.marks_mut().take_changed();
        std::mem::take(&mut self.out)
    }

    fn step_on(&mut self, event: Event) {
        if self.overrides_turn_now() {
            // Before anything else, so that all that is decided in a step sees the same teams.
            self.turn_overrides();
        }
        if matches!(&event, Event::RosterChanged(roster) if roster.digest == self.base.digest) {
            self.begin_with_roster();
        }
        let fires_now = matches!(event, Event::DeadlineReached);
        self.fire_timers(fires_now);
        self.place_waiting();
        self.take(event);
        if !self.drains() {
            self.place_waiting();
        }
        self.tell_all_clocks();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::RequestReceived { request, ended, predecessors } => {
                self.receive_request(&request, ended, &predecessors);
            }
            Event::RequestRefused { client, request, refusal } => {
                self.out.answer = Some(Answer::Refused(refusal.clone()));
                self.record_aside(client, None, None, Effect::RejectRequest { id: request, refusal });
            }
            Event::UpdateReceived { update, digest, ended, earlier } => {
                self.receive_update(*update, digest, ended, earlier);
            }
            Event::UpdateRefused { team, update, refusal } => {
                self.out.answer = Some(Answer::Refused(refusal.clone()));
                let addressed = team.as_ref().map(|_| WorkMessage::UpdateResult);
                self.record_aside(None, team, addressed, Effect::RejectUpdate { id: update, refusal });
            }
            Event::OfferUndeliverable { task, assignment } => self.withdraw_undeliverable(&task, assignment),
            Event::WallExposed(exposure) => self.report_exposure(exposure),
            Event::MatterPurged(purged) => {
                self.record_aside(Some(purged.client.clone()), None, None, Effect::PurgeMatter(purged));
            }
            Event::ChainAnchored => self.record_aside(None, None, None, Effect::AnchorChain {}),
            Event::RosterChanged(roster) => self.change_roster(roster),
            Event::OverrideWished(wish) => self.change_override(wish),
            Event::OutageBegan => self.begin_outage(),
            Event::DrainBegan => self.begin_drain(),
            Event::OutageEnded => self.end_outage(),
            Event::DrainBroken | Event::DeadlineReached => {}
        }
    }

    /// Keeps the full table of each decision beside it from now on; a decision then costs as much as an explanation.
    pub fn keep_tables(&mut self) {
        self.keeps_tables = true;
    }

    /// When a timer is due next, or now when a start has left something to decide or to tell; a step at or after it with
    /// [`Event::DeadlineReached`] fires it. Nothing is due while what was sent in an outage is being read.
    #[must_use]
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        if self.drains() {
            return None;
        }
        let is_left = !self.to_fill.is_empty()
            || !self.to_route.is_empty()
            || !self.to_tell.is_empty()
            || !self.to_derive.is_empty()
            || !self.out.recorded.is_empty();
        if is_left { Some(self.now) } else { self.timers.next() }
    }

    /// Up to when all that fell due has been decided, at most `now`: where nothing runs after that, an outage began then.
    #[must_use]
    pub fn decided_until(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        match self.timers.next() {
            _ if self.drains() => self.fired_until,
            // One that was set for a time that had passed says nothing of what was due before.
            Some(due_at) if due_at <= now => self.fired_until.max(clocks::just_before(due_at)),
            _ => now,
        }
    }

    /// Records an effect on an open task, and behind it what it did to the task's clocks.
    fn record(&mut self, arrival: Arrival, said: Said, effect: Effect) {
        self.record_one(arrival, said, effect);
        self.tell_clocks(arrival);
    }

    fn record_one(&mut self, arrival: Arrival, said: Said, effect: Effect) {
        let held = self.held_by(&said, &effect);
        let (at, claimed_at) = (self.told_at(), self.claimed_at());
        let Some(entry) = self.tasks.get_mut(&arrival) else { return };
        entry.task.task_seq += 1;
        self.out.changed.insert(arrival);
        let matter = said.addressed.map(|_| entry.task.matter.clone());
        self.out.recorded.push(Recorded {
            at,
            claimed_at,
            task: Some((entry.task.id.clone(), entry.task.task_seq)),
            client: Some(entry.task.client.clone()),
            matter,
            team: said.team,
            addressed: said.addressed,
            held,
            update: said.update,
            order: said.order,
            decision: said.decision,
            effect,
        });
    }

    /// Records an effect that is about no open task.
    fn record_aside(
        &mut self,
        client: Option<ClientId>,
        team: Option<TeamId>,
        addressed: Option<WorkMessage>,
        effect: Effect,
    ) {
        let said = Said { team, addressed, ..Said::default() };
        let held = self.held_by(&said, &effect);
        self.out.recorded.push(Recorded {
            at: self.told_at(),
            claimed_at: self.claimed_at(),
            task: None,
            client,
            matter: None,
            team: said.team,
            addressed,
            held,
            update: None,
            order: None,
            decision: None,
            effect,
        });
    }

    /// How much the team holds that is told of something, or for which a seat is kept or was.
    fn held_by(&self, said: &Said, effect: &Effect) -> Option<Held> {
        let moves_seat = matches!(effect, Effect::PlanHandoff { .. } | Effect::DropHandoff { .. });
        let team = said.team.as_ref().filter(|_| said.addressed.is_some() || moves_seat)?;
        Some(self.board.load(self.board.roster.team_index(team)?).held())
    }
}

/// Whom an effect concerns and what it rests on.
#[derive(Debug, Default, Clone)]
struct Said {
    team: Option<TeamId>,
    addressed: Option<WorkMessage>,
    update: Option<RequestId>,
    order: Option<Order>,
    decision: Option<Arc<super::explain::Decision>>,
}

impl Said {
    /// It concerns a team, which is not told.
    fn of(team: &TeamId) -> Self {
        Self { team: Some(team.clone()), ..Self::default() }
    }

    /// An operator has ordered it.
    fn ordered_by(self, update: &Update) -> Self {
        Self { order: update.order.clone(), ..self }
    }

    /// It is a message to a team.
    fn to(team: &TeamId, message: WorkMessage) -> Self {
        Self { addressed: Some(message), ..Self::of(team) }
    }
}
