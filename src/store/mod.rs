//! Where facts and tasks are kept: the port that every store implements.
//!
//! A batch is written in one transaction and is durable when [`Writer::commit`] returns: facts, the rows of the tasks
//! they changed, payloads, answers to updates, cursors and the watermark of what has been published. A writer that
//! fails is not used again: its owner drops all memory and recovers from the store.

mod forgetting;
mod guard;
pub mod postgres;
mod rows;
pub mod sqlite;
mod tip;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::engine::event::{EndedTask, Refusal, UpdateResult};
use crate::engine::fairness::Mark;
use crate::engine::id::{ClientId, MatterId, RequestId, TaskId, TeamId};
use crate::engine::load::Held;
use crate::engine::outlook::{Demand, Hour};
use crate::engine::overrides::{Override, Overrides};
use crate::engine::process::Process;
use crate::engine::roster::RosterDigest;
use crate::engine::sla::Segment;
use crate::engine::task::Task;
use crate::engine::update::{KeptUpdate, Sender};
use crate::engine::walls::Walled;
use crate::wire::chain::Head;
use crate::wire::cost::{Cost, CostQuery};
use crate::wire::fact::{Fact, FactSeq, Link};

pub use forgetting::{Forgetting, Forgotten};

/// What one transaction writes.
#[derive(Debug, Default)]
pub struct Batch {
    /// Facts in sequence, following the last one stored without a hole.
    pub facts: Vec<Fact>,
    /// Tasks that changed, in their state after the batch; at most one entry a task.
    pub tasks: Vec<TaskRow>,
    /// Processes that changed, in their state after the batch; at most one entry a process.
    pub processes: Vec<ProcessRow>,
    /// Segments of clocks that were closed, each where the one before it ended; they are never changed.
    pub segments: Vec<Segment>,
    /// Payloads of admitted requests; that of a process goes with each of its steps.
    pub payloads: Vec<(TaskId, Arc<[u8]>)>,
    /// Answers to updates, for their repeats.
    pub updates: Vec<(Sender, RequestId, UpdateResult)>,
    /// Walls that teams raised by declining with a conflict.
    pub conflicts: Vec<Conflict>,
    /// Updates that came before their request.
    pub kept: Vec<KeptUpdate>,
    /// Kept updates that were applied or ran out; a refusal replaces the answer that was given when it came.
    pub kept_done: Vec<(Sender, RequestId, Option<Refusal>)>,
    /// Messages that are about to be handled alone, with how many times that was tried.
    pub suspects: Vec<(Link, u32)>,
    /// Suspects that were handled.
    pub cleared_suspects: Vec<Link>,
    /// How far teams have read their messages over HTTP; one below what is stored changes nothing.
    pub cursors: Vec<(TeamId, FactSeq)>,
    /// Facts that could not be delivered, and the queue that they were for.
    pub undelivered: Vec<(FactSeq, TeamId)>,
    /// Undelivered facts that have been delivered since.
    pub delivered: Vec<FactSeq>,
    /// Messages that a wall kept from their team.
    pub suppressed: Vec<FactSeq>,
    /// Every fact up to here has been published or stands in `undelivered`.
    pub watermark: Option<FactSeq>,
    /// A roster that came into force.
    pub roster: Option<RosterVersion>,
    /// The walls of that roster, which replace those of the one before.
    pub walls: Option<Vec<Walled>>,
    /// Overrides that were set or have ended, each with the fact that tells of it.
    pub overrides: Vec<(Override, FactSeq)>,
    /// What the waiting order remembers otherwise than before; 0 is nothing.
    pub marks: BTreeMap<Mark, u64>,
    /// Matters whose closed tasks are to be emptied, each with the fact that tells of it.
    pub purges: Vec<Purge>,
    /// Effort of admitted tasks in minutes, by the hour and what they ask for.
    pub arrivals: BTreeMap<(Hour, String), u64>,
    /// What is expected of the hours from one on.
    pub outlooks: BTreeMap<(Hour, String), u64>,
    /// Up to when the engine had decided all that fell due.
    pub at: Option<DateTime<Utc>>,
}

/// A wall that a team raised by declining with a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The team.
    pub team: TeamId,
    /// The firm.
    pub client: ClientId,
    /// The firm's case.
    pub matter: MatterId,
    /// The fact that told of it.
    pub seq: FactSeq,
}

