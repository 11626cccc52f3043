//! What a start finds, what a failed batch leaves, and what readers see beside a writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use heliograph::engine::event::UpdateResult;
use heliograph::engine::fairness::Mark;
use heliograph::engine::request::Priority;
use heliograph::engine::update::Sender;
use heliograph::store::Batch;
use heliograph::wire::fact::FactSeq;

use super::{Backend, commit, recovered, refused, state};
use crate::samples::{
    Chain, active, at, client, completed, facts, offered, request, roster, row, task, tasks, team, waiting,
};

pub fn a_new_store_is_empty<B: Backend>(fresh: fn() -> B) {
    let found = recovered(&fresh());
    assert_eq!((found.last_seq, found.watermark, found.next_arrival), (FactSeq(0), FactSeq(0), 1));
    assert_eq!((found.last_link, found.last_at, found.roster), ([0; 32], None, None));
    assert!(found.open.is_empty() && found.recent_ended.is_empty() && found.undelivered.is_empty());
}

pub fn every_store_has_an_incarnation_of_its_own<B: Backend>(fresh: fn() -> B) {
    let (one, other) = (fresh(), fresh());
    let name = recovered(&one).incarnation;
    assert!(name.len() == 16 && name.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{name}");
    assert_eq!(recovered(&one).incarnation, name, "it stays when the store is opened again");
    assert_ne!(recovered(&other).incarnation, name);
}

pub fn a_start_finds_what_was_committed<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut chain = Chain::default();
    let open = [task(1, waiting()), task(2, offered("sydney")), task(3, active("london"))];
    let done = task(4, completed("sydney", 9));
    let batch = Batch {
        facts: open.iter().chain([&done]).map(|task| chain.fact("request.admitted", task)).collect(),
        // Out of order on purpose: recovery sorts by arrival.
        tasks: [&open[2], &done, &open[0], &open[1]].map(row).into(),
        watermark: Some(FactSeq(3)),
        undelivered: vec![(FactSeq(2), team("sydney"))],
        roster: Some(roster("[teams]", 1)),
        at: Some(at(7)),
        ..Batch::default()
    };
    commit(&mut *backend.open(), &batch);
    let found = recovered(&backend);
    assert_eq!(found.open, open);
    assert_eq!(found.recent_ended, [done]);
    assert_eq!((found.last_seq, found.last_link), (FactSeq(4), chain.last_link));
    assert_eq!((found.watermark, found.next_arrival, found.last_at), (FactSeq(3), 5, Some(at(7))));
    assert_eq!(found.undelivered, [(FactSeq(2), team("sydney"))]);
    assert_eq!(found.roster, Some(roster("[teams]", 1)));
}

pub fn nothing_of_a_failed_batch_is_kept<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut chain = Chain::default();
    let known = task(1, waiting());
    let first = Batch { facts: vec![chain.fact("request.admitted", &known)], ..tasks(&[known]) };
    commit(&mut *backend.open(), &first);
    let before = state(&recovered(&backend));

    let next = task(2, waiting());
    let bad = Batch {
        facts: vec![chain.fact("request.admitted", &next)],
        payloads: vec![(next.id.clone(), b"{}".as_slice().into())],
        updates: vec![(Sender::Team(team("sydney")), request("u1"), UpdateResult { digest: None, refused: None })],
        suspects: vec![([7; 32], 1)],
        cursors: vec![(team("sydney"), FactSeq(1))],
        undelivered: vec![(FactSeq(2), team("sydney"))],
        roster: Some(roster("[teams]", 1)),
        at: Some(at(1)),
        // The last thing to be checked.
        watermark: Some(FactSeq(99)),
        ..tasks(&[task(1, active("london")), next.clone()])
    };
    refused(&mut *backend.open(), &bad, "watermark 99");

    assert_eq!(state(&recovered(&backend)), before);
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 10).expect("facts").len(), 1);
    assert_eq!(reader.payload(&next.id).expect("an answer"), None);
    assert_eq!(reader.task(&next.id).expect("an answer"), None);
    assert_eq!(reader.update_result(&Sender::Team(team("sydney")), &request("u1")).expect("an answer"), None);
    assert_eq!(reader.suspect_attempts(&[7; 32]).expect("an answer"), 0);
    assert_eq!(reader.cursor(&team("sydney")).expect("an answer"), FactSeq(0));
    assert_eq!(reader.roster(&roster("[teams]", 1).digest).expect("an answer"), None);
}

