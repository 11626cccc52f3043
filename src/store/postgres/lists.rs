//! Overrides, costs and demand as they are read.

use super::columns::{get, json, unsigned};
use super::session::{Session, Values};
use crate::engine::outlook::{Demand, HOURS, Hour, WEEK_HOURS, WEEKS};
use crate::engine::overrides::{KEPT_FOR, Override, Overrides};
use crate::store::StoreError;
use crate::store::rows::integer;
use crate::wire::cost::{Cost, CostBy, CostQuery};
use crate::wire::fact::FactSeq;

/// Hours that are kept beyond those that are looked back on.
const SPARE_HOURS: i64 = 24;

/// The remaining effort of open tasks by what they ask for: as the holder last reported it, else as the last one left it.
const BOOKED: &str = "SELECT coalesce(r -> 'needs' ->> 'jurisdiction', '*') || '/' || coalesce(r -> 'needs' ->> 'specialty', '*'),
       sum(coalesce(r -> 'state' ->> 'remaining_minutes', r -> 'holders' -> -1 ->> 'remaining_minutes', r ->> 'effort_minutes')::BIGINT)::BIGINT
     FROM (SELECT row::JSON AS r FROM tasks WHERE state IN ('waiting', 'offered', 'active')) AS open GROUP BY 1";

/// Those that a start goes on with: not ended, or ended not long before `at`.
pub(super) fn overrides_at_start(session: &mut Session, at: Option<i64>) -> Result<Overrides, StoreError> {
    let since = at.map_or(i64::MIN, |at| at - KEPT_FOR.num_milliseconds());
    let found = overrides(session, "ended_at IS NULL OR ended_at >= $1", &[&since])?;
    let last = session.one("reading the overrides", "SELECT coalesce(max(id), 0) FROM overrides", &[])?;
    Ok(Overrides::of(found, last.map_or(Ok(0), |row| unsigned(&row, 0))?))
}

/// As they were before a fact: those that ended with it or later had not.
pub(super) fn overrides_before(session: &mut Session, fact: FactSeq) -> Result<Overrides, StoreError> {
    let seq = integer(fact.0)?;
    let ended = overrides(session, "ended_seq < $1", &[&seq])?;
    let stood = overrides(session, "set_seq < $1 AND (ended_seq IS NULL OR ended_seq >= $1)", &[&seq])?;
    let stood = stood.into_iter().map(|it| Override { ended_at: None, ..it });
    Ok(Overrides::of(ended.into_iter().chain(stood), 0))
}

fn overrides(session: &mut Session, which: &str, values: Values<'_>) -> Result<Vec<Override>, StoreError> {
    let sql = format!("SELECT row FROM overrides WHERE {which}");
    session.query("reading the overrides", &sql, values)?.iter().map(|row| json(row, 0)).collect()
}

/// The last fact that told of a change of the roster or of overrides.
pub(super) fn check_index(session: &mut Session) -> Result<FactSeq, StoreError> {
    let sql = "SELECT greatest(coalesce((SELECT max(seq) FROM roster_history), 0),
               coalesce((SELECT max(greatest(set_seq, coalesce(ended_seq, 0))) FROM overrides), 0))";
    let row = session.one("reading the check index", sql, &[])?;
    Ok(FactSeq(row.map_or(Ok(0), |row| unsigned(&row, 0))?))
}

/// What was worked and what it cost, summed over the parts of holders in the rows of ended tasks.
pub(super) fn costs(session: &mut Session, query: CostQuery) -> Result<Vec<Cost>, StoreError> {
    let of = match query.by {
        CostBy::Client => "tasks.client",
        CostBy::Team => "part ->> 'team'",
    };
    let sql = format!(
        "SELECT {of} COLLATE \"C\" AS name, count(DISTINCT tasks.arrival),
                sum(coalesce((part ->> 'worked_seconds')::BIGINT, 0))::BIGINT,
                sum(coalesce((part ->> 'cost_cents')::BIGINT, 0))::BIGINT
         FROM tasks, json_array_elements(tasks.row::JSON -> 'holders') AS part
         WHERE ended_at >= $1 AND ended_at < $2 GROUP BY name ORDER BY name"
    );
    let span: Values<'_> = &[&query.from.timestamp_millis(), &query.until.timestamp_millis()];
    let cost = |row: &tokio_postgres::Row| {
        Ok(Cost {
            of: get::<&str>(row, 0)?.into(),
            tasks: unsigned(row, 1)?,
            worked_seconds: unsigned(row, 2)?,
            cost_cents: unsigned(row, 3)?,
        })
    };
    session.query("reading costs", &sql, span)?.iter().map(cost).collect()
}

/// What an outlook at an hour rests on.
pub(super) fn demand(session: &mut Session, now: Hour) -> Result<Demand, StoreError> {
    let during = "reading the demand";
    let booked = session.query(during, BOOKED, &[])?;
    let since = now - WEEKS * WEEK_HOURS;
    let mut past = |table: &str| {
        let sql = format!("SELECT hour, capability, minutes FROM {table} WHERE hour >= $1");
        let rows = session.query(during, &sql, &[&since])?;
        rows.iter().map(|row| Ok(((get(row, 0)?, get(row, 1)?), unsigned(row, 2)?))).collect::<Result<_, StoreError>>()
    };
    let (arrivals, said) = (past("arrivals")?, past("outlooks")?);
    // As old as the store is, or as far back as its facts go: an hour without a row is one in which nothing came.
    let known_from = session.one(during, "SELECT at / 3600000 FROM facts ORDER BY seq LIMIT 1", &[])?;
    Ok(Demand {
        booked: booked.iter().map(|row| Ok((get(row, 0)?, unsigned(row, 1)?))).collect::<Result<_, StoreError>>()?,
        arrivals,
        known_from: known_from.map(|row| get(&row, 0)).transpose()?,
        said,
    })
}

/// Forgets the demand that is not looked back on any more.
pub(super) fn forget_demand(session: &mut Session, now: Hour) -> Result<(), StoreError> {
    let before = now - WEEKS * WEEK_HOURS - HOURS - SPARE_HOURS;
    for sql in ["DELETE FROM arrivals WHERE hour < $1", "DELETE FROM outlooks WHERE hour < $1"] {
        session.execute("forgetting the demand", sql, &[&before])?;
    }
    Ok(())
}
