//! A task: a work request once admitted, with everything that a restart needs to know of it.
//!
//! The stored row is this type as JSON. Policies are copied in at admission, so that a later roster does not rewrite
//! what was promised.

mod holders;
mod ownership;
mod state;
mod words;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::fairness::Charge;
use crate::engine::id::{ClientId, MatterId, RequestId, SlaId, TaskId, TeamId, Term, WorkTypeId};
use crate::engine::process::StepOf;
use crate::engine::request::{Consent, Place, Presence, Priority, RequestDigest, SkillNeed};
use crate::engine::roster::{HandoffRule, PayloadOn};
use crate::engine::sla::Clock;
use crate::engine::terms::Terms;
use crate::engine::update::DeclineReason;

pub use holders::{Holder, MAX_NOTES_BYTES, MAX_PACKET_HOLDERS, Notes};
pub use ownership::{Active, ClosedBecause, HandoffState, Passing, Silence, Worked};
pub use state::{Offer, TaskState, WaitReason, Waiting, WakeCause};
pub use words::Words;

/// The rising number of a task's admission; the last key of every order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Arrival(pub u64);

/// An admitted work request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its place in the order of arrival.
    pub arrival: Arrival,
    /// Its id.
    pub id: TaskId,
    /// The firm's id of the request.
    pub request: RequestId,
    /// The firm.
    pub client: ClientId,
    /// The firm's case.
    pub matter: MatterId,
    /// Digest of the request.
    pub digest: RequestDigest,
    /// What a team must have to do it.
    pub needs: Needs,
    /// Priority now.
    pub priority: Priority,
    /// Effort in minutes as last stated by the firm.
    pub effort_minutes: u32,
    /// Instant by which it must be done.
    pub deadline: Option<DateTime<Utc>>,
    /// Instant before which it must not start.
    pub not_before: Option<DateTime<Utc>>,
    /// Tasks that must be completed first and are not yet.
    pub after: Vec<TaskId>,
    /// Those of them that were cancelled; the firm cancels the task too, or lets it go on without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after_cancelled: Vec<TaskId>,
    /// Whether it was told that it waits for one that nobody has sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown_told: bool,
    /// The number of the offer that lapsed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapsed: Option<u32>,
    /// The SLA policy it was admitted under.
    pub sla: Option<SlaId>,
    /// Its clocks, the deadline's own last.
    pub clocks: Vec<Clock>,
    /// When it was admitted.
    pub admitted_at: DateTime<Utc>,
    /// When nothing had to come first any more.
    pub ready_at: Option<DateTime<Utc>>,
    /// Where it is.
    pub state: TaskState,
    /// The pause in force.
    pub paused: Option<Pause>,
    /// Whether the firm holds it back.
    pub held: bool,
    /// The last assignment number given out.
    pub assignments: u32,
    /// What its client was charged for it, once it was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged: Option<Charge>,
    /// Teams that turned it down.
    pub turn_downs: Vec<TurnDown>,
    /// Earlier holders, the first first; of an ended task all of them.
    pub holders: Vec<Holder>,
    /// How many times it was handed off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub handoffs: u32,
    /// Whether it was told that it may not be handed off any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub handoff_limit_told: bool,
    /// The terms as admitted, once the firm has changed them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_admitted: Option<Box<Terms>>,
    /// The process that it is a step of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Box<StepOf>>,
    /// Sequence number of its last fact.
    pub task_seq: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Task {
    /// Remaining effort in minutes: as the holder last reported it, else as the last holder left it, else all of it.
    #[must_use]
    pub fn remaining_minutes(&self) -> u32 {
        match (&self.state, self.holders.last()) {
            (TaskState::Active(active), _) => active.remaining_minutes,
            (_, Some(holder)) => holder.remaining_minutes,
            (_, None) => self.effort_minutes,
        }
    }

    /// When it must be done for the process that it is a step of to be in time.
    #[must_use]
    pub fn derived_deadline(&self) -> Option<DateTime<Utc>> {
        self.process.as_ref()?.derived
    }

    /// Whether no predecessor is in its way.
    #[must_use]
    pub fn is_unblocked(&self) -> bool {
        self.after.is_empty() && self.after_cancelled.is_empty()
    }

    /// Whether nothing has to come first any more and that is not marked yet.
    #[must_use]
    pub fn is_to_be_ready(&self, now: DateTime<Utc>) -> bool {
        self.ready_at.is_none() && self.is_unblocked() && self.not_before.is_none_or(|at| at <= now)
    }

    /// Adds a holder whose part has ended, and keeps the notes to their limit.
    pub fn add_holder(&mut self, holder: Holder) {
        self.holders.push(holder);
        holders::keep_to_limit(&mut self.holders);
    }

    /// Attaches to an earlier holder's part that it has completed the task, too late for that to count.
    pub fn attach_completion(&mut self, team: &TeamId, assignment: u32, note: Option<String>, at: DateTime<Utc>) {
        let is_its = |it: &&mut Holder| it.team == *team && it.assignment == assignment;
        let Some(part) = self.holders.iter_mut().find(is_its) else { return };
        part.completed_late_at = Some(at);
        part.notes.renew(Notes { done: note, ..Notes::default() });
        holders::keep_to_limit(&mut self.holders);
    }

    /// The earlier holders that the next one is told of.
    #[must_use]
    pub fn packet(&self) -> &[Holder] {
        &self.holders[self.holders.len().saturating_sub(MAX_PACKET_HOLDERS)..]
    }

    /// Whether a team turned it down and that still holds.
    #[must_use]
    pub fn is_turned_down_by(&self, team: &TeamId, now: DateTime<Utc>) -> bool {
        self.turn_downs.iter().any(|it| it.team == *team && it.until.is_none_or(|until| until > now))
    }

    /// When a timer of its own has it looked at again while it waits. What waits for a team to open is looked at as far as
    /// that team has room, and may wait on past that instant.
    #[must_use]
    pub fn wakes_itself_at(&self) -> Option<DateTime<Utc>> {
        let TaskState::Waiting(waiting) = &self.state else { return None };
        let is_own = |at: &DateTime<Utc>| match waiting.reason {
            WaitReason::WaitsForBetter | WaitReason::NotBefore => true,
            _ => self.turn_downs.iter().any(|it| it.until == Some(*at)),
        };
        waiting.wakes_at.filter(is_own)
    }

    /// The offer to the team that is to have it next.
    #[must_use]
    pub fn handoff_offer(&self) -> Option<&Offer> {
        match &self.state {
            TaskState::Active(active) => active.handoff.passing.as_ref()?.offer.as_ref(),
            _ => None,
        }
    }

    /// The current assignment and who has it.
    #[must_use]
    pub fn assignment(&self) -> Option<(&TeamId, u32)> {
        match &self.state {
            TaskState::Offered(offer) => Some((&offer.team, offer.assignment)),
            TaskState::Active(active) => Some((&active.team, active.assignment)),
            TaskState::Waiting(_) | TaskState::Completed { .. } | TaskState::Cancelled { .. } => None,
        }
    }
}

