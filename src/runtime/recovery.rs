//! What a start finds: the roster, the store, and whether they fit each other and the clock.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::id::TeamId;
use crate::engine::planted::planted;
use crate::engine::roster::Roster;
use crate::engine::scheduler::{Limits, Restored, Scheduler, missing_in};
use crate::engine::walls::Walls;
use crate::roster::zones::ZoneSource;
use crate::roster::{self, Faults, Loaded};
use crate::settings::Settings;
use crate::store::{Reader, Recovered, RosterVersion, StoreError, Writer};
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
    /// Its text, when it was not in force before.
    pub new_text: Option<Arc<str>>,
    /// What is wrong with the roster that the settings name, where the one before it stays in force.
    pub roster_fault: Option<String>,
    /// The last fact that told of a change of the roster or of overrides.
    pub check_index: FactSeq,
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
    pub store: Box<dyn Writer>,
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

/// A store that this daemon may write.
pub struct Opened {
    /// The store.
    pub writer: Box<dyn Writer>,
    /// Whether it began a new life, as a copy in its original's place.
    pub is_restored: bool,
    /// The number of the leadership under which it is written; 0 without a lease.
    pub epoch: u64,
}

/// Loads the roster, recovers the store, and checks that the clock and the roster go on from it.
///
/// # Errors
/// [`ServeError`] when the roster has faults or lacks what open tasks need, the store cannot be used, or the clock is
/// behind it.
pub fn recover(
    settings: &Settings,
    source: &RosterSource,
    opened: Opened,
    clock: &Clock,
    logs: &LogCounts,
) -> Result<Recovery, ServeError> {
    failpoint!("opened", StoreError::at_step("opened").into());
    let Opened { writer: mut store, is_restored, epoch } = opened;
    let mut recovered = store.recover()?;
    if planted("timers-in-memory-only") {
        recovered.open.iter_mut().for_each(|task| task.clocks.clear());
    }
    failpoint!("recovered", StoreError::at_step("recovered").into());
    if is_restored {
        tracing::warn!(incarnation = &*recovered.incarnation, "a copy goes on in the place of its original");
    }
    let now = start_time(clock, recovered.last_at)?;
    let zones = zone_source(settings.zones.source);
    let candidate = load_roster(source, zones, now);
    let Chosen { roster, new_text, fault } = choose(candidate, &recovered, store.reader()?.as_mut(), zones, now)?;
    let metrics = Arc::new(metrics(settings, &roster, epoch, logs));
    metrics.roster_reloaded(now, horizon(&roster));
    let mut walls = Walls::default();
    recovered.walls.iter().for_each(|wall| walls.add(wall));
    recovered.conflicts.iter().for_each(|(team, client, matter)| walls.raise(team, client, matter));
    let other = recovered.roster.as_ref().filter(|_| new_text.is_some());
    let roster_before = other.and_then(|version| roster_before(version, zones, now));
    // What is about to be forgotten is not remembered either.
    let forgotten_before = now - TimeDelta::days(settings.keeping.rows_days.into());
    let mut ended = recovered.recent_ended;
    ended.retain(|task| task.state.ended_at().is_some_and(|at| at >= forgotten_before));
    let restored = Restored {
        walls,
        open: recovered.open,
        processes: recovered.processes,
        ended,
        conflicts: recovered.conflicts,
        kept: recovered.kept,
        overrides: recovered.overrides,
        marks: recovered.marks,
        next_arrival: recovered.next_arrival,
        roster_before,
        outage_since: recovered.last_at,
    };
    let open_tasks = restored.open.len();
    let limits = Limits { max_open_tasks: usize::try_from(settings.limits.max_open_tasks).unwrap_or(usize::MAX) };
    let scheduler = Scheduler::restore(Arc::clone(&roster), limits, restored, now);
    failpoint!("restored", StoreError::at_step("restored").into());
    tracing::info!(open_tasks, facts = recovered.last_seq.0, roster = %roster.digest.0, "recovered");
    Ok(Recovery {
        new_text,
        roster_fault: fault,
        check_index: recovered.check_index,
        scheduler,
        sealer: Sealer::after(Head { seq: recovered.last_seq, link: recovered.last_link }),
        incarnation: recovered.incarnation,
        watermark: recovered.watermark,
        undelivered: recovered.undelivered,
        readers: readers(&*store)?,
        store,
        metrics,
        roster,
    })
}

