//! Processes as they are read.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::columns::{bad, get, json};
use super::session::Session;
use crate::engine::process::Process;
use crate::store::rows::{integer, rows_of};
use crate::store::{ProcessQuery, StoreError};

/// The columns of a process, in the order in which [`process`] reads them.
pub(super) const COLUMNS: &str = "row, (SELECT body FROM words WHERE words.arrival = processes.arrival)";

/// A process from [`COLUMNS`].
pub(super) fn process(row: &Row) -> Result<Process, StoreError> {
    let mut process: Process = json(row, 0)?;
    let words: Option<&[u8]> = get(row, 1)?;
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        process.put_words(serde_json::from_slice(words).map_err(|error| bad(1, &error))?);
    }
    Ok(process)
}

/// Those that match, in order of arrival.
pub(super) fn list(session: &mut Session, query: &ProcessQuery) -> Result<Vec<Process>, StoreError> {
    // Arrival numbers are never negative.
    let (after, limit) = (query.after_arrival.map_or(Ok(-1), integer)?, rows_of(query.limit));
    let client = query.client.as_ref().map(|id| id.as_str());
    let matter = query.matter.as_ref().map(|id| id.as_str());
    let asked = [("client", client), ("matter", matter), ("state", query.state.as_deref())];
    let given: Vec<_> = asked.iter().filter_map(|(column, value)| value.map(|value| (column, value))).collect();
    let mut values: Vec<&(dyn ToSql + Sync)> = vec![&after, &limit];
    let mut condition = String::from("arrival > $1");
    for (column, value) in &given {
        values.push(value);
        condition += &format!(" AND {column} = ${}", values.len());
    }
    let sql = format!("SELECT {COLUMNS} FROM processes WHERE {condition} ORDER BY arrival LIMIT $2");
    session.query("reading processes", &sql, &values)?.iter().map(process).collect()
}
