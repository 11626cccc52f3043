//! What is forgotten, when, and what never is.

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{Effect, Recorded};
use heliograph::engine::event::UpdateResult;
use heliograph::engine::outlook::{Demand, hour_of};
use heliograph::engine::task::{Holder, Notes, Task, TaskState};
use heliograph::engine::update::Sender;
use heliograph::store::{Batch, Forgetting, Forgotten, Purge, Writer};
use heliograph::wire::chain::{Head, Sealer, Verifier};
use heliograph::wire::fact::{Fact, FactSeq};

use super::{Backend, commit, recovered};
use crate::samples::{Chain, active, at, cancelled, completed, request, segment, task, tasks, team, waiting};

/// What is forgotten when content goes after `content` minutes and the rest after `rows`.
pub(super) fn by(content: i64, rows: i64) -> Forgetting {
    Forgetting {
        now: at(100_000),
        content_before: at(content),
        rows_before: at(rows),
        read_over_http: Vec::new(),
        portion: 100,
    }
}

/// A task with notes of an earlier holder.
pub fn noted(arrival: u64, state: TaskState, said: &str) -> Task {
    let mut noted = task(arrival, state);
    noted.add_holder(Holder {
        team: team("sydney"),
        assignment: 1,
        from: at(0),
        until: at(5),
        remaining_minutes: 30,
        worked_seconds: 300,
        cost_cents: 0,
        notes: Notes { notes: Some(said.into()), done: None, next_step: Some(format!("{said}, next")) },
        completed_late_at: None,
        notes_dropped: false,
    });
    noted
}

/// Facts of a chain as the daemon makes them.
pub struct Sealed(pub Sealer);

impl Default for Sealed {
    fn default() -> Self {
        Self(Sealer::after(Head::default()))
    }
}

impl Sealed {
    pub fn fact(&mut self, about: &Task, task_seq: u64, minutes: i64, note: Option<&str>) -> Fact {
        self.0.seal(Recorded {
            at: at(minutes),
            claimed_at: None,
            task: Some((about.id.clone(), task_seq)),
            client: Some(about.client.clone()),
            matter: None,
            team: None,
            addressed: None,
            held: None,
            update: None,
            order: None,
            decision: None,
            effect: Effect::Progress { assignment: 1, remaining_minutes: 9, note: note.map(Into::into) },
        })
    }
}

