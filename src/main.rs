//! The `heliograph` program.

use std::process::ExitCode;

/// Half of what a request takes is many small pieces of memory that one thread makes and another one frees.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    heliograph::cli::run()
}
