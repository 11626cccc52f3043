//! Heliograph: a follow-the-sun task scheduler daemon for legal process outsourcing.
//!
//! Each layer imports only what is to its right; `tests/layers.rs` holds the arrows:
//!
//! ```text
//! main -> cli -> runtime -> { broker | http | store | telemetry | simulate } -> { wire | settings | roster } -> engine
//! ```

pub mod broker;
pub mod cli;
pub mod engine;
pub mod http;
pub mod roster;
pub mod runtime;
pub mod settings;
pub mod simulate;
pub mod store;
pub mod telemetry;
pub mod wire;
