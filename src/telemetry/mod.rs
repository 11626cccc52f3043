//! What the daemon tells about itself: metrics and logs.

mod families;
pub mod logs;
pub mod metrics;
mod words;

pub use metrics::Metrics;
