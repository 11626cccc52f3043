//! What a batch writes beside facts and tasks: answers, walls, messages under way, rosters, overrides, segments, marks.

use tokio_postgres::types::ToSql;

use super::columns::{get, id, id_of, instant, unsigned};
use super::session::{Session, Values};
use crate::engine::id::TaskId;
use crate::engine::sla::{Segment, SegmentEnd};
use crate::engine::task::Arrival;
use crate::store::rows::{integer, refusal_text, sender};
use crate::store::{Batch, Conflict, Purge, RosterVersion, StoreError};

/// Writes all of it but the segments.
pub(super) fn write(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    write_answers(session, batch)?;
    write_kept(session, batch)?;
    write_suspects(session, batch)?;
    write_delivery(session, batch)?;
    write_demand(session, batch)?;
    for Conflict { team, client, matter, seq } in &batch.conflicts {
        let sql = "INSERT INTO conflicts (team, client, matter, seq) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let values: Values<'_> = &[&team.as_str(), &client.as_str(), &matter.as_str(), &integer(seq.0)?];
        session.execute("writing a conflict", sql, values)?;
    }
    for Purge { seq, client, matter, at } in &batch.purges {
        let sql = "INSERT INTO purges (seq, client, matter, at) VALUES ($1, $2, $3, $4)";
        let values: Values<'_> = &[&integer(seq.0)?, &client.as_str(), &matter.as_str(), &at.timestamp_millis()];
        session.execute("writing a purge", sql, values)?;
    }
    if let Some(roster) = &batch.roster {
        write_roster(session, roster)?;
    }
    write_overrides(session, batch)?;
    write_marks(session, batch)?;
    write_walls(session, batch)
}

/// The first answer to an update stands: every repeat gets the same.
fn write_answers(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    if batch.updates.is_empty() {
        return Ok(());
    }
    let (mut senders, mut ids, mut refused, mut digests) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (from, id, result) in &batch.updates {
        senders.push(sender(from));
        ids.push(id.as_str());
        refused.push(refusal_text(id, result.refused.as_ref())?);
        digests.push(result.digest.as_ref().map(|digest| digest.0.as_slice()));
    }
    let at = batch.at.map(|at| at.timestamp_millis());
    let sql = "INSERT INTO updates (sender, id, refused, digest, at)
               SELECT *, $5::BIGINT FROM unnest($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::BYTEA[]) ON CONFLICT DO NOTHING";
    session.execute("writing answers", sql, &[&senders, &ids, &refused, &digests, &at]).map(drop)
}

fn write_kept(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    for kept in &batch.kept {
        let row = serde_json::to_string(kept)
            .map_err(|error| StoreError::Inconsistent(format!("update {}: {error}", kept.update.id)))?;
        let sql = "INSERT INTO kept_updates (sender, id, row) VALUES ($1, $2, $3)";
        session.execute("keeping an update", sql, &[&sender(&kept.update.sender), &kept.update.id.as_str(), &row])?;
    }
    for (from, id, refused) in &batch.kept_done {
        let (from, id_text) = (sender(from), id.as_str());
        let sql = "DELETE FROM kept_updates WHERE sender = $1 AND id = $2";
        session.execute("dropping a kept update", sql, &[&from, &id_text])?;
        if refused.is_some() {
            let sql = "UPDATE updates SET refused = $3 WHERE sender = $1 AND id = $2";
            let values: Values<'_> = &[&from, &id_text, &refusal_text(id, refused.as_ref())?];
            session.execute("refusing a kept update", sql, values)?;
        }
    }
    Ok(())
}

fn write_suspects(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    for (message, attempts) in &batch.suspects {
        let sql = "INSERT INTO suspects (message, attempts) VALUES ($1, $2)
                   ON CONFLICT (message) DO UPDATE SET attempts = excluded.attempts";
        session.execute("writing a suspect", sql, &[&message.as_slice(), &i64::from(*attempts)])?;
    }
    for message in &batch.cleared_suspects {
        session.execute("clearing a suspect", "DELETE FROM suspects WHERE message = $1", &[&message.as_slice()])?;
    }
    Ok(())
}

