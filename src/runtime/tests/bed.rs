//! A store in a folder of its own, a broker that does as it is told, and the ends of the loop's channels.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{
    BrokerError, Delivery, DeliveryToken, Intake, OriginalProperties, Outcome, Properties, Publication, PublishError,
};
use crate::engine::effect::WorkMessage;
use crate::engine::id::{ClientId, TaskId, TeamId};
use crate::engine::roster::Roster;
use crate::engine::scheduler::{Limits, Restored, Scheduler};
use crate::http::UpdateAnswer;
use crate::roster::zones::ZoneSource;
use crate::store::sqlite::SqliteStore;
use crate::store::{Batch, StoreError, Writer};
use crate::telemetry::Metrics;
use crate::telemetry::logs::LogCounts;
use crate::telemetry::metrics::Setup;
use crate::wire::Rules;
use crate::wire::chain::{Head, Sealer};
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::update::SenderHint;

use super::super::clock::Clock;
use super::super::committer::Committer;
use super::super::decided::Direct;
use super::super::decider::{Anchors, Decider, DeciderParts};
use super::super::in_force::InForce;
use super::super::intake::Inbound;
use super::super::outbox::{Handed, Outbox, OutboxHandle, OutboxParts, Progress, Publish, live};
use super::super::pipeline::{Acknowledge, Pipeline, PipelineParts};
use super::super::status::{Standing, Status};
use super::super::walls::WallsInForce;

/// What does not come within this time never comes.
const SOON: Duration = Duration::from_secs(20);
const ROSTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/roster/e2e.toml");

/// Waits for something that must come.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, what).await.expect("it comes in time")
}

pub fn team(id: &str) -> TeamId {
    id.parse().expect("an id")
}

pub fn plain(store: SqliteStore) -> Box<dyn Writer> {
    Box::new(store)
}

/// A clock that starts on a Wednesday, when its team for any work, warsaw, is open.
pub fn midweek() -> Clock {
    Clock::starting("2026-11-25T11:00:00Z".parse().expect("an instant"), 1)
}

/// The text of the loop's roster.
pub fn roster_text() -> String {
    std::fs::read_to_string(ROSTER).expect("a file")
}

/// The roster of the loop, for about the present.
fn roster() -> Arc<Roster> {
    let at = crate::runtime::clock::wall();
    Arc::new(crate::roster::load(ROSTER.as_ref(), ZoneSource::Bundled, at).expect("valid").roster)
}

pub fn metrics() -> Arc<Metrics> {
    let setup = Setup {
        version: "0",
        revision: "0",
        tzdata_version: "0",
        tzdata_source: "bundled",
        policies: &[],
        broker: true,
        epoch: 0,
    };
    Arc::new(Metrics::new(setup, &LogCounts::default()))
}

/// A store that is removed at the end.
pub struct Stored {
    pub store: SqliteStore,
    folder: TempDir,
}

impl Stored {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = SqliteStore::open(folder.path().join("heliograph.db")).expect("a store");
        Self { store, folder }
    }
}

/// A fact as the outbox sees it: an offer to a team, or an event only.
pub fn fact(seq: u64, to: Option<&str>) -> Fact {
    let at = DateTime::from_timestamp_millis(1_795_514_400_000).expect("an instant");
    let task: TaskId = format!("acme/{seq}").parse().expect("an id");
    Fact {
        seq: FactSeq(seq),
        at,
        event_type: if to.is_some() { "task.offered" } else { "task.admitted" }.into(),
        task: Some((task, 1)),
        client: Some("acme".parse().expect("an id")),
        matter: to.map(|_| "M-1".parse().expect("a matter")),
        team: to.map(team),
        addressed: to.map(|_| WorkMessage::Offer),
        held: None,
        with_payload: false,
        body: Arc::from(&br#"{"assignment":1}"#[..]),
        body_digest: [1; 32],
        link: [2; 32],
        decision: None,
        packet: None,
    }
}

/// A batch of facts.
pub fn batch(facts: impl IntoIterator<Item = Fact>) -> Arc<Batch> {
    let facts: Vec<Fact> = facts.into_iter().collect();
    Arc::new(Batch { at: facts.last().map(|fact| fact.at), facts, ..Batch::default() })
}

/// What a scripted broker was given and does with it.
#[derive(Debug, Default)]
pub struct Script {
    /// The ids of each window that was published.
    pub windows: Vec<Vec<String>>,
    /// The bodies and headers by id, as they left last.
    pub sent: BTreeMap<String, Publication>,
    /// What becomes of a message the next time, by id; others are confirmed.
    pub outcomes: BTreeMap<String, Vec<Outcome>>,
    /// How many windows fail from now on.
    pub failing: usize,
    /// Told the number of each window as it comes, from 1 on.
    pub hook: Option<Hook>,
}

/// What a test does when a window comes.
pub struct Hook(Box<dyn FnMut(usize) + Send>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook(..)")
    }
}

/// A publisher that follows a script.
#[derive(Debug, Clone, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

