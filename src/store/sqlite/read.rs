//! Reading committed state on a connection of its own, which cannot write. Every call sees one state.

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Params, Row, params, params_from_iter};

use super::columns::{FACT_COLUMNS, TASK_COLUMNS, bad, fact, fault, held, id, id_of, roster, task, unsigned};
use super::{costs, demand, ledger, open, overrides, processes};
use crate::engine::effect::MAX_PURGED_NAMED;
use crate::engine::event::{EndedTask, UpdateResult};
use crate::engine::id::{ClientId, MatterId, RequestId, TaskId, TeamId};
use crate::engine::load::Held;
use crate::engine::outlook::{Demand, Hour};
use crate::engine::overrides::Overrides;
use crate::engine::process::Process;
use crate::engine::request::RequestDigest;
use crate::engine::roster::RosterDigest;
use crate::engine::sla::Segment;
use crate::engine::task::Task;
use crate::engine::update::{Sender, UpdateDigest};
use crate::engine::walls::Walled;
use crate::store::rows::{integer, rows_of, sender};
use crate::store::{MatterTasks, ProcessQuery, Reader, RosterVersion, StoreError, StoredDecision, TaskQuery};
use crate::wire::chain::{ANCHOR_TYPE, Head};
use crate::wire::cost::{Cost, CostQuery};
use crate::wire::fact::{Fact, FactSeq, Link};

/// The words for the states of a task; each is a range of every index of tasks.
const STATES: [&str; 5] = ["waiting", "offered", "active", "completed", "cancelled"];

/// What the last message to a team before a fact says that it holds: one look into the index of its messages.
const LAST_TOLD: &str =
    "SELECT used, used_minutes FROM facts WHERE team = ?1 AND (addressed IS NOT NULL OR used IS NOT NULL)
       AND seq < ?2
     ORDER BY seq DESC LIMIT 1";

/// A reader of a SQLite file.
pub(super) struct SqliteReader {
    connection: Connection,
}

impl SqliteReader {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: open::reader(path)? })
    }

    /// At most one row.
    fn one<T>(
        &self,
        sql: &str,
        values: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(fault("reading"))?;
        statement.query_row(values, read).optional().map_err(fault("reading"))
    }

    /// Facts of a query that ends in `WHERE ...`, in sequence.
    fn facts(&self, condition: &str, values: impl Params) -> Result<Vec<Fact>, StoreError> {
        let sql = format!("SELECT {FACT_COLUMNS} FROM facts WHERE {condition}");
        rows(&self.connection, &sql, values, fact)
    }
}

