//! Standing by: a daemon that follows the store until nobody leads, and leads then.
//!
//! It keeps the open tasks ready, so that what is left to read at that moment is what changed last. A store that does not
//! answer is tried again for as long as it takes; one that is not fit to be led is an error.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::http::{self, Check};
use crate::settings;
use crate::store::postgres::{Candidate, Durability, Led, PostgresOptions, PostgresStore};
use crate::store::{Leader, StoreError};
use crate::telemetry::logs::LogCounts;
use crate::telemetry::metrics::StandbyMetrics;

use super::clock::{self, Stopwatch};
use super::leadership::Leadership;
use super::notify;
use super::serve::ServeError;
use super::status::{Standing, check};

/// How often a standby looks at the lease and reads what changed.
const LOOKS_EVERY: Duration = Duration::from_millis(200);

/// How long it waits before it tries a store again that did not answer.
const RETRIES_AFTER: Duration = Duration::from_millis(500);

/// A daemon whose clock is further off the database's does not lead.
const MAX_CLOCK_OFF_MS: i64 = 1_000;

/// A standby is alive when it looked, or tried to, within this time.
const ALIVE_WITHIN: Duration = Duration::from_secs(30);

/// How long answers that have begun are waited for when it begins to lead.
const ANSWERS_WITHIN: Duration = Duration::from_millis(200);

/// A store that this daemon leads from now on.
pub struct Leading {
    /// The store.
    pub store: Box<PostgresStore>,
    /// The right to write it.
    pub leadership: Leadership,
    /// How it stands, in words.
    pub standing: Standing,
}

/// Where the database is, for a daemon that listens at an address.
#[must_use]
pub fn options(of: &settings::Postgres, address: SocketAddr) -> PostgresOptions {
    PostgresOptions {
        url: of.url.clone(),
        ca_file: of.ca_file.clone(),
        allow_plain_remote: of.allow_plain_remote,
        holder: of.name.clone().unwrap_or_else(|| address.to_string()),
        lease_for: Duration::from_secs(of.lease_seconds),
    }
}

/// Stands by, and answers over HTTP, until this daemon leads; `None` when `stop` came first.
///
/// # Errors
/// [`ServeError::Store`] when the store is not fit to be led, or does not let this daemon in.
pub async fn until_leading(
    options: PostgresOptions,
    listener: &TcpListener,
    http_options: http::Options,
    logs: &LogCounts,
    stop: impl Future<Output = ()>,
) -> Result<Option<Leading>, ServeError> {
    let seen = StandingBy::new(logs);
    let (tell, told) = sync_channel(1);
    let thread = {
        let seen = seen.clone();
        std::thread::Builder::new().name("standby".into()).spawn(move || follow(&options, &seen, &told))?
    };
    let serving = CancellationToken::new();
    let http_options = http::Options { stop_within: ANSWERS_WITHIN, ..http_options };
    notify::ready();
    let alive = seen.clone();
    notify::watch(move || http::Standby::is_live(&alive), &serving);
    let ended = tokio::task::spawn_blocking(move || thread.join());
    let waiting = async {
        tokio::pin!(ended);
        let ended = tokio::select! {
            ended = &mut ended => ended,
            () = stop => {
                drop::<SyncSender<()>>(tell);
                ended.await
            }
        };
        serving.cancel();
        ended
    };
    let served = http::serve_standby(listener, seen.clone(), http_options, serving.clone());
    let ((), ended) = tokio::join!(served, waiting);
    match ended {
        Ok(Ok(led)) => led.map_err(ServeError::Store),
        _ => Err(ServeError::PartEnded("the standby")),
    }
}

/// Follows until it leads; `None` when it is told to stop.
fn follow(options: &PostgresOptions, seen: &StandingBy, told: &Receiver<()>) -> Result<Option<Leading>, StoreError> {
    loop {
        let fault = match Candidate::connect(options.clone()) {
            Ok(candidate) => match follow_one(candidate, seen, told) {
                Ok(ended) => return Ok(ended),
                Err(fault) => fault,
            },
            Err(fault) => fault,
        };
        match fault {
            StoreError::Failed { .. } => seen.failed(&fault),
            _ => return Err(fault),
        }
        if is_told(told, RETRIES_AFTER) {
            return Ok(None);
        }
    }
}

