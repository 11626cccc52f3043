//! Stories: events in, effects out, in local times that a lawyer can read. Each file of `tests/fixtures/scenarios` is one
//! test, named after its file. `tests/fixtures/scenarios/README.md` says how one is written.

mod acts;
mod clock;
mod requests;
mod rosters;
mod stage;
mod story;
mod telling;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios");
    let trials = files(&folder).into_iter().map(|path| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        Trial::test(name, move || stage::play(&path).map_err(Into::into))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Every story, in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("the folder of the stories");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut stories: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "story")).collect();
    stories.sort();
    assert!(!stories.is_empty(), "no stories in {}", folder.display());
    stories
}
