//! Forgetting, a portion at a time.
//!
//! Content is emptied where it stands. Facts go from the front alone, so that those that stay are a chain still, which
//! starts behind the last one that went; a task goes with its last fact. What a row held before stays in the files of
//! the database until [`super::PostgresStore`] has them tidied, and in its log and copies for as long as those are kept.

use super::columns::{FACT_COLUMNS, fact, get, link, unsigned};
use super::lists;
use super::session::Session;
use crate::engine::outlook::hour_of;
use crate::store::rows::integer;
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
pub(super) fn forget(session: &mut Session, what: &Forgetting, tip: &Tip) -> Result<Forgotten, StoreError> {
    let mut done = Forgotten::default();
    let portion = integer(what.portion as u64)?;
    let emptied = empty_purged(session, what, portion, &mut done)?;
    let emptied_by_age = empty_old(session, what, portion - emptied, &mut done)?;
    forget_front(session, what, tip, &mut done)?;
    forget_updates(session, what, portion, &mut done)?;
    lists::forget_demand(session, hour_of(what.now))?;
    let is_full = |count: u64| count >= what.portion as u64;
    done.is_more = emptied + emptied_by_age >= portion || is_full(done.facts) || is_full(done.updates);
    Ok(done)
}

/// Empties tasks of the first matter that is to be purged; the purge is done when none is left.
fn empty_purged(
    session: &mut Session,
    what: &Forgetting,
    portion: i64,
    done: &mut Forgotten,
) -> Result<i64, StoreError> {
    let first = "SELECT seq, client, matter, at FROM purges WHERE NOT done ORDER BY seq LIMIT 1";
    let Some(row) = session.one(DURING, first, &[])? else { return Ok(0) };
    let (seq, client, matter, at): (i64, &str, &str, i64) =
        (get(&row, 0)?, get(&row, 1)?, get(&row, 2)?, get(&row, 3)?);
    let of_matter = "client = $1 AND matter = $2 AND ended_at <= $3 AND emptied_at IS NULL";
    let (mut emptied, mut is_left) = (0, false);
    for (table, payloads) in KINDS {
        let published = is_published(table);
        let sql =
            format!("SELECT arrival, id FROM {table} WHERE {of_matter} AND {published} ORDER BY arrival LIMIT $4");
        let found = session.query(DURING, &sql, &[&client, &matter, &at, &(portion - emptied)])?;
        for row in &found {
            empty(session, (table, payloads), (get(row, 0)?, get(row, 1)?), what, done)?;
            emptied += 1;
        }
        let left = format!("SELECT 1 FROM {table} WHERE {of_matter} LIMIT 1");
        is_left |= session.one(DURING, &left, &[&client, &matter, &at])?.is_some();
    }
    if !is_left {
        session.execute(DURING, "UPDATE purges SET done = TRUE WHERE seq = $1", &[&seq])?;
        done.purged = Some(FactSeq(unsigned(&row, 0)?));
    }
    Ok(emptied)
}

/// Empties tasks that ended long ago.
fn empty_old(session: &mut Session, what: &Forgetting, portion: i64, done: &mut Forgotten) -> Result<i64, StoreError> {
    let mut emptied = 0;
    for (table, payloads) in KINDS {
        let (published, before) = (is_published(table), what.content_before.timestamp_millis());
        let sql = format!(
            "SELECT arrival, id FROM {table} WHERE ended_at < $1 AND emptied_at IS NULL AND {published}
             ORDER BY ended_at LIMIT $2"
        );
        let found = session.query(DURING, &sql, &[&before, &(portion - emptied)])?;
        for row in &found {
            empty(session, (table, payloads), (get(row, 0)?, get(row, 1)?), what, done)?;
            emptied += 1;
        }
    }
    Ok(emptied)
}

/// Empties the payload of a task or a process, its words, and those of its facts that hold some. The payload of a process
/// goes with the process, which ends with its last step.
fn empty(
    session: &mut Session,
    (table, payloads): (&str, &str),
    (arrival, id): (i64, &str),
    what: &Forgetting,
    done: &mut Forgotten,
) -> Result<(), StoreError> {
    let sql = format!("UPDATE {payloads} SET body = '' WHERE arrival = $1 AND length(body) > 0");
    done.payloads += session.execute(DURING, &sql, &[&arrival])?;
    let sql = "UPDATE words SET body = '' WHERE arrival = $1 AND length(body) > 0";
    done.words += session.execute(DURING, sql, &[&arrival])?;
    let facts = session.query(DURING, &format!("SELECT {FACT_COLUMNS} FROM facts WHERE task = $1"), &[&id])?;
    let facts = facts.iter().map(fact).collect::<Result<Vec<_>, _>>()?;
    let with_words = facts.iter().filter(|it| holds_words(it)).map(|it| integer(it.seq.0));
    let with_words = with_words.collect::<Result<Vec<_>, _>>()?;
    let sql = "UPDATE facts SET body = '', packet = NULL WHERE seq = ANY($1::BIGINT[])";
    done.words += session.execute(DURING, sql, &[&with_words])?;
    let sql = format!("UPDATE {table} SET emptied_at = $2 WHERE arrival = $1");
    session.execute(DURING, &sql, &[&arrival, &what.now.timestamp_millis()]).map(drop)
}

