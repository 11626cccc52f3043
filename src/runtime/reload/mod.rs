//! Rosters while the daemon runs: read aside, judged by the loop, swapped whole.
//!
//! A roster comes by the file that the settings name, which is looked at each second and when SIGHUP says so, or by HTTP.
//! Whatever is wrong with it, the last good one stays in force; what is wrong with the file shows in the log, a metric and
//! `/readyz` until the file is mended, also when it goes back to the bytes that are in force. A change of the file counts
//! once it has stood still for a second, so that one that is being written is not taken for a whole one.

mod asked;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::engine::coverage;
use crate::engine::roster::Roster;
use crate::http::{NoPlan, RosterPlan, Unavailable};
use crate::roster::zones::ZoneSource;
use crate::roster::{self, Faults, Fingerprint, Loaded};
use crate::telemetry::Metrics;

use super::candidate::{Candidate, Wanted};
use super::clock::Clock;
use super::in_force::InForce;
use super::intake::Inbound;
use super::links::Links;
use super::notify;
use super::recovery::horizon;
use super::status::Status;
pub use asked::{Apply, Ask};

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often a roster is tried again that something keeps out of force which may end by itself.
const AGAIN_EVERY: Duration = Duration::from_secs(5);

/// How often gaps are looked for while nothing changes.
const AHEAD_EVERY: TimeDelta = TimeDelta::minutes(10);

/// How many days ahead.
const AHEAD_DAYS: u32 = 14;

/// What a reloader works with.
pub struct ReloaderParts {
    /// The file or folder of the settings; the sample inside the program has none.
    pub path: Option<PathBuf>,
    /// Where zones are read.
    pub zones: ZoneSource,
    /// What is wrong with the file since the start, where one before it is in force.
    pub fault: Option<String>,
    /// What is asked over HTTP.
    pub asks: mpsc::Receiver<Ask>,
    /// The way into the loop.
    pub intake: mpsc::Sender<Inbound>,
    /// The broker, where there is one.
    pub links: Option<Links>,
    /// The roster in force.
    pub in_force: InForce,
    /// Tells the time.
    pub clock: Arc<Clock>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
    /// Health.
    pub status: Arc<Status>,
}

/// Reads rosters and brings them into force, one at a time.
pub struct Reloader {
    parts: ReloaderParts,
    /// The file as it was when it was looked at last.
    seen: Option<Fingerprint>,
    /// The file as it was when it was read last.
    read: Option<Fingerprint>,
    /// When it is read again although it has not changed.
    again_at: Option<Instant>,
    /// The feeds that the file named then.
    feeds: Vec<String>,
    hang_up: Option<Signal>,
    /// The roster and the instant for which gaps were shown last.
    looked_ahead: Option<(Arc<Roster>, DateTime<Utc>)>,
}

/// Why the file's roster is not in force.
enum NotInForce {
    /// Something is wrong with it.
    Fault(String),
    /// Something else keeps it, which may end by itself.
    Later(String),
}

