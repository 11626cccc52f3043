//! Time in which a clock stands.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A half-open UTC range `[from, until)` in which a clock stands (rule 9); without `until` it stands until further notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// The first paused instant.
    pub from: DateTime<Utc>,
    /// The instant at which the clock runs again.
    pub until: Option<DateTime<Utc>>,
}

/// Pauses by start. Callers keep them in order as a rule, and then nothing is copied.
pub(super) fn in_order(pauses: &[Pause]) -> Cow<'_, [Pause]> {
    if pauses.is_sorted_by_key(|pause| pause.from) {
        return Cow::Borrowed(pauses);
    }
    let mut sorted = pauses.to_vec();
    sorted.sort_by_key(|pause| pause.from);
    Cow::Owned(sorted)
}