impl Scripted {
    pub fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().expect("no test panicked with it")
    }

    /// Before each window is published, this is told its number.
    pub fn before_window(&self, hook: impl FnMut(usize) + Send + 'static) {
        self.script().hook = Some(Hook(Box::new(hook)));
    }

    /// The next time this message is published, this becomes of it.
    pub fn once(&self, id: &str, outcome: Outcome) {
        self.script().outcomes.entry(id.to_owned()).or_default().push(outcome);
    }
}

impl Publish for Scripted {
    async fn publish<B: Borrow<Publication> + Sync>(&mut self, batch: &[B]) -> Result<Vec<Outcome>, PublishError> {
        let mut script = self.script();
        script.windows.push(batch.iter().map(|it| it.borrow().message_id.clone()).collect());
        let number = script.windows.len();
        if let Some(Hook(hook)) = &mut script.hook {
            hook(number);
        }
        if script.failing > 0 {
            script.failing -= 1;
            let source = BrokerError::Timeout { doing: "waiting for confirms", within: SOON };
            return Err(PublishError { messages: batch.len(), source });
        }
        let outcomes = batch.iter().map(|publication| {
            let publication = publication.borrow();
            script.sent.insert(publication.message_id.clone(), publication.clone());
            let scripted = script.outcomes.get_mut(&publication.message_id);
            scripted.filter(|it| !it.is_empty()).map_or(Outcome::Confirmed, |outcomes| outcomes.remove(0))
        });
        Ok(outcomes.collect())
    }

    async fn connect(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn close(self) {}
}

/// An outbox on a store with these facts committed.
pub struct Posted {
    pub broker: Scripted,
    pub handle: OutboxHandle,
    pub committed: watch::Sender<FactSeq>,
    pub walls: WallsInForce,
    outbox: Option<Outbox<Scripted>>,
    pub stored: Stored,
}

impl Posted {
    /// Facts up to `watermark` have left before; nothing is committed yet as far as the outbox knows.
    pub fn with(facts: impl IntoIterator<Item = Fact>, watermark: u64, undelivered_within: Duration) -> Self {
        Self::after(facts, watermark, watermark, undelivered_within)
    }

    /// Facts up to `watermark` are known to have left before the start, those up to `committed` were on disk at the start.
    pub fn after(
        facts: impl IntoIterator<Item = Fact>,
        watermark: u64,
        committed: u64,
        undelivered_within: Duration,
    ) -> Self {
        let mut stored = Stored::new();
        stored.store.commit(&batch(facts)).expect("committed");
        let broker = Scripted::default();
        let (committed, committed_watch) = watch::channel(FactSeq(committed));
        let walls = WallsInForce::default();
        let (outbox, handle) = Outbox::new(OutboxParts {
            walls: walls.clone(),
            publisher: broker.clone(),
            reader: stored.store.reader().expect("a reader"),
            incarnation: "life".into(),
            watermark: FactSeq(watermark),
            undelivered: Vec::new(),
            committed: committed_watch,
            in_force: InForce::with(roster(), BTreeSet::from([team("reads-http")]), undelivered_within),
            metrics: metrics(),
        });
        Self { broker, handle, committed, walls, outbox: Some(outbox), stored }
    }

    /// Begins to publish.
    pub fn run(&mut self) -> JoinHandle<Result<(), StoreError>> {
        let outbox = self.outbox.take().expect("it runs once");
        tokio::spawn(outbox.run(Duration::from_secs(1)))
    }

