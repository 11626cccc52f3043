//! What the scheduler can be asked. Nothing here changes it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::placing::must_wait;
use super::{Census, Scheduler};
use crate::engine::admission;
use crate::engine::board::Board;
use crate::engine::effect::{Effects, Recorded};
use crate::engine::event::{EndedTask, Event, Refusal, RefusalCode};
use crate::engine::explain::{Decision, Obstacle, Verdict};
use crate::engine::fairness::Mark;
use crate::engine::id::{ClientId, MatterId, TaskId, TeamId};
use crate::engine::load::TeamLoad;
use crate::engine::request::WorkRequest;
use crate::engine::roster::{Moment, Roster, Team};
use crate::engine::routing::{self, Outcome};
use crate::engine::sla::{self, Hours, SlaPicture, Turn};
use crate::engine::task::{Arrival, Task, TaskState, Waiting};
use crate::engine::update::KeptUpdate;
use crate::engine::walls::Walls;

/// How many steps of timers a trial fires.
const MAX_TRIAL_STEPS: usize = 1_000;

/// What routing would do with a request at an instant.
#[derive(Debug)]
pub struct Preview {
    /// The decision.
    pub decision: Arc<Decision>,
    /// Every team's verdict, in the order of team ids.
    pub verdicts: Vec<Verdict>,
    /// Why the request would wait; `None` when it would be offered.
    pub waiting: Option<Waiting>,
}

impl Scheduler {
    /// The engine's time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// An open task.
    #[must_use]
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.arrival_of(id).and_then(|arrival| self.task_of(arrival))
    }

    /// A task or process that ended, while it is remembered: the last ones are.
    #[must_use]
    pub fn ended(&self, id: &TaskId) -> Option<&EndedTask> {
        self.ended.get(id)
    }

    /// When the next timer of a task is due, of its state or of its clocks.
    #[must_use]
    pub fn next_due_at(&self, task: &Task) -> Option<DateTime<Utc>> {
        let of_state = match &task.state {
            crate::engine::task::TaskState::Offered(offer) => Some(offer.until),
            _ => task.wakes_itself_at(),
        };
        of_state.into_iter().chain(super::clocks::next_due_at(task)).min()
    }

    /// All open tasks, in order of arrival.
    pub fn open_tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values().map(|entry| &entry.task)
    }

    /// How many tasks are open.
    #[must_use]
    pub fn open_count(&self) -> usize {
        self.tasks.len()
    }

    /// The next arrival number.
    #[must_use]
    pub fn next_arrival(&self) -> u64 {
        self.next_arrival
    }

    /// Counts of open tasks.
    #[must_use]
    pub fn census(&self) -> &Census {
        &self.census
    }

    /// How open tasks stand to their clocks.
    #[must_use]
    pub fn sla_picture(&self) -> SlaPicture {
        self.sla.picture()
    }

    /// The roster in force, without the overrides on it.
    #[must_use]
    pub fn base_roster(&self) -> &Arc<Roster> {
        &self.base
    }

    /// The roster in force with the overrides as they stand.
    #[must_use]
    pub fn roster(&self) -> &Arc<Roster> {
        &self.board.roster
    }

    /// The walls in force: the roster's and those that teams raised.
    #[must_use]
    pub fn walls(&self) -> &Walls {
        &self.board.walls
    }

    /// Walls that teams raised by declining with `conflict`.
    #[must_use]
    pub fn conflicts(&self) -> &[(TeamId, ClientId, MatterId)] {
        &self.board.conflicts
    }

    /// What the waiting order remembers.
    #[must_use]
    pub fn marks(&self) -> &BTreeMap<Mark, u64> {
        self.queue.marks().all()
    }

    /// Updates that came before their request, in the order in which they did.
    pub fn kept_updates(&self) -> impl Iterator<Item = &KeptUpdate> {
        self.kept.values()
    }

    /// All teams with what they hold and when they are open.
    pub fn teams(&self) -> impl Iterator<Item = (&Team, &TeamLoad)> {
        self.board.roster.teams.iter().zip(&self.board.loads)
    }

    /// How many requirement classes are known.
    #[must_use]
    pub fn class_count(&self) -> usize {
        self.board.classes.len()
    }

    /// Every team's verdict on an open task as it stands now.
    #[must_use]
    pub fn explain(&self, id: &TaskId) -> Option<Vec<Verdict>> {
        let entry = self.tasks.get(&self.arrival_of(id)?)?;
        Some(routing::explain(&self.board, &entry.task, entry.class, self.now))
    }

    /// Why an open task waits whatever the teams say, when it does.
    #[must_use]
    pub fn own_wait(&self, id: &TaskId) -> Option<Waiting> {
        let task = self.task(id).filter(|task| matches!(task.state, TaskState::Waiting(_)))?;
        must_wait(task, self.now)
    }

    /// Every filter's "no" to one team on an open task as it stands now, in the order of the filters; `None` when the
    /// task is not open or the roster has no such team.
    #[must_use]
    pub fn obstacles(&self, id: &TaskId, team: &TeamId) -> Option<Vec<Obstacle>> {
        let entry = self.tasks.get(&self.arrival_of(id)?)?;
        Some(routing::obstacles(&self.board, &entry.task, self.board.roster.team_index(team)?, self.now))
    }
}