/// The batch of tasks and facts, all of them published.
pub fn published(of: &[Task], facts: Vec<Fact>) -> Batch {
    let watermark = facts.last().map(|fact| fact.seq);
    let payloads = of.iter().map(|it| (it.id.clone(), br#"{"secret":1}"#.as_slice().into())).collect();
    Batch { facts, payloads, watermark, ..tasks(of) }
}

pub(super) fn forget_all(writer: &mut dyn Writer, what: &Forgetting) -> Forgotten {
    let mut all = Forgotten::default();
    loop {
        all.add(writer.forget(what).expect("it forgets"));
        if !all.is_more {
            return all;
        }
    }
}

pub fn what_people_wrote_comes_back_with_the_task<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut mine = active("london");
    if let TaskState::Active(active) = &mut mine {
        active.handoff.notes = Notes { done: Some("half of it".into()), ..Notes::default() };
    }
    let open = [noted(1, waiting(), "first"), noted(2, mine, "second"), task(3, active("london"))];
    let ended = noted(4, cancelled(3), "fourth");
    let all: Vec<_> = open.iter().chain([&ended]).cloned().collect();
    commit(&mut *backend.open(), &tasks(&all));
    let found = recovered(&backend);
    assert_eq!(found.open, open);
    assert_eq!(found.recent_ended, std::slice::from_ref(&ended));
    let mut reader = backend.open().reader().expect("a reader");
    assert_eq!(reader.task(&ended.id).expect("a task"), Some(ended));

    // Said anew, and not said any more.
    let changed = [noted(1, waiting(), "another"), task(2, active("london"))];
    commit(&mut *backend.open(), &tasks(&changed));
    assert_eq!(recovered(&backend).open[..2], changed);
}

pub fn content_is_forgotten_when_its_time_is_over_and_the_rest_stays<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let (old, young) = (noted(1, completed("london", 10), "old"), noted(2, completed("london", 20), "young"));
    let (off, open) = (task(3, cancelled(10)), noted(4, waiting(), "open"));
    let all = [old, young, off, open];
    let mut sealed = Sealed::default();
    let mut facts = Vec::new();
    for it in &all {
        facts.extend([sealed.fact(it, 1, 1, None), sealed.fact(it, 2, 2, Some("a note"))]);
    }
    commit(&mut *writer, &published(&all, facts.clone()));
    assert_eq!(forget_all(&mut *writer, &by(10, -1)), Forgotten::default(), "what ended at that very instant stays");

    let done = forget_all(&mut *writer, &by(11, -1));
    assert_eq!((done.payloads, done.words, done.facts, done.tasks), (2, 4, 0, 0), "{done:?}");
    let mut reader = writer.reader().expect("a reader");
    for (it, is_old) in all.iter().zip([true, false, true, false]) {
        assert_eq!(reader.payload(&it.id).expect("a payload").is_none(), is_old, "{}", it.id);
        let stored = reader.task(&it.id).expect("a read").expect("a task");
        assert_eq!(stored.has_words(), !is_old, "{}", it.id);
        assert_eq!((&stored.id, &stored.digest, stored.holders.len()), (&it.id, &it.digest, it.holders.len()));
        let history = reader.history(&it.id, FactSeq(0), 10).expect("facts");
        assert_eq!(history.iter().map(|fact| fact.body.is_empty()).collect::<Vec<_>>(), [false, is_old]);
    }
    let mut verifier = Verifier::new(Head::default(), None);
    for fact in reader.facts_after(FactSeq(0), 100).expect("facts") {
        verifier.check(&fact).expect("the chain holds");
    }
    assert_eq!(verifier.finish(), Ok(sealed.0.head()));
    assert_eq!(forget_all(&mut *writer, &by(11, -1)), Forgotten::default(), "nothing is forgotten twice");
}

pub fn facts_are_forgotten_from_the_front_and_a_task_goes_with_its_last_fact<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let [first, second] = [1, 2].map(|arrival| noted(arrival, completed("london", 10), "said"));
    let mut sealed = Sealed::default();
    let facts = vec![
        sealed.fact(&first, 1, 1, None),
        sealed.fact(&second, 1, 2, None),
        sealed.fact(&first, 2, 10, None),
        sealed.fact(&second, 2, 30, None),
    ];
    let answered = vec![(Sender::Team(team("sydney")), request("u1"), UpdateResult { digest: None, refused: None })];
    let batch = Batch {
        segments: vec![segment(1, "finish", 1, 0, 10)],
        updates: answered,
        at: Some(at(10)),
        ..published(&[first.clone(), second.clone()], facts.clone())
    };
    commit(&mut *writer, &batch);
    let done = forget_all(&mut *writer, &by(11, 20));
    assert_eq!((done.facts, done.tasks, done.updates), (3, 1, 1), "{done:?}");
    let mut reader = writer.reader().expect("a reader");
    assert_eq!(reader.facts_after(FactSeq(0), 10).expect("facts"), facts[3..]);
    assert!(reader.task(&first.id).expect("a read").is_none() && reader.task(&second.id).expect("a read").is_some());
    assert_eq!(reader.segments(&first.id).expect("segments"), []);
    assert_eq!(reader.ended(std::slice::from_ref(&first.id)).expect("what has ended"), [None]);
    assert_eq!(reader.update_result(&Sender::Team(team("sydney")), &request("u1")).expect("an answer"), None);
    assert_eq!(reader.first_fact_since(at(0)).expect("a number"), FactSeq(4));
    assert_eq!(reader.chain_start().expect("the start"), Head { seq: FactSeq(3), link: facts[2].link });

    // The chain goes on from what is left, also after a start, and the id is free for another request.
    drop(writer);
    assert_eq!(recovered(&backend).last_seq, FactSeq(4));
    let mut again = first.clone();
    again.arrival.0 = 3;
    let fact = sealed.fact(&again, 1, 40, None);
    commit(&mut *backend.open(), &Batch { facts: vec![fact.clone()], ..tasks(&[again]) });
    let mut verifier = Verifier::new(Head { seq: FactSeq(3), link: facts[2].link }, None);
    verifier.check(&facts[3]).and_then(|()| verifier.check(&fact)).expect("the chain holds");
}