impl Reader for SqliteReader {
    fn ended(&mut self, ids: &[TaskId]) -> Result<Vec<Option<EndedTask>>, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let mut select = snapshot
            .prepare_cached(
                "SELECT id, digest, state, team FROM tasks WHERE id = ?1 AND ended_at IS NOT NULL UNION ALL
                 SELECT id, digest, state, NULL FROM processes WHERE id = ?1 AND ended_at IS NOT NULL",
            )
            .map_err(fault("reading"))?;
        let found = ids.iter().map(|id| select.query_row([id.as_str()], ended).optional()).collect::<Result<_, _>>();
        found.map_err(fault("reading ended tasks"))
    }

    fn update_result(&mut self, from: &Sender, id: &RequestId) -> Result<Option<UpdateResult>, StoreError> {
        self.one(
            "SELECT refused, digest FROM updates WHERE sender = ?1 AND id = ?2",
            params![sender(from), id.as_str()],
            |row| {
                let refused = row.get_ref(0)?.as_str_or_null().map_err(|error| bad(0, error))?;
                let refused = refused.map(serde_json::from_str).transpose().map_err(|error| bad(0, error))?;
                Ok(UpdateResult { digest: row.get::<_, Option<_>>(1)?.map(UpdateDigest), refused })
            },
        )
    }

    fn suspect_attempts(&mut self, message: &Link) -> Result<u32, StoreError> {
        let found = self.one("SELECT attempts FROM suspects WHERE message = ?1", params![message], |row| row.get(0))?;
        Ok(found.unwrap_or(0))
    }

    fn facts_after(&mut self, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.facts("seq > ?1 ORDER BY seq LIMIT ?2", params![integer(after.0)?, rows_of(limit)])
    }

    fn chain_start(&mut self) -> Result<Head, StoreError> {
        let head = |row: &rusqlite::Row<'_>| Ok(Head { seq: FactSeq(unsigned(row, 0)?), link: row.get(1)? });
        let sql = "SELECT anchor_seq, anchor_link FROM meta";
        self.connection.query_row(sql, [], head).map_err(fault("reading the start of the chain"))
    }

    fn last_anchor(&mut self, after: FactSeq) -> Result<FactSeq, StoreError> {
        let sql = "SELECT ifnull(max(seq), 0) FROM facts WHERE seq > ?1 AND type = ?2";
        let found = self.connection.query_row(sql, params![integer(after.0)?, ANCHOR_TYPE], |row| unsigned(row, 0));
        found.map(FactSeq).map_err(fault("reading the last anchor"))
    }

    fn first_fact_since(&mut self, at: DateTime<Utc>) -> Result<FactSeq, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let ends = "SELECT ifnull(min(seq), last_seq + 1), last_seq + 1 FROM meta LEFT JOIN facts";
        let (mut first, mut end) = snapshot
            .query_row(ends, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))
            .map_err(fault("reading the ends of the chain"))?;
        let mut instant =
            snapshot.prepare_cached("SELECT at FROM facts WHERE seq = ?1").map_err(fault("reading an instant"))?;
        // Facts are in the order of their instants, and none is missing in between.
        while first < end {
            let middle = first + (end - first) / 2;
            let decided_at: i64 =
                instant.query_row([integer(middle)?], |row| row.get(0)).map_err(fault("reading an instant"))?;
            if decided_at < at.timestamp_millis() { first = middle + 1 } else { end = middle }
        }
        Ok(FactSeq(first))
    }

    fn history(&mut self, task: &TaskId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.facts(
            "task = ?1 AND seq > ?2 ORDER BY task_seq LIMIT ?3",
            params![task.as_str(), integer(after.0)?, rows_of(limit)],
        )
    }

    fn last_message_for(&mut self, team: &TeamId) -> Result<FactSeq, StoreError> {
        let sql = "SELECT seq FROM facts WHERE team = ?1 AND addressed IS NOT NULL ORDER BY seq DESC LIMIT 1";
        Ok(FactSeq(self.one(sql, [team.as_str()], |row| unsigned(row, 0))?.unwrap_or(0)))
    }

    fn last_decision(&mut self, task: &TaskId) -> Result<Option<StoredDecision>, StoreError> {
        let sql =
            "SELECT seq, decision FROM facts WHERE task = ?1 AND decision IS NOT NULL ORDER BY task_seq DESC LIMIT 1";
        self.one(sql, [task.as_str()], |row| Ok(StoredDecision { seq: FactSeq(unsigned(row, 0)?), json: row.get(1)? }))
    }

    fn last_handoff(&mut self, task: &TaskId) -> Result<Option<Fact>, StoreError> {
        let which = "task = ?1 AND type IN ('handoff.planned', 'handoff.kept') ORDER BY task_seq DESC LIMIT 1";
        Ok(self.facts(which, [task.as_str()])?.pop())
    }

    fn held_before(&mut self, fact: FactSeq, teams: &[TeamId]) -> Result<Vec<Option<Held>>, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let mut last = snapshot.prepare_cached(LAST_TOLD).map_err(fault("reading"))?;
        let mut all_are_kept =
            snapshot.prepare_cached("SELECT 1 FROM facts WHERE seq = 1").map_err(fault("reading"))?;
        // Who was never told anything holds nothing, as long as every fact is there.
        let untold = all_are_kept.exists([]).map_err(fault("reading"))?.then(Held::default);
        let before = integer(fact.0)?;
        let mut told = |team: &TeamId| last.query_row(params![team.as_str(), before], |row| held(row, 0)).optional();
        let told = teams.iter().map(|team| Ok(told(team)?.unwrap_or(untold))).collect::<Result<_, _>>();
        told.map_err(fault("reading what teams held"))
    }

    fn conflicts_before(
        &mut self,
        fact: FactSeq,
        client: &ClientId,
        matter: &MatterId,
    ) -> Result<Vec<TeamId>, StoreError> {
        let sql = "SELECT team FROM conflicts WHERE client = ?1 AND matter = ?2 AND (seq IS NULL OR seq < ?3)
             ORDER BY rowid";
        let values = params![client.as_str(), matter.as_str(), integer(fact.0)?];
        rows(&self.connection, sql, values, |row| id_of(row, 0))
    }

    fn messages_for(&mut self, team: &TeamId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.facts(
            "team = ?1 AND addressed IS NOT NULL AND seq > ?2 ORDER BY seq LIMIT ?3",
            params![team.as_str(), integer(after.0)?, rows_of(limit)],
        )
    }

    fn told(
        &mut self,
        (team, client, matter): &Walled,
        before: FactSeq,
        limit: usize,
    ) -> Result<Vec<(FactSeq, TaskId)>, StoreError> {
        let sql = "SELECT seq, task FROM facts
             WHERE team = ?1 AND (addressed IN ('offer', 'changed', 'handoff_requested') OR addressed IS NOT NULL AND with_payload)
               AND client = ?2 AND (?3 IS NULL OR matter = ?3)
               AND seq < ?4 AND suppressed = 0
             ORDER BY seq LIMIT ?5";
        let matter = matter.as_ref().map(|matter| matter.as_str());
        let values = params![team.as_str(), client.as_str(), matter, integer(before.0)?, rows_of(limit)];
        rows(&self.connection, sql, values, |row| Ok((FactSeq(unsigned(row, 0)?), id_of(row, 1)?)))
    }

    fn cursor(&mut self, team: &TeamId) -> Result<FactSeq, StoreError> {
        let found = self.one("SELECT seq FROM cursors WHERE team = ?1", [team.as_str()], |row| unsigned(row, 0))?;
        Ok(FactSeq(found.unwrap_or(0)))
    }

    fn facts_at(&mut self, seqs: &[FactSeq]) -> Result<Vec<Fact>, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let sql = format!("SELECT {FACT_COLUMNS} FROM facts WHERE seq = ?1");
        let mut found = Vec::with_capacity(seqs.len());
        for seq in seqs {
            found.extend(rows(&snapshot, &sql, [integer(seq.0)?], fact)?);
        }
        Ok(found)
    }

    fn payload(&mut self, task: &TaskId) -> Result<Option<Arc<[u8]>>, StoreError> {
        let sql = "SELECT body FROM payloads JOIN tasks USING (arrival) WHERE id = ?1 AND emptied_at IS NULL UNION ALL
             SELECT body FROM tasks JOIN processes ON processes.id = tasks.client || '/' || tasks.request
               JOIN process_payloads ON process_payloads.arrival = processes.arrival
             WHERE tasks.id = ?1 AND tasks.emptied_at IS NULL AND processes.emptied_at IS NULL";
        self.one(sql, [task.as_str()], |row| row.get(0))
    }

    fn task(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.one(&format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?1"), [id.as_str()], task)
    }

    fn process(&mut self, id: &TaskId) -> Result<Option<(Process, Vec<Task>)>, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let mut found = rows(&snapshot, &processes::by_id(), [id.as_str()], processes::process)?;
        let Some(process) = found.pop() else { return Ok(None) };
        let mut tasks = Vec::with_capacity(process.steps.len());
        let sql = format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = ?1");
        for step in &process.steps {
            tasks.extend(rows(&snapshot, &sql, [step.task.as_str()], task)?);
        }
        Ok(Some((process, tasks)))
    }

    fn processes(&mut self, query: &ProcessQuery) -> Result<Vec<Process>, StoreError> {
        processes::list(&self.connection, query)
    }

    fn segments(&mut self, task: &TaskId) -> Result<Vec<Segment>, StoreError> {
        ledger::read(&self.connection, task)
    }

    fn tasks(&mut self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let mut found = Vec::new();
        for state in STATES.into_iter().filter(|state| query.state.as_deref().is_none_or(|wanted| wanted == *state)) {
            let (sql, values) = tasks_in_state(query, state)?;
            found.extend(rows(&snapshot, &sql, params_from_iter(values), task)?);
        }
        found.sort_unstable_by_key(|task| task.arrival);
        found.truncate(query.limit);
        Ok(found)
    }

    fn costs(&mut self, query: CostQuery) -> Result<Vec<Cost>, StoreError> {
        costs::read(&self.connection, query)
    }

    fn matter(&mut self, client: &ClientId, matter: &MatterId, at: DateTime<Utc>) -> Result<MatterTasks, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        let of = |which: &str| format!("FROM tasks WHERE client = ?1 AND matter = ?2 AND {which}");
        let closed = "ended_at <= ?3 AND emptied_at IS NULL";
        let open = "(ended_at IS NULL OR ended_at > ?3)";
        let values = params![client.as_str(), matter.as_str(), at.timestamp_millis()];
        let count = |which: &str| -> Result<u64, StoreError> {
            let mut statement =
                snapshot.prepare_cached(&format!("SELECT count(*) {}", of(which))).map_err(fault("reading"))?;
            statement.query_row(values, |row| unsigned(row, 0)).map_err(fault("reading"))
        };
        let named = |which: &str| {
            let sql = format!("SELECT id {} ORDER BY arrival LIMIT {MAX_PURGED_NAMED}", of(which));
            rows(&snapshot, &sql, values, |row| id_of(row, 0))
        };
        Ok(MatterTasks {
            is_known: count("?3 = ?3")? > 0,
            closed: count(closed)?,
            closed_named: named(closed)?,
            open: count(open)?,
            open_named: named(open)?,
        })
    }

    fn demand(&mut self, now: Hour) -> Result<Demand, StoreError> {
        let snapshot = self.connection.transaction().map_err(fault("reading"))?;
        demand::read(&snapshot, now)
    }

    fn overrides_before(&mut self, fact: FactSeq) -> Result<Overrides, StoreError> {
        overrides::before(&self.connection, fact)
    }

    fn roster(&mut self, digest: &RosterDigest) -> Result<Option<RosterVersion>, StoreError> {
        self.one("SELECT digest, text, first_at, (SELECT ifnull(min(seq), 0) FROM roster_history WHERE digest = ?1) FROM rosters
             WHERE digest = ?1", [&digest.0], roster)
    }
}

