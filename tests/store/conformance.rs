//! The promises that every store keeps, written against the port alone.
//!
//! A store is tested by naming its [`Backend`] in a module of its own:
//! `for_each_promise!(on_that_store)` gives a macro the names of all promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use chrono::TimeDelta;
use heliograph::engine::effect::WorkMessage;
use heliograph::engine::event::{EndedTask, Refusal, RefusalCode, UpdateResult};
use heliograph::engine::id::{TaskId, TeamId};
use heliograph::engine::load::Held;
use heliograph::engine::task::Task;
use heliograph::engine::update::{Change, KeptUpdate, Sender, Update};
use heliograph::store::{Batch, Conflict, RECENT_ENDED, Recovered, StoreError, StoredDecision, TaskQuery, Writer};
use heliograph::wire::fact::{Fact, FactSeq};

use crate::samples::{
    Chain, active, at, cancelled, client, completed, facts, offered, request, roster, row, sha256, task, task_of,
    tasks, team, waiting,
};

/// A place where one store lives; opening it again finds what was committed.
pub trait Backend {
    fn open(&self) -> Box<dyn Writer>;
}

macro_rules! for_each_promise {
    ($run:ident) => {
        $run! {
            a_new_store_is_empty,
            every_store_has_an_incarnation_of_its_own,
            a_start_finds_what_was_committed,
            nothing_of_a_failed_batch_is_kept,
            a_writer_that_failed_is_not_used_again,
            a_hole_in_the_sequence_is_refused,
            a_hole_in_the_numbers_of_a_task_is_refused,
            a_fact_comes_back_as_it_was,
            an_instant_finer_than_a_millisecond_is_refused,
            the_watermark_rises_up_to_the_last_fact,
            facts_are_read_in_sequence_up_to_a_limit,
            the_history_of_a_task_is_in_order,
            a_team_reads_only_messages_to_it,
            the_first_fact_and_a_teams_last_message_are_known,
            the_last_decision_of_a_task_is_found,
            walls_that_teams_raised_are_recovered_once,
            what_a_team_held_is_what_its_last_message_says,
            no_message_passes_a_wall,
            what_a_team_was_told_behind_a_wall_is_found,
            kept_updates_are_recovered_until_they_are_done,
            a_cursor_is_where_the_team_left_it,
            ended_tasks_are_found_in_the_order_asked,
            an_id_cannot_become_two_tasks,
            the_newest_ended_tasks_are_recovered_up_to_a_limit,
            arrival_numbers_are_not_given_twice,
            undelivered_facts_stay_until_delivered,
            the_first_answer_to_an_update_stands,
            senders_do_not_share_update_ids,
            suspects_are_counted_until_cleared,
            rosters_are_found_by_digest,
            a_payload_comes_back_byte_for_byte,
            a_payload_needs_its_task,
            listings_filter_and_keep_the_order_of_arrival,
            a_reader_sees_whole_batches_only,
            a_checkpoint_changes_nothing_that_is_read,
        }
    };
}
pub(crate) use for_each_promise;

/// The parts of a recovery that can be compared at once.
fn state(recovered: &Recovered) -> String {
    format!("{recovered:#?}")
}

fn recovered(backend: &impl Backend) -> Recovered {
    backend.open().recover().expect("a recovery")
}

fn commit(writer: &mut dyn Writer, batch: &Batch) {
    writer.commit(batch).expect("a commit");
}

fn refused(writer: &mut dyn Writer, batch: &Batch, because: &str) {
    match writer.commit(batch) {
        Err(StoreError::Inconsistent(what)) => assert!(what.contains(because), "{what}"),
        other => panic!("expected a refusal for {because:?}, got {other:?}"),
    }
}

fn ids(tasks: &[Task]) -> Vec<u64> {
    tasks.iter().map(|task| task.arrival.0).collect()
}

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
        updates: vec![(Sender::Team(team("sydney")), request("u1"), UpdateResult { refused: None })],
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

pub fn the_first_fact_and_a_teams_last_message_are_known<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.oldest_fact().expect("a number"), FactSeq(1));
    assert_eq!(reader.last_message_for(&team("sydney")).expect("a number"), FactSeq(0));
    let mut chain = Chain::default();
    let subject = task(1, waiting());
    let offer = chain.message(WorkMessage::Offer, "sydney", &subject);
    let ended = chain.message(WorkMessage::Ended, "sydney", &subject);
    let after = chain.fact("task.waiting", &subject);
    commit(&mut *writer, &facts(&[offer, ended.clone(), after]));
    assert_eq!(reader.oldest_fact().expect("a number"), FactSeq(1));
    assert_eq!(reader.last_message_for(&team("sydney")).expect("a number"), ended.seq);
    assert_eq!(reader.last_message_for(&team("london")).expect("a number"), FactSeq(0));
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

