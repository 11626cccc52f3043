//! Forgetting, a portion at a time.
//!
//! Content is emptied where it stands and its bytes are overwritten (`secure_delete`). Facts go from the front alone, so
//! that those that stay are a chain still, which starts behind the last one that went; a task goes with its last fact.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{FACT_COLUMNS, fact, fault, unsigned};
use super::words;
use super::write::{execute, prepare};
use crate::engine::id::TeamId;
use crate::engine::outlook::hour_of;
use crate::engine::task::Task;
use crate::store::rows::{integer, json};
use crate::store::tip::Tip;
use crate::store::{Forgetting, Forgotten, StoreError};
use crate::wire::fact::{FactSeq, Link};
use crate::wire::words::holds_words;

const DURING: &str = "forgetting";

/// What has content of its own: the table, and that of its payloads.
const KINDS: [(&str, &str); 2] = [("tasks", "payloads"), ("processes", "process_payloads")];

/// Something all of whose facts have been published: what is emptied before never leaves.
fn is_published(table: &str) -> String {
    format!("NOT EXISTS (SELECT 1 FROM facts WHERE task = {table}.id AND seq > (SELECT watermark FROM meta))")
}

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
    let (mut emptied, mut is_left) = (0, false);
    for (table, payloads) in KINDS {
        let published = is_published(table);
        let sql = format!("SELECT arrival FROM {table} WHERE {of_matter} AND {published} ORDER BY arrival LIMIT ?4");
        for arrival in arrivals(connection, &sql, params![client, matter, at, portion - emptied])? {
            empty(connection, (table, payloads), arrival, what, done)?;
            emptied += 1;
        }
        is_left |= prepare(connection, &format!("SELECT 1 FROM {table} WHERE {of_matter} LIMIT 1"))?
            .exists(params![client, matter, at])
            .map_err(fault(DURING))?;
    }
    if !is_left {
        execute(&mut prepare(connection, "UPDATE purges SET done = 1 WHERE seq = ?1")?, [integer(seq)?], DURING)?;
        done.purged = Some(FactSeq(seq));
    }
    Ok(emptied)
}

/// Empties tasks that ended long ago.
fn empty_old(
    connection: &Connection,
    what: &Forgetting,
    portion: i64,
    done: &mut Forgotten,
) -> Result<i64, StoreError> {
    let mut emptied = 0;
    for (table, payloads) in KINDS {
        let (published, before) = (is_published(table), what.content_before.timestamp_millis());
        let sql = format!(
            "SELECT arrival FROM {table} WHERE ended_at < ?1 AND emptied_at IS NULL AND {published}
             ORDER BY ended_at LIMIT ?2"
        );
        for arrival in arrivals(connection, &sql, params![before, portion - emptied])? {
            empty(connection, (table, payloads), arrival, what, done)?;
            emptied += 1;
        }
    }
    Ok(emptied)
}

/// Empties the payload of a task or a process, its words, and those of its facts that hold some. The payload of a process
/// goes with the process, which ends with its last step.
fn empty(
    connection: &Connection,
    (table, payloads): (&str, &str),
    arrival: i64,
    what: &Forgetting,
    done: &mut Forgotten,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE {payloads} SET body = x'' WHERE arrival = ?1 AND length(body) > 0");
    done.payloads += execute(&mut prepare(connection, &sql)?, [arrival], DURING)? as u64;
    done.words += words::empty(connection, arrival)?;
    if table == "tasks" {
        empty_row(connection, arrival, done)?;
    }
    let select = format!("SELECT id FROM {table} WHERE arrival = ?1");
    let id: String = prepare(connection, &select)?.query_row([arrival], |row| row.get(0)).map_err(fault(DURING))?;
    let mut select = prepare(connection, &format!("SELECT {FACT_COLUMNS} FROM facts WHERE task = ?1"))?;
    let facts = select.query_map([&id], fact).map_err(fault(DURING))?;
    let facts: Vec<_> = facts.collect::<Result<_, _>>().map_err(fault(DURING))?;
    let mut update = prepare(connection, "UPDATE facts SET body = x'', packet = NULL WHERE seq = ?1")?;
    for it in facts.iter().filter(|it| holds_words(it)) {
        done.words += execute(&mut update, [integer(it.seq.0)?], DURING)? as u64;
    }
    let sql = format!("UPDATE {table} SET emptied_at = ?2 WHERE arrival = ?1");
    execute(&mut prepare(connection, &sql)?, params![arrival, what.now.timestamp_millis()], DURING)?;
    Ok(())
}

/// Empties a task's row that a version wrote which kept words there.
fn empty_row(connection: &Connection, arrival: i64, done: &mut Forgotten) -> Result<(), StoreError> {
    let mut task: Task = prepare(connection, "SELECT row FROM tasks WHERE arrival = ?1")?
        .query_row([arrival], super::columns::task_without_words)
        .map_err(fault(DURING))?;
    if task.has_words() {
        task.take_words();
        let row = json(&task, &task.id)?;
        execute(
            &mut prepare(connection, "UPDATE tasks SET row = ?2 WHERE arrival = ?1")?,
            params![arrival, row],
            DURING,
        )?;
        done.words += 1;
    }
    Ok(())
}

/// Deletes facts from the front of the chain, up to the first one that is needed, and the tasks whose last fact went.
fn forget_front(connection: &Connection, what: &Forgetting, tip: &Tip, done: &mut Forgotten) -> Result<(), StoreError> {
    let before = what.rows_before.timestamp_millis();
    let sql = "SELECT seq, link, task, at >= ?2 OR EXISTS
                 (SELECT 1 FROM tasks WHERE id = facts.task AND (ended_at IS NULL OR ended_at >= ?2)) OR EXISTS
                 (SELECT 1 FROM processes WHERE id = facts.task AND (ended_at IS NULL OR ended_at >= ?2))
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
        forget_without_facts(connection, &task, done)?;
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

fn forget_without_facts(connection: &Connection, id: &str, done: &mut Forgotten) -> Result<(), StoreError> {
    for (table, payloads) in KINDS {
        let sql =
            format!("SELECT arrival FROM {table} WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM facts WHERE task = ?1)");
        let found = prepare(connection, &sql)?.query_row([id], |row| row.get::<_, i64>(0)).optional();
        let Some(arrival) = found.map_err(fault(DURING))? else { continue };
        for table in [payloads, "words", "sla_segments", table] {
            let sql = format!("DELETE FROM {table} WHERE arrival = ?1");
            execute(&mut prepare(connection, &sql)?, [arrival], DURING)?;
        }
        done.tasks += 1;
    }
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
