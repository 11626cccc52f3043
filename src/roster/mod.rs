//! From files to validated types: zones, holidays and closures of the roster.
//!
//! Pure but for the files it is asked to read: no clock, no network, no logging.

pub mod holidays;
pub mod ics;
mod nearest;
pub mod zones;