/// One state of a listing: one range of one index, read no further than the limit. All that a team has is less than all
/// that a client has, so that the team's index goes first.
fn tasks_in_state(query: &TaskQuery, state: &str) -> Result<(String, Vec<Value>), StoreError> {
    // Arrival numbers are never negative.
    let after = query.after_arrival.map_or(Ok(-1), integer)?;
    let mut values = vec![Value::from(state.to_owned()), Value::from(after)];
    let mut condition = String::from("state = ?1 AND arrival > ?2");
    let mut index = "tasks_by_state";
    if let Some(client) = &query.client {
        values.push(Value::from(client.as_str().to_owned()));
        condition += &format!(" AND client = ?{}", values.len());
        index = "tasks_by_client";
    }
    if let Some(team) = &query.team {
        values.push(Value::from(team.as_str().to_owned()));
        condition += &format!(" AND team = ?{}", values.len());
        index = "tasks_by_team";
    }
    values.push(Value::from(rows_of(query.limit)));
    let limit = values.len();
    Ok((
        format!(
            "SELECT {TASK_COLUMNS} FROM tasks INDEXED BY {index} WHERE {condition} ORDER BY arrival LIMIT ?{limit}"
        ),
        values,
    ))
}

fn ended(row: &Row<'_>) -> rusqlite::Result<EndedTask> {
    Ok(EndedTask { id: id_of(row, 0)?, digest: RequestDigest(row.get(1)?), state: row.get(2)?, team: id(row, 3)? })
}

