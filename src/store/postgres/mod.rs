//! The store for a pair of daemons: one PostgreSQL database, one leader that writes, a standby that follows.
//!
//! What is promised:
//! - [`Writer::commit`] returns after the server has the batch on disk (`synchronous_commit=on`, and `fsync` and
//!   `full_page_writes` read back); a batch is there as a whole or not at all.
//! - Whoever writes holds the fence of its epoch in the same transaction: from the moment in which another daemon leads,
//!   nothing of an earlier leader is committed, whatever its clock says.
//! - Every call ends within a deadline; after a failure nothing is written any more by this writer.
//!
//! Where the server has a copy that takes over by itself, acknowledged work survives that only with synchronous
//! replication; [`Candidate::durability`] says whether there is any.

mod beside;
mod columns;
mod forget;
mod lease;
mod lists;
mod processes;
mod read;
mod recover;
mod schema;
mod session;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::recover::Warm;
use self::session::{Driver, Purpose, Session};
use super::tip::Tip;
use super::{Batch, Forgetting, Forgotten, Leader, Reader, Recovered, StoreError, Writer};
use crate::settings::Secret;

/// Where the database is and what a daemon is called there.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub url: Secret,
    /// The authorities that may sign the server's certificate, in PEM; the system's when absent.
    pub ca_file: Option<PathBuf>,
    /// Whether passwords may cross the network in clear.
    pub allow_plain_remote: bool,
    /// What others are told of who leads: where its HTTP is, such as `10.0.0.1:8321`.
    pub holder: String,
    /// How long a lease lasts.
    pub lease_for: Duration,
}

/// How safe a commit is, as the server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On the disk of a synchronous copy too.
    Replicated,
    /// On the server's own disk: its loss, or a fail-over of the database, may lose acknowledged work.
    ThisServer,
}

/// A daemon that follows the store and may lead.
pub struct Candidate {
    options: PostgresOptions,
    driver: Arc<Driver>,
    /// Would write, and until then looks at the lease.
    session: Session,
    /// Follows the tasks.
    following: Session,
    warm: Warm,
    durability: Durability,
}

impl Candidate {
    /// Connects, creates the tables where there are none, and checks what durability rests on.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when the server does not answer or turns the user away, [`StoreError::Setting`] when its
    /// disk may lose what it acknowledged, [`StoreError::TooNew`] when a newer version wrote the database,
    /// [`StoreError::Inconsistent`] when it is not a store.
    pub fn connect(options: PostgresOptions) -> Result<Self, StoreError> {
        let driver = Driver::start(&options)?;
        let mut following = driver.connect(Purpose::Upkeep)?;
        let durability = check_settings(&mut following)?;
        schema::migrate(&mut following)?;
        let session = driver.connect(Purpose::Write)?;
        Ok(Self { options, driver, session, following, warm: Warm::default(), durability })
    }

    /// How safe a commit is.
    #[must_use]
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// Reads what has changed since the last call, and who leads; says how many tasks are open.
    ///
    /// # Errors
    /// [`StoreError`]: connect anew.
    pub fn follow(&mut self) -> Result<(Leader, usize), StoreError> {
        self.warm.catch_up(&mut self.following)?;
        Ok((lease::leader(&mut self.session)?, self.warm.open_tasks()))
    }

    /// The database's clock, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError`]: connect anew.
    pub fn clock_ms(&mut self) -> Result<i64, StoreError> {
        lease::clock_ms(&mut self.session)
    }

    /// Leads, when nobody does: the writer and its lease.
    ///
    /// # Errors
    /// [`StoreError`]: connect anew.
    pub fn lead(mut self) -> Result<Led, StoreError> {
        match lease::take(&mut self.session, &self.options.holder, self.options.lease_for)? {
            Err(leader) => Ok(Led::By(leader, Box::new(self))),
            Ok(epoch) => {
                let renewing = self.driver.connect(Purpose::Write)?;
                let lease = Lease {
                    driver: Arc::clone(&self.driver),
                    session: renewing,
                    epoch,
                    lease_for: self.options.lease_for,
                };
                let (tip, batches) = self.following.snapshot(write::read_tip)?;
                let store = PostgresStore {
                    driver: self.driver,
                    session: self.session,
                    upkeep: self.following,
                    epoch,
                    tip,
                    batches,
                    warm: Some(self.warm),
                    failed: false,
                };
                Ok(Led::Here(Box::new(store), Box::new(lease)))
            }
        }
    }
}

/// What came of trying to lead.
pub enum Led {
    /// This daemon leads.
    Here(Box<PostgresStore>, Box<Lease>),
    /// Another one does.
    By(Leader, Box<Candidate>),
}

