//! One batch as rows: many rows of a table in one statement.
//!
//! Facts must continue the sequence without a hole, and each task's own numbers too; arrivals are never given twice.
//! What contradicts that is refused and the whole batch with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::columns::{get, id_of, link, unsigned};
use super::session::Session;
use super::{beside, recover};
use crate::engine::id::TaskId;
use crate::engine::process::Process;
use crate::store::guard::Guard;
use crate::store::rows::{
    columns_of, integer, json, number_with_a_hole, other_task, payload_of_nothing, row_and_words, whole_milliseconds,
    words_text,
};
use crate::store::tip::Tip;
use crate::store::{Batch, ProcessRow, StoreError, TaskRow};
use crate::wire::fact::{Fact, FactSeq};

/// Rows of one statement at most. The server ends a writer that says nothing for a second inside a transaction, or whose
/// statement takes too long, and a change of the roster may touch every open task.
const ROWS_AT_ONCE: usize = 1_000;

/// Where the store ends, and how many batches it has.
pub(super) fn read_tip(session: &mut Session) -> Result<(Tip, i64), StoreError> {
    let guard = Guard::of(&recover::walls(session)?, recover::conflicts(session)?);
    let sql = "SELECT last_seq, last_link, watermark, next_arrival, last_at, batches FROM meta";
    let row = session.one("reading meta", sql, &[])?;
    let row = row.ok_or_else(|| StoreError::Inconsistent("table meta is empty".into()))?;
    let tip = Tip {
        last_seq: FactSeq(unsigned(&row, 0)?),
        last_link: link(&row, 1)?,
        watermark: FactSeq(unsigned(&row, 2)?),
        next_arrival: unsigned(&row, 3)?,
        last_at: get(&row, 4)?,
        guard,
    };
    Ok((tip, get(&row, 5)?))
}

/// Writes the batch inside the caller's transaction; says where the store ends then.
pub(super) fn write(session: &mut Session, batch: &Batch, tip: &Tip, number: i64) -> Result<Tip, StoreError> {
    let mut tip = tip.clone();
    for facts in batch.facts.chunks(ROWS_AT_ONCE) {
        write_facts(session, facts, batch, &mut tip)?;
    }
    write_processes(session, &batch.processes, &mut tip, number)?;
    for tasks in batch.tasks.chunks(ROWS_AT_ONCE) {
        write_tasks(session, tasks, &mut tip, number)?;
    }
    beside::write_segments(session, &batch.segments)?;
    for payloads in batch.payloads.chunks(ROWS_AT_ONCE) {
        write_payloads(session, payloads)?;
    }
    beside::write(session, batch)?;
    tip.mark(batch)?;
    let sql =
        "UPDATE meta SET last_seq = $1, last_link = $2, watermark = $3, next_arrival = $4, last_at = $5, batches = $6";
    let (last_seq, watermark) = (integer(tip.last_seq.0)?, integer(tip.watermark.0)?);
    let last_link = tip.last_link.as_slice();
    session.execute(
        "writing meta",
        sql,
        &[&last_seq, &last_link, &watermark, &integer(tip.next_arrival)?, &tip.last_at, &number],
    )?;
    Ok(tip)
}

/// Columns of facts to be written.
#[derive(Default)]
struct FactColumns<'b> {
    seq: Vec<i64>,
    at: Vec<i64>,
    event_type: Vec<&'b str>,
    task: Vec<Option<&'b str>>,
    task_seq: Vec<Option<i64>>,
    client: Vec<Option<&'b str>>,
    team: Vec<Option<&'b str>>,
    addressed: Vec<Option<&'b str>>,
    with_payload: Vec<bool>,
    body: Vec<&'b [u8]>,
    body_digest: Vec<&'b [u8]>,
    link: Vec<&'b [u8]>,
    decision: Vec<Option<&'b [u8]>>,
    packet: Vec<Option<&'b [u8]>>,
    matter: Vec<Option<&'b str>>,
    used: Vec<Option<i64>>,
    used_minutes: Vec<Option<i64>>,
}

impl<'b> FactColumns<'b> {
    fn push(&mut self, fact: &'b Fact) -> Result<(), StoreError> {
        self.seq.push(integer(fact.seq.0)?);
        self.at.push(whole_milliseconds(fact)?);
        self.event_type.push(&fact.event_type);
        self.task.push(fact.task.as_ref().map(|(task, _)| task.as_str()));
        self.task_seq.push(fact.task.as_ref().map(|(_, number)| integer(*number)).transpose()?);
        self.client.push(fact.client.as_ref().map(|client| client.as_str()));
        self.team.push(fact.team.as_ref().map(|team| team.as_str()));
        self.addressed.push(fact.addressed.map(|message| message.as_str()));
        self.with_payload.push(fact.with_payload);
        self.body.push(&fact.body);
        self.body_digest.push(&fact.body_digest);
        self.link.push(&fact.link);
        self.decision.push(fact.decision.as_deref());
        self.packet.push(fact.packet.as_deref());
        self.matter.push(fact.matter.as_ref().map(|matter| matter.as_str()));
        self.used.push(fact.held.map(|held| held.used.into()));
        self.used_minutes.push(fact.held.map(|held| held.used_minutes.into()));
        Ok(())
    }
}

