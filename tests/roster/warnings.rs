//! Warnings: allowed, but likely not meant.

use heliograph::engine::calendar::Closure;
use heliograph::engine::id::CalendarId;
use heliograph::roster::{self, Source, zones::ZoneSource};

use super::{anchor, parse};

const LONDON_ONLY: &str = include_str!("../fixtures/roster/london-only.toml");

fn warnings_of(text: &str) -> Vec<String> {
    parse(text).unwrap().warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn years_without_holiday_data_are_a_warning_until_their_dates_are_listed() {
    let colombo = LONDON_ONLY.replace("\"GB-ENG\"", "\"LK\"");
    assert_eq!(
        warnings_of(&colombo),
        ["roster.toml:5:13: holidays of LK are not known for 2027: list their dates here"]
    );
    assert_eq!(warnings_of(&colombo.replace("\"LK\"", "\"LK\", \"2027-02-04\"")), [""; 0]);
}

#[test]
fn a_team_that_gets_no_work_is_a_warning() {
    let expired = LONDON_ONLY.replace("2028-12-31", "2026-11-22");
    assert_eq!(warnings_of(&expired), ["roster.toml:22:16: team \"london\" is no longer vetted: it gets no work"]);
    assert_eq!(warnings_of(&LONDON_ONLY.replace("2028-12-31", "2026-11-23")), [""; 0]);
    let unvetted = LONDON_ONLY.replace("vetted_until = \"2028-12-31\"\n", "");
    assert_eq!(
        warnings_of(&unvetted),
        ["roster.toml:14:1: team \"london\" has no \"vetted_until\": it is not vetted and gets no work"]
    );
    let lapsed = LONDON_ONLY.replace("level = 3", "level = 3, admitted_until = 2026-11-01");
    assert_eq!(
        warnings_of(&lapsed),
        ["roster.toml:21:104: the admission has expired: renew it or leave the capability out"]
    );
}

#[test]
fn a_subdivision_that_is_not_known_is_a_warning_with_the_nearest_one() {
    let text = LONDON_ONLY.replacen("country = \"GB\"", "country = \"GB-ENX\"", 1);
    let warning = "\"GB-ENX\" is no subdivision of Britain (UK) that is known; did you mean \"GB-ENG\"?";
    assert_eq!(warnings_of(&text), [format!("roster.toml:17:11: {warning}")]);
    // Where no subdivision of a country is known, none can be wrong.
    assert_eq!(warnings_of(&LONDON_ONLY.replacen("country = \"GB\"", "country = \"NL-NH\"", 1)), [""; 0]);
}

#[test]
fn names_that_no_team_has_are_a_warning() {
    let text = LONDON_ONLY.replace("specialty = \"*\"", "specialty = \"tax\"").replace(
        "offshoring = \"allowed\"",
        "offshoring = \"allowed\"\nresidency = [\"uc\"]\n\n[work_types.audit]\nspecialty = \"taxx\"",
    );
    assert_eq!(
        warnings_of(&text),
        [
            "roster.toml:30:14: no team is in region \"uc\"",
            "roster.toml:33:13: no team holds the specialty \"taxx\"; did you mean \"tax\"?",
        ]
    );
}

#[test]
fn a_calendar_without_hours_loads_and_is_a_warning() {
    let text = "[calendars.closed]\ntime_zone = \"UTC\"\n";
    assert_eq!(warnings_of(text), ["roster.toml:1:12: calendar \"closed\" has no hours: it is never open"]);
}

#[test]
fn a_stale_feed_is_used_with_a_warning() {
    let event = "BEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:20261123\r\nSUMMARY:Move\r\n\
                 END:VEVENT\r\n";
    let feed = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n{event}END:VCALENDAR\r\n");
    let with_feed = |age: &str| format!("{LONDON_ONLY}\n[[calendars.london.ics]]\nfile = \"leave.ics\"\n{age}\n");
    let load = |age: &str| {
        let sources = [Source::new("roster.toml", &with_feed(age)), Source::new("leave.ics", &feed)];
        roster::parse(&sources, ZoneSource::Bundled, anchor()).unwrap()
    };
    let loaded = load("");
    assert_eq!(
        loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["roster.toml:32:8: feed \"leave.ics\" is 326 days old, the limit is 90: export it again"]
    );
    let calendar = &loaded.roster.calendars[&CalendarId::new("london").unwrap()];
    assert!(matches!(calendar.spec().closures[..], [Closure::Local { .. }]));
    assert!(!calendar.is_open(anchor()));
    assert_eq!(load("max_age_days = 400").warnings, []);
    // The feed is part of the text that the digest names.
    let again = roster::parse_text(&loaded.text, ZoneSource::Bundled, anchor()).unwrap();
    assert_eq!(again.roster.digest, loaded.roster.digest);
    assert_eq!(again.roster.calendars[&CalendarId::new("london").unwrap()].spec(), calendar.spec());
}
