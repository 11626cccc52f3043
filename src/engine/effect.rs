//! What the scheduler wants done. Each effect becomes one fact: stored, then published.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::event::Refusal;
use super::explain::{Decision, Filter, Rejection};
use super::handoff::{Comparison, KeepReason};
use super::id::{ClientId, MatterId, RequestId, TaskId, TeamId, Term, WorkTypeId};
use super::load::Held;
use super::request::{Place, Priority, SkillNeed};
use super::roster::RosterDigest;
use super::task::{Holder, Task, TurnDownCause, Waiting};
use super::update::{Amendment, DeclineReason, KeptUpdate, Sender};

/// What one step decided, in order.
#[derive(Debug, Default)]
pub struct Effects {
    /// What is recorded and published.
    pub recorded: Vec<Recorded>,
    /// Tasks that ended in this step, in their last state; the scheduler no longer holds them.
    pub ended: Vec<Task>,
    /// Updates that came before their request, to be kept with the store.
    pub kept: Vec<KeptUpdate>,
    /// Kept updates that were applied or ran out, with the refusal of those that did not apply after all.
    pub kept_done: Vec<(Sender, RequestId, Option<Refusal>)>,
    /// Whether walls came or went.
    pub walls_changed: bool,
    /// How the event itself is answered, when it was a request or an update.
    pub answer: Option<Answer>,
}

/// An effect and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// The task, with the number of this fact in it.
    pub task: Option<(TaskId, u64)>,
    /// The client it concerns.
    pub client: Option<ClientId>,
    /// The matter it concerns, where a wall has to know it: of messages to teams and of walls.
    pub matter: Option<MatterId>,
    /// The team it concerns.
    pub team: Option<TeamId>,
    /// Whether it is also a message to that team.
    pub addressed: Option<WorkMessage>,
    /// How much that team holds after it, when it is a message to it. A change of what a team holds is always told to it.
    pub held: Option<Held>,
    /// The update that caused it.
    pub update: Option<RequestId>,
    /// The decision behind it, stored with it and never published.
    pub decision: Option<Arc<Decision>>,
    /// What is to be done.
    pub effect: Effect,
}

/// The kinds of message in a team's queue; the words are part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkMessage {
    /// A task is proposed.
    Offer,
    /// An offer is taken back.
    Withdrawn,
    /// The task is no longer the team's.
    Ended,
    /// The task has changed.
    Changed,
    /// The team is asked for its notes, since the task is to move on.
    HandoffRequested,
    /// The answer to the team's update.
    UpdateResult,
}

impl WorkMessage {
    /// All kinds, in the order of the code.
    pub const ALL: [Self; 6] =
        [Self::Offer, Self::Withdrawn, Self::Ended, Self::Changed, Self::HandoffRequested, Self::UpdateResult];

    /// Whether it tells more of the work than its ids, so that a wall keeps it from a team.
    #[must_use]
    pub fn tells_of_work(self) -> bool {
        match self {
            Self::Offer | Self::Changed | Self::HandoffRequested => true,
            Self::Withdrawn | Self::Ended | Self::UpdateResult => false,
        }
    }

    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Withdrawn => "withdrawn",
            Self::Ended => "ended",
            Self::Changed => "changed",
            Self::HandoffRequested => "handoff_requested",
            Self::UpdateResult => "update_result",
        }
    }
}

