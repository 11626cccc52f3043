//! Rows of a store: any bytes are an error, or a value that comes back from its own row as it was.
#![no_main]

use std::fmt::Debug;
use std::sync::{Arc, LazyLock, Mutex};

use heliograph::engine::event::Refusal;
use heliograph::engine::fairness::Mark;
use heliograph::engine::id::TaskId;
use heliograph::engine::overrides::Override;
use heliograph::engine::process::Process;
use heliograph::engine::task::{Task, Words};
use heliograph::engine::update::KeptUpdate;
use heliograph::store::sqlite::SqliteStore;
use heliograph::store::{Batch, ProcessRow, Reader, StoreError, TaskRow, Writer};
use libfuzzer_sys::{Corpus, fuzz_target};
use rusqlite::Connection;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tempfile::TempDir;

/// The task and the process whose rows are overwritten.
const TASK: &[u8] = include_bytes!("../corpus/store_row/task-0");
const PROCESS: &[u8] = include_bytes!("../corpus/store_row/process-0");

// The first byte says of what the rest is a row.
fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((kind, row)) = bytes.split_first() else { return Corpus::Reject };
    match kind {
        b't' => check_task(row),
        b'p' => check_process(row),
        b'k' => drop(check::<KeptUpdate>(row)),
        b'o' => drop(check::<Override>(row)),
        b'w' => drop(check::<Words>(row)),
        b'm' => drop(check::<Mark>(row)),
        b'r' => drop(check::<Refusal>(row)),
        _ => return Corpus::Reject,
    }
    Corpus::Keep
});

/// The value of a row, which is the same when it is written and read again.
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(row: &[u8]) -> Option<T> {
    let value = serde_json::from_str::<T>(str::from_utf8(row).ok()?).ok()?;
    let written = serde_json::to_vec(&value).expect("a row is JSON");
    let read: T = serde_json::from_slice(&written).expect("it reads back");
    assert_eq!(read, value);
    assert_eq!(serde_json::to_vec(&read).expect("a row is JSON"), written);
    Some(value)
}

/// A task stands in two rows, so that what people wrote can be forgotten.
fn check_task(row: &[u8]) {
    let task = check::<Task>(row);
    if let Some(task) = &task {
        let mut bare = task.clone();
        let words = bare.take_words();
        assert!(!bare.has_words() && (words != Words::default() || !task.has_words()));
        bare.put_words(words);
        assert_eq!(bare, *task);
    }
    let mut store = STORE.lock().expect("the only thread");
    check_read(store.read("tasks", row, |reader, id| reader.task(id)), task);
}

fn check_process(row: &[u8]) {
    let process = check::<Process>(row);
    if let Some(process) = &process {
        let mut bare = process.clone();
        if let Some(words) = bare.take_words() {
            bare.put_words(words);
        }
        assert_eq!(bare, *process);
    }
    let mut store = STORE.lock().expect("the only thread");
    let read = store.read("processes", row, |reader, id| reader.process(id));
    check_read(read.map(|found| found.map(|(process, _)| process)), process);
}

/// A store gives what the row says, or says that it is not consistent.
fn check_read<T: PartialEq + Debug>(read: Result<Option<T>, StoreError>, wanted: Option<T>) {
    match (read, wanted) {
        (Ok(read), Some(wanted)) => assert_eq!(read, Some(wanted)),
        (Err(StoreError::Inconsistent(_)), None) => {}
        (read, wanted) => panic!("{read:?} of {wanted:?}"),
    }
}

static STORE: LazyLock<Mutex<Store>> = LazyLock::new(|| Mutex::new(Store::with_rows()));

/// A store with a task and a process, and a hand that reaches into it.
struct Store {
    hand: Connection,
    reader: Box<dyn Reader>,
    task: TaskId,
    process: TaskId,
    _folder: TempDir,
}

impl Store {
    fn with_rows() -> Self {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("heliograph.db");
        let task: Task = serde_json::from_slice(&TASK[1..]).expect("a task");
        let process: Process = serde_json::from_slice(&PROCESS[1..]).expect("a process");
        let ids = (task.id.clone(), process.id.clone());
        let mut writer = SqliteStore::open(&path).expect("a store");
        let batch = Batch {
            tasks: vec![TaskRow { task: Arc::new(task), next_due_at: None }],
            processes: vec![ProcessRow { process: Arc::new(process), next_due_at: None }],
            ..Batch::default()
        };
        writer.commit(&batch).expect("it commits");
        let reader = writer.reader().expect("a reader");
        drop(writer);
        let hand = Connection::open(&path).expect("a file of SQLite");
        hand.pragma_update(None, "synchronous", "OFF").expect("a setting");
        Self { hand, reader, task: ids.0, process: ids.1, _folder: folder }
    }

    /// Overwrites the row of a table and reads it. A store keeps text, so bytes that are none are kept as what they look like.
    fn read<T>(
        &mut self,
        table: &str,
        row: &[u8],
        read: impl FnOnce(&mut dyn Reader, &TaskId) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let id = if table == "tasks" { &self.task } else { &self.process };
        let sql = format!("UPDATE {table} SET row = CAST(?1 AS TEXT) WHERE id = ?2");
        let changed = self.hand.execute(&sql, (row, id.as_str())).expect("an update");
        assert_eq!(changed, 1);
        read(self.reader.as_mut(), id)
    }
}
