//! A task as people and programs read it, over HTTP and on the command line.
//!
//! Names are those of the messages. Instants are RFC 3339 in UTC with milliseconds, spans are minutes. The payload, the
//! client's digest and the requirement class stay inside.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::sla::Segment;
use crate::engine::task::{Holder, Passing, Task, TaskState, TurnDown, TurnDownCause, Waiting, WakeCause};

use super::clock_view::{self, ClockView};
use super::form::word_of;
use super::instant;

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TaskView {
    /// Its id: `<client>/<request id>`, of a step `<client>/<request id>/<step>`.
    pub id: String,
    /// The firm.
    pub client: String,
    /// The firm's id of the request.
    pub request: String,
    /// The firm's case.
    pub matter: String,
    /// `waiting`, `offered`, `active`, `completed` or `cancelled`.
    pub state: String,
    /// The team that has it offered, owns it or completed it.
    pub team: Option<String>,
    /// The number of the offer or the ownership.
    pub assignment: Option<u32>,
    /// Since when it is in this state.
    pub since: String,
    /// When the offer lapses.
    pub until: Option<String>,
    /// Why it waits, and what ends that.
    pub waiting: Option<WaitingView>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// The pause reason in force.
    pub paused: Option<String>,
    /// Whether the firm holds it back.
    pub held: bool,
    /// Priority now.
    pub priority: String,
    /// Effort as last stated by the firm.
    pub effort_minutes: u32,
    /// Effort that is left as last reported by the holder.
    pub remaining_minutes: Option<u32>,
    /// When it must be done.
    pub deadline: Option<String>,
    /// The process that it is a step of.
    #[serde(default)]
    pub process: Option<String>,
    /// When it must be done for that to be in time: derived, no promise of its own.
    #[serde(default)]
    pub derived_deadline: Option<String>,
    /// Before when it must not start.
    pub not_before: Option<String>,
    /// Tasks that must be completed first and are not yet.
    pub after: Vec<String>,
    /// Those of them that were cancelled: the firm cancels it too, or lets it go on by `resume`.
    #[serde(default)]
    pub after_cancelled: Vec<String>,
    /// What a team must have to do it.
    pub needs: NeedsView,
    /// The SLA policy it was admitted under.
    pub sla: Option<String>,
    /// Its SLA clocks.
    pub clocks: Vec<ClockView>,
    /// Teams that turned it down.
    pub turn_downs: Vec<TurnDownView>,
    /// Earlier holders, the first first.
    pub holders: Vec<HolderView>,
    /// Why a closed team owns it: `break`, `grace`, `kept`, `planned`, `no_taker` or `paused`.
    pub owned_while_closed: Option<String>,
    /// The hand-off that is planned or offered.
    pub handoff: Option<HandoffView>,
    /// How many times it was handed off.
    #[serde(default)]
    pub handoffs: u32,
    /// When it was admitted.
    pub admitted_at: String,
    /// When nothing had to come first any more.
    pub ready_at: Option<String>,
    /// Sequence number of its last fact.
    pub task_seq: u64,
}

/// A hand-off on its way; the holder owns the task until the next team accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HandoffView {
    /// To whom.
    pub to: String,
    /// When it is offered there.
    pub offer_at: String,
    /// The number of the offer, once made.
    pub assignment: Option<u32>,
    /// When that offer lapses.
    pub until: Option<String>,
}

/// Why a task waits, and what ends that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WaitingView {
    /// Why, such as `no_team_open`.
    pub reason: String,
    /// When it is looked at again by the calendar alone.
    pub wakes_at: Option<String>,
    /// What could wake it sooner, such as `seat_frees`.
    pub woken_by: Vec<String>,
    /// The teams that it waits for because they finish better.
    #[serde(default)]
    pub waits_for: Vec<String>,
}

