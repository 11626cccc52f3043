//! A process that is killed while it commits loses nothing that it had said to be committed, and leaves no half of a
//! batch.
//!
//! The test starts itself again as a child, which commits batch after batch and prints each number once it is
//! committed. What batch `n` holds follows from `n` alone, so that parent and child agree without talking.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use heliograph::engine::task::Task;
use heliograph::store::sqlite::SqliteStore;
use heliograph::store::{Batch, Writer};
use heliograph::wire::fact::{Fact, FactSeq};

use crate::samples::{Chain, active, completed, row, task};

/// Names the store to the child.
const STORE: &str = "HELIOGRAPH_TEST_CRASH_STORE";
/// More kills than the default, for a long run by hand.
const KILLS: &str = "HELIOGRAPH_TEST_KILLS";
const DEFAULT_KILLS: u32 = 25;
/// The child moves the log into the file after this many batches, so that kills meet that too.
const CHECKPOINT_EVERY: u64 = 5;
/// A kill comes after at most this many batches of a life, and then some microseconds.
const MOST_BATCHES: u64 = 12;
const MOST_MICROSECONDS: u64 = 4_000;

const PER_BATCH: u64 = 4;

/// What batch `number` (from 0) holds: a fact and a task each for four arrivals, and the end of the first four tasks of
/// the batch before.
fn batch(number: u64, chain: &mut Chain) -> Batch {
    let mut tasks: Vec<Task> = (1..=PER_BATCH).map(|n| task(number * PER_BATCH + n, active("sydney"))).collect();
    let facts: Vec<Fact> = tasks.iter().map(|task| chain.fact("request.admitted", task)).collect();
    let payloads = tasks.iter().map(|task| (task.id.clone(), task.id.as_str().as_bytes().into())).collect();
    if let Some(before) = number.checked_sub(1) {
        tasks.push(task(before * PER_BATCH + 1, completed("sydney", 1)));
    }
    let watermark = Some(FactSeq(number * PER_BATCH));
    Batch { facts, tasks: tasks.iter().map(row).collect(), payloads, watermark, ..Batch::default() }
}

fn open_after(batches: u64) -> Vec<Task> {
    let ended = |arrival: u64| arrival % PER_BATCH == 1 && arrival + PER_BATCH <= batches * PER_BATCH;
    (1..=batches * PER_BATCH).filter(|arrival| !ended(*arrival)).map(|n| task(n, active("sydney"))).collect()
}

#[test]
fn a_kill_at_any_moment_keeps_what_was_committed_and_no_half_of_a_batch() {
    if let Some(store) = env::var_os(STORE) {
        commit_until_killed(Path::new(&store));
    }
    let kills = env::var(KILLS).map_or(DEFAULT_KILLS, |kills| kills.parse().expect("a number of kills"));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("store.db");
    let (mut moments, mut kept) = (Moments(0x9e37_79b9_7f4a_7c15), 0);
    for kill in 0..kills {
        let said = run_and_kill(&path, &mut moments);
        let found = check(&path);
        assert!(found >= kept.max(said), "kill {kill}: {said} batches were committed, {found} are there");
        kept = found;
    }
    assert!(kept > u64::from(kills), "the children did too little to prove anything: {kept} batches");
}

/// Never returns; the parent ends it.
fn commit_until_killed(path: &Path) -> ! {
    let mut store = SqliteStore::open(path).expect("the store of the life before");
    let next = store.recover().expect("a recovery").last_seq.0 / PER_BATCH;
    let mut chain = Chain::default();
    for number in 0.. {
        let batch = batch(number, &mut chain);
        if number < next {
            continue;
        }
        store.commit(&batch).expect("a commit");
        // Past the capture of output that the test harness does.
        writeln!(std::io::stderr(), "committed {}", number + 1).expect("the parent listens");
        if number % CHECKPOINT_EVERY == 0 {
            store.checkpoint().expect("a checkpoint");
        }
    }
    unreachable!("numbers do not end")
}

/// Runs one life; says how many batches its child had called committed.
fn run_and_kill(path: &Path, moments: &mut Moments) -> u64 {
    let name = "crash::a_kill_at_any_moment_keeps_what_was_committed_and_no_half_of_a_batch";
    let mut child = Command::new(env::current_exe().expect("this program"))
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(STORE, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stderr.take().expect("its output")).lines();
    let mut said = 0;
    let mut hear = |line: String| match line.strip_prefix("committed ").map(str::parse::<u64>) {
        Some(Ok(number)) => said = number.max(said),
        // The last line of a killed process can be cut short.
        _ => assert!("committed ".starts_with(&line) || line.starts_with("committed "), "the child says: {line}"),
    };
    for _ in 0..moments.below(MOST_BATCHES) {
        hear(lines.next().expect("a child that lives").expect("a line"));
    }
    // The moment inside a batch is what this test is about, and no event names it.
    thread::sleep(Duration::from_micros(moments.below(MOST_MICROSECONDS)));
    child.kill().expect("a kill");
    child.wait().expect("an end");
    lines.map_while(Result::ok).for_each(hear);
    said
}

/// Compares everything with what the batches hold; says how many there are.
fn check(path: &Path) -> u64 {
    let mut store = SqliteStore::open(path).expect("a store after a kill");
    let recovered = store.recover().expect("a recovery after a kill");
    let batches = recovered.last_seq.0 / PER_BATCH;
    assert_eq!(recovered.last_seq.0 % PER_BATCH, 0, "half of a batch");
    let mut chain = Chain::default();
    let expected: Vec<Batch> = (0..batches).map(|number| batch(number, &mut chain)).collect();
    assert_eq!(recovered.last_link, chain.last_link);
    assert_eq!(recovered.watermark.0, batches.saturating_sub(1) * PER_BATCH);
    assert_eq!(recovered.next_arrival, batches * PER_BATCH + 1);
    assert_eq!(recovered.open, open_after(batches));
    let mut reader = store.reader().expect("a reader");
    let facts: Vec<Fact> = expected.iter().flat_map(|batch| batch.facts.clone()).collect();
    assert_eq!(reader.facts_after(FactSeq(0), usize::MAX).expect("facts"), facts);
    for (task, payload) in expected.iter().flat_map(|batch| &batch.payloads) {
        assert_eq!(reader.payload(task).expect("a payload").as_ref(), Some(payload));
    }
    batches
}

/// Numbers that look random and are the same in every run (xorshift).
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}
