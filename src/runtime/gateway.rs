//! What HTTP asks, answered from the loop and from committed state.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use chrono::TimeDelta;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};

use crate::engine::coverage::{self, Coverage};
use crate::engine::effect::WorkMessage;
use crate::engine::event::OverrideWish;
use crate::engine::explain::Decision;
use crate::engine::id::{ClientId, MatterId, TaskId, TeamId};
use crate::engine::outlook::{self, Outlook};
use crate::engine::overrides::Override;
use crate::engine::process::Process;
use crate::engine::sla::Segment;
use crate::engine::task::Task;
use crate::http::{
    Backend, Explanation, Health, Mailbox, NoPlan, NoSuchTeam, OverrideAnswer, ProcessFilter, ProcessReport,
    PurgeAnswer, PurgeRequest, RosterPlan, SubmitAnswer, TaskFilter, TeamMessage, TeamView, Unavailable, UpdateAnswer,
};
use crate::roster::nearest;
use crate::roster::zones::ZoneSource;
use crate::store::{ProcessQuery, Reader, StoreError, StoredDecision, TaskQuery};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Queue, StoreOperation};
use crate::wire::chain::Head;
use crate::wire::cost::{Cost, CostQuery};
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message;
use crate::wire::update::SenderHint;

use super::clock::Clock;
use super::hindsight::{Made, Rosters};
use super::in_force::InForce;
use super::intake::{Explained, Inbound};
use super::reload::{Apply, Ask};
use super::status::Status;
use super::walls::WallsInForce;

/// How many reads of the store go on at once; more wait.
pub const READERS: usize = 4;

/// How long a purge is waited for; after that its answer says that it goes on.
const PURGED_WITHIN: Duration = Duration::from_secs(30);

/// The daemon as HTTP sees it; cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

/// What a gateway is made of.
pub struct GatewayParts {
    /// The way into the loop.
    pub intake: mpsc::Sender<Inbound>,
    /// Connections that read committed state, [`READERS`] of them.
    pub readers: Vec<Box<dyn Reader>>,
    /// The last committed fact, as it rises.
    pub committed: watch::Receiver<FactSeq>,
    /// The last purge that has come to its end.
    pub purged: watch::Receiver<FactSeq>,
    /// The walls in force.
    pub walls: WallsInForce,
    /// The roster in force.
    pub in_force: InForce,
    /// The way to who reads rosters.
    pub reloads: mpsc::Sender<Ask>,
    /// Where zones are read, for rosters of earlier times.
    pub zones: ZoneSource,
    /// Whether there is a broker; without one every team reads over HTTP.
    pub has_broker: bool,
    /// Tells the time.
    pub clock: Arc<Clock>,
    /// For how long a reader of events can go on from where it was.
    pub events_for: TimeDelta,
    /// Health.
    pub status: Arc<Status>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

struct Shared {
    intake: mpsc::Sender<Inbound>,
    readers: Mutex<Vec<Box<dyn Reader>>>,
    free_readers: Arc<Semaphore>,
    committed: watch::Receiver<FactSeq>,
    purged: watch::Receiver<FactSeq>,
    walls: WallsInForce,
    in_force: InForce,
    reloads: mpsc::Sender<Ask>,
    rosters: Rosters,
    has_broker: bool,
    clock: Arc<Clock>,
    events_for: TimeDelta,
    status: Arc<Status>,
    metrics: Arc<Metrics>,
}

impl Gateway {
    /// A gateway of these parts.
    #[must_use]
    pub fn new(parts: GatewayParts) -> Self {
        let shared = Shared {
            intake: parts.intake,
            free_readers: Arc::new(Semaphore::new(parts.readers.len())),
            readers: Mutex::new(parts.readers),
            committed: parts.committed,
            purged: parts.purged,
            rosters: Rosters::new(parts.in_force.clone(), parts.zones),
            walls: parts.walls,
            in_force: parts.in_force,
            reloads: parts.reloads,
            has_broker: parts.has_broker,
            clock: parts.clock,
            events_for: parts.events_for,
            status: parts.status,
            metrics: parts.metrics,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Reads committed state on a thread that may block.
    async fn read<T, F>(&self, read: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&mut dyn Reader) -> Result<T, StoreError> + Send + 'static,
    {
        // The permit goes along: a caller that gives up leaves its read behind, with the reader still in use.
        let permit = Arc::clone(&self.shared.free_readers).acquire_owned().await.map_err(|_| stopping())?;
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let mut lent = Lent::of(shared, permit);
            let Some(reader) = lent.reader.as_mut() else { return Err(stopping()) };
            read(reader.as_mut()).map_err(|error| {
                lent.shared.metrics.store_failed(StoreOperation::Read);
                Unavailable(error.to_string())
            })
        });
        done.await.unwrap_or_else(|_| Err(Unavailable("a read of the store was broken off; see the log".into())))
    }

