//! One stretch of local hours within a day, such as `09:00-17:30` or `22:00-06:00`.

use std::fmt;
use std::str::FromStr;

use chrono::{Days, NaiveDate, NaiveDateTime, NaiveTime};
use serde::{Deserialize, Serialize};

/// Minutes in a date on the wall clock; `24:00` as a number.
pub const MINUTES_PER_DATE: u16 = 24 * 60;

/// Local hours that start on a date. An end at or before the start lies on the next date (rule 4); `24:00` is legal as an
/// end only and is 00:00 of the next date (rule 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shift {
    start_minute: u16,
    end_minute: u16,
}

/// Hours that cannot be read or make no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidShift {
    /// The text is not two times of day.
    #[error("hours {value:?} are not of the form \"HH:MM-HH:MM\", such as \"09:00-17:30\"")]
    Form {
        /// The value as given, cut to 40 characters.
        value: String,
    },
    /// The start is not within the date.
    #[error("hours start at {value} but a start must lie between 00:00 and 23:59; 24:00 is an end only")]
    Start {
        /// The start as given.
        value: String,
    },
    /// The end is not within the date.
    #[error("hours end at {value} but an end must lie between 00:00 and 24:00")]
    End {
        /// The end as given.
        value: String,
    },
    /// `00:00-00:00`, which could mean a full day or none.
    #[error("hours \"00:00-00:00\" are ambiguous: write \"00:00-24:00\" for the whole date or leave it out")]
    Empty,
}

impl Shift {
    /// Hours from `start_minute` to `end_minute`, both in minutes of the wall clock after 00:00.
    ///
    /// # Errors
    /// A start over 23:59, an end over 24:00, or `00:00-00:00`.
    pub fn new(start_minute: u16, end_minute: u16) -> Result<Self, InvalidShift> {
        if start_minute >= MINUTES_PER_DATE {
            return Err(InvalidShift::Start { value: clock(start_minute) });
        }
        if end_minute > MINUTES_PER_DATE {
            return Err(InvalidShift::End { value: clock(end_minute) });
        }
        if start_minute == 0 && end_minute == 0 {
            return Err(InvalidShift::Empty);
        }
        Ok(Self { start_minute, end_minute })
    }

    /// Minutes from 00:00 to the start, below 1,440.
    #[must_use]
    pub fn start_minute(self) -> u16 {
        self.start_minute
    }

    /// Minutes from 00:00 to the end, at most 1,440; on the next date when [`Shift::is_overnight`].
    #[must_use]
    pub fn end_minute(self) -> u16 {
        self.end_minute
    }

    /// Whether the end lies on the date after the start.
    #[must_use]
    pub fn is_overnight(self) -> bool {
        self.end_minute <= self.start_minute
    }

    /// Start and end on the wall clock when the shift starts on `date`; `None` at the end of the range of dates.
    #[must_use]
    pub fn on(self, date: NaiveDate) -> Option<(NaiveDateTime, NaiveDateTime)> {
        let days = u64::from(self.is_overnight()) + u64::from(self.end_minute / MINUTES_PER_DATE);
        let end_date = date.checked_add_days(Days::new(days))?;
        Some((
            date.and_time(time_of(self.start_minute)?),
            end_date.and_time(time_of(self.end_minute % MINUTES_PER_DATE)?),
        ))
    }
}

fn time_of(minute: u16) -> Option<NaiveTime> {
    NaiveTime::from_num_seconds_from_midnight_opt(u32::from(minute) * 60, 0)
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

impl FromStr for Shift {
    type Err = InvalidShift;

    fn from_str(text: &str) -> Result<Self, InvalidShift> {
        let form = || InvalidShift::Form { value: text.chars().take(40).collect() };
        let (start, end) = text.split_once('-').ok_or_else(form)?;
        Self::new(minute_of(start).ok_or_else(form)?, minute_of(end).ok_or_else(form)?)
    }
}

/// `HH:MM` as minutes; 24:01 and above pass here so that [`Shift::new`] can say which end is wrong.
fn minute_of(text: &str) -> Option<u16> {
    let &[h1, h2, b':', m1, m2] = text.as_bytes() else { return None };
    if ![h1, h2, m1, m2].iter().all(u8::is_ascii_digit) || m1 > b'5' {
        return None;
    }
    let digit = |byte: u8| u16::from(byte - b'0');
    Some((digit(h1) * 10 + digit(h2)) * 60 + digit(m1) * 10 + digit(m2))
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", clock(self.start_minute), clock(self.end_minute))
    }
}

impl From<Shift> for String {
    fn from(shift: Shift) -> Self {
        shift.to_string()
    }
}

impl TryFrom<String> for Shift {
    type Error = InvalidShift;
    fn try_from(text: String) -> Result<Self, InvalidShift> {
        text.parse()
    }
}
