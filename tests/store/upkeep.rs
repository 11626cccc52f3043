//! What is true of the SQLite file alone: who may open it, which files are refused, how it is kept small.

use std::env;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use heliograph::store::sqlite::{LOG_LIMIT_BYTES, SqliteStore};
use heliograph::store::{Batch, StoreError, Writer};
use heliograph::wire::fact::FactSeq;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::samples::{Chain, active, at, completed, facts, offered, roster, row, segment, task, tasks, team, waiting};

struct Place {
    directory: TempDir,
    path: PathBuf,
}

fn place() -> Place {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("store.db");
    Place { directory, path }
}

impl Place {
    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.path).expect("a store")
    }

    /// What `recover` says, for files that open.
    fn refusal(&self) -> StoreError {
        match SqliteStore::open(&self.path) {
            Err(error) => error,
            Ok(mut store) => store.recover().expect_err("a refusal"),
        }
    }

    /// The file as any SQLite tool sees it.
    fn tool(&self) -> Connection {
        Connection::open(&self.path).expect("a connection")
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        self.directory.path().join(format!("store.db{suffix}"))
    }

    /// A store with six facts and three tasks.
    fn filled(self) -> Self {
        let mut chain = Chain::default();
        let three = [task(1, waiting()), task(2, active("sydney")), task(3, completed("london", 2))];
        let batch = Batch {
            facts: three.iter().chain(&three).map(|task| chain.fact("task.changed", task)).collect(),
            ..tasks(&three)
        };
        self.open().commit(&batch).expect("a commit");
        self
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("a file").permissions().mode() & 0o777
}

#[test]
fn a_store_that_is_open_is_not_opened_again() {
    let place = place();
    let first = place.open();
    let link = place.beside(".link");
    std::os::unix::fs::symlink(&place.path, &link).expect("a link");
    for path in [&place.path, &link] {
        let error = SqliteStore::open(path).expect_err("it is open");
        assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    }
    drop(first);
    place.open();
}

/// Names the store to the child.
const HELD: &str = "HELIOGRAPH_TEST_HELD_STORE";