/// How a request or an update is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The request is a task now.
    Admitted(TaskId),
    /// The same request was admitted before.
    Duplicate(TaskId),
    /// The update applied; so did its first copy when this is a repeat.
    Applied,
    /// It did not.
    Refused(Refusal),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Effect {
    /// Keep the task.
    Admit(Admission),
    /// Nothing has to come first any more.
    MarkReady {},
    /// Let it wait.
    Park(Waiting),
    /// Say loudly that no team may do it.
    ReportUnroutable {
        /// How many teams each filter rejects.
        rejected: BTreeMap<Filter, u32>,
    },
    /// Propose it to the team.
    Offer(Box<OfferBrief>),
    /// Take the offer back.
    Withdraw {
        /// The offer's number.
        assignment: u32,
        /// Why.
        reason: WithdrawReason,
    },
    /// The team owns it now.
    Accept {
        /// The offer's number.
        assignment: u32,
        /// Whether the team's policy accepts for it.
        implicit: bool,
        /// Whether the payload goes with this message.
        #[serde(skip)]
        with_payload: bool,
    },
    /// The team refused.
    Decline {
        /// The offer's number.
        assignment: u32,
        /// Why.
        reason: DeclineReason,
        /// Free text.
        note: Option<String>,
    },
    /// The team did not answer in time.
    Lapse {
        /// The offer's number.
        assignment: u32,
        /// When the offer ended.
        due_at: DateTime<Utc>,
    },
    /// The team gave it back.
    Release {
        /// The number of its ownership.
        assignment: u32,
        /// Why.
        reason: String,
    },
    /// Take it away from its holder, who may not have it any more.
    Recall {
        /// The number of its ownership.
        assignment: u32,
        /// What the holder fails.
        because: Rejection,
    },
    /// Tell on-call staff.
    RaiseEscalation {
        /// What happened.
        reason: EscalationReason,
    },
    /// The holder said how much is left.
    Progress {
        /// The number of its ownership.
        assignment: u32,
        /// Remaining effort in minutes.
        remaining_minutes: u32,
        /// Free text.
        note: Option<String>,
    },
    /// It stands still.
    Pause {
        /// A pause reason of the roster.
        reason: Term,
    },
    /// It goes on.
    Resume {},
    /// The firm holds it back or lets it go on.
    Hold {
        /// Whether it is held now.
        held: bool,
    },
    /// The firm changed the request.
    Amend(Box<Amendment>),
    /// Its priority changed.
    Reprioritise {
        /// The priority now.
        priority: Priority,
    },
    /// It is done.
    Complete {
        /// The number of the ownership that ended.
        assignment: u32,
        /// Free text.
        note: Option<String>,
    },
    /// The holder before this one had completed it: this one's part ends.
    EndLate {
        /// The number of the ownership that ended.
        assignment: u32,
    },
    /// It is called off.
    Cancel {
        /// Why.
        reason: String,
    },
    /// The holder keeps it although its shift ends.
    Keep {
        /// The number of its ownership.
        assignment: u32,
        /// Why.
        reason: KeepReason,
        /// What the holder said.
        #[serde(skip_serializing_if = "Option::is_none")]
        note: Option<String>,
        /// The numbers that it rests on.
        #[serde(skip_serializing_if = "Option::is_none")]
        comparison: Option<Box<Comparison>>,
    },
    /// Pass it to the team at an instant.
    PlanHandoff {
        /// The number of the ownership that is to end.
        assignment: u32,
        /// When it is offered there.
        offer_at: DateTime<Utc>,
        /// The numbers that it rests on.
        comparison: Box<Comparison>,
    },
    /// Plan for the team no more.
    DropHandoff {
        /// Why.
        reason: WithdrawReason,
    },
    /// Ask the holder for notes, what is done, the next step and the remaining effort.
    RequestHandoff {
        /// The number of the ownership that is to end.
        assignment: u32,
        /// When the task is offered on.
        answer_by: DateTime<Utc>,
    },
    /// The holder has answered, or hands it on by itself.
    AnswerHandoff {
        /// The number of its ownership.
        assignment: u32,
        /// Remaining effort in minutes.
        remaining_minutes: u32,
    },
    /// The next team owns it now, and the old one does not.
    PassHandoff {
        /// The number of the ownership that ended.
        assignment: u32,
        /// Who owns it now.
        to: TeamId,
        /// Under which number.
        next_assignment: u32,
    },
    /// The team that was to have it next does not take it.
    DeclineHandoff {
        /// The offer's number.
        assignment: u32,
        /// How.
        #[serde(flatten)]
        how: HandoffRefusal,
    },
    /// It was handed off as often as it may be.
    ReachHandoffLimit {
        /// How many times.
        handoffs: u32,
    },
    /// A team must not receive or see a matter, or anything of a client, from now on.
    RaiseWall {
        /// The matter; `None` is all of the client's.
        matter: Option<MatterId>,
        /// Where it comes from.
        source: WallSource,
    },
    /// Tell on-call staff what a team had received when a wall was raised.
    ReportExposure(Box<Exposure>),
    /// A request was refused.
    RejectRequest {
        /// Its id, as far as known.
        id: Option<RequestId>,
        /// Why.
        refusal: Refusal,
    },
    /// A request came again with other content.
    ReportConflict {
        /// Its id.
        id: RequestId,
        /// Why.
        refusal: Refusal,
    },
    /// An update was refused.
    RejectUpdate {
        /// Its id, as far as known.
        id: Option<RequestId>,
        /// Why.
        refusal: Refusal,
    },
    /// Another roster is in force.
    AdoptRoster {
        /// Its digest.
        digest: RosterDigest,
        /// Version of the zone rules.
        tzdata: Arc<str>,
    },
}

