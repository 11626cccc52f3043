//! The full table of a stored decision, worked out again from what was kept of it.
//!
//! A decision keeps what the store cannot tell afterwards ([`Premises`]), and only where it differs from what the task's
//! row and its admission tell anyway: for the first decision of a task that is nothing. What teams held then comes from
//! their facts, walls from the conflicts, hours and rules from the roster of that time. [`verdicts`] puts these together
//! and asks the same filters and scores. The table is the one of that moment, but for a due time more than 400 days from
//! it, since coverage is only known that far from when it was first asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::affinity::Affinity;
use super::board::Board;
use super::class::Class;
use super::explain::{Candidate, Decision, Verdict};
use super::id::TeamId;
use super::load::Held;
use super::request::Presence;
use super::roster::{Moment, Roster};
use super::routing;
use super::sla::{Clock, OpenSegment};
use super::task::{Task, TaskState, TurnDown, Waiting};
use super::terms::Terms;

/// What a decision rested on that cannot be told from the task's row afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Premises {
    /// What the last holder had left, in minutes; `None` when the task had had none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remaining_minutes: Option<u32>,
    /// The turn-downs in force.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub turn_downs: Vec<TurnDown>,
    /// The clocks, unless they were as after admission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clocks: Option<Vec<ClockProgress>>,
    /// The terms, when they were not those of admission.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<Box<Terms>>,
    /// The deadline that was derived for a step of a process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived: Option<DateTime<Utc>>,
    /// Teams that could do it and were about to open or close at that very instant, with when that was due.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub about_to_turn: Vec<(TeamId, DateTime<Utc>)>,
    /// Affinities above 0 of available teams that the decision does not list.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affinities: Vec<(TeamId, u32)>,
    /// Since when the class looked at contact with the client, when that is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact_since: Option<DateTime<Utc>>,
}

/// How far a clock was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockProgress {
    /// When it had started.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub started_at: Option<DateTime<Utc>>,
    /// When it had stopped.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped_at: Option<DateTime<Utc>>,
    /// The segment that was open.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub open: Option<OpenSegment>,
    /// What those before it had counted, in milliseconds of its basis.
    #[serde(skip_serializing_if = "is_nothing", default)]
    pub counted_ms: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_nothing(number: &i64) -> bool {
    *number == 0
}

impl Premises {
    /// What a decision for a task rests on, as far as the task and its class tell.
    #[must_use]
    pub fn of(task: &Task, class: &Class, now: DateTime<Utc>) -> Self {
        let in_force = |it: &&TurnDown| it.until.is_none_or(|until| until > now);
        let are_fresh = task.clocks.iter().all(|clock| is_fresh(clock, task));
        Self {
            remaining_minutes: task.holders.last().map(|holder| holder.remaining_minutes),
            turn_downs: task.turn_downs.iter().filter(in_force).cloned().collect(),
            clocks: (!are_fresh).then(|| task.clocks.iter().map(ClockProgress::of).collect()),
            terms: task.as_admitted.as_ref().map(|_| Box::new(Terms::of(task))),
            derived: task.derived_deadline(),
            about_to_turn: Vec::new(),
            affinities: Vec::new(),
            contact_since: (task.needs.presence == Presence::Contact).then_some(class.made_at),
        }
    }

