//! Business calendars: when it is open, when it opens next, where a sum of business time ends, how much lies between.
//!
//! A [`Calendar`] turns local rules ([`CalendarSpec`]) into sorted half-open UTC intervals ([`Timeline`]) for a horizon of
//! [`HORIZON_YEARS`] on each side of its anchor, and answers from an index of time. Beyond the horizon it answers with a typed
//! error, never with a guess.

mod compile;
mod error;
mod intervals;
mod minutes;
mod pause;
mod shift;
mod spec;
mod timeline;

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Months, TimeDelta, Utc};

pub use error::CalendarError;
pub use minutes::Minutes;
pub use pause::Pause;
pub use shift::{InvalidShift, MINUTES_PER_DATE, Shift};
pub use spec::{CalendarSpec, Closure, DatedEntry, Holiday, HolidayCuts};
pub use timeline::Timeline;

/// Years on each side of the anchor within which a calendar answers (rule 8).
pub const HORIZON_YEARS: u32 = 10;

/// Days before the anchor that are compiled first. Most questions are about the near future, and hundreds of calendars
/// must stay small, so the rest of the horizon is compiled when a question first reaches it.
const NEAR_PAST_DAYS: i64 = 120;
/// Days after the anchor that are compiled first.
const NEAR_FUTURE_DAYS: i64 = 400;

/// A range that is open or closed, whatever the rules say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// From when on.
    pub from: DateTime<Utc>,
    /// Until when, exclusive.
    pub until: DateTime<Utc>,
    /// Whether it is open.
    pub open: bool,
}

/// The business hours of a team, immutable and shared between threads without a lock.
///
/// What it has compiled is a cache: two calendars of equal spec and anchor always give equal answers.
#[derive(Debug)]
pub struct Calendar {
    spec: CalendarSpec,
    anchor: DateTime<Utc>,
    /// The calendar by the rules alone and what is put on top of it, the later over the earlier.
    changed: Option<(Arc<Calendar>, Vec<Change>)>,
    near: OnceLock<Timeline>,
    whole: OnceLock<Timeline>,
}

impl Calendar {
    /// A calendar that answers for [`HORIZON_YEARS`] on each side of `anchor`, the instant at which the roster was loaded.
    #[must_use]
    pub fn new(spec: CalendarSpec, anchor: DateTime<Utc>) -> Self {
        Self { spec, anchor, changed: None, near: OnceLock::new(), whole: OnceLock::new() }
    }

    /// The same calendar with some hours changed on top of its rules, the later changes over the earlier. What the calendar
    /// has compiled is used again.
    #[must_use]
    pub fn with(self: &Arc<Self>, changes: Vec<Change>) -> Self {
        let changed = Some((Arc::clone(self), changes));
        let spec = self.spec.clone();
        Self { spec, anchor: self.anchor, changed, near: OnceLock::new(), whole: OnceLock::new() }
    }

    /// The rules that the calendar was made from.
    #[must_use]
    pub fn spec(&self) -> &CalendarSpec {
        &self.spec
    }

    /// The first instant and the exclusive end of the horizon.
    #[must_use]
    pub fn horizon(&self) -> (DateTime<Utc>, DateTime<Utc>) {
        let years = Months::new(12 * HORIZON_YEARS);
        (
            self.anchor.checked_sub_months(years).unwrap_or(DateTime::<Utc>::MIN_UTC),
            self.anchor.checked_add_months(years).unwrap_or(DateTime::<Utc>::MAX_UTC),
        )
    }

    /// Whether `at` is open: at a closing instant it is closed (rule 2), and so it is outside of the horizon.
    #[must_use]
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        let near = self.near();
        if near.knows(at) { near.is_open(at) } else { self.whole().is_open(at) }
    }

    /// The earliest instant >= `at` that is open; `at` itself when open (rule 16).
    ///
    /// # Errors
    /// `at` is outside of the horizon, or nothing opens before its end.
    pub fn next_open(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        self.ask(|timeline| timeline.next_open(at))
    }

    /// The earliest close > `at` (rule 16).
    ///
    /// # Errors
    /// `at` is outside of the horizon, or nothing closes before its end.
    pub fn next_close(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        self.ask(|timeline| timeline.next_close(at))
    }

    /// The first close >= `at` after which it stays closed for at least `min_gap`: the end of a shift with its breaks.
    ///
    /// # Errors
    /// `at` is outside of the horizon, or no such close comes before its end.
    pub fn shift_end(&self, at: DateTime<Utc>, min_gap: TimeDelta) -> Result<DateTime<Utc>, CalendarError> {
        self.ask(|timeline| timeline.shift_end(at, min_gap))
    }

    /// The earliest instant with `amount` of unpaused business time between `from` and it: it lands on a close, not on the
    /// next opening, and zero gives `from` (rules 7 and 9).
    ///
    /// # Errors
    /// A negative amount; an open-ended pause before the sum is reached; `from` outside of the horizon; not enough open
    /// time before its end, never a partial sum.
    pub fn add(
        &self,
        from: DateTime<Utc>,
        amount: TimeDelta,
        pauses: &[Pause],
    ) -> Result<DateTime<Utc>, CalendarError> {
        self.ask(|timeline| timeline.add(from, amount, pauses))
    }

    /// The unpaused business time from `from` to `to`, negative when `to` is the earlier one (rules 7 and 9).
    ///
    /// # Errors
    /// The range leaves the horizon.
    pub fn elapsed(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        pauses: &[Pause],
    ) -> Result<TimeDelta, CalendarError> {
        self.ask(|timeline| timeline.elapsed(from, to, pauses))
    }

    /// The open ranges between `from` and `to`, in order, merged, clipped to the two; none when `to` is not later.
    ///
    /// # Errors
    /// The range leaves the horizon.
    pub fn open_intervals(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_, CalendarError> {
        let near = self.near();
        if near.knows(from) && near.knows(to) { near } else { self.whole() }.open_intervals(from, to)
    }

    /// Asks what is compiled first, and the whole horizon when the answer lies further out.
    fn ask<T>(&self, question: impl Fn(&Timeline) -> Result<T, CalendarError>) -> Result<T, CalendarError> {
        match question(self.near()) {
            Err(error) if error.is_at_horizon() => question(self.whole()),
            answer => answer,
        }
    }

    fn near(&self) -> &Timeline {
        self.near.get_or_init(|| {
            if let Some((by_rules, changes)) = &self.changed {
                return by_rules.near().with(changes);
            }
            let (from, until) = self.horizon();
            let near_from = self.anchor.checked_sub_signed(TimeDelta::days(NEAR_PAST_DAYS)).unwrap_or(from);
            let near_until = self.anchor.checked_add_signed(TimeDelta::days(NEAR_FUTURE_DAYS)).unwrap_or(until);
            compile::compile(&self.spec, near_from, near_until)
        })
    }

    fn whole(&self) -> &Timeline {
        self.whole.get_or_init(|| {
            if let Some((by_rules, changes)) = &self.changed {
                return by_rules.whole().with(changes);
            }
            let (from, until) = self.horizon();
            compile::compile(&self.spec, from, until)
        })
    }
}