/// The roster that a start goes on with.
struct Chosen {
    roster: Arc<Roster>,
    /// Its text, when it was not in force before.
    new_text: Option<Arc<str>>,
    /// Why it is not the one that the settings name.
    fault: Option<String>,
}

/// The roster that the settings name is a candidate as at any other time: with faults, without what open tasks need, or as
/// one of earlier days it does not come into force, and the one that is stays.
fn choose(
    candidate: Result<Loaded, Faults>,
    recovered: &Recovered,
    reader: &mut dyn Reader,
    zones: ZoneSource,
    now: DateTime<Utc>,
) -> Result<Chosen, ServeError> {
    let Some(version) = &recovered.roster else {
        let Loaded { roster, text, warnings } = candidate.map_err(ServeError::Roster)?;
        warn(&warnings);
        return Ok(Chosen { roster: Arc::new(roster), new_text: Some(text), fault: None });
    };
    let fault = match candidate {
        Ok(Loaded { roster, warnings, .. }) if roster.digest == version.digest => {
            warn(&warnings);
            return Ok(Chosen { roster: Arc::new(roster), new_text: None, fault: None });
        }
        Ok(Loaded { roster, text, warnings }) => {
            let missing = missing_in(&recovered.open, &roster);
            let overridden = recovered.overrides.missing_in(&roster).next();
            if !missing.is_empty() {
                ServeError::RosterLacks(missing).to_string()
            } else if let Some(it) = overridden {
                format!("override {} is on team {}, which it lacks; remove the override first", it.id, it.team)
            } else if reader.roster(&roster.digest)?.is_some() {
                "these very bytes were in force before another roster was; when they are meant, force them with \
                 heliograph plan --apply --force"
                    .to_owned()
            } else {
                warn(&warnings);
                return Ok(Chosen { roster: Arc::new(roster), new_text: Some(text), fault: None });
            }
        }
        Err(faults) => faults.to_string(),
    };
    tracing::error!(fault, in_force = %version.digest.0, "the roster of the settings is not in force; the one before it stays");
    let kept = roster::parse_text(&version.text, zones, now).map_err(ServeError::Roster)?;
    Ok(Chosen { roster: Arc::new(kept.roster), new_text: None, fault: Some(fault) })
}

fn warn(warnings: &[roster::Finding]) {
    for warning in warnings {
        tracing::warn!(%warning, "roster");
    }
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
fn roster_before(version: &RosterVersion, zones: ZoneSource, now: DateTime<Utc>) -> Option<Arc<Roster>> {
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

fn readers(store: &dyn Writer) -> Result<Readers, StoreError> {
    let for_http = (0..READERS).map(|_| store.reader()).collect::<Result<_, _>>()?;
    Ok(Readers { for_decider: store.reader()?, for_outbox: store.reader()?, for_http })
}

fn load_roster(source: &RosterSource, zones: ZoneSource, now: DateTime<Utc>) -> Result<Loaded, Faults> {
    match source {
        RosterSource::Path(path) => roster::load(path, zones, now),
        RosterSource::Sample => roster::sample(zones, now),
    }
}

fn metrics(settings: &Settings, roster: &Roster, epoch: u64, logs: &LogCounts) -> Metrics {
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
        epoch,
    };
    Metrics::new(setup, logs)
}

/// The first instant that some calendar of the roster does not know.
pub fn horizon(roster: &Roster) -> DateTime<Utc> {
    roster.calendars.values().map(|calendar| calendar.horizon().1).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
}