/// What a team must have to do a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NeedsView {
    /// Kind of work.
    pub work_type: String,
    /// Jurisdiction; none when any team may do it.
    pub jurisdiction: Option<String>,
    /// Specialty.
    pub specialty: Option<String>,
    /// Languages, all needed.
    pub languages: Vec<String>,
    /// Skills with their least levels, all needed.
    pub skills: Vec<SkillView>,
    /// `none`, `contact` or `in_person`.
    pub presence: String,
    /// Where somebody has to be.
    pub place: Option<String>,
    /// Only these countries; empty means no such limit.
    pub allowed_countries: Vec<String>,
    /// None of these countries.
    pub denied_countries: Vec<String>,
    /// Whether work may leave the client's country, where the request says so.
    pub consent_offshore: Option<bool>,
    /// Team that gets it when it can.
    pub preferred_team: Option<String>,
    /// Teams that must not get it.
    pub excluded_teams: Vec<String>,
}

/// A skill and the least level of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkillView {
    /// Name of the skill.
    pub name: String,
    /// Least level, 1 to 5.
    pub level: u8,
}

/// A team that turned the task down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnDownView {
    /// Which team.
    pub team: String,
    /// `busy`, `not_qualified`, `conflict`, `lapsed`, `released` or `unreachable`.
    pub cause: String,
    /// When it ends; none is for good.
    pub until: Option<String>,
}

/// An earlier holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HolderView {
    /// Which team.
    pub team: String,
    /// Under which number.
    pub assignment: u32,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Effort that was left at its end.
    pub remaining_minutes: u32,
    /// What it worked in its open time, pauses aside, in whole minutes.
    pub worked_minutes: u64,
    /// What that cost by the rate of its team then, in cents.
    pub cost_cents: u64,
    /// When it said that it had completed the task, too late for that to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_late_at: Option<String>,
    /// What it said that the next holder must know.
    pub notes: Option<String>,
    /// What it said that is done.
    pub done: Option<String>,
    /// What it said that comes next.
    pub next_step: Option<String>,
}

impl From<&Task> for TaskView {
    fn from(task: &Task) -> Self {
        let mut view = Self {
            id: text(&task.id),
            client: text(&task.client),
            request: text(&task.request),
            matter: text(&task.matter),
            state: task.state.as_str().into(),
            team: task.state.team().map(text),
            assignment: None,
            since: String::new(),
            until: None,
            waiting: None,
            reason: None,
            paused: task.paused.as_ref().map(|pause| text(&pause.reason)),
            held: task.held,
            priority: task.priority.as_str().into(),
            effort_minutes: task.effort_minutes,
            remaining_minutes: None,
            deadline: at(task.deadline),
            process: task.process.as_ref().map(|step| text(&step.process)),
            derived_deadline: at(task.derived_deadline()),
            not_before: at(task.not_before),
            after: task.after.iter().map(text).collect(),
            after_cancelled: task.after_cancelled.iter().map(text).collect(),
            needs: NeedsView::from(task),
            sla: task.sla.as_ref().map(text),
            clocks: clock_view::clocks(task, &[]),
            turn_downs: task.turn_downs.iter().map(TurnDownView::from).collect(),
            holders: task.holders.iter().map(HolderView::from).collect(),
            admitted_at: instant::text(task.admitted_at),
            ready_at: at(task.ready_at),
            owned_while_closed: None,
            handoff: None,
            handoffs: task.handoffs,
            task_seq: task.task_seq,
        };
        view.show_state(&task.state);
        view
    }
}

impl TaskView {
    /// A task with the closed segments of its clocks.
    #[must_use]
    pub fn with_ledger(task: &Task, segments: &[Segment]) -> Self {
        Self { clocks: clock_view::clocks(task, segments), ..Self::from(task) }
    }

    /// Fills in what only this state has.
    fn show_state(&mut self, state: &TaskState) {
        let since = match state {
            TaskState::Waiting(waiting) => {
                self.waiting = Some(WaitingView::from(waiting));
                waiting.since
            }
            TaskState::Offered(offer) => {
                self.assignment = Some(offer.assignment);
                self.until = at(Some(offer.until));
                offer.at
            }
            TaskState::Active(active) => {
                self.assignment = Some(active.assignment);
                self.remaining_minutes = Some(active.remaining_minutes);
                self.owned_while_closed = active.closed_because.map(|because| because.as_str().into());
                self.handoff = active.handoff.passing.as_deref().map(HandoffView::from);
                active.at
            }
            TaskState::Completed { at, .. } => *at,
            TaskState::Cancelled { at, reason } => {
                // An empty one was forgotten.
                self.reason = Some(reason.clone()).filter(|reason| !reason.is_empty());
                *at
            }
        };
        self.since = instant::text(since);
    }
}

