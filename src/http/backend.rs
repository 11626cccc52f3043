//! What the routes ask of the daemon; the runtime answers.
//!
//! Every answer shows committed state only. Nothing here waits for anything but a commit or a read: waiting for
//! messages and events is done by the routes, on the numbers of committed facts that [`Backend::committed`] and
//! [`Backend::committed_for`] tell.

use std::future::Future;
use std::sync::Arc;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::watch;

use crate::engine::coverage::Coverage;
use crate::engine::effect::WorkMessage;
use crate::engine::event::{OverrideWish, Refusal};
use crate::engine::explain::{Decision, Obstacle, Verdict};
use crate::engine::id::{ClientId, MatterId, TaskId, TeamId};
use crate::engine::outlook::Outlook;
use crate::engine::overrides::Override;
use crate::engine::process::Process;
use crate::engine::roster::Delivery;
use crate::engine::sla::Segment;
use crate::engine::task::{Arrival, Task, Waiting};
use crate::wire::chain::Head;
use crate::wire::cost::{Cost, CostQuery};
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::update::SenderHint;

use super::overrides::OverrideAnswer;
use super::processes::ProcessReport;
use super::purges::{PurgeAnswer, PurgeRequest};
use super::roster::{NoPlan, RosterPlan};

/// The daemon behind the routes.
pub trait Backend: Clone + Send + Sync + 'static {
    /// Handles work requests, each the raw bytes of one, and answers them in the same order after the commit. One of a
    /// client that is not among `clients` is refused; without it, those of all clients are taken.
    fn submit(
        &self,
        requests: Vec<Bytes>,
        clients: Option<Arc<[ClientId]>>,
    ) -> impl Future<Output = Vec<SubmitAnswer>> + Send;

    /// Handles an update and answers after the commit. A body that names another task than `task` is refused.
    fn update(&self, task: TaskId, body: Bytes, sender: SenderHint) -> impl Future<Output = UpdateAnswer> + Send;

    /// One task; `None` when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn task(&self, id: &TaskId) -> impl Future<Output = Result<Option<Task>, Unavailable>> + Send;

    /// The closed segments of a task's clocks, in order; none for an unknown task.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn segments(&self, id: &TaskId) -> impl Future<Output = Result<Vec<Segment>, Unavailable>> + Send;

    /// Tasks that match, in order of arrival, at most `filter.limit`.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn tasks(&self, filter: TaskFilter) -> impl Future<Output = Result<Vec<Task>, Unavailable>> + Send;

    /// One process; `None` when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn process(&self, id: &TaskId) -> impl Future<Output = Result<Option<ProcessReport>, Unavailable>> + Send;

    /// Processes that match, in order of arrival, at most `filter.limit`.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn processes(&self, filter: ProcessFilter) -> impl Future<Output = Result<Vec<Process>, Unavailable>> + Send;

    /// The facts of a task or a process with a number above `after`, in sequence, at most `limit`; none for an unknown task.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn history(
        &self,
        id: &TaskId,
        after: FactSeq,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<Fact>, Unavailable>> + Send;

    /// Why a task is where it is; `None` when there is no such task. With a team, what that team says alone, with every
    /// obstacle in its way.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn explanation(
        &self,
        id: &TaskId,
        team: Option<&TeamId>,
    ) -> impl Future<Output = Result<Option<Explanation>, Unavailable>> + Send;

    /// Whether the roster in force has a team.
    ///
    /// # Errors
    /// [`NoSuchTeam`] when it has none.
    fn has_team(&self, team: &TeamId) -> Result<(), NoSuchTeam>;

    /// Whether a wall stands between a team and a matter.
    fn is_walled(&self, team: &TeamId, client: &ClientId, matter: &MatterId) -> bool;

    /// All teams of the roster in force, in the order of their ids.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn teams(&self) -> impl Future<Output = Result<Vec<TeamView>, Unavailable>> + Send;

    /// Messages to a team that reads over HTTP, in sequence, at most `limit`, at once.
    ///
    /// With `after`, every message up to it counts as read, durably before the answer, and those behind it are
    /// returned; without, those that are not read yet.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read or written now.
    fn messages(
        &self,
        team: &TeamId,
        after: Option<FactSeq>,
        limit: usize,
    ) -> impl Future<Output = Result<Mailbox, Unavailable>> + Send;

    /// Facts after a position, in sequence, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn events_after(&self, after: FactSeq, limit: usize)
    -> impl Future<Output = Result<Vec<Fact>, Unavailable>> + Send;

    /// Where the chain of facts that is kept begins, and its facts after a position, in sequence, at most `limit`.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn chain(
        &self,
        after: FactSeq,
        limit: usize,
    ) -> impl Future<Output = Result<(Head, Vec<Fact>), Unavailable>> + Send;

    /// The number of the oldest fact from which a reader of events can go on; one above the last when there is none.
    ///
    /// # Errors
    /// [`Unavailable`] when committed state cannot be read now.
    fn oldest_event(&self) -> impl Future<Output = Result<FactSeq, Unavailable>> + Send;

    /// What a roster would change, given as one text.
    ///
    /// # Errors
    /// [`NoPlan`] when it has faults, or the daemon cannot answer now.
    fn plan_roster(&self, text: String) -> impl Future<Output = Result<RosterPlan, NoPlan>> + Send;

    /// Brings a roster into force, unless roster or overrides have changed since `check_index`; answered after the commit. One
    /// that was in force before comes back only when it is forced.
    ///
    /// # Errors
    /// As [`Backend::plan_roster`].
    fn apply_roster(
        &self,
        text: String,
        check_index: u64,
        forced: bool,
    ) -> impl Future<Output = Result<RosterPlan, NoPlan>> + Send;

    /// Sets or removes an override, answered after the commit; or, with `preview`, says what that would bring about.
    fn override_team(&self, wish: OverrideWish, preview: bool) -> impl Future<Output = OverrideAnswer> + Send;

    /// Empties the closed tasks of a matter of payload and notes, answered when that is done or goes on for long; or, as a
    /// dry run, says which those would be.
    fn purge(&self, request: PurgeRequest) -> impl Future<Output = PurgeAnswer> + Send;

    /// What was worked on tasks that ended in a span of time, and what it cost.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be read.
    fn costs(&self, query: CostQuery) -> impl Future<Output = Result<Vec<Cost>, Unavailable>> + Send;

    /// The coverage of so many days ahead, with the overrides as they stand.
    ///
    /// # Errors
    /// [`Unavailable`] when the daemon cannot answer now.
    fn coverage(&self, days: u32) -> impl Future<Output = Result<Coverage, Unavailable>> + Send;

    /// What is booked and expected in the hours ahead, against those who are open.
    ///
    /// # Errors
    /// [`Unavailable`] when the store cannot be read.
    fn outlook(&self) -> impl Future<Output = Result<Outlook, Unavailable>> + Send;

    /// The overrides that stand or are to come, by number, and the check index.
    ///
    /// # Errors
    /// [`Unavailable`] when the daemon cannot answer now.
    fn overrides(&self) -> impl Future<Output = Result<(Vec<Override>, u64), Unavailable>> + Send;

    /// The number of the last committed fact, as it rises.
    fn committed(&self) -> watch::Receiver<FactSeq>;

    /// The number of the last committed fact that is addressed to a team, as it rises; `None` when the roster has no
    /// such team. It ends when the team leaves the roster.
    fn committed_for(&self, team: &TeamId) -> Option<watch::Receiver<FactSeq>>;

    /// How the daemon is.
    fn health(&self) -> Health;

    /// The metrics as Prometheus text.
    fn metrics(&self) -> String;
}

