//! The bundled holidays (rule 12).

use heliograph::roster::holidays::{Region, region, regions};

use crate::office::day;

fn named(region: &Region, date: &str) -> Option<&'static str> {
    region.days.iter().find(|holiday| holiday.date == day(date)).map(|holiday| holiday.name)
}

#[test]
fn rule_12_states_of_one_country_differ() {
    let (karnataka, maharashtra) = (region("IN-KA").unwrap(), region("IN-MH").unwrap());
    assert_eq!(named(&karnataka, "2026-11-01"), Some("Karnataka Rajyotsava"));
    assert_eq!(named(&maharashtra, "2026-11-01"), None);
    assert_eq!(named(&maharashtra, "2026-05-01").map(|name| name.contains("Maharashtra Day")), Some(true));
    for region in [&karnataka, &maharashtra] {
        assert_eq!(named(region, "2026-01-26"), Some("Republic Day"), "the country's own");
    }
}

#[test]
fn rule_12_a_subdivision_can_lack_what_its_country_lists() {
    let (scotland, england) = (region("GB-SCT").unwrap(), region("GB-ENG").unwrap());
    assert_eq!(named(&scotland, "2026-04-06"), None);
    assert_eq!(named(&england, "2026-04-06"), Some("Easter Monday"));
    assert_eq!(named(&scotland, "2026-11-30"), Some("Saint Andrew's Day"));
    assert_eq!(named(&england, "2026-11-30"), None);
}

#[test]
fn rule_12_observed_and_actual_days_are_both_there() {
    let us = region("US").unwrap();
    assert_eq!(named(&us, "2026-07-04"), Some("Independence Day"));
    assert_eq!(named(&us, "2026-07-03"), Some("Independence Day (observed)"));
}

#[test]
fn rule_12_estimated_dates_are_marked_and_known_ones_are_not() {
    let saudi = region("SA").unwrap();
    let eid = |date: &str| saudi.days.iter().find(|holiday| holiday.date == day(date)).expect("Eid al-Fitr").estimated;
    assert!(!eid("2025-03-30"));
    assert!(eid("2029-02-14"));
    assert!(saudi.days.iter().all(|holiday| !holiday.name.contains("estimated")));
    assert!(region("GB").unwrap().days.iter().all(|holiday| !holiday.estimated));
}

#[test]
fn rule_12_years_without_data_are_not_covered() {
    assert_eq!(region("US").unwrap().years, 2020..=2036);
    assert_eq!(region("LK").unwrap().years, 2020..=2026);
    assert_eq!(region("IN-KA").unwrap().years, 2020..=2035, "movable feasts are known until then");
    for code in regions() {
        let region = region(code).unwrap();
        for year in region.years.clone() {
            let count =
                region.days.iter().filter(|holiday| holiday.date.format("%Y").to_string() == year.to_string()).count();
            assert!((3..=60).contains(&count), "{code} has {count} days in {year}");
        }
        assert!(
            region.days.iter().all(|holiday| region.years.contains(&chrono::Datelike::year(&holiday.date))),
            "{code}"
        );
    }
}

#[test]
fn an_unknown_region_is_refused_with_the_nearest_one() {
    assert_eq!(
        region("IN-KX").unwrap_err().to_string(),
        "holidays of region \"IN-KX\" are unknown: use a code such as \"IN\" or \"IN-KA\"; did you mean \"IN-KA\"?"
    );
    assert_eq!(region("gb-eng").unwrap_err().nearest.as_deref(), Some("GB-ENG"));
    for code in ["", "@GB", "-", "GB-", "GB-ENG "] {
        assert!(region(code).is_err(), "{code:?}");
    }
}

#[test]
fn the_countries_where_offices_are_have_data() {
    let codes: Vec<_> = regions().collect();
    assert!(codes.is_sorted());
    for code in [
        "US-CA", "US-NY", "GB-NIR", "IE", "CA-ON", "AU-NSW", "NZ-AUK", "IN-DL", "PH", "ZA", "DE-BY", "CH-ZH", "BR-SP",
        "MY-14",
    ] {
        assert!(codes.contains(&code), "{code}");
    }
    assert_eq!(
        codes.iter().filter(|code| code.starts_with("US-") && code.len() == 5).count(),
        57,
        "states, DC and territories"
    );
}
