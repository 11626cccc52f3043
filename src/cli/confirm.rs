//! Asking before something is done that cannot be taken back as if nothing had been.

use std::io::{IsTerminal, Write};

use super::failure::Failure;
use super::output::Output;

/// Asks on the terminal unless that was answered before.
///
/// # Errors
/// Nobody can be asked, or the answer is no.
pub(super) fn ask(yes: bool, output: &mut Output) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::Usage("nothing is changed: give --yes, since nobody can be asked here".into()));
    }
    output.flush()?;
    write!(std::io::stderr(), "do it? [y/N] ")?;
    let mut answer = String::new();
    stdin.read_line(&mut answer).map_err(|error| Failure::Failed(format!("stdin cannot be read: {error}")))?;
    let is_yes = ["y", "yes"].contains(&answer.trim().to_lowercase().as_str());
    if is_yes { Ok(()) } else { Err(Failure::Failed("nothing is changed".into())) }
}
