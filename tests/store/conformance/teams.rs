//! What teams are told, hold and may not see.

use heliograph::engine::effect::WorkMessage;
use heliograph::engine::id::TeamId;
use heliograph::engine::load::Held;
use heliograph::engine::task::Task;
use heliograph::store::{Batch, Conflict};
use heliograph::wire::fact::{Fact, FactSeq};

use super::{Backend, commit, recovered};
use crate::samples::{Chain, at, facts, offered, task, team, waiting};

pub fn the_first_fact_and_a_teams_last_message_are_known<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.first_fact_since(at(0)).expect("a number"), FactSeq(1));
    assert_eq!(reader.last_message_for(&team("sydney")).expect("a number"), FactSeq(0));
    let mut chain = Chain::default();
    let subject = task(1, waiting());
    let offer = chain.message(WorkMessage::Offer, "sydney", &subject);
    let ended = chain.message(WorkMessage::Ended, "sydney", &subject);
    let after = chain.fact("task.waiting", &subject);
    commit(&mut *writer, &facts(&[offer, ended.clone(), after.clone()]));
    assert_eq!(reader.first_fact_since(at(0)).expect("a number"), FactSeq(1));
    assert_eq!(reader.first_fact_since(ended.at).expect("a number"), ended.seq);
    assert_eq!(reader.first_fact_since(after.at).expect("a number"), after.seq);
    assert_eq!(reader.first_fact_since(at(1)).expect("a number"), FactSeq(after.seq.0 + 1));
    assert_eq!(reader.last_message_for(&team("sydney")).expect("a number"), ended.seq);
    assert_eq!(reader.last_message_for(&team("london")).expect("a number"), FactSeq(0));
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
    // What is not delivered may have left all the same: whoever publishes knows.
    assert_eq!(told(Some(mine.matter.clone()), 9), [1, 5, 7]);
    assert_eq!(told(None, 9), [1, 3, 5, 7], "all of the client's");
    assert_eq!(told(None, 2), [1, 3]);
}
