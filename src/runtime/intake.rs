//! What reaches the one loop, and how it is answered once its facts are on disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::broker;
use crate::engine::event::OverrideWish;
use crate::engine::explain::{Obstacle, Verdict};
use crate::engine::id::{ClientId, TaskId, TeamId};
use crate::engine::overrides::Override;
use crate::engine::scheduler::{Census, ProcessForecast};
use crate::engine::sla::SlaPicture;
use crate::engine::task::Waiting;
use crate::http::{OverrideAnswer, PurgeAnswer, PurgeRequest, SubmitAnswer, UpdateAnswer};
use crate::wire::fact::FactSeq;
use crate::wire::update::SenderHint;

use super::candidate::Candidate;
use super::outlook::Said;
use super::snapshot::TeamSnapshot;

/// How many messages may wait for the loop; past it senders wait, and the broker keeps what it has.
pub const INTAKE_LIMIT: usize = 2_048;

/// A message to the loop.
#[derive(Debug)]
pub enum Inbound {
    /// From the broker.
    Delivery(Box<broker::Delivery>),
    /// Requests over HTTP, answered in order after the commit.
    Requests {
        /// The bodies, unread.
        bodies: Vec<Bytes>,
        /// Whose requests the caller may send; those of any client without it.
        clients: Option<Arc<[ClientId]>>,
        /// Where the answers go.
        reply: oneshot::Sender<Vec<SubmitAnswer>>,
    },
    /// An update over HTTP.
    Update {
        /// The body, unread.
        body: Bytes,
        /// The task that the call names.
        task: TaskId,
        /// Who sends it, as far as known.
        sender: SenderHint,
        /// Where the answer goes.
        reply: oneshot::Sender<UpdateAnswer>,
    },
    /// A team has read its messages up to here over HTTP.
    MessagesRead {
        /// The team.
        team: TeamId,
        /// The last message read.
        up_to: FactSeq,
        /// Told when it is durable.
        reply: oneshot::Sender<()>,
    },
    /// An override is to be set or removed, or only tried.
    Override {
        /// What is wished.
        wish: OverrideWish,
        /// Only to say what it would bring about.
        preview: bool,
        /// Where the answer goes.
        reply: oneshot::Sender<OverrideAnswer>,
    },
    /// The closed tasks of a matter are to be emptied.
    Purge {
        /// Which, and on whose word.
        request: PurgeRequest,
        /// Where the answer goes.
        reply: oneshot::Sender<PurgeAnswer>,
    },
    /// The overrides that stand or are to come, and the check index.
    Overrides(oneshot::Sender<(Vec<Override>, u64)>),
    /// What is expected of the hours ahead, to be written down.
    Outlook(Said),
    /// A roster that may come into force.
    Roster(Box<Candidate>),
    /// Consuming has begun on a new link: so many updates were waiting.
    Consuming {
        /// How many.
        updates: u64,
    },
    /// The link that was consumed on is lost.
    LinkLost,
    /// A look at the loop's state, answered once what it rests on is committed.
    Inspect(oneshot::Sender<Inspection>),
    /// When the steps of an open process are expected to be done; `None` when it is not open.
    Forecast {
        /// The process.
        process: TaskId,
        /// Where the answer goes.
        reply: oneshot::Sender<Option<ProcessForecast>>,
    },
    /// Every team's verdict on an open task now.
    Explain {
        /// The task.
        task: TaskId,
        /// Only this team, with every obstacle in its way.
        team: Option<TeamId>,
        /// Where the answer goes; `None` when the task is not open.
        reply: oneshot::Sender<Option<Explained>>,
    },
}

/// What teams say to an open task at the engine's time.
#[derive(Debug)]
pub struct Explained {
    /// One verdict a team, in the order of team ids.
    pub verdicts: Vec<Verdict>,
    /// Why the task waits whatever they say.
    pub own_wait: Option<Waiting>,
    /// Every "no" of the one team that was asked about.
    pub obstacles: Option<Vec<Obstacle>>,
    /// The engine's time.
    pub at: DateTime<Utc>,
}

/// The loop's state at one instant.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Counts of open tasks.
    pub census: Census,
    /// How they stand to their clocks.
    pub sla: SlaPicture,
    /// How many tasks are open.
    pub open_tasks: usize,
    /// How many processes are open.
    pub open_processes: usize,
    /// Every team, in the order of team ids.
    pub teams: Vec<TeamSnapshot>,
    /// How many overrides of each kind stand.
    pub overrides: BTreeMap<&'static str, u64>,
    /// Messages that could not be delivered, by team.
    pub undelivered: BTreeMap<TeamId, u64>,
}
