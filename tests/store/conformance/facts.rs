//! The sequence of facts, and each task's own.

use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::effect::WorkMessage;
use heliograph::engine::id::TaskId;
use heliograph::store::{Batch, Reader, StoreError, StoredDecision};
use heliograph::wire::chain::Head;
use heliograph::wire::fact::FactSeq;

use super::{Backend, commit, recovered, refused};
use crate::samples::{Chain, facts, task, team, waiting};

pub fn a_hole_in_the_sequence_is_refused<B: Backend>(fresh: fn() -> B) {
    let mut chain = Chain::default();
    let [one, two, three] = [(); 3].map(|()| chain.bare("roster.changed"));
    for wrong in [vec![two.clone()], vec![one.clone(), three], vec![two, one.clone()], vec![one.clone(), one.clone()]] {
        refused(&mut *fresh().open(), &facts(&wrong), "the sequence has a hole");
    }
    let backend = fresh();
    commit(&mut *backend.open(), &facts(std::slice::from_ref(&one)));
    refused(&mut *backend.open(), &facts(&[one]), "the sequence has a hole");
}

pub fn the_last_anchor_behind_a_position_is_known<B: Backend>(fresh: fn() -> B) {
    let (backend, mut chain) = (fresh(), Chain::default());
    let types = ["roster.changed", "audit.anchor", "audit.anchor", "roster.changed"];
    let written = types.map(|event_type| chain.bare(event_type));
    let mut writer = backend.open();
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.last_anchor(FactSeq(0)).expect("a number"), FactSeq(0));
    assert_eq!(reader.chain_start().expect("the start"), Head::default());
    commit(&mut *writer, &facts(&written));
    let last = |reader: &mut dyn Reader, after| reader.last_anchor(FactSeq(after)).expect("a number");
    assert_eq!([0, 2, 3].map(|after| last(&mut *reader, after)), [FactSeq(3), FactSeq(3), FactSeq(0)]);
}

pub fn a_hole_in_the_numbers_of_a_task_is_refused<B: Backend>(fresh: fn() -> B) {
    let subject = task(1, waiting());
    let numbered = |numbers: &[u64]| {
        let mut chain = Chain::default();
        let numbered = numbers.iter().map(|number| {
            let mut fact = chain.fact("task.changed", &subject);
            fact.task = Some((subject.id.clone(), *number));
            fact
        });
        facts(&numbered.collect::<Vec<_>>())
    };
    for wrong in [&[0][..], &[2], &[1, 3], &[1, 1], &[1, 2, 1]] {
        let error = fresh().open().commit(&numbered(wrong)).expect_err("numbers with a hole");
        assert!(matches!(error, StoreError::Inconsistent(_)), "{wrong:?}: {error}");
    }
    commit(&mut *fresh().open(), &numbered(&[1, 2, 3]));

    // The same across batches.
    for (next, fits) in [(1, false), (2, false), (3, true), (4, false)] {
        let backend = fresh();
        commit(&mut *backend.open(), &numbered(&[1, 2]));
        let mut batch = numbered(&[1, 2, next]);
        batch.facts.drain(..2);
        assert_eq!(backend.open().commit(&batch).is_ok(), fits, "number {next} after 2");
    }
}

pub fn a_fact_comes_back_as_it_was<B: Backend>(fresh: fn() -> B) {
    use WorkMessage::{Changed, Ended, Offer, UpdateResult, Withdrawn};
    let backend = fresh();
    let mut chain = Chain::default();
    let subject = task(1, waiting());
    let mut written: Vec<_> =
        [Offer, Withdrawn, Ended, Changed, UpdateResult].map(|kind| chain.message(kind, "sydney", &subject)).into();
    written.push(chain.bare("roster.changed"));
    let mut purged = chain.fact("task.offered", &subject);
    purged.body = [].as_slice().into();
    written.push(purged);
    commit(&mut *backend.open(), &facts(&written));
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 100).expect("facts"), written);
}

pub fn an_instant_finer_than_a_millisecond_is_refused<B: Backend>(fresh: fn() -> B) {
    let mut fact = Chain::default().bare("roster.changed");
    fact.at += TimeDelta::microseconds(1);
    refused(&mut *fresh().open(), &facts(&[fact]), "whole milliseconds");
}

