//! A copy of a store that is in use: whole, checked, never over another file, and known to be a copy.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use heliograph::store::sqlite::{BackupStep, SqliteStore, backup};
use heliograph::store::{Batch, Forgetting, StoreError, Writer};
use heliograph::wire::fact::FactSeq;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::conformance::{Sealed, noted, published};
use crate::samples::{at, completed, task, waiting};

fn filled(path: &Path, sealed: &mut Sealed) -> SqliteStore {
    let mut store = SqliteStore::open(path).expect("a store");
    let all = [noted(1, completed("london", 1), "one"), task(2, waiting()), task(3, waiting())];
    let facts = all.iter().map(|it| sealed.fact(it, 1, 1, None)).collect();
    store.commit(&published(&all, facts)).expect("a commit");
    store
}

#[test]
fn a_copy_of_a_store_that_is_written_meanwhile_is_one_committed_state() {
    let folder = TempDir::new().expect("a folder");
    let (path, target) = (folder.path().join("store.db"), folder.path().join("copy.db"));
    let mut sealed = Sealed::default();
    let mut store = filled(&path, &mut sealed);
    let is_copied = AtomicBool::new(false);
    let (done, commits) = thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut commits = 0;
            while commits < 3 || !is_copied.load(Ordering::Acquire) {
                let subject = task(2, waiting());
                let facts = (0..3).map(|it| sealed.fact(&subject, 2 + 3 * commits + it, 2, Some("a note"))).collect();
                store.commit(&Batch { facts, ..Batch::default() }).expect("a commit goes on");
                commits += 1;
            }
            commits
        });
        let mut steps = Vec::new();
        let done = backup(&path, &target, at(5), &mut |step| steps.push(step)).expect("a copy");
        is_copied.store(true, Ordering::Release);
        assert!(matches!(steps[0], BackupStep::Copying { .. }), "{steps:?}");
        assert_eq!(steps.last(), Some(&BackupStep::Checking { done: done.facts, of: done.facts }));
        (done, writing.join().expect("the writer"))
    });
    assert!((done.facts - 3).is_multiple_of(3) && done.facts <= 3 + 3 * commits, "{done:?} of {commits} commits");
    assert_eq!(fs::metadata(&target).expect("a file").permissions().mode() & 0o777, 0o600);
    let restored = SqliteStore::restore(&target).expect("it opens").recover().expect("a recovery");
    assert_eq!((restored.last_seq, restored.last_link), (done.head.seq, done.head.link));
}

#[test]
fn a_copy_beside_the_log_of_another_file_is_not_touched() {
    let folder = TempDir::new().expect("a folder");
    let (path, target) = (folder.path().join("store.db"), folder.path().join("a copy?#%41.db"));
    let store = filled(&path, &mut Sealed::default());
    backup(&path, &target, at(5), &mut |_| {}).expect("a copy");
    let beside = |path: &Path, suffix| folder.path().join(format!("{}{suffix}", path.file_name().unwrap().display()));
    let log = beside(&target, "-wal");
    assert!(fs::copy(beside(&path, "-wal"), &log).expect("the log of the store in use") > 0);
    let before = fs::read(&target).expect("the copy");
    for refused in [SqliteStore::restore(&target), SqliteStore::open(&target)] {
        let refused = refused.expect_err("a log of another file");
        assert!(matches!(&refused, StoreError::ForeignLog { log: named, .. } if named.ends_with("-wal")), "{refused}");
        assert!(fs::read(&target).expect("the copy") == before, "it is changed");
    }
    fs::remove_file(&log).expect("moved away");
    let _ = SqliteStore::restore(&target).expect("it opens");
    drop(store);
    let _ = SqliteStore::open(&path).expect("a store opens with its own log");
}

#[test]
fn a_copy_with_a_broken_chain_is_not_restored() {
    let folder = TempDir::new().expect("a folder");
    let (path, target) = (folder.path().join("store.db"), folder.path().join("copy.db"));
    drop(filled(&path, &mut Sealed::default()));
    backup(&path, &target, at(5), &mut |_| {}).expect("a copy");
    let tool = Connection::open(&target).expect("a tool");
    tool.execute("UPDATE facts SET at = at + 1 WHERE seq = 2", []).expect("tampering");
    tool.close().expect("closed");
    let refused = SqliteStore::restore(&target).expect_err("it was changed");
    assert!(matches!(&refused, StoreError::Inconsistent(what) if what.contains("fact 2")), "{refused}");
}

