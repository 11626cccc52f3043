//! The clock of a deadline that stands alone: it counts all time from its start, and nothing pauses it.

use chrono::{DateTime, Utc};

use super::clock::{Clock, OpenSegment};

impl Clock {
    /// The clock of a deadline, running from an instant on.
    #[must_use]
    pub fn running_to(deadline: DateTime<Utc>, from: DateTime<Utc>) -> Self {
        let open = OpenSegment { from, holder: None, standing: None };
        let mut clock =
            Self { started_at: Some(from), open: Some(open), due_at: Some(deadline), ..Self::of_deadline(deadline) };
        clock.project_alone();
        clock
    }

    /// Another deadline is a new promise, which warns and is breached for itself.
    pub fn amend_alone(&mut self, deadline: DateTime<Utc>, now: DateTime<Utc>) {
        (self.deadline, self.due_at, self.amended_at) = (Some(deadline), Some(deadline), Some(now));
        (self.warnings, self.breached_at) = (0, None);
        self.project_alone();
    }

    /// Works out when it warns next.
    pub fn project_alone(&mut self) {
        let started_at = self.started_at;
        let reach = |percent| started_at.and_then(|at| at.checked_add_signed(self.amount(percent)));
        self.warns_at = self.next_warning().and_then(reach);
    }

    /// It counts no more.
    pub fn stop_alone(&mut self, now: DateTime<Utc>) {
        let counted = self.started_at.map_or(0, |started_at| (now - started_at).num_milliseconds());
        (self.stopped_at, self.open, self.warns_at, self.counted_ms) = (Some(now), None, None, counted);
    }
}
