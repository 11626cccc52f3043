//! The second implementation: a walk through the minutes, one at a time, written from the rules alone.
//!
//! It knows nothing of intervals. At each minute it reads the wall clock of the zone and keeps the latest time that the clock
//! has shown so far. A written local time has come as soon as that latest time has reached it (rule 1), so a minute is open
//! when the latest time lies within a shift. All local times are minutes since 1970-01-01T00:00 on the wall clock.

use std::collections::BTreeSet;

const DAY: i64 = 1440;

/// (start, end) in minutes of a date, as written; an end at or before its start is on the next date.
pub type Span = (u16, u16);

/// Hours instead of the usual ones, if any, and breaks besides them.
pub type Entry = (Option<Vec<Span>>, Vec<Span>);

/// Local rules, dates being days since 1970-01-01.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Monday first.
    pub weekly: [Vec<Span>; 7],
    pub breaks: [Vec<Span>; 7],
    pub holidays: BTreeSet<i64>,
    pub holidays_cut_dates: bool,
    pub dated: std::collections::BTreeMap<i64, Entry>,
}

/// Whether each minute of `from..until` (minutes since 1970 in UTC) is open. `offset_at` gives minutes east of UTC.
pub fn walk(rules: &Rules, offset_at: impl Fn(i64) -> i64, from: i64, until: i64) -> Vec<bool> {
    let mut latest = i64::MIN;
    let mut open = Vec::new();
    // The clock may have been set back shortly before `from`, so the walk starts a day early.
    for minute in from - DAY..until {
        latest = latest.max(minute + offset_at(minute));
        if minute >= from {
            open.push(rules.is_open(latest));
        }
    }
    open
}

impl Rules {
    fn is_open(&self, clock: i64) -> bool {
        let today = clock.div_euclid(DAY);
        let covers = |date: i64, &(start, end): &Span| {
            let next_day = if end <= start { DAY } else { 0 };
            (date * DAY + i64::from(start)..date * DAY + i64::from(end) + next_day).contains(&clock)
        };
        let on_shift =
            [today - 1, today].into_iter().any(|date| self.hours(date).iter().any(|span| covers(date, span)));
        let on_break = [today - 1, today].into_iter().any(|date| {
            let dated = self.dated.get(&date).map(|(_, breaks)| breaks.as_slice()).unwrap_or_default();
            self.breaks[weekday(date)].iter().chain(dated).any(|span| covers(date, span))
        });
        let replaced = matches!(self.dated.get(&today), Some((Some(hours), _)) if !hours.is_empty());
        let cut = self.holidays_cut_dates && self.holidays.contains(&today) && !replaced;
        on_shift && !on_break && !cut
    }

    fn hours(&self, date: i64) -> &[Span] {
        match self.dated.get(&date) {
            Some((Some(hours), _)) => hours,
            _ if self.holidays.contains(&date) => &[],
            _ => &self.weekly[weekday(date)],
        }
    }
}

/// 1970-01-01 was a Thursday.
fn weekday(date: i64) -> usize {
    (date + 3).rem_euclid(7) as usize
}
