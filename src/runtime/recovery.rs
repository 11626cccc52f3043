//! What a start finds: the roster, the store, and whether they fit each other and the clock.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::id::TeamId;
use crate::engine::roster::Roster;
use crate::engine::scheduler::{Limits, Restored, Scheduler};
use crate::engine::walls::Walls;
use crate::roster::{self, Loaded};
use crate::settings::{self, Settings};
use crate::store::sqlite::SqliteStore;
use crate::store::{Reader, RosterVersion, StoreError, Writer};
use crate::telemetry::Metrics;
use crate::telemetry::logs::LogCounts;
use crate::telemetry::metrics::Setup;
use crate::wire::chain::{Head, Sealer};
use crate::wire::fact::FactSeq;

use super::clock::Clock;
use super::gateway::READERS;
use super::serve::{RosterSource, ServeError, zone_source};

/// A start this far behind the last committed instant is refused.
const MAX_BEHIND: TimeDelta = TimeDelta::milliseconds(2_000);

/// What the loop goes on from.
pub struct Recovery {
    /// The roster that comes into force, or goes on being so.
    pub roster: Arc<Roster>,
    /// Set when it was not in force before.
    pub new_version: Option<RosterVersion>,
    /// The engine with the open tasks.
    pub scheduler: Scheduler,
    /// The chain's head.
    pub sealer: Sealer,
    /// This life of the store.
    pub incarnation: Arc<str>,
    /// Every fact up to here has been published or is undelivered.
    pub watermark: FactSeq,
    /// Messages that could not be delivered.
    pub undelivered: Vec<(FactSeq, TeamId)>,
    /// The store's one writer.
    pub store: SqliteStore,
    /// Its readers.
    pub readers: Readers,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

/// Connections that read committed state, each for one owner.
pub struct Readers {
    /// The decider's.
    pub for_decider: Box<dyn Reader>,
    /// The outbox's.
    pub for_outbox: Box<dyn Reader>,
    /// [`READERS`] of them.
    pub for_http: Vec<Box<dyn Reader>>,
}

/// Loads the roster, recovers the store, and checks that the clock and the roster go on from it.
///
/// # Errors
/// [`ServeError`] when the roster has faults or lacks what open tasks need, the store cannot be used, or the clock is
/// behind it.
pub fn recover(
    settings: &Settings,
    source: &RosterSource,
    clock: &Clock,
    logs: &LogCounts,
) -> Result<Recovery, ServeError> {
    let Loaded { roster, text, warnings, .. } = load_roster(source, settings.zones.source, clock.now())?;
    for warning in &warnings {
        tracing::warn!(%warning, "roster");
    }
    let roster = Arc::new(roster);
    let mut store = SqliteStore::open(&settings.store.path)?;
    let recovered = store.recover()?;
    let now = start_time(clock, recovered.last_at)?;
    let metrics = Arc::new(metrics(settings, &roster, logs));
    metrics.roster_reloaded(now, horizon(&roster));
    let mut walls = Walls::default();
    recovered.walls.iter().for_each(|wall| walls.add(wall));
    recovered.conflicts.iter().for_each(|(team, client, matter)| walls.raise(team, client, matter));
    let in_force = recovered.roster.as_ref().is_some_and(|version| version.digest == roster.digest);
    let other = recovered.roster.filter(|_| !in_force);
    let roster_before = other.and_then(|version| roster_before(&version, zone_source(settings.zones.source), now));
    let restored = Restored {
        walls,
        open: recovered.open,
        ended: recovered.recent_ended,
        conflicts: recovered.conflicts,
        kept: recovered.kept,
        next_arrival: recovered.next_arrival,
        roster_before,
    };
    let open_tasks = restored.open.len();
    let limits = Limits { max_open_tasks: usize::try_from(settings.limits.max_open_tasks).unwrap_or(usize::MAX) };
    let scheduler = Scheduler::restore(Arc::clone(&roster), limits, restored, now);
    let missing = scheduler.missing_in(&roster);
    if !missing.is_empty() {
        return Err(ServeError::RosterLacks(missing));
    }
    tracing::info!(open_tasks, facts = recovered.last_seq.0, roster = %roster.digest.0, "recovered");
    let new_version = (!in_force).then(|| RosterVersion { digest: roster.digest.clone(), text, at: now });
    Ok(Recovery {
        new_version,
        scheduler,
        sealer: Sealer::after(Head { seq: recovered.last_seq, link: recovered.last_link }),
        incarnation: recovered.incarnation,
        watermark: recovered.watermark,
        undelivered: recovered.undelivered,
        readers: readers(&store)?,
        store,
        metrics,
        roster,
    })
}

/// Engine time goes on from the last committed instant; a clock that is further behind than a correction may be is
/// refused.
fn start_time(clock: &Clock, last_at: Option<DateTime<Utc>>) -> Result<DateTime<Utc>, ServeError> {
    let now = clock.now();
    let Some(last) = last_at else { return Ok(now) };
    if last - now > MAX_BEHIND {
        return Err(ServeError::ClockBehind { now, last });
    }
    clock.not_before(last);
    Ok(clock.now())
}

/// The roster that was in force until this start: what clocks counted was counted by it.
fn roster_before(version: &RosterVersion, zones: roster::zones::ZoneSource, now: DateTime<Utc>) -> Option<Arc<Roster>> {
    match roster::parse_text(&version.text, zones, now) {
        Ok(loaded) => Some(Arc::new(loaded.roster)),
        Err(faults) => {
            let first = faults.0.first().map(ToString::to_string).unwrap_or_default();
            tracing::warn!(roster = %version.digest.0, fault = first,
                "this version does not read the roster before: running clocks are counted by the new one from the start \
                 of their last segment");
            None
        }
    }
}

fn readers(store: &SqliteStore) -> Result<Readers, StoreError> {
    let for_http = (0..READERS).map(|_| store.reader()).collect::<Result<_, _>>()?;
    Ok(Readers { for_decider: store.reader()?, for_outbox: store.reader()?, for_http })
}

fn load_roster(source: &RosterSource, zones: settings::ZoneSource, now: DateTime<Utc>) -> Result<Loaded, ServeError> {
    let zones = zone_source(zones);
    match source {
        RosterSource::Path(path) => roster::load(path, zones, now),
        RosterSource::Sample => roster::sample(zones, now),
    }
    .map_err(ServeError::Roster)
}

fn metrics(settings: &Settings, roster: &Roster, logs: &LogCounts) -> Metrics {
    let policies: Vec<_> = roster.sla.values().cloned().collect();
    let zones = roster::zones::Zones::open(zone_source(settings.zones.source));
    let source = zones.as_ref().map_or("", |zones| zones.version().source.as_str());
    let setup = Setup {
        version: env!("CARGO_PKG_VERSION"),
        revision: option_env!("HELIOGRAPH_REVISION").unwrap_or("unknown"),
        tzdata_version: &roster.tzdata,
        tzdata_source: source,
        policies: &policies,
        broker: settings.amqp.is_some(),
    };
    Metrics::new(setup, logs)
}

/// The first instant that some calendar of the roster does not know.
fn horizon(roster: &Roster) -> DateTime<Utc> {
    roster.calendars.values().map(|calendar| calendar.horizon().1).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
}
