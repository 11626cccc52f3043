//! Reading committed state on a connection of its own, which cannot write. Every call sees one state. One whose connection
//! broke connects anew at the next call.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::columns::{FACT_COLUMNS, TASK_COLUMNS, bad, fact, get, held, id, id_of, link, roster, task, unsigned};
use super::session::{Driver, Purpose, Session, Values};
use super::{beside, lists, processes};
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

const DURING: &str = "reading";

/// A reader of a database.
pub(super) struct PostgresReader {
    driver: Arc<Driver>,
    session: Session,
}

impl PostgresReader {
    pub fn open(driver: &Arc<Driver>) -> Result<Self, StoreError> {
        Ok(Self { driver: Arc::clone(driver), session: driver.connect(Purpose::Read)? })
    }

    fn session(&mut self) -> Result<&mut Session, StoreError> {
        if self.session.is_closed() {
            self.session = self.driver.connect(Purpose::Read)?;
        }
        Ok(&mut self.session)
    }

    /// At most one row.
    fn one<T>(
        &mut self,
        sql: &str,
        values: Values<'_>,
        read: impl FnOnce(&Row) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        self.session()?.one(DURING, sql, values)?.as_ref().map(read).transpose()
    }

    fn rows<T>(
        &mut self,
        sql: &str,
        values: Values<'_>,
        read: impl FnMut(&Row) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.session()?.query(DURING, sql, values)?.iter().map(read).collect()
    }

    /// Facts of a query that ends in `WHERE ...`, in sequence.
    fn facts(&mut self, condition: &str, values: Values<'_>) -> Result<Vec<Fact>, StoreError> {
        self.rows(&format!("SELECT {FACT_COLUMNS} FROM facts WHERE {condition}"), values, fact)
    }
}

impl Reader for PostgresReader {
    fn ended(&mut self, ids: &[TaskId]) -> Result<Vec<Option<EndedTask>>, StoreError> {
        let sql = "SELECT asked.id, digest, state, team FROM unnest($1::TEXT[]) WITH ORDINALITY AS asked (id, number)
                   LEFT JOIN (SELECT id, digest, state, team FROM tasks WHERE ended_at IS NOT NULL UNION ALL
                              SELECT id, digest, state, NULL FROM processes WHERE ended_at IS NOT NULL) AS found USING (id)
                   ORDER BY number";
        let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        self.rows(sql, &[&ids], |row| match get::<Option<&str>>(row, 1)? {
            None => Ok(None),
            Some(digest) => Ok(Some(EndedTask {
                id: id_of(row, 0)?,
                digest: RequestDigest(digest.into()),
                state: get::<&str>(row, 2)?.into(),
                team: id(row, 3)?,
            })),
        })
    }

    fn update_result(&mut self, from: &Sender, id: &RequestId) -> Result<Option<UpdateResult>, StoreError> {
        let sql = "SELECT refused, digest FROM updates WHERE sender = $1 AND id = $2";
        self.one(sql, &[&sender(from), &id.as_str()], |row| {
            let refused: Option<&str> = get(row, 0)?;
            let digest: Option<&[u8]> = get(row, 1)?;
            let digest = digest.map(|bytes| bytes.try_into().map(UpdateDigest)).transpose();
            Ok(UpdateResult {
                digest: digest.map_err(|error| bad(1, &error))?,
                refused: refused.map(serde_json::from_str).transpose().map_err(|error| bad(0, &error))?,
            })
        })
    }

    fn suspect_attempts(&mut self, message: &Link) -> Result<u32, StoreError> {
        let sql = "SELECT attempts FROM suspects WHERE message = $1";
        let found = self.one(sql, &[&message.as_slice()], |row| unsigned(row, 0))?;
        Ok(found.map_or(0, |attempts| u32::try_from(attempts).unwrap_or(u32::MAX)))
    }

    fn facts_after(&mut self, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.facts("seq > $1 ORDER BY seq LIMIT $2", &[&integer(after.0)?, &rows_of(limit)])
    }