    /// The next thing that it tells the loop.
    pub async fn told(&mut self) -> Progress {
        soon(self.handle.progress.recv()).await.expect("it runs")
    }
}

/// A loop on a store, with the test at the other ends of its channels.
pub struct Looped {
    pub clock: Arc<Clock>,
    pub intake: mpsc::Sender<Inbound>,
    pub settled: mpsc::UnboundedReceiver<DeliveryToken>,
    pub live: mpsc::Receiver<Handed>,
    pub direct: mpsc::Receiver<Direct>,
    pub status: Arc<Status>,
    pub in_force: InForce,
    pub metrics: Arc<Metrics>,
    pub stop: CancellationToken,
    pub running: JoinHandle<Result<(), StoreError>>,
    /// Dropped when the outbox has ended.
    progress: Option<mpsc::Sender<Progress>>,
    pub folder: TempDir,
}

/// A decider that begins at an instant, over an empty store.
pub fn decider(store: &SqliteStore, now: DateTime<Utc>, metrics: &Arc<Metrics>) -> Decider {
    let scheduler = Scheduler::restore(roster(), Limits { max_open_tasks: 1_000 }, Restored::default(), now);
    Decider::new(DeciderParts {
        scheduler,
        sealer: Sealer::after(Head::default()),
        reader: store.reader().expect("a reader"),
        rules: Rules::default(),
        require_user_id: false,
        incarnation: "life".into(),
        walls: WallsInForce::default(),
        check_index: FactSeq(0),
        anchors: Anchors { every: 10_000, last: FactSeq(0) },
        metrics: Arc::clone(metrics),
    })
}

struct Told(mpsc::UnboundedSender<DeliveryToken>);

impl Acknowledge for Told {
    fn settle(&self, tokens: &[DeliveryToken]) {
        for token in tokens {
            // A test that has ended hears nothing more.
            let _ = self.0.send(*token);
        }
    }
}

impl Looped {
    /// A loop that runs on this clock and writes with what `writer` makes of the store.
    pub fn new(stored: Stored, clock: Clock, writer: impl FnOnce(SqliteStore) -> Box<dyn Writer>) -> Self {
        let Stored { store, folder } = stored;
        let clock = Arc::new(clock);
        let roster = roster();
        let metrics = metrics();
        let status = Arc::new(Status::new(roster.digest.0.to_string(), clock.description(), Standing::alone()));
        let decider = decider(&store, clock.now(), &metrics);
        let (intake, intake_receiver) = mpsc::channel(64);
        let (live_sender, live) = live();
        let (direct_sender, direct) = mpsc::channel(64);
        let (progress, progress_receiver) = mpsc::channel(64);
        let (told, settled) = mpsc::unbounded_channel();
        let outbox = OutboxHandle {
            live: live_sender,
            direct: direct_sender,
            progress: progress_receiver,
            finish: CancellationToken::new(),
        };
        let stop = CancellationToken::new();
        let in_force = InForce::new(roster);
        let pipeline = Pipeline::new(PipelineParts {
            decider,
            committer: Committer::start(writer(store), Arc::clone(&metrics), None).expect("a thread"),
            clock: Arc::clone(&clock),
            intake: intake_receiver,
            outbox: Some(outbox),
            consumer: Some(Arc::new(Told(told))),
            committed: watch::channel(FactSeq(0)).0,
            in_force: in_force.clone(),
            undelivered: Vec::new(),
            metrics: Arc::clone(&metrics),
            status: Arc::clone(&status),
            batch_limit: 16,
        });
        let running = tokio::spawn(pipeline.run(stop.clone()));
        Self {
            clock,
            intake,
            settled,
            live,
            direct,
            status,
            in_force,
            metrics,
            stop,
            running,
            progress: Some(progress),
            folder,
        }
    }

    /// A message from the broker comes in.
    pub async fn deliver(&self, delivery: Delivery) {
        self.intake.send(Inbound::Delivery(Box::new(delivery))).await.expect("the loop runs");
    }

    /// The outbox tells how far it has published.
    pub async fn published(&self, watermark: FactSeq) {
        let progress = self.progress.as_ref().expect("the outbox runs");
        progress.send(Progress { watermark: Some(watermark), ..Progress::default() }).await.expect("the loop runs");
    }

    /// Stops the loop, with an outbox that has nothing left to say.
    pub async fn end(&mut self) {
        self.progress = None;
        self.stop.cancel();
        soon(&mut self.running).await.expect("no panic").expect("no fault");
    }

    /// A call over HTTP with one request; its answer.
    pub async fn call(&self, body: String) -> oneshot::Receiver<Vec<crate::http::SubmitAnswer>> {
        let (reply, answer) = oneshot::channel();
        let call = Inbound::Requests { bodies: vec![body.into()], clients: None, reply };
        self.intake.send(call).await.expect("the loop runs");
        answer
    }

    /// The client cancels a request over HTTP.
    pub async fn cancel(&self, id: &str) {
        let (reply, answer) = oneshot::channel();
        let client: ClientId = "thames-llp".parse().expect("an id");
        let body = format!(
            r#"{{"id": "c-{id}", "task": "thames-llp/{id}", "client": "thames-llp", "kind": "cancel", "reason": "r"}}"#
        );
        let update = Inbound::Update {
            body: body.into(),
            task: TaskId::of(&client, &id.parse().expect("an id")),
            sender: SenderHint::InBody,
            reply,
        };
        self.intake.send(update).await.expect("the loop runs");
        assert!(matches!(soon(answer).await, Ok(UpdateAnswer::Applied)));
    }

    /// The facts of the next committed batch that has any.
    pub async fn facts(&mut self) -> Vec<String> {
        loop {
            let batch = soon(self.live.recv()).await.expect("the loop runs").batch;
            if !batch.facts.is_empty() {
                return batch.facts.iter().map(|fact| fact.event_type.to_string()).collect();
            }
        }
    }
}

/// A good request.
pub fn request(id: &str) -> String {
    format!(r#"{{"id": "{id}", "client": "thames-llp", "matter": "M-1", "work_type": "back_office"}}"#)
}

/// A message as it was delivered on link 1.
pub fn delivery(tag: u64, intake: Intake, body: &str, delivery_count: u64) -> Delivery {
    Delivery {
        intake,
        token: DeliveryToken { epoch: 1, tag },
        redelivered: delivery_count > 0,
        delivery_count,
        body: body.as_bytes().to_vec(),
        properties: Properties::default(),
        original: OriginalProperties::default(),
    }
}

/// The instant that a store says it was left at.
pub fn wall() -> DateTime<Utc> {
    super::super::clock::wall()
}
