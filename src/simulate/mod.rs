//! A firm and its teams as programs: believable work requests, and teams that answer their offers.
//!
//! Pure: the same seed and the same instants give the same bytes. Nothing here reads a clock or sends anything.

mod chance;
pub mod crew;
pub mod firm;
mod kinds;

use chrono::{DateTime, Utc};

/// Something to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: DateTime<Utc>,
    /// A JSON object: a work request or an update.
    pub body: Vec<u8>,
}