/// What a team must have to do a task; two tasks with equal needs, client and walls share a class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// Kind of work.
    pub work_type: WorkTypeId,
    /// Jurisdiction, none when any team may do it.
    pub jurisdiction: Option<Place>,
    /// Specialty.
    pub specialty: Option<Term>,
    /// Languages.
    pub languages: Vec<Term>,
    /// Skills with levels.
    pub skills: Vec<SkillNeed>,
    /// Presence class.
    pub presence: Presence,
    /// Where somebody has to be.
    pub place: Option<Place>,
    /// Only these countries.
    pub allowed_countries: Vec<Place>,
    /// None of these countries.
    pub denied_countries: Vec<Place>,
    /// Consent to offshoring.
    pub consent: Option<Consent>,
    /// Team that gets it when it can.
    pub preferred_team: Option<TeamId>,
    /// Teams that must not get it.
    pub excluded_teams: Vec<TeamId>,
    /// Whether it moves on at a shift end.
    pub handoff: HandoffRule,
    /// When its payload leaves.
    pub payload_on: PayloadOn,
}

/// A pause in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// A pause reason of the roster.
    pub reason: Term,
    /// Since when.
    pub from: DateTime<Utc>,
    /// When the clocks that stand for it run again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap_at: Option<DateTime<Utc>>,
    /// Whether they do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_capped: bool,
}

/// A team that turned a task down, and until when that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnDown {
    /// Which team.
    pub team: TeamId,
    /// Why.
    pub cause: TurnDownCause,
    /// How many times so far.
    pub times: u32,
    /// When it ends; `None` is for good.
    pub until: Option<DateTime<Utc>>,
}

/// How a team turned a task down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnDownCause {
    /// It declined.
    Declined(DeclineReason),
    /// It let the offer lapse.
    Lapsed,
    /// It gave the task back.
    Released,
    /// An operator took it back.
    Recalled,
    /// The offer could not be delivered.
    Unreachable,
}
