//! From settings to a running daemon, and back to rest.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{BrokerError, Consumer};
use crate::engine::roster::Roster;
use crate::engine::scheduler::Missing;
use crate::http::{self, Backend};
use crate::roster::{self, Faults};
use crate::settings::{self, Settings, Store};
use crate::store::StoreError;
use crate::store::sqlite::SqliteStore;
use crate::telemetry::logs::LogCounts;
use crate::wire::Rules;
use crate::wire::fact::FactSeq;

use super::clock::Clock;
use super::committer::Committer;
use super::credentials::{Credentials, Files};
use super::decider::{Anchors, Decider, DeciderParts};
use super::forgetting::{Forgetter, Rules as ForgettingRules};
use super::gateway::{Gateway, GatewayParts};
use super::in_force::{Adopted, InForce};
use super::intake::INTAKE_LIMIT;
use super::leadership::{Leadership, Trust};
use super::links::{self, Links};
use super::notify;
use super::outbox::{Outbox, OutboxParts, WhileLed};
use super::outlook;
use super::pipeline::{Acknowledge, Pipeline, PipelineParts};
use super::recovery::{self, Opened, Recovery};
use super::reload::{Reloader, ReloaderParts};
use super::standby::{self, Leading};
use super::status::{Standing, Status};
use super::walls::WallsInForce;

/// How long the outbox may publish after a stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// How many rosters wait to be looked at; the next sender waits.
const RELOADS_WAITING: usize = 4;

/// Where the roster comes from.
#[derive(Debug, Clone)]
pub enum RosterSource {
    /// A TOML file or a folder of them.
    Path(PathBuf),
    /// The sample inside the program.
    Sample,
}

/// What a daemon is started with.
#[derive(Debug)]
pub struct ServeOptions {
    /// The settings.
    pub settings: Settings,
    /// Where the roster comes from.
    pub roster: RosterSource,
    /// Whether the store is a copy that takes the place of the one it was made of.
    pub restored: bool,
    /// Tells the time.
    pub clock: Clock,
    /// Counts log messages.
    pub logs: LogCounts,
}

/// Why a daemon did not start or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The roster has faults.
    #[error("the roster has faults:\n{0}")]
    Roster(Faults),
    /// The roster lacks what open tasks need.
    #[error("the roster lacks what open tasks need; put it back, or mark it `retired = true`:\n{}", .0.iter().map(|it| format!("{} needs {}", it.task, it.needs)).collect::<Vec<_>>().join("\n"))]
    RosterLacks(Vec<Missing>),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The broker cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The clock is behind.
    #[error(
        "the clock reads {now}, behind the last committed instant {last}; set the clock right, or use another store"
    )]
    ClockBehind {
        /// What the clock reads.
        now: DateTime<Utc>,
        /// The last committed instant.
        last: DateTime<Utc>,
    },
    /// Certificates of HTTP cannot be used.
    #[error("{0}")]
    Certificates(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The operating system gave no thread, or nobody reads what is printed.
    #[error("cannot go on: {0}")]
    System(#[from] std::io::Error),
    /// Another daemon may lead, so that this one must not.
    #[error("the leadership is lost: {0}; start again to stand by")]
    LeadershipLost(String),
    /// A part of the daemon ended on its own.
    #[error("{0} ended unexpectedly; the daemon stops")]
    PartEnded(&'static str),
}

impl ServeError {
    /// Whether the configuration is at fault.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Roster(_)
            | Self::RosterLacks(_)
            | Self::Certificates(_)
            | Self::Store(
                StoreError::IsCopy { .. }
                | StoreError::IsNoCopy { .. }
                | StoreError::ForeignLog { .. }
                | StoreError::Refused { .. },
            ) => true,
            Self::Store(_)
            | Self::Broker(_)
            | Self::ClockBehind { .. }
            | Self::Listen { .. }
            | Self::System(_)
            | Self::LeadershipLost(_)
            | Self::PartEnded(_) => false,
        }
    }
}

/// A daemon that runs.
pub struct Running {
    /// The daemon as HTTP sees it.
    pub gateway: Gateway,
    /// Where HTTP listens.
    pub address: SocketAddr,
    /// The roster in force.
    pub roster: Arc<Roster>,
    /// Tells the time.
    pub clock: Arc<Clock>,
    leadership: Option<Leadership>,
    stop: CancellationToken,
    stop_http: CancellationToken,
    consumer: Option<Arc<Consumer>>,
    pipeline: Part,
    outbox: Part,
    http: Part,
}

