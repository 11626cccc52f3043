//! From settings to a running daemon, and back to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::broker::{self, AmqpOptions, AmqpUrl, Broker, BrokerError, ClientIdentity, Consumer, Intake, TopologyMode};
use crate::engine::roster::Delivery;
use crate::engine::scheduler::{Limits, Missing, Restored, Scheduler};
use crate::http;
use crate::roster::{self, Faults, Loaded};
use crate::settings::{self, Settings};
use crate::store::sqlite::SqliteStore;
use crate::store::{RosterVersion, StoreError, Writer};
use crate::telemetry::Metrics;
use crate::telemetry::logs::LogCounts;
use crate::telemetry::metrics::Queue;
use crate::telemetry::metrics::Setup;
use crate::wire::Rules;
use crate::wire::chain::{Head, Sealer};
use crate::wire::fact::FactSeq;

use super::clock::Clock;
use super::committer::Committer;
use super::decider::{Decider, DeciderParts};
use super::gateway::{Gateway, GatewayParts, READERS};
use super::intake::{INTAKE_LIMIT, Inbound};
use super::notify;
use super::outbox::{Outbox, OutboxParts};
use super::pipeline::{Pipeline, PipelineParts};
use super::status::Status;

/// How long the outbox may publish after a stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(5);

/// A start this far behind the last committed instant is refused.
const MAX_BEHIND: TimeDelta = TimeDelta::milliseconds(2_000);

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
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The operating system gave no thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// A part of the daemon ended on its own.
    #[error("{0} ended unexpectedly; the daemon stops")]
    PartEnded(&'static str),
}

impl ServeError {
    /// Whether the configuration is at fault.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::Roster(_) | Self::RosterLacks(_) => true,
            Self::Store(_)
            | Self::Broker(_)
            | Self::ClockBehind { .. }
            | Self::Listen { .. }
            | Self::Thread(_)
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
    pub roster: Arc<crate::engine::roster::Roster>,
    /// Tells the time.
    pub clock: Arc<Clock>,
    stop: CancellationToken,
    stop_http: CancellationToken,
    consumer: Option<Arc<Consumer>>,
    pipeline: JoinHandle<Result<(), StoreError>>,
    outbox: Option<JoinHandle<Result<(), StoreError>>>,
    http: JoinHandle<()>,
}

impl Running {
    /// Waits until `signal` or until a part ends, then stops everything in order: nothing new is taken, what is decided
    /// is written and published, connections are closed.
    ///
    /// # Errors
    /// [`ServeError`] when a part ended on its own.
    pub async fn until(mut self, signal: impl Future<Output = ()>) -> Result<(), ServeError> {
        let ended = tokio::select! {
            () = signal => None,
            result = &mut self.pipeline => Some(result),
        };
        notify::stopping();
        self.stop.cancel();
        let result = match ended {
            None => (&mut self.pipeline).await,
            Some(result) => result,
        };
        if let Some(outbox) = self.outbox.take() {
            flatten(outbox.await, "the outbox")?;
        }
        if let Some(consumer) = self.consumer.take().and_then(Arc::into_inner) {
            consumer.stop().await;
        }
        self.stop_http.cancel();
        let _ = self.http.await;
        flatten(result, "the loop")
    }
}

fn flatten(
    result: Result<Result<(), StoreError>, tokio::task::JoinError>,
    part: &'static str,
) -> Result<(), ServeError> {
    match result {
        Ok(result) => result.map_err(ServeError::Store),
        Err(_) => Err(ServeError::PartEnded(part)),
    }
}