impl From<&Passing> for HandoffView {
    fn from(passing: &Passing) -> Self {
        Self {
            to: text(&passing.to),
            offer_at: instant::text(passing.offer_at),
            assignment: passing.offer.as_ref().map(|offer| offer.assignment),
            until: at(passing.offer.as_ref().map(|offer| offer.until)),
        }
    }
}

impl From<&Task> for NeedsView {
    fn from(task: &Task) -> Self {
        let needs = &task.needs;
        let places = |list: &[crate::engine::request::Place]| list.iter().map(|p| p.as_str().into()).collect();
        Self {
            work_type: text(&needs.work_type),
            jurisdiction: needs.jurisdiction.as_ref().map(|place| place.as_str().into()),
            specialty: needs.specialty.as_ref().map(text),
            languages: needs.languages.iter().map(text).collect(),
            skills: needs.skills.iter().map(|need| SkillView { name: text(&need.name), level: need.level }).collect(),
            presence: word_of(needs.presence).into(),
            place: needs.place.as_ref().map(|place| place.as_str().into()),
            allowed_countries: places(&needs.allowed_countries),
            denied_countries: places(&needs.denied_countries),
            consent_offshore: needs.consent.as_ref().map(|consent| consent.offshore),
            preferred_team: needs.preferred_team.as_ref().map(text),
            excluded_teams: needs.excluded_teams.iter().map(text).collect(),
        }
    }
}

impl From<&TurnDown> for TurnDownView {
    fn from(turn_down: &TurnDown) -> Self {
        let cause = match turn_down.cause {
            TurnDownCause::Declined(reason) => word_of(reason),
            TurnDownCause::Lapsed => "lapsed",
            TurnDownCause::Released => "released",
            TurnDownCause::Recalled => "recalled",
            TurnDownCause::Unreachable => "unreachable",
        };
        Self { team: text(&turn_down.team), cause: cause.into(), until: at(turn_down.until) }
    }
}

impl From<&Holder> for HolderView {
    fn from(holder: &Holder) -> Self {
        Self {
            team: text(&holder.team),
            assignment: holder.assignment,
            from: instant::text(holder.from),
            until: instant::text(holder.until),
            remaining_minutes: holder.remaining_minutes,
            worked_minutes: holder.worked_seconds / 60,
            cost_cents: holder.cost_cents,
            completed_late_at: at(holder.completed_late_at),
            notes: holder.notes.notes.clone(),
            done: holder.notes.done.clone(),
            next_step: holder.notes.next_step.clone(),
        }
    }
}

impl From<&Waiting> for WaitingView {
    fn from(waiting: &Waiting) -> Self {
        Self {
            reason: waiting.reason.as_str().into(),
            wakes_at: at(waiting.wakes_at),
            woken_by: waiting.woken_by.iter().map(|cause| wake_word(*cause).into()).collect(),
            waits_for: waiting.waits_for.iter().map(text).collect(),
        }
    }
}

fn wake_word(cause: WakeCause) -> &'static str {
    match cause {
        WakeCause::TeamOpens => "team_opens",
        WakeCause::SeatFrees => "seat_frees",
        WakeCause::TurnDownEnds => "turn_down_ends",
        WakeCause::RosterChanges => "roster_changes",
        WakeCause::RequestAmended => "request_amended",
        WakeCause::PredecessorEnds => "predecessor_ends",
        WakeCause::NotBeforeReached => "not_before_reached",
        WakeCause::Resumed => "resumed",
    }
}

fn text<K>(id: &crate::engine::id::Id<K>) -> String {
    id.as_str().into()
}

fn at(at: Option<DateTime<Utc>>) -> Option<String> {
    at.map(instant::text)
}
