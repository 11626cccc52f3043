//! What was forgotten is in no file of the store any more: the bytes themselves are looked for.

use std::fs;
use std::path::Path;

use heliograph::engine::effect::WorkMessage;
use heliograph::engine::task::{Task, TaskState};
use heliograph::engine::update::{Change, KeptUpdate, Sender, Update};
use heliograph::store::sqlite::SqliteStore;
use heliograph::store::{Batch, Forgetting, Purge, Writer};
use heliograph::wire::fact::FactSeq;
use tempfile::TempDir;

use crate::conformance::{Sealed, noted};
use crate::samples::{active, at, cancelled, client, completed, request, row, team, waiting};

const TASKS: u64 = 800;
/// Stands for the update that waited.
const UPDATE: u64 = 999_999;

/// A text of a task that stands nowhere else, with the number of its task.
fn canary(arrival: u64) -> String {
    format!("CANARY-{arrival:06}-")
}

/// Its notes, longer from one holder to the next, so that its row grows.
fn said(arrival: u64, round: u64) -> String {
    canary(arrival).repeat(usize::try_from(1 + (arrival + round) % 40).expect("a small number"))
}

/// Whose canaries stand in the files of the store; `None` is one that a page cuts off before its number.
fn found(folder: &Path) -> Vec<Option<u64>> {
    let mut found = std::collections::BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let bytes = fs::read(entry.expect("a file").path()).expect("its bytes");
        let mut rest = &bytes[..];
        while let Some(position) = rest.windows(7).position(|window| window == b"CANARY-") {
            let number = rest.get(position + 7..position + 13).and_then(|number| std::str::from_utf8(number).ok());
            found.insert(number.and_then(|number| number.parse().ok()));
            rest = &rest[position + 7..];
        }
    }
    found.into_iter().collect()
}

/// Every third task is of the matter that is purged.
fn is_purged(arrival: u64) -> bool {
    arrival.is_multiple_of(3)
}

fn subject(arrival: u64, state: TaskState, round: u64) -> Task {
    let mut task = noted(arrival, state, &said(arrival, 0));
    for again in 1..=round {
        let mut holder = task.holders[0].clone();
        holder.notes.notes = Some(said(arrival, again));
        task.add_holder(holder);
    }
    let matter = if is_purged(arrival) { "M-purged" } else { "M-kept" };
    task.matter = heliograph::engine::id::MatterId::new(matter).expect("a matter");
    task
}

#[test]
fn what_was_forgotten_is_in_no_byte_of_the_files() {
    let folder = TempDir::new().expect("a folder");
    let mut store = SqliteStore::open(folder.path().join("store.db")).expect("a store");
    let mut sealed = Sealed::default();
    let commit = |store: &mut SqliteStore, batch: Batch| store.commit(&batch).expect("a commit");
    // They come in, are handed on several times in an order of their own, and end: rows grow and move.
    for arrivals in (1..=TASKS).collect::<Vec<_>>().chunks(50) {
        let of: Vec<_> = arrivals.iter().map(|arrival| subject(*arrival, waiting(), 0)).collect();
        let mut batch = Batch { tasks: of.iter().map(row).collect(), ..Batch::default() };
        for task in &of {
            let payload = canary(task.arrival.0).repeat(if task.arrival.0.is_multiple_of(50) { 20_000 } else { 30 });
            batch.payloads.push((task.id.clone(), payload.into_bytes().into()));
            let mut offer = sealed.fact(task, 1, 0, Some(&said(task.arrival.0, 9)));
            (offer.team, offer.addressed) = (Some(team("sydney")), Some(WorkMessage::Offer));
            offer.matter = Some(task.matter.clone());
            offer.packet = Some(said(task.arrival.0, 5).into_bytes().into());
            batch.facts.push(offer);
        }
        commit(&mut store, batch);
    }
    for round in 1..=4 {
        let shuffled: Vec<_> = (1..=TASKS).map(|it| 1 + (it * 613 + round * 7) % TASKS).collect();
        for arrivals in shuffled.chunks(50) {
            let of: Vec<_> = arrivals.iter().map(|it| subject(*it, active("sydney"), round)).collect();
            let mut batch = Batch { tasks: of.iter().map(row).collect(), ..Batch::default() };
            for task in &of {
                batch.facts.push(sealed.fact(task, 1 + round, 1, Some(&said(task.arrival.0, round))));
            }
            commit(&mut store, batch);
        }
        store.checkpoint().expect("a checkpoint");
    }
    let ends = |arrival: u64| if arrival.is_multiple_of(2) { completed("sydney", 2) } else { cancelled(2) };
    for arrivals in (1..=TASKS).collect::<Vec<_>>().chunks(50) {
        let of: Vec<_> = arrivals.iter().map(|it| subject(*it, ends(*it), 4)).collect();
        commit(&mut store, Batch { tasks: of.iter().map(row).collect(), ..Batch::default() });
    }
    // An update that waited for its request, and is gone.
    let sender = Sender::Client(client("acme"));
    let change = Change::Cancel { reason: canary(UPDATE) };
    let update =
        Update { id: request("u"), task: "acme/x".parse().expect("an id"), sender, at: None, order: None, change };
    let (from, id) = (update.sender.clone(), update.id.clone());
    commit(&mut store, Batch { kept: vec![KeptUpdate { update, until: at(9) }], ..Batch::default() });
    commit(&mut store, Batch { kept_done: vec![(from, id, None)], ..Batch::default() });

    let last = sealed.0.head().seq;
    let (acme, matter) = (client("acme"), subject(3, waiting(), 0).matter);
    let purge = Purge { seq: last, client: acme, matter, at: at(3) };
    commit(&mut store, Batch { purges: vec![purge], watermark: Some(last), ..Batch::default() });
    let by = |content| Forgetting {
        now: at(10),
        content_before: content,
        rows_before: at(-1),
        read_over_http: Vec::new(),
        portion: 64,
    };
    while store.forget(&by(at(-1))).expect("it forgets").purged != Some(last) {}
    assert!(store.cut_log().expect("the log"), "nobody reads");
    let left: Vec<_> = (1..=TASKS).filter(|it| !is_purged(*it)).collect();
    assert_eq!(found(folder.path()).into_iter().flatten().collect::<Vec<_>>(), left);

    // And then all of it, by age.
    while store.forget(&by(at(3))).expect("it forgets").is_more {}
    assert!(store.cut_log().expect("the log"), "nobody reads");
    assert_eq!(found(folder.path()), []);
    assert_eq!(store.recover().expect("a recovery").last_seq, FactSeq(5 * TASKS));
}
