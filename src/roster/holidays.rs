//! Public holidays by country and subdivision, from data inside the program.
//!
//! The data comes from the Python package `holidays` (MIT); `data/export_holidays.py` writes it and its header states the
//! version. Dates are observed and actual days as the package has them, of the category public.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::OnceLock;

use chrono::NaiveDate;

use super::nearest::{hint, nearest};

/// See the header of the file for its format.
const DATA: &str = include_str!("data/holidays.tsv");

/// The holidays of one region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// A country, or a country and a subdivision, by ISO 3166: `IN` or `IN-KA`.
    pub code: &'static str,
    /// The years that the data covers. For others there is no data, which is not the same as no holidays (rule 12).
    pub years: RangeInclusive<i32>,
    /// By date, the region's own and its country's.
    pub days: Vec<PublicHoliday>,
}

/// A holiday of a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicHoliday {
    /// The local date.
    pub date: NaiveDate,
    /// The name for people, in English where the data has it.
    pub name: &'static str,
    /// Whether the date is a forecast, such as that of a moon sighting.
    pub estimated: bool,
}

/// A code that the data does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("holidays of region {code:?} are unknown: use a code such as \"IN\" or \"IN-KA\"{}", hint(.nearest.as_deref()))]
pub struct UnknownRegion {
    /// The code as given, cut to 40 characters.
    pub code: String,
    /// The most similar code.
    pub nearest: Option<String>,
}

/// The holidays of the region `code`.
///
/// # Errors
/// The data does not know the code.
pub fn region(code: &str) -> Result<Region, UnknownRegion> {
    let Some((&code, block)) = blocks().get_key_value(code) else {
        let nearest = nearest(code, regions());
        return Err(UnknownRegion { code: code.chars().take(40).collect(), nearest });
    };
    let mut days = BTreeMap::new();
    if let Some(country) = code.split_once('-').and_then(|(country, _)| blocks().get(country)) {
        country.apply(&mut days);
    }
    block.apply(&mut days);
    let days = days.into_iter().map(|(date, (name, estimated))| PublicHoliday { date, name, estimated });
    Ok(Region { code, years: block.years.clone(), days: days.collect() })
}

/// Every code that the data knows, in order.
pub fn regions() -> impl Iterator<Item = &'static str> {
    blocks().keys().copied()
}

/// The lines of one region, not yet read.
struct Block {
    years: RangeInclusive<i32>,
    lines: &'static str,
}

type Days = BTreeMap<NaiveDate, (&'static str, bool)>;

fn blocks() -> &'static BTreeMap<&'static str, Block> {
    static BLOCKS: OnceLock<BTreeMap<&'static str, Block>> = OnceLock::new();
    BLOCKS.get_or_init(|| DATA.split("\n@").skip(1).filter_map(read_block).collect())
}

fn read_block(text: &'static str) -> Option<(&'static str, Block)> {
    let (heading, lines) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = heading.split(' ');
    let (code, first, last) = (words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((code, Block { years: first..=last, lines }))
}

impl Block {
    /// Adds, renames and removes the days that the block lists.
    fn apply(&self, days: &mut Days) {
        for (name, tokens) in self.lines.lines().filter_map(|line| line.split_once('\t')) {
            for token in tokens.split(' ') {
                let (token, estimated) = token.strip_prefix('~').map_or((token, false), |token| (token, true));
                for date in self.dates(token) {
                    if name == "-" {
                        days.remove(&date);
                    } else {
                        days.insert(date, (name, estimated));
                    }
                }
            }
        }
    }

    /// `MMDD` in every covered year, or `YYMMDD`.
    fn dates(&self, token: &str) -> Vec<NaiveDate> {
        let Ok(number) = token.parse::<u32>() else { return Vec::new() };
        let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
        let years = if token.len() == 4 { self.years.clone() } else { (2000 + year as i32)..=(2000 + year as i32) };
        years.filter_map(|year| NaiveDate::from_ymd_opt(year, month, day)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_data_is_read() {
        let headings = DATA.lines().filter(|line| line.starts_with('@')).count();
        assert_eq!(blocks().len(), headings);
        for (code, block) in blocks() {
            for line in block.lines.lines() {
                let (_, tokens) = line.split_once('\t').unwrap_or_else(|| panic!("{code}: {line:?}"));
                for token in tokens.split(' ') {
                    let digits = token.trim_start_matches('~');
                    let wanted = if digits.len() == 4 { block.years.clone().count() } else { 1 };
                    assert!(matches!(digits.len(), 4 | 6), "{code}: {token:?}");
                    assert_eq!(block.dates(digits).len(), wanted, "{code}: {token:?}");
                }
            }
        }
    }
}