#[test]
fn a_copy_opens_as_what_it_is_and_once_only() {
    let folder = TempDir::new().expect("a folder");
    let (path, target) = (folder.path().join("store.db"), folder.path().join("copy.db"));
    let original = filled(&path, &mut Sealed::default()).recover().expect("a recovery");
    assert!(matches!(SqliteStore::restore(&path), Err(StoreError::IsNoCopy { .. })));
    let missing = folder.path().join("missing.db");
    assert!(matches!(SqliteStore::restore(&missing), Err(StoreError::IsNoCopy { .. })) && !missing.exists());
    backup(&path, &target, at(5), &mut |_| {}).expect("a copy");
    let refused = SqliteStore::open(&target).expect_err("it is a copy");
    assert!(matches!(refused, StoreError::IsCopy { at: made, .. } if made == at(5)), "{refused}");
    let found = SqliteStore::restore(&target).expect("it opens").recover().expect("a recovery");
    assert_ne!(found.incarnation, original.incarnation);
    assert_eq!((found.open, found.last_link, found.watermark), (original.open, original.last_link, original.watermark));
    assert!(matches!(SqliteStore::restore(&target), Err(StoreError::IsNoCopy { .. })));
    let again = SqliteStore::open(&target).expect("it is a store now").recover().expect("a recovery");
    assert_eq!(again.incarnation, found.incarnation);
    let unchanged = SqliteStore::open(&path).expect("the original").recover().expect("a recovery");
    assert_eq!(unchanged.incarnation, original.incarnation);
}

#[test]
fn nothing_is_overwritten_and_a_copy_that_fails_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let (path, target) = (folder.path().join("store.db"), folder.path().join("copy.db"));
    let names = || {
        let found = fs::read_dir(folder.path()).expect("a folder").map(|it| it.expect("a file").file_name());
        found.filter(|name| name.to_string_lossy().starts_with("copy")).collect::<Vec<_>>()
    };
    let refused = backup(&path, &target, at(5), &mut |_| {}).expect_err("no store");
    assert!(refused.to_string().contains("store.db: No such file") && names().is_empty(), "{refused}");
    drop(filled(&path, &mut Sealed::default()));
    fs::write(&target, "mine").expect("a file");
    let refused = backup(&path, &target, at(5), &mut |_| {}).expect_err("something stands there");
    assert!(matches!(refused, StoreError::Exists { .. }) && fs::read(&target).expect("a file") == b"mine", "{refused}");
    fs::remove_file(&target).expect("removed");
    for (tampering, said) in [
        ("UPDATE facts SET body = x'7b7d' WHERE seq = 2", "broken at fact 2: its body is not the one that was written"),
        ("UPDATE facts SET team = 'paris' WHERE seq = 1", "broken at fact 1: its link does not follow"),
    ] {
        Connection::open(&path).expect("a tool").execute(tampering, []).expect("tampering");
        let refused = backup(&path, &target, at(5), &mut |_| {}).expect_err("it was tampered with");
        assert!(refused.to_string().contains(said) && names().is_empty(), "{refused}");
    }
}

#[test]
fn what_was_forgotten_is_in_no_copy_and_the_chain_is_checked_from_its_anchor() {
    let folder = TempDir::new().expect("a folder");
    let (path, target) = (folder.path().join("store.db"), folder.path().join("copy.db"));
    let mut sealed = Sealed::default();
    let mut store = filled(&path, &mut sealed);
    let what =
        Forgetting { now: at(9), content_before: at(5), rows_before: at(5), read_over_http: Vec::new(), portion: 100 };
    assert_eq!(store.forget(&what).expect("it forgets").facts, 1, "the task of fact 2 is open");
    let done = backup(&path, &target, at(9), &mut |_| {}).expect("a copy");
    assert_eq!((done.facts, done.head.seq, done.head), (2, FactSeq(3), sealed.0.head()));
    let bytes = fs::read(&target).expect("the copy");
    assert!(!bytes.windows(8).any(|window| window == b"one, nex"), "its notes are gone");
    Connection::open(&path)
        .expect("a tool")
        .execute("UPDATE meta SET anchor_link = zeroblob(32)", [])
        .expect("tampering");
    fs::remove_file(&target).expect("removed");
    backup(&path, &target, at(9), &mut |_| {}).expect_err("the anchor is not the one that was written");
}