/// Follows on one set of connections.
fn follow_one(mut candidate: Candidate, seen: &StandingBy, told: &Receiver<()>) -> Result<Option<Leading>, StoreError> {
    loop {
        let (leader, open_tasks) = candidate.follow()?;
        let clock_off_ms = clock_off_ms(&mut candidate)?;
        seen.looked(&leader, open_tasks, clock_off_ms);
        if leader.expires_in_ms <= 0 && clock_off_ms.abs() <= MAX_CLOCK_OFF_MS {
            let (durability, before) = (candidate.durability(), Stopwatch::start());
            match candidate.lead()? {
                Led::Here(store, lease) => {
                    let epoch = lease.epoch();
                    tracing::info!(epoch, open_tasks, after = &*leader.holder, "leads");
                    let leadership = Leadership::keep(lease, before).map_err(|error| StoreError::Failed {
                        during: "keeping the lease",
                        message: error.to_string(),
                    })?;
                    return Ok(Some(Leading { store, leadership, standing: standing(epoch, durability) }));
                }
                Led::By(_, again) => candidate = *again,
            }
        }
        if is_told(told, LOOKS_EVERY) {
            return Ok(None);
        }
    }
}

fn standing(epoch: u64, durability: Durability) -> Standing {
    let store = match durability {
        Durability::Replicated => "commits are durable, on a synchronous copy too",
        Durability::ThisServer => {
            "commits are durable on this server alone: a fail-over of the database may lose acknowledged work, unless \
             synchronous_standby_names is set there"
        }
    };
    Standing { leadership: format!("leads since epoch {epoch} began"), store: store.into() }
}

/// How far this machine's clock is ahead of the database's.
fn clock_off_ms(candidate: &mut Candidate) -> Result<i64, StoreError> {
    let before = clock::wall().timestamp_millis();
    let theirs = candidate.clock_ms()?;
    let after = clock::wall().timestamp_millis();
    // Somewhere in between; what the answer took is no difference.
    Ok(if theirs < before { before - theirs } else { (after - theirs).min(0) })
}

/// Waits; says whether it was told to stop meanwhile.
fn is_told(told: &Receiver<()>, wait: Duration) -> bool {
    !matches!(told.recv_timeout(wait), Err(RecvTimeoutError::Timeout))
}

/// What a standby has seen, as HTTP shows it.
#[derive(Clone)]
struct StandingBy {
    seen: Arc<Mutex<Seen>>,
    metrics: Arc<StandbyMetrics>,
}

struct Seen {
    looked: Stopwatch,
    leader: Option<Leader>,
    open_tasks: usize,
    clock_off_ms: i64,
    fault: Option<String>,
}

impl StandingBy {
    fn new(logs: &LogCounts) -> Self {
        let metrics = StandbyMetrics::new(
            env!("CARGO_PKG_VERSION"),
            option_env!("HELIOGRAPH_REVISION").unwrap_or("unknown"),
            logs,
        );
        let seen = Seen {
            looked: Stopwatch::start(),
            leader: None,
            open_tasks: 0,
            clock_off_ms: 0,
            fault: Some("not reached yet".into()),
        };
        Self { seen: Arc::new(Mutex::new(seen)), metrics: Arc::new(metrics) }
    }

    fn looked(&self, leader: &Leader, open_tasks: usize, clock_off_ms: i64) {
        self.metrics.followed(leader.epoch);
        let mut seen = self.lock();
        if seen.leader.as_ref().is_none_or(|before| before.epoch != leader.epoch) {
            tracing::info!(leader = &*leader.holder, epoch = leader.epoch, "stands by");
        }
        *seen =
            Seen { looked: Stopwatch::start(), leader: Some(leader.clone()), open_tasks, clock_off_ms, fault: None };
    }

    fn failed(&self, fault: &StoreError) {
        self.metrics.failed();
        let mut seen = self.lock();
        if seen.fault.is_none() {
            tracing::warn!(error = %fault, "the store cannot be followed and is tried again");
        }
        seen.looked = Stopwatch::start();
        seen.fault = Some(fault.to_string());
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl http::Standby for StandingBy {
    fn checks(&self) -> Vec<Check> {
        let seen = self.lock();
        let off = seen.clock_off_ms;
        let clock = (off.abs() > MAX_CLOCK_OFF_MS).then(|| {
            format!("{off} ms ahead of the database's, more than {MAX_CLOCK_OFF_MS} ms off: it does not lead; set the clock right")
        });
        let store = format!("followed, with {} open tasks", seen.open_tasks);
        let leader = self.leader_of(&seen);
        vec![
            check("store", seen.fault.clone(), &store),
            check("clock", clock, &format!("{off} ms ahead of the database's")),
            check("leadership", None, &leader),
        ]
    }

    fn is_live(&self) -> bool {
        self.lock().looked.elapsed() < ALIVE_WITHIN
    }

    fn leader(&self) -> String {
        self.leader_of(&self.lock())
    }

    fn metrics(&self) -> String {
        self.metrics.render()
    }
}

impl StandingBy {
    fn leader_of(&self, seen: &Seen) -> String {
        match &seen.leader {
            Some(leader) if leader.expires_in_ms > 0 && seen.fault.is_none() => format!("{} leads", leader.holder),
            Some(leader) if leader.epoch > 0 => format!("nobody leads now, {} did last", leader.holder),
            _ => "nobody leads now".into(),
        }
    }
}
