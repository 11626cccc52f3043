//! The scheduler itself, pure: no clock, no I/O, no randomness, no logging.
//!
//! One door: `Scheduler::step(now, event) -> effects`. The same events at the same times give the same effects, byte
//! for byte.

pub mod admission;
pub mod affinity;
pub mod board;
pub mod calendar;
pub mod chains;
pub mod class;
pub mod coverage;
pub mod difference;
pub mod effect;
pub mod event;
pub mod explain;
pub mod fairness;
pub mod filter;
pub mod forecast;
pub mod handoff;
pub mod hindsight;
pub mod id;
pub mod load;
pub mod outlook;
pub mod overrides;
pub mod planted;
pub mod process;
pub mod queue;
pub mod recent;
pub mod request;
pub mod roster;
pub mod routing;
pub mod scheduler;
pub mod score;
pub mod sla;
pub mod task;
pub mod terms;
pub mod timer;
pub mod update;
pub mod walls;
pub mod zone;