pub fn walls_that_teams_raised_are_recovered_once<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let subject = task(1, waiting());
    let wall = |name: &str| (team(name), subject.client.clone(), subject.matter.clone());
    let conflict = |name: &str, seq| conflict(name, &subject, seq);
    {
        let mut writer = backend.open();
        commit(&mut *writer, &Batch { conflicts: vec![conflict("sydney", 3)], ..Batch::default() });
        let again = vec![conflict("london", 5), conflict("sydney", 6)];
        commit(&mut *writer, &Batch { conflicts: again, ..Batch::default() });
    }
    assert_eq!(recovered(&backend).conflicts, [wall("sydney"), wall("london")]);
    let mut reader = backend.open().reader().expect("a reader");
    let mut before = |seq| reader.conflicts_before(FactSeq(seq), &subject.client, &subject.matter).expect("teams");
    assert_eq!(before(3), [] as [TeamId; 0]);
    assert_eq!(before(4), [team("sydney")]);
    assert_eq!(before(6), [team("sydney"), team("london")]);
}

pub fn what_a_team_held_is_what_its_last_message_says<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let subject = task(1, offered("sydney"));
    let mut told = |used: Option<u32>| {
        let mut fact = chain.message(WorkMessage::Offer, "sydney", &subject);
        fact.held = used.map(|used| Held { used, used_minutes: used * 90 });
        fact
    };
    let written = [told(Some(1)), told(Some(2)), told(None)];
    commit(&mut *writer, &facts(&written));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 10).expect("facts"), written);
    let asked = [team("london"), team("sydney")];
    let mut before = |seq| reader.held_before(FactSeq(seq), &asked).expect("what they held");
    let nothing = Some(Held::default());
    assert_eq!(before(1), [nothing, nothing]);
    assert_eq!(before(2), [nothing, Some(Held { used: 1, used_minutes: 90 })]);
    assert_eq!(before(3), [nothing, Some(Held { used: 2, used_minutes: 180 })]);
    assert_eq!(before(4), [nothing, None], "a fact that does not say");
}

/// A fact that raises a wall around the matter of a task.
fn wall_fact(chain: &mut Chain, to: &str, subject: &Task) -> Fact {
    let mut fact = chain.bare("wall.raised");
    fact.client = Some(subject.client.clone());
    fact.matter = Some(subject.matter.clone());
    fact.team = Some(team(to));
    fact
}

/// A conflict of a team with the matter of a task.
fn conflict(name: &str, of: &Task, seq: u64) -> Conflict {
    Conflict { team: team(name), client: of.client.clone(), matter: of.matter.clone(), seq: FactSeq(seq) }
}

pub fn no_message_passes_a_wall<B: Backend>(fresh: fn() -> B) {
    let subject = task(1, waiting());
    let of_matter = (team("sydney"), subject.client.clone(), Some(subject.matter.clone()));
    let of_client = (team("sydney"), subject.client.clone(), None);
    let conflict = conflict("sydney", &subject, 2);
    let refused = |backend: &B, chain: &mut Chain, kind, batch: Batch| {
        let offer = chain.message(kind, "sydney", &subject);
        let mut facts = batch.facts;
        facts.push(offer);
        backend.open().commit(&Batch { facts, ..batch }).is_err()
    };
    for walls in [vec![of_matter], vec![of_client]] {
        let (backend, mut chain) = (fresh(), Chain::default());
        commit(&mut *backend.open(), &Batch { walls: Some(walls.clone()), ..Batch::default() });
        assert!(!refused(&backend, &mut chain, WorkMessage::Ended, Batch::default()), "ids may pass");
        assert_eq!(recovered(&backend).walls, walls);
        // An offer that is not stored takes no number.
        assert!(refused(&backend, &mut chain.clone(), WorkMessage::Offer, Batch::default()), "{walls:?}");
        let changed = vec![chain.bare("roster.changed")];
        let without = Batch { facts: changed, walls: Some(Vec::new()), ..Batch::default() };
        assert!(!refused(&backend, &mut chain, WorkMessage::Offer, without), "the roster has no such wall any more");
    }
    let (backend, mut chain) = (fresh(), Chain::default());
    let before = chain.message(WorkMessage::Offer, "sydney", &subject);
    let raised = vec![before, wall_fact(&mut chain, "sydney", &subject)];
    let raising = Batch { facts: raised, conflicts: vec![conflict], ..Batch::default() };
    commit(&mut *backend.open(), &raising);
    assert!(refused(&backend, &mut chain.clone(), WorkMessage::Changed, Batch::default()), "a conflict is a wall");
    let mut unknown = chain.message(WorkMessage::Offer, "london", &subject);
    unknown.matter = None;
    assert!(backend.open().commit(&facts(&[unknown])).is_err(), "unknown means no");
}

