//! Logs on stderr: for people on a terminal, JSON otherwise; and a count of messages by level.
//!
//! A message is constant and its values are fields; ids only. Whatever the filter says, libraries are heard only when they
//! warn: below that the AMQP library shows whole frames, with payloads and the password of its login. The target under
//! which it warns with returned messages and their payloads is always off.

use std::io::{IsTerminal, stderr};

use prometheus::IntCounterVec;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{EnvFilter, ParseError, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use super::families::unregistered_counters;

/// The target that would log payloads.
const RETURNED_MESSAGES: &str = "lapin::returned_messages";
/// The targets of this program, which keep to ids.
const OWN: &str = env!("CARGO_CRATE_NAME");

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, a line a message.
    Text,
    /// An object a line.
    Json,
}

impl Format {
    /// Text on a terminal, JSON otherwise.
    #[must_use]
    pub fn for_stderr() -> Self {
        if stderr().is_terminal() { Self::Text } else { Self::Json }
    }
}

/// Logs cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "log filter {filter:?} is not valid: {source}; write levels and targets, such as \"info,heliograph=debug\""
    )]
    Filter {
        /// The filter as given.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Something else in the process logs already.
    #[error("logs were started before; start them once")]
    StartedBefore,
}

/// Starts logs for the whole process, on stderr.
///
/// # Errors
/// [`LogError`] when the filter cannot be read, or when logs were started before.
pub fn init(filter: &str, format: Format) -> Result<LogCounts, LogError> {
    let counts = LogCounts::default();
    let started = subscriber(filter, format, stderr, &counts)?.try_init();
    started.map(|()| counts).map_err(|_| LogError::StartedBefore)
}

/// Writes and counts, except what the filter leaves out and what must never be logged.
fn subscriber<W>(
    filter: &str,
    format: Format,
    writer: W,
    counts: &LogCounts,
) -> Result<impl SubscriberInitExt, LogError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter).map_err(|source| LogError::Filter { filter: filter.into(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Text => Box::new(lines.with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())),
        Format::Json => Box::new(lines.json().flatten_event(true)),
    };
    let no_payloads = filter_fn(|about| may_be_logged(about.target(), *about.level()));
    Ok(tracing_subscriber::registry().with(lines).with(counts.clone()).with(no_payloads).with(parsed))
}

fn may_be_logged(target: &str, level: Level) -> bool {
    let is_own = target.strip_prefix(OWN).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    is_own || (level <= Level::WARN && !target.starts_with(RETURNED_MESSAGES))
}

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

impl<S: Subscriber> Layer<S> for LogCounts {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        self.0.with_label_values(&[word(*event.metadata().level())]).inc();
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

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    /// What was written.
    #[derive(Debug, Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The lines that `say` makes, and the counts.
    fn logged(filter: &str, format: Format, say: impl FnOnce()) -> (String, LogCounts) {
        let (written, counts) = (Written::default(), LogCounts::default());
        let writer = written.clone();
        let _in_force = subscriber(filter, format, move || writer.clone(), &counts).unwrap().set_default();
        say();
        let bytes = written.0.lock().unwrap().clone();
        (String::from_utf8(bytes).unwrap(), counts)
    }

    fn count(counts: &LogCounts, level: &str) -> u64 {
        counts.0.with_label_values(&[level]).get()
    }

    #[test]
    fn returned_messages_are_never_logged_whatever_the_filter_says() {
        for filter in ["trace", "lapin=trace", "info,lapin::returned_messages=trace"] {
            let (lines, counts) = logged(filter, Format::Json, || {
                tracing::warn!(target: "lapin::returned_messages", "canary");
                tracing::warn!(target: "lapin::channel", "closed");
            });
            assert!(!lines.contains("canary"), "{filter}: {lines}");
            assert!(lines.contains("closed"), "{filter}: {lines}");
            assert_eq!(count(&counts, "warn"), 1, "{filter}");
        }
    }

    #[test]
    fn libraries_are_heard_only_when_they_warn_whatever_the_filter_says() {
        for filter in ["trace", "lapin=trace,amq_protocol=trace", "info,lapin::channels=debug"] {
            let (lines, counts) = logged(filter, Format::Json, || {
                tracing::trace!(target: "lapin::channels", frame = "canary", "will handle frame");
                tracing::debug!(target: "amq_protocol_tcp", "canary");
                tracing::info!(target: "hyper_util::client", "canary");
                tracing::info!(target: "heliographer", "canary");
                tracing::error!(target: "lapin::channels", "closed");
            });
            assert!(lines.contains("closed") && !lines.contains("canary"), "{filter}: {lines}");
            assert_eq!(
                ["trace", "debug", "info", "error"].map(|level| count(&counts, level)),
                [0, 0, 0, 1],
                "{filter}"
            );
        }
    }

    #[test]
    fn this_program_is_heard_at_every_level() {
        let (lines, _) = logged("trace", Format::Text, || {
            tracing::trace!(target: "heliograph", "first");
            tracing::trace!(target: "heliograph::broker::consumer", "second");
        });
        assert_eq!(lines.lines().count(), 2, "{lines}");
    }

    #[test]
    fn json_is_an_object_a_line_with_values_as_fields() {
        let (lines, _) = logged("info", Format::Json, || tracing::info!(task = "acme/1\n{\"level\":", "task admitted"));
        assert_eq!(lines.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(line["message"], "task admitted");
        assert_eq!(line["task"], "acme/1\n{\"level\":");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn only_what_is_logged_is_counted() {
        let (lines, counts) = logged("warn", Format::Text, || {
            tracing::info!("quiet");
            tracing::error!("loud");
        });
        assert!(lines.contains("loud") && !lines.contains("quiet"), "{lines}");
        assert_eq!((count(&counts, "info"), count(&counts, "error")), (0, 1));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = init("info,heliograph=loud", Format::Json).unwrap_err().to_string();
        assert!(error.starts_with("log filter \"info,heliograph=loud\" is not valid"), "{error}");
    }
}
