//! The embedded store: one SQLite file in WAL mode, one writer, readers beside it.
//!
//! What is promised:
//! - [`Writer::commit`] returns after the batch is on disk (`synchronous=FULL`); a batch is there as a whole or not at all.
//! - One process at a time: a lock beside the file, which dies with the process that holds it.
//! - After a failure nothing is written any more by this writer, not even the checkpoint that closing a file does.
//! - A start rests on a fresh write: the log is moved into the file and synced before anything is read, so that a page
//!   whose earlier sync failed is not taken for durable.

mod backup;
mod columns;
mod costs;
mod demand;
mod forget;
mod ledger;
mod marks;
mod open;
mod overrides;
mod processes;
mod read;
mod recover;
mod schema;
mod words;
mod write;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, TransactionBehavior};

pub use self::backup::{BackedUp, BackupStep, backup};
use self::columns::fault;
use self::open::Opening;
use super::tip::Tip;
use super::{Batch, Forgetting, Forgotten, Reader, Recovered, StoreError, Writer};

/// Bytes of write-ahead log above which a commit moves the log into the file itself, because no idle moment came.
/// Above it that one commit is slow, by about a second on a plain disk; the log is cut back to nothing.
pub const LOG_LIMIT_BYTES: u64 = 64 << 20;

/// While a reader holds an old state the log cannot be cut back; a commit tries again after it grew by this much.
const LOG_RETRY_BYTES: u64 = 16 << 20;

/// The one writer of a SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    log: PathBuf,
    /// Held for as long as the store is open.
    _lock: File,
    tip: Tip,
    checkpoint_above_bytes: u64,
    failed: bool,
}

impl SqliteStore {
    /// Opens a store, or creates it with mode 0600; brings its schema up to date.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it, [`StoreError::TooNew`] when a newer version wrote it,
    /// [`StoreError::Setting`] when a setting that durability or secrecy needs does not hold,
    /// [`StoreError::IsCopy`] when it is a copy, which [`SqliteStore::restore`] opens,
    /// [`StoreError::Inconsistent`] when the file is damaged or not a store.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        Self::open_as(path.as_ref(), Opening::Itself)
    }

    /// Opens a copy in the place of the store that it was made of: it begins a new life, whose name is part of every message
    /// id from now on, and is no copy any more.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], [`StoreError::IsNoCopy`] when it is none; nothing is created or changed then. Every page,
    /// reference and link of the chain is checked, and [`StoreError::Inconsistent`] says which does not hold.
    pub fn restore(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        if !path.exists() {
            return Err(StoreError::IsNoCopy { path: path.display().to_string() });
        }
        Self::open_as(path, Opening::Copy)
    }

    fn open_as(path: &Path, opening: Opening) -> Result<Self, StoreError> {
        let (path, lock) = open::claim(path)?;
        open::check_log_beside(&path)?;
        let mut connection = open::writer(&path)?;
        schema::migrate(&mut connection, &path, schema::MIGRATIONS)?;
        if let Opening::Copy = opening {
            backup::check(&connection, &mut |_| {})?;
        }
        open::settle_life(&connection, &path, opening)?;
        open::checkpoint_whole_log(&connection, &path)?;
        open::stop_waiting(&connection)?;
        let tip = write::read_tip(&connection)?;
        let log = open::beside(&path, "-wal");
        Ok(Self { connection, path, log, _lock: lock, tip, checkpoint_above_bytes: LOG_LIMIT_BYTES, failed: false })
    }

    /// Runs `work` unless an earlier call failed; after a failure this writer is not used again.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.failed {
            return Err(StoreError::Failed {
                during: "a call after a failure",
                message: "an earlier call failed; open the store again and recover".into(),
            });
        }
        work(self).inspect_err(|_| {
            self.failed = true;
            // Closing a file moves the log into it. After a failure that is left to the next start; should even this
            // setting fail, that start still reads the same log.
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        })
    }

    /// Moves the log into the file when no idle moment came in time.
    fn bound_log(&mut self) -> Result<(), StoreError> {
        let log_bytes = || match fs::metadata(&self.log) {
            Ok(found) => Ok(found.len()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(StoreError::Failed { during: "reading the size of the log", message: error.to_string() }),
        };
        if log_bytes()? <= self.checkpoint_above_bytes {
            return Ok(());
        }
        open::run_checkpoint(&self.connection, "TRUNCATE")?;
        self.checkpoint_above_bytes = LOG_LIMIT_BYTES.max(log_bytes()? + LOG_RETRY_BYTES);
        Ok(())
    }
}

/// Reads the store of a file, whether a daemon runs on it or not.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub fn reader(path: &Path) -> Result<Box<dyn Reader>, StoreError> {
    Ok(Box::new(read::SqliteReader::open(path)?))
}

impl Writer for SqliteStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.guarded(|store| recover::recover(&mut store.connection, &store.path))
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.guarded(|store| {
            let begun = store.connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begun.map_err(|error| open::in_use_or(error, &store.path, "begin"))?;
            failpoint!("write", StoreError::at_step("write"));
            // An error drops the transaction, which rolls it back.
            let tip = write::write(&transaction, batch, &store.tip)?;
            failpoint!("commit", StoreError::at_step("commit"));
            transaction.commit().map_err(fault("commit"))?;
            failpoint!("committed", StoreError::at_step("committed"));
            store.tip = tip;
            store.bound_log()
        })
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(read::SqliteReader::open(&self.path)?))
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        // The log's file is kept and written again from its beginning: it need not grow anew.
        self.guarded(|store| open::run_checkpoint(&store.connection, "PASSIVE").map(drop))
    }

    fn forget(&mut self, what: &Forgetting) -> Result<Forgotten, StoreError> {
        self.guarded(|store| {
            let begun = store.connection.transaction_with_behavior(TransactionBehavior::Immediate);
            let transaction = begun.map_err(|error| open::in_use_or(error, &store.path, "begin"))?;
            let before = transaction.total_changes();
            let forgotten = forget::forget(&transaction, what, &store.tip)?;
            if transaction.total_changes() > before {
                transaction.commit().map_err(fault("commit"))?;
                store.bound_log()?;
            }
            Ok(forgotten)
        })
    }

    fn cut_log(&mut self) -> Result<bool, StoreError> {
        self.guarded(|store| open::run_checkpoint(&store.connection, "TRUNCATE"))
    }
}
