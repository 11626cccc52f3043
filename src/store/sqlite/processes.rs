//! Processes as rows.

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};

use super::columns::{bad, fault};
use super::write::{execute, prepare};
use crate::engine::process::Process;
use crate::store::rows::{integer, json, rows_of};
use crate::store::tip::Tip;
use crate::store::{ProcessQuery, ProcessRow, StoreError};

/// The columns of a process, in the order in which [`process`] reads them.
const COLUMNS: &str =
    "row, (SELECT body FROM words WHERE words.arrival = processes.arrival ORDER BY number DESC LIMIT 1)";

pub(super) fn write(connection: &Connection, rows: &[ProcessRow], tip: &mut Tip) -> Result<(), StoreError> {
    let mut update = prepare(
        connection,
        "UPDATE processes SET state = ?4, next_due_at = ?5, ended_at = ?6, row = ?7
         WHERE arrival = ?1 AND id = ?2 AND digest = ?3",
    )?;
    let mut insert = prepare(
        connection,
        "INSERT INTO processes (arrival, id, digest, state, next_due_at, ended_at, row, client, request, matter)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for ProcessRow { process, next_due_at } in rows {
        let mut bare = Process::clone(process);
        let words = bare.take_words();
        let json = json(&bare, &process.id)?;
        let (arrival, id) = (integer(process.arrival.0)?, process.id.as_str());
        let next_due_at = next_due_at.map(|at| at.timestamp_millis());
        let ended_at = process.state.ended_at().map(|at| at.timestamp_millis());
        let state = process.state.as_str();
        let values = params![arrival, id, process.digest.0, state, next_due_at, ended_at, json];
        if execute(&mut update, values, "writing a process")? == 0 {
            let (client, request, matter) =
                (process.client.as_str(), process.request.as_str(), process.matter.as_str());
            let values =
                params![arrival, id, process.digest.0, state, next_due_at, ended_at, json, client, request, matter];
            execute(&mut insert, values, "writing a process")?;
        }
        if let Some(words) = &words {
            super::words::write(connection, arrival, &process.id, words)?;
        }
        tip.arrived(process.arrival.0);
    }
    Ok(())
}

/// The open processes, in order of arrival.
pub(super) fn open(connection: &Connection) -> Result<Vec<Process>, StoreError> {
    let query = ProcessQuery { state: Some("open".into()), limit: usize::MAX, ..ProcessQuery::default() };
    list(connection, &query)
}

/// Those that match, in order of arrival.
pub(super) fn list(connection: &Connection, query: &ProcessQuery) -> Result<Vec<Process>, StoreError> {
    let (sql, values) = listing(query)?;
    let mut statement = connection.prepare_cached(&sql).map_err(fault("reading processes"))?;
    let found = statement.query_map(params_from_iter(values), process).map_err(fault("reading processes"))?;
    found.collect::<Result<_, _>>().map_err(fault("reading processes"))
}

fn listing(query: &ProcessQuery) -> Result<(String, Vec<Value>), StoreError> {
    // Arrival numbers are never negative.
    let mut values = vec![Value::from(query.after_arrival.map_or(Ok(-1), integer)?)];
    // A matter has fewer processes than a client, and a client fewer than a state: the first that is asked for has the index.
    let asked = [
        ("matter", query.matter.as_ref().map(|id| id.as_str())),
        ("client", query.client.as_ref().map(|id| id.as_str())),
        ("state", query.state.as_deref()),
    ];
    let (mut condition, mut index) = (String::from("arrival > ?1"), String::new());
    for (column, value) in asked {
        if let Some(value) = value {
            values.push(Value::from(value.to_owned()));
            condition += &format!(" AND {column} = ?{}", values.len());
            if index.is_empty() {
                index = format!("INDEXED BY processes_by_{column}");
            }
        }
    }
    values.push(Value::from(rows_of(query.limit)));
    let limit = values.len();
    Ok((format!("SELECT {COLUMNS} FROM processes {index} WHERE {condition} ORDER BY arrival LIMIT ?{limit}"), values))
}

/// The query for a process by its id.
pub(super) fn by_id() -> String {
    format!("SELECT {COLUMNS} FROM processes WHERE id = ?1")
}

/// A process from [`COLUMNS`].
pub(super) fn process(row: &Row<'_>) -> rusqlite::Result<Process> {
    let json = row.get_ref(0)?.as_str().map_err(|error| bad(0, error))?;
    let mut process: Process = serde_json::from_str(json).map_err(|error| bad(0, error))?;
    let words = row.get_ref(1)?.as_blob_or_null().map_err(|error| bad(1, error))?;
    if let Some(words) = words.filter(|words| !words.is_empty()) {
        process.put_words(serde_json::from_slice(words).map_err(|error| bad(1, error))?);
    }
    Ok(process)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::schema;
    use super::*;

    #[test]
    fn every_listing_reads_one_range_of_an_index_in_order() {
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection, Path::new("a.db"), schema::MIGRATIONS).expect("the tables");
        let (client, matter, state) = ("acme".parse().ok(), "M-1".parse().ok(), Some("open".to_owned()));
        for (client, matter, state, index) in [
            (None, None, None, "INTEGER PRIMARY KEY (rowid>?)"),
            (None, None, state.clone(), "INDEX processes_by_state (state=? AND rowid>?)"),
            (client.clone(), None, state.clone(), "INDEX processes_by_client (client=? AND rowid>?)"),
            (client, matter, state, "INDEX processes_by_matter (matter=? AND rowid>?)"),
        ] {
            let query = ProcessQuery { client, matter, state, after_arrival: Some(7), limit: 10 };
            let (sql, values) = listing(&query).expect("a statement");
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
            let plan: Vec<String> = explain
                .query_map(params_from_iter(values), |row| row.get(3))
                .and_then(Iterator::collect)
                .expect("the plan's lines");
            let words = "SEARCH words USING INDEX words_by_task (arrival=?)";
            assert_eq!(plan, [&format!("SEARCH processes USING {index}"), "CORRELATED SCALAR SUBQUERY 1", words]);
        }
    }
}