pub fn a_fact_that_is_needed_is_never_forgotten<B: Backend>(fresh: fn() -> B) {
    for (name, change, reads, open, first) in [
        ("nothing", None, false, false, 4),
        ("the watermark", Some(Obstacle::Unpublished), false, false, 2),
        ("an undelivered one", Some(Obstacle::Undelivered), false, false, 2),
        ("an unread one", Some(Obstacle::Unread), true, false, 2),
        ("a message that its team reads in its queue", Some(Obstacle::Unread), false, false, 4),
        ("one that was read", Some(Obstacle::Read), true, false, 4),
        ("an open task", None, false, true, 2),
    ] {
        assert_eq!(first_left(&fresh(), change, reads, open), FactSeq(first), "{name}");
    }
}

#[derive(Clone, Copy)]
enum Obstacle {
    Unpublished,
    Undelivered,
    Unread,
    Read,
}

/// The first of four old facts that is left when something is with the second one.
fn first_left(backend: &dyn Backend, obstacle: Option<Obstacle>, reads_over_http: bool, is_open: bool) -> FactSeq {
    let state = |open| if open { waiting() } else { completed("london", 1) };
    let both = [task(1, state(false)), task(2, state(is_open))];
    let mut chain = Chain::default();
    let mut facts: Vec<_> = [0, 1, 0, 0].map(|of| chain.fact("task.changed", &both[of])).into();
    let mut batch = Batch { watermark: Some(FactSeq(4)), ..tasks(&both) };
    match obstacle {
        None => {}
        Some(Obstacle::Unpublished) => batch.watermark = Some(FactSeq(1)),
        Some(Obstacle::Undelivered) => batch.undelivered = vec![(FactSeq(2), team("sydney"))],
        Some(it @ (Obstacle::Unread | Obstacle::Read)) => {
            facts[1].team = Some(team("sydney"));
            facts[1].addressed = Some(heliograph::engine::effect::WorkMessage::Ended);
            let read = if matches!(it, Obstacle::Read) { 2 } else { 1 };
            batch.cursors = vec![(team("sydney"), FactSeq(read))];
        }
    }
    let mut writer = backend.open();
    commit(&mut *writer, &Batch { facts, ..batch });
    let read_over_http = if reads_over_http { vec![team("sydney")] } else { Vec::new() };
    forget_all(&mut *writer, &Forgetting { read_over_http, ..by(1_000, 1_000) });
    let mut reader = writer.reader().expect("a reader");
    reader.first_fact_since(DateTime::<Utc>::UNIX_EPOCH).expect("a number")
}

pub fn the_closed_tasks_of_a_matter_are_emptied_at_once<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut other = noted(4, completed("london", 5), "of another matter");
    other.matter = heliograph::engine::id::MatterId::new("M-2").expect("a matter");
    let all = [
        noted(1, completed("london", 5), "one"),
        noted(2, cancelled(6), "two"),
        noted(3, active("london"), "three"),
        other,
        noted(5, completed("london", 9), "closed later"),
    ];
    let mut sealed = Sealed::default();
    let facts: Vec<_> = all.iter().map(|it| sealed.fact(it, 1, 5, Some("a note"))).collect();
    let mut batch = published(&all, facts);
    let (client, matter) = (all[0].client.clone(), all[0].matter.clone());
    batch.purges = vec![Purge { seq: FactSeq(5), client, matter, at: at(7) }];
    commit(&mut *backend.open(), &batch);

    // What a start finds is done then.
    let mut writer = backend.open();
    let done = forget_all(&mut *writer, &by(-1, -1));
    assert_eq!((done.payloads, done.words, done.purged), (2, 4, Some(FactSeq(5))), "{done:?}");
    let mut reader = writer.reader().expect("a reader");
    let has_words = all.each_ref().map(|it| reader.task(&it.id).expect("a read").expect("a task").has_words());
    assert_eq!(has_words, [false, false, true, true, true]);
    let has_payload = all.each_ref().map(|it| reader.payload(&it.id).expect("a read").is_some());
    assert_eq!(has_payload, has_words);
    assert_eq!(forget_all(&mut *writer, &by(-1, -1)), Forgotten::default());
}

