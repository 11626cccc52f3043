//! The scheduler itself, pure: no clock, no I/O, no randomness, no logging.
//!
//! One door: `Scheduler::step(now, event) -> effects`. The same events at the same times give the same effects, byte
//! for byte.

pub mod calendar;
pub mod effect;
pub mod event;
pub mod explain;
pub mod id;
pub mod request;
pub mod roster;
pub mod task;
pub mod update;
pub mod zone;