    /// Asks the loop and waits for its answer.
    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Inbound) -> Result<T, Unavailable> {
        let (reply, answer) = oneshot::channel();
        self.shared.intake.send(message(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())
    }

    async fn ask_of_roster(&self, text: String, apply: Option<Apply>) -> Result<RosterPlan, NoPlan> {
        let (reply, answer) = oneshot::channel();
        let gone = || NoPlan::Unavailable(stopping());
        self.shared.reloads.send(Ask { text, apply, reply }).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    fn reads_over_http(&self, team: &TeamId) -> Option<bool> {
        self.shared.in_force.roster().team_index(team)?;
        Some(!self.shared.has_broker || self.shared.in_force.reads_over_http(team))
    }
}

impl Shared {
    fn lock_readers(&self) -> std::sync::MutexGuard<'_, Vec<Box<dyn Reader>>> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader on loan; it comes back however the reading ends, and before its permit does.
struct Lent {
    shared: Arc<Shared>,
    reader: Option<Box<dyn Reader>>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    fn of(shared: Arc<Shared>, permit: OwnedSemaphorePermit) -> Self {
        let reader = shared.lock_readers().pop();
        Self { shared, reader, _permit: permit }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shared.lock_readers().extend(self.reader.take());
    }
}

fn stopping() -> Unavailable {
    Unavailable("the daemon is starting or stopping; send again".into())
}

impl Backend for Gateway {
    async fn submit(&self, requests: Vec<Bytes>, clients: Option<Arc<[ClientId]>>) -> Vec<SubmitAnswer> {
        let count = requests.len();
        for _ in 0..count {
            self.shared.metrics.received(Queue::HttpRequests);
        }
        let answers = self.ask(|reply| Inbound::Requests { bodies: requests, clients, reply }).await;
        answers.unwrap_or_else(|error| vec![SubmitAnswer::Unavailable(error); count])
    }

    async fn update(&self, task: TaskId, body: Bytes, sender: SenderHint) -> UpdateAnswer {
        self.shared.metrics.received(Queue::HttpUpdates);
        let answer = self.ask(|reply| Inbound::Update { body, task, sender, reply }).await;
        answer.unwrap_or_else(UpdateAnswer::Unavailable)
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, Unavailable> {
        let id = id.clone();
        self.read(move |reader| reader.task(&id)).await
    }

    async fn segments(&self, id: &TaskId) -> Result<Vec<Segment>, Unavailable> {
        let id = id.clone();
        self.read(move |reader| reader.segments(&id)).await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<Task>, Unavailable> {
        let query = TaskQuery {
            client: filter.client,
            team: filter.team,
            state: filter.state.map(Into::into),
            after_arrival: filter.after.map(|arrival| arrival.0),
            limit: filter.limit,
        };
        self.read(move |reader| reader.tasks(&query)).await
    }

    async fn process(&self, id: &TaskId) -> Result<Option<ProcessReport>, Unavailable> {
        let asked = id.clone();
        let Some((process, tasks)) = self.read(move |reader| reader.process(&asked)).await? else { return Ok(None) };
        let is_open = process.state.ended_at().is_none();
        let forecast = match is_open {
            true => self.ask(|reply| Inbound::Forecast { process: id.clone(), reply }).await?,
            false => None,
        };
        Ok(Some(ProcessReport { process, tasks, forecast }))
    }

    async fn processes(&self, filter: ProcessFilter) -> Result<Vec<Process>, Unavailable> {
        let query = ProcessQuery {
            client: filter.client,
            matter: filter.matter,
            state: filter.state.map(Into::into),
            after_arrival: filter.after.map(|arrival| arrival.0),
            limit: filter.limit,
        };
        self.read(move |reader| reader.processes(&query)).await
    }

    async fn history(&self, id: &TaskId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, Unavailable> {
        let id = id.clone();
        self.read(move |reader| reader.history(&id, after, limit)).await
    }

    async fn explanation(&self, id: &TaskId, team: Option<&TeamId>) -> Result<Option<Explanation>, Unavailable> {
        let (task, shared, only) = (id.clone(), Arc::clone(&self.shared), team.cloned());
        let stored = self.read(move |reader| {
            let Some(row) = reader.task(&task)? else { return Ok(None) };
            let handoff = reader.last_handoff(&task)?;
            let state = &row.state;
            let has_it = (!state.is_ended() && only.is_some() && state.team() == only.as_ref()).then(|| state.as_str());
            let Some(StoredDecision { seq, json }) = reader.last_decision(&task)? else {
                return Ok(Some((None, handoff, has_it)));
            };
            let decision: Decision = serde_json::from_slice(&json)
                .map_err(|error| StoreError::Inconsistent(format!("the decision of fact {}: {error}", seq.0)))?;
            let mut then = shared.rosters.look_back(reader, Made { decision: &decision, seq, row: &row })?;
            if let (Some(verdicts), Some(team)) = (&mut then.verdicts, only) {
                verdicts.retain(|verdict| *verdict.team() == team);
            }
            Ok(Some((Some((decision, then)), handoff, has_it)))
        });
        let Some((stored, handoff, has_it)) = stored.await? else { return Ok(None) };
        let (decision, as_decided) = stored.unzip();
        let asked = |reply| Inbound::Explain { task: id.clone(), team: team.cloned(), reply };
        let (verdicts, own_wait, obstacles, at) = match self.ask(asked).await? {
            Some(Explained { verdicts, own_wait, obstacles, at }) => (Some(verdicts), own_wait, obstacles, at),
            None => (None, None, None, self.shared.clock.now()),
        };
        Ok(Some(Explanation { decision, as_decided, handoff, own_wait, has_it, verdicts, obstacles, at }))
    }

    async fn teams(&self) -> Result<Vec<TeamView>, Unavailable> {
        let inspection = self.ask(Inbound::Inspect).await?;
        let roster = self.shared.in_force.roster();
        let view = |team: super::snapshot::TeamSnapshot| {
            let entry = roster.team_index(&team.id).map(|index| roster.team(index));
            TeamView {
                calendar: entry.map_or_else(String::new, |it| it.calendar_id.as_str().into()),
                retired: entry.is_some_and(|it| it.retired),
                undelivered: inspection.undelivered.get(&team.id).copied().unwrap_or(0),
                effort_limit_minutes: team.effort_hours.map(|hours| hours.saturating_mul(60)),
                id: team.id,
                name: team.name,
                country: team.country,
                open: team.open,
                next_transition_at: team.changes_at,
                seats: team.seats,
                used: team.used,
                used_minutes: team.used_minutes,
                delivery: team.delivery,
            }
        };
        Ok(inspection.teams.into_iter().map(view).collect())
    }

    fn has_team(&self, team: &TeamId) -> Result<(), NoSuchTeam> {
        let roster = self.shared.in_force.roster();
        if roster.team_index(team).is_some() {
            return Ok(());
        }
        let known = roster.teams.iter().map(|team| team.id.as_str());
        Err(NoSuchTeam { team: team.clone(), nearest: nearest(team.as_str(), known) })
    }

    fn is_walled(&self, team: &TeamId, client: &ClientId, matter: &MatterId) -> bool {
        self.shared.walls.stand(team, client, matter)
    }

    async fn messages(&self, team: &TeamId, after: Option<FactSeq>, limit: usize) -> Result<Mailbox, Unavailable> {
        match self.reads_over_http(team) {
            None => return Ok(Mailbox::UnknownTeam),
            Some(false) => return Ok(Mailbox::ReadsItsQueue),
            Some(true) => {}
        }
        let name = team.clone();
        let (cursor, last) =
            self.read(move |reader| Ok((reader.cursor(&name)?, reader.last_message_for(&name)?))).await?;
        let from = after.unwrap_or(cursor);
        // The messages that a team has read may have been forgotten.
        let last = last.max(cursor);
        if from > last {
            return Ok(Mailbox::NeverSent { last });
        }
        if from > cursor {
            let team = team.clone();
            self.ask(|reply| Inbound::MessagesRead { team, up_to: from, reply }).await?;
        }
        let name = team.clone();
        let walls = self.shared.walls.clone();
        let messages = self.read(move |reader| mailbox(reader, &walls, &name, from, limit)).await?;
        Ok(Mailbox::Messages(messages))
    }

    async fn events_after(&self, after: FactSeq, limit: usize) -> Result<Vec<Fact>, Unavailable> {
        self.read(move |reader| reader.facts_after(after, limit)).await
    }

    async fn chain(&self, after: FactSeq, limit: usize) -> Result<(Head, Vec<Fact>), Unavailable> {
        self.read(move |reader| chain(reader, after, limit)).await
    }

    async fn oldest_event(&self) -> Result<FactSeq, Unavailable> {
        let since = self.shared.clock.now() - self.shared.events_for;
        self.read(move |reader| reader.first_fact_since(since)).await
    }

    async fn plan_roster(&self, text: String) -> Result<RosterPlan, NoPlan> {
        self.ask_of_roster(text, None).await
    }

    async fn apply_roster(&self, text: String, check_index: u64, forced: bool) -> Result<RosterPlan, NoPlan> {
        self.ask_of_roster(text, Some(Apply { check_index: FactSeq(check_index), forced })).await
    }

    async fn override_team(&self, wish: OverrideWish, preview: bool) -> OverrideAnswer {
        let answer = self.ask(|reply| Inbound::Override { wish, preview, reply }).await;
        answer.unwrap_or_else(OverrideAnswer::Unavailable)
    }

    async fn purge(&self, request: PurgeRequest) -> PurgeAnswer {
        let answer = self.ask(|reply| Inbound::Purge { request, reply }).await;
        let mut outcome = match answer.unwrap_or_else(PurgeAnswer::Unavailable) {
            PurgeAnswer::Taken(outcome) => outcome,
            other => return other,
        };
        if let Some(fact) = outcome.fact {
            let mut purged = self.shared.purged.clone();
            let is_done = purged.wait_for(|done| done.0 >= fact);
            // When the daemon stops, the purge goes on at the next start.
            outcome.done = matches!(tokio::time::timeout(PURGED_WITHIN, is_done).await, Ok(Ok(_)));
        }
        PurgeAnswer::Taken(outcome)
    }

    async fn costs(&self, query: CostQuery) -> Result<Vec<Cost>, Unavailable> {
        self.read(move |reader| reader.costs(query)).await
    }

    async fn coverage(&self, days: u32) -> Result<Coverage, Unavailable> {
        let (roster, now) = (self.shared.in_force.roster(), self.shared.clock.now());
        let worked_out = tokio::task::spawn_blocking(move || coverage::coverage(&roster, now, days));
        worked_out.await.map_err(|_| Unavailable("working it out was broken off; see the log".into()))
    }

    async fn outlook(&self) -> Result<Outlook, Unavailable> {
        let (roster, now) = (self.shared.in_force.roster(), self.shared.clock.now());
        self.read(move |reader| Ok(outlook::outlook(&roster, &reader.demand(outlook::hour_of(now))?, now))).await
    }

    async fn overrides(&self) -> Result<(Vec<Override>, u64), Unavailable> {
        self.ask(Inbound::Overrides).await
    }

    fn committed(&self) -> watch::Receiver<FactSeq> {
        self.shared.committed.clone()
    }

    fn committed_for(&self, team: &TeamId) -> Option<watch::Receiver<FactSeq>> {
        self.shared.in_force.mailbox(team)
    }

    fn health(&self) -> Health {
        self.shared.status.health()
    }

    fn metrics(&self) -> String {
        self.shared.metrics.render()
    }
}

/// A page of the chain and where it begins. Facts may be forgotten between the two reads: then both are read again.
fn chain(reader: &mut dyn Reader, after: FactSeq, limit: usize) -> Result<(Head, Vec<Fact>), StoreError> {
    loop {
        let start = reader.chain_start()?;
        let facts = reader.facts_after(after.max(start.seq), limit)?;
        if reader.chain_start()? == start {
            return Ok((start, facts));
        }
    }
}

/// A team's messages behind a position, each with its payload when it carries one; those behind a wall are left out.
fn mailbox(
    reader: &mut dyn Reader,
    walls: &WallsInForce,
    team: &TeamId,
    after: FactSeq,
    limit: usize,
) -> Result<Vec<TeamMessage>, StoreError> {
    let (mut messages, mut after) = (Vec::new(), after);
    // A page of nothing but hidden messages must not look like the end.
    while messages.is_empty() {
        let page = reader.messages_for(team, after, limit)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for fact in page.iter().filter(|fact| !walls.hide(fact)) {
            messages.extend(team_message(reader, fact)?);
        }
    }
    Ok(messages)
}

fn team_message(reader: &mut dyn Reader, fact: &Fact) -> Result<Option<TeamMessage>, StoreError> {
    let payload = match (&fact.task, fact.with_payload) {
        (Some((task, _)), true) => reader.payload(task)?,
        _ => None,
    };
    let kind: Option<WorkMessage> = fact.addressed;
    // The id is not part of the body, so that any incarnation makes the same one.
    let work = kind.zip(message::work("", fact, payload.as_deref()));
    Ok(work.map(|(kind, work)| TeamMessage { seq: fact.seq, kind, body: Bytes::copy_from_slice(&work.body) }))
}
