//! Overrides as rows: written when they are set and when they end, never removed.

use rusqlite::{Connection, params};

use super::columns::{bad, fault};
use super::write::{execute, prepare};
use crate::engine::overrides::{KEPT_FOR, Override, Overrides};
use crate::store::StoreError;
use crate::store::rows::integer;
use crate::wire::fact::FactSeq;

pub(super) fn write(connection: &Connection, overrides: &[(Override, FactSeq)]) -> Result<(), StoreError> {
    for (it, seq) in overrides {
        let row = serde_json::to_string(it)
            .map_err(|error| StoreError::Inconsistent(format!("override {}: {error}", it.id)))?;
        let (id, seq) = (integer(it.id)?, integer(seq.0)?);
        match it.ended_at {
            None => {
                let sql = "INSERT INTO overrides (id, row, set_seq) VALUES (?1, ?2, ?3)";
                execute(&mut prepare(connection, sql)?, params![id, row, seq], "writing an override")?;
            }
            Some(ended_at) => {
                let sql = "UPDATE overrides SET row = ?2, ended_seq = ?3, ended_at = ?4 WHERE id = ?1";
                let values = params![id, row, seq, ended_at.timestamp_millis()];
                if execute(&mut prepare(connection, sql)?, values, "ending an override")? == 0 {
                    return Err(StoreError::Inconsistent(format!("override {} ends and was never set", it.id)));
                }
            }
        }
    }
    Ok(())
}

/// Those that a start goes on with: not ended, or ended not long before `at`.
pub(super) fn recover(connection: &Connection, at: Option<i64>) -> Result<Overrides, StoreError> {
    let since = at.map_or(i64::MIN, |at| at - KEPT_FOR.num_milliseconds());
    let found = read(connection, "SELECT row FROM overrides WHERE ended_at IS NULL OR ended_at >= ?1", since)?;
    let last_id: u64 = connection
        .query_row("SELECT ifnull(max(id), 0) FROM overrides", [], |row| super::columns::unsigned(row, 0))
        .map_err(fault("reading the overrides"))?;
    Ok(Overrides::of(found, last_id))
}

/// As they were before a fact: those that ended with it or later had not.
pub(super) fn before(connection: &Connection, fact: FactSeq) -> Result<Overrides, StoreError> {
    let seq = integer(fact.0)?;
    let ended = read(connection, "SELECT row FROM overrides WHERE ended_seq < ?1", seq)?;
    let sql = "SELECT row FROM overrides WHERE set_seq < ?1 AND (ended_seq IS NULL OR ended_seq >= ?1)";
    let stood = read(connection, sql, seq)?.into_iter().map(|it| Override { ended_at: None, ..it });
    Ok(Overrides::of(ended.into_iter().chain(stood), 0))
}

/// The last fact that told of a change of the roster or of overrides.
pub(super) fn check_index(connection: &Connection) -> Result<FactSeq, StoreError> {
    let sql = "SELECT max(ifnull((SELECT max(seq) FROM roster_history), 0),
               ifnull((SELECT max(max(set_seq, ifnull(ended_seq, 0))) FROM overrides), 0))";
    let last = connection.query_row(sql, [], |row| super::columns::unsigned(row, 0));
    last.map(FactSeq).map_err(fault("reading the check index"))
}

fn read(connection: &Connection, sql: &str, bound: i64) -> Result<Vec<Override>, StoreError> {
    let mut statement = prepare(connection, sql)?;
    let rows = statement
        .query_map([bound], |row| serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| bad(0, error)));
    rows.map_err(fault("reading the overrides"))?.collect::<Result<_, _>>().map_err(fault("reading the overrides"))
}
