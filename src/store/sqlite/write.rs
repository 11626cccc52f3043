//! One batch as rows.
//!
//! Facts must continue the sequence without a hole, and each task's own numbers too; arrivals are never given twice.
//! What contradicts that is refused and the whole batch with it.

use std::collections::BTreeMap;

use rusqlite::{CachedStatement, Connection, params};

use super::columns::{fault, meta, unsigned};
use super::{overrides, recover};
use crate::engine::id::TaskId;
use crate::engine::walls::Walled;
use crate::store::guard::Guard;
use crate::store::rows::{
    columns_of, integer, number_with_a_hole, other_task, payload_of_nothing, refusal_text, row_and_words, sender,
    whole_milliseconds,
};
use crate::store::tip::Tip;
use crate::store::{Batch, Conflict, Purge, RosterVersion, StoreError, TaskRow};
use crate::wire::fact::FactSeq;

/// Where the store ends.
pub(super) fn read_tip(connection: &Connection) -> Result<Tip, StoreError> {
    let guard = Guard::of(&recover::walls(connection)?, recover::conflicts(connection)?);
    meta(connection, "last_seq, last_link, watermark, next_arrival, last_at", |row| {
        Ok(Tip {
            last_seq: FactSeq(unsigned(row, 0)?),
            last_link: row.get(1)?,
            watermark: FactSeq(unsigned(row, 2)?),
            next_arrival: unsigned(row, 3)?,
            last_at: row.get(4)?,
            guard,
        })
    })
}

fn write_tip(connection: &Connection, tip: &Tip) -> Result<(), StoreError> {
    let sql = "UPDATE meta SET last_seq = ?1, last_link = ?2, watermark = ?3, next_arrival = ?4, last_at = ?5";
    let (last_seq, watermark) = (integer(tip.last_seq.0)?, integer(tip.watermark.0)?);
    let values = params![last_seq, tip.last_link, watermark, integer(tip.next_arrival)?, tip.last_at];
    execute(&mut prepare(connection, sql)?, values, "writing meta").map(drop)
}

/// Writes the batch inside the caller's transaction; says where the store ends then.
pub(super) fn write(connection: &Connection, batch: &Batch, tip: &Tip) -> Result<Tip, StoreError> {
    let mut tip = tip.clone();
    write_facts(connection, batch, &mut tip)?;
    super::processes::write(connection, &batch.processes, &mut tip)?;
    write_tasks(connection, &batch.tasks, &mut tip)?;
    super::ledger::write(connection, &batch.segments)?;
    write_payloads(connection, batch)?;
    write_answers(connection, batch)?;
    write_conflicts(connection, batch)?;
    write_kept(connection, batch)?;
    write_suspects(connection, batch)?;
    write_purges(connection, &batch.purges)?;
    super::demand::write(connection, batch)?;
    write_delivery(connection, batch)?;
    if let Some(roster) = &batch.roster {
        write_roster(connection, roster)?;
    }
    overrides::write(connection, &batch.overrides)?;
    super::marks::write(connection, &batch.marks)?;
    if let Some(walls) = &batch.walls {
        write_walls(connection, walls)?;
    }
    tip.mark(batch)?;
    write_tip(connection, &tip)?;
    Ok(tip)
}