impl Reloader {
    /// A reloader that has looked at nothing yet.
    #[must_use]
    pub fn new(parts: ReloaderParts) -> Self {
        let hang_up = parts.path.as_ref().and_then(|_| signal(SignalKind::hangup()).ok());
        Self { parts, seen: None, read: None, again_at: None, feeds: Vec::new(), hang_up, looked_ahead: None }
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        self.show_fault(self.parts.fault.clone());
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(ask) = self.parts.asks.recv() => self.answer(ask).await,
                () = hung_up(&mut self.hang_up) => {
                    notify::reloading();
                    self.seen = self.look().await;
                    self.read_file().await;
                    notify::ready();
                }
                _ = look.tick() => {
                    self.look_again().await;
                    self.look_ahead().await;
                }
            }
        }
    }

    /// Reads the file when it has changed since it was read, or is to be tried again, and has stood still since the last
    /// look.
    async fn look_again(&mut self) {
        let now = self.look().await;
        let stands_still = now == self.seen;
        self.seen = now;
        let is_due = self.again_at.is_some_and(|again_at| again_at <= Instant::now());
        if stands_still && (is_due || self.seen != self.read) {
            self.read_file().await;
        }
    }

    /// Shows the next gap of each capability when the teams are others than before, and now and then since time goes on.
    async fn look_ahead(&mut self) {
        let (roster, now) = (self.parts.in_force.roster(), self.parts.clock.now());
        let shown = self.looked_ahead.as_ref();
        if shown.is_some_and(|(of, at)| Arc::ptr_eq(of, &roster) && now - *at < AHEAD_EVERY) {
            return;
        }
        self.looked_ahead = Some((Arc::clone(&roster), now));
        let ahead = tokio::task::spawn_blocking(move || coverage::coverage(&roster, now, AHEAD_DAYS));
        // One that was broken off is worked out again after a while.
        let Ok(ahead) = ahead.await else { return };
        let next = ahead.capabilities.iter().map(|it| (it.capability.as_str(), it.gaps.first().map(|gap| gap.from)));
        self.parts.metrics.show_gaps(next);
    }

    async fn look(&self) -> Option<Fingerprint> {
        let (path, feeds) = (self.parts.path.clone()?, self.feeds.clone());
        tokio::task::spawn_blocking(move || roster::fingerprint(&path, &feeds)).await.ok()
    }

    /// Reads the file and brings it into force.
    async fn read_file(&mut self) {
        let Some(path) = self.parts.path.clone() else { return };
        self.read.clone_from(&self.seen);
        self.again_at = None;
        let (zones, now) = (self.parts.zones, self.parts.clock.now());
        let loaded = aside(move || roster::load(&path, zones, now)).await;
        let outcome = match loaded {
            Ok(loaded) => self.take_file(loaded).await,
            Err(faults) => Err(NotInForce::Fault(faults)),
        };
        match outcome {
            Ok(()) => {
                self.show_fault(None);
                self.parts.metrics.roster_reloaded(self.parts.clock.now(), horizon(&self.parts.in_force.roster()));
            }
            Err(NotInForce::Fault(fault)) => self.show_fault(Some(fault)),
            // The daemon is stopping: nobody is there to take it, and that is no fault of the roster.
            Err(NotInForce::Later(_)) if self.parts.intake.is_closed() => {}
            Err(NotInForce::Later(fault)) => {
                self.again_at = Some(Instant::now() + AGAIN_EVERY);
                self.show_fault(Some(fault));
            }
        }
    }

    async fn take_file(&mut self, loaded: Loaded) -> Result<(), NotInForce> {
        let sources = roster::split(&loaded.text);
        let feeds = sources.iter().filter(|source| source.is_feed()).map(|source| source.name.to_string()).collect();
        if feeds != self.feeds {
            // They are looked at from now on; what changed since this file was read is read for itself.
            self.feeds = feeds;
            self.seen = None;
            self.read = None;
        }
        for warning in &loaded.warnings {
            tracing::warn!(%warning, "roster");
        }
        let plan = self.bring_in(loaded, false, None).await.map_err(|Unavailable(why)| NotInForce::Later(why))?;
        match plan.refused {
            None => Ok(()),
            Some(refusal) => {
                let lines = refusal.missing.iter().map(|it| format!("; {} needs {}", it.task, it.needs));
                let fault = refusal.detail.clone() + &lines.collect::<String>();
                // Bytes that were in force before stay refused until somebody forces them.
                let stays = refusal.code == "earlier";
                Err(if stays { NotInForce::Fault(fault) } else { NotInForce::Later(fault) })
            }
        }
    }

    /// Brings a roster into force: the queues of new teams are there before anything can be published to them.
    async fn bring_in(
        &self,
        loaded: Loaded,
        forced: bool,
        check_index: Option<crate::wire::fact::FactSeq>,
    ) -> Result<RosterPlan, Unavailable> {
        let (roster, text) = (Arc::new(loaded.roster), loaded.text);
        let before = self.parts.in_force.roster();
        let mut plan = self.judge(&roster, &text, Wanted::Check { forced }).await?;
        if plan.refused.is_some() || plan.digest == plan.in_force {
            return Ok(plan);
        }
        if let Some(links) = &self.parts.links
            && let Err(error) = links.follow(&before, &roster).await
        {
            let detail = format!("the queues of its teams cannot be seen to: {error}");
            plan.refused = Some(crate::http::RosterRefusal { code: "broker".into(), detail, missing: Vec::new() });
            return Ok(plan);
        }
        let plan = self.judge(&roster, &text, Wanted::Apply { forced, check_index }).await?;
        if plan.applied {
            tracing::info!(roster = %plan.digest, changes = plan.changes.len(), "another roster is in force");
            self.parts.metrics.roster_reloaded(self.parts.clock.now(), horizon(&roster));
        }
        Ok(plan)
    }

    /// Asks the loop.
    async fn judge(&self, roster: &Arc<Roster>, text: &Arc<str>, wanted: Wanted) -> Result<RosterPlan, Unavailable> {
        let (reply, answer) = oneshot::channel();
        let candidate = Candidate { roster: Arc::clone(roster), text: Arc::clone(text), wanted, reply };
        let stopping = || Unavailable("the daemon is stopping; send again".into());
        self.parts.intake.send(Inbound::Roster(Box::new(candidate))).await.map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// What is wrong with the file shows until it is mended, and is logged when it changes.
    fn show_fault(&mut self, fault: Option<String>) {
        match &fault {
            Some(fault) => {
                self.parts.metrics.roster_reload_failed();
                if self.parts.fault.as_ref() != Some(fault) {
                    tracing::error!(fault, "the roster that was read last is not in force; the one before it stays");
                }
            }
            None if self.parts.fault.is_some() => tracing::info!("the roster's file is mended"),
            None => {}
        }
        self.parts.status.roster_read(fault.clone());
        self.parts.fault = fault;
    }
}

/// Reads a roster on a thread that may block; its faults as lines.
async fn aside(read: impl FnOnce() -> Result<Loaded, Faults> + Send + 'static) -> Result<Loaded, String> {
    match tokio::task::spawn_blocking(read).await {
        Ok(loaded) => loaded.map_err(|faults| faults.to_string()),
        Err(_) => Err("reading it was broken off; see the log".into()),
    }
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// What the loop does not take, a caller over HTTP is told.
fn unavailable(why: Unavailable) -> NoPlan {
    NoPlan::Unavailable(why)
}