    fn chain_start(&mut self) -> Result<Head, StoreError> {
        let session = self.session()?;
        let row = session.one(DURING, "SELECT anchor_seq, anchor_link FROM meta", &[])?;
        row.map_or_else(
            || Ok(Head::default()),
            |row| Ok(Head { seq: FactSeq(unsigned(&row, 0)?), link: link(&row, 1)? }),
        )
    }

    fn last_anchor(&mut self, after: FactSeq) -> Result<FactSeq, StoreError> {
        let sql = "SELECT coalesce(max(seq), 0) FROM facts WHERE seq > $1 AND type = $2";
        let row = self.session()?.one(DURING, sql, &[&integer(after.0)?, &ANCHOR_TYPE])?;
        row.map_or(Ok(FactSeq(0)), |row| unsigned(&row, 0).map(FactSeq))
    }

    fn first_fact_since(&mut self, at: DateTime<Utc>) -> Result<FactSeq, StoreError> {
        self.session()?.snapshot(|session| {
            let ends = "SELECT coalesce((SELECT min(seq) FROM facts), last_seq + 1), last_seq + 1 FROM meta";
            let Some(ends) = session.one(DURING, ends, &[])? else { return Ok(FactSeq(1)) };
            let (mut first, mut end) = (unsigned(&ends, 0)?, unsigned(&ends, 1)?);
            // Facts are in the order of their instants, and none is missing in between.
            while first < end {
                let middle = first + (end - first) / 2;
                let found = session.one(DURING, "SELECT at FROM facts WHERE seq = $1", &[&integer(middle)?])?;
                let missing = || StoreError::Inconsistent(format!("fact {middle} is missing"));
                let decided_at: i64 = found.map_or_else(|| Err(missing()), |row| get(&row, 0))?;
                if decided_at < at.timestamp_millis() { first = middle + 1 } else { end = middle }
            }
            Ok(FactSeq(first))
        })
    }

    fn history(&mut self, task: &TaskId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.facts(
            "task = $1 AND seq > $2 ORDER BY task_seq LIMIT $3",
            &[&task.as_str(), &integer(after.0)?, &rows_of(limit)],
        )
    }

    fn last_message_for(&mut self, team: &TeamId) -> Result<FactSeq, StoreError> {
        let sql = "SELECT seq FROM facts WHERE team = $1 AND addressed IS NOT NULL ORDER BY seq DESC LIMIT 1";
        Ok(FactSeq(self.one(sql, &[&team.as_str()], |row| unsigned(row, 0))?.unwrap_or(0)))
    }

    fn last_decision(&mut self, task: &TaskId) -> Result<Option<StoredDecision>, StoreError> {
        let sql =
            "SELECT seq, decision FROM facts WHERE task = $1 AND decision IS NOT NULL ORDER BY task_seq DESC LIMIT 1";
        self.one(sql, &[&task.as_str()], |row| {
            Ok(StoredDecision { seq: FactSeq(unsigned(row, 0)?), json: get::<&[u8]>(row, 1)?.into() })
        })
    }

    fn last_handoff(&mut self, task: &TaskId) -> Result<Option<Fact>, StoreError> {
        let which = "task = $1 AND type IN ('handoff.planned', 'handoff.kept') ORDER BY task_seq DESC LIMIT 1";
        Ok(self.facts(which, &[&task.as_str()])?.pop())
    }

    fn held_before(&mut self, fact: FactSeq, teams: &[TeamId]) -> Result<Vec<Option<Held>>, StoreError> {
        // Who was never told anything holds nothing, as long as every fact is there.
        let sql = "SELECT used, used_minutes, told, EXISTS (SELECT 1 FROM facts WHERE seq = 1)
                   FROM unnest($1::TEXT[]) WITH ORDINALITY AS asked (id, number)
                   LEFT JOIN LATERAL (SELECT used, used_minutes, TRUE AS told FROM facts
                     WHERE team = asked.id AND (addressed IS NOT NULL OR used IS NOT NULL) AND seq < $2
                     ORDER BY seq DESC LIMIT 1) AS last ON TRUE ORDER BY number";
        let teams: Vec<_> = teams.iter().map(|team| team.as_str()).collect();
        self.rows(sql, &[&teams, &integer(fact.0)?], |row| {
            let untold = get::<bool>(row, 3)?.then(Held::default);
            if get::<Option<bool>>(row, 2)?.is_some() { held(row, 0) } else { Ok(untold) }
        })
    }

