//! Updates: kept, answered once, and messages that are handled alone.

use heliograph::engine::event::{Refusal, RefusalCode, UpdateResult};
use heliograph::engine::update::{Change, KeptUpdate, Sender, Update, UpdateDigest};
use heliograph::store::Batch;

use super::{Backend, commit, recovered};
use crate::samples::{at, client, request, sha256, task, team, waiting};

/// Of what an update said.
const DIGEST: UpdateDigest = UpdateDigest([7; 32]);

pub fn kept_updates_are_recovered_until_they_are_done<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let kept = |id: &str| KeptUpdate {
        update: Update {
            id: request(id),
            task: task(1, waiting()).id,
            sender: Sender::Client(client("acme")),
            at: None,
            order: None,
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
        assert_eq!(
            told,
            Some(UpdateResult { digest: Some(DIGEST), refused: Some(no) }),
            "its repeat hears what became of it"
        );
    }
    assert_eq!(recovered(&backend).kept, [kept("a")]);
}

fn answer(from: Sender, id: &str, refused: Option<Refusal>) -> Batch {
    Batch { updates: vec![(from, request(id), UpdateResult { digest: Some(DIGEST), refused })], ..Batch::default() }
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
    assert_eq!(found("u1"), Some(UpdateResult { digest: Some(DIGEST), refused: Some(no) }));
    assert_eq!(found("u2"), Some(UpdateResult { digest: Some(DIGEST), refused: None }));
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