fn rows<T>(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, StoreError> {
    let mut statement = connection.prepare_cached(sql).map_err(fault("reading"))?;
    let found = statement.query_map(values, read).map_err(fault("reading"))?;
    found.collect::<Result<_, _>>().map_err(fault("reading"))
}

#[cfg(test)]
mod tests {
    use super::super::{SqliteStore, schema};
    use super::*;

    #[test]
    fn every_listing_reads_one_range_of_an_index_in_order() {
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection, Path::new("a.db"), schema::MIGRATIONS).expect("the tables");
        let (client, team) = (ClientId::new("acme").ok(), TeamId::new("sydney").ok());
        for (client, team, index) in [
            (None, None, "tasks_by_state (state=? AND rowid>?)"),
            (client.clone(), None, "tasks_by_client (client=? AND state=? AND rowid>?)"),
            (None, team.clone(), "tasks_by_team (team=? AND state=? AND rowid>?)"),
            (client, team, "tasks_by_team (team=? AND state=? AND rowid>?)"),
        ] {
            let query = TaskQuery { client, team, state: None, after_arrival: Some(7), limit: 10 };
            let (sql, values) = tasks_in_state(&query, "waiting").expect("a statement");
            let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("a plan");
            let plan: Vec<String> = explain
                .query_map(params_from_iter(values), |row| row.get(3))
                .and_then(Iterator::collect)
                .expect("the plan's lines");
            let words = "SEARCH words USING INDEX words_by_task (arrival=?)";
            assert_eq!(plan, [&format!("SEARCH tasks USING INDEX {index}"), "CORRELATED SCALAR SUBQUERY 1", words]);
        }
    }

    #[test]
    fn what_a_team_held_is_one_look_into_the_index_of_its_messages() {
        let mut connection = Connection::open_in_memory().expect("memory");
        schema::migrate(&mut connection, Path::new("a.db"), schema::MIGRATIONS).expect("the tables");
        let mut explain = connection.prepare(&format!("EXPLAIN QUERY PLAN {LAST_TOLD}")).expect("a plan");
        let plan: Vec<String> = explain
            .query_map(params!["sydney", 7], |row| row.get(3))
            .and_then(Iterator::collect)
            .expect("the plan's lines");
        assert_eq!(plan, ["SEARCH facts USING INDEX facts_by_team (team=? AND rowid<?)"]);
    }

    #[test]
    fn a_reader_cannot_write() {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(directory.path().join("store.db")).expect("a store");
        let reader = SqliteReader::open(&store.path).expect("a reader");
        let error = reader.connection.execute("DELETE FROM meta", []).expect_err("it may only read");
        assert_eq!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::ReadOnly));
    }
}