fn write_delivery(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    for (team, seq) in &batch.cursors {
        let sql = "INSERT INTO cursors (team, seq) VALUES ($1, $2)
                   ON CONFLICT (team) DO UPDATE SET seq = greatest(cursors.seq, excluded.seq)";
        session.execute("writing a cursor", sql, &[&team.as_str(), &integer(seq.0)?])?;
    }
    for (seq, team) in &batch.undelivered {
        let sql = "INSERT INTO undelivered (seq, team) VALUES ($1, $2)
                   ON CONFLICT (seq) DO UPDATE SET team = excluded.team";
        session.execute("writing an undelivered fact", sql, &[&integer(seq.0)?, &team.as_str()])?;
    }
    let numbers =
        |of: &[crate::wire::fact::FactSeq]| of.iter().map(|seq| integer(seq.0)).collect::<Result<Vec<_>, _>>();
    if !batch.delivered.is_empty() {
        let sql = "DELETE FROM undelivered WHERE seq = ANY($1::BIGINT[])";
        session.execute("clearing undelivered facts", sql, &[&numbers(&batch.delivered)?])?;
    }
    if !batch.suppressed.is_empty() {
        let sql = "UPDATE facts SET suppressed = TRUE WHERE seq = ANY($1::BIGINT[])";
        session.execute("marking suppressed messages", sql, &[&numbers(&batch.suppressed)?])?;
    }
    Ok(())
}

fn write_demand(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    for ((hour, capability), minutes) in &batch.arrivals {
        let sql = "INSERT INTO arrivals (hour, capability, minutes) VALUES ($1, $2, $3)
                   ON CONFLICT (hour, capability) DO UPDATE SET minutes = arrivals.minutes + excluded.minutes";
        session.execute("writing arrivals", sql, &[hour, capability, &integer(*minutes)?])?;
    }
    for ((hour, capability), minutes) in &batch.outlooks {
        let sql = "INSERT INTO outlooks (hour, capability, minutes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
        session.execute("writing an outlook", sql, &[hour, capability, &integer(*minutes)?])?;
    }
    Ok(())
}

/// A roster may come into force again; its bytes are kept once.
fn write_roster(session: &mut Session, roster: &RosterVersion) -> Result<(), StoreError> {
    let (digest, text, at) = (&*roster.digest.0, &*roster.text, roster.at.timestamp_millis());
    let insert = "INSERT INTO rosters (digest, text, first_at) VALUES ($1, $2, $3) ON CONFLICT (digest) DO NOTHING";
    session.execute("writing a roster", insert, &[&digest, &text, &at])?;
    let insert = "INSERT INTO roster_history (digest, at, seq) VALUES ($1, $2, $3)";
    session.execute("writing a roster", insert, &[&digest, &at, &integer(roster.seq.0)?]).map(drop)
}

fn write_overrides(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    for (it, seq) in &batch.overrides {
        let row = serde_json::to_string(it)
            .map_err(|error| StoreError::Inconsistent(format!("override {}: {error}", it.id)))?;
        let (id, seq) = (integer(it.id)?, integer(seq.0)?);
        match it.ended_at.map(|at| at.timestamp_millis()) {
            None => {
                let sql = "INSERT INTO overrides (id, row, set_seq) VALUES ($1, $2, $3)";
                session.execute("writing an override", sql, &[&id, &row, &seq])?;
            }
            Some(ended_at) => {
                let sql = "UPDATE overrides SET row = $2, ended_seq = $3, ended_at = $4 WHERE id = $1";
                if session.execute("ending an override", sql, &[&id, &row, &seq, &ended_at])? == 0 {
                    return Err(StoreError::Inconsistent(format!("override {} ends and was never set", it.id)));
                }
            }
        }
    }
    Ok(())
}

