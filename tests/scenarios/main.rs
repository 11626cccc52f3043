//! Stories: events in, effects out, in local times that a lawyer can read. Each file of `tests/fixtures/scenarios` is one
//! test, named after its file. `tests/fixtures/scenarios/README.md` says how one is written.

#[path = "stories.rs"]
mod stories;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let trials = stories::files().into_iter().map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Trial::test(name, move || stories::play(&path).map_err(Into::into))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}