fn write_facts(connection: &Connection, batch: &Batch, tip: &mut Tip) -> Result<(), StoreError> {
    let mut insert = prepare(
        connection,
        "INSERT INTO facts (seq, at, type, task, task_seq, client, team, addressed, with_payload, body, body_digest,
         link, decision, packet, matter, used, used_minutes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?;
    let mut last_of_task: BTreeMap<&TaskId, u64> = BTreeMap::new();
    for fact in &batch.facts {
        tip.follow(fact, batch)?;
        if let Some((task, number)) = &fact.task {
            check_task_seq(connection, task, *number, last_of_task.insert(task, *number))?;
        }
        let values = params![
            integer(fact.seq.0)?,
            whole_milliseconds(fact)?,
            fact.event_type,
            fact.task.as_ref().map(|(task, _)| task.as_str()),
            fact.task.as_ref().map(|(_, number)| integer(*number)).transpose()?,
            fact.client.as_ref().map(|client| client.as_str()),
            fact.team.as_ref().map(|team| team.as_str()),
            fact.addressed.map(|message| message.as_str()),
            fact.with_payload,
            fact.body,
            fact.body_digest,
            fact.link,
            fact.decision,
            fact.packet,
            fact.matter.as_ref().map(|matter| matter.as_str()),
            fact.held.map(|held| held.used),
            fact.held.map(|held| held.used_minutes),
        ];
        execute(&mut insert, values, "writing a fact")?;
    }
    Ok(())
}

/// The numbers of a task's facts rise by one from 1; that none stands twice is the index's to hold.
fn check_task_seq(
    connection: &Connection,
    task: &TaskId,
    number: u64,
    last_in_batch: Option<u64>,
) -> Result<(), StoreError> {
    let continues = match (number.checked_sub(1), last_in_batch) {
        (None, _) => false,
        (Some(before), Some(last)) => last == before,
        (Some(0), None) => true,
        (Some(before), None) => prepare(connection, "SELECT 1 FROM facts WHERE task = ?1 AND task_seq = ?2")?
            .exists(params![task.as_str(), integer(before)?])
            .map_err(fault("checking a task's facts"))?,
    };
    if continues {
        return Ok(());
    }
    Err(number_with_a_hole(task, number))
}

fn write_tasks(connection: &Connection, tasks: &[TaskRow], tip: &mut Tip) -> Result<(), StoreError> {
    let mut upsert = prepare(
        connection,
        "INSERT INTO tasks (arrival, id, client, request, digest, state, team, owner, assignment, next_due_at, ended_at,
         row, matter) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, team = excluded.team, owner = excluded.owner,
         assignment = excluded.assignment, next_due_at = excluded.next_due_at, ended_at = excluded.ended_at,
         row = excluded.row WHERE arrival = excluded.arrival AND digest = excluded.digest",
    )?;
    for TaskRow { task, next_due_at } in tasks {
        let (json, words) = row_and_words(task)?;
        let (owner, assignment, ended_at) = columns_of(&task.state);
        let values = params![
            integer(task.arrival.0)?,
            task.id.as_str(),
            task.client.as_str(),
            task.request.as_str(),
            task.digest.0,
            task.state.as_str(),
            task.state.team().map(|team| team.as_str()),
            owner,
            assignment,
            next_due_at.map(|at| at.timestamp_millis()),
            ended_at.map(|at| at.timestamp_millis()),
            json,
            task.matter.as_str(),
        ];
        if execute(&mut upsert, values, "writing a task")? == 0 {
            return Err(other_task(&task.id));
        }
        if let Some(words) = words {
            super::words::write(connection, integer(task.arrival.0)?, &task.id, &words)?;
        }
        tip.arrived(task.arrival.0);
    }
    Ok(())
}

/// A payload is written once, under its task's number: rows are appended, whatever the ids look like.
fn write_payloads(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut insert =
        prepare(connection, "INSERT INTO payloads (arrival, body) SELECT arrival, ?2 FROM tasks WHERE id = ?1")?;
    let mut of_process = prepare(
        connection,
        "INSERT INTO process_payloads (arrival, body) SELECT arrival, ?2 FROM processes WHERE id = ?1",
    )?;
    for (task, payload) in &batch.payloads {
        let values = params![task.as_str(), payload];
        if execute(&mut insert, values, "writing a payload")? == 0
            && execute(&mut of_process, values, "writing a payload")? == 0
        {
            return Err(payload_of_nothing(task));
        }
    }
    Ok(())
}

