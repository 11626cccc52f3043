//! When the store forgets: a portion at a time, between commits, by the engine's time.
//!
//! An idle store forgets one portion after the other with a pause between them; a busy one a portion a second, so that no
//! commit waits for more than one. While the clock has stepped away from engine time nothing is forgotten.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::settings::Keeping;
use crate::store::{Forgetting, Forgotten, StoreError, Writer};
use crate::telemetry::metrics::{Metrics, WhatForgotten};
use crate::wire::fact::FactSeq;

use super::clock::{Clock, Stopwatch};
use super::in_force::InForce;
use super::status::Status;

/// How long an idle store waits before it looks again whether there is anything to forget.
const LOOKS_EVERY: Duration = Duration::from_secs(5);

/// How long it waits between two portions, so that a commit comes between them.
const BETWEEN_PORTIONS: Duration = Duration::from_millis(20);

/// How often a busy store forgets a portion.
const PORTION_EVERY: Duration = Duration::from_secs(1);

/// What says what is to be forgotten by now.
pub struct Rules {
    /// For how long what is kept.
    pub keeping: Keeping,
    /// Tells the time.
    pub clock: Arc<Clock>,
    /// Whether the clock stepped.
    pub status: Arc<Status>,
    /// The roster in force: which teams read over HTTP.
    pub in_force: InForce,
    /// Whether there is a broker; without one every team reads over HTTP.
    pub has_broker: bool,
}

impl Rules {
    /// What is to be forgotten now; nothing while the clock has stepped.
    fn now(&self) -> Option<Forgetting> {
        if self.status.clock_stepped() {
            return None;
        }
        let now = self.clock.now();
        let before = |days: u32| now - TimeDelta::days(days.into());
        let roster = self.in_force.roster();
        let teams = roster.teams.iter().map(|team| &team.id);
        let read_over_http = teams.filter(|team| !self.has_broker || self.in_force.reads_over_http(team)).cloned();
        Some(Forgetting {
            now,
            content_before: before(self.keeping.content_days),
            rows_before: before(self.keeping.rows_days),
            read_over_http: read_over_http.collect(),
            portion: self.keeping.portion,
        })
    }
}

/// Forgets by rules, at a pace; owned by the thread that writes the store.
pub struct Forgetter {
    rules: Rules,
    metrics: Arc<Metrics>,
    purged: watch::Sender<FactSeq>,
    /// Since the last portion, or the last look when there was nothing.
    since: Stopwatch,
    /// How long it waits from then on.
    wait: Duration,
    /// What this run has forgotten so far.
    run: Forgotten,
    /// Whether what was forgotten may stand in the log still.
    log_is_to_be_cut: bool,
    /// A purge that is done but for that.
    to_tell: Option<FactSeq>,
}

impl Forgetter {
    /// A forgetter that looks at once; it tells of each purge that came to its end.
    #[must_use]
    pub fn new(rules: Rules, metrics: Arc<Metrics>, purged: watch::Sender<FactSeq>) -> Self {
        let (since, wait) = (Stopwatch::start(), Duration::ZERO);
        Self { rules, metrics, purged, since, wait, run: Forgotten::default(), log_is_to_be_cut: false, to_tell: None }
    }

    /// Something new may be to be forgotten.
    pub fn look_soon(&mut self) {
        self.wait = self.wait.min(BETWEEN_PORTIONS);
    }

    /// How long until the idle store is to call [`Forgetter::work`].
    #[must_use]
    pub fn waits_for(&self) -> Duration {
        self.wait.saturating_sub(self.since.elapsed())
    }

    /// Forgets a portion when it is time; `busy` when commits leave no pause.
    ///
    /// # Errors
    /// [`StoreError`]: nothing may be written after it.
    pub fn work(&mut self, writer: &mut dyn Writer, busy: bool) -> Result<(), StoreError> {
        let wait = if busy { self.wait.max(PORTION_EVERY) } else { self.wait };
        if self.since.elapsed() < wait {
            return Ok(());
        }
        let forgotten = match self.rules.now() {
            Some(what) => writer.forget(&what)?,
            None => Forgotten::default(),
        };
        self.count(&forgotten);
        self.run.add(forgotten);
        self.log_is_to_be_cut |= forgotten.is_something();
        self.to_tell = self.to_tell.max(forgotten.purged);
        if self.log_is_to_be_cut && (self.to_tell.is_some() || !(busy || forgotten.is_more)) {
            self.log_is_to_be_cut = !writer.cut_log()?;
        }
        // What a purge has forgotten is in no file any more when it is said to be done.
        if let Some(seq) = self.to_tell.take_if(|_| !self.log_is_to_be_cut) {
            self.purged.send_replace(seq);
        }
        if !forgotten.is_more {
            self.end_run();
        }
        self.since = Stopwatch::start();
        let goes_on = forgotten.is_more || forgotten.purged.is_some() || self.to_tell.is_some();
        self.wait = if goes_on { BETWEEN_PORTIONS } else { LOOKS_EVERY };
        Ok(())
    }

    fn count(&self, forgotten: &Forgotten) {
        let Forgotten { payloads, words, tasks, facts, updates, purged: _, is_more: _ } = *forgotten;
        self.metrics.forgot(WhatForgotten::Payload, payloads);
        self.metrics.forgot(WhatForgotten::Words, words);
        self.metrics.forgot(WhatForgotten::Task, tasks);
        self.metrics.forgot(WhatForgotten::Fact, facts);
        self.metrics.forgot(WhatForgotten::Update, updates);
    }

    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        if run.is_something() {
            let Forgotten { payloads, words, tasks, facts, updates, .. } = run;
            tracing::info!(payloads, words, tasks, facts, updates, "forgot what was not to be kept any longer");
        }
        self.metrics.forgot_all(self.rules.clock.now());
    }
}
