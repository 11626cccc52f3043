//! The limits on everything that is parsed.

use std::ops::RangeInclusive;

use jiff::tz::TimeZoneDatabase;

/// Most bytes of a request or an update: 1 MiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Deepest nesting of objects and lists, the payload included.
pub const MAX_DEPTH: usize = 64;
/// Most entries of an object or a list outside the payload, but for the steps of a process.
pub const MAX_ENTRIES: usize = 64;
/// Most characters of a value that a refusal quotes.
pub const MAX_SHOWN_CHARS: usize = 80;
/// Most characters of a reason.
pub const MAX_LINE_CHARS: usize = 256;
/// Most characters of the reference of a consent.
pub const MAX_REFERENCE_CHARS: usize = 128;
/// Most characters of a note.
pub const MAX_NOTE_CHARS: usize = 4000;
/// Most minutes of an effort: a year.
pub const MAX_MINUTES: u32 = 525_600;
/// Years that an instant may have; a year is left at the end so that adding spans stays inside four digits.
pub const YEARS: RangeInclusive<i32> = 1970..=9998;

/// What a body is checked against.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Most bytes of a body.
    pub max_body_bytes: usize,
    /// Zone rules for instants that name a zone.
    pub zones: TimeZoneDatabase,
}

impl Default for Rules {
    /// [`MAX_BODY_BYTES`], and the zone rules that are built into the program.
    fn default() -> Self {
        Self { max_body_bytes: MAX_BODY_BYTES, zones: TimeZoneDatabase::bundled() }
    }
}
