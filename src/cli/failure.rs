//! How a command ends when it does not end well.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use super::output;

/// Exit code of a command that did not do its work, or whose answer is "no".
const FAILED: u8 = 1;
/// Exit code of a command that was written wrongly.
pub(super) const USAGE: u8 = 2;
/// Exit code of `plan` when it found changes.
const CHANGES: u8 = 3;
/// Exit code when the daemon cannot be reached (`EX_UNAVAILABLE` of sysexits).
const UNREACHABLE: u8 = 69;
/// Exit code when settings or roster are at fault (`EX_CONFIG` of sysexits).
const CONFIGURATION: u8 = 78;

/// Why a command ends with a code other than 0.
#[derive(Debug)]
pub(super) enum Failure {
    /// It could not be done.
    Failed(String),
    /// The answer, already on stdout, is "no".
    No,
    /// The answer, already on stdout, is that something would change.
    Changes,
    /// The command was written wrongly.
    Usage(String),
    /// The daemon cannot be reached, or cannot answer now.
    Unreachable(String),
    /// Settings or roster are at fault.
    Configuration(String),
    /// The same, and the faults are on stdout already.
    Faulty,
    /// Nobody reads stdout any more; nothing is left to do.
    Closed,
}

impl Failure {
    /// Says it on stderr and gives the exit code.
    pub(super) fn report(self) -> ExitCode {
        let (message, code) = match self {
            Self::Failed(message) => (message, FAILED),
            Self::No => (String::new(), FAILED),
            Self::Changes => (String::new(), CHANGES),
            Self::Usage(message) => (message, USAGE),
            Self::Unreachable(message) => (message, UNREACHABLE),
            Self::Configuration(message) => (message, CONFIGURATION),
            Self::Faulty => (String::new(), CONFIGURATION),
            Self::Closed => (String::new(), 0),
        };
        if !message.is_empty() {
            say("error", "31", &message);
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    /// An error of writing to stdout.
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        Self::Failed(format!("stdout cannot be written: {error}"))
    }
}

/// A warning on stderr.
pub(super) fn warn(message: &str) {
    say("warning", "33", message);
}

fn say(word: &str, colour: &str, message: &str) {
    let stderr = io::stderr();
    let word =
        if output::has_colour(stderr.is_terminal()) { format!("\x1b[{colour}m{word}\x1b[0m") } else { word.into() };
    // Where stderr is closed there is nobody left to tell.
    let _ = writeln!(stderr.lock(), "{word}: {}", message.trim_end());
}
