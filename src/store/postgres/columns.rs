//! Engine types to and from columns.

use std::sync::Arc;

use chrono::{DateTime, TimeZone, Utc};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::FromSql;

use crate::engine::id::{Id, IdKind};
use crate::engine::load::Held;
use crate::engine::roster::RosterDigest;
use crate::engine::task::Task;
use crate::store::rows::{put_words_back, work_message};
use crate::store::{RosterVersion, StoreError};
use crate::wire::fact::{Fact, FactSeq, Link};

/// The columns of a fact, in the order in which [`fact`] reads them.
pub(super) const FACT_COLUMNS: &str =
    "seq, at, type, task, task_seq, client, team, addressed, with_payload, body, body_digest, link, decision, packet,
     matter, used, used_minutes";

/// The columns of a task, in the order in which [`task`] reads them.
pub(super) const TASK_COLUMNS: &str = "row, (SELECT body FROM words WHERE words.arrival = tasks.arrival)";

/// What PostgreSQL said, as a fault of the store: its message where that names tables and columns alone, else its code.
pub(super) fn fault(during: &'static str) -> impl Fn(tokio_postgres::Error) -> StoreError {
    move |error| {
        let Some(said) = error.as_db_error() else {
            return StoreError::Failed { during, message: plain(&error) };
        };
        let (code, message) = (said.code().code(), said.message());
        match &code[..2] {
            // Who may come in, and the name of the database.
            "28" | "3D" => StoreError::Refused { message: format!("{message} ({code})") },
            // Constraints, what our own triggers raise, and damage.
            "23" | "P0" | "XX" => StoreError::Inconsistent(format!("{during}: {message} ({code})")),
            // A value that does not fit its type: the message would show it.
            "22" => StoreError::Inconsistent(format!("{during}: a value does not fit its column ({code})")),
            _ if *said.code() == SqlState::UNDEFINED_TABLE => {
                StoreError::Inconsistent(format!("{during}: {message} ({code})"))
            }
            _ => StoreError::Failed { during, message: format!("{message} ({code})") },
        }
    }
}

/// An error of the connection with what is behind it; addresses and passwords are in none.
fn plain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// A value of a column.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| bad(column, &error))
}

/// A number that is never negative.
pub(super) fn unsigned(row: &Row, column: usize) -> Result<u64, StoreError> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|_| bad(column, &format!("{number} is below 0")))
}

/// An instant from milliseconds since 1970.
pub(super) fn instant(milliseconds: i64) -> Result<DateTime<Utc>, StoreError> {
    let found = Utc.timestamp_millis_opt(milliseconds).single();
    found.ok_or_else(|| StoreError::Inconsistent(format!("{milliseconds} ms since 1970 is no instant")))
}

/// A fact from [`FACT_COLUMNS`].
pub(super) fn fact(row: &Row) -> Result<Fact, StoreError> {
    let task = match (id(row, 3)?, get::<Option<i64>>(row, 4)?) {
        (Some(task), Some(_)) => Some((task, unsigned(row, 4)?)),
        _ => None,
    };
    let addressed = match get::<Option<&str>>(row, 7)? {
        None => None,
        Some(word) => {
            Some(work_message(word).ok_or_else(|| bad(7, &format!("no kind of message is called {word:?}")))?)
        }
    };
    Ok(Fact {
        seq: FactSeq(unsigned(row, 0)?),
        at: instant(get(row, 1)?)?,
        event_type: get::<&str>(row, 2)?.into(),
        task,
        client: id(row, 5)?,
        team: id(row, 6)?,
        addressed,
        with_payload: get(row, 8)?,
        body: get::<&[u8]>(row, 9)?.into(),
        body_digest: link(row, 10)?,
        link: link(row, 11)?,
        decision: get::<Option<&[u8]>>(row, 12)?.map(Arc::from),
        packet: get::<Option<&[u8]>>(row, 13)?.map(Arc::from),
        matter: id(row, 14)?,
        held: held(row, 15)?,
    })
}

/// A digest of 32 bytes.
pub(super) fn link(row: &Row, column: usize) -> Result<Link, StoreError> {
    let bytes: &[u8] = get(row, column)?;
    bytes.try_into().map_err(|_| bad(column, &format!("{} bytes, not 32", bytes.len())))
}

/// `used, used_minutes`, from a column on.
pub(super) fn held(row: &Row, column: usize) -> Result<Option<Held>, StoreError> {
    let narrow = |column| {
        let number: Option<i64> = get(row, column)?;
        number.map(|number| u32::try_from(number).map_err(|_| bad(column, &number))).transpose()
    };
    Ok(Option::zip(narrow(column)?, narrow(column + 1)?).map(|(used, used_minutes)| Held { used, used_minutes }))
}

/// A task from [`TASK_COLUMNS`].
pub(super) fn task(row: &Row) -> Result<Task, StoreError> {
    let mut task: Task = json(row, 0)?;
    put_words_back(&mut task, get(row, 1)?).map_err(|error| bad(1, &error))?;
    Ok(task)
}

/// A column of JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row, column: usize) -> Result<T, StoreError> {
    serde_json::from_str(get(row, column)?).map_err(|error| bad(column, &error))
}

/// An identifier, checked again.
pub(super) fn id<K: IdKind>(row: &Row, column: usize) -> Result<Option<Id<K>>, StoreError> {
    let text: Option<&str> = get(row, column)?;
    text.map(|text| Id::new(text).map_err(|error| bad(column, &error))).transpose()
}

/// An identifier that cannot be absent.
pub(super) fn id_of<K: IdKind>(row: &Row, column: usize) -> Result<Id<K>, StoreError> {
    id(row, column)?.ok_or_else(|| bad(column, &"no identifier"))
}

/// A roster with its instant and the fact that told of it: `digest, text, at, seq`.
pub(super) fn roster(row: &Row) -> Result<RosterVersion, StoreError> {
    Ok(RosterVersion {
        digest: RosterDigest(get::<&str>(row, 0)?.into()),
        text: get::<&str>(row, 1)?.into(),
        at: instant(get(row, 2)?)?,
        seq: FactSeq(unsigned(row, 3)?),
    })
}

/// A value that is outside its type.
pub(super) fn bad(column: usize, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Inconsistent(format!("column {column} of a row: {error}"))
}