impl Running {
    /// Waits until `signal` or until a part ends, then stops everything in order: nothing new is taken, what is decided
    /// is written and published, connections are closed. When the leadership is lost nothing is stopped: the process is to
    /// end.
    ///
    /// # Errors
    /// [`ServeError`] when a part failed or ended on its own.
    pub async fn until(mut self, signal: impl Future<Output = ()>) -> Result<(), ServeError> {
        let leadership = self.leadership.take();
        let ended = tokio::select! {
            () = signal => Ok(()),
            how = lost(leadership.as_ref()) => {
                // As in a crash: what is not committed is the next leader's to do, and what this one has taken from the
                // broker goes back to it at once.
                tracing::error!(how, "the leadership is lost; the process ends");
                return Err(ServeError::LeadershipLost(how));
            }
            () = self.pipeline.ends_itself() => Err(ServeError::PartEnded(self.pipeline.name)),
            () = self.outbox.ends_itself() => Err(ServeError::PartEnded(self.outbox.name)),
            () = self.http.ends_itself() => Err(ServeError::PartEnded(self.http.name)),
        };
        notify::stopping();
        self.stop.cancel();
        // The loop waits for the outbox to publish what is committed.
        self.pipeline.end().await;
        self.outbox.end().await;
        if let Some(consumer) = self.consumer.take().and_then(Arc::into_inner) {
            consumer.stop().await;
        }
        self.stop_http.cancel();
        self.http.end().await;
        // Nothing is written any more: another daemon need not wait for the lease's end.
        if let Some(leadership) = leadership {
            leadership.give_back().await;
        }
        self.pipeline.result.and(self.outbox.result).and(self.http.result).and(ended)
    }
}

/// Waits until the leadership is lost; a daemon without one has its store for good.
async fn lost(leadership: Option<&Leadership>) -> String {
    match leadership {
        Some(leadership) => leadership.lost().await,
        None => std::future::pending().await,
    }
}

/// A part of the daemon that runs beside the others.
struct Part {
    name: &'static str,
    task: Option<JoinHandle<Result<(), StoreError>>>,
    result: Result<(), ServeError>,
}

impl Part {
    fn spawn(name: &'static str, run: impl Future<Output = Result<(), StoreError>> + Send + 'static) -> Self {
        Self { name, task: Some(tokio::spawn(run)), result: Ok(()) }
    }

    fn absent(name: &'static str) -> Self {
        Self { name, task: None, result: Ok(()) }
    }

    /// Waits for its end; one that has ended, or is absent, has an end already.
    async fn end(&mut self) {
        if let Some(task) = &mut self.task {
            self.result = match task.await {
                Ok(result) => result.map_err(ServeError::Store),
                Err(_) => Err(ServeError::PartEnded(self.name)),
            };
            self.task = None;
        }
    }

    /// Waits until it ends though nobody stopped it.
    async fn ends_itself(&mut self) {
        match self.task {
            Some(_) => self.end().await,
            None => std::future::pending().await,
        }
    }
}

/// Starts a daemon: opens the store, or stands by until it leads; recovers, checks the roster, reaches the broker, listens.
/// `listening` is told where HTTP is once that answers. `None` when `stop` came while it stood by.
///
/// # Errors
/// [`ServeError`]; nothing runs then.
pub async fn start(
    options: ServeOptions,
    listening: impl FnOnce(SocketAddr) -> std::io::Result<()>,
    stop: impl Future<Output = ()>,
) -> Result<Option<Running>, ServeError> {
    let restored = options.restored;
    failpoint!("recover", StoreError::at_step("recover").into());
    let credentials = Credentials::follow(&options.settings.http).map_err(ServeError::Certificates)?;
    match options.settings.store.clone() {
        Store::Sqlite { path } => {
            let store = if restored { SqliteStore::restore(path)? } else { SqliteStore::open(path)? };
            let opened = Opened { writer: Box::new(store), is_restored: restored, epoch: 0 };
            let running = lead(options, opened, credentials, None, Standing::alone()).await?;
            listening(running.address)?;
            Ok(Some(running))
        }
        Store::Postgres(postgres) => {
            let listener = listen(options.settings.http.listen).await?;
            let address = listener.local_addr()?;
            listening(address)?;
            let database = standby::options(&postgres, address);
            let http_options = http_options(&options.settings.http, &credentials);
            let led = standby::until_leading(database, &listener, http_options, &options.logs, stop).await?;
            let Some(Leading { mut store, leadership, standing }) = led else { return Ok(None) };
            if restored {
                store.begin_new_life()?;
            }
            let opened = Opened { writer: store, is_restored: restored, epoch: leadership.epoch() };
            lead(options, opened, credentials, Some((listener, leadership)), standing).await.map(Some)
        }
    }
}