/// What must hold for an acknowledged commit to be on disk.
fn check_settings(session: &mut Session) -> Result<Durability, StoreError> {
    let during = "reading the server's settings";
    for (name, wanted) in [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")] {
        let row = session.one(during, "SELECT current_setting($1)", &[&name])?;
        let found = row.map_or(Ok(String::new()), |row| columns::get(&row, 0))?;
        if found != wanted {
            return Err(StoreError::Setting { name, found, wanted });
        }
    }
    let row = session.one(during, "SELECT current_setting('synchronous_standby_names') <> ''", &[])?;
    let is_replicated = row.map_or(Ok(false), |row| columns::get(&row, 0))?;
    Ok(if is_replicated { Durability::Replicated } else { Durability::ThisServer })
}

/// The right to write, for as long as it is renewed.
pub struct Lease {
    driver: Arc<Driver>,
    session: Session,
    epoch: u64,
    lease_for: Duration,
}

impl Lease {
    /// The number of this leadership; no other daemon ever has it.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How long it lasts from a renewal on.
    #[must_use]
    pub fn lasts_for(&self) -> Duration {
        self.lease_for
    }

    /// Renews it; `false` when another daemon leads.
    ///
    /// # Errors
    /// [`StoreError`]: it may be tried again for as long as it lasts, on a new connection.
    pub fn renew(&mut self) -> Result<bool, StoreError> {
        if self.session.is_closed() {
            self.session = self.driver.connect(Purpose::Write)?;
        }
        lease::renew(&mut self.session, self.epoch, self.lease_for)
    }
}

/// Gives it back, so that another daemon need not wait for its end.
impl Drop for Lease {
    fn drop(&mut self) {
        if !self.session.is_closed() {
            // It ends by itself when this cannot be told.
            let _ = lease::renew(&mut self.session, self.epoch, Duration::ZERO);
        }
    }
}

/// The one writer of a database.
pub struct PostgresStore {
    driver: Arc<Driver>,
    session: Session,
    upkeep: Session,
    epoch: u64,
    tip: Tip,
    batches: i64,
    /// What a recovery starts from; taken by the first one.
    warm: Option<Warm>,
    failed: bool,
}

impl PostgresStore {
    /// Begins a new life, whose name is part of every message id from now on: for a database that was restored from a copy.
    ///
    /// # Errors
    /// [`StoreError`]; the writer must not be used again.
    pub fn begin_new_life(&mut self) -> Result<(), StoreError> {
        let sql = "UPDATE meta SET incarnation = substr(md5(gen_random_uuid()::TEXT), 1, 16)";
        self.fenced(|store| store.session.execute("beginning a new life", sql, &[]).map(drop))
    }

    /// Runs `work` unless an earlier call failed; after a failure this writer is not used again.
    fn guarded<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.failed {
            return Err(StoreError::Failed {
                during: "a call after a failure",
                message: "an earlier call failed; connect again and recover".into(),
            });
        }
        work(self).inspect_err(|_| self.failed = true)
    }

    /// One fenced transaction. A failure leaves it to the end of the connection to roll it back.
    fn fenced<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.guarded(|store| {
            store.session.run("begin", "BEGIN")?;
            lease::hold(&mut store.session, store.epoch)?;
            let done = work(store);
            if done.is_err() {
                // Nothing is lost when it cannot be told: the server rolls back what is not committed.
                let _ = store.session.run("rollback", "ROLLBACK");
            }
            let done = done?;
            lease::check(&mut store.session, store.epoch)?;
            store.session.run("commit", "COMMIT")?;
            Ok(done)
        })
    }
}

impl Writer for PostgresStore {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.guarded(|store| {
            let warm = store.warm.take().unwrap_or_default();
            recover::recover(&mut store.upkeep, warm)
        })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let number = self.batches + 1;
        let tip = self.fenced(|store| write::write(&mut store.session, batch, &store.tip, number))?;
        (self.tip, self.batches) = (tip, number);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(read::PostgresReader::open(&self.driver)?))
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        // The server does that itself.
        self.guarded(|_| Ok(()))
    }

    fn forget(&mut self, what: &Forgetting) -> Result<Forgotten, StoreError> {
        self.fenced(|store| forget::forget(&mut store.session, what, &store.tip))
    }

    fn cut_log(&mut self) -> Result<bool, StoreError> {
        self.guarded(|store| {
            let tables = "VACUUM payloads, process_payloads, words, facts";
            store.upkeep.run("tidying up what was forgotten", tables).map(|()| true)
        })
    }
}
