//! The PostgreSQL store keeps every promise of a store.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use heliograph::settings::Secret;
use heliograph::store::postgres::{Candidate, Durability, Lease, Led, PostgresOptions, PostgresStore};
use heliograph::store::{Batch, Forgetting, StoreError, Writer};
use heliograph::wire::fact::FactSeq;

use crate::conformance::{self, Backend, for_each_promise};
use crate::samples::{Chain, active, at, cancelled, completed, facts, offered, row, task, waiting};

/// A database of its own on the shared server, which is gone with this.
struct Database(String);

impl Database {
    fn fresh() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("store_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        sql("postgres", &format!("CREATE DATABASE {name}"));
        Self(name)
    }

    fn options(&self, lease_for: Duration) -> PostgresOptions {
        PostgresOptions {
            url: Secret::new(&format!("{}/{}", server(), self.0)),
            ca_file: None,
            allow_plain_remote: false,
            holder: "127.0.0.1:1".into(),
            lease_for,
        }
    }

    fn candidate(&self, lease_for: Duration) -> Candidate {
        Candidate::connect(self.options(lease_for)).expect("a candidate")
    }

    /// Leads at once: the lease of whoever led before has no length.
    fn lead(&self) -> (Box<PostgresStore>, Box<Lease>) {
        led(self.candidate(Duration::ZERO))
    }

    /// The next leader does not know whose connection to end, so that the fence alone keeps the former one out.
    fn spare_the_writer(&self) {
        self.sql("UPDATE lease SET writer_pid = NULL");
    }

    fn sql(&self, statements: &str) -> Vec<String> {
        sql(&self.0, statements)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        sql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.0));
    }
}

impl Backend for Database {
    fn open(&self) -> Box<dyn Writer> {
        self.lead().0
    }
}

fn led(candidate: Candidate) -> (Box<PostgresStore>, Box<Lease>) {
    match candidate.lead().expect("an answer") {
        Led::Here(store, lease) => (store, lease),
        Led::By(leader, _) => panic!("{leader:?} leads"),
    }
}

fn server() -> String {
    std::env::var("HELIOGRAPH_TEST_POSTGRES")
        .expect("HELIOGRAPH_TEST_POSTGRES names no server; run the tests by tests/bed/with_node.py")
}

/// Runs statements in a database; answers with the first column of the rows.
fn sql(database: &str, statements: &str) -> Vec<String> {
    let url = format!("{}/{database}", server());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
        let carrier = tokio::spawn(connection);
        let messages = client.simple_query(statements).await.expect("statements that run");
        drop(client);
        carrier.await.expect("no panic").expect("an end in order");
        let first = |message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        };
        messages.into_iter().filter_map(first).collect()
    })
}

macro_rules! on_postgres {
    ($($promise:ident,)*) => {
        $(#[test]
        fn $promise() {
            conformance::$promise(Database::fresh);
        })*
    };
}

for_each_promise!(on_postgres);

const LONG: Duration = Duration::from_secs(600);

#[test]
fn a_former_leader_writes_nothing_any_more() {
    let database = Database::fresh();
    let mut chain = Chain::default();
    let [first, second, third] = [(); 3].map(|()| chain.bare("roster.changed"));
    let (mut former, mut former_lease) = database.lead();
    former.commit(&facts(&[first])).expect("it leads");
    database.spare_the_writer();
    let (mut leader, lease) = database.lead();
    assert_eq!(lease.epoch(), former_lease.epoch() + 1);
    let refused = former.commit(&facts(std::slice::from_ref(&second))).expect_err("another one leads");
    assert!(matches!(refused, StoreError::Fenced { epoch: 1 }), "{refused}");
    assert!(!former_lease.renew().expect("an answer"), "its lease is over");
    leader.commit(&facts(&[second])).expect("it leads");
    former.commit(&facts(&[third])).expect_err("a writer that failed is not used again");
    assert_eq!(database.sql("SELECT last_seq || ' ' || (SELECT count(*) FROM facts) FROM meta"), ["2 2"]);
}

#[test]
fn a_former_leader_forgets_nothing_any_more() {
    let database = Database::fresh();
    let (mut former, _lease) = database.lead();
    database.spare_the_writer();
    let _leader = database.lead();
    let what = Forgetting {
        now: at(9_000_000),
        content_before: at(8_000_000),
        rows_before: at(8_000_000),
        read_over_http: vec![],
        portion: 10,
    };
    assert!(matches!(former.forget(&what), Err(StoreError::Fenced { epoch: 1 })));
}

#[test]
fn nobody_else_leads_while_a_lease_lasts_and_one_that_is_given_back_is_free_at_once() {
    let database = Database::fresh();
    let (_store, mut lease) = led(database.candidate(LONG));
    let Led::By(leader, standby) = database.candidate(LONG).lead().expect("an answer") else {
        panic!("two lead");
    };
    assert_eq!((leader.epoch, &*leader.holder), (1, "127.0.0.1:1"));
    assert!(leader.expires_in_ms > 500_000, "{leader:?}");
    assert!(lease.renew().expect("an answer"));
    drop(lease);
    let (_store, lease) = led(*standby);
    assert_eq!(lease.epoch(), 2);
}