pub fn what_is_not_published_is_not_emptied<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let done = noted(1, completed("london", 5), "one");
    let mut sealed = Sealed::default();
    let facts = vec![sealed.fact(&done, 1, 5, None), sealed.fact(&done, 2, 5, Some("a note"))];
    let purge = Purge { seq: FactSeq(2), client: done.client.clone(), matter: done.matter.clone(), at: at(7) };
    let batch = published(std::slice::from_ref(&done), facts);
    commit(&mut *writer, &Batch { watermark: Some(FactSeq(1)), purges: vec![purge], ..batch });
    assert_eq!(forget_all(&mut *writer, &by(1_000, -1)), Forgotten::default(), "neither by age nor by a purge");
    commit(&mut *writer, &Batch { watermark: Some(FactSeq(2)), ..Batch::default() });
    let forgotten = forget_all(&mut *writer, &by(-1, -1));
    assert_eq!((forgotten.words, forgotten.purged), (2, Some(FactSeq(2))), "the purge was waiting: {forgotten:?}");
}

pub fn a_portion_is_no_larger_than_asked<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let all: Vec<_> = (1..=7).map(|arrival| task(arrival, completed("london", 5))).collect();
    let mut sealed = Sealed::default();
    let facts = all.iter().map(|it| sealed.fact(it, 1, 5, Some("a note"))).collect();
    commit(&mut *writer, &published(&all, facts));
    let what = Forgetting { portion: 3, ..by(1_000, 1_000) };
    let portions: Vec<_> = std::iter::repeat_with(|| writer.forget(&what).expect("it forgets")).take(3).collect();
    assert_eq!(portions.iter().map(|it| it.payloads).collect::<Vec<_>>(), [3, 3, 1], "the content of all");
    assert_eq!(portions.iter().map(|it| it.facts).collect::<Vec<_>>(), [3, 3, 0], "the last fact stays");
    assert_eq!(portions.iter().map(|it| it.is_more).collect::<Vec<_>>(), [true, true, false]);
}

pub fn the_demand_is_what_is_booked_what_came_and_what_was_said<B: Backend>(fresh: fn() -> B) {
    let backend = fresh();
    let mut writer = backend.open();
    let now = hour_of(at(0));
    let (here, other) = ("US-NY/litigation".to_owned(), "*/patents".to_owned());
    let of = [noted(1, waiting(), "30 minutes are left"), task(2, active("london")), task(3, completed("london", 1))];
    let batch = Batch {
        facts: vec![Chain::default().bare("roster.changed")],
        arrivals: [((now, here.clone()), 90), ((now - 1, other.clone()), 5)].into(),
        outlooks: [((now, here.clone()), 70)].into(),
        ..tasks(&of)
    };
    commit(&mut *writer, &batch);
    let again = Batch {
        arrivals: [((now, here.clone()), 10)].into(),
        outlooks: [((now, here.clone()), 99)].into(),
        ..Batch::default()
    };
    commit(&mut *writer, &again);
    let mut reader = writer.reader().expect("a reader");
    let expected = Demand {
        booked: [(here.clone(), 30 + 240)].into(),
        arrivals: [((now, here.clone()), 100), ((now - 1, other), 5)].into(),
        known_from: Some(now),
        said: [((now, here), 70)].into(),
    };
    assert_eq!(reader.demand(now).expect("the demand"), expected);
    forget_all(&mut *writer, &Forgetting { now: at(60 * 24 * 59), ..by(-1, -1) });
    assert_eq!(reader.demand(now).expect("the demand"), expected, "it is looked back on for eight weeks");
    forget_all(&mut *writer, &Forgetting { now: at(60 * 24 * 70), ..by(-1, -1) });
    let left = reader.demand(now).expect("the demand");
    assert!(left.arrivals.is_empty() && left.said.is_empty(), "{left:?}");
}