fn write_facts(session: &mut Session, facts: &[Fact], batch: &Batch, tip: &mut Tip) -> Result<(), StoreError> {
    let mut it = FactColumns::default();
    for fact in facts {
        tip.follow(fact, batch)?;
        it.push(fact)?;
    }
    check_task_numbers(session, facts)?;
    let sql = "INSERT INTO facts (seq, at, type, task, task_seq, client, team, addressed, with_payload, body, body_digest, link,
                 decision, packet, matter, used, used_minutes)
               SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::TEXT[], $7::TEXT[],
                 $8::TEXT[], $9::BOOLEAN[], $10::BYTEA[], $11::BYTEA[], $12::BYTEA[], $13::BYTEA[], $14::BYTEA[], $15::TEXT[],
                 $16::BIGINT[], $17::BIGINT[])";
    session.execute(
        "writing facts",
        sql,
        &[
            &it.seq,
            &it.at,
            &it.event_type,
            &it.task,
            &it.task_seq,
            &it.client,
            &it.team,
            &it.addressed,
            &it.with_payload,
            &it.body,
            &it.body_digest,
            &it.link,
            &it.decision,
            &it.packet,
            &it.matter,
            &it.used,
            &it.used_minutes,
        ],
    )?;
    Ok(())
}

/// The numbers of a task's facts rise by one from 1; that none stands twice is the index's to hold.
fn check_task_numbers(session: &mut Session, facts: &[Fact]) -> Result<(), StoreError> {
    let mut last: BTreeMap<&TaskId, u64> = BTreeMap::new();
    let (mut tasks, mut numbers) = (Vec::new(), Vec::new());
    for (task, number) in facts.iter().filter_map(|fact| fact.task.as_ref()) {
        match (number.checked_sub(1), last.insert(task, *number)) {
            (Some(before), Some(last)) if last == before => {}
            (Some(0), None) => {}
            (Some(before), None) => {
                tasks.push(task.as_str());
                numbers.push(integer(before)?);
            }
            (None, _) | (Some(_), Some(_)) => return Err(number_with_a_hole(task, *number)),
        }
    }
    if tasks.is_empty() {
        return Ok(());
    }
    let sql = "SELECT task, number FROM unnest($1::TEXT[], $2::BIGINT[]) AS asked (task, number)
               WHERE NOT EXISTS (SELECT 1 FROM facts WHERE facts.task = asked.task AND task_seq = number) LIMIT 1";
    match session.one("checking the facts of tasks", sql, &[&tasks, &numbers])? {
        Some(row) => Err(number_with_a_hole(&id_of(&row, 0)?, unsigned(&row, 1)? + 1)),
        None => Ok(()),
    }
}

fn write_tasks(session: &mut Session, tasks: &[TaskRow], tip: &mut Tip, batch: i64) -> Result<(), StoreError> {
    let mut words = WordColumns::default();
    let (mut arrivals, mut rows, mut assignments) = (Vec::new(), Vec::new(), Vec::new());
    let (mut owners, mut due, mut ended) = (Vec::new(), Vec::new(), Vec::new());
    for TaskRow { task, next_due_at } in tasks {
        let (row, of_people) = row_and_words(task)?;
        let (owner, assignment, ended_at) = columns_of(&task.state);
        let arrival = integer(task.arrival.0)?;
        if let Some(of_people) = of_people {
            words.push(arrival, words_text(&of_people, &task.id)?);
        }
        arrivals.push(arrival);
        rows.push(row);
        owners.push(owner);
        assignments.push(assignment.map(i64::from));
        due.push(next_due_at.map(|at| at.timestamp_millis()));
        ended.push(ended_at.map(|at| at.timestamp_millis()));
        tip.arrived(task.arrival.0);
    }
    let texts = |of: fn(&TaskRow) -> &str| tasks.iter().map(of).collect::<Vec<_>>();
    let teams: Vec<_> = tasks.iter().map(|it| it.task.state.team().map(|team| team.as_str())).collect();
    let sql = "INSERT INTO tasks (arrival, id, client, request, matter, digest, state, team, owner, assignment, next_due_at,
                 ended_at, row, written_in)
               SELECT *, $14::BIGINT FROM unnest($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[],
                 $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $9::TEXT[], $10::BIGINT[], $11::BIGINT[], $12::BIGINT[],
                 $13::TEXT[])
               ON CONFLICT (id) DO UPDATE SET state = excluded.state, team = excluded.team, owner = excluded.owner,
                 assignment = excluded.assignment, next_due_at = excluded.next_due_at, ended_at = excluded.ended_at,
                 written_in = excluded.written_in, row = excluded.row
               WHERE tasks.arrival = excluded.arrival AND tasks.digest = excluded.digest
               RETURNING id";
    let written = session.query(
        "writing tasks",
        sql,
        &[
            &arrivals,
            &texts(|it| it.task.id.as_str()),
            &texts(|it| it.task.client.as_str()),
            &texts(|it| it.task.request.as_str()),
            &texts(|it| it.task.matter.as_str()),
            &texts(|it| &it.task.digest.0),
            &texts(|it| it.task.state.as_str()),
            &teams,
            &owners,
            &assignments,
            &due,
            &ended,
            &rows,
            &batch,
        ],
    )?;
    if written.len() < tasks.len() {
        let written = written.iter().map(|row| id_of(row, 0)).collect::<Result<Vec<TaskId>, _>>()?;
        let other = tasks.iter().find(|it| !written.contains(&it.task.id));
        return Err(other.map_or_else(
            || StoreError::Inconsistent("a task stands twice in one batch".into()),
            |it| other_task(&it.task.id),
        ));
    }
    words.write(session)
}

