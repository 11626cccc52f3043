//! What a roster says about a calendar, before it becomes intervals.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde::Serialize;

use super::Shift;
use crate::engine::id::CalendarId;
use crate::engine::zone::Zone;

/// The local rules of a calendar. Equal specs serialise to equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CalendarSpec {
    /// The name in the roster.
    pub id: CalendarId,
    /// The zone in which all local times are read.
    pub zone: Arc<Zone>,
    /// Hours of the week, Monday first; a day without shifts is closed. The weekend is the absence of hours (rule 13).
    pub weekly: [Vec<Shift>; 7],
    /// Breaks of the week, Monday first, subtracted wherever they fall (rule 6).
    pub breaks: [Vec<Shift>; 7],
    /// Holidays by local date.
    pub holidays: BTreeMap<NaiveDate, Holiday>,
    /// What a holiday removes (rule 5).
    pub holiday_cuts: HolidayCuts,
    /// Exceptions by date. Where several entries with hours cover a date the last one holds; the breaks of all apply.
    pub dates: Vec<DatedEntry>,
    /// Closures from feed files, subtracted from everything else.
    pub closures: Vec<Closure>,
}

/// A holiday of a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holiday {
    /// The name for people.
    pub name: String,
    /// Whether the date is a forecast, such as that of a moon sighting.
    pub estimated: bool,
}

/// What a holiday removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HolidayCuts {
    /// The shifts that start on the date, whole.
    #[default]
    Shift,
    /// 00:00-24:00 of the date, whichever shift it belongs to.
    Date,
}

/// An exception for a range of local dates (rules 6 and 14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DatedEntry {
    /// The first date.
    pub from: NaiveDate,
    /// The last date, inclusive.
    pub until: NaiveDate,
    /// Hours instead of the weekly ones and of any holiday; empty is closed; `None` leaves hours and holidays as they are.
    ///
    /// Empty hours on a holiday that cuts its date leave that cut in force, since both say closed.
    pub hours: Option<Vec<Shift>>,
    /// Breaks added to the weekly ones.
    pub breaks: Vec<Shift>,
    /// Whether it is a closure that is meant, so that time without anybody is no gap in coverage.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub planned: bool,
}

/// Time that a feed declares closed, half-open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Closure {
    /// A range of instants.
    Instants {
        /// The first closed instant.
        from: DateTime<Utc>,
        /// The first instant that is not closed by this.
        until: DateTime<Utc>,
    },
    /// A range on the calendar's own wall clock; whole dates run from 00:00 to 00:00.
    Local {
        /// The first closed local time.
        from: NaiveDateTime,
        /// The first local time that is not closed by this.
        until: NaiveDateTime,
    },
}