pub fn a_writer_that_failed_is_not_used_again<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let good = facts(&[chain.bare("roster.changed")]);
    let hole = {
        chain.bare("roster.changed");
        facts(&[chain.bare("roster.changed")])
    };
    refused(&mut *writer, &hole, "hole");
    writer.commit(&good).expect_err("a good batch comes too late");
    writer.recover().expect_err("and so does a recovery");
    writer.checkpoint().expect_err("and so does a checkpoint");
    drop(writer);
    commit(&mut *backend.open(), &good);
}

pub fn rosters_are_found_by_digest<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let (old, new) = (roster("# old\n", 1), roster("# new\n", 2));
    for version in [&old, &new] {
        commit(&mut *backend.open(), &Batch { roster: Some(version.clone()), ..Batch::default() });
        assert_eq!(recovered(&backend).roster.as_ref(), Some(version));
    }
    let again = roster("# old\n", 3);
    commit(&mut *backend.open(), &Batch { roster: Some(again.clone()), ..Batch::default() });
    assert_eq!(recovered(&backend).roster, Some(again), "an old one that came into force again");
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.roster(&old.digest).expect("an answer"), Some(old), "since its first time");
    assert_eq!(reader.roster(&new.digest).expect("an answer"), Some(new));
    assert_eq!(reader.roster(&roster("# none\n", 0).digest).expect("an answer"), None);
}

pub fn a_reader_sees_whole_batches_only<B: Backend>(fresh: fn() -> B) {
    const BATCHES: usize = 40;
    const FACTS: usize = 7;
    let backend = fresh();
    let mut writer = backend.open();
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 1).expect("facts"), []);
    let done = Arc::new(AtomicBool::new(false));
    let is_done = Arc::clone(&done);
    let watcher = thread::spawn(move || {
        let mut seen = 0;
        loop {
            let is_last_look = is_done.load(Ordering::Acquire);
            let now = reader.facts_after(FactSeq(0), usize::MAX).expect("facts").len();
            assert_eq!(now % FACTS, 0, "part of a batch");
            assert!(now >= seen, "a committed batch is gone");
            seen = now;
            if is_last_look {
                return seen;
            }
        }
    });
    let mut chain = Chain::default();
    for _ in 0..BATCHES {
        let batch: Vec<_> = (0..FACTS).map(|_| chain.bare("roster.changed")).collect();
        commit(&mut *writer, &facts(&batch));
    }
    done.store(true, Ordering::Release);
    assert_eq!(watcher.join().expect("the watcher"), BATCHES * FACTS);
}

pub fn a_checkpoint_changes_nothing_that_is_read<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let subject = task(1, waiting());
    for _ in 0..3 {
        let batch =
            Batch { facts: vec![chain.fact("task.changed", &subject)], ..tasks(std::slice::from_ref(&subject)) };
        commit(&mut *writer, &batch);
        let before = state(&writer.recover().expect("a recovery"));
        writer.checkpoint().expect("a checkpoint");
        assert_eq!(state(&writer.recover().expect("a recovery")), before);
    }
}

pub fn marks_of_the_waiting_order_are_recovered_until_they_are_nothing<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let day = "2026-11-23".parse().expect("a date");
    let all = [
        Mark::VirtualTime(Priority::High),
        Mark::Tag(Priority::High, client("acme")),
        Mark::Turns(team("sydney")),
        Mark::Urgent(client("acme"), day),
    ];
    let written = (1..).zip(&all).map(|(value, mark)| (mark.clone(), value)).collect();
    commit(&mut *backend.open(), &Batch { marks: written, ..Batch::default() });
    let later = [(all[0].clone(), 1 << 62), (all[2].clone(), 0)].into();
    commit(&mut *backend.open(), &Batch { marks: later, ..Batch::default() });
    let left = [(all[0].clone(), 1 << 62), (all[1].clone(), 2), (all[3].clone(), 4)].into();
    assert_eq!(recovered(&backend).marks, left);
}