/// How a work request is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubmitAnswer {
    /// It is a task or a process now.
    Admitted {
        /// The task, or the process.
        task: TaskId,
        /// Its state after the commit, such as `offered`; `open` of a process.
        state: &'static str,
        /// The team that has it offered or owns it.
        team: Option<TeamId>,
    },
    /// The same request was admitted before.
    Duplicate {
        /// The task.
        task: TaskId,
    },
    /// It was not taken.
    Refused(Refusal),
    /// Whether it was taken is not known or it was not looked at; the same request may be sent again.
    Unavailable(Unavailable),
}

/// How an update is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateAnswer {
    /// It applied; so did its first copy when this is a repeat.
    Applied,
    /// It did not.
    Refused(Refusal),
    /// Whether it applied is not known or it was not looked at; the same update may be sent again.
    Unavailable(Unavailable),
}

/// The daemon cannot answer now: it is starting or stopping, it stands by, or its store failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(
    /// Why, and on a standby who leads.
    pub String,
);

/// A team that the roster in force does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no team {team}{}", nearest.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
pub struct NoSuchTeam {
    /// The name that was given.
    pub team: TeamId,
    /// The name of the roster that is most like it, if any is.
    pub nearest: Option<String>,
}

/// Which tasks to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only this client's.
    pub client: Option<ClientId>,
    /// Only those offered to, owned by or completed by this team.
    pub team: Option<TeamId>,
    /// Only in this state, a word of [`crate::engine::task::TaskState::as_str`].
    pub state: Option<&'static str>,
    /// Only those that arrived after this one.
    pub after: Option<Arrival>,
    /// At most this many.
    pub limit: usize,
}

