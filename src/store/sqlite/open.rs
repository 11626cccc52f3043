//! Opening the file: the lock, who may read it, and the settings that durability rests on, each read back.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::Value;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::columns::{fault, instant, meta};
use crate::store::StoreError;

/// How long a start waits for a tool that reads the file at that moment, such as a backup.
const START_WAITS_FOR: Duration = Duration::from_secs(5);

/// How long a reader waits while the log is being cut back.
const READER_WAITS_FOR: Duration = Duration::from_secs(5);

/// A pragma, what it is set to, and what it must then read.
type Setting = (&'static str, &'static str, &'static str);

/// What the writer's connection needs. A commit must not wait, so `busy_timeout` ends at 0.
const WRITER_SETTINGS: &[Setting] = &[
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", "2"),
    ("fullfsync", "ON", "1"),
    ("checkpoint_fullfsync", "ON", "1"),
    ("foreign_keys", "ON", "1"),
    ("wal_autocheckpoint", "0", "0"),
    ("journal_size_limit", "67108864", "67108864"),
    ("cache_size", "-65536", "-65536"),
    ("cell_size_check", "ON", "1"),
    ("secure_delete", "ON", "1"),
    ("trusted_schema", "OFF", "0"),
    ("temp_store", "MEMORY", "2"),
];

/// What a reader's connection needs.
const READER_SETTINGS: &[Setting] =
    &[("query_only", "ON", "1"), ("cache_size", "-8192", "-8192"), ("trusted_schema", "OFF", "0")];

/// Creates the file if need be, checks who may read and write it, and takes the lock beside it.
pub(super) fn claim(path: &Path) -> Result<(PathBuf, File), StoreError> {
    check_directory(path)?;
    let private = |truncate| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(truncate).mode(0o600);
        options
    };
    let file = private(false).open(path).map_err(|error| io_fault("opening", path, &error))?;
    // One lock for one file, whatever links lead to it.
    let path = fs::canonicalize(path).map_err(|error| io_fault("resolving", path, &error))?;
    let mode = file.metadata().map_err(|error| io_fault("inspecting", &path, &error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(StoreError::Setting { name: "file mode", found: format!("{mode:04o}"), wanted: "0600" });
    }
    drop(file);
    let lock_path = beside(&path, ".lock");
    let lock = private(true).open(&lock_path).map_err(|error| io_fault("opening", &lock_path, &error))?;
    match lock.try_lock() {
        Ok(()) => Ok((path, lock)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { path: path.display().to_string() }),
        Err(TryLockError::Error(error)) => Err(io_fault("locking", &lock_path, &error)),
    }
}

/// A copy stands alone: a log beside it is that of another file.
pub(super) fn check_log_beside(path: &Path) -> Result<(), StoreError> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).map_or(0, |found| found.len()) == 0 {
        return Ok(());
    }
    if is_copy_without_log(path).unwrap_or(false) {
        return Err(StoreError::ForeignLog { path: path.display().to_string(), log: log.display().to_string() });
    }
    Ok(())
}

/// What the file says by itself: as a file that nobody writes, it is read without its log. A store whose first tables are
/// still in its log says nothing.
fn is_copy_without_log(path: &Path) -> rusqlite::Result<bool> {
    let escaped = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    let copied_at = connection.query_row("SELECT copied_at FROM meta", [], |row| row.get::<_, Option<i64>>(0))?;
    Ok(copied_at.is_some())
}

/// A directory that everybody may write lets anybody put another file in the store's place.
fn check_directory(path: &Path) -> Result<(), StoreError> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let found = fs::metadata(directory).map_err(|error| io_fault("inspecting the directory", directory, &error))?;
    let mode = found.permissions().mode() & 0o7777;
    if mode & 0o002 != 0 && mode & 0o1000 == 0 {
        return Err(StoreError::Setting {
            name: "directory mode",
            found: format!("{mode:04o}"),
            wanted: "not writable by others, such as 0750",
        });
    }
    Ok(())
}

/// The writer's connection, its settings read back.
pub(super) fn writer(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault("open"))?;
    connection.busy_timeout(START_WAITS_FOR).map_err(fault("open"))?;
    plan_once(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    apply(&connection, WRITER_SETTINGS).map_err(|error| about(error, path))?;
    Ok(connection)
}

/// A reader's connection: it cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault("open a reader"))?;
    connection.busy_timeout(READER_WAITS_FOR).map_err(fault("open a reader"))?;
    plan_once(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    apply(&connection, READER_SETTINGS)?;
    Ok(connection)
}

/// A connection to copy from: it cannot write the store.
pub(super) fn source(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(fault("opening the store"))?;
    connection.busy_timeout(READER_WAITS_FOR).map_err(fault("opening the store"))?;
    apply(&connection, &[("trusted_schema", "OFF", "0"), ("temp_store", "MEMORY", "2")])?;
    Ok(connection)
}

