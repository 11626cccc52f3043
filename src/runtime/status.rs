//! How the daemon is, for `/livez` and `/readyz`.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::broker::LinkStatus;
use crate::engine::roster::RosterDigest;
use crate::http::{Check, Health, Role};

use super::clock::{Difference, Stopwatch};
use super::credentials::Files;

/// The loop is alive when it ticked within this time.
const ALIVE_WITHIN: Duration = Duration::from_secs(15);

/// What the loop and the links say of themselves.
#[derive(Debug)]
pub struct Status {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    last_tick: Stopwatch,
    difference: Option<Difference>,
    store_fault: Option<String>,
    roster: String,
    /// What is wrong with the roster that was read last, while one before it stays in force.
    roster_fault: Option<String>,
    /// The files that callers are known by.
    files: Files,
    clock: String,
    standing: Standing,
    /// Whether what was sent in an outage is being read.
    drains: bool,
    links: Vec<(&'static str, watch::Receiver<LinkStatus>)>,
}

/// How the daemon came to write its store, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Why it may.
    pub leadership: String,
    /// How safe a commit is.
    pub store: String,
}

impl Standing {
    /// A store that no other daemon can have.
    #[must_use]
    pub fn alone() -> Self {
        Self { leadership: "the only daemon on its store".into(), store: "commits are durable".into() }
    }
}

impl Status {
    /// A daemon that has just started, with the digest of its roster and how its clock runs.
    #[must_use]
    pub fn new(roster: String, clock: String, standing: Standing) -> Self {
        let last_tick = Stopwatch::start();
        let inner = Inner {
            last_tick,
            difference: None,
            store_fault: None,
            roster,
            roster_fault: None,
            files: Files::default(),
            clock,
            standing,
            drains: false,
            links: Vec::new(),
        };
        Self { inner: Mutex::new(inner) }
    }

    /// Watches a link to the broker.
    pub fn watch(&self, name: &'static str, link: watch::Receiver<LinkStatus>) {
        self.lock().links.push((name, link));
    }

    /// The loop ticked.
    pub fn tick(&self, difference: Difference) {
        let mut inner = self.lock();
        inner.last_tick = Stopwatch::start();
        inner.difference = Some(difference);
    }

    /// The store failed for good.
    pub fn store_failed(&self, fault: String) {
        self.lock().store_fault = Some(fault);
    }

    /// What was sent in an outage is being read, or has been.
    pub fn drains(&self, drains: bool) {
        self.lock().drains = drains;
    }

    /// A roster came into force.
    pub fn roster_in_force(&self, digest: &RosterDigest) {
        self.lock().roster = digest.0.to_string();
    }

    /// What is wrong with the roster that was read last; nothing any more when it is mended.
    pub fn roster_read(&self, fault: Option<String>) {
        self.lock().roster_fault = fault;
    }

    /// Watches the files that callers are known by.
    pub fn watch_files(&self, files: Files) {
        self.lock().files = files;
    }

    /// Whether the wall clock stepped away from engine time, so that no timer may fire.
    #[must_use]
    pub fn clock_stepped(&self) -> bool {
        self.lock().difference.is_some_and(|difference| difference.stepped)
    }

    /// The answer to `/livez` and `/readyz`.
    #[must_use]
    pub fn health(&self) -> Health {
        let inner = self.lock();
        let mut checks = vec![
            check("store", inner.store_fault.clone(), &inner.standing.store),
            Check { name: "roster", ok: true, detail: inner.roster_detail() },
            check("clock", inner.stepped_by(), &inner.clock),
            check("outage", inner.drained(), "nothing is left of one"),
            Check { name: "leadership", ok: true, detail: inner.standing.leadership.clone() },
        ];
        checks.extend(inner.files.checks());
        if inner.links.is_empty() {
            checks.push(Check { name: "broker", ok: true, detail: "none is configured".into() });
        }
        for (name, link) in &inner.links {
            let link = link.borrow();
            let fault = match (&link.blocked, link.up) {
                (Some(reason), _) => Some(format!("blocked by the broker: {reason}")),
                (None, false) => Some(link.last_error.clone().unwrap_or_else(|| "not connected yet".into())),
                (None, true) => None,
            };
            checks.push(check(name, fault, "connected"));
        }
        Health { live: inner.last_tick.elapsed() < ALIVE_WITHIN, role: Role::Active, checks }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// A daemon that goes on with the roster before a faulty one takes work as well as any other: it stays ready, and says
    /// so.
    fn roster_detail(&self) -> String {
        let in_force = format!("{} is in force", self.roster);
        match &self.roster_fault {
            None => in_force,
            Some(fault) => format!("{in_force}, and the one that was read last is not: {fault}"),
        }
    }

    fn drained(&self) -> Option<String> {
        self.drains.then(|| "updates that were sent in it are read before anything else is decided".into())
    }

    fn stepped_by(&self) -> Option<String> {
        let difference = self.difference.filter(|difference| difference.stepped)?;
        let ahead_ms = difference.wall_ahead.num_milliseconds();
        Some(format!("the wall clock is {ahead_ms} ms ahead; no timer fires until it is back or the daemon restarts"))
    }
}

/// A check that is well without a fault.
pub(super) fn check(name: &'static str, fault: Option<String>, fine: &str) -> Check {
    Check { name, ok: fault.is_none(), detail: fault.unwrap_or_else(|| fine.into()) }
}