impl Effect {
    /// The event type that tells of it; the words are part of the contract.
    #[must_use]
    pub fn event_type(&self) -> &'static str {
        match self {
            Self::Admit(_) => "task.admitted",
            Self::MarkReady {} => "task.ready",
            Self::Park(_) => "task.waiting",
            Self::ReportUnroutable { .. } => "task.unroutable",
            Self::Offer(_) => "task.offered",
            Self::Withdraw { .. } => "task.withdrawn",
            Self::Accept { .. } => "task.accepted",
            Self::Decline { .. } => "task.declined",
            Self::Lapse { .. } => "task.lapsed",
            Self::Release { .. } => "task.released",
            Self::Recall { .. } => "task.recalled",
            Self::RaiseEscalation { .. } => "escalation.raised",
            Self::Progress { .. } => "task.progressed",
            Self::Pause { .. } => "task.paused",
            Self::Resume {} => "task.resumed",
            Self::Hold { .. } => "task.held",
            Self::Amend(_) => "task.amended",
            Self::Reprioritise { .. } => "task.reprioritised",
            Self::Complete { .. } => "task.completed",
            Self::EndLate { .. } => "handoff.overtaken",
            Self::Cancel { .. } => "task.cancelled",
            Self::Keep { .. } => "handoff.kept",
            Self::PlanHandoff { .. } => "handoff.planned",
            Self::DropHandoff { .. } => "handoff.dropped",
            Self::RequestHandoff { .. } => "handoff.requested",
            Self::AnswerHandoff { .. } => "handoff.answered",
            Self::PassHandoff { .. } => "handoff.passed",
            Self::DeclineHandoff { .. } => "handoff.declined",
            Self::ReachHandoffLimit { .. } => "handoff.limit_reached",
            Self::RaiseWall { .. } => "wall.raised",
            Self::ReportExposure(_) => "wall.exposure",
            Self::RejectRequest { .. } => "request.rejected",
            Self::ReportConflict { .. } => "request.conflict",
            Self::RejectUpdate { .. } => "update.rejected",
            Self::AdoptRoster { .. } => "roster.changed",
        }
    }

    /// What the team is told of earlier holders, and nobody else.
    #[must_use]
    pub fn packet(&self) -> Option<&[Holder]> {
        match self {
            Self::Offer(brief) => Some(&brief.packet),
            _ => None,
        }
    }

    /// Whether the message to the team carries the request's payload.
    #[must_use]
    pub fn carries_payload(&self) -> bool {
        match self {
            Self::Offer(brief) => brief.with_payload,
            Self::Accept { with_payload, .. } => *with_payload,
            _ => false,
        }
    }
}

/// How a team does not take a task that was to be handed to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum HandoffRefusal {
    /// It declined.
    Declined {
        /// Why.
        reason: DeclineReason,
        /// Free text.
        note: Option<String>,
    },
    /// It did not answer in time.
    Lapsed,
    /// Its shift ended first.
    ShiftEnded,
    /// The message could not be delivered.
    Unreachable,
}

