//! Forgetting, a portion at a time.
//!
//! Content is emptied where it stands and its bytes are overwritten (`secure_delete`). Facts go from the front alone, so
//! that those that stay are a chain still, which starts behind the last one that went; a task goes with its last fact.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{FACT_COLUMNS, fact, fault, integer, unsigned};
use super::words;
use super::write::{Tip, execute, prepare};
use crate::engine::id::TeamId;
use crate::engine::outlook::hour_of;
use crate::engine::task::Task;
use crate::store::{Forgetting, Forgotten, StoreError};
use crate::wire::fact::{FactSeq, Link};
use crate::wire::words::holds_words;

const DURING: &str = "forgetting";

/// A task all of whose facts have been published: what is emptied before never leaves.
const IS_PUBLISHED: &str =
    "NOT EXISTS (SELECT 1 FROM facts WHERE task = tasks.id AND seq > (SELECT watermark FROM meta))";

/// Forgets one portion inside the caller's transaction.
pub(super) fn forget(connection: &Connection, what: &Forgetting, tip: &Tip) -> Result<Forgotten, StoreError> {
    let mut done = Forgotten::default();
    let portion = integer(what.portion as u64)?;
    let emptied = empty_purged(connection, what, portion, &mut done)?;
    let emptied_by_age = empty_old(connection, what, portion - emptied, &mut done)?;
    forget_front(connection, what, tip, &mut done)?;
    forget_updates(connection, what, portion, &mut done)?;
    super::demand::forget(connection, hour_of(what.now))?;
    let is_full = |count: u64| count >= what.portion as u64;
    done.is_more = emptied + emptied_by_age >= portion || is_full(done.facts) || is_full(done.updates);
    Ok(done)
}

/// Empties tasks of the first matter that is to be purged; the purge is done when none is left.
fn empty_purged(
    connection: &Connection,
    what: &Forgetting,
    portion: i64,
    done: &mut Forgotten,
) -> Result<i64, StoreError> {
    let mut first =
        prepare(connection, "SELECT seq, client, matter, at FROM purges WHERE done = 0 ORDER BY seq LIMIT 1")?;
    let read = |row: &Row<'_>| Ok((unsigned(row, 0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    let found: Option<(u64, String, String, i64)> = first.query_row([], read).optional().map_err(fault(DURING))?;
    let Some((seq, client, matter, at)) = found else { return Ok(0) };
    let of_matter = "client = ?1 AND matter = ?2 AND ended_at <= ?3 AND emptied_at IS NULL";
    let sql = format!("SELECT arrival FROM tasks WHERE {of_matter} AND {IS_PUBLISHED} ORDER BY arrival LIMIT ?4");
    let tasks = arrivals(connection, &sql, params![client, matter, at, portion])?;
    for arrival in &tasks {
        empty(connection, *arrival, what, done)?;
    }
    let left = prepare(connection, &format!("SELECT 1 FROM tasks WHERE {of_matter} LIMIT 1"))?
        .exists(params![client, matter, at])
        .map_err(fault(DURING))?;
    if !left {
        execute(&mut prepare(connection, "UPDATE purges SET done = 1 WHERE seq = ?1")?, [integer(seq)?], DURING)?;
        done.purged = Some(FactSeq(seq));
    }
    Ok(tasks.len() as i64)
}

/// Empties tasks that ended long ago.
fn empty_old(
    connection: &Connection,
    what: &Forgetting,
    portion: i64,
    done: &mut Forgotten,
) -> Result<i64, StoreError> {
    let sql = format!(
        "SELECT arrival FROM tasks WHERE ended_at < ?1 AND emptied_at IS NULL AND {IS_PUBLISHED} ORDER BY ended_at LIMIT ?2"
    );
    let tasks = arrivals(connection, &sql, params![what.content_before.timestamp_millis(), portion])?;
    for arrival in &tasks {
        empty(connection, *arrival, what, done)?;
    }
    Ok(tasks.len() as i64)
}

/// Empties a task's payload, its words, and those of its facts that hold some.
fn empty(connection: &Connection, arrival: i64, what: &Forgetting, done: &mut Forgotten) -> Result<(), StoreError> {
    let sql = "UPDATE payloads SET body = x'' WHERE arrival = ?1 AND length(body) > 0";
    done.payloads += execute(&mut prepare(connection, sql)?, [arrival], DURING)? as u64;
    done.words += words::empty(connection, arrival)?;
    let select = "SELECT row FROM tasks WHERE arrival = ?1";
    let mut task: Task =
        prepare(connection, select)?.query_row([arrival], super::columns::task_without_words).map_err(fault(DURING))?;
    if task.has_words() {
        // A row that a version before this one wrote.
        task.take_words();
        let row = words::json(&task, &task.id)?;
        execute(
            &mut prepare(connection, "UPDATE tasks SET row = ?2 WHERE arrival = ?1")?,
            params![arrival, row],
            DURING,
        )?;
        done.words += 1;
    }
    let mut select = prepare(connection, &format!("SELECT {FACT_COLUMNS} FROM facts WHERE task = ?1"))?;
    let facts = select.query_map([task.id.as_str()], fact).map_err(fault(DURING))?;
    let facts: Vec<_> = facts.collect::<Result<_, _>>().map_err(fault(DURING))?;
    let mut update = prepare(connection, "UPDATE facts SET body = x'', packet = NULL WHERE seq = ?1")?;
    for it in facts.iter().filter(|it| holds_words(it)) {
        done.words += execute(&mut update, [integer(it.seq.0)?], DURING)? as u64;
    }
    let sql = "UPDATE tasks SET emptied_at = ?2 WHERE arrival = ?1";
    execute(&mut prepare(connection, sql)?, params![arrival, what.now.timestamp_millis()], DURING)?;
    Ok(())
}

