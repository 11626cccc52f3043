//! Closures from `.ics` feeds, such as an office's leave calendar: every event is time in which it is closed.
//!
//! All or nothing: a feed of which anything cannot be read gives an error, since a lost closure is a missed deadline.

use chrono::{DateTime, NaiveDateTime, NaiveTime, Utc};
use icalendar::{Calendar, CalendarDateTime, Component, DatePerhapsTime, Event, EventStatus};

use super::zones::{ZoneError, Zones};
use crate::engine::calendar::Closure;

/// Bytes of a feed at most.
pub const MAX_FEED_BYTES: usize = 1024 * 1024;
/// Events of a feed at most.
pub const MAX_FEED_EVENTS: usize = 5_000;

/// Properties that would add or move closures in ways that are not understood here.
const UNSUPPORTED: [&str; 4] = ["RRULE", "RDATE", "DURATION", "RECURRENCE-ID"];

/// What a feed says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Closures in the feed's order; cancelled events are left out.
    pub closures: Vec<NamedClosure>,
    /// The latest `DTSTAMP` or `LAST-MODIFIED` of the feed's events, by which a caller can tell that it is stale.
    pub stamped_at: Option<DateTime<Utc>>,
}

/// A closure and what the feed calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedClosure {
    /// The event's summary, empty when it has none.
    pub name: String,
    /// The closed time.
    pub closure: Closure,
}

/// Why a feed is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeedError {
    /// Too many bytes.
    #[error("feed has {bytes} bytes, the limit is {MAX_FEED_BYTES}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Too many events.
    #[error("feed has {events} events, the limit is {MAX_FEED_EVENTS}")]
    TooManyEvents {
        /// Their number.
        events: usize,
    },
    /// Not UTF-8.
    #[error("feed is not UTF-8 text")]
    NotText,
    /// Not one complete calendar.
    #[error("feed is not one complete iCalendar object from BEGIN:VCALENDAR to END:VCALENDAR: {reason}")]
    NotACalendar {
        /// What is wrong.
        reason: String,
    },
    /// An event uses something that is not supported.
    #[error(
        "event {event:?} has {property}, which is not supported: export its dates as single events with start and end"
    )]
    Unsupported {
        /// The event's summary or uid.
        event: String,
        /// The property.
        property: &'static str,
    },
    /// An event's start or end cannot be read.
    #[error("event {event:?} has no readable {property}: use a date, a UTC time or a local time with an IANA TZID")]
    Unreadable {
        /// The event's summary or uid.
        event: String,
        /// `DTSTART` or `DTEND`.
        property: &'static str,
    },
    /// An event ends before it starts, or mixes a date or floating time with an instant.
    #[error("event {event:?} does not end after its start in the same kind of time")]
    Inverted {
        /// The event's summary or uid.
        event: String,
    },
    /// An event's zone is unknown.
    #[error("event {event:?}: {source}")]
    Zone {
        /// The event's summary or uid.
        event: String,
        /// What is wrong with the zone.
        source: ZoneError,
    },
}

/// Reads the closures of a feed. Times with a `TZID` are read in that zone, dates and times without one in the zone of the
/// calendar that uses the feed. An event on a date without an end closes that date; one at a time without an end closes
/// nothing.
///
/// # Errors
/// The feed is over a limit, is not a complete calendar, or holds an event that cannot be read in full.
pub fn read(bytes: &[u8], zones: &Zones) -> Result<Feed, FeedError> {
    if bytes.len() > MAX_FEED_BYTES {
        return Err(FeedError::TooLarge { bytes: bytes.len() });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| FeedError::NotText)?.trim_start_matches('\u{feff}');
    let calendar = complete_calendar(text)?;
    let mut feed = Feed { closures: Vec::new(), stamped_at: None };
    for event in calendar.events() {
        feed.stamped_at = feed.stamped_at.max(event.get_timestamp()).max(event.get_last_modified());
        if event.get_status() == Some(EventStatus::Cancelled) {
            continue;
        }
        if let Some(closure) = closure(event, zones)? {
            let name = event.get_summary().unwrap_or_default().to_owned();
            feed.closures.push(NamedClosure { name, closure });
        }
    }
    Ok(feed)
}

/// The parser stops silently at what it does not understand, so the events it found are counted against the text.
fn complete_calendar(text: &str) -> Result<Calendar, FeedError> {
    let not_a_calendar = |reason: String| FeedError::NotACalendar { reason };
    let lines = || text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    if lines().next() != Some("BEGIN:VCALENDAR") || lines().next_back() != Some("END:VCALENDAR") {
        return Err(not_a_calendar("the first or the last line is missing".to_owned()));
    }
    let wanted = lines().filter(|line| *line == "BEGIN:VEVENT").count();
    if wanted > MAX_FEED_EVENTS {
        return Err(FeedError::TooManyEvents { events: wanted });
    }
    let calendar: Calendar = text.parse().map_err(|_| not_a_calendar("its lines cannot be read".to_owned()))?;
    let found = calendar.events().count();
    if found != wanted {
        return Err(not_a_calendar(format!("{found} of {wanted} events can be read")));
    }
    Ok(calendar)
}

fn closure(event: &Event, zones: &Zones) -> Result<Option<Closure>, FeedError> {
    let has =
        |property: &str| event.properties().contains_key(property) || event.multi_properties().contains_key(property);
    if let Some(property) = UNSUPPORTED.into_iter().find(|property| has(property)) {
        return Err(FeedError::Unsupported { event: label(event), property });
    }
    let unreadable = |property| FeedError::Unreadable { event: label(event), property };
    let start = event.get_start().ok_or_else(|| unreadable("DTSTART"))?;
    let end = match (event.get_end(), &start) {
        (Some(end), _) => end,
        (None, _) if has("DTEND") => return Err(unreadable("DTEND")),
        (None, DatePerhapsTime::Date(date)) => {
            DatePerhapsTime::Date(date.succ_opt().ok_or_else(|| unreadable("DTEND"))?)
        }
        (None, DatePerhapsTime::DateTime(_)) => return Ok(None),
    };
    let inverted = FeedError::Inverted { event: label(event) };
    match (edge(event, start, zones)?, edge(event, end, zones)?) {
        (Edge::Instant(from), Edge::Instant(until)) if from <= until => Ok(Some(Closure::Instants { from, until })),
        (Edge::Local(from), Edge::Local(until)) if from <= until => Ok(Some(Closure::Local { from, until })),
        _ => Err(inverted),
    }
}

/// Where a closure starts or ends.
enum Edge {
    Instant(DateTime<Utc>),
    Local(NaiveDateTime),
}

fn edge(event: &Event, time: DatePerhapsTime, zones: &Zones) -> Result<Edge, FeedError> {
    Ok(match time {
        DatePerhapsTime::Date(date) => Edge::Local(date.and_time(NaiveTime::MIN)),
        DatePerhapsTime::DateTime(CalendarDateTime::Floating(local)) => Edge::Local(local),
        DatePerhapsTime::DateTime(CalendarDateTime::Utc(instant)) => Edge::Instant(instant),
        DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone { date_time, tzid }) => {
            let zone = zones.zone(&tzid).map_err(|source| FeedError::Zone { event: label(event), source })?;
            Edge::Instant(zone.first_instant(date_time))
        }
    })
}

/// What to call an event in an error, cut to 80 characters.
fn label(event: &Event) -> String {
    event.get_summary().or(event.get_uid()).unwrap_or("without a name").chars().take(80).collect()
}