pub fn what_a_team_was_told_behind_a_wall_is_found<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let (mine, mut other) = (task(1, waiting()), task(2, waiting()));
    other.matter = "M-other".parse().expect("a matter");
    let offers = [
        chain.message(WorkMessage::Offer, "sydney", &mine),
        chain.message(WorkMessage::Offer, "london", &mine),
        chain.message(WorkMessage::Offer, "sydney", &other),
        chain.message(WorkMessage::Ended, "sydney", &mine),
        chain.message(WorkMessage::Changed, "sydney", &mine),
        chain.message(WorkMessage::Offer, "sydney", &mine),
        chain.message(WorkMessage::Offer, "sydney", &mine),
        wall_fact(&mut chain, "sydney", &mine),
    ];
    commit(&mut *writer, &facts(&offers));
    let stayed = Batch {
        suppressed: vec![offers[5].seq],
        undelivered: vec![(offers[6].seq, team("sydney"))],
        ..Batch::default()
    };
    commit(&mut *writer, &stayed);
    let mut reader = writer.reader().expect("a reader");
    let mut told = |matter, limit| {
        let wall = (team("sydney"), mine.client.clone(), matter);
        reader
            .told(&wall, offers[7].seq, limit)
            .expect("messages")
            .into_iter()
            .map(|(seq, _)| seq.0)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(Some(mine.matter.clone()), 9), [1, 5]);
    assert_eq!(told(None, 9), [1, 3, 5], "all of the client's");
    assert_eq!(told(None, 2), [1, 3]);
}

pub fn kept_updates_are_recovered_until_they_are_done<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let kept = |id: &str| KeptUpdate {
        update: Update {
            id: request(id),
            task: task(1, waiting()).id,
            sender: Sender::Client(client("acme")),
            at: None,
            change: Change::Hold,
        },
        until: at(10),
    };
    {
        let mut writer = backend.open();
        commit(&mut *writer, &Batch { kept: vec![kept("b"), kept("a")], ..Batch::default() });
    }
    assert_eq!(recovered(&backend).kept, [kept("b"), kept("a")]);
    {
        let mut writer = backend.open();
        let acme = || Sender::Client(client("acme"));
        commit(&mut *writer, &answer(acme(), "b", None));
        let no = Refusal::of_field(RefusalCode::UnknownTask, "task", "no request came");
        let done = (acme(), request("b"), Some(no.clone()));
        commit(&mut *writer, &Batch { kept_done: vec![done], ..Batch::default() });
        let mut reader = writer.reader().expect("a reader");
        let told = reader.update_result(&acme(), &request("b")).expect("an answer");
        assert_eq!(told, Some(UpdateResult { refused: Some(no) }), "its repeat hears what became of it");
    }
    assert_eq!(recovered(&backend).kept, [kept("a")]);
}

pub fn a_team_reads_only_messages_to_it<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut chain = Chain::default();
    let subject = task(1, waiting());
    let mut about_sydney = chain.fact("task.accepted", &subject);
    about_sydney.team = Some(team("sydney"));
    let first = chain.message(WorkMessage::Offer, "sydney", &subject);
    let others = chain.message(WorkMessage::Offer, "london", &subject);
    let second = chain.message(WorkMessage::Withdrawn, "sydney", &subject);
    commit(&mut *writer, &facts(&[about_sydney, first.clone(), others, second.clone()]));
    let mut reader = writer.reader().expect("a reader");
    let sydney = team("sydney");
    assert_eq!(reader.messages_for(&sydney, FactSeq(0), 10).expect("messages"), [first.clone(), second.clone()]);
    assert_eq!(reader.messages_for(&sydney, FactSeq(0), 1).expect("messages"), std::slice::from_ref(&first));
    assert_eq!(reader.messages_for(&sydney, first.seq, 10).expect("messages"), std::slice::from_ref(&second));
    assert_eq!(reader.messages_for(&sydney, second.seq, 10).expect("messages"), []);
    assert_eq!(reader.messages_for(&team("lima"), FactSeq(0), 10).expect("messages"), []);
}