/// Goes on with a store that this daemon may write.
async fn lead(
    options: ServeOptions,
    opened: Opened,
    credentials: Credentials,
    stood_by: Option<(TcpListener, Leadership)>,
    standing: Standing,
) -> Result<Running, ServeError> {
    let ServeOptions { settings, roster, restored: _, clock, logs } = options;
    let clock = Arc::new(clock);
    let recovery = recovery::recover(&settings, &roster, opened, &clock, &logs)?;
    let links = match &settings.amqp {
        Some(amqp) => Some(links::reach(amqp, &settings, &recovery.roster).await?),
        None => None,
    };
    let (listener, leadership) = match stood_by {
        Some((listener, leadership)) => (listener, Some(leadership)),
        None => (listen(settings.http.listen).await?, None),
    };
    let trust = leadership.as_ref().map(Leadership::trust);
    let address = listener.local_addr()?;
    // From here on parts run; nothing fails any more.
    let Core { gateway, roster: in_force, stop, consumer, pipeline, outbox } =
        core(recovery, links, &settings, &roster, &clock, (standing, trust, credentials.files.clone()))?;
    let stop_http = CancellationToken::new();
    let http_options = http_options(&settings.http, &credentials);
    let serving = http::serve(listener, gateway.clone(), http_options, stop_http.clone());
    let http = Part::spawn("the HTTP server", async {
        serving.await;
        Ok(())
    });
    notify::ready();
    let alive = gateway.clone();
    notify::watch(move || alive.health().live, &stop_http);
    Ok(Running {
        gateway,
        address,
        roster: in_force,
        clock,
        leadership,
        stop,
        stop_http,
        consumer,
        pipeline,
        outbox,
        http,
    })
}

