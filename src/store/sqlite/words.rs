//! What people wrote about tasks, apart from their rows.
//!
//! A row of words is written once and emptied in place: see `version_10.sql`.

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::fault;
use super::write::{execute, prepare};
use crate::engine::id::TaskId;
use crate::engine::task::Words;
use crate::store::StoreError;
use crate::store::rows::words_text;

/// Writes the words of a task when they are others than before.
pub(super) fn write(connection: &Connection, arrival: i64, task: &TaskId, words: &Words) -> Result<(), StoreError> {
    let body = words_text(words, task)?;
    let sql = "SELECT body FROM words WHERE arrival = ?1 ORDER BY number DESC LIMIT 1";
    let stored: Option<Vec<u8>> =
        prepare(connection, sql)?.query_row([arrival], |row| row.get(0)).optional().map_err(fault("reading words"))?;
    if stored.unwrap_or_default() != body.as_bytes() {
        empty(connection, arrival)?;
        let sql = "INSERT INTO words (arrival, body) VALUES (?1, ?2)";
        execute(&mut prepare(connection, sql)?, params![arrival, body.as_bytes()], "writing words")?;
    }
    Ok(())
}

/// Empties the words of a task; says how many rows held some.
pub(super) fn empty(connection: &Connection, arrival: i64) -> Result<u64, StoreError> {
    let sql = "UPDATE words SET body = x'' WHERE arrival = ?1 AND length(body) > 0";
    Ok(execute(&mut prepare(connection, sql)?, [arrival], "emptying words")? as u64)
}