/// Starts a daemon: recovers the store, checks the roster against it, reaches the broker, listens.
///
/// # Errors
/// [`ServeError`]; nothing runs then.
pub async fn start(options: ServeOptions) -> Result<Running, ServeError> {
    let ServeOptions { settings, roster, clock, logs } = options;
    let clock = Arc::new(clock);
    let now = clock.now();
    let loaded = load_roster(&roster, settings.zones.source, now)?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "roster");
    }
    let mut store = SqliteStore::open(&settings.store.path)?;
    let recovered = store.recover()?;
    if let Some(last) = recovered.last_at.filter(|last| *last - now > MAX_BEHIND) {
        return Err(ServeError::ClockBehind { now, last });
    }
    let new_roster = Arc::new(loaded.roster);
    let in_force = recovered.roster.as_ref().is_some_and(|version| version.digest == new_roster.digest);
    let metrics = Arc::new(metrics(&settings, &new_roster, &logs));
    metrics.roster_reloaded(now, horizon(&new_roster));
    let restored = Restored {
        open: recovered.open,
        ended: recovered.recent_ended,
        conflicts: recovered.conflicts,
        kept: recovered.kept,
        next_arrival: recovered.next_arrival,
    };
    let open_tasks = restored.open.len();
    let limits = Limits { max_open_tasks: usize::try_from(settings.limits.max_open_tasks).unwrap_or(usize::MAX) };
    let scheduler = Scheduler::restore(Arc::clone(&new_roster), limits, restored, now);
    let missing = scheduler.missing_in(&new_roster);
    if !missing.is_empty() {
        return Err(ServeError::RosterLacks(missing));
    }
    tracing::info!(open_tasks, facts = recovered.last_seq.0, roster = %new_roster.digest.0, "recovered");

    let mut readers = Vec::new();
    for _ in 0..READERS {
        readers.push(store.reader()?);
    }
    let decider = Decider::new(DeciderParts {
        scheduler,
        sealer: Sealer::after(Head { seq: recovered.last_seq, link: recovered.last_link }),
        reader: store.reader()?,
        rules: Rules::default(),
        require_user_id: settings.amqp.as_ref().is_some_and(|amqp| amqp.require_user_id),
        incarnation: Arc::clone(&recovered.incarnation),
        metrics: Arc::clone(&metrics),
    });
    let status = Arc::new(Status::new(new_roster.digest.0.to_string()));
    let (committed, committed_watch) = watch::channel(recovered.last_seq);
    let mailboxes: BTreeMap<_, _> =
        new_roster.teams.iter().map(|team| (team.id.clone(), watch::channel(FactSeq(0)).0)).collect();
    let mailboxes = Arc::new(mailboxes);
    let (intake_sender, intake) = mpsc::channel(INTAKE_LIMIT);
    let stop = CancellationToken::new();

    let links = match &settings.amqp {
        Some(amqp) => Some(reach_broker(amqp, &settings, &new_roster).await?),
        None => None,
    };
    let (outbox, outbox_handle) = match &links {
        Some(broker) => {
            let publisher = broker.publisher();
            status.watch("broker_publishing", publisher.status());
            let http_teams = new_roster.teams.iter().filter(|team| team.delivery == Delivery::Http);
            let seconds = new_roster.routing.undelivered_within_seconds;
            let (outbox, handle) = Outbox::new(OutboxParts {
                publisher,
                reader: store.reader()?,
                incarnation: recovered.incarnation,
                watermark: recovered.watermark,
                undelivered: recovered.undelivered.clone(),
                committed: committed_watch.clone(),
                http_teams: http_teams.map(|team| team.id.clone()).collect::<BTreeSet<_>>(),
                undelivered_within: Duration::from_secs(u64::from(seconds)),
                metrics: Arc::clone(&metrics),
            });
            (Some(tokio::spawn(outbox.run(stop.clone(), DRAIN_WITHIN))), Some(handle))
        }
        None => (None, None),
    };
    let consumer = links.as_ref().map(|broker| Arc::new(consume(broker, &intake_sender, &metrics, &status)));
    let mut pipeline = Pipeline::new(PipelineParts {
        decider,
        committer: Committer::start(Box::new(store), Arc::clone(&metrics))?,
        clock: Arc::clone(&clock),
        intake,
        outbox: outbox_handle,
        consumer: consumer.clone(),
        committed,
        mailboxes: Arc::clone(&mailboxes),
        undelivered: recovered.undelivered,
        metrics: Arc::clone(&metrics),
        status: Arc::clone(&status),
        batch_limit: settings.limits.batch,
    });
    if !in_force {
        let version = RosterVersion { digest: new_roster.digest.clone(), text: loaded.text, at: now };
        let roster = Arc::clone(&new_roster);
        pipeline.begin_with(|decider, decided| {
            decider.adopt(now, roster, decided);
            decided.batch.roster = Some(version);
        });
    }
    let pipeline = tokio::spawn(pipeline.run(stop.clone()));

    let listen = settings.http.listen;
    let fault = |source| ServeError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(fault)?;
    let address = listener.local_addr().map_err(fault)?;
    let gateway = Gateway::new(GatewayParts {
        intake: intake_sender,
        readers,
        committed: committed_watch,
        mailboxes,
        roster: Arc::clone(&new_roster),
        has_broker: settings.amqp.is_some(),
        clock: Arc::clone(&clock),
        status,
        metrics,
    });
    let stop_http = CancellationToken::new();
    let http_options = http::Options {
        hosts: settings.http.hosts.clone(),
        max_body_bytes: usize::try_from(settings.http.max_body_bytes).unwrap_or(usize::MAX),
        ..http::Options::default()
    };
    let http = tokio::spawn(http::serve(listener, gateway.clone(), http_options, stop_http.clone()));
    notify::ready();
    notify::watch(gateway.clone(), &stop_http);
    Ok(Running { gateway, address, roster: new_roster, clock, stop, stop_http, consumer, pipeline, outbox, http })
}

