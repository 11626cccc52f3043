//! What the scheduler wants done. Each effect becomes one fact: stored, then published.

mod body;
mod recorded;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::event::Refusal;
use super::explain::{Filter, Rejection};
use super::handoff::{Comparison, KeepReason};
use super::id::{MatterId, RequestId, TaskId, TeamId, Term};
use super::overrides::Override;
use super::request::Priority;
use super::roster::RosterDigest;
use super::sla::{Escalated, MovedDue, SlaNotice, StoppedClock};
use super::task::{Holder, Waiting};
use super::update::{Amendment, DeclineReason, SetAside};

pub use body::{
    Admission, AdmittedStep, DerivedBecause, DerivedMove, EscalationReason, ExposedMessage, Exposure, HandoffRefusal,
    MAX_EXPOSED_NAMED, MAX_PURGED_NAMED, MAX_UNKNOWN_NAMED, OfferBrief, OverrideChange, PriorityReason,
    ProcessAdmission, Purged, WallSource, WithdrawReason,
};
pub use recorded::{Answer, Effects, Recorded, WorkMessage};

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
    /// Say that nobody, and no chain of teams, is expected to do it in time; it is routed all the same.
    ReportInfeasible {
        /// When it must be done, by the hours of the team that would be done first.
        due_at: Option<DateTime<Utc>>,
        /// When that team, or the chain that begins with it, would be done.
        best_finish_at: Option<DateTime<Utc>>,
        /// That team.
        best_team: TeamId,
    },
    /// Say that the holder has said nothing for long.
    ReportStalled {
        /// The number of its ownership.
        assignment: u32,
        /// For how many minutes of the open time of its team.
        silent_minutes: u64,
        /// What it last said is left, in minutes.
        remaining_minutes: u32,
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
    /// Take it away from the team that has it: one that may not have it any more, or by an operator's order.
    Recall {
        /// The number of its ownership, or of the offer.
        assignment: u32,
        /// What the holder fails.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<Rejection>,
    },
    /// An operator has it offered to the team.
    Direct {
        /// What was not to be in the way.
        set_aside: Vec<SetAside>,
    },
    /// Tell on-call staff.
    RaiseEscalation {
        /// What happened.
        reason: EscalationReason,
        /// The step of a clock, when it is one.
        #[serde(flatten)]
        step: Option<Box<Escalated>>,
        /// The tasks that nobody has sent, when a task waits for such, the first [`MAX_UNKNOWN_NAMED`] of them.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        unknown: Vec<TaskId>,
    },
    /// Say that so much of a clock is used up.
    WarnSla(Box<SlaNotice>),
    /// Say that all of it is.
    BreachSla(Box<SlaNotice>),
    /// Say that a due time moved.
    MoveDue(MovedDue),
    /// Say that a clock stopped, and how.
    StopSla(Box<StoppedClock>),
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
        /// Why, when it is not what was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<PriorityReason>,
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
    /// Tell the team that has it, or has it offered, what an earlier holder has said since.
    TellNext {
        /// The number of the offer, or of the ownership.
        assignment: u32,
        /// Remaining effort in minutes.
        remaining_minutes: u32,
        /// Earlier holders and what they said, for the team alone.
        #[serde(skip)]
        packet: Vec<Holder>,
    },
    /// Note that an earlier holder has completed it, too late for that to count.
    AttachCompletion {
        /// The number of its ownership.
        assignment: u32,
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
    /// Empty the closed tasks of a matter of payload and notes.
    PurgeMatter(Box<Purged>),
    /// Tell the head of the chain of facts, which whoever seals it adds.
    AnchorChain {},
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
    /// Say that nothing was read for a time, and that it is again.
    EndOutage {
        /// The last instant before it.
        since: DateTime<Utc>,
        /// How many updates were read that had been sent in it.
        updates: u32,
    },
    /// An override was set or has ended.
    ChangeOverride {
        /// What happened.
        change: OverrideChange,
        /// The override.
        #[serde(flatten, serialize_with = "body::without_team")]
        it: Box<Override>,
        /// Who ended it before its time.
        #[serde(skip_serializing_if = "Option::is_none")]
        ended_by: Option<String>,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        ended_because: Option<String>,
    },
    /// Keep the process, whose steps are tasks of their own.
    AdmitProcess(Box<ProcessAdmission>),
    /// The firm changed the process.
    AmendProcess {
        /// New deadline.
        #[serde(skip_serializing_if = "Option::is_none")]
        deadline: Option<DateTime<Utc>>,
        /// New priority.
        #[serde(skip_serializing_if = "Option::is_none")]
        priority: Option<Priority>,
    },
    /// All of its steps have ended.
    CompleteProcess {
        /// How many were completed.
        completed: usize,
        /// How many were cancelled.
        cancelled: usize,
    },
    /// The process is called off.
    CancelProcess {
        /// Why.
        reason: String,
    },
    /// Say that the deadline derived for a step moved.
    MoveDerived(DerivedMove),
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
            Self::ReportInfeasible { .. } => "task.infeasible",
            Self::ReportStalled { .. } => "task.stalled",
            Self::Offer(_) => "task.offered",
            Self::Withdraw { .. } => "task.withdrawn",
            Self::Accept { .. } => "task.accepted",
            Self::Decline { .. } => "task.declined",
            Self::Lapse { .. } => "task.lapsed",
            Self::Release { .. } => "task.released",
            Self::Recall { .. } => "task.recalled",
            Self::Direct { .. } => "task.directed",
            Self::RaiseEscalation { .. } => "escalation.raised",
            Self::WarnSla(_) => "sla.warned",
            Self::BreachSla(_) => "sla.breached",
            Self::MoveDue(_) => "sla.moved",
            Self::StopSla(_) => "sla.stopped",
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
            Self::TellNext { .. } => "handoff.told",
            Self::AttachCompletion { .. } => "handoff.completed_late",
            Self::PassHandoff { .. } => "handoff.passed",
            Self::DeclineHandoff { .. } => "handoff.declined",
            Self::ReachHandoffLimit { .. } => "handoff.limit_reached",
            Self::RaiseWall { .. } => "wall.raised",
            Self::ReportExposure(_) => "wall.exposure",
            Self::PurgeMatter(_) => "matter.purged",
            Self::AnchorChain {} => "audit.anchor",
            Self::RejectRequest { .. } => "request.rejected",
            Self::ReportConflict { .. } => "request.conflict",
            Self::RejectUpdate { .. } => "update.rejected",
            Self::EndOutage { .. } => "outage.ended",
            Self::ChangeOverride { .. } => "override.changed",
            Self::AdmitProcess(_) => "process.admitted",
            Self::AmendProcess { .. } => "process.amended",
            Self::CompleteProcess { .. } => "process.completed",
            Self::CancelProcess { .. } => "process.cancelled",
            Self::MoveDerived(_) => "task.rederived",
            Self::AdoptRoster { .. } => "roster.changed",
        }
    }

    /// What the team is told of earlier holders, and nobody else.
    #[must_use]
    pub fn packet(&self) -> Option<&[Holder]> {
        match self {
            Self::Offer(brief) => Some(&brief.packet),
            Self::TellNext { packet, .. } => Some(packet),
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
