//! What single effects say.

use crate::engine::sla::ClockBrief;
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use crate::engine::id::{ClientId, MatterId, ProcessId, RequestId, TaskId, TeamId, Term, WorkTypeId};
use crate::engine::overrides::{Override, OverrideKind};
use crate::engine::request::{Place, Priority, SkillNeed};
use crate::engine::task::{Holder, TurnDownCause};
use crate::engine::update::DeclineReason;

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

/// What happened to an override.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OverrideChange {
    /// Somebody set it.
    Set,
    /// Somebody ended it before its time.
    Removed,
    /// Its time is over.
    Expired,
}

/// An override without its team, which stands in the event already.
pub(super) fn without_team<S: Serializer>(it: &Override, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Brief<'a> {
        #[serde(rename = "override")]
        id: u64,
        #[serde(flatten)]
        kind: OverrideKind,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        author: &'a str,
        reason: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        ended_at: Option<DateTime<Utc>>,
    }
    let Override { id, kind, from, until, author, reason, ended_at, .. } = it;
    let brief = Brief { id: *id, kind: *kind, from: *from, until: *until, author, reason, ended_at: *ended_at };
    brief.serialize(serializer)
}

/// Why a priority is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PriorityReason {
    /// The client has had its urgent tasks of the day.
    UrgentQuota,
    /// A step of a clock.
    Escalation,
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

/// How many tasks a purge names of those that it empties, and of those that it leaves; the others are counted.
pub const MAX_PURGED_NAMED: usize = 100;

/// A matter whose closed tasks are emptied of payload and notes. It holds ids alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Purged {
    /// The client.
    #[serde(skip)]
    pub client: ClientId,
    /// The matter.
    pub matter: MatterId,
    /// Who asked for it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// How many tasks are emptied.
    pub count: u64,
    /// The first [`MAX_PURGED_NAMED`] of them.
    pub tasks: Vec<TaskId>,
    /// How many are open and left as they are.
    pub open_count: u64,
    /// The first [`MAX_PURGED_NAMED`] of them.
    pub left_open: Vec<TaskId>,
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
    /// The process that it is a step of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<TaskId>,
    /// When it must be done for that to be in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived_deadline: Option<DateTime<Utc>>,
}

/// What is told at the admission of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProcessAdmission {
    /// The firm's id of the request.
    pub id: RequestId,
    /// The firm's case.
    pub matter: MatterId,
    /// The template of the roster.
    pub process: Option<ProcessId>,
    /// Priority.
    pub priority: Priority,
    /// Instant by which all of it must be done.
    pub deadline: Option<DateTime<Utc>>,
    /// Its steps, each behind those that it waits for.
    pub steps: Vec<AdmittedStep>,
}

/// A step, as it is told at the admission of its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdmittedStep {
    /// Its name inside the request.
    pub step: RequestId,
    /// Its task.
    pub task: TaskId,
    /// Kind of work.
    pub work_type: WorkTypeId,
    /// Effort in minutes.
    pub effort_minutes: u32,
    /// The steps that must end first.
    pub after: Vec<RequestId>,
}

/// A deadline derived for a step that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DerivedMove {
    /// When the step had to be done.
    pub from: Option<DateTime<Utc>>,
    /// When it must be done now.
    pub to: Option<DateTime<Utc>>,
    /// Why.
    pub because: DerivedBecause,
}

/// Why the deadlines of steps are derived anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DerivedBecause {
    /// The deadline of the process was amended.
    DeadlineAmended,
    /// A step was amended.
    StepAmended,
    /// A step ended.
    StepEnded,
    /// A step that a team had had waits again.
    StepReturned,
    /// Teams, calendars or walls changed.
    TeamsChanged,
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
    /// Whether that is derived from the deadline of its process.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub derived: bool,
    /// Its running clocks so far.
    pub clocks: Vec<ClockBrief>,
    /// Earlier holders and what they said, for the team alone.
    #[serde(skip)]
    pub packet: Vec<Holder>,
    /// Whether the payload goes with this message.
    #[serde(skip)]
    pub with_payload: bool,
}

/// Most unknown tasks that an escalation names.
pub const MAX_UNKNOWN_NAMED: usize = 16;

/// What on-call staff are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationReason {
    /// A team declined with a conflict and is walled from the matter from now on.
    ConflictDeclared,
    /// So much of a clock is used up that its policy asks for a step.
    SlaStep,
    /// For long a task has waited for one that nobody has sent.
    UnknownPredecessor,
    /// A step of a process is later than its process allows.
    StepLate,
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
    /// The team was closed by an override.
    ClosedByOverride,
    /// The holder keeps the task, or another team is to have it next.
    Recalled,
    /// A clock of the task is so far used up that another team is to have it.
    Escalated,
}

impl WithdrawReason {
    /// How the team counts as having turned it down, if at all.
    #[must_use]
    pub fn turn_down(self) -> Option<TurnDownCause> {
        match self {
            Self::Unreachable => Some(TurnDownCause::Unreachable),
            Self::Escalated => Some(TurnDownCause::Lapsed),
            Self::ShiftEnd
            | Self::Paused
            | Self::Held
            | Self::Cancelled
            | Self::Amended
            | Self::RosterChanged
            | Self::QualificationEnded
            | Self::ClosedByOverride
            | Self::Recalled => None,
        }
    }
}
