//! Who leads, and the few metrics of a daemon that stands by.

use prometheus::{IntCounter, IntGauge, Registry, TextEncoder};

use super::super::families::Families;
use super::super::logs::LogCounts;
use super::count;

/// What every daemon says of itself, whether it leads or stands by.
pub(super) fn about_the_build(make: &Families, version: &str, revision: &str) {
    make.gauges("build_info", "Version of the program; always 1.", &["version", "revision"])
        .with_label_values(&[version, revision])
        .set(1);
}

/// Whether this daemon leads.
#[derive(Debug)]
pub(super) struct Leadership {
    leader: IntGauge,
    epoch: IntGauge,
}

impl Leadership {
    pub(super) fn new(make: &Families) -> Self {
        Self {
            leader: make.gauge("leader", "1 when this daemon writes the store, 0 when it stands by."),
            epoch: make
                .gauge("lease_epoch", "Number of the leadership that this daemon has or saw last; 0 without a lease."),
        }
    }

    pub(super) fn leads(&self, epoch: u64) {
        self.leader.set(1);
        self.epoch.set(count(epoch));
    }
}

/// The metrics of a daemon that stands by: its build, its store and who leads.
#[derive(Debug)]
pub struct StandbyMetrics {
    registry: Registry,
    leadership: Leadership,
    errors: IntCounter,
}

impl StandbyMetrics {
    /// All of them at their start.
    #[must_use]
    pub fn new(version: &str, revision: &str, logs: &LogCounts) -> Self {
        let make = Families::default();
        about_the_build(&make, version, revision);
        make.adopt(logs.family());
        let errors = make.counters("store_errors_total", "Failures of the store.", &["operation"]);
        Self {
            leadership: Leadership::new(&make),
            errors: errors.with_label_values(&["follow"]),
            registry: make.into_registry(),
        }
    }

    /// It looked: which leadership is the newest.
    pub fn followed(&self, epoch: u64) {
        self.leadership.epoch.set(count(epoch));
    }

    /// The store could not be followed.
    pub fn failed(&self) {
        self.errors.inc();
    }

    /// All of them as Prometheus text.
    #[must_use]
    pub fn render(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).expect("families have samples of their own type")
    }
}
