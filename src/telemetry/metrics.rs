//! The metrics of the daemon, in a registry of its own. Base units; label sets that are known start at 0.
//!
//! No label holds a task, a matter or a client. State that is a picture (tasks, teams) is replaced as a whole, and a
//! scrape sees one picture or the next, never a mixture.

mod broker;
mod handoffs;
mod keeping;
mod leadership;
mod picture;
mod processes;
mod sla;

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};

use crate::engine::event::RefusalCode;
use crate::engine::id::{SlaId, TeamId, Term};
use crate::engine::overrides::OverrideKind;
use crate::engine::request::Priority;
use crate::engine::roster::SlaPolicy;
use crate::engine::scheduler::Census;
use crate::engine::sla::SlaPicture;
use crate::wire::message::ReplyIgnored;

use self::broker::Broker;
use self::handoffs::Handoffs;
use self::keeping::Keeping;
use self::leadership::Leadership;
pub use self::leadership::StandbyMetrics;
use self::picture::Picture;
pub use self::picture::TeamGauge;
use self::processes::Processes;
use self::sla::Sla;
use super::families::Families;
use super::logs::LogCounts;
pub use super::words::{HandoffOutcome, Outcome, PublishFailure, Queue, SlaResult, StoreOperation, WhatForgotten};

/// Bucket edges of waits and turnarounds, in seconds; the roster's SLA targets come beside them.
pub const WAIT_BUCKETS_SECONDS: [u32; 15] =
    [1, 10, 30, 60, 300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400, 172_800, 259_200];
/// Most edges of those histograms; the SLA targets above it have none of their own.
pub const MAX_WAIT_BUCKETS: usize = 64;
/// Bucket edges of what the daemon itself takes, in seconds.
const WORK_BUCKETS_SECONDS: [f64; 13] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];
/// Codes of refusals that only updates meet.
const UPDATE_REFUSALS: [RefusalCode; 5] = [
    RefusalCode::UnknownTask,
    RefusalCode::TaskEnded,
    RefusalCode::StaleAssignment,
    RefusalCode::IllegalMove,
    RefusalCode::NotAllowed,
];
/// What is known when the metrics are made.
#[derive(Debug, Clone, Copy)]
pub struct Setup<'a> {
    /// Version of the program.
    pub version: &'a str,
    /// Revision it was built from.
    pub revision: &'a str,
    /// IANA version of the zone rules in use.
    pub tzdata_version: &'a str,
    /// Where they come from, `system` or `bundled`.
    pub tzdata_source: &'a str,
    /// The SLA policies of the roster.
    pub policies: &'a [SlaPolicy],
    /// Whether a broker is configured; without one there are no metrics of a broker.
    pub broker: bool,
    /// The number of this daemon's leadership; 0 without a lease.
    pub epoch: u64,
}

/// Every metric.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Written while the picture is replaced, read while it is rendered.
    replacing: RwLock<()>,
    picture: Picture,
    broker: Option<Broker>,
    received: IntCounterVec,
    settled: IntCounterVec,
    rejected: IntCounterVec,
    unsettled: IntGauge,
    handling: Histogram,
    commit: Histogram,
    store_errors: IntCounterVec,
    outbox: IntGauge,
    routing_wait: HistogramVec,
    turnaround: HistogramVec,
    completed: IntCounterVec,
    sla: Sla,
    handoffs: Handoffs,
    keeping: Keeping,
    processes: Processes,
    wall_exposures: IntCounter,
    clock_difference: Gauge,
    timer_lag: Histogram,
    overrides: IntGaugeVec,
    gaps: GaugeVec,
    outlook_errors: GaugeVec,
    reload_successful: IntGauge,
    reload_success_at: Gauge,
    roster_horizon_at: Gauge,
}