/// The first answer to an update stands: every repeat gets the same.
fn write_answers(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = prepare(
        connection,
        "INSERT INTO updates (sender, id, refused, digest, at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    )?;
    let at = batch.at.map(|at| at.timestamp_millis());
    for (from, id, result) in &batch.updates {
        let digest = result.digest.map(|digest| digest.0);
        let values = params![sender(from), id.as_str(), refusal_text(id, result.refused.as_ref())?, digest, at];
        execute(&mut insert, values, "writing an answer")?;
    }
    Ok(())
}

fn write_conflicts(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = prepare(
        connection,
        "INSERT INTO conflicts (team, client, matter, seq) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
    )?;
    for Conflict { team, client, matter, seq } in &batch.conflicts {
        let values = params![team.as_str(), client.as_str(), matter.as_str(), integer(seq.0)?];
        execute(&mut insert, values, "writing a conflict")?;
    }
    Ok(())
}

fn write_kept(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut insert = prepare(connection, "INSERT INTO kept_updates (sender, id, row) VALUES (?1, ?2, ?3)")?;
    for kept in &batch.kept {
        let row = serde_json::to_string(kept)
            .map_err(|error| StoreError::Inconsistent(format!("update {}: {error}", kept.update.id)))?;
        let values = params![sender(&kept.update.sender), kept.update.id.as_str(), row];
        execute(&mut insert, values, "keeping an update")?;
    }
    let mut delete = prepare(connection, "DELETE FROM kept_updates WHERE sender = ?1 AND id = ?2")?;
    let mut refuse = prepare(connection, "UPDATE updates SET refused = ?3 WHERE sender = ?1 AND id = ?2")?;
    for (from, id, refused) in &batch.kept_done {
        execute(&mut delete, params![sender(from), id.as_str()], "dropping a kept update")?;
        if refused.is_some() {
            let values = params![sender(from), id.as_str(), refusal_text(id, refused.as_ref())?];
            execute(&mut refuse, values, "refusing a kept update")?;
        }
    }
    Ok(())
}

fn write_suspects(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut upsert = prepare(
        connection,
        "INSERT INTO suspects (message, attempts) VALUES (?1, ?2)
         ON CONFLICT (message) DO UPDATE SET attempts = excluded.attempts",
    )?;
    for (message, attempts) in &batch.suspects {
        execute(&mut upsert, params![message, attempts], "writing a suspect")?;
    }
    let mut delete = prepare(connection, "DELETE FROM suspects WHERE message = ?1")?;
    for message in &batch.cleared_suspects {
        execute(&mut delete, params![message], "clearing a suspect")?;
    }
    Ok(())
}

fn write_purges(connection: &Connection, purges: &[Purge]) -> Result<(), StoreError> {
    let mut insert = prepare(connection, "INSERT INTO purges (seq, client, matter, at) VALUES (?1, ?2, ?3, ?4)")?;
    for Purge { seq, client, matter, at } in purges {
        let values = params![integer(seq.0)?, client.as_str(), matter.as_str(), at.timestamp_millis()];
        execute(&mut insert, values, "writing a purge")?;
    }
    Ok(())
}

fn write_delivery(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut upsert = prepare(
        connection,
        "INSERT INTO cursors (team, seq) VALUES (?1, ?2) ON CONFLICT (team) DO UPDATE SET seq = max(seq, excluded.seq)",
    )?;
    for (team, seq) in &batch.cursors {
        execute(&mut upsert, params![team.as_str(), integer(seq.0)?], "writing a cursor")?;
    }
    let mut insert = prepare(
        connection,
        "INSERT INTO undelivered (seq, team) VALUES (?1, ?2) ON CONFLICT (seq) DO UPDATE SET team = excluded.team",
    )?;
    for (seq, team) in &batch.undelivered {
        execute(&mut insert, params![integer(seq.0)?, team.as_str()], "writing an undelivered fact")?;
    }
    let mut delete = prepare(connection, "DELETE FROM undelivered WHERE seq = ?1")?;
    for seq in &batch.delivered {
        execute(&mut delete, params![integer(seq.0)?], "clearing an undelivered fact")?;
    }
    let mut suppress = prepare(connection, "UPDATE facts SET suppressed = 1 WHERE seq = ?1")?;
    for seq in &batch.suppressed {
        execute(&mut suppress, params![integer(seq.0)?], "marking a suppressed message")?;
    }
    Ok(())
}

/// A roster may come into force again; its bytes are kept once.
fn write_roster(connection: &Connection, roster: &RosterVersion) -> Result<(), StoreError> {
    let at = roster.at.timestamp_millis();
    let mut insert = prepare(
        connection,
        "INSERT INTO rosters (digest, text, first_at) VALUES (?1, ?2, ?3) ON CONFLICT (digest) DO NOTHING",
    )?;
    execute(&mut insert, params![roster.digest.0, roster.text, at], "writing a roster")?;
    let mut insert = prepare(connection, "INSERT INTO roster_history (digest, at, seq) VALUES (?1, ?2, ?3)")?;
    execute(&mut insert, params![roster.digest.0, at, integer(roster.seq.0)?], "writing a roster")?;
    Ok(())
}

fn write_walls(connection: &Connection, walls: &[Walled]) -> Result<(), StoreError> {
    execute(&mut prepare(connection, "DELETE FROM walls")?, [], "replacing the walls")?;
    let mut insert = prepare(connection, "INSERT INTO walls (team, client, matter) VALUES (?1, ?2, ?3)")?;
    for (team, client, matter) in walls {
        let matter = matter.as_ref().map(|matter| matter.as_str());
        execute(&mut insert, params![team.as_str(), client.as_str(), matter], "writing a wall")?;
    }
    Ok(())
}

pub(super) fn prepare<'c>(connection: &'c Connection, sql: &str) -> Result<CachedStatement<'c>, StoreError> {
    connection.prepare_cached(sql).map_err(fault("preparing a statement"))
}

pub(super) fn execute(
    statement: &mut CachedStatement<'_>,
    values: impl rusqlite::Params,
    during: &'static str,
) -> Result<usize, StoreError> {
    statement.execute(values).map_err(fault(during))
}