    fn conflicts_before(
        &mut self,
        fact: FactSeq,
        client: &ClientId,
        matter: &MatterId,
    ) -> Result<Vec<TeamId>, StoreError> {
        let sql = "SELECT team FROM conflicts WHERE client = $1 AND matter = $2 AND seq < $3 ORDER BY number";
        self.rows(sql, &[&client.as_str(), &matter.as_str(), &integer(fact.0)?], |row| id_of(row, 0))
    }

    fn messages_for(&mut self, team: &TeamId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, StoreError> {
        self.facts(
            "team = $1 AND addressed IS NOT NULL AND seq > $2 ORDER BY seq LIMIT $3",
            &[&team.as_str(), &integer(after.0)?, &rows_of(limit)],
        )
    }

    fn told(
        &mut self,
        (team, client, matter): &Walled,
        before: FactSeq,
        limit: usize,
    ) -> Result<Vec<(FactSeq, TaskId)>, StoreError> {
        let sql = "SELECT seq, task FROM facts
             WHERE team = $1 AND (addressed IN ('offer', 'changed', 'handoff_requested') OR addressed IS NOT NULL AND with_payload)
               AND client = $2 AND ($3::TEXT IS NULL OR matter = $3)
               AND seq < $4 AND NOT suppressed
             ORDER BY seq LIMIT $5";
        let matter = matter.as_ref().map(|matter| matter.as_str());
        let values: Values<'_> = &[&team.as_str(), &client.as_str(), &matter, &integer(before.0)?, &rows_of(limit)];
        self.rows(sql, values, |row| Ok((FactSeq(unsigned(row, 0)?), id_of(row, 1)?)))
    }

    fn cursor(&mut self, team: &TeamId) -> Result<FactSeq, StoreError> {
        let found = self.one("SELECT seq FROM cursors WHERE team = $1", &[&team.as_str()], |row| unsigned(row, 0))?;
        Ok(FactSeq(found.unwrap_or(0)))
    }

    fn facts_at(&mut self, seqs: &[FactSeq]) -> Result<Vec<Fact>, StoreError> {
        let seqs = seqs.iter().map(|seq| integer(seq.0)).collect::<Result<Vec<_>, _>>()?;
        let sql = format!(
            "SELECT {FACT_COLUMNS} FROM unnest($1::BIGINT[]) WITH ORDINALITY AS asked (seq, number) JOIN facts USING (seq)
             ORDER BY number"
        );
        self.rows(&sql, &[&seqs], fact)
    }

    fn payload(&mut self, task: &TaskId) -> Result<Option<Arc<[u8]>>, StoreError> {
        let sql = "SELECT body FROM payloads JOIN tasks USING (arrival) WHERE id = $1 AND emptied_at IS NULL UNION ALL
             SELECT body FROM tasks JOIN processes ON processes.id = tasks.client || '/' || tasks.request
               JOIN process_payloads ON process_payloads.arrival = processes.arrival
             WHERE tasks.id = $1 AND tasks.emptied_at IS NULL AND processes.emptied_at IS NULL";
        self.one(sql, &[&task.as_str()], |row| Ok(get::<&[u8]>(row, 0)?.into()))
    }

    fn task(&mut self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.one(&format!("SELECT {TASK_COLUMNS} FROM tasks WHERE id = $1"), &[&id.as_str()], task)
    }

    fn process(&mut self, id: &TaskId) -> Result<Option<(Process, Vec<Task>)>, StoreError> {
        self.session()?.snapshot(|session| {
            let sql = format!("SELECT {} FROM processes WHERE id = $1", processes::COLUMNS);
            let Some(row) = session.one(DURING, &sql, &[&id.as_str()])? else { return Ok(None) };
            let process = processes::process(&row)?;
            let steps: Vec<_> = process.steps.iter().map(|step| step.task.as_str()).collect();
            let sql = format!(
                "SELECT {TASK_COLUMNS} FROM unnest($1::TEXT[]) WITH ORDINALITY AS asked (id, number) JOIN tasks USING (id)
                 ORDER BY number"
            );
            let tasks = session.query(DURING, &sql, &[&steps])?.iter().map(task).collect::<Result<_, _>>()?;
            Ok(Some((process, tasks)))
        })
    }

    fn processes(&mut self, query: &ProcessQuery) -> Result<Vec<Process>, StoreError> {
        processes::list(self.session()?, query)
    }

    fn segments(&mut self, task: &TaskId) -> Result<Vec<Segment>, StoreError> {
        beside::segments(self.session()?, task)
    }

    fn tasks(&mut self, query: &TaskQuery) -> Result<Vec<Task>, StoreError> {
        // Arrival numbers are never negative.
        let (after, limit) = (query.after_arrival.map_or(Ok(-1), integer)?, rows_of(query.limit));
        let client = query.client.as_ref().map(|id| id.as_str());
        let team = query.team.as_ref().map(|id| id.as_str());
        let asked = [("client", client), ("team", team), ("state", query.state.as_deref())];
        let given: Vec<_> = asked.iter().filter_map(|(column, value)| value.map(|value| (column, value))).collect();
        let mut values: Vec<&(dyn ToSql + Sync)> = vec![&after, &limit];
        let mut condition = String::from("arrival > $1");
        for (column, value) in &given {
            values.push(value);
            condition += &format!(" AND {column} = ${}", values.len());
        }
        let sql = format!("SELECT {TASK_COLUMNS} FROM tasks WHERE {condition} ORDER BY arrival LIMIT $2");
        self.rows(&sql, &values, task)
    }

    fn costs(&mut self, query: CostQuery) -> Result<Vec<Cost>, StoreError> {
        lists::costs(self.session()?, query)
    }

    fn matter(&mut self, client: &ClientId, matter: &MatterId, at: DateTime<Utc>) -> Result<MatterTasks, StoreError> {
        let sql = format!(
            "WITH of_matter AS (SELECT id, arrival, ended_at <= $3 AND emptied_at IS NULL AS closed,
                                  ended_at IS NULL OR ended_at > $3 AS open
                                FROM tasks WHERE client = $1 AND matter = $2)
             SELECT count(*), count(*) FILTER (WHERE closed), count(*) FILTER (WHERE open),
               ARRAY(SELECT id FROM of_matter WHERE closed ORDER BY arrival LIMIT {MAX_PURGED_NAMED}),
               ARRAY(SELECT id FROM of_matter WHERE open ORDER BY arrival LIMIT {MAX_PURGED_NAMED})
             FROM of_matter"
        );
        let named = |row: &Row, column| {
            let ids: Vec<&str> = get(row, column)?;
            ids.into_iter().map(|id| TaskId::new(id).map_err(|error| bad(column, &error))).collect::<Result<_, _>>()
        };
        let values: Values<'_> = &[&client.as_str(), &matter.as_str(), &at.timestamp_millis()];
        let found = self.one(&sql, values, |row| {
            Ok(MatterTasks {
                is_known: unsigned(row, 0)? > 0,
                closed: unsigned(row, 1)?,
                closed_named: named(row, 3)?,
                open: unsigned(row, 2)?,
                open_named: named(row, 4)?,
            })
        });
        Ok(found?.unwrap_or_default())
    }

    fn demand(&mut self, now: Hour) -> Result<Demand, StoreError> {
        self.session()?.snapshot(|session| lists::demand(session, now))
    }

    fn overrides_before(&mut self, fact: FactSeq) -> Result<Overrides, StoreError> {
        self.session()?.snapshot(|session| lists::overrides_before(session, fact))
    }

    fn roster(&mut self, digest: &RosterDigest) -> Result<Option<RosterVersion>, StoreError> {
        let sql = "SELECT digest, text, first_at, (SELECT coalesce(min(seq), 0) FROM roster_history WHERE digest = $1)
                   FROM rosters WHERE digest = $1";
        self.one(sql, &[&&*digest.0], roster)
    }
}
