//! Earlier holders and what they say to the next one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::id::TeamId;

/// How many bytes of notes a task keeps; past it those of the earliest holders are dropped, and say so.
pub const MAX_NOTES_BYTES: usize = 64 * 1024;

/// How many earlier holders travel with an offer, the last ones.
pub const MAX_PACKET_HOLDERS: usize = 32;

/// An earlier holder, for the packet that travels with a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Which team.
    pub team: TeamId,
    /// Under which number.
    pub assignment: u32,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Remaining effort in minutes at its end.
    pub remaining_minutes: u32,
    /// What it worked in its open time, pauses aside, in seconds.
    #[serde(default)]
    pub worked_seconds: u64,
    /// What that cost by the rate of its team then, in cents; never told to another team.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cost_cents: u64,
    /// What it said to the next holder.
    #[serde(flatten)]
    pub notes: Notes,
    /// When it said that it had completed the task, too late for that to count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_late_at: Option<DateTime<Utc>>,
    /// Whether it said more than there is room for; see [`MAX_NOTES_BYTES`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub notes_dropped: bool,
}

/// What a holder says to the next one; a part that is not said is absent, and `notes` then says so.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Notes {
    /// What the next holder must know.
    #[serde(default)]
    pub notes: Option<String>,
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// What comes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Notes {
    /// Takes over what is said anew; a part of which nothing is said stays as it was.
    pub fn renew(&mut self, newer: Self) {
        for (part, newer) in
            [(&mut self.notes, newer.notes), (&mut self.done, newer.done), (&mut self.next_step, newer.next_step)]
        {
            if newer.is_some() {
                *part = newer;
            }
        }
    }

    fn bytes(&self) -> usize {
        [&self.notes, &self.done, &self.next_step].into_iter().flatten().map(String::len).sum()
    }
}

/// Drops the notes that there is no room for, those of the earliest holders first.
pub(super) fn keep_to_limit(holders: &mut [Holder]) {
    let mut left = MAX_NOTES_BYTES;
    for holder in holders.iter_mut().rev() {
        let bytes = holder.notes.bytes();
        if bytes > left {
            (holder.notes, holder.notes_dropped) = (Notes::default(), true);
            left = 0;
        } else {
            left -= bytes;
        }
    }
}