pub fn the_watermark_rises_up_to_the_last_fact<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut chain = Chain::default();
    let three = [(); 3].map(|()| chain.bare("roster.changed"));
    let to = |seq| Batch { watermark: Some(FactSeq(seq)), ..Batch::default() };
    commit(&mut *backend.open(), &Batch { watermark: Some(FactSeq(1)), ..facts(&three) });
    assert_eq!(recovered(&backend).watermark, FactSeq(1));
    commit(&mut *backend.open(), &to(3));
    commit(&mut *backend.open(), &Batch::default());
    assert_eq!(recovered(&backend).watermark, FactSeq(3));
    refused(&mut *backend.open(), &to(4), "watermark 4 is outside 3 to 3");
    refused(&mut *backend.open(), &to(2), "watermark 2 is outside 3 to 3");
    assert_eq!(recovered(&backend).watermark, FactSeq(3));
}

pub fn facts_are_read_in_sequence_up_to_a_limit<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let all: Vec<_> = (0..6).map(|_| chain.bare("roster.changed")).collect();
    commit(&mut *writer, &facts(&all[..4]));
    commit(&mut *writer, &facts(&all[4..]));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 3).expect("facts"), all[..3]);
    assert_eq!(reader.facts_after(FactSeq(3), 100).expect("facts"), all[3..]);
    assert_eq!(reader.facts_after(FactSeq(6), 100).expect("facts"), []);
    assert_eq!(reader.facts_after(FactSeq(0), 0).expect("facts"), []);
    let at = reader.facts_at(&[FactSeq(5), FactSeq(77), FactSeq(2)]).expect("facts");
    assert_eq!(at, [all[4].clone(), all[1].clone()]);
}

pub fn the_history_of_a_task_is_in_order<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let (mine, other) = (task(1, waiting()), task(2, waiting()));
    let written: Vec<_> = (0..4).flat_map(|_| [chain.fact("a.a", &mine), chain.fact("b.b", &other)]).collect();
    written.chunks(3).for_each(|chunk| commit(&mut *writer, &facts(chunk)));
    let mut reader = writer.reader().expect("a reader");
    let expected: Vec<_> = written.iter().step_by(2).cloned().collect();
    assert_eq!(reader.history(&mine.id, FactSeq(0), 100).expect("a history"), expected);
    assert_eq!(reader.history(&mine.id, FactSeq(0), 2).expect("a history"), expected[..2]);
    assert_eq!(reader.history(&mine.id, expected[1].seq, 100).expect("a history"), expected[2..]);
    let unknown = TaskId::new("acme/unknown").expect("an id");
    assert_eq!(reader.history(&unknown, FactSeq(0), 100).expect("a history"), []);
}

pub fn the_last_decision_of_a_task_is_found<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let (mine, other) = (task(1, waiting()), task(2, waiting()));
    let mut first = chain.fact("task.waiting", &mine);
    first.decision = Some(Arc::from(&b"{\"n\":1}"[..]));
    let mut second = chain.fact("task.offered", &mine);
    second.decision = Some(Arc::from(&b"{\"n\":2}"[..]));
    let last = chain.fact("task.accepted", &mine);
    commit(&mut *writer, &facts(&[first, second, last]));
    let mut reader = writer.reader().expect("a reader");
    let last = StoredDecision { seq: FactSeq(2), json: b"{\"n\":2}".as_slice().into() };
    assert_eq!(reader.last_decision(&mine.id).expect("a read"), Some(last));
    assert_eq!(reader.last_decision(&other.id).expect("none"), None);
}

pub fn the_last_decision_at_a_shift_end_is_found<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let (mine, other) = (task(1, waiting()), task(2, waiting()));
    let [planned, kept] = ["handoff.planned", "handoff.kept"].map(|it| chain.fact(it, &mine));
    let others = ["handoff.requested", "handoff.answered"].map(|it| chain.fact(it, &mine));
    commit(&mut *writer, &facts(&[planned, kept.clone()]));
    commit(&mut *writer, &facts(&others));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.last_handoff(&mine.id).expect("a read"), Some(kept));
    assert_eq!(reader.last_handoff(&other.id).expect("none"), None);
}

pub fn undelivered_facts_stay_until_delivered<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut chain = Chain::default();
    let three = [(); 3].map(|()| chain.bare("task.offered"));
    let undelivered = vec![(FactSeq(3), team("sydney")), (FactSeq(1), team("london"))];
    commit(&mut *backend.open(), &Batch { undelivered, ..facts(&three) });
    assert_eq!(recovered(&backend).undelivered, [(FactSeq(1), team("london")), (FactSeq(3), team("sydney"))]);
    commit(&mut *backend.open(), &Batch { delivered: vec![FactSeq(1)], ..Batch::default() });
    assert_eq!(recovered(&backend).undelivered, [(FactSeq(3), team("sydney"))]);
    let of_no_fact = Batch { undelivered: vec![(FactSeq(4), team("sydney"))], ..Batch::default() };
    backend.open().commit(&of_no_fact).expect_err("there is no such fact");
}