impl Metrics {
    /// All metrics at their start.
    #[must_use]
    pub fn new(setup: Setup<'_>, logs: &LogCounts) -> Self {
        let make = Families::default();
        leadership::about_the_build(&make, setup.version, setup.revision);
        make.gauges("tzdata_info", "Version of the zone rules in use; always 1.", &["version", "source"])
            .with_label_values(&[setup.tzdata_version, setup.tzdata_source])
            .set(1);
        make.adopt(logs.family());
        let clocks = || setup.policies.iter().flat_map(|policy| policy.clocks.iter().map(|clock| (&policy.id, clock)));
        let waits = wait_buckets(clocks().map(|(_, clock)| clock.target_minutes));
        Leadership::new(&make).leads(setup.epoch);
        let metrics = Self {
            replacing: RwLock::new(()),
            picture: Picture::new(&make),
            broker: setup.broker.then(|| Broker::new(&make)),
            received: make.counters("messages_received_total", "Messages that came in.", &["queue"]),
            settled: make.counters("messages_settled_total", "Messages that were answered.", &["outcome"]),
            rejected: make.counters("messages_rejected_total", "Messages that were refused.", &["reason"]),
            unsettled: make.gauge("messages_unsettled", "Messages that came in and are not answered yet."),
            handling: make.histogram(
                "message_handling_duration_seconds",
                "Time from a message's arrival to its answer.",
                &WORK_BUCKETS_SECONDS,
            ),
            commit: make.histogram(
                "store_commit_duration_seconds",
                "Time of a commit until it is durable.",
                &WORK_BUCKETS_SECONDS,
            ),
            store_errors: make.counters("store_errors_total", "Failures of the store.", &["operation"]),
            outbox: make.gauge("outbox_messages", "Committed facts that are not published yet."),
            routing_wait: make.histograms(
                "task_routing_wait_seconds",
                "Time from ready to the first accept.",
                &["priority"],
                &waits,
            ),
            turnaround: make.histograms(
                "task_turnaround_seconds",
                "Time from admission to completion.",
                &["priority"],
                &waits,
            ),
            completed: make.counters(
                "tasks_completed_total",
                "Tasks that were completed, by how they stood to their promises.",
                &["priority", "sla"],
            ),
            handoffs: Handoffs::new(&make, &waits),
            keeping: Keeping::new(&make),
            processes: Processes::new(&make),
            sla: Sla::new(&make),
            wall_exposures: make.counter("wall_exposures_total", "Walls behind which a team had received work before."),
            clock_difference: make
                .float_gauge("clock_difference_seconds", "Engine time minus the wall clock of the machine."),
            timer_lag: make.histogram(
                "timer_lag_seconds",
                "Time from a timer's due time to its firing.",
                &WORK_BUCKETS_SECONDS,
            ),
            overrides: make.gauges("overrides_active", "Overrides of teams that stand now.", &["kind"]),
            gaps: make.float_gauges(
                "coverage_gap_next_start_timestamp_seconds",
                "When nobody is open next though by the weekly hours somebody would be; 0 within 14 days never.",
                &["capability"],
            ),
            outlook_errors: make.float_gauges(
                "forecast_error_ratio",
                "How far off the forecasts were that can be judged by now, of what came; NaN before that.",
                &["capability"],
            ),
            reload_successful: make
                .gauge("roster_last_reload_successful", "Whether the last reading of the roster gave one to use."),
            reload_success_at: make.float_gauge(
                "roster_last_reload_success_timestamp_seconds",
                "When the roster was last read with success.",
            ),
            roster_horizon_at: make.float_gauge(
                "roster_horizon_timestamp_seconds",
                "Until when the hours of the roster in force are worked out.",
            ),
            registry: make.into_registry(),
        };
        metrics.sla.know_deadline();
        clocks().for_each(|(policy, clock)| metrics.sla.know(Some(policy), clock.name.as_str()));
        metrics.start_at_zero();
        metrics
    }

    fn start_at_zero(&self) {
        let _ = Queue::ALL.map(|it| self.received.with_label_values(&[it.as_str()]));
        let _ = Outcome::ALL.map(|it| self.settled.with_label_values(&[it.as_str()]));
        let _ = RefusalCode::OF_REQUESTS.map(|it| self.rejected.with_label_values(&[it.as_str()]));
        let _ = UPDATE_REFUSALS.map(|it| self.rejected.with_label_values(&[it.as_str()]));
        let _ = StoreOperation::ALL.map(|it| self.store_errors.with_label_values(&[it.as_str()]));
        for priority in Priority::ALL {
            let _ = self.routing_wait.with_label_values(&[priority.as_str()]);
            let _ = self.turnaround.with_label_values(&[priority.as_str()]);
            let _ = SlaResult::ALL.map(|it| self.completed.with_label_values(&[priority.as_str(), it.as_str()]));
        }
        let _ = OverrideKind::WORDS.map(|kind| self.overrides.with_label_values(&[kind]));
        self.picture.show_waiting(&Census::default());
    }

