//! Closures from `.ics` feeds.

use heliograph::engine::calendar::Closure;
use heliograph::roster::ics::{Feed, FeedError, MAX_FEED_BYTES, MAX_FEED_EVENTS, read};
use heliograph::roster::zones::Zones;

use crate::office::at;

fn feed(events: &[&str]) -> String {
    let events: String = events.iter().map(|lines| format!("BEGIN:VEVENT\n{lines}\nEND:VEVENT\n")).collect();
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//an office//EN\n{events}END:VCALENDAR\n").replace('\n', "\r\n")
}

fn read_events(events: &[&str]) -> Result<Feed, FeedError> {
    read(feed(events).as_bytes(), &Zones::bundled())
}

fn closure_of(event: &str) -> Closure {
    read_events(&[event]).unwrap().closures.remove(0).closure
}

fn local(from: &str, until: &str) -> Closure {
    Closure::Local { from: from.parse().unwrap(), until: until.parse().unwrap() }
}

#[test]
fn whole_dates_run_from_midnight_to_midnight_in_the_calendars_own_zone() {
    let days = "SUMMARY:Diwali\nDTSTART;VALUE=DATE:20261108\nDTEND;VALUE=DATE:20261110";
    assert_eq!(closure_of(days), local("2026-11-08T00:00:00", "2026-11-10T00:00:00"));
    let day = "SUMMARY:Moving house\nDTSTART;VALUE=DATE:20261231";
    assert_eq!(closure_of(day), local("2026-12-31T00:00:00", "2027-01-01T00:00:00"));
}

#[test]
fn times_are_read_in_utc_in_their_zone_or_in_the_calendars_own() {
    let utc = "DTSTART:20260601T090000Z\nDTEND:20260601T100000Z";
    let instants = Closure::Instants { from: at("2026-06-01T09:00:00Z"), until: at("2026-06-01T10:00:00Z") };
    assert_eq!(closure_of(utc), instants);
    let kolkata = "DTSTART;TZID=Asia/Kolkata:20260601T143000\nDTEND;TZID=Europe/London:20260601T110000";
    assert_eq!(closure_of(kolkata), instants);
    let floating = "DTSTART:20260601T090000\nDTEND:20260601T100000";
    assert_eq!(closure_of(floating), local("2026-06-01T09:00:00", "2026-06-01T10:00:00"));
}

#[test]
fn names_and_the_latest_stamp_are_kept_and_cancelled_events_are_not() {
    let feed = read_events(&[
        "SUMMARY:Office party\\, long\nDTSTAMP:20260101T000000Z\nDTSTART:20260601T090000Z\nDTEND:20260601T100000Z",
        "SUMMARY:Gone\nSTATUS:CANCELLED\nLAST-MODIFIED:20260303T000000Z\nDTSTART:20260602T090000Z\nDTEND:20260602T100000Z",
        "SUMMARY:A moment\nDTSTAMP:20260202T000000Z\nDTSTART:20260603T090000Z",
    ])
    .unwrap();
    assert_eq!(feed.closures.iter().map(|closure| closure.name.as_str()).collect::<Vec<_>>(), ["Office party, long"]);
    assert_eq!(feed.stamped_at, Some(at("2026-03-03T00:00:00Z")));
    assert_eq!(read_events(&[]).unwrap(), Feed { closures: Vec::new(), stamped_at: None });
}

#[test]
fn what_is_not_understood_is_refused() {
    for property in ["RRULE:FREQ=DAILY", "RDATE:20260701T090000Z", "DURATION:PT1H", "RECURRENCE-ID:20260601T090000Z"] {
        let event = format!("SUMMARY:Stand-up\nDTSTART:20260601T090000Z\n{property}");
        let name = property.split(':').next().unwrap();
        assert!(
            matches!(read_events(&[&event]), Err(FeedError::Unsupported { event, property }) if event == "Stand-up" && property == name),
            "{property}"
        );
    }
}

#[test]
fn an_event_without_readable_times_is_refused() {
    let unreadable = |event: &str| match read_events(&[event]) {
        Err(FeedError::Unreadable { property, .. }) => property,
        other => panic!("{event}: {other:?}"),
    };
    assert_eq!(unreadable("SUMMARY:Nothing"), "DTSTART");
    assert_eq!(unreadable("DTSTART:soon"), "DTSTART");
    assert_eq!(unreadable("DTSTART;VALUE=DATE:20261332"), "DTSTART");
    assert_eq!(unreadable("DTSTART:20260601T090000Z\nDTEND:later"), "DTEND");
}

#[test]
fn an_event_that_ends_before_it_starts_or_mixes_kinds_is_refused() {
    for event in [
        "DTSTART:20260601T090000Z\nDTEND:20260601T080000Z",
        "DTSTART;VALUE=DATE:20260601\nDTEND:20260602T080000Z",
        "DTSTART;VALUE=DATE:20260602\nDTEND;VALUE=DATE:20260601",
    ] {
        assert!(matches!(read_events(&[event]), Err(FeedError::Inverted { .. })), "{event}");
    }
}

#[test]
fn an_unknown_zone_is_refused_by_name() {
    let event = "SUMMARY:Leave\nDTSTART;TZID=GMT Standard Time:20260601T090000\nDTEND:20260601T100000Z";
    let error = read_events(&[event]).unwrap_err().to_string();
    assert!(error.contains("Leave") && error.contains("GMT Standard Time"), "{error}");
}

#[test]
fn an_incomplete_calendar_is_refused() {
    let whole = feed(&["DTSTART:20260601T090000Z\nDTEND:20260601T100000Z", "DTSTART;VALUE=DATE:20260602"]);
    let zones = Zones::bundled();
    assert_eq!(read(whole.as_bytes(), &zones).unwrap().closures.len(), 2);
    for length in 0..whole.len() - 2 {
        assert!(
            matches!(read(&whole.as_bytes()[..length], &zones), Err(FeedError::NotACalendar { .. })),
            "{length} bytes"
        );
    }
    let twice = format!("{whole}{whole}");
    assert!(matches!(read(twice.as_bytes(), &zones), Err(FeedError::NotACalendar { .. })), "one of two would be lost");
    assert_eq!(read(&[0xff, 0xfe], &zones), Err(FeedError::NotText));
}

#[test]
fn feeds_have_limits() {
    let zones = Zones::bundled();
    let large = vec![b' '; MAX_FEED_BYTES + 1];
    assert_eq!(read(&large, &zones), Err(FeedError::TooLarge { bytes: MAX_FEED_BYTES + 1 }));
    let events = vec!["DTSTART;VALUE=DATE:20260602"; MAX_FEED_EVENTS + 1];
    assert_eq!(read_events(&events), Err(FeedError::TooManyEvents { events: MAX_FEED_EVENTS + 1 }));
}
