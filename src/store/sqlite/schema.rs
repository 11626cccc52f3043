//! The tables, and how a file of an earlier version gets there: each migration in a transaction of its own.
//!
//! Instants are milliseconds since 1970 in UTC. To add a table, append a migration; a migration that was released is
//! never edited.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::columns::fault;
use crate::store::StoreError;

/// Marks a file as a store of this program: `HELI`.
const APPLICATION_ID: i64 = 0x4845_4c49;

/// Migration `n` (counted from 1) takes a file from version `n - 1` to `n`.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("version_1.sql"),
    include_str!("version_2.sql"),
    include_str!("version_3.sql"),
    include_str!("version_4.sql"),
    include_str!("version_5.sql"),
    include_str!("version_6.sql"),
    include_str!("version_7.sql"),
    include_str!("version_8.sql"),
    include_str!("version_9.sql"),
    include_str!("version_10.sql"),
];

/// Brings a file up to the last of `migrations`.
pub(super) fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), StoreError> {
    let known = u32::try_from(migrations.len()).unwrap_or(u32::MAX);
    let found = version_of(connection, path)?;
    if found > known {
        return Err(StoreError::TooNew { path: path.display().to_string(), found, known });
    }
    for (version, sql) in (1_u32..).zip(migrations).filter(|(version, _)| *version > found) {
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(fault("begin of a migration"))?;
        transaction.execute_batch(sql).map_err(fault("migration"))?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fault("migration"))?;
        transaction.pragma_update(None, "user_version", version).map_err(fault("migration"))?;
        transaction.commit().map_err(fault("commit of a migration"))?;
    }
    Ok(())
}

/// Checks that a file is a store of this very version, without changing it.
pub(super) fn check_current(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found = version_of(connection, path)?;
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(StoreError::TooNew { path: path.display().to_string(), found, known }),
        std::cmp::Ordering::Less => Err(StoreError::TooOld { path: path.display().to_string(), found, known }),
    }
}

/// The schema version of a file, 0 when it is empty.
fn version_of(connection: &Connection, path: &Path) -> Result<u32, StoreError> {
    let pragma = |name: &'static str| -> Result<i64, StoreError> {
        connection.pragma_query_value(None, name, |row| row.get(0)).map_err(fault(name))
    };
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(fault("reading the schema"))?;
    let is_empty = tables == 0 && application == 0 && version == 0;
    if application != APPLICATION_ID && !is_empty {
        return Err(StoreError::Inconsistent(format!(
            "{} is a SQLite file of another program (application_id {application:#x}, not {APPLICATION_ID:#x})",
            path.display()
        )));
    }
    u32::try_from(version).map_err(|_| StoreError::Inconsistent(format!("user_version is {version}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_and_tables(connection: &Connection) -> (u32, Vec<String>) {
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").expect("a statement");
        let tables = statement.query_map([], |row| row.get(0)).expect("rows").map(|name| name.expect("a name"));
        (connection.pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version"), tables.collect())
    }

    #[test]
    fn a_migration_that_fails_half_way_leaves_the_version_before_it() {
        let mut connection = Connection::open_in_memory().expect("memory");
        let migrations = ["CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO missing VALUES (1);"];
        migrate(&mut connection, Path::new("a.db"), &migrations).expect_err("the second one fails");
        assert_eq!(version_and_tables(&connection), (1, vec!["a".into()]));
    }

    #[test]
    fn only_the_migrations_that_are_missing_run() {
        let mut connection = Connection::open_in_memory().expect("memory");
        migrate(&mut connection, Path::new("a.db"), &["CREATE TABLE a (x)"]).expect("version 1");
        migrate(&mut connection, Path::new("a.db"), &["CREATE TABLE a (x)", "CREATE TABLE b (x)"]).expect("version 2");
        assert_eq!(version_and_tables(&connection), (2, vec!["a".into(), "b".into()]));
    }
}