/// What people wrote, to be written.
#[derive(Default)]
struct WordColumns {
    arrivals: Vec<i64>,
    bodies: Vec<Vec<u8>>,
}

impl WordColumns {
    fn push(&mut self, arrival: i64, text: String) {
        self.arrivals.push(arrival);
        self.bodies.push(text.into_bytes());
    }

    /// A row that says the same already stays as it is, and nothing is not written where nothing stands.
    fn write(&self, session: &mut Session) -> Result<(), StoreError> {
        if self.arrivals.is_empty() {
            return Ok(());
        }
        let sql = "INSERT INTO words (arrival, body)
                   SELECT new.arrival, new.body FROM unnest($1::BIGINT[], $2::BYTEA[]) AS new (arrival, body)
                   WHERE length(new.body) > 0 OR EXISTS (SELECT 1 FROM words WHERE words.arrival = new.arrival)
                   ON CONFLICT (arrival) DO UPDATE SET body = excluded.body WHERE words.body <> excluded.body";
        session.execute("writing words", sql, &[&self.arrivals, &self.bodies]).map(drop)
    }
}

fn write_processes(
    session: &mut Session,
    processes: &[ProcessRow],
    tip: &mut Tip,
    batch: i64,
) -> Result<(), StoreError> {
    let mut words = WordColumns::default();
    for ProcessRow { process, next_due_at } in processes {
        let mut bare = Process::clone(process);
        let of_people = bare.take_words();
        let row = json(&bare, &process.id)?;
        let (arrival, id, digest) = (integer(process.arrival.0)?, process.id.as_str(), &*process.digest.0);
        let next_due_at = next_due_at.map(|at| at.timestamp_millis());
        let ended_at = process.state.ended_at().map(|at| at.timestamp_millis());
        let state = process.state.as_str();
        let update = "UPDATE processes SET state = $4, next_due_at = $5, ended_at = $6, row = $7, written_in = $8
                      WHERE arrival = $1 AND id = $2 AND digest = $3";
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 8] =
            [&arrival, &id, &digest, &state, &next_due_at, &ended_at, &row, &batch];
        if session.execute("writing a process", update, &values)? == 0 {
            let insert =
                "INSERT INTO processes (arrival, id, digest, state, next_due_at, ended_at, row, written_in, client,
                            request, matter) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let (client, request, matter) =
                (process.client.as_str(), process.request.as_str(), process.matter.as_str());
            session.execute(
                "writing a process",
                insert,
                &[&arrival, &id, &digest, &state, &next_due_at, &ended_at, &row, &batch, &client, &request, &matter],
            )?;
        }
        if let Some(of_people) = &of_people {
            words.push(arrival, words_text(of_people, &process.id)?);
        }
        tip.arrived(process.arrival.0);
    }
    words.write(session)
}

/// A payload is written once, under its task's number; that of a process under the process's.
fn write_payloads(session: &mut Session, payloads: &[(TaskId, Arc<[u8]>)]) -> Result<(), StoreError> {
    let (ids, bodies): (Vec<_>, Vec<&[u8]>) = payloads.iter().map(|(id, body)| (id.as_str(), &**body)).unzip();
    let mut left: Vec<&str> = ids.clone();
    for (table, into) in [("tasks", "payloads"), ("processes", "process_payloads")] {
        if left.is_empty() {
            break;
        }
        let sql = format!(
            "WITH given AS (SELECT arrival, id, body FROM unnest($1::TEXT[], $2::BYTEA[]) AS new (id, body) JOIN {table} USING (id)),
               written AS (INSERT INTO {into} (arrival, body) SELECT arrival, body FROM given)
             SELECT id FROM given"
        );
        let written = session.query("writing payloads", &sql, &[&ids, &bodies])?;
        for row in &written {
            let id: &str = get(row, 0)?;
            left.retain(|it| *it != id);
        }
    }
    match payloads.iter().find(|(id, _)| left.contains(&id.as_str())) {
        Some((task, _)) => Err(payload_of_nothing(task)),
        None => Ok(()),
    }
}
