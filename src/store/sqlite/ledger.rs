//! Segments of clocks: added once, each where the one before it ended.

use rusqlite::{Connection, Row, params};

use super::columns::{bad, fault, id, id_of, instant};
use crate::engine::id::TaskId;
use crate::engine::sla::{Segment, SegmentEnd};
use crate::engine::task::Arrival;
use crate::store::StoreError;
use crate::store::rows::integer;

/// Adds segments; one that does not follow the last one of its clock is refused.
pub(super) fn write(connection: &Connection, segments: &[Segment]) -> Result<(), StoreError> {
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO sla_segments (arrival, clock, number, from_at, until_at, holder, standing, counted_ms, closed_by)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9
             WHERE (SELECT until_at FROM sla_segments WHERE arrival = ?1 AND clock = ?2 AND number = ?3 - 1) = ?4
                OR ?3 = 1",
        )
        .map_err(fault("preparing a statement"))?;
    for segment in segments {
        let values = params![
            integer(segment.task.0)?,
            segment.clock.as_str(),
            segment.number,
            segment.from.timestamp_millis(),
            segment.until.timestamp_millis(),
            segment.holder.as_ref().map(|team| team.as_str()),
            segment.standing.as_ref().map(|reason| reason.as_str()),
            segment.counted_ms,
            segment.closed_by.as_str(),
        ];
        if insert.execute(values).map_err(fault("writing a segment"))? == 0 {
            let Segment { task, clock, number, .. } = segment;
            return Err(StoreError::Inconsistent(format!(
                "segment {number} of clock {clock} of task number {} does not follow its last one",
                task.0
            )));
        }
    }
    Ok(())
}

/// The segments of a task, clock by clock, in order.
pub(super) fn read(connection: &Connection, task: &TaskId) -> Result<Vec<Segment>, StoreError> {
    let mut statement = connection
        .prepare_cached(
            "SELECT arrival, clock, number, from_at, until_at, holder, standing, counted_ms, closed_by FROM sla_segments
             WHERE arrival = (SELECT arrival FROM tasks WHERE id = ?1) ORDER BY clock, number",
        )
        .map_err(fault("reading the ledger"))?;
    let rows = statement.query_map([task.as_str()], segment).map_err(fault("reading the ledger"))?;
    rows.collect::<Result<_, _>>().map_err(fault("reading the ledger"))
}

fn segment(row: &Row<'_>) -> rusqlite::Result<Segment> {
    let word: String = row.get(8)?;
    let closed_by = SegmentEnd::ALL.into_iter().find(|end| end.as_str() == word);
    Ok(Segment {
        task: Arrival(super::columns::unsigned(row, 0)?),
        clock: id_of(row, 1)?,
        number: row.get(2)?,
        from: instant(3, row.get(3)?)?,
        until: instant(4, row.get(4)?)?,
        holder: id(row, 5)?,
        standing: id(row, 6)?,
        counted_ms: row.get(7)?,
        closed_by: closed_by.ok_or_else(|| bad(8, format!("nothing that closes a segment is called {word:?}")))?,
    })
}