#[test]
fn a_writer_that_is_stopped_inside_a_transaction_does_not_keep_the_next_leader_out() {
    let database = Database::fresh();
    drop(database.lead());
    let url = format!("{}/{}", server(), database.0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        // The backend of a daemon that was stopped while it held the fence: nothing more comes from it.
        let (stopped, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("a connection");
        let carrier = tokio::spawn(connection);
        let known = "UPDATE lease SET writer_pid = pg_backend_pid(),
                       writer_started = (SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid())";
        let held = "BEGIN; SELECT epoch FROM fence FOR SHARE; UPDATE meta SET next_arrival = 77";
        for statements in [known, held] {
            stopped.batch_execute(statements).await.expect("it holds the fence");
        }
        let (_store, lease) = database.lead();
        assert_eq!(lease.epoch(), 2);
        let ended = stopped.batch_execute("COMMIT").await.expect_err("its connection was ended");
        assert!(ended.is_closed() || ended.code().is_some(), "{ended}");
        // It was ended from the other side.
        let _ = carrier.await;
    });
    assert_eq!(database.sql("SELECT next_arrival FROM meta"), ["1"]);
}

#[test]
fn a_commit_on_a_connection_that_was_ended_is_told_as_a_failure() {
    let database = Database::fresh();
    let (mut store, _lease) = database.lead();
    database.sql("SELECT pg_terminate_backend(writer_pid, 5000) FROM lease");
    let mut chain = Chain::default();
    let failed = store.commit(&facts(&[chain.bare("roster.changed")])).expect_err("its connection is gone");
    assert!(matches!(failed, StoreError::Failed { .. }), "{failed}");
    assert_eq!(database.sql("SELECT count(*) FROM facts"), ["0"]);
}

#[test]
fn a_standby_goes_on_from_the_same_state_as_a_start_does() {
    let database = Database::fresh();
    let (mut store, lease) = database.lead();
    let mut chain = Chain::default();
    let mut follower = database.candidate(Duration::ZERO);
    let states = [waiting(), offered("sydney"), active("london"), completed("sydney", 40), cancelled(50)];
    for round in 0..40_u64 {
        let arrival = 1 + round % 13;
        let mut changed = task(arrival, states[(round / 13 + arrival) as usize % states.len()].clone());
        changed.effort_minutes = 60 + u32::try_from(round).expect("a small number");
        let batch = Batch {
            facts: vec![chain.fact("task.changed", &changed)],
            tasks: vec![row(&changed)],
            at: Some(at(0) + TimeDelta::minutes(i64::try_from(round).expect("a small number"))),
            watermark: Some(FactSeq(round)),
            ..Batch::default()
        };
        store.commit(&batch).expect("a commit");
        // Not after each of them, so that one look finds several changes of a task.
        if round % 3 == 0 {
            follower.follow().expect("a look");
        }
    }
    drop((store, lease));
    let (mut warm, lease) = led(follower);
    let warm = warm.recover().expect("a recovery");
    drop(lease);
    let cold = database.lead().0.recover().expect("a recovery");
    assert!(!cold.open.is_empty() && cold.open.len() < 13, "{} are open", cold.open.len());
    assert_eq!(format!("{warm:#?}"), format!("{cold:#?}"));
}

#[test]
fn a_database_of_another_program_and_one_of_a_newer_version_are_refused() {
    let database = Database::fresh();
    database.sql("CREATE TABLE theirs (x int)");
    let error = Candidate::connect(database.options(LONG)).err().expect("it is another program's");
    assert!(error.to_string().contains("give Heliograph a database of its own"), "{error}");
    database.sql("DROP TABLE theirs");
    drop(database.lead());
    database.sql("UPDATE meta SET schema_version = 99");
    let error = Candidate::connect(database.options(LONG)).err().expect("it is newer");
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }), "{error}");
}

#[test]
fn a_server_that_turns_the_daemon_away_is_told_apart_from_one_that_is_not_there() {
    let database = Database::fresh();
    let mut options = database.options(LONG);
    options.url = Secret::new(&format!("{}/no_such_database", server()));
    let error = Candidate::connect(options.clone()).err().expect("there is no such database");
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    options.url = Secret::new("postgresql://heliograph:hunter2@127.0.0.1:1/heliograph");
    let error = Candidate::connect(options).err().expect("nobody listens");
    assert!(matches!(error, StoreError::Failed { .. }) && !error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_restored_database_begins_a_new_life() {
    let database = Database::fresh();
    let (mut store, _lease) = database.lead();
    let before = database.sql("SELECT incarnation FROM meta");
    store.begin_new_life().expect("a new life");
    assert_ne!(database.sql("SELECT incarnation FROM meta"), before);
}

#[test]
fn a_candidate_says_how_safe_a_commit_is_and_what_the_databases_clock_reads() {
    let database = Database::fresh();
    let mut candidate = database.candidate(LONG);
    assert_eq!(candidate.durability(), Durability::ThisServer, "it has no copy");
    let clock = candidate.clock_ms().expect("a clock");
    assert!(clock > 1_700_000_000_000, "{clock}");
}
