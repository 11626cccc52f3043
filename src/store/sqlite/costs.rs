//! What was worked and what it cost, summed over the parts of holders in the rows of ended tasks.

use rusqlite::{Connection, params};

use super::columns::{fault, unsigned};
use super::write::prepare;
use crate::store::StoreError;
use crate::wire::cost::{Cost, CostBy, CostQuery};

pub(super) fn read(connection: &Connection, query: CostQuery) -> Result<Vec<Cost>, StoreError> {
    let of = match query.by {
        CostBy::Client => "tasks.client",
        CostBy::Team => "part.value ->> '$.team'",
    };
    let sql = format!(
        "SELECT {of} AS name, count(DISTINCT tasks.arrival), sum(ifnull(part.value ->> '$.worked_seconds', 0)),
                sum(ifnull(part.value ->> '$.cost_cents', 0))
         FROM tasks, json_each(tasks.row, '$.holders') AS part
         WHERE ended_at >= ?1 AND ended_at < ?2
         GROUP BY name ORDER BY name"
    );
    let mut statement = prepare(connection, &sql)?;
    let span = params![query.from.timestamp_millis(), query.until.timestamp_millis()];
    let rows = statement.query_map(span, |row| {
        Ok(Cost {
            of: row.get(0)?,
            tasks: unsigned(row, 1)?,
            worked_seconds: unsigned(row, 2)?,
            cost_cents: unsigned(row, 3)?,
        })
    });
    rows.map_err(fault("reading costs"))?.collect::<Result<_, _>>().map_err(fault("reading costs"))
}