    /// A message came in.
    pub fn received(&self, queue: Queue) {
        self.received.with_label_values(&[queue.as_str()]).inc();
        self.unsettled.inc();
    }

    /// A message that came in was answered this long after its arrival.
    pub fn settled(&self, outcome: Outcome, after: Duration) {
        self.settled.with_label_values(&[outcome.as_str()]).inc();
        self.unsettled.dec();
        self.handling.observe(after.as_secs_f64());
    }

    /// A clock warned; the deadline is of no policy.
    pub fn sla_warned(&self, policy: Option<&SlaId>, clock: &Term) {
        self.sla.warned(policy, clock);
    }

    /// A clock used up its target.
    pub fn sla_breached(&self, policy: Option<&SlaId>, clock: &Term) {
        self.sla.breached(policy, clock);
    }

    /// A team had received work behind a wall before that was raised.
    pub fn wall_exposed(&self) {
        self.wall_exposures.inc();
    }

    /// Messages that came in will come again, as their link is gone.
    pub fn forgotten(&self, messages: u64) {
        self.unsettled.sub(count(messages));
    }

    /// A `reply_to` was not answered.
    pub fn reply_ignored(&self, reason: ReplyIgnored) {
        if let Some(broker) = &self.broker {
            broker.replies_ignored.with_label_values(&[reason.as_str()]).inc();
        }
    }

    /// Why a message was refused, beside how it was settled.
    pub fn rejected(&self, reason: RefusalCode) {
        self.rejected.with_label_values(&[reason.as_str()]).inc();
    }

    /// Whether the link to the broker is up.
    pub fn set_broker_up(&self, up: bool) {
        if let Some(broker) = &self.broker {
            broker.up.set(up.into());
        }
    }

    /// The link to the broker was made again.
    pub fn broker_reconnected(&self) {
        if let Some(broker) = &self.broker {
            broker.reconnects.inc();
        }
    }

    /// A message did not leave.
    pub fn publish_failed(&self, reason: PublishFailure) {
        if let Some(broker) = &self.broker {
            broker.failures.with_label_values(&[reason.as_str()]).inc();
        }
    }

    /// Messages left that may have left before.
    pub fn republished(&self, messages: u64) {
        if let Some(broker) = &self.broker {
            broker.republished.inc_by(messages);
        }
    }

    /// A commit was durable after this long.
    pub fn committed(&self, after: Duration) {
        self.commit.observe(after.as_secs_f64());
    }

    /// The store failed.
    pub fn store_failed(&self, operation: StoreOperation) {
        self.store_errors.with_label_values(&[operation.as_str()]).inc();
    }

    /// So much was forgotten.
    pub fn forgot(&self, what: WhatForgotten, count: u64) {
        self.keeping.forgot(what, count);
    }

    /// Nothing is left that is to be forgotten by now.
    pub fn forgot_all(&self, now: DateTime<Utc>) {
        self.keeping.forgot_all_at.set(timestamp(now));
    }

    /// How many committed facts are not published yet.
    pub fn set_outbox(&self, facts: u64) {
        self.outbox.set(count(facts));
    }

    /// A task was accepted for the first time this long after it was ready.
    pub fn routed(&self, priority: Priority, after: TimeDelta) {
        self.routing_wait.with_label_values(&[priority.as_str()]).observe(seconds(after));
    }

    /// A task was completed this long after its admission.
    pub fn completed(&self, priority: Priority, sla: SlaResult, after: TimeDelta) {
        self.completed.with_label_values(&[priority.as_str(), sla.as_str()]).inc();
        self.turnaround.with_label_values(&[priority.as_str()]).observe(seconds(after));
    }

    /// A process ended, completed or cancelled.
    pub fn process_ended(&self, outcome: &str) {
        self.processes.ended(outcome);
    }