/// Which processes to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFilter {
    /// Only this client's.
    pub client: Option<ClientId>,
    /// Only of this matter.
    pub matter: Option<MatterId>,
    /// Only in this state, a word of [`crate::engine::process::ProcessState::as_str`].
    pub state: Option<&'static str>,
    /// Only those that arrived after this one.
    pub after: Option<Arrival>,
    /// At most this many.
    pub limit: usize,
}

/// Why a task is where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// The last decision as it was stored; `None` when nothing has been decided yet.
    pub decision: Option<Decision>,
    /// Every team's verdict as of that decision; `None` when nothing has been decided yet.
    pub as_decided: Option<AsDecided>,
    /// The fact with the last decision to pass it on or to keep it; `None` when there was none.
    pub handoff: Option<Fact>,
    /// Why the task waits whatever the teams say, such as a hold.
    pub own_wait: Option<Waiting>,
    /// With one team: `offered` or `active` when that team has the task.
    pub has_it: Option<&'static str>,
    /// Every team's verdict, worked out again as things stand now; `None` for a task that has ended.
    pub verdicts: Option<Vec<Verdict>>,
    /// Every "no" of the one team that was asked about, in the order of the filters.
    pub obstacles: Option<Vec<Obstacle>>,
    /// When the verdicts were worked out.
    pub at: DateTime<Utc>,
}

/// The full table of a stored decision, worked out again from the roster, the facts and the task's row.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AsDecided {
    /// One verdict a team, in the order of their ids; `None` when it cannot be worked out any more.
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub verdicts: Option<Vec<Verdict>>,
    /// In what it may differ from what held then, or why there is none.
    pub caveats: Vec<String>,
}

/// A team as the roster has it and as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TeamView {
    /// Its id.
    #[schemars(with = "String")]
    pub id: TeamId,
    /// Its name for people.
    pub name: String,
    /// Its country, with a subdivision where one is given.
    pub country: String,
    /// Id of its calendar.
    pub calendar: String,
    /// Whether it is open now.
    pub open: bool,
    /// When that changes next; `None` is not within the horizon.
    #[schemars(with = "Option<String>")]
    pub next_transition_at: Option<DateTime<Utc>>,
    /// Most tasks at once; `None` when its room is counted in effort.
    pub seats: Option<u32>,
    /// Most remaining effort at once, in minutes; `None` when its room is counted in tasks.
    pub effort_limit_minutes: Option<u32>,
    /// Tasks that take a seat: offered or owned, and not paused.
    pub used: u32,
    /// The remaining effort of those, in minutes.
    pub used_minutes: u32,
    /// How messages reach it.
    #[schemars(with = "String")]
    pub delivery: Delivery,
    /// Messages that could not be delivered and are tried again.
    pub undelivered: u64,
    /// Takes nothing new.
    pub retired: bool,
}

/// What a team finds when it reads its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mailbox {
    /// These.
    Messages(Vec<TeamMessage>),
    /// The roster has no such team.
    UnknownTeam,
    /// The team reads its RabbitMQ queue, not HTTP.
    ReadsItsQueue,
    /// The message said to be read was never sent to the team; nothing was marked as read.
    NeverSent {
        /// The last that was; 0 when there was none.
        last: FactSeq,
    },
}

/// A message to a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamMessage {
    /// The number of its fact.
    pub seq: FactSeq,
    /// What it is.
    pub kind: WorkMessage,
    /// A JSON object, with the payload when the message carries it.
    pub body: Bytes,
}

/// How the daemon is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Whether the loop ticked lately; never depends on the broker.
    pub live: bool,
    /// Whether this daemon decides.
    pub role: Role,
    /// What readiness rests on.
    pub checks: Vec<Check>,
}

/// Whether a daemon decides or stands by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It decides.
    Active,
    /// Another one does.
    Standby,
}

/// One thing that readiness rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Check {
    /// Such as `store`, `roster`, `broker`, `clock`, `leadership`.
    pub name: &'static str,
    /// Whether it is as it should be.
    pub ok: bool,
    /// What is seen, without secrets; empty for a caller that may not read everything.
    pub detail: String,
}
