//! Open time as sorted half-open UTC intervals with prefix sums, queried through an index of time.
//!
//! Instants are exact to the millisecond: finer digits of an instant are cut, finer digits of an amount round up.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Calendar, CalendarError, Change, Pause, intervals, pause};

/// Each step of the index spans 2^24 ms, about 4.7 hours: few intervals open within one, and a year needs 8 KB.
const INDEX_SHIFT: u32 = 24;

/// Steps of an index at most, enough for 36 years; a longer timeline has longer steps.
const MAX_INDEX_STEPS: i64 = 1 << 16;

/// Intervals looked at first when a sum searches forward; most sums end within them.
const FIRST_STRIDE: usize = 16;

/// Open time between two instants. Intervals neither overlap nor touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    from_ms: i64,
    until_ms: i64,
    open_ms: Box<[i64]>,
    close_ms: Box<[i64]>,
    /// Open milliseconds before each interval.
    before_ms: Box<[i64]>,
    /// For each step of time from the start, the first interval that opens at or after its beginning.
    index: Box<[u32]>,
    index_shift: u32,
}

impl Timeline {
    /// The timeline of `from..until` in which exactly the given half-open ranges are open, in any order; what lies outside
    /// is clipped, overlapping and touching ranges merge (rule 4).
    #[must_use]
    pub fn new(
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        open: impl IntoIterator<Item = (DateTime<Utc>, DateTime<Utc>)>,
    ) -> Self {
        let ranges = open.into_iter().map(|(open, close)| (open.timestamp_millis(), close.timestamp_millis()));
        Self::from_merged(from.timestamp_millis(), until.timestamp_millis(), intervals::merged(ranges.collect()))
    }

    /// The time between `from` and `until` in which at least one of the calendars is open.
    ///
    /// # Errors
    /// The range leaves the horizon of a calendar.
    pub fn union(calendars: &[&Calendar], from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Self, CalendarError> {
        let mut open = Vec::new();
        for calendar in calendars {
            open.extend(calendar.open_intervals(from, until)?);
        }
        Ok(Self::new(from, until, open))
    }

    /// The same with some ranges open or closed instead, the later changes over the earlier.
    #[must_use]
    pub fn with(&self, changes: &[Change]) -> Self {
        let mut open: Vec<_> = self.open_ms.iter().copied().zip(self.close_ms.iter().copied()).collect();
        for change in changes {
            let range = (change.from.timestamp_millis(), change.until.timestamp_millis());
            if change.open {
                open.push(range);
                open = intervals::merged(open);
            } else {
                open = intervals::without(open, &[range]);
            }
        }
        Self::from_merged(self.from_ms, self.until_ms, open)
    }

    /// From ranges that are sorted and apart already.
    pub(super) fn from_merged(from_ms: i64, until_ms: i64, merged: Vec<(i64, i64)>) -> Self {
        let until_ms = until_ms.max(from_ms);
        let clip = |(open, close): (i64, i64)| (open.max(from_ms), close.min(until_ms));
        let kept: Vec<_> = merged.into_iter().map(clip).filter(|(open, close)| open < close).collect();
        let open_ms: Box<[i64]> = kept.iter().map(|(open, _)| *open).collect();
        let mut sum_ms = 0;
        let before_ms = kept.iter().map(|(open, close)| {
            let before_ms = sum_ms;
            sum_ms += close - open;
            before_ms
        });
        let span_ms = until_ms - from_ms;
        let index_shift =
            (INDEX_SHIFT..i64::BITS).find(|shift| span_ms >> shift < MAX_INDEX_STEPS).unwrap_or(INDEX_SHIFT);
        let first_open = |step: i64| open_ms.partition_point(|open| *open < from_ms + (step << index_shift));
        let steps = 0..=span_ms >> index_shift;
        let index = steps.map(|step| u32::try_from(first_open(step)).unwrap_or(u32::MAX));
        Self {
            from_ms,
            until_ms,
            close_ms: kept.iter().map(|(_, close)| *close).collect(),
            before_ms: before_ms.collect(),
            index: index.collect(),
            index_shift,
            open_ms,
        }
    }

    /// The first instant that the timeline knows.
    #[must_use]
    pub fn from(&self) -> DateTime<Utc> {
        instant(self.from_ms)
    }

    /// The end of what the timeline knows, exclusive.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        instant(self.until_ms)
    }

    /// Whether the timeline can answer about `at`.
    #[must_use]
    pub fn knows(&self, at: DateTime<Utc>) -> bool {
        (self.from_ms..self.until_ms).contains(&at.timestamp_millis())
    }

    /// All open time of the timeline.
    #[must_use]
    pub fn total(&self) -> TimeDelta {
        TimeDelta::milliseconds(self.open_ms_before(self.until_ms))
    }

