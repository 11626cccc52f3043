//! The `heliograph` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    heliograph::cli::run()
}