/// Where a wall comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WallSource {
    /// The roster.
    Roster,
    /// A team that declined with a conflict.
    Conflict,
}

/// How many messages an exposure names; the others are counted.
pub const MAX_EXPOSED_NAMED: usize = 100;

/// What had left for a team when a wall was raised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exposure {
    /// The walled team.
    #[serde(skip)]
    pub team: TeamId,
    /// The client.
    #[serde(skip)]
    pub client: ClientId,
    /// The matter; `None` is all of the client's.
    pub matter: Option<MatterId>,
    /// Number in the stream of the fact that raised the wall.
    pub wall: u64,
    /// How many messages.
    pub count: u64,
    /// The first [`MAX_EXPOSED_NAMED`] of them.
    pub messages: Vec<ExposedMessage>,
}

/// A message that a walled team had received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExposedMessage {
    /// Its id in the team's queue, or its number where the team reads over HTTP.
    pub message_id: String,
    /// The task that it tells of.
    pub task: TaskId,
}

/// What is told at admission.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Admission {
    /// The firm's id of the request.
    pub id: RequestId,
    /// The firm's case.
    pub matter: MatterId,
    /// Kind of work.
    pub work_type: WorkTypeId,
    /// Priority.
    pub priority: Priority,
    /// Effort in minutes.
    pub effort_minutes: u32,
    /// Instant by which it must be done.
    pub deadline: Option<DateTime<Utc>>,
    /// Whether nothing has to come first.
    pub ready: bool,
}

/// What a team is told with an offer, beside the payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfferBrief {
    /// The offer's number.
    pub assignment: u32,
    /// When it lapses.
    pub until: DateTime<Utc>,
    /// The firm's id of the request.
    pub id: RequestId,
    /// The firm's case.
    pub matter: MatterId,
    /// Kind of work.
    pub work_type: WorkTypeId,
    /// Jurisdiction whose law applies.
    pub jurisdiction: Option<Place>,
    /// Specialty.
    pub specialty: Option<Term>,
    /// Languages.
    pub languages: Vec<Term>,
    /// Skills with levels.
    pub skills: Vec<SkillNeed>,
    /// Where somebody has to be.
    pub place: Option<Place>,
    /// Priority.
    pub priority: Priority,
    /// Remaining effort in minutes.
    pub remaining_minutes: u32,
    /// When it must be done.
    pub due_at: Option<DateTime<Utc>>,
    /// Earlier holders and what they said, for the team alone.
    #[serde(skip)]
    pub packet: Vec<Holder>,
    /// Whether the payload goes with this message.
    #[serde(skip)]
    pub with_payload: bool,
}

/// What on-call staff are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationReason {
    /// A team declined with a conflict and is walled from the matter from now on.
    ConflictDeclared,
}

/// Why an offer is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WithdrawReason {
    /// The team's shift ended first.
    ShiftEnd,
    /// The task was paused.
    Paused,
    /// The firm holds it.
    Held,
    /// The firm called it off.
    Cancelled,
    /// The request changed so that the team may not do it any more.
    Amended,
    /// The roster changed so that the team may not do it any more.
    RosterChanged,
    /// A vetting or an admission of the team ended.
    QualificationEnded,
    /// The message could not be delivered.
    Unreachable,
    /// The holder keeps the task, or another team is to have it next.
    Recalled,
}

impl WithdrawReason {
    /// How the team counts as having turned it down, if at all.
    #[must_use]
    pub fn turn_down(self) -> Option<TurnDownCause> {
        match self {
            Self::Unreachable => Some(TurnDownCause::Unreachable),
            Self::ShiftEnd
            | Self::Paused
            | Self::Held
            | Self::Cancelled
            | Self::Amended
            | Self::RosterChanged
            | Self::QualificationEnded
            | Self::Recalled => None,
        }
    }
}
