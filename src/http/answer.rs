//! Answers as JSON. Instants are RFC 3339.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::engine::event::Refusal;
use crate::engine::explain::{Decision, Obstacle, Verdict};
use crate::engine::id::TaskId;
use crate::engine::process::ProcessState;
use crate::wire::fact::Fact;
use crate::wire::view::{TaskView, WaitingView};

use super::backend::{AsDecided, Check, Explanation, Role, SubmitAnswer, TeamMessage, TeamView, Unavailable};

/// How a work request was answered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub(super) enum Submitted {
    /// It is a task or a process now.
    Admitted {
        /// The task, or the process.
        #[schemars(with = "String")]
        task: TaskId,
        /// Its state after the commit; `open` of a process.
        state: &'static str,
        /// The team that has it offered or owns it.
        team: Option<String>,
    },
    /// The same request was admitted before.
    Duplicate {
        /// The task.
        #[schemars(with = "String")]
        task: TaskId,
    },
    /// It was not taken.
    Refused {
        /// Why: code, field, message.
        #[schemars(with = "serde_json::Value")]
        refusal: Refusal,
    },
    /// Whether it was taken is not known; send the same again.
    Unavailable {
        /// Why.
        detail: String,
    },
}

impl From<SubmitAnswer> for Submitted {
    fn from(answer: SubmitAnswer) -> Self {
        match answer {
            SubmitAnswer::Admitted { task, state, team } => {
                Self::Admitted { task, state, team: team.map(|team| team.as_str().into()) }
            }
            SubmitAnswer::Duplicate { task } => Self::Duplicate { task },
            SubmitAnswer::Refused(refusal) => Self::Refused { refusal },
            SubmitAnswer::Unavailable(Unavailable(detail)) => Self::Unavailable { detail },
        }
    }
}

/// An update that applied.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Applied {
    /// Always `applied`.
    outcome: &'static str,
    /// The task.
    #[schemars(with = "String")]
    task: TaskId,
}

impl Applied {
    pub(super) fn to(task: &TaskId) -> Self {
        Self { outcome: "applied", task: task.clone() }
    }
}

/// A page of tasks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TaskPage {
    /// The tasks, in order of arrival.
    pub(super) tasks: Vec<TaskView>,
    /// The `cursor` of the next page; none when this is the last.
    pub(super) next: Option<String>,
}

/// Why a task is where it is.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ExplanationView {
    /// The last decision as it was stored.
    #[schemars(with = "Option<serde_json::Value>")]
    decision: Option<Decision>,
    /// Every team's verdict as of that decision.
    as_decided: Option<AsDecided>,
    /// The last decision to pass it on or to keep it at a shift end, with its numbers.
    handoff: Option<FactView>,
    /// Why the task waits whatever the teams say, such as a hold, a pause or a predecessor.
    own_wait: Option<WaitingView>,
    /// With `team`: `offered` or `active` when that team has the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    has_it: Option<&'static str>,
    /// Every team's verdict as things stand at `at`; none for a task that has ended.
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    verdicts: Option<Vec<Verdict>>,
    /// With `team`: every "no" of that team in the order of the filters, each with what would clear it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    obstacles: Option<Vec<Obstacle>>,
    /// When the verdicts were worked out.
    #[schemars(with = "String")]
    at: DateTime<Utc>,
}

impl From<Explanation> for ExplanationView {
    fn from(explanation: Explanation) -> Self {
        let Explanation { decision, as_decided, handoff, own_wait, has_it, verdicts, obstacles, at } = explanation;
        let handoff = handoff.as_ref().map(FactView::from);
        let own_wait = own_wait.as_ref().map(WaitingView::from);
        Self { decision, as_decided, handoff, own_wait, has_it, verdicts, obstacles, at }
    }
}

/// A page of the facts of a task.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HistoryPage {
    /// The facts, in sequence.
    pub(super) facts: Vec<FactView>,
    /// The `after` of the next page; none when this is the last.
    pub(super) next: Option<u64>,
}

/// A fact.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FactView {
    /// Its number.
    seq: u64,
    /// When it was decided.
    #[schemars(with = "String")]
    at: DateTime<Utc>,
    /// The event type, such as `task.offered`.
    #[serde(rename = "type")]
    event_type: String,
    /// The number of this fact in its task.
    task_seq: Option<u64>,
    /// The team it concerns.
    team: Option<String>,
    /// The event as it was published; none when it was purged.
    #[schemars(with = "Option<serde_json::Value>")]
    body: Option<Box<RawValue>>,
}

impl From<&Fact> for FactView {
    fn from(fact: &Fact) -> Self {
        Self {
            seq: fact.seq.0,
            at: fact.at,
            event_type: fact.event_type.as_ref().into(),
            task_seq: fact.task.as_ref().map(|(_, task_seq)| *task_seq),
            team: fact.team.as_ref().map(|team| team.as_str().into()),
            body: raw(&fact.body),
        }
    }
}

/// All teams.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TeamList {
    /// The teams, in the order of their ids.
    pub(super) teams: Vec<TeamView>,
}

/// Messages to a team.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MessageList {
    /// The messages, in sequence.
    messages: Vec<MessageView>,
    /// The `after` that marks them as read; none when there are no messages.
    next: Option<u64>,
}

/// A message to a team.
#[derive(Debug, Serialize, JsonSchema)]
struct MessageView {
    /// Its number.
    seq: u64,
    /// What it is, such as `offer`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The message; none when it was purged.
    #[schemars(with = "Option<serde_json::Value>")]
    body: Option<Box<RawValue>>,
}

impl From<Vec<TeamMessage>> for MessageList {
    fn from(messages: Vec<TeamMessage>) -> Self {
        let next = messages.last().map(|message| message.seq.0);
        let view = |message: &TeamMessage| MessageView {
            seq: message.seq.0,
            kind: message.kind.as_str(),
            body: raw(&message.body),
        };
        Self { messages: messages.iter().map(view).collect(), next }
    }
}

/// Whether the daemon is ready.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Readiness {
    /// Whether it is.
    pub(super) ready: bool,
    /// Whether this daemon decides.
    pub(super) role: Role,
    /// What that rests on.
    pub(super) checks: Vec<Check>,
}

/// Whether the daemon lives.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Liveness {
    /// Whether it does.
    pub(super) live: bool,
}

/// JSON that is in hand as bytes.
fn raw(bytes: &[u8]) -> Option<Box<RawValue>> {
    serde_json::from_slice(bytes).ok()
}

/// The address of a task, or with its state that of a process.
pub(super) fn path_of(task: &TaskId, state: &str) -> String {
    let mut path =
        String::from(if state == ProcessState::Open.as_str() { "/api/v1/processes/" } else { "/api/v1/tasks/" });
    for byte in task.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-') {
            path.push(byte.into());
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    path
}