impl Scheduler {
    /// What an event would bring about at once, with the timers that it sets for now, tried on a copy. What is due without
    /// it is not counted.
    #[must_use]
    pub fn trial(&self, now: DateTime<Utc>, event: Event) -> Effects {
        let mut copy = self.clone();
        let _ = copy.fire_all(now);
        let mut effects = copy.step(now, event);
        effects.recorded.extend(copy.fire_all(now));
        effects
    }

    /// Fires all that is due now, in at most [`MAX_TRIAL_STEPS`].
    fn fire_all(&mut self, now: DateTime<Utc>) -> Vec<Recorded> {
        let mut recorded = Vec::new();
        for _ in 0..MAX_TRIAL_STEPS {
            if self.next_deadline().is_none_or(|due_at| due_at > now) {
                break;
            }
            recorded.extend(self.step(now, Event::DeadlineReached).recorded);
        }
        recorded
    }
}

impl Preview {
    /// What routing would do with a request at an instant, with nothing else to do.
    ///
    /// # Errors
    /// The refusal that the request would meet.
    pub fn of(request: &WorkRequest, roster: Arc<Roster>, at: DateTime<Utc>) -> Result<Self, Box<Refusal>> {
        if request.is_process() {
            let message = "one task is looked at at a time; give a step as a request of its own";
            let field = if request.process.is_some() { "process" } else { "steps" };
            return Err(Box::new(Refusal::of_field(RefusalCode::InvalidField, field, message)));
        }
        let mut task = admission::admit(request, &roster, Arrival(0), at)?;
        sla::touch(&mut task, Moment::Admitted, at);
        sla::touch(&mut task, Moment::Ready, at);
        let mut board = Board::new(roster, Vec::new(), at);
        let roster = Arc::clone(&board.roster);
        let Some(client) = roster.clients.get(&task.client) else {
            return Err(Box::new(Refusal::new(RefusalCode::UnknownClient, "unknown client")));
        };
        let class = board.classes.join(&roster, &board.walls, client, &task.matter, &task.needs, at);
        let client = task.client.clone();
        let hours = Hours { roster: &roster, client: &client, coverage: None };
        let _ = sla::turn(&mut task, Turn { before: hours, after: hours, because: None, now: at });
        let choice = routing::decide(&board, &task, class, at);
        let verdicts = routing::explain(&board, &task, class, at);
        let of_teams = match choice.outcome {
            Outcome::Offer(..) => None,
            Outcome::Wait(waiting) => Some(waiting),
        };
        let waiting = must_wait(&task, at).or(of_teams);
        Ok(Self { decision: choice.decision, verdicts, waiting })
    }
}