    /// How many processes are open.
    pub fn set_open_processes(&self, open: u64) {
        self.processes.set_open(count(open));
    }

    /// A team that was asked to have a task next has answered, or has not.
    pub fn handoff_ended(&self, to: &TeamId, outcome: HandoffOutcome) {
        self.handoffs.ended(to, outcome);
    }

    /// A team took a task over this long after it was asked.
    pub fn handoff_accepted(&self, after: TimeDelta) {
        self.handoffs.accepted_after(seconds(after));
    }

    /// Shows open tasks and all teams as they are now, in place of those shown before.
    pub fn show<'a>(&self, census: &Census, sla: &SlaPicture, teams: impl IntoIterator<Item = TeamGauge<'a>>) {
        let teams: Vec<_> = teams.into_iter().collect();
        let _replacing = self.replacing.write().unwrap_or_else(PoisonError::into_inner);
        self.sla.show(sla, teams.iter().map(|gauge| gauge.team));
        self.picture.replace(census, teams.into_iter().inspect(|gauge| self.handoffs.know(gauge.team)));
    }

    /// Engine time minus the wall clock.
    pub fn set_clock_difference(&self, difference: TimeDelta) {
        self.clock_difference.set(seconds(difference));
    }

    /// A timer fired this long after it was due.
    pub fn timer_fired(&self, late_by: TimeDelta) {
        self.timer_lag.observe(seconds(late_by));
    }

    /// The next gap of each capability, in place of those shown before.
    pub fn show_gaps<'a>(&self, next: impl IntoIterator<Item = (&'a str, Option<DateTime<Utc>>)>) {
        let _replacing = self.replacing.write().unwrap_or_else(PoisonError::into_inner);
        self.gaps.reset();
        for (capability, at) in next {
            self.gaps.with_label_values(&[capability]).set(at.map_or(0.0, timestamp));
        }
    }

    /// How far off earlier outlooks were, in place of what was shown before; NaN is what cannot be judged yet.
    pub fn show_outlook_errors<'a>(&self, errors: impl IntoIterator<Item = (&'a str, Option<u64>)>) {
        let _replacing = self.replacing.write().unwrap_or_else(PoisonError::into_inner);
        self.outlook_errors.reset();
        for (capability, percent) in errors {
            let ratio = percent.map_or(f64::NAN, |percent| percent as f64 / 100.0);
            self.outlook_errors.with_label_values(&[capability]).set(ratio);
        }
    }

    /// How many overrides of each kind stand now.
    pub fn set_overrides(&self, active: &BTreeMap<&'static str, u64>) {
        for (kind, overrides) in active {
            self.overrides.with_label_values(&[kind]).set(count(*overrides));
        }
    }

    /// The roster was read and is in force; its hours are worked out until `horizon`.
    pub fn roster_reloaded(&self, at: DateTime<Utc>, horizon: DateTime<Utc>) {
        self.reload_successful.set(1);
        self.reload_success_at.set(timestamp(at));
        self.roster_horizon_at.set(timestamp(horizon));
    }

    /// The roster was read and could not be used.
    pub fn roster_reload_failed(&self) {
        self.reload_successful.set(0);
    }

    /// All metrics as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        let _whole = self.replacing.read().unwrap_or_else(PoisonError::into_inner);
        TextEncoder::new().encode_to_string(&self.registry.gather()).expect("families have samples of their own type")
    }
}

/// The edges of waits, rising, each once.
fn wait_buckets(sla_targets_minutes: impl Iterator<Item = u32>) -> Vec<f64> {
    let mut edges: Vec<u64> = WAIT_BUCKETS_SECONDS.map(u64::from).to_vec();
    let mut targets: Vec<u64> = sla_targets_minutes.map(|minutes| u64::from(minutes) * 60).collect();
    targets.sort_unstable();
    targets.dedup();
    targets.retain(|target| *target > 0 && !edges.contains(target));
    edges.extend(targets.iter().take(MAX_WAIT_BUCKETS - edges.len()));
    edges.sort_unstable();
    edges.into_iter().map(|edge| edge as f64).collect()
}

fn seconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64()
}

fn timestamp(at: DateTime<Utc>) -> f64 {
    seconds(at.signed_duration_since(DateTime::UNIX_EPOCH))
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