/// A statement keeps its plan: else one whose plan may depend on a value is compiled anew for each value.
fn plan_once(connection: &Connection) -> Result<(), StoreError> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop).map_err(fault("open"))
}

/// From now on a busy file is an error at once: nobody else may write it.
pub(super) fn stop_waiting(connection: &Connection) -> Result<(), StoreError> {
    apply(connection, &[("busy_timeout", "0", "0")])
}

/// Sets each pragma and reads it back; a pragma that does not take is silent otherwise.
fn apply(connection: &Connection, settings: &[Setting]) -> Result<(), StoreError> {
    for &(name, value, wanted) in settings {
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(no_answer).map_err(fault(name))?;
        let read = connection.pragma_query_value(None, name, |row| row.get::<_, Value>(0)).map_err(fault(name))?;
        let found = match read {
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => text,
            other => format!("{other:?}"),
        };
        if found != wanted {
            return Err(StoreError::Setting { name, found, wanted });
        }
    }
    Ok(())
}

/// Most pragmas answer nothing when they are set.
fn no_answer(error: rusqlite::Error) -> rusqlite::Result<()> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
}

/// As what a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    /// The store itself.
    Itself,
    /// A copy that takes its place.
    Copy,
}

/// Checks that a file is what it is opened as; a copy begins a new life.
pub(super) fn settle_life(connection: &Connection, path: &Path, opening: Opening) -> Result<(), StoreError> {
    let copied_at = meta(connection, "copied_at", |row| row.get::<_, Option<i64>>(0))?;
    match (copied_at, opening) {
        (None, Opening::Itself) => Ok(()),
        (None, Opening::Copy) => Err(StoreError::IsNoCopy { path: path.display().to_string() }),
        (Some(at), Opening::Itself) => {
            let at = instant(0, at).map_err(fault("reading meta"))?;
            Err(StoreError::IsCopy { path: path.display().to_string(), at })
        }
        (Some(_), Opening::Copy) => {
            let sql = "UPDATE meta SET incarnation = lower(hex(randomblob(8))), copied_at = NULL";
            connection.execute(sql, []).map(drop).map_err(fault("beginning a new life"))
        }
    }
}

/// Moves the whole log into the file and syncs both.
pub(super) fn checkpoint_whole_log(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    if run_checkpoint(connection, "TRUNCATE")? {
        return Ok(());
    }
    Err(StoreError::InUse { path: path.display().to_string() })
}

/// Runs a checkpoint; `false` when a reader kept it from its end.
pub(super) fn run_checkpoint(connection: &Connection, mode: &str) -> Result<bool, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})")).map_err(fault("checkpoint"))?;
    let busy: i64 = statement.query_row([], |row| row.get(0)).map_err(fault("checkpoint"))?;
    Ok(busy == 0)
}

/// The file of this name with something appended, in the same directory.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// [`StoreError::InUse`] when another process writes the file in spite of the lock.
pub(super) fn in_use_or(error: rusqlite::Error, path: &Path, during: &'static str) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::InUse { path: path.display().to_string() }
        }
        _ => fault(during)(error),
    }
}

/// Says which file a fault is about.
fn about(error: StoreError, path: &Path) -> StoreError {
    match error {
        StoreError::Inconsistent(what) => StoreError::Inconsistent(format!("{}: {what}", path.display())),
        other => other,
    }
}

pub(super) fn io_fault(during: &'static str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Failed { during, message: format!("{}: {error}", path.display()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_does_not_take_is_refused() {
        let connection = Connection::open_in_memory().expect("memory is there");
        let error = apply(&connection, WRITER_SETTINGS).expect_err("memory has no write-ahead log");
        assert!(
            matches!(&error, StoreError::Setting { name: "journal_mode", found, wanted: "wal" } if found == "memory"),
            "{error}"
        );
    }

    #[test]
    fn every_setting_of_the_writer_is_one_that_would_show_if_it_were_lost() {
        let directory = tempfile::tempdir().expect("a directory");
        let connection = Connection::open(directory.path().join("plain.db")).expect("a file");
        // SQLite's own defaults differ from most of what is asked for; those below agree with it today.
        let agrees: Vec<_> = WRITER_SETTINGS
            .iter()
            .filter(|(name, _, wanted)| {
                let value: Value = connection.pragma_query_value(None, name, |row| row.get(0)).expect("a value");
                matches!(value, Value::Integer(number) if number.to_string() == *wanted)
            })
            .map(|(name, _, _)| *name)
            .collect();
        assert_eq!(agrees, ["synchronous", "foreign_keys"]);
    }
}