/// A matter whose closed tasks are to be emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purge {
    /// The fact that tells of it.
    pub seq: FactSeq,
    /// The firm.
    pub client: ClientId,
    /// The firm's case.
    pub matter: MatterId,
    /// Tasks that had ended by then.
    pub at: DateTime<Utc>,
}

/// A task as it is stored: columns to search by, and its state as JSON.
#[derive(Debug, Clone)]
pub struct TaskRow {
    /// The task.
    pub task: Arc<Task>,
    /// When a timer of it is due next.
    pub next_due_at: Option<DateTime<Utc>>,
}

/// A process as it is stored.
#[derive(Debug, Clone)]
pub struct ProcessRow {
    /// The process.
    pub process: Arc<Process>,
    /// When a timer of it is due next.
    pub next_due_at: Option<DateTime<Utc>>,
}

/// A roster as it came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RosterVersion {
    /// SHA-256 of the bytes.
    pub digest: RosterDigest,
    /// The file's bytes; several files are joined by the roster layer.
    pub text: Arc<str>,
    /// Since when.
    pub at: DateTime<Utc>,
    /// The fact with which it came into force; 0 when a version before this one wrote it.
    pub seq: FactSeq,
}

/// What a daemon needs to go on from where the last one stopped.
#[derive(Debug)]
pub struct Recovered {
    /// The walls of the roster in force.
    pub walls: Vec<Walled>,
    /// Random name of this life of the store; part of every message id.
    pub incarnation: Arc<str>,
    /// The last fact.
    pub last_seq: FactSeq,
    /// The chain's link to it; zeros when there is none.
    pub last_link: Link,
    /// Every fact up to here has been published or stands in `undelivered`.
    pub watermark: FactSeq,
    /// Undelivered facts with the team whose queue they were for.
    pub undelivered: Vec<(FactSeq, TeamId)>,
    /// Up to when the engine had decided all that fell due, at the last batch.
    pub last_at: Option<DateTime<Utc>>,
    /// The next arrival number.
    pub next_arrival: u64,
    /// All open tasks, in order of arrival.
    pub open: Vec<Task>,
    /// All open processes, in order of arrival.
    pub processes: Vec<Process>,
    /// The newest tasks that ended, at most [`RECENT_ENDED`], the newest last; affinity reads them.
    pub recent_ended: Vec<Task>,
    /// Walls that teams raised, in the order in which they did.
    pub conflicts: Vec<(TeamId, ClientId, MatterId)>,
    /// Updates that came before their request, in the order in which they did.
    pub kept: Vec<KeptUpdate>,
    /// The roster that was last in force.
    pub roster: Option<RosterVersion>,
    /// The overrides.
    pub overrides: Overrides,
    /// What the waiting order remembers.
    pub marks: BTreeMap<Mark, u64>,
    /// The last fact that told of a change of the roster or of overrides.
    pub check_index: FactSeq,
}

/// Who leads the daemons of a store, or led last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leader {
    /// The number of its leadership; 0 before the first.
    pub epoch: u64,
    /// What it is called.
    pub holder: Box<str>,
    /// How long its lease lasts, in milliseconds; less than 0 when it has run out.
    pub expires_in_ms: i64,
}

/// How many ended tasks are recovered.
pub const RECENT_ENDED: usize = 10_000;

/// The one writer of a store.
pub trait Writer: Send {
    /// Reads everything that a start needs.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read or contradicts itself.
    fn recover(&mut self) -> Result<Recovered, StoreError>;

    /// Writes a batch in one transaction; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]; the writer must not be used again.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Another reader of committed state, for use beside the writer.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be opened.
    fn reader(&self) -> Result<Box<dyn Reader>, StoreError>;

    /// Moves the write-ahead log into the store; called when idle, so that no commit pays for it.
    ///
    /// # Errors
    /// [`StoreError`]; the writer must not be used again.
    fn checkpoint(&mut self) -> Result<(), StoreError>;

    /// Forgets a portion of what is to be forgotten by now, in one transaction.
    ///
    /// # Errors
    /// [`StoreError`]; the writer must not be used again.
    fn forget(&mut self, what: &Forgetting) -> Result<Forgotten, StoreError>;

    /// Cuts the write-ahead log back to nothing, so that what was forgotten is not left there either; `false` when a reader
    /// keeps it from that.
    ///
    /// # Errors
    /// [`StoreError`]; the writer must not be used again.
    fn cut_log(&mut self) -> Result<bool, StoreError>;
}