    /// Whether the task's row tells everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The task as it was when it was decided about, from its row of a later time.
    #[must_use]
    pub fn task(&self, row: &Task) -> Task {
        let mut task = row.clone();
        let admitted = task.as_admitted.take();
        if let Some(terms) = self.terms.clone().or(admitted) {
            terms.put_on(&mut task);
        }
        // What earlier holders used of a clock stands in the clock; what is left of the work is all that they tell here.
        task.holders.truncate(usize::from(self.remaining_minutes.is_some()));
        if let (Some(holder), Some(minutes)) = (task.holders.last_mut(), self.remaining_minutes) {
            holder.remaining_minutes = minutes;
        }
        task.turn_downs.clone_from(&self.turn_downs);
        let ready_at = task.ready_at;
        for (position, clock) in task.clocks.iter_mut().enumerate() {
            let progress = self.clocks.as_ref().and_then(|clocks| clocks.get(position)).cloned();
            let progress = progress.unwrap_or_else(|| ClockProgress::fresh(clock, row.admitted_at, ready_at));
            (clock.started_at, clock.stopped_at) = (progress.started_at, progress.stopped_at);
            (clock.open, clock.counted_ms) = (progress.open, progress.counted_ms);
        }
        if let Some(process) = &mut task.process {
            process.derived = self.derived;
        }
        task.state = TaskState::Waiting(Waiting::undecided(row.admitted_at));
        task
    }
}

impl ClockProgress {
    fn of(clock: &Clock) -> Self {
        Self {
            started_at: clock.started_at,
            stopped_at: clock.stopped_at,
            open: clock.open.clone(),
            counted_ms: clock.counted_ms,
        }
    }

    /// A clock of a task that is ready and was never offered.
    fn fresh(clock: &Clock, admitted_at: DateTime<Utc>, ready_at: Option<DateTime<Utc>>) -> Self {
        let started_at = match clock.rule.start {
            Moment::Admitted => Some(admitted_at),
            Moment::Ready => ready_at,
            Moment::Offered | Moment::Accepted | Moment::Completed => None,
        };
        let open = started_at.map(|from| OpenSegment { from, holder: None, standing: None });
        Self { started_at, stopped_at: None, open, counted_ms: 0 }
    }
}

fn is_fresh(clock: &Clock, task: &Task) -> bool {
    ClockProgress::of(clock) == ClockProgress::fresh(clock, task.admitted_at, task.ready_at)
}

/// What is known of the world in which a decision was made, beside the decision and its task.
#[derive(Debug)]
pub struct World {
    /// The roster in force then.
    pub roster: Arc<Roster>,
    /// What each of its teams held, in the order of its teams.
    pub held: Vec<Held>,
    /// Teams that had declared a conflict with the matter.
    pub conflicts: Vec<TeamId>,
}

/// Every team's verdict on a task as of the decision, in the order of team ids. `row` is the task as it is now.
#[must_use]
pub fn verdicts(decision: &Decision, row: &Task, world: World) -> Vec<Verdict> {
    let (now, premises) = (decision.at, &decision.premises);
    let task = premises.task(row);
    let World { roster, held, conflicts } = world;
    let walled = conflicts.into_iter().map(|team| (team, task.client.clone(), task.matter.clone())).collect();
    let mut board = Board::new(Arc::clone(&roster), walled, now);
    for ((index, _), held) in roster.indexed_teams().zip(&held) {
        let load = board.load_mut(index);
        (load.used, load.used_minutes) = (held.used, held.used_minutes);
    }
    for (team, due_at) in &premises.about_to_turn {
        if let Some(index) = roster.team_index(team) {
            board.refresh(index, *due_at - TimeDelta::milliseconds(1));
        }
    }
    board.affinity = Affinity::of_matter(&task.client, &task.matter, &affinities(decision), now);
    let Some(client) = roster.clients.get(&task.client) else { return Vec::new() };
    let class_made_at = premises.contact_since.unwrap_or(now);
    let class = board.classes.join(&roster, &board.walls, client, &task.matter, &task.needs, class_made_at);
    routing::explain(&board, &task, class, now)
}

/// What the decision says of affinities; a team that it does not name has none.
fn affinities(decision: &Decision) -> BTreeMap<TeamId, u32> {
    let of_listed = |candidate: &Candidate| (candidate.team.clone(), candidate.scores.affinity);
    let listed = decision.available.iter().map(of_listed);
    listed.chain(decision.premises.affinities.iter().cloned()).collect()
}
