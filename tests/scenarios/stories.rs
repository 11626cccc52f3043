//! Where stories stand, and how one is played.

mod acts;
mod clock;
mod requests;
mod rosters;
mod stage;
mod story;
mod telling;

use std::fs;
use std::path::{Path, PathBuf};

pub use stage::play;

/// Every story, in the order of their names.
pub fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios");
    let entries = fs::read_dir(&folder).expect("the folder of the stories");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut stories: Vec<_> = paths.filter(|path| path.extension().is_some_and(|it| it == "story")).collect();
    stories.sort();
    assert!(!stories.is_empty(), "no stories in {}", folder.display());
    stories
}