/// Reads committed state only.
pub trait Reader: Send {
    /// What is known of tasks and processes of these ids that have ended, in the same order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn ended(&mut self, ids: &[TaskId]) -> Result<Vec<Option<EndedTask>>, StoreError>;

    /// The answer to an earlier update.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn update_result(&mut self, sender: &Sender, id: &RequestId) -> Result<Option<UpdateResult>, StoreError>;

    /// How many times a suspect was tried alone.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn suspect_attempts(&mut self, message: &Link) -> Result<u32, StoreError>;

    /// Facts after a position, at most `limit`, in sequence.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn facts_after(&mut self, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError>;

    /// The last fact before those that are kept, behind which the chain is read: number 0 as long as nothing was forgotten.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn chain_start(&mut self) -> Result<Head, StoreError>;

    /// The last fact after a position that told the head of the chain; 0 when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn last_anchor(&mut self, after: FactSeq) -> Result<FactSeq, StoreError>;

    /// The number of the first fact that is kept and was decided at this instant or later; one above the last when there is
    /// none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn first_fact_since(&mut self, at: DateTime<Utc>) -> Result<FactSeq, StoreError>;

    /// Facts of a task after a position, in sequence, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn history(&mut self, task: &TaskId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError>;

    /// Facts addressed to a team after a position, at most `limit`, in sequence.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn messages_for(&mut self, team: &TeamId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError>;

    /// The last fact addressed to a team; 0 when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn last_message_for(&mut self, team: &TeamId) -> Result<FactSeq, StoreError>;

    /// The decision stored last for a task; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn last_decision(&mut self, task: &TaskId) -> Result<Option<StoredDecision>, StoreError>;

    /// The fact of a task with its last decision to pass it on or to keep it; `None` when there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn last_handoff(&mut self, task: &TaskId) -> Result<Option<Fact>, StoreError>;

    /// How much each of these teams held before a fact, in the same order; `None` where the facts kept do not say.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn held_before(&mut self, fact: FactSeq, teams: &[TeamId]) -> Result<Vec<Option<Held>>, StoreError>;

    /// The teams that had declared a conflict with a matter before a fact.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn conflicts_before(
        &mut self,
        fact: FactSeq,
        client: &ClientId,
        matter: &MatterId,
    ) -> Result<Vec<TeamId>, StoreError>;

    /// The messages before a fact that told a team of work of a client, or of one matter of it, without those that were
    /// suppressed: the first `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn told(&mut self, wall: &Walled, before: FactSeq, limit: usize) -> Result<Vec<(FactSeq, TaskId)>, StoreError>;

    /// How far a team has read over HTTP.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn cursor(&mut self, team: &TeamId) -> Result<FactSeq, StoreError>;

    /// Facts by their positions, those that exist.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn facts_at(&mut self, seqs: &[FactSeq]) -> Result<Vec<Fact>, StoreError>;

    /// The payload of the request of a task or a step; `None` when there is none or it was purged.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn payload(&mut self, task: &TaskId) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// One task.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn task(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError>;

    /// One process, with the tasks of its steps in their order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn process(&mut self, id: &TaskId) -> Result<Option<(Process, Vec<Task>)>, StoreError>;

    /// Processes that match, in order of arrival.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn processes(&mut self, query: &ProcessQuery) -> Result<Vec<Process>, StoreError>;

    /// The closed segments of a task's clocks, clock by clock, in order; none for an unknown task.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn segments(&mut self, task: &TaskId) -> Result<Vec<Segment>, StoreError>;

    /// Tasks that match, in order of arrival.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn tasks(&mut self, query: &TaskQuery) -> Result<Vec<Task>, StoreError>;

    /// What was worked on the tasks that ended in a span of time, and what it cost, in the order of the names.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn costs(&mut self, query: CostQuery) -> Result<Vec<Cost>, StoreError>;

    /// The tasks of a matter, those that have ended by `at` and are not emptied, and those that are open.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn matter(&mut self, client: &ClientId, matter: &MatterId, at: DateTime<Utc>) -> Result<MatterTasks, StoreError>;

    /// What an outlook at an hour rests on.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn demand(&mut self, now: Hour) -> Result<Demand, StoreError>;

    /// The overrides as they were before a fact.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn overrides_before(&mut self, fact: FactSeq) -> Result<Overrides, StoreError>;

    /// A roster that was in force.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    fn roster(&mut self, digest: &RosterDigest) -> Result<Option<RosterVersion>, StoreError>;
}

/// A decision as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDecision {
    /// The fact that it stands with.
    pub seq: FactSeq,
    /// The decision as JSON.
    pub json: Arc<[u8]>,
}