fn load_roster(source: &RosterSource, zones: settings::ZoneSource, now: DateTime<Utc>) -> Result<Loaded, ServeError> {
    let zones = zone_source(zones);
    match source {
        RosterSource::Path(path) => roster::load(path, zones, now),
        RosterSource::Sample => roster::sample(zones, now),
    }
    .map_err(ServeError::Roster)
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

fn metrics(settings: &Settings, roster: &crate::engine::roster::Roster, logs: &LogCounts) -> Metrics {
    let targets: BTreeSet<u32> =
        roster.sla.values().flat_map(|policy| &policy.clocks).map(|clock| clock.target_minutes).collect();
    let zones = roster::zones::Zones::open(zone_source(settings.zones.source));
    let source = zones.as_ref().map_or("", |zones| zones.version().source.as_str());
    let setup = Setup {
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("HELIOGRAPH_REVISION").unwrap_or("unknown"),
        tzdata_version: &roster.tzdata,
        tzdata_source: source,
        sla_targets_minutes: &targets.into_iter().collect::<Vec<_>>(),
        broker: settings.amqp.is_some(),
    };
    Metrics::new(setup, logs)
}

/// The first instant that some calendar of the roster does not know.
fn horizon(roster: &crate::engine::roster::Roster) -> DateTime<Utc> {
    roster.calendars.values().map(|calendar| calendar.horizon().1).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
}

async fn reach_broker(
    amqp: &settings::Amqp,
    settings: &Settings,
    roster: &crate::engine::roster::Roster,
) -> Result<Broker, ServeError> {
    let broker = Broker::new(amqp_options(amqp, settings))?;
    let queued = roster.teams.iter().filter(|team| team.delivery == Delivery::Queue);
    let teams: Vec<String> = queued.map(|team| team.id.as_str().into()).collect();
    let report = broker.start(&teams).await?;
    tracing::info!(server = %report.server, teams = teams.len(), "broker reached");
    for warning in report.warnings {
        tracing::warn!(%warning, "broker");
    }
    Ok(broker)
}

fn amqp_options(amqp: &settings::Amqp, settings: &Settings) -> AmqpOptions {
    let mut options = AmqpOptions::new(AmqpUrl::new(amqp.url.reveal().to_owned()));
    options.prefix = format!("{}.", amqp.prefix.as_str());
    options.topology = match amqp.topology {
        settings::Topology::Declare => TopologyMode::Declare,
        settings::Topology::Check => TopologyMode::Check,
    };
    options.prefetch = amqp.prefetch;
    options.heartbeat = Duration::from_secs(u64::from(amqp.heartbeat_seconds));
    options.message_limit_bytes = usize::try_from(amqp.max_message_bytes).unwrap_or(usize::MAX);
    options.in_flight_bytes = usize::try_from(settings.limits.publish_in_flight_bytes).unwrap_or(usize::MAX);
    options.tls.ca_file = amqp.tls.ca_file.clone();
    options.tls.identity = match (&amqp.tls.certificate_file, &amqp.tls.key_file) {
        (Some(certificate_file), Some(key_file)) => {
            Some(ClientIdentity { certificate_file: certificate_file.clone(), key_file: key_file.clone() })
        }
        _ => None,
    };
    // The settings have refused a plain address of another machine that is not allowed.
    options.allow_plain_remote = true;
    options
}

/// Consumes into the loop, counting on the way; its links show in readiness and metrics.
fn consume(broker: &Broker, intake: &mpsc::Sender<Inbound>, metrics: &Arc<Metrics>, status: &Arc<Status>) -> Consumer {
    let (sink, mut source) = mpsc::channel(INTAKE_LIMIT);
    let consumer = broker.consume(sink);
    status.watch("broker", consumer.status());
    let (intake, metrics) = (intake.clone(), Arc::clone(metrics));
    tokio::spawn(async move {
        let mut links = 0_u64;
        while let Some(inbound) = source.recv().await {
            match inbound {
                broker::Inbound::Connected { epoch } => {
                    tracing::info!(epoch, "consuming");
                    metrics.set_broker_up(true);
                    links += 1;
                    if links > 1 {
                        metrics.broker_reconnected();
                    }
                }
                broker::Inbound::Lost { epoch, reason } => {
                    tracing::warn!(epoch, reason, "the link to the broker is lost; it is built anew");
                    metrics.set_broker_up(false);
                }
                broker::Inbound::Delivery(delivery) => {
                    metrics.received(match delivery.intake {
                        Intake::Requests => Queue::Requests,
                        Intake::Updates => Queue::Updates,
                    });
                    if intake.send(Inbound::Delivery(delivery)).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    consumer
}