    /// Whether `at` is open; at a closing instant it is closed (rule 2), and so it is outside of the timeline.
    #[must_use]
    pub fn is_open(&self, at: DateTime<Utc>) -> bool {
        let at_ms = at.timestamp_millis();
        let after = self.first_open_after(at_ms);
        after > 0 && at_ms < self.close_ms[after - 1]
    }

    /// The earliest instant >= `at` that is open; `at` itself when open (rule 16).
    ///
    /// # Errors
    /// `at` is outside of the timeline, or nothing opens before its end.
    pub fn next_open(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        let at_ms = self.checked(at)?;
        let after = self.first_open_after(at_ms);
        if after > 0 && at_ms < self.close_ms[after - 1] {
            return Ok(at);
        }
        self.open_ms.get(after).map(|&open| instant(open)).ok_or(CalendarError::NeverOpen { at, until: self.until() })
    }

    /// The earliest close > `at` (rule 16).
    ///
    /// # Errors
    /// `at` is outside of the timeline, or nothing closes before its end; a range clipped by that end does not close there.
    pub fn next_close(&self, at: DateTime<Utc>) -> Result<DateTime<Utc>, CalendarError> {
        let at_ms = self.checked(at)?;
        let after = self.first_open_after(at_ms);
        let is_open = after > 0 && at_ms < self.close_ms[after - 1];
        let next = if is_open { after - 1 } else { after };
        match self.close_ms.get(next) {
            Some(&close) if close < self.until_ms => Ok(instant(close)),
            _ => Err(CalendarError::NeverCloses { at, until: self.until() }),
        }
    }

    /// The first close >= `at` after which it stays closed for at least `min_gap`: the end of a shift with its breaks.
    ///
    /// # Errors
    /// `at` is outside of the timeline, or no such close is known before its end.
    pub fn shift_end(&self, at: DateTime<Utc>, min_gap: TimeDelta) -> Result<DateTime<Utc>, CalendarError> {
        let at_ms = self.checked(at)?;
        let gap_ms = ceil_ms(min_gap);
        let first = self.close_ms.partition_point(|&close| close < at_ms);
        let next_opens = self.open_ms.iter().skip(first + 1).chain(std::iter::once(&self.until_ms));
        self.close_ms[first..]
            .iter()
            .zip(next_opens)
            .find(|(close, next_open)| **close < self.until_ms && **next_open - **close >= gap_ms)
            .map(|(&close, _)| instant(close))
            .ok_or(CalendarError::NeverCloses { at, until: self.until() })
    }

    /// The earliest instant with `amount` of unpaused business time between `from` and it: it lands on a close, not on the
    /// next opening, and zero gives `from` (rules 7 and 9).
    ///
    /// # Errors
    /// A negative amount; an open-ended pause before the sum is reached; `from` outside of the timeline; not enough open
    /// time before its end, never a partial sum.
    pub fn add(
        &self,
        from: DateTime<Utc>,
        amount: TimeDelta,
        pauses: &[Pause],
    ) -> Result<DateTime<Utc>, CalendarError> {
        if amount < TimeDelta::zero() {
            return Err(CalendarError::Negative { amount });
        }
        if amount.is_zero() {
            return Ok(from);
        }
        let too_little = || CalendarError::NotEnoughTime { from, wanted: amount, until: self.until() };
        let mut at_ms = self.checked(from)?;
        let mut left_ms = ceil_ms(amount);
        for pause in pause::in_order(pauses).iter() {
            let start_ms = pause.from.timestamp_millis().max(at_ms);
            let reached_ms = self.reach(at_ms, left_ms);
            if let Some(reached_ms) = reached_ms.filter(|&reached| reached <= start_ms) {
                return Ok(instant(reached_ms));
            }
            let Some(until) = pause.until else {
                return Err(if start_ms < self.until_ms {
                    CalendarError::Paused { since: pause.from }
                } else {
                    too_little()
                });
            };
            let until_ms = until.timestamp_millis();
            if until_ms <= at_ms || until_ms <= start_ms {
                continue;
            }
            if start_ms >= self.until_ms || until_ms >= self.until_ms {
                return Err(too_little());
            }
            left_ms -= self.open_ms_before(start_ms) - self.open_ms_before(at_ms);
            at_ms = until_ms;
        }
        self.reach(at_ms, left_ms).map(instant).ok_or_else(too_little)
    }

    /// The latest instant with `amount` of business time between it and `to`; `to` itself when that is nothing. `None`
    /// when there is less before `to`, or `to` is outside of the timeline.
    #[must_use]
    pub fn back_from(&self, to: DateTime<Utc>, amount: TimeDelta) -> Option<DateTime<Utc>> {
        if amount <= TimeDelta::zero() {
            return Some(to);
        }
        let target_ms = self.open_ms_before(self.checked(to).ok()?) - ceil_ms(amount);
        let started = self.before_ms.partition_point(|&before| before <= target_ms);
        let index = started.checked_sub(1).filter(|_| target_ms >= 0)?;
        Some(instant(self.open_ms[index] + target_ms - self.before_ms[index]))
    }