fn http_options(settings: &settings::Http, credentials: &Credentials) -> http::Options {
    http::Options {
        certificates: credentials.certificates.clone(),
        tokens: credentials.tokens.clone(),
        requests_per_second: settings.requests_per_second,
        hosts: settings.hosts.clone(),
        max_body_bytes: usize::try_from(settings.max_body_bytes).unwrap_or(usize::MAX),
        ..http::Options::default()
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

/// The loop with its links to the store and the broker.
struct Core {
    gateway: Gateway,
    roster: Arc<Roster>,
    stop: CancellationToken,
    consumer: Option<Arc<Consumer>>,
    pipeline: Part,
    outbox: Part,
}

fn core(
    recovery: Recovery,
    links: Option<Links>,
    settings: &Settings,
    source: &RosterSource,
    clock: &Arc<Clock>,
    (standing, trust, files): (Standing, Option<Trust>, Files),
) -> Result<Core, ServeError> {
    let Recovery { roster, new_text, scheduler, sealer, incarnation, watermark, undelivered, readers, .. } = recovery;
    let started_at = scheduler.now();
    let metrics = recovery.metrics;
    let status = Arc::new(Status::new(roster.digest.0.to_string(), clock.description(), standing));
    status.watch_files(files);
    let (committed, committed_watch) = watch::channel(sealer.head().seq);
    let view = Arc::clone(scheduler.roster());
    let in_force = InForce::new(Adopted { roster: view, base: Arc::clone(&roster) });
    let (purged, purged_watch) = watch::channel(FactSeq(0));
    let rules = ForgettingRules {
        keeping: settings.keeping,
        clock: Arc::clone(clock),
        status: Arc::clone(&status),
        in_force: in_force.clone(),
        has_broker: settings.amqp.is_some(),
    };
    let forgetter = Forgetter::new(rules, Arc::clone(&metrics), purged);
    let committer = Committer::start(recovery.store, Arc::clone(&metrics), Some(forgetter))?;
    let (intake_sender, intake) = mpsc::channel(INTAKE_LIMIT);
    let (consumer, publisher) = match &links {
        Some(links) => {
            let (consumer, publisher) = links.open(&intake_sender, &metrics, &status);
            (Some(Arc::new(consumer)), Some(WhileLed::new(publisher, trust)))
        }
        None => (None, None),
    };
    let walls = WallsInForce::default();
    walls.set(scheduler.walls().clone());
    let (outbox, outbox_handle) = match publisher {
        Some(publisher) => {
            let (outbox, handle) = Outbox::new(OutboxParts {
                publisher,
                reader: readers.for_outbox,
                incarnation: Arc::clone(&incarnation),
                watermark,
                undelivered: undelivered.clone(),
                committed: committed_watch.clone(),
                walls: walls.clone(),
                in_force: in_force.clone(),
                metrics: Arc::clone(&metrics),
            });
            (Part::spawn("the outbox", watched(outbox.run(DRAIN_WITHIN), Arc::clone(&status))), Some(handle))
        }
        None => (Part::absent("the outbox"), None),
    };
    let mut reader = readers.for_decider;
    let every = settings.audit.anchor_every;
    let last = reader.last_anchor(FactSeq(sealer.head().seq.0.saturating_sub(every)))?;
    let decider = Decider::new(DeciderParts {
        scheduler,
        sealer,
        reader,
        anchors: Anchors { every, last },
        rules: Rules::default(),
        require_user_id: settings.amqp.as_ref().is_some_and(|amqp| amqp.require_user_id),
        incarnation,
        walls: walls.clone(),
        check_index: recovery.check_index,
        metrics: Arc::clone(&metrics),
    });
    let mut pipeline = Pipeline::new(PipelineParts {
        decider,
        committer,
        clock: Arc::clone(clock),
        intake,
        outbox: outbox_handle,
        consumer: consumer.clone().map(|consumer| consumer as Arc<dyn Acknowledge>),
        committed,
        in_force: in_force.clone(),
        undelivered,
        metrics: Arc::clone(&metrics),
        status: Arc::clone(&status),
        batch_limit: settings.limits.batch,
    });
    if let Some(text) = new_text {
        let roster = Arc::clone(&roster);
        pipeline.begin_with(|decider, decided| decider.adopt(started_at, roster, text, decided));
    }
    let stop = CancellationToken::new();
    let pipeline = Part::spawn("the loop", pipeline.run(stop.clone()));
    let (reloads, asks) = mpsc::channel(RELOADS_WAITING);
    let reloader = Reloader::new(ReloaderParts {
        path: match source {
            RosterSource::Path(path) => Some(path.clone()),
            RosterSource::Sample => None,
        },
        zones: zone_source(settings.zones.source),
        fault: recovery.roster_fault,
        asks,
        intake: intake_sender.clone(),
        links,
        in_force: in_force.clone(),
        clock: Arc::clone(clock),
        metrics: Arc::clone(&metrics),
        status: Arc::clone(&status),
    });
    tokio::spawn(reloader.run(stop.clone()));
    let gateway = Gateway::new(GatewayParts {
        intake: intake_sender.clone(),
        readers: readers.for_http,
        committed: committed_watch,
        purged: purged_watch,
        walls,
        in_force,
        reloads,
        zones: zone_source(settings.zones.source),
        has_broker: settings.amqp.is_some(),
        clock: Arc::clone(clock),
        events_for: TimeDelta::days(settings.keeping.events_days.into()),
        status,
        metrics: Arc::clone(&metrics),
    });
    tokio::spawn(outlook::write_down(gateway.clone(), intake_sender, Arc::clone(clock), metrics, stop.clone()));
    Ok(Core { gateway, roster, stop, consumer, pipeline, outbox })
}

/// A failure of the outbox shows in readiness.
async fn watched(outbox: impl Future<Output = Result<(), StoreError>>, status: Arc<Status>) -> Result<(), StoreError> {
    outbox.await.inspect_err(|error| status.store_failed(error.to_string()))
}

/// The settings' word for a zone database as the roster's.
#[must_use]
pub fn zone_source(source: settings::ZoneSource) -> roster::zones::ZoneSource {
    match source {
        settings::ZoneSource::Auto => roster::zones::ZoneSource::Auto,
        settings::ZoneSource::System => roster::zones::ZoneSource::System,
        settings::ZoneSource::Bundled => roster::zones::ZoneSource::Bundled,
    }
}