/// The tasks of a matter, as a purge would find them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MatterTasks {
    /// Whether there is any task of it.
    pub is_known: bool,
    /// How many have ended and still have payload or notes.
    pub closed: u64,
    /// The first of them, [`MAX_PURGED_NAMED`](crate::engine::effect::MAX_PURGED_NAMED) at most.
    pub closed_named: Vec<TaskId>,
    /// How many are open.
    pub open: u64,
    /// The first of them, [`MAX_PURGED_NAMED`](crate::engine::effect::MAX_PURGED_NAMED) at most.
    pub open_named: Vec<TaskId>,
}

/// Which tasks to list.
#[derive(Debug, Clone, Default)]
pub struct TaskQuery {
    /// Only this client's.
    pub client: Option<ClientId>,
    /// Only those offered to, owned by or completed by this team.
    pub team: Option<TeamId>,
    /// Only in this state, such as `waiting`.
    pub state: Option<String>,
    /// Only with an arrival number above this one.
    pub after_arrival: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

/// Which processes to list.
#[derive(Debug, Clone, Default)]
pub struct ProcessQuery {
    /// Only this client's.
    pub client: Option<ClientId>,
    /// Only of this matter.
    pub matter: Option<MatterId>,
    /// Only in this state, such as `open`.
    pub state: Option<String>,
    /// Only with an arrival number above this one.
    pub after_arrival: Option<u64>,
    /// At most this many.
    pub limit: usize,
}

#[cfg(feature = "failpoints")]
impl StoreError {
    /// What a test makes of a step.
    pub(crate) fn at_step(step: &'static str) -> Self {
        Self::Failed { during: step, message: "a test made it fail".into() }
    }
}

/// A store that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("store {path} is in use by another process; stop that one first, or name another file")]
    InUse {
        /// The file.
        path: String,
    },
    /// A newer version wrote it.
    #[error("store {path} has schema version {found}, this program knows up to {known}; use a newer program")]
    TooNew {
        /// The file.
        path: String,
        /// Version found.
        found: u32,
        /// Newest version known.
        known: u32,
    },
    /// An older version wrote it.
    #[error("store {path} has schema version {found}, this program copies {known}; start the daemon on it once")]
    TooOld {
        /// The file.
        path: String,
        /// Version found.
        found: u32,
        /// The version that is copied.
        known: u32,
    },
    /// Something stands where a copy is to be.
    #[error("{path} exists and is not overwritten; name another file, or move it away")]
    Exists {
        /// The file.
        path: String,
    },
    /// The file is a copy and was opened as if it were the store itself.
    #[error(
        "store {path} is a copy made at {at}: what the original did since is not in it. If it is to go on in the original's \
         place, stop that one for good and start once with `serve --restored`"
    )]
    IsCopy {
        /// The file.
        path: String,
        /// When it was made.
        at: DateTime<Utc>,
    },
    /// The file was opened as a copy and is none.
    #[error(
        "store {path} does not exist, is no copy of `heliograph backup`, or was restored before; start without --restored, or \
         name the copy"
    )]
    IsNoCopy {
        /// The file.
        path: String,
    },
    /// A copy has the log of another file beside it, which opening it would write into it.
    #[error(
        "{log} lies beside the copy {path} and is the log of another file; opening the copy would write it into it. Move it \
         and the file that ends in -shm away, and start again"
    )]
    ForeignLog {
        /// The copy.
        path: String,
        /// The log.
        log: String,
    },
    /// A setting did not take effect.
    #[error("store setting {name} is {found:?} and must be {wanted:?}")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// Its value.
        found: String,
        /// The value that durability needs.
        wanted: &'static str,
    },
    /// The database does not let this daemon in.
    #[error("the database turns this daemon away: {message}; look at store.postgres and at the server's rules")]
    Refused {
        /// What it said.
        message: String,
    },
    /// Another daemon leads: nothing of what was to be written is stored.
    #[error("another daemon leads since epoch {epoch} ended; nothing was written")]
    Fenced {
        /// The leadership under which it was to be written.
        epoch: u64,
    },
    /// Rows contradict each other.
    #[error("store is inconsistent: {0}; restore a backup")]
    Inconsistent(String),
    /// The storage failed; what was not committed is unknown.
    #[error("store failed in {during}: {message}")]
    Failed {
        /// What was being done.
        during: &'static str,
        /// What the storage said.
        message: String,
    },
}
