//! Logs: for people on a terminal, JSON otherwise, and a count of messages by level.

use prometheus::IntCounterVec;
use tracing::Level;

use super::families::unregistered_counters;

/// How many messages were logged, by level.
#[derive(Debug, Clone)]
pub struct LogCounts(IntCounterVec);

impl Default for LogCounts {
    fn default() -> Self {
        let counts = unregistered_counters("log_messages_total", "Messages that were logged.", "level");
        let _ = [Level::ERROR, Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE]
            .map(|level| counts.with_label_values(&[word(level)]));
        Self(counts)
    }
}

impl LogCounts {
    pub(super) fn family(&self) -> IntCounterVec {
        self.0.clone()
    }
}

fn word(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}
