//! What came in each hour, what is booked, and what was said would come.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{fault, unsigned};
use super::write::{execute, prepare};
use crate::engine::outlook::{Demand, HOURS, Hour, WEEK_HOURS, WEEKS};
use crate::store::rows::integer;
use crate::store::{Batch, StoreError};

/// Hours that are kept beyond those that are looked back on.
const SPARE_HOURS: i64 = 24;

/// The remaining effort of open tasks by what they ask for: as the holder last reported it, else as the last one left it.
const BOOKED: &str = "SELECT ifnull(row ->> '$.needs.jurisdiction', '*') || '/' || ifnull(row ->> '$.needs.specialty', '*'),
       sum(coalesce(row ->> '$.state.remaining_minutes', row ->> '$.holders[#-1].remaining_minutes', row ->> '$.effort_minutes'))
     FROM tasks WHERE state IN ('waiting', 'offered', 'active') GROUP BY 1";

pub(super) fn write(connection: &Connection, batch: &Batch) -> Result<(), StoreError> {
    let mut add = prepare(
        connection,
        "INSERT INTO arrivals (hour, capability, minutes) VALUES (?1, ?2, ?3)
         ON CONFLICT (hour, capability) DO UPDATE SET minutes = minutes + excluded.minutes",
    )?;
    for ((hour, capability), minutes) in &batch.arrivals {
        execute(&mut add, params![hour, capability, integer(*minutes)?], "writing arrivals")?;
    }
    let mut say = prepare(
        connection,
        "INSERT INTO outlooks (hour, capability, minutes) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    for ((hour, capability), minutes) in &batch.outlooks {
        execute(&mut say, params![hour, capability, integer(*minutes)?], "writing an outlook")?;
    }
    Ok(())
}

/// What an outlook at an hour rests on.
pub(super) fn read(connection: &Connection, now: Hour) -> Result<Demand, StoreError> {
    let during = "reading the demand";
    let by_hour = |row: &Row<'_>| Ok(((row.get(0)?, row.get(1)?), unsigned(row, 2)?));
    let since = now - WEEKS * WEEK_HOURS;
    let past = |table: &str| {
        let mut select =
            prepare(connection, &format!("SELECT hour, capability, minutes FROM {table} WHERE hour >= ?1"))?;
        let rows = select.query_map([since], by_hour).map_err(fault(during))?;
        rows.collect::<Result<_, _>>().map_err(fault(during))
    };
    let mut booked = prepare(connection, BOOKED)?;
    let booked = booked.query_map([], |row| Ok((row.get(0)?, unsigned(row, 1)?))).map_err(fault(during))?;
    // As old as the store is, or as far back as its facts go: an hour without a row is one in which nothing came.
    let known_from = connection
        .query_row("SELECT at / 3600000 FROM facts ORDER BY seq LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(fault(during))?;
    Ok(Demand {
        booked: booked.collect::<Result<_, _>>().map_err(fault(during))?,
        arrivals: past("arrivals")?,
        known_from,
        said: past("outlooks")?,
    })
}

/// Forgets what is not looked back on any more.
pub(super) fn forget(connection: &Connection, now: Hour) -> Result<(), StoreError> {
    let before = now - WEEKS * WEEK_HOURS - HOURS - SPARE_HOURS;
    for sql in ["DELETE FROM arrivals WHERE hour < ?1", "DELETE FROM outlooks WHERE hour < ?1"] {
        execute(&mut prepare(connection, sql)?, [before], "forgetting the demand")?;
    }
    Ok(())
}
