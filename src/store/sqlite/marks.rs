//! What the waiting order remembers, as rows.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::columns::{bad, fault, unsigned};
use super::write::{execute, prepare};
use crate::engine::fairness::Mark;
use crate::store::StoreError;
use crate::store::rows::integer;

pub(super) fn write(connection: &Connection, marks: &BTreeMap<Mark, u64>) -> Result<(), StoreError> {
    for (mark, value) in marks {
        let text =
            serde_json::to_string(mark).map_err(|error| StoreError::Inconsistent(format!("mark {mark:?}: {error}")))?;
        if *value == 0 {
            execute(&mut prepare(connection, "DELETE FROM marks WHERE mark = ?1")?, [text], "forgetting a mark")?;
        } else {
            let sql = "INSERT INTO marks (mark, value) VALUES (?1, ?2)
                       ON CONFLICT (mark) DO UPDATE SET value = excluded.value";
            execute(&mut prepare(connection, sql)?, params![text, integer(*value)?], "writing a mark")?;
        }
    }
    Ok(())
}

pub(super) fn recover(connection: &Connection) -> Result<BTreeMap<Mark, u64>, StoreError> {
    let mut statement = prepare(connection, "SELECT mark, value FROM marks")?;
    let rows = statement.query_map([], |row| {
        let mark = serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| bad(0, error))?;
        Ok((mark, unsigned(row, 1)?))
    });
    rows.map_err(fault("reading the marks"))?.collect::<Result<_, _>>().map_err(fault("reading the marks"))
}
