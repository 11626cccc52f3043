//! The tables, and how a database of an earlier version gets there.
//!
//! To add a table, append a migration; a migration that was released is never edited.

use super::columns::{get, unsigned};
use super::session::Session;
use crate::store::StoreError;

/// Migration `n` (counted from 1) takes a database from version `n - 1` to `n`.
const MIGRATIONS: &[&str] = &[include_str!("version_1.sql")];

/// One at a time: two daemons may start at once on a new database.
const LOCK: i64 = 0x4845_4c49;

/// Brings the database up to the newest version that this program knows.
pub(super) fn migrate(session: &mut Session) -> Result<(), StoreError> {
    let during = "migration";
    session.run(during, "BEGIN")?;
    session.query(during, "SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let found = version(session)?;
    if found > known {
        return Err(StoreError::TooNew { path: "in PostgreSQL".into(), found, known });
    }
    for (version, sql) in (1_i64..).zip(MIGRATIONS).skip(found as usize) {
        session.run(during, sql)?;
        session.execute(during, "UPDATE meta SET schema_version = $1", &[&version])?;
    }
    session.run(during, "COMMIT")
}

/// The schema version of the database, 0 when it is empty.
fn version(session: &mut Session) -> Result<u32, StoreError> {
    let during = "reading the schema version";
    let sql = "SELECT to_regclass('meta') IS NOT NULL, count(*) FROM pg_class
               WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace";
    let row = session.query(during, sql, &[])?;
    let row = row.first().ok_or_else(|| StoreError::Inconsistent("no answer about the tables".into()))?;
    let (is_store, tables) = (get::<bool>(row, 0)?, unsigned(row, 1)?);
    if !is_store && tables > 0 {
        return Err(StoreError::Inconsistent(format!(
            "the database has {tables} tables and none of them is a store's; give Heliograph a database of its own"
        )));
    }
    if !is_store {
        return Ok(0);
    }
    let found = session.one(during, "SELECT schema_version FROM meta", &[])?;
    let found = found.ok_or_else(|| StoreError::Inconsistent("table meta is empty".into()))?;
    u32::try_from(unsigned(&found, 0)?).map_err(|_| StoreError::Inconsistent("the schema version is no number".into()))
}