/// Deletes facts from the front of the chain, up to the first one that is needed, and the tasks whose last fact went.
fn forget_front(session: &mut Session, what: &Forgetting, tip: &Tip, done: &mut Forgotten) -> Result<(), StoreError> {
    let before = what.rows_before.timestamp_millis();
    let sql = "SELECT seq, link, task, at >= $2 OR EXISTS
                 (SELECT 1 FROM tasks WHERE id = facts.task AND (ended_at IS NULL OR ended_at >= $2)) OR EXISTS
                 (SELECT 1 FROM processes WHERE id = facts.task AND (ended_at IS NULL OR ended_at >= $2))
               FROM facts ORDER BY seq LIMIT $1";
    let rows = session.query(DURING, sql, &[&integer(what.portion as u64)?, &before])?;
    let mut bound = None;
    let mut last: Option<(i64, Link)> = None;
    let mut tasks: Vec<&str> = Vec::new();
    for row in &rows {
        let seq = unsigned(row, 0)?;
        if get(row, 3)? {
            break;
        }
        // Worked out once there is something to forget.
        let bound = match bound {
            Some(bound) => bound,
            None => *bound.insert(last_forgettable(session, what, tip)?),
        };
        if seq > bound {
            break;
        }
        last = Some((get(row, 0)?, link(row, 1)?));
        done.facts += 1;
        tasks.extend(get::<Option<&str>>(row, 2)?);
    }
    let Some((seq, link)) = last else { return Ok(()) };
    session.execute(DURING, "DELETE FROM facts WHERE seq <= $1", &[&seq])?;
    session.execute(DURING, "UPDATE meta SET anchor_seq = $1, anchor_link = $2", &[&seq, &link.as_slice()])?;
    tasks.sort_unstable();
    tasks.dedup();
    for task in tasks {
        forget_without_facts(session, task, done)?;
    }
    Ok(())
}

/// The last fact that somebody does not wait for.
fn last_forgettable(session: &mut Session, what: &Forgetting, tip: &Tip) -> Result<u64, StoreError> {
    let teams: Vec<_> = what.read_over_http.iter().map(|team| team.as_str()).collect();
    let sql = "SELECT least((SELECT min(seq) FROM undelivered), (SELECT min(first.seq)
                 FROM unnest($1::TEXT[]) AS reader (team)
                 CROSS JOIN LATERAL (SELECT seq FROM facts WHERE facts.team = reader.team AND addressed IS NOT NULL
                   AND seq > coalesce((SELECT seq FROM cursors WHERE cursors.team = reader.team), 0)
                   ORDER BY seq LIMIT 1) AS first))";
    let waited_for: Option<i64> = session.one(DURING, sql, &[&teams])?.map_or(Ok(None), |row| get(&row, 0))?;
    let bound = tip.watermark.0.min(tip.last_seq.0.saturating_sub(1));
    Ok(waited_for.map_or(bound, |seq| bound.min(u64::try_from(seq - 1).unwrap_or(0))))
}

fn forget_without_facts(session: &mut Session, id: &str, done: &mut Forgotten) -> Result<(), StoreError> {
    for (table, payloads) in KINDS {
        let sql =
            format!("SELECT arrival FROM {table} WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM facts WHERE task = $1)");
        let Some(row) = session.one(DURING, &sql, &[&id])? else { continue };
        let arrival: i64 = get(&row, 0)?;
        for table in [payloads, "words", "sla_segments", table] {
            session.execute(DURING, &format!("DELETE FROM {table} WHERE arrival = $1"), &[&arrival])?;
        }
        done.tasks += 1;
    }
    Ok(())
}

fn forget_updates(
    session: &mut Session,
    what: &Forgetting,
    portion: i64,
    done: &mut Forgotten,
) -> Result<(), StoreError> {
    let before = what.rows_before.timestamp_millis();
    let sql = "DELETE FROM updates WHERE (sender, id) IN (SELECT sender, id FROM updates WHERE at < $1 LIMIT $2)";
    done.updates += session.execute(DURING, sql, &[&before, &portion])?;
    session.execute(DURING, "DELETE FROM purges WHERE done AND at < $1", &[&before]).map(drop)
}
