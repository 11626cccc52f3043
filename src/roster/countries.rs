//! Which countries exist (ISO 3166-1, all of them) and which subdivisions are known (those of the holiday data).
//!
//! A place that does not exist would be a rule that never holds: a team that no client allows, a client whose work goes
//! nowhere.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::holidays;
use super::nearest::{hint, nearest};
use crate::engine::request::Place;

const DATA: &str = include_str!("data/countries.tsv");

/// Codes that people write for a country whose code is another one.
const OTHER_NAMES: [(&str, &str); 4] = [("UK", "GB"), ("EL", "GR"), ("EN", "GB"), ("SP", "ES")];

/// Jurisdictions above countries: reserved codes of ISO 3166-1 and of WIPO's standard ST.3.
const UNIONS: [(&str, &str); 2] = [("EU", "European Union"), ("EP", "European Patent Organisation")];

/// What is wrong with a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Doubt {
    /// There is no such country.
    NoCountry(String),
    /// The country has subdivisions that are known, and this is none of them.
    UnknownSubdivision(String),
}

/// Whether the country exists and the subdivision is known; a country none of whose subdivisions is known may have any.
pub(super) fn check(place: &Place) -> Result<(), Doubt> {
    let (text, country) = (place.as_str(), place.country());
    if !names().contains_key(country) {
        let part = &text[country.len()..];
        return Err(Doubt::NoCountry(format!(
            "place {text:?} is in no country: {country} is no code of ISO 3166-1; {}",
            advice(country, part)
        )));
    }
    let subdivisions: Vec<_> = holidays::regions().filter(|region| is_in(region, country)).collect();
    if text == country || subdivisions.is_empty() || subdivisions.contains(&text) {
        return Ok(());
    }
    let near = nearest(text, subdivisions.iter().copied());
    let hint = hint(near.as_deref());
    Err(Doubt::UnknownSubdivision(format!("{text:?} is no subdivision of {} that is known{hint}", names()[country])))
}

/// As [`check`], and a union of countries may stand for a country.
pub(super) fn check_jurisdiction(place: &Place) -> Result<(), Doubt> {
    let is_union = UNIONS.iter().any(|(code, _)| *code == place.as_str());
    if is_union { Ok(()) } else { check(place) }
}

fn is_in(region: &str, country: &str) -> bool {
    region.strip_prefix(country).is_some_and(|rest| rest.starts_with('-'))
}

/// The code that was likely meant, or those that begin alike.
fn advice(country: &str, part: &str) -> String {
    if let Some((_, meant)) = OTHER_NAMES.iter().find(|(other, _)| *other == country) {
        return format!("did you mean {:?}?", format!("{meant}{part}"));
    }
    let alike: Vec<_> = names().iter().filter(|(code, _)| code[..1] == country[..1]).collect();
    let shown: Vec<_> = alike.iter().map(|(code, name)| format!("{code} ({name})")).collect();
    if shown.is_empty() { "use the code of a country".to_owned() } else { format!("near it are {}", shown.join(", ")) }
}

/// Code to name.
fn names() -> &'static BTreeMap<&'static str, &'static str> {
    static NAMES: OnceLock<BTreeMap<&'static str, &'static str>> = OnceLock::new();
    NAMES.get_or_init(|| DATA.lines().filter_map(|line| line.split_once('\t')).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_249_countries_are_known_and_every_region_with_holidays_lies_in_one() {
        assert_eq!(names().len(), 249);
        for region in holidays::regions() {
            let place = Place::new(region).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(check(&place), Ok(()), "{region}");
        }
        assert!(OTHER_NAMES.iter().all(|(other, meant)| !names().contains_key(other) && names().contains_key(meant)));
    }

    #[test]
    fn a_union_is_a_jurisdiction_and_no_country() {
        let europe = Place::new("EU").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(check_jurisdiction(&europe), Ok(()));
        assert!(matches!(check(&europe), Err(Doubt::NoCountry(_))));
    }
}