/// Deletes facts from the front of the chain, up to the first one that is needed, and the tasks whose last fact went.
fn forget_front(connection: &Connection, what: &Forgetting, tip: &Tip, done: &mut Forgotten) -> Result<(), StoreError> {
    let before = what.rows_before.timestamp_millis();
    let sql = "SELECT seq, link, task, at >= ?2 OR EXISTS
                 (SELECT 1 FROM tasks WHERE id = facts.task AND (ended_at IS NULL OR ended_at >= ?2))
               FROM facts ORDER BY seq LIMIT ?1";
    let mut select = prepare(connection, sql)?;
    let mut rows = select.query(params![integer(what.portion as u64)?, before]).map_err(fault(DURING))?;
    let mut bound = None;
    let mut last: Option<(FactSeq, Link)> = None;
    let mut tasks: Vec<String> = Vec::new();
    while let Some(row) = rows.next().map_err(fault(DURING))? {
        let read = |row: &Row<'_>| Ok((unsigned(row, 0)?, row.get(1)?, row.get::<_, Option<String>>(2)?, row.get(3)?));
        let (seq, link, task, is_needed) = read(row).map_err(fault(DURING))?;
        if is_needed {
            break;
        }
        // Worked out once there is something to forget.
        let bound = match bound {
            Some(bound) => bound,
            None => *bound.insert(last_forgettable(connection, what, tip)?),
        };
        if seq > bound {
            break;
        }
        last = Some((FactSeq(seq), link));
        done.facts += 1;
        tasks.extend(task);
    }
    drop(rows);
    let Some((seq, link)) = last else { return Ok(()) };
    execute(&mut prepare(connection, "DELETE FROM facts WHERE seq <= ?1")?, [integer(seq.0)?], DURING)?;
    let sql = "UPDATE meta SET anchor_seq = ?1, anchor_link = ?2";
    execute(&mut prepare(connection, sql)?, params![integer(seq.0)?, link], DURING)?;
    tasks.sort_unstable();
    tasks.dedup();
    for task in tasks {
        forget_task_without_facts(connection, &task, done)?;
    }
    Ok(())
}

/// The last fact that somebody does not wait for.
fn last_forgettable(connection: &Connection, what: &Forgetting, tip: &Tip) -> Result<u64, StoreError> {
    let mut bound = tip.watermark.0.min(tip.last_seq.0.saturating_sub(1));
    let undelivered = prepare(connection, "SELECT min(seq) FROM undelivered")?
        .query_row([], |row| row.get::<_, Option<i64>>(0))
        .map_err(fault(DURING))?;
    let unread =
        what.read_over_http.iter().map(|team| first_unread(connection, team)).collect::<Result<Vec<_>, _>>()?;
    for seq in unread.into_iter().chain([undelivered]).flatten() {
        bound = bound.min(u64::try_from(seq - 1).unwrap_or(0));
    }
    Ok(bound)
}

fn first_unread(connection: &Connection, team: &TeamId) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT seq FROM facts WHERE team = ?1 AND addressed IS NOT NULL
               AND seq > ifnull((SELECT seq FROM cursors WHERE team = ?1), 0) ORDER BY seq LIMIT 1";
    prepare(connection, sql)?.query_row([team.as_str()], |row| row.get(0)).optional().map_err(fault(DURING))
}

fn forget_task_without_facts(connection: &Connection, task: &str, done: &mut Forgotten) -> Result<(), StoreError> {
    let sql = "SELECT arrival FROM tasks WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM facts WHERE task = ?1)";
    let found = prepare(connection, sql)?.query_row([task], |row| row.get::<_, i64>(0)).optional();
    let Some(arrival) = found.map_err(fault(DURING))? else { return Ok(()) };
    for sql in [
        "DELETE FROM payloads WHERE arrival = ?1",
        "DELETE FROM words WHERE arrival = ?1",
        "DELETE FROM sla_segments WHERE arrival = ?1",
        "DELETE FROM tasks WHERE arrival = ?1",
    ] {
        execute(&mut prepare(connection, sql)?, [arrival], DURING)?;
    }
    done.tasks += 1;
    Ok(())
}

fn forget_updates(
    connection: &Connection,
    what: &Forgetting,
    portion: i64,
    done: &mut Forgotten,
) -> Result<(), StoreError> {
    let sql = "DELETE FROM updates WHERE (sender, id) IN (SELECT sender, id FROM updates WHERE at < ?1 LIMIT ?2)";
    let values = params![what.rows_before.timestamp_millis(), portion];
    done.updates += execute(&mut prepare(connection, sql)?, values, DURING)? as u64;
    let sql = "DELETE FROM purges WHERE done = 1 AND at < ?1";
    execute(&mut prepare(connection, sql)?, [what.rows_before.timestamp_millis()], DURING)?;
    Ok(())
}

fn arrivals(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<i64>, StoreError> {
    let mut select = prepare(connection, sql)?;
    let rows = select.query_map(values, |row| row.get(0)).map_err(fault(DURING))?;
    rows.collect::<Result<_, _>>().map_err(fault(DURING))
}
