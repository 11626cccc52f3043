//! `[keeping]`: for how long what is kept.

use super::fields::Fields;

/// The longest that anything can be set to be kept, in days: a century.
pub const MAX_DAYS: u64 = 36_500;
/// The most days behind which events can be resumed.
pub const MAX_EVENTS_DAYS: u64 = 400;

/// For how long what is kept. Nothing of an open task is ever forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keeping {
    /// Days after the end of a task in which its payload, and what people wrote about it, are kept.
    pub content_days: u32,
    /// Days after the end of a task in which its row and its facts are kept.
    pub rows_days: u32,
    /// Days in which a reader of events can go on from where it was.
    pub events_days: u32,
    /// Tasks or facts that are forgotten in one transaction.
    pub portion: usize,
}

impl Default for Keeping {
    fn default() -> Self {
        Self { content_days: 30, rows_days: 400, events_days: 7, portion: 64 }
    }
}

pub(super) fn read(fields: &mut Fields) -> Keeping {
    let unset = Keeping::default();
    let mut days = |key, most, unset| {
        let given = fields.whole(key, 1..=most).and_then(|days| u32::try_from(days).ok());
        given.unwrap_or(unset)
    };
    let content_days = days("content_days", MAX_DAYS, unset.content_days);
    let rows_days = days("rows_days", MAX_DAYS, unset.rows_days);
    let events_days = days("events_days", MAX_EVENTS_DAYS, unset.events_days);
    let portion = fields.whole("portion", 1..=10_000).and_then(|portion| usize::try_from(portion).ok());
    for (key, days) in [("content_days", content_days), ("events_days", events_days)] {
        if days > rows_days {
            let rule = format!("is more than keeping.rows_days = {rows_days}: rows hold it, so keep them as long");
            fields.fault(key, format!("= {days} {rule}"));
        }
    }
    Keeping { content_days, rows_days, events_days, portion: portion.unwrap_or(unset.portion) }
}
