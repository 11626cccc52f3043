//! What a start reads, and what a standby keeps ready.
//!
//! A standby follows the tasks and processes by the batch that wrote them last, so that what is left to read when it takes
//! over is what the last moments changed. The rest of a recovery is small and read at once.

use std::collections::BTreeMap;

use tokio_postgres::Row;

use super::columns::{TASK_COLUMNS, get, id, id_of, instant, json, link, roster, task, unsigned};
use super::session::Session;
use super::write::read_tip;
use super::{lists, processes};
use crate::engine::id::{ClientId, MatterId, TeamId};
use crate::engine::process::Process;
use crate::engine::task::{Arrival, Task};
use crate::engine::walls::Walled;
use crate::store::tip::Tip;
use crate::store::{RECENT_ENDED, Recovered, StoreError};
use crate::wire::fact::FactSeq;

/// Up to this size a start looks whether any fact is missing; in a larger table the first and the last one are checked.
const COUNTED_UP_TO_BYTES: i64 = 256 << 20;

/// The open tasks and processes as of a batch.
#[derive(Debug, Default)]
pub(super) struct Warm {
    /// The last batch that is in it; `None` before the first look.
    batch: Option<i64>,
    open: BTreeMap<Arrival, Task>,
    processes: BTreeMap<Arrival, Process>,
}

impl Warm {
    /// How many tasks it holds.
    pub fn open_tasks(&self) -> usize {
        self.open.len()
    }

    /// Reads what was written since the last look.
    pub fn catch_up(&mut self, session: &mut Session) -> Result<(), StoreError> {
        session.snapshot(|session| self.catch_up_in(session))
    }

    fn catch_up_in(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let during = "following the tasks";
        let now = session.one(during, "SELECT batches FROM meta", &[])?;
        let now: i64 = now.map_or_else(|| Err(empty_meta()), |row| get(&row, 0))?;
        if self.batch == Some(now) {
            return Ok(());
        }
        // Nothing that has ended is of use to a first look.
        let since = self.batch.unwrap_or(-1);
        let which = if self.batch.is_none() { "ended_at IS NULL" } else { "written_in > $1" };
        let sql = format!("SELECT {TASK_COLUMNS} FROM tasks WHERE {which} AND $1::BIGINT IS NOT NULL");
        for row in session.query(during, &sql, &[&since])? {
            let task = task(&row)?;
            match task.state.ended_at() {
                None => drop(self.open.insert(task.arrival, task)),
                Some(_) => drop(self.open.remove(&task.arrival)),
            }
        }
        let sql = format!("SELECT {} FROM processes WHERE {which} AND $1::BIGINT IS NOT NULL", processes::COLUMNS);
        for row in session.query(during, &sql, &[&since])? {
            let process = processes::process(&row)?;
            match process.state.ended_at() {
                None => drop(self.processes.insert(process.arrival, process)),
                Some(_) => drop(self.processes.remove(&process.arrival)),
            }
        }
        self.batch = Some(now);
        Ok(())
    }
}

/// Everything that a start needs, from one committed state, and where the store ends.
pub(super) fn recover(session: &mut Session, mut warm: Warm) -> Result<Recovered, StoreError> {
    session.snapshot(|session| {
        warm.catch_up_in(session)?;
        let (tip, _) = read_tip(session)?;
        check_ends(session, &tip)?;
        let at = tip.last_at;
        Ok(Recovered {
            incarnation: first(session, "SELECT incarnation FROM meta", |row| Ok(get::<&str>(row, 0)?.into()))?
                .ok_or_else(empty_meta)?,
            last_seq: tip.last_seq,
            last_link: tip.last_link,
            watermark: tip.watermark,
            undelivered: all(session, "SELECT seq, team FROM undelivered ORDER BY seq", |row| {
                Ok((FactSeq(unsigned(row, 0)?), id_of(row, 1)?))
            })?,
            last_at: at.map(instant).transpose()?,
            next_arrival: tip.next_arrival,
            open: warm.open.into_values().collect(),
            processes: warm.processes.into_values().collect(),
            recent_ended: recent_ended(session)?,
            conflicts: conflicts(session)?,
            kept: all(session, "SELECT row FROM kept_updates ORDER BY number", |row| json(row, 0))?,
            walls: walls(session)?,
            roster: first(
                session,
                "SELECT digest, text, at, seq FROM roster_history JOIN rosters USING (digest) ORDER BY number DESC LIMIT 1",
                roster,
            )?,
            overrides: lists::overrides_at_start(session, at)?,
            marks: all(session, "SELECT mark, value FROM marks", |row| Ok((json(row, 0)?, unsigned(row, 1)?)))?
                .into_iter()
                .collect(),
            check_index: lists::check_index(session)?,
        })
    })
}