#[test]
fn another_process_keeps_the_store_until_it_dies() {
    if let Some(held) = env::var_os(HELD) {
        let _store = SqliteStore::open(Path::new(&held)).expect("a store");
        writeln!(std::io::stderr(), "open").expect("the parent listens");
        // Ends when the parent kills it, or dies itself.
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let place = place();
    let mut child = holder(&place.path);
    let error = SqliteStore::open(&place.path).expect_err("another process has it");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    child.kill().expect("a kill");
    child.wait().expect("an end");
    place.open();
}

/// A child that has the store open.
fn holder(path: &Path) -> Child {
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", "upkeep::another_process_keeps_the_store_until_it_dies", "--nocapture", "--test-threads=1"])
        .env(HELD, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut line = String::new();
    BufReader::new(child.stderr.take().expect("its output")).read_line(&mut line).expect("a line");
    assert_eq!(line, "open\n");
    child
}

#[test]
fn another_writer_in_spite_of_the_lock_fails_the_commit_at_once() {
    let place = place();
    let mut store = place.open();
    let tool = place.tool();
    tool.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
    let error = store.commit(&Batch::default()).expect_err("somebody else writes");
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
}

#[test]
fn nobody_else_may_read_the_files() {
    let place = place();
    let mut store = place.open();
    store.commit(&facts(&[Chain::default().bare("roster.changed")])).expect("a commit");
    for suffix in ["", "-wal", "-shm", ".lock"] {
        assert_eq!(mode(&place.beside(suffix)), 0o600, "store.db{suffix}");
    }
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let place = place().filled();
    fs::set_permissions(&place.path, Permissions::from_mode(0o644)).expect("a mode");
    let error = place.refusal();
    assert_eq!(error.to_string(), r#"store setting file mode is "0644" and must be "0600""#);
}

#[test]
fn a_directory_that_everybody_may_write_is_refused_unless_it_is_sticky() {
    let place = place();
    let set = |mode| fs::set_permissions(place.directory.path(), Permissions::from_mode(mode)).expect("a mode");
    set(0o777);
    assert!(matches!(place.refusal(), StoreError::Setting { name: "directory mode", .. }));
    set(0o1777);
    place.open();
}

#[test]
fn a_missing_directory_is_named() {
    let error = SqliteStore::open("no/such/directory/store.db").expect_err("nowhere to be");
    assert!(error.to_string().contains("no/such/directory: No such file"), "{error}");
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let place = place().filled();
    place.tool().pragma_update(None, "user_version", 99).expect("a version");
    assert!(matches!(place.refusal(), StoreError::TooNew { found: 99, known: 10, .. }));
    let version: u32 = place.tool().pragma_query_value(None, "user_version", |row| row.get(0)).expect("a version");
    assert_eq!(version, 99);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let place = place();
    place.tool().execute_batch("CREATE TABLE recipes (name TEXT)").expect("a table");
    fs::set_permissions(&place.path, Permissions::from_mode(0o600)).expect("a mode");
    assert!(place.refusal().to_string().contains("is a SQLite file of another program"));
    let tables: u32 = place.tool().query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("rows");
    assert_eq!(tables, 1);
}

#[test]
fn bytes_that_are_no_database_are_refused() {
    let place = place();
    fs::write(&place.path, "x".repeat(10_000)).expect("a file");
    fs::set_permissions(&place.path, Permissions::from_mode(0o600)).expect("a mode");
    let error = place.refusal();
    assert!(matches!(error, StoreError::Inconsistent(_)), "{error}");
    let said = error.to_string();
    assert!(said.contains("store.db") && said.contains("file is not a database") && said.contains("restore a backup"));
}

#[test]
fn a_damaged_page_is_refused() {
    let place = place().filled();
    let pages = fs::metadata(&place.path).expect("a file").len() / 4096;
    let mut found = 0;
    for page in 1..pages {
        let copy = self::place();
        fs::copy(&place.path, &copy.path).expect("a copy");
        let mut file = OpenOptions::new().write(true).open(&copy.path).expect("a file");
        file.seek(SeekFrom::Start(page * 4096)).expect("a page");
        file.write_all(&[0xa5; 4096]).expect("damage");
        drop(file);
        let error = copy.refusal();
        assert!(matches!(error, StoreError::Inconsistent(_)), "page {page}: {error}");
        found += 1;
    }
    assert!(found > 10, "the store has only {found} pages");
}

#[test]
fn facts_that_were_cut_off_changed_or_taken_out_are_noticed() {
    for (tampering, said) in [
        ("DELETE FROM facts WHERE seq = 6", "the last fact is 5, not 6"),
        ("DELETE FROM facts", "the last fact is 0, not 6"),
        ("UPDATE facts SET link = zeroblob(32) WHERE seq = 6", "the link of the last fact 6 was changed"),
        ("DELETE FROM facts WHERE seq IN (2, 3)", "facts 1 to 6 are 4 rows: 2 are missing"),
        ("DELETE FROM facts WHERE seq < 3", "the first fact is 3, and those up to 0 were forgotten: 2 are missing"),
        ("DELETE FROM meta", "table meta is empty"),
        ("UPDATE tasks SET row = '{}' WHERE arrival = 1", "missing field"),
    ] {
        let place = place().filled();
        assert!(place.tool().execute(tampering, []).expect("tampering") > 0);
        let error = place.refusal();
        assert!(matches!(error, StoreError::Inconsistent(_)) && error.to_string().contains(said), "{error}");
    }
}

#[test]
fn the_schema_itself_allows_one_owner_a_task_and_one_task_a_request() {
    let place = place().filled();
    let tool = place.tool();
    for (wrong, said) in [
        (
            "INSERT INTO tasks SELECT 9, id, client, request, digest, state, team, owner, assignment, next_due_at, ended_at, row, matter, NULL FROM tasks WHERE arrival = 2",
            "UNIQUE",
        ),
        (
            "INSERT INTO tasks SELECT 9, 'acme/other', client, request, digest, state, team, owner, assignment, next_due_at, ended_at, row, matter, NULL FROM tasks WHERE arrival = 2",
            "CHECK",
        ),
        ("UPDATE tasks SET owner = 'london' WHERE arrival = 2", "CHECK"),
        ("UPDATE tasks SET owner = 'london', team = 'london' WHERE arrival = 1", "CHECK"),
        ("UPDATE tasks SET owner = NULL WHERE arrival = 2", "CHECK"),
        ("UPDATE tasks SET ended_at = NULL WHERE arrival = 3", "CHECK"),
        ("UPDATE meta SET watermark = 7", "CHECK"),
    ] {
        let error = tool.execute(wrong, []).expect_err(wrong).to_string();
        assert!(error.contains(&format!("{said} constraint failed")), "{wrong}: {error}");
    }
}

/// The dump was taken from a store of version 1 and is not written again: later versions must read it.
#[test]
fn a_store_of_version_1_is_read() {
    let place = place();
    let tool = place.tool();
    tool.execute_batch(include_str!("store_of_version_1.sql")).expect("the dump");
    drop(tool);
    fs::set_permissions(&place.path, Permissions::from_mode(0o600)).expect("a mode");
    let mut store = place.open();
    let found = store.recover().expect("a recovery");
    let expected = version_1();
    assert_eq!(found.open, [task(1, offered("sydney")), task(2, active("london"))]);
    assert_eq!(found.recent_ended, [task(3, completed("sydney", 3))]);
    assert_eq!((&*found.incarnation, found.next_arrival, found.last_at), ("00112233aabbccdd", 4, Some(at(7))));
    assert_eq!((found.last_seq, found.watermark), (FactSeq(3), FactSeq(2)));
    assert_eq!((found.undelivered, found.roster), (expected.undelivered, expected.roster));
    let mut reader = store.reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 10).expect("facts"), expected.facts);
    let (with_payload, payload) = &expected.payloads[0];
    assert_eq!(reader.payload(with_payload).expect("a payload").as_ref(), Some(payload));
}

/// What the store of version 1 was filled with.
fn version_1() -> Batch {
    let mut chain = Chain::default();
    let three = [task(1, offered("sydney")), task(2, active("london")), task(3, completed("sydney", 3))];
    Batch {
        facts: three.iter().map(|task| chain.fact("request.admitted", task)).collect(),
        tasks: three.iter().map(row).collect(),
        payloads: vec![(three[0].id.clone(), br#"{"pages":12}"#.as_slice().into())],
        cursors: vec![(team("sydney"), FactSeq(1))],
        undelivered: vec![(FactSeq(2), team("london"))],
        watermark: Some(FactSeq(2)),
        roster: Some(roster("# the first\n", 1)),
        at: Some(at(7)),
        ..Batch::default()
    }
}

#[test]
fn a_segment_is_never_changed_and_any_tool_can_redo_the_sums() {
    let place = place();
    let batch = Batch {
        segments: vec![segment(1, "finish", 1, 0, 10), segment(1, "finish", 2, 10, 25)],
        ..tasks(&[task(1, active("sydney"))])
    };
    place.open().commit(&batch).expect("a commit");
    let tool = place.tool();
    let error = tool.execute("UPDATE sla_segments SET counted_ms = 1", []).expect_err("it stays");
    assert!(error.to_string().contains("segments of clocks are never changed"), "{error}");
    let share = tool.query_row("SELECT task, clock, holder, counted_ms FROM sla_shares", [], |row| {
        let words: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
        Ok((words.join(" "), row.get::<_, i64>(3)?))
    });
    assert_eq!(share.expect("one share"), ("acme/req-000001 finish sydney".into(), 25 * 60_000));
    let from: String =
        tool.query_row("SELECT \"from\" FROM sla_ledger WHERE number = 2", [], |row| row.get(0)).expect("a row");
    assert_eq!(from, "2026-11-23T08:10:00.000Z");
}

#[test]
fn a_checkpoint_moves_everything_into_the_one_file() {
    let place = place();
    let mut store = place.open();
    store.commit(&facts(&[Chain::default().bare("roster.changed")])).expect("a commit");
    let facts_in_the_file_alone = || {
        let copy = self::place();
        fs::copy(&place.path, &copy.path).expect("a copy");
        let count: u32 = copy.tool().query_row("SELECT count(*) FROM facts", [], |row| row.get(0)).expect("a count");
        count
    };
    assert_eq!(facts_in_the_file_alone(), 0);
    store.checkpoint().expect("a checkpoint");
    assert_eq!(facts_in_the_file_alone(), 1);
}

#[test]
fn the_log_stays_bounded_though_nobody_is_ever_idle() {
    let place = place();
    let mut store = place.open();
    let mut chain = Chain::default();
    let mut commit = |number: u64| {
        let subject = task(number, waiting());
        let payloads = vec![(subject.id.clone(), vec![0; 8 << 20].into())];
        let batch = Batch { facts: vec![chain.fact("a.a", &subject)], payloads, ..tasks(&[subject]) };
        store.commit(&batch).expect("a commit");
        fs::metadata(place.beside("-wal")).expect("a log").len()
    };
    let sizes: Vec<u64> = (1..=10).map(&mut commit).collect();
    assert!(sizes.iter().all(|size| *size <= LOG_LIMIT_BYTES), "{sizes:?}");
    assert!(sizes.windows(2).any(|pair| pair[1] < pair[0]), "it was never cut back: {sizes:?}");

    // A tool that keeps an old state open holds the log, and the commits go on.
    let tool = place.tool();
    tool.execute_batch("BEGIN; SELECT count(*) FROM facts;").expect("an old state");
    let held: Vec<u64> = (11..=20).map(&mut commit).collect();
    assert!(held.last() > Some(&LOG_LIMIT_BYTES), "{held:?}");
    tool.execute_batch("COMMIT").expect("its end");
    let after: Vec<u64> = (21..=24).map(&mut commit).collect();
    assert!(after.last() < Some(&LOG_LIMIT_BYTES), "{after:?}");
}
