//! Who leads: one lease with an epoch, on the database's clock.
//!
//! What is promised: an epoch is given once; nothing is written under one that is not the newest (see `fence` in
//! `version_1.sql`). The lease only says when another daemon may try; the fence is what keeps the former one out.

use std::time::Duration;

use super::columns::{get, unsigned};
use super::session::Session;
use crate::store::rows::integer;
use crate::store::{Leader, StoreError};

/// Who leads now, and whether its lease has run out.
fn look_at(session: &mut Session, lock: &str) -> Result<(Leader, bool), StoreError> {
    let sql = format!(
        "SELECT epoch, holder, expires_at <= clock_timestamp(),
           (extract(epoch FROM expires_at - clock_timestamp()) * 1000)::BIGINT FROM lease {lock}"
    );
    let row = session.one("reading the lease", &sql, &[])?;
    let row = row.ok_or_else(|| StoreError::Inconsistent("table lease is empty".into()))?;
    let holder: &str = get(&row, 1)?;
    Ok((Leader { epoch: unsigned(&row, 0)?, holder: holder.into(), expires_in_ms: get(&row, 3)? }, get(&row, 2)?))
}

/// Who leads, or led last.
pub(super) fn leader(session: &mut Session) -> Result<Leader, StoreError> {
    look_at(session, "").map(|(leader, _)| leader)
}

/// Takes the lease when it has run out: the new epoch, or who leads. The session is the writer from then on.
pub(super) fn take(
    session: &mut Session,
    holder: &str,
    lease_for: Duration,
) -> Result<Result<u64, Leader>, StoreError> {
    let during = "taking the lease";
    session.run(during, "BEGIN")?;
    let (leader, is_over) = look_at(session, "FOR UPDATE")?;
    if !is_over {
        session.run(during, "ROLLBACK")?;
        return Ok(Err(leader));
    }
    // A writer that was stopped in a transaction would keep the fence; only the very one that is written down is ended.
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity, lease
               WHERE pid = writer_pid AND backend_start = writer_started AND pid <> pg_backend_pid()";
    session.query(during, end, &[])?;
    let raise = "UPDATE fence SET epoch = epoch + 1 RETURNING epoch";
    let row = session.one(during, raise, &[])?;
    let row = row.ok_or_else(|| StoreError::Inconsistent("table fence is empty".into()))?;
    let epoch: i64 = get(&row, 0)?;
    let write =
        "UPDATE lease SET epoch = $1, holder = $2, expires_at = clock_timestamp() + $3 * INTERVAL '1 millisecond',
                   writer_pid = pg_backend_pid(),
                   writer_started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())
                 RETURNING epoch";
    session.query(during, write, &[&epoch, &holder, &milliseconds(lease_for)])?;
    session.run(during, "COMMIT")?;
    Ok(Ok(epoch.unsigned_abs()))
}

/// Renews the lease of an epoch; `false` when another one has begun.
pub(super) fn renew(session: &mut Session, epoch: u64, lease_for: Duration) -> Result<bool, StoreError> {
    let sql = "UPDATE lease SET expires_at = clock_timestamp() + $2 * INTERVAL '1 millisecond' WHERE epoch = $1";
    let epoch = integer(epoch)?;
    Ok(session.execute("renewing the lease", sql, &[&epoch, &milliseconds(lease_for)])? == 1)
}

/// Holds the fence for this transaction; the first statement of every one that writes.
pub(super) fn hold(session: &mut Session, epoch: u64) -> Result<(), StoreError> {
    let sql = "SELECT epoch FROM fence WHERE epoch = $1 FOR SHARE";
    let held = session.one("holding the fence", sql, &[&integer(epoch)?])?;
    held.map(drop).ok_or(StoreError::Fenced { epoch })
}

/// The last statement before every commit, read to its end: a transaction that was broken off shows here, since its commit
/// may look like any other. From here on the server's limit is off: a commit that waits for a copy must not be cut short,
/// as it would be reported as done.
pub(super) fn check(session: &mut Session, epoch: u64) -> Result<(), StoreError> {
    let sql = "SELECT epoch, set_config('statement_timeout', '0', TRUE) FROM fence WHERE epoch = $1";
    let held = session.query("checking the fence", sql, &[&integer(epoch)?])?;
    if held.len() == 1 { Ok(()) } else { Err(StoreError::Fenced { epoch }) }
}

/// How far the database's clock is ahead of an instant of this machine, in milliseconds since 1970; asked of a session whose
/// answers are quick.
pub(super) fn clock_ms(session: &mut Session) -> Result<i64, StoreError> {
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::BIGINT";
    let row = session.one("reading the database's clock", sql, &[])?;
    row.map_or_else(|| Err(StoreError::Inconsistent("the database has no clock".into())), |row| get(&row, 0))
}

fn milliseconds(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}
