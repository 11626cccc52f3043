//! The scheduler itself, pure: no clock, no I/O, no randomness, no logging.
//!
//! One door: [`scheduler::Scheduler::step`]. The same events at the same times give the same effects, byte for byte.

pub mod calendar;
pub mod id;
pub mod request;
pub mod zone;