/// The first and the last fact stand twice, so that facts cut off at the front or the end show.
fn check_ends(session: &mut Session, tip: &Tip) -> Result<(), StoreError> {
    let wrong = |what: String| Err(StoreError::Inconsistent(what));
    let last = first(session, "SELECT seq, link FROM facts ORDER BY seq DESC LIMIT 1", |row| {
        Ok((FactSeq(unsigned(row, 0)?), link(row, 1)?))
    })?;
    let last = last.unwrap_or_default();
    if last.0 != tip.last_seq {
        return wrong(format!("the last fact is {}, not {}", last.0.0, tip.last_seq.0));
    }
    if last.1 != tip.last_link {
        return wrong(format!("the link of the last fact {} was changed", last.0.0));
    }
    let anchor = first(session, "SELECT anchor_seq FROM meta", |row| unsigned(row, 0))?.ok_or_else(empty_meta)?;
    let start = first(session, "SELECT seq FROM facts ORDER BY seq LIMIT 1", |row| unsigned(row, 0))?;
    if let Some(start) = start.filter(|start| *start != anchor + 1) {
        let missing = start.saturating_sub(anchor + 1);
        return wrong(format!(
            "the first fact is {start}, and those up to {anchor} were forgotten: {missing} are missing"
        ));
    }
    let size = first(session, "SELECT pg_relation_size('facts')", |row| get::<i64>(row, 0))?;
    if size.is_some_and(|size| size <= COUNTED_UP_TO_BYTES) {
        let count = first(session, "SELECT count(*) FROM facts", |row| unsigned(row, 0))?.unwrap_or_default();
        let whole = start.map_or(0, |start| last.0.0 - start + 1);
        if count != whole {
            return wrong(format!("{count} facts are there of {whole}: {} are missing", whole.saturating_sub(count)));
        }
    }
    Ok(())
}

fn recent_ended(session: &mut Session) -> Result<Vec<Task>, StoreError> {
    let newest_first = format!(
        "SELECT {TASK_COLUMNS} FROM tasks WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, arrival DESC LIMIT {RECENT_ENDED}"
    );
    let mut ended = all(session, &newest_first, task)?;
    ended.reverse();
    Ok(ended)
}

pub(super) fn walls(session: &mut Session) -> Result<Vec<Walled>, StoreError> {
    all(session, "SELECT team, client, matter FROM walls ORDER BY number", |row| {
        Ok((id_of(row, 0)?, id_of(row, 1)?, id(row, 2)?))
    })
}

pub(super) fn conflicts(session: &mut Session) -> Result<Vec<(TeamId, ClientId, MatterId)>, StoreError> {
    all(session, "SELECT team, client, matter FROM conflicts ORDER BY number", |row| {
        Ok((id_of(row, 0)?, id_of(row, 1)?, id_of(row, 2)?))
    })
}

fn all<T>(
    session: &mut Session,
    sql: &str,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    session.query("recovery", sql, &[])?.iter().map(read).collect()
}

fn first<T>(
    session: &mut Session,
    sql: &str,
    read: impl Fn(&Row) -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    session.one("recovery", sql, &[])?.as_ref().map(read).transpose()
}

fn empty_meta() -> StoreError {
    StoreError::Inconsistent("table meta is empty".into())
}
