//! SLA clocks as a ledger.
//!
//! What a clock counted is kept as segments: from when to when, who held the task, whether the clock ran or stood and for
//! which reason, and how much of its basis that was. A segment that is closed is never changed, so that every total is a
//! sum that anyone can redo; one is closed when the holder changes, when a pause begins, ends or reaches its cap, when the
//! hours that it counts by change, and when the clock stops. The segments of a clock follow each other without a gap.
//!
//! The deadline is one more clock, on all time, that nothing pauses. Due times are projected when a segment opens and kept
//! with the task, so that a warning and a breach come once, never early, whatever is restarted in between.

mod census;
mod clock;
mod deadline;
mod hours;
mod ledger;
mod notice;

pub use census::{SlaCensus, SlaPicture};
pub use clock::{Clock, DEADLINE, DEADLINE_WARNS_AT_PERCENT, OpenSegment, Segment, SegmentEnd, SlaState};
pub use hours::Hours;
pub use ledger::{Turn, Turned, is_to_turn, project_steps, touch, turn};
pub use notice::{ClockBrief, ClockEnd, Escalated, MovedDue, Outcome, SlaNotice, StoppedClock};
