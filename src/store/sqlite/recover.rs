//! What a start reads, and what it checks first.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{TASK_COLUMNS, bad, fault, id, id_of, instant, meta, roster, task, unsigned};
use super::overrides;
use super::write::read_tip;
use crate::engine::id::{ClientId, MatterId, TeamId};
use crate::engine::task::Task;
use crate::engine::walls::Walled;
use crate::store::tip::Tip;
use crate::store::{RECENT_ENDED, Recovered, RosterVersion, StoreError};
use crate::wire::fact::{FactSeq, Link};

/// Up to this size a start reads the whole file for damage, in about a second. A larger file is checked where it is
/// read: every page that a query meets, and the last fact against its copy.
pub const CHECKED_WHOLE_UP_TO_BYTES: u64 = 256 << 20;

/// Reads one committed state.
pub(super) fn recover(connection: &mut Connection, path: &Path) -> Result<Recovered, StoreError> {
    let size = fs::metadata(path)
        .map_err(|error| StoreError::Failed { during: "reading the size of the store", message: error.to_string() })?;
    let snapshot = connection.transaction().map_err(fault("begin of the recovery"))?;
    if size.len() <= CHECKED_WHOLE_UP_TO_BYTES {
        check_pages(&snapshot)?;
        check_no_hole(&snapshot)?;
    }
    let tip = read_tip(&snapshot)?;
    check_last_fact(&snapshot, &tip)?;
    let recovered = Recovered {
        incarnation: meta(&snapshot, "incarnation", |row| row.get::<_, Arc<str>>(0))?,
        last_seq: tip.last_seq,
        last_link: tip.last_link,
        watermark: tip.watermark,
        undelivered: all(&snapshot, "SELECT seq, team FROM undelivered ORDER BY seq", |row| {
            Ok((FactSeq(unsigned(row, 0)?), id_of(row, 1)?))
        })?,
        last_at: tip.last_at.map(|at| instant(0, at)).transpose().map_err(fault("reading meta"))?,
        next_arrival: tip.next_arrival,
        open: open_tasks(&snapshot)?,
        processes: super::processes::open(&snapshot)?,
        recent_ended: recent_ended(&snapshot)?,
        conflicts: conflicts(&snapshot)?,
        kept: all(&snapshot, "SELECT row FROM kept_updates ORDER BY rowid", |row| {
            serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|error| bad(0, error))
        })?,
        walls: walls(&snapshot)?,
        roster: last_roster(&snapshot)?,
        overrides: overrides::recover(&snapshot, tip.last_at)?,
        marks: super::marks::recover(&snapshot)?,
        check_index: overrides::check_index(&snapshot)?,
    };
    snapshot.finish().map_err(fault("end of the recovery"))?;
    Ok(recovered)
}

fn check_pages(connection: &Connection) -> Result<(), StoreError> {
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fault("checking the file"))?;
    if verdict == "ok" { Ok(()) } else { Err(StoreError::Inconsistent(format!("the file is damaged: {verdict}"))) }
}

fn check_no_hole(connection: &Connection) -> Result<(), StoreError> {
    let (count, first, last): (i64, Option<i64>, Option<i64>) = connection
        .query_row("SELECT count(*), min(seq), max(seq) FROM facts", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .map_err(fault("counting the facts"))?;
    match (first, last) {
        (Some(first), Some(last)) if last - first + 1 != count => Err(StoreError::Inconsistent(format!(
            "facts {first} to {last} are {count} rows: {} are missing",
            last - first + 1 - count
        ))),
        _ => Ok(()),
    }
}

/// The last fact stands twice, so that facts cut off at the end show.
fn check_last_fact(connection: &Connection, tip: &Tip) -> Result<(), StoreError> {
    let last = connection
        .query_row("SELECT seq, link FROM facts ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((FactSeq(unsigned(row, 0)?), row.get::<_, Link>(1)?))
        })
        .optional()
        .map_err(fault("reading the last fact"))?
        .unwrap_or_default();
    if last.0 != tip.last_seq {
        return Err(StoreError::Inconsistent(format!("the last fact is {}, not {}", last.0.0, tip.last_seq.0)));
    }
    check_first_fact(connection)?;
    if last.1 != tip.last_link {
        return Err(StoreError::Inconsistent(format!("the link of the last fact {} was changed", last.0.0)));
    }
    Ok(())
}

/// The first fact follows the last one that was forgotten, so that facts taken out at the front show.
fn check_first_fact(connection: &Connection) -> Result<(), StoreError> {
    let anchor = meta(connection, "anchor_seq", |row| unsigned(row, 0))?;
    let first = connection
        .query_row("SELECT seq FROM facts ORDER BY seq LIMIT 1", [], |row| unsigned(row, 0))
        .optional()
        .map_err(fault("reading the first fact"))?;
    match first {
        Some(first) if first != anchor + 1 => Err(StoreError::Inconsistent(format!(
            "the first fact is {first}, and those up to {anchor} were forgotten: {} are missing",
            first.saturating_sub(anchor + 1)
        ))),
        _ => Ok(()),
    }
}

fn open_tasks(connection: &Connection) -> Result<Vec<Task>, StoreError> {
    let mut open: Vec<Task> = all(
        connection,
        &format!("SELECT {TASK_COLUMNS} FROM tasks WHERE state IN ('waiting', 'offered', 'active')"),
        task,
    )?;
    open.sort_unstable_by_key(|task| task.arrival);
    Ok(open)
}

fn recent_ended(connection: &Connection) -> Result<Vec<Task>, StoreError> {
    let newest_first = format!(
        "SELECT {TASK_COLUMNS} FROM tasks WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, arrival DESC LIMIT {RECENT_ENDED}"
    );
    let mut ended = all(connection, &newest_first, task)?;
    ended.reverse();
    Ok(ended)
}

pub(super) fn walls(connection: &Connection) -> Result<Vec<Walled>, StoreError> {
    all(connection, "SELECT team, client, matter FROM walls ORDER BY rowid", |row| {
        Ok((id_of(row, 0)?, id_of(row, 1)?, id(row, 2)?))
    })
}

pub(super) fn conflicts(connection: &Connection) -> Result<Vec<(TeamId, ClientId, MatterId)>, StoreError> {
    all(connection, "SELECT team, client, matter FROM conflicts ORDER BY rowid", |row| {
        Ok((id_of(row, 0)?, id_of(row, 1)?, id_of(row, 2)?))
    })
}

fn last_roster(connection: &Connection) -> Result<Option<RosterVersion>, StoreError> {
    connection
        .query_row(
            "SELECT digest, text, at, ifnull(seq, 0) FROM roster_history JOIN rosters USING (digest) ORDER BY number DESC LIMIT 1",
            [],
            roster,
        )
        .optional()
        .map_err(fault("reading the roster"))
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare(sql).map_err(fault("recovery"))?;
    let rows = statement.query_map(params![], read).map_err(fault("recovery"))?;
    rows.collect::<Result<_, _>>().map_err(fault("recovery"))
}