fn write_marks(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    let (mut kept, mut values, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for (mark, value) in &batch.marks {
        let text =
            serde_json::to_string(mark).map_err(|error| StoreError::Inconsistent(format!("mark {mark:?}: {error}")))?;
        if *value == 0 {
            gone.push(text);
        } else {
            kept.push(text);
            values.push(integer(*value)?);
        }
    }
    if !gone.is_empty() {
        session.execute("forgetting marks", "DELETE FROM marks WHERE mark = ANY($1::TEXT[])", &[&gone])?;
    }
    if !kept.is_empty() {
        let sql = "INSERT INTO marks (mark, value) SELECT * FROM unnest($1::TEXT[], $2::BIGINT[])
                   ON CONFLICT (mark) DO UPDATE SET value = excluded.value";
        session.execute("writing marks", sql, &[&kept, &values])?;
    }
    Ok(())
}

fn write_walls(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    let Some(walls) = &batch.walls else { return Ok(()) };
    session.execute("replacing the walls", "DELETE FROM walls", &[])?;
    for (team, client, matter) in walls {
        let matter = matter.as_ref().map(|matter| matter.as_str());
        let sql = "INSERT INTO walls (team, client, matter) VALUES ($1, $2, $3)";
        session.execute("writing a wall", sql, &[&team.as_str(), &client.as_str(), &matter])?;
    }
    Ok(())
}

/// Adds segments; one that does not follow the last one of its clock is refused.
pub(super) fn write_segments(session: &mut Session, segments: &[Segment]) -> Result<(), StoreError> {
    let sql = "INSERT INTO sla_segments (arrival, clock, number, from_at, until_at, holder, standing, counted_ms, closed_by)
               SELECT $1::BIGINT, $2::TEXT, $3::BIGINT, $4::BIGINT, $5::BIGINT, $6::TEXT, $7::TEXT, $8::BIGINT, $9::TEXT
               WHERE $3 = 1 OR (SELECT until_at FROM sla_segments WHERE arrival = $1 AND clock = $2 AND number = $3 - 1) = $4";
    for segment in segments {
        let holder = segment.holder.as_ref().map(|team| team.as_str());
        let standing = segment.standing.as_ref().map(|reason| reason.as_str());
        let values: [&(dyn ToSql + Sync); 9] = [
            &integer(segment.task.0)?,
            &segment.clock.as_str(),
            &i64::from(segment.number),
            &segment.from.timestamp_millis(),
            &segment.until.timestamp_millis(),
            &holder,
            &standing,
            &segment.counted_ms,
            &segment.closed_by.as_str(),
        ];
        if session.execute("writing a segment", sql, &values)? == 0 {
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
pub(super) fn segments(session: &mut Session, task: &TaskId) -> Result<Vec<Segment>, StoreError> {
    let sql =
        "SELECT arrival, clock, number, from_at, until_at, holder, standing, counted_ms, closed_by FROM sla_segments
               WHERE arrival = (SELECT arrival FROM tasks WHERE id = $1) ORDER BY clock, number";
    let rows = session.query("reading the ledger", sql, &[&task.as_str()])?;
    let segment = |row: &tokio_postgres::Row| {
        let word: &str = get(row, 8)?;
        let closed_by = SegmentEnd::ALL.into_iter().find(|end| end.as_str() == word);
        let number = u32::try_from(unsigned(row, 2)?);
        Ok(Segment {
            task: Arrival(unsigned(row, 0)?),
            clock: id_of(row, 1)?,
            number: number.map_err(|error| super::columns::bad(2, &error))?,
            from: instant(get(row, 3)?)?,
            until: instant(get(row, 4)?)?,
            holder: id(row, 5)?,
            standing: id(row, 6)?,
            counted_ms: get(row, 7)?,
            closed_by: closed_by
                .ok_or_else(|| super::columns::bad(8, &format!("nothing that closes a segment is called {word:?}")))?,
        })
    };
    rows.iter().map(segment).collect()
}
