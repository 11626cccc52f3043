//! What tells that a roster's files may have changed, without reading them.
//!
//! Links are followed, so that a folder whose files are links into another one that is swapped as a whole, as Kubernetes
//! does it, shows as changed. Two equal fingerprints some time apart mean that nobody was writing in between.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The files of a roster as the file system tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Vec<(String, Option<Stamp>)>);

/// One file: where it is, how long, when it was changed last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The fingerprint of the TOML file at `path`, or of every `*.toml` of the folder, and of the named feeds beside them. A
/// file that cannot be looked at counts as one that is gone.
#[must_use]
pub fn fingerprint(path: &Path, feeds: &[String]) -> Fingerprint {
    let mut files = vec![(String::new(), stamp(path))];
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    if path.is_dir() {
        let names = super::source::toml_names(path).unwrap_or_default();
        files[0].1 = None;
        files.extend(names.into_iter().map(|name| (name.clone(), stamp(&folder.join(&name)))));
    }
    files.extend(feeds.iter().map(|name| (name.clone(), stamp(&folder.join(name)))));
    Fingerprint(files)
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|metadata| Stamp::of(&metadata))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_that_is_swapped_behind_its_links_shows_as_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for version in ["one", "two"] {
            fs::create_dir(path(version)).expect("a folder");
            fs::write(path(version).join("roster.toml"), "").expect("a file");
        }
        fs::create_dir(path("roster")).expect("a folder");
        symlink("../one", path("roster/..data")).expect("a link");
        symlink("..data/roster.toml", path("roster/roster.toml")).expect("a link");
        let before = fingerprint(&path("roster"), &[]);
        assert_eq!(fingerprint(&path("roster"), &[]), before);
        symlink("../two", path("roster/..next")).expect("a link");
        fs::rename(path("roster/..next"), path("roster/..data")).expect("swapped");
        assert_ne!(fingerprint(&path("roster"), &[]), before);
    }

    #[test]
    fn a_file_that_is_gone_and_a_feed_that_came_show_as_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, feeds) = (folder.path().join("roster.toml"), ["office.ics".to_owned()]);
        fs::write(&file, "").expect("a file");
        let whole = fingerprint(&file, &feeds);
        fs::write(folder.path().join("office.ics"), "").expect("a file");
        let with_feed = fingerprint(&file, &feeds);
        assert_ne!(with_feed, whole);
        fs::remove_file(&file).expect("removed");
        assert_ne!(fingerprint(&file, &feeds), with_feed);
    }
}
