//! A copy of a store that is in use, or of one that is not.
//!
//! What is promised: the copy is one committed state; commits go on meanwhile; a file of the name is never overwritten, and
//! one that stands there is whole, checked and on disk. The copy knows that it is one. It is written anew from the rows
//! (`VACUUM INTO`), so that nothing that was forgotten is in it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, params};

use super::columns::{FACT_COLUMNS, fact, fault, meta, unsigned};
use super::{open, schema};
use crate::store::StoreError;
use crate::store::rows::integer;
use crate::wire::chain::{Head, Verifier};
use crate::wire::fact::FactSeq;

/// How often it is told how far the copy is.
const TOLD_EVERY: Duration = Duration::from_millis(250);

/// Facts that are checked at once.
const PAGE: u64 = 1_000;

/// How far a copy is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackupStep {
    /// So many bytes are written of about so many.
    Copying {
        /// Written.
        done: u64,
        /// Size of the store; the copy may end smaller.
        of: u64,
    },
    /// So many facts are checked of so many.
    Checking {
        /// Checked.
        done: u64,
        /// All of them.
        of: u64,
    },
}

/// A copy that is whole and checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Its size.
    pub bytes: u64,
    /// How many facts it has.
    pub facts: u64,
    /// The end of its chain.
    pub head: Head,
}

/// Copies a store to a path where nothing stands yet.
///
/// # Errors
/// [`StoreError::Exists`] when something stands there, [`StoreError::Inconsistent`] when the store or the copy does not hold
/// together, [`StoreError::Failed`] when a file cannot be read or written. Nothing is left behind then.
pub fn backup(
    store: &Path,
    target: &Path,
    now: DateTime<Utc>,
    tell: &mut (dyn FnMut(BackupStep) + Send),
) -> Result<BackedUp, StoreError> {
    if target.symlink_metadata().is_ok() {
        return Err(StoreError::Exists { path: target.display().to_string() });
    }
    let part = Part::create(target)?;
    copy(store, &part.0, tell)?;
    let copy =
        Connection::open_with_flags(&part.0, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(fault("opening the copy"))?;
    copy.execute("UPDATE meta SET copied_at = ?1", [now.timestamp_millis()]).map_err(fault("marking the copy"))?;
    let (facts, head) = check(&copy, tell)?;
    copy.close().map_err(|(_, error)| fault("closing the copy")(error))?;
    let bytes = part.finish(target)?;
    Ok(BackedUp { bytes, facts, head })
}

/// The copy while it is not whole; removed when it is dropped.
struct Part(PathBuf);

impl Part {
    fn create(target: &Path) -> Result<Self, StoreError> {
        let path = open::beside(target, ".part");
        let created = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        created.map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => StoreError::Exists { path: path.display().to_string() },
            _ => open::io_fault("creating the copy", &path, &error),
        })?;
        Ok(Self(path))
    }

    /// Syncs the copy and gives it its name, which nothing may have taken meanwhile.
    fn finish(&self, target: &Path) -> Result<u64, StoreError> {
        let fault = |error: std::io::Error| open::io_fault("finishing the copy", target, &error);
        let file = File::open(&self.0).map_err(fault)?;
        file.sync_all().map_err(fault)?;
        fs::hard_link(&self.0, target).map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => StoreError::Exists { path: target.display().to_string() },
            _ => fault(error),
        })?;
        let folder = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)?;
        Ok(file.metadata().map_err(fault)?.len())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // What cannot be removed is named by the next backup that meets it.
        let _ = fs::remove_file(&self.0);
    }
}

/// Writes one committed state of the store to the empty file.
fn copy(store: &Path, part: &Path, tell: &mut (dyn FnMut(BackupStep) + Send)) -> Result<(), StoreError> {
    let of = fs::metadata(store).map_err(|error| open::io_fault("reading the store", store, &error))?.len();
    let source = open::source(store)?;
    schema::check_current(&source, store)?;
    let name = part.to_str().ok_or_else(|| StoreError::Failed {
        during: "copying",
        message: format!("{}: give a path that is UTF-8", part.display()),
    })?;
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let teller = scope.spawn(|| {
            while !is_done.load(Ordering::Acquire) {
                tell(BackupStep::Copying { done: fs::metadata(part).map_or(0, |it| it.len()).min(of), of });
                thread::park_timeout(TOLD_EVERY);
            }
        });
        let copied = source.execute("VACUUM INTO ?1", [name]);
        is_done.store(true, Ordering::Release);
        teller.thread().unpark();
        copied.map(drop).map_err(fault("copying"))
    })
}

/// Reads the whole copy: its pages, what its rows refer to, and the chain of its facts up to the end that it states.
pub(super) fn check(copy: &Connection, tell: &mut (dyn FnMut(BackupStep) + Send)) -> Result<(u64, Head), StoreError> {
    let broken = |what: String| StoreError::Inconsistent(format!("the copy does not hold together: {what}"));
    let verdict: String =
        copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(fault("checking the copy"))?;
    if verdict != "ok" {
        return Err(broken(verdict));
    }
    let dangling = copy.prepare("PRAGMA foreign_key_check").and_then(|mut check| check.exists([]));
    if dangling.map_err(fault("checking the copy"))? {
        return Err(broken("a row refers to one that is not there".into()));
    }
    let (anchor, end) = meta(copy, "anchor_seq, anchor_link, last_seq, last_link", |row| {
        let head =
            |seq, link| Ok::<_, rusqlite::Error>(Head { seq: FactSeq(unsigned(row, seq)?), link: row.get(link)? });
        Ok((head(0, 1)?, head(2, 3)?))
    })?;
    let mut verifier = Verifier::new(anchor, Some(end));
    let sql = format!("SELECT {FACT_COLUMNS} FROM facts WHERE seq > ?1 ORDER BY seq LIMIT ?2");
    let mut page = copy.prepare(&sql).map_err(fault("reading the copy"))?;
    let (mut last, of) = (anchor.seq, end.seq.0 - anchor.seq.0);
    loop {
        let rows =
            page.query_map(params![integer(last.0)?, integer(PAGE)?], fact).map_err(fault("reading the copy"))?;
        let facts = rows.collect::<Result<Vec<_>, _>>().map_err(fault("reading the copy"))?;
        for fact in &facts {
            verifier.check(fact).map_err(|error| broken(error.to_string()))?;
            last = fact.seq;
        }
        tell(BackupStep::Checking { done: last.0 - anchor.seq.0, of });
        if facts.is_empty() {
            let head = verifier.finish().map_err(|error| broken(error.to_string()))?;
            return Ok((of, head));
        }
    }
}