pub fn a_cursor_is_where_the_team_left_it<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let to = |seq| Batch { cursors: vec![(team("sydney"), FactSeq(seq))], ..Batch::default() };
    commit(&mut *writer, &to(5));
    commit(&mut *writer, &to(8));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.cursor(&team("sydney")).expect("a cursor"), FactSeq(8));
    assert_eq!(reader.cursor(&team("london")).expect("a cursor"), FactSeq(0));
}

pub fn ended_tasks_are_found_in_the_order_asked<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let (open, done, off) = (task(1, active("sydney")), task(2, completed("sydney", 3)), task(3, cancelled(4)));
    commit(&mut *writer, &tasks(&[open.clone(), done.clone(), off.clone()]));
    let unknown = TaskId::new("acme/unknown").expect("an id");
    let mut reader = writer.reader().expect("a reader");
    let found = reader.ended(&[off.id.clone(), unknown, done.id.clone(), open.id, off.id.clone()]).expect("an answer");
    let ended = |task: &Task| {
        let team = task.state.team().cloned();
        Some(EndedTask { id: task.id.clone(), digest: task.digest.clone(), state: task.state.as_str().into(), team })
    };
    assert_eq!(found, [ended(&off), None, ended(&done), None, ended(&off)]);
    assert_eq!(reader.ended(&[]).expect("an answer"), []);
}

pub fn an_id_cannot_become_two_tasks<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let first = task(1, offered("sydney"));
    commit(&mut *backend.open(), &tasks(std::slice::from_ref(&first)));
    let owned = task(1, active("sydney"));
    commit(&mut *backend.open(), &tasks(std::slice::from_ref(&owned)));
    assert_eq!(recovered(&backend).open, std::slice::from_ref(&owned), "the same task in another state");

    let second_arrival = Task { arrival: heliograph::engine::task::Arrival(2), ..first.clone() };
    refused(&mut *backend.open(), &tasks(&[second_arrival]), "another arrival or another digest");
    let other_content = Task { digest: task(9, waiting()).digest, ..first.clone() };
    refused(&mut *backend.open(), &tasks(&[other_content]), "another arrival or another digest");
    let same_arrival = Task { arrival: first.arrival, ..task(2, waiting()) };
    backend.open().commit(&tasks(&[same_arrival])).expect_err("an arrival of another task");
    assert_eq!(recovered(&backend).open, [owned]);
}

pub fn the_newest_ended_tasks_are_recovered_up_to_a_limit<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let count = u64::try_from(RECENT_ENDED).expect("a small number") + 3;
    // Later arrivals end earlier, two at a time.
    let ended: Vec<_> = (1..=count)
        .map(|n| task(n, completed("sydney", i64::try_from((count - n) / 2).expect("a small number"))))
        .collect();
    commit(&mut *backend.open(), &tasks(&ended));
    let found = recovered(&backend);
    assert_eq!(found.recent_ended.len(), RECENT_ENDED);
    let mut order = ended;
    order.sort_by_key(|task| match task.state {
        heliograph::engine::task::TaskState::Completed { at, .. } => (at, task.arrival),
        _ => unreachable!("all are completed"),
    });
    assert_eq!(ids(&found.recent_ended), ids(&order[3..]));
    assert!(found.open.is_empty());
}

pub fn arrival_numbers_are_not_given_twice<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    commit(&mut *backend.open(), &tasks(&[task(7, waiting()), task(4, waiting())]));
    assert_eq!(recovered(&backend).next_arrival, 8);
    commit(&mut *backend.open(), &tasks(&[task(7, cancelled(1))]));
    assert_eq!(recovered(&backend).next_arrival, 8);
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

fn answer(from: Sender, id: &str, refused: Option<Refusal>) -> Batch {
    Batch { updates: vec![(from, request(id), UpdateResult { refused })], ..Batch::default() }
}

