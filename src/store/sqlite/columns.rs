//! Engine types to and from columns.

use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};

use crate::engine::id::{Id, IdKind};
use crate::engine::load::Held;
use crate::engine::roster::RosterDigest;
use crate::engine::task::Task;
use crate::store::rows::{put_words_back, work_message};
use crate::store::{RosterVersion, StoreError};
use crate::wire::fact::{Fact, FactSeq};

/// The columns of a fact, in the order in which [`fact`] reads them.
pub(super) const FACT_COLUMNS: &str =
    "seq, at, type, task, task_seq, client, team, addressed, with_payload, body, body_digest, link, decision, packet,
     matter, used, used_minutes";

/// The columns of a task, in the order in which [`task`] reads them.
pub(super) const TASK_COLUMNS: &str =
    "row, (SELECT body FROM words WHERE words.arrival = tasks.arrival ORDER BY number DESC LIMIT 1)";

/// What SQLite said, as a fault of the store. Its messages name tables and columns, never values.
pub(super) fn fault(during: &'static str) -> impl Fn(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::ConstraintViolation) => {
            StoreError::Inconsistent(format!("{during}: {error}"))
        }
        Some(_) => StoreError::Failed { during, message: error.to_string() },
        // No code of SQLite: a row whose values are outside their type.
        None => StoreError::Inconsistent(format!("{during}: {error}")),
    }
}

/// A number that is never negative.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// An instant from milliseconds since 1970.
pub(super) fn instant(column: usize, milliseconds: i64) -> rusqlite::Result<DateTime<Utc>> {
    let found = Utc.timestamp_millis_opt(milliseconds).single();
    found.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, milliseconds))
}

/// A fact from [`FACT_COLUMNS`].
pub(super) fn fact(row: &Row<'_>) -> rusqlite::Result<Fact> {
    let task = match (id(row, 3)?, row.get::<_, Option<i64>>(4)?) {
        (Some(task), Some(_)) => Some((task, unsigned(row, 4)?)),
        _ => None,
    };
    let addressed = match row.get_ref(7)?.as_str_or_null().map_err(|error| bad(7, error))? {
        None => None,
        Some(word) => Some(work_message(word).ok_or_else(|| bad(7, format!("no kind of message is called {word:?}")))?),
    };
    Ok(Fact {
        seq: FactSeq(unsigned(row, 0)?),
        at: instant(1, row.get(1)?)?,
        event_type: row.get(2)?,
        task,
        client: id(row, 5)?,
        team: id(row, 6)?,
        addressed,
        with_payload: row.get(8)?,
        body: row.get(9)?,
        body_digest: row.get(10)?,
        link: row.get(11)?,
        decision: row.get::<_, Option<Arc<[u8]>>>(12)?,
        packet: row.get::<_, Option<Arc<[u8]>>>(13)?,
        matter: id(row, 14)?,
        held: held(row, 15)?,
    })
}

/// `used, used_minutes`, from a column on.
pub(super) fn held(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Held>> {
    let (used, used_minutes) = (row.get(column)?, row.get(column + 1)?);
    Ok(Option::zip(used, used_minutes).map(|(used, used_minutes)| Held { used, used_minutes }))
}

/// A task from [`TASK_COLUMNS`].
pub(super) fn task(row: &Row<'_>) -> rusqlite::Result<Task> {
    let mut task = task_without_words(row)?;
    let words = row.get_ref(1)?.as_blob_or_null().map_err(|error| bad(1, error))?;
    put_words_back(&mut task, words).map_err(|error| bad(1, error))?;
    Ok(task)
}

/// A task from its row of JSON alone.
pub(super) fn task_without_words(row: &Row<'_>) -> rusqlite::Result<Task> {
    let json = row.get_ref(0)?.as_str().map_err(|error| bad(0, error))?;
    serde_json::from_str(json).map_err(|error| bad(0, error))
}

/// An identifier, checked again.
pub(super) fn id<K: IdKind>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Id<K>>> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|error| bad(column, error))?;
    text.map(|text| Id::new(text).map_err(|error| bad(column, error))).transpose()
}

/// An identifier that cannot be absent.
pub(super) fn id_of<K: IdKind>(row: &Row<'_>, column: usize) -> rusqlite::Result<Id<K>> {
    id(row, column)?.ok_or_else(|| bad(column, "no identifier"))
}

/// A roster with its instant and the fact that told of it: `digest, text, at, seq`.
pub(super) fn roster(row: &Row<'_>) -> rusqlite::Result<RosterVersion> {
    let at = instant(2, row.get(2)?)?;
    Ok(RosterVersion { digest: RosterDigest(row.get(0)?), text: row.get(1)?, at, seq: FactSeq(unsigned(row, 3)?) })
}

/// The single row of `meta`; a store without it is damaged.
pub(super) fn meta<T>(
    connection: &Connection,
    columns: &str,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<T, StoreError> {
    connection
        .query_row(&format!("SELECT {columns} FROM meta"), [], read)
        .optional()
        .map_err(fault("reading meta"))?
        .ok_or_else(|| StoreError::Inconsistent("table meta is empty".into()))
}

/// A value that is outside its type.
pub(super) fn bad(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}