    /// The unpaused business time from `from` to `to`, negative when `to` is the earlier one (rules 7 and 9).
    ///
    /// # Errors
    /// The range leaves the timeline.
    pub fn elapsed(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        pauses: &[Pause],
    ) -> Result<TimeDelta, CalendarError> {
        let (from_ms, to_ms) = (self.checked(from)?, self.checked(to)?);
        if to_ms < from_ms {
            return self.elapsed(to, from, pauses).map(|elapsed| -elapsed);
        }
        let mut open_ms = self.open_ms_before(to_ms) - self.open_ms_before(from_ms);
        let mut done_ms = from_ms;
        for pause in pause::in_order(pauses).iter() {
            let start_ms = pause.from.timestamp_millis().clamp(done_ms, to_ms);
            let end_ms = pause.until.map_or(to_ms, |until| until.timestamp_millis().clamp(done_ms, to_ms));
            if start_ms < end_ms {
                open_ms -= self.open_ms_before(end_ms) - self.open_ms_before(start_ms);
                done_ms = end_ms;
            }
        }
        Ok(TimeDelta::milliseconds(open_ms))
    }

    /// The open ranges between `from` and `to`, in order, merged, clipped to the two; none when `to` is not later.
    ///
    /// # Errors
    /// The range leaves the timeline.
    pub fn open_intervals(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<impl Iterator<Item = (DateTime<Utc>, DateTime<Utc>)> + '_, CalendarError> {
        let (from_ms, to_ms) = (self.checked(from)?, self.checked(to)?);
        let first = self.close_ms.partition_point(|&close| close <= from_ms);
        let ranges = self.open_ms[first..].iter().zip(&self.close_ms[first..]);
        Ok(ranges
            .take_while(move |(open, _)| **open < to_ms)
            .map(move |(open, close)| (instant((*open).max(from_ms)), instant((*close).min(to_ms)))))
    }

    /// The earliest millisecond with `amount_ms` of open time between `at_ms` and it. `amount_ms` is over zero.
    fn reach(&self, at_ms: i64, amount_ms: i64) -> Option<i64> {
        let after = self.first_open_after(at_ms);
        let target_ms = self.open_ms_up_to(at_ms, after).saturating_add(amount_ms);
        let mut first = after.saturating_sub(1);
        let mut stride = FIRST_STRIDE;
        while self.before_ms.get(first + stride).is_some_and(|&before| before < target_ms) {
            first += stride;
            stride *= 2;
        }
        let end = self.before_ms.len().min(first + stride);
        let index =
            (first + self.before_ms[first..end].partition_point(|&before| before < target_ms)).checked_sub(1)?;
        let reached_ms = self.open_ms[index].saturating_add(target_ms - self.before_ms[index]);
        (reached_ms <= self.close_ms[index]).then_some(reached_ms)
    }

    /// Open milliseconds from the start of the timeline to `at_ms`.
    fn open_ms_before(&self, at_ms: i64) -> i64 {
        self.open_ms_up_to(at_ms, self.first_open_after(at_ms))
    }

    /// The same, when the first interval that opens after `at_ms` is known.
    fn open_ms_up_to(&self, at_ms: i64, after: usize) -> i64 {
        match after {
            0 => 0,
            after => self.before_ms[after - 1] + at_ms.min(self.close_ms[after - 1]) - self.open_ms[after - 1],
        }
    }

    /// The first interval that opens after `at_ms`: a step of the index, then a few intervals in turn.
    fn first_open_after(&self, at_ms: i64) -> usize {
        if at_ms < self.from_ms {
            return 0;
        }
        let step = (at_ms - self.from_ms) >> self.index_shift;
        let Some(&first) = usize::try_from(step).ok().and_then(|step| self.index.get(step)) else {
            return self.open_ms.len();
        };
        let first = first as usize;
        first + self.open_ms[first..].iter().take_while(|open| **open <= at_ms).count()
    }

    /// Milliseconds of an instant that the timeline knows; its end is allowed, since a sum may run up to it.
    fn checked(&self, at: DateTime<Utc>) -> Result<i64, CalendarError> {
        let at_ms = at.timestamp_millis();
        if (self.from_ms..=self.until_ms).contains(&at_ms) {
            return Ok(at_ms);
        }
        Err(CalendarError::BeyondHorizon { at, from: self.from(), until: self.until() })
    }
}

/// Whole milliseconds that hold `amount`.
fn ceil_ms(amount: TimeDelta) -> i64 {
    let whole_ms = amount.num_milliseconds();
    whole_ms.saturating_add(i64::from(amount > TimeDelta::milliseconds(whole_ms)))
}

/// The instant of a unix millisecond; a timeline holds only those that came from an instant.
fn instant(ms: i64) -> DateTime<Utc> {
    let nearest = if ms < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp_millis(ms).unwrap_or(nearest)
}