pub fn the_first_answer_to_an_update_stands<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let sydney = Sender::Team(team("sydney"));
    let no = Refusal::of_field(RefusalCode::StaleAssignment, "assignment", "assignment 1 is not the current one, 2");
    commit(&mut *writer, &answer(sydney.clone(), "u1", Some(no.clone())));
    commit(&mut *writer, &answer(sydney.clone(), "u1", None));
    commit(&mut *writer, &answer(sydney.clone(), "u2", None));
    let mut reader = writer.reader().expect("a reader");
    let mut found = |id| reader.update_result(&sydney, &request(id)).expect("an answer");
    assert_eq!(found("u1"), Some(UpdateResult { refused: Some(no) }));
    assert_eq!(found("u2"), Some(UpdateResult { refused: None }));
    assert_eq!(found("u3"), None);
}

pub fn senders_do_not_share_update_ids<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    commit(&mut *writer, &answer(Sender::Team(team("acme")), "u1", None));
    let mut reader = writer.reader().expect("a reader");
    for other in [Sender::Client(client("acme")), Sender::Operator("acme".into()), Sender::Team(team("acme-1"))] {
        assert_eq!(reader.update_result(&other, &request("u1")).expect("an answer"), None, "{other:?}");
    }
}

pub fn suspects_are_counted_until_cleared<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let (one, other) = (sha256(b"one"), sha256(b"other"));
    commit(&mut *backend.open(), &Batch { suspects: vec![(one, 1), (other, 1)], ..Batch::default() });
    commit(&mut *backend.open(), &Batch { suspects: vec![(one, 2)], ..Batch::default() });
    commit(&mut *backend.open(), &Batch { cleared_suspects: vec![other, [0; 32]], ..Batch::default() });
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.suspect_attempts(&one).expect("a count"), 2);
    assert_eq!(reader.suspect_attempts(&other).expect("a count"), 0);
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

pub fn a_payload_comes_back_byte_for_byte<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let (full, empty, none) = (task(1, waiting()), task(2, waiting()), task(3, waiting()));
    let bytes: Arc<[u8]> = (0..=255).cycle().take(5000).collect();
    let payloads = vec![(full.id.clone(), Arc::clone(&bytes)), (empty.id.clone(), [].as_slice().into())];
    commit(&mut *writer, &Batch { payloads, ..tasks(&[full.clone(), empty.clone(), none.clone()]) });
    commit(&mut *writer, &tasks(&[task(1, active("sydney"))]));
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.payload(&full.id).expect("a payload"), Some(bytes), "it outlives a change of its task");
    assert_eq!(reader.payload(&empty.id).expect("a payload").as_deref(), Some([].as_slice()));
    assert_eq!(reader.payload(&none.id).expect("a payload"), None);
}

pub fn a_payload_needs_its_task<B: Backend>(fresh: fn() -> B) {
    let orphan = vec![(task(1, waiting()).id, b"{}".as_slice().into())];
    refused(&mut *fresh().open(), &Batch { payloads: orphan, ..Batch::default() }, "acme/req-000001");
}

pub fn listings_filter_and_keep_the_order_of_arrival<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let all = [
        task_of("acme", 1, completed("sydney", 1)),
        task_of("bolt", 2, waiting()),
        task_of("acme", 3, active("sydney")),
        task_of("acme", 4, offered("london")),
        task_of("bolt", 5, active("sydney")),
        task_of("acme", 6, waiting()),
        task_of("acme", 7, cancelled(1)),
    ];
    commit(&mut *writer, &tasks(&all));
    let mut reader = writer.reader().expect("a reader");
    let mut list = |client_name: &str, team_name: &str, state: &str, after_arrival, limit| {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let query = TaskQuery {
            client: given(client_name).map(|name| client(&name)),
            team: given(team_name).map(|name| team(&name)),
            state: given(state),
            after_arrival,
            limit,
        };
        ids(&reader.tasks(&query).expect("a listing"))
    };
    assert_eq!(list("", "", "", None, 100), [1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(list("", "", "", Some(2), 3), [3, 4, 5]);
    assert_eq!(list("", "", "", None, 0), [0; 0]);
    assert_eq!(list("acme", "", "", None, 100), [1, 3, 4, 6, 7]);
    assert_eq!(list("", "sydney", "", None, 100), [1, 3, 5]);
    assert_eq!(list("acme", "sydney", "", None, 100), [1, 3]);
    assert_eq!(list("", "", "waiting", None, 100), [2, 6]);
    assert_eq!(list("acme", "", "waiting", Some(2), 100), [6]);
    assert_eq!(list("bolt", "sydney", "active", None, 100), [5]);
    assert_eq!(list("", "", "no such state", None, 100), [0; 0]);
    assert_eq!(reader.task(&all[2].id).expect("a task"), Some(all[2].clone()));
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
