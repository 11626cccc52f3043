//! The order commit, then acknowledge, answer and publish; and a clock that has stepped.

use std::sync::{Arc, Mutex};

use chrono::TimeDelta;
use tokio::sync::mpsc;

use crate::broker::Intake;
use crate::http::SubmitAnswer;
use crate::store::sqlite::SqliteStore;
use crate::store::{Batch, Forgetting, Forgotten, Reader, Recovered, StoreError, Writer};
use crate::wire::fact::FactSeq;

use super::super::clock::Clock;
use super::super::outbox::Handed;
use super::bed::{Looped, Stored, delivery, plain, request, soon};

/// Writes, and notes each batch with facts; fails from a batch on when told to.
struct Noting {
    store: SqliteStore,
    committed: Arc<Mutex<usize>>,
    fails: bool,
}

impl Writer for Noting {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.store.recover()
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.fails {
            return Err(StoreError::Failed { during: "commit", message: "the disk is full".into() });
        }
        self.store.commit(batch)?;
        *self.committed.lock().expect("no panic") += batch.facts.len();
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.store.checkpoint()
    }

    fn forget(&mut self, what: &Forgetting) -> Result<Forgotten, StoreError> {
        self.store.forget(what)
    }

    fn cut_log(&mut self) -> Result<bool, StoreError> {
        self.store.cut_log()
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_answered_or_published_before_it_is_on_disk() {
    let committed = Arc::new(Mutex::new(0));
    let noted = Arc::clone(&committed);
    let mut looped = Looped::new(Stored::new(), Clock::real(), move |store| {
        Box::new(Noting { store, committed: noted, fails: false })
    });
    let on_disk = || *committed.lock().expect("no panic");
    looped.deliver(delivery(1, Intake::Requests, &request("one"), 0)).await;
    assert_eq!(soon(looped.settled.recv()).await.expect("settled").tag, 1);
    assert!(on_disk() > 0);
    assert_eq!(looped.facts().await[0], "task.admitted");
    let before = on_disk();
    let answers = soon(looped.call(request("two")).await).await.expect("answered");
    assert!(matches!(&answers[..], [SubmitAnswer::Admitted { .. }]), "{answers:?}");
    assert!(on_disk() > before);
}

#[tokio::test]
async fn a_request_whose_cancel_came_before_it_is_answered_as_cancelled() {
    let looped = Looped::new(Stored::new(), Clock::real(), plain);
    let cancel = r#"{"id": "c", "task": "thames-llp/one", "client": "thames-llp", "kind": "cancel", "reason": "r"}"#;
    looped.deliver(delivery(1, Intake::Updates, cancel, 0)).await;
    let answers = soon(looped.call(request("one")).await).await.expect("answered");
    assert!(matches!(&answers[..], [SubmitAnswer::Admitted { state: "cancelled", .. }]), "{answers:?}");
}

#[tokio::test]
async fn a_stop_leaves_nothing_in_the_log() {
    let mut looped = Looped::new(Stored::new(), Clock::real(), plain);
    soon(looped.call(request("one")).await).await.expect("answered");
    // A reader that ends last does not write, and leaves the log where it is.
    let path = looped.folder.path().join("heliograph.db");
    let reader = rusqlite::Connection::open(&path).expect("a reader");
    reader.query_row("SELECT count(*) FROM facts", [], |row| row.get::<_, i64>(0)).expect("a count");
    let log_bytes = || std::fs::metadata(path.with_extension("db-wal")).expect("a log").len();
    assert!(log_bytes() > 0);
    looped.end().await;
    assert_eq!(log_bytes(), 0);
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_acknowledged_answered_or_published_and_the_loop_ends() {
    let mut looped = Looped::new(Stored::new(), Clock::real(), |store| {
        Box::new(Noting { store, committed: Arc::default(), fails: true })
    });
    looped.deliver(delivery(1, Intake::Requests, &request("one"), 0)).await;
    let answer = looped.call(request("two")).await;
    let ended = soon(looped.running).await.expect("no panic");
    assert!(matches!(ended, Err(StoreError::Failed { during: "commit", .. })), "{ended:?}");
    assert!(soon(answer).await.is_err(), "a call is broken off, not answered");
    assert_eq!(soon(looped.settled.recv()).await, None);
    assert!(soon(looped.live.recv()).await.is_none());
    let store = looped.status.health().checks.into_iter().find(|check| check.name == "store").expect("a check");
    assert!(!store.ok && store.detail.contains("the disk is full"), "{store:?}");
}

#[tokio::test]
async fn everything_decided_is_on_disk_when_the_loop_stops() {
    let mut looped = Looped::new(Stored::new(), Clock::real(), plain);
    for tag in 1..=5 {
        looped.deliver(delivery(tag, Intake::Requests, &request(&format!("r-{tag}")), 0)).await;
    }
    assert_eq!(soon(looped.settled.recv()).await.expect("settled").tag, 1);
    looped.end().await;
    let mut settled = 1;
    while looped.settled.recv().await.is_some() {
        settled += 1;
    }
    let mut admitted = 0;
    while let Some(Handed { batch, .. }) = looped.live.recv().await {
        admitted += batch.facts.iter().filter(|fact| &*fact.event_type == "task.admitted").count();
    }
    assert_eq!(settled, admitted, "what is acknowledged is what is on disk");
}

/// Writes, and tells of each mark of what has been published.
struct Marking {
    store: SqliteStore,
    marks: mpsc::UnboundedSender<FactSeq>,
}

impl Writer for Marking {
    fn recover(&mut self) -> Result<Recovered, StoreError> {
        self.store.recover()
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.store.commit(batch)?;
        if let Some(watermark) = batch.watermark {
            self.marks.send(watermark).expect("the test listens");
        }
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        self.store.reader()
    }

    fn checkpoint(&mut self) -> Result<(), StoreError> {
        self.store.checkpoint()
    }

    fn forget(&mut self, what: &Forgetting) -> Result<Forgotten, StoreError> {
        self.store.forget(what)
    }

    fn cut_log(&mut self) -> Result<bool, StoreError> {
        self.store.cut_log()
    }
}

#[tokio::test]
async fn what_has_been_published_is_marked_on_disk_when_nothing_else_comes_and_at_a_stop() {
    let (marks, mut marked) = mpsc::unbounded_channel();
    let writer = |store| -> Box<dyn Writer> { Box::new(Marking { store, marks }) };
    let mut looped = Looped::new(Stored::new(), Clock::real(), writer);
    looped.deliver(delivery(1, Intake::Requests, &request("one"), 0)).await;
    let batch = soon(looped.live.recv()).await.expect("committed").batch;
    let last = batch.facts.last().expect("a fact").seq;
    looped.published(FactSeq(last.0 - 1)).await;
    assert_eq!(soon(marked.recv()).await, Some(FactSeq(last.0 - 1)), "while idle");
    looped.published(last).await;
    looped.end().await;
    let mut marks = Vec::new();
    while let Ok(mark) = marked.try_recv() {
        marks.push(mark);
    }
    assert_eq!(marks, [last], "at the stop");
}

#[tokio::test]
async fn an_update_that_names_no_team_of_the_roster_is_a_message_to_nobody() {
    let mut looped = Looped::new(Stored::new(), Clock::real(), plain);
    for (tag, team) in [(1, "atlantis"), (2, "london")] {
        let body = format!(r#"{{"id": "u-{tag}", "team": "{team}", "task": "thames-llp/x", "kind": "juggle"}}"#);
        looped.deliver(delivery(tag, Intake::Updates, &body, 0)).await;
        let batch = soon(looped.live.recv()).await.expect("committed").batch;
        let [fact] = &batch.facts[..] else { panic!("{:?}", batch.facts) };
        assert_eq!(&*fact.event_type, "update.rejected");
        assert_eq!((fact.team.is_some(), fact.addressed.is_some()), (team == "london", team == "london"), "{team}");
    }
}

#[tokio::test]
async fn while_the_clock_has_stepped_nothing_is_decided_and_what_waits_is_decided_when_that_ends() {
    let clock = Clock::real();
    let hour = TimeDelta::hours(1);
    clock.step_wall(hour);
    let mut looped = Looped::new(Stored::new(), clock, plain);
    looped.deliver(delivery(1, Intake::Requests, &request("by-broker"), 0)).await;
    looped.deliver(delivery(2, Intake::Requests, &request("alone"), 2)).await;
    let answers = soon(looped.call(request("by-http")).await).await.expect("answered");
    assert!(matches!(&answers[..], [SubmitAnswer::Unavailable(_)]), "{answers:?}");
    let health = looped.status.health();
    let told = health.checks.iter().find(|check| check.name == "clock").expect("a check");
    assert!(!told.ok && told.detail.contains("no timer fires"), "{told:?}");
    assert!(looped.settled.try_recv().is_err() && looped.live.try_recv().is_err(), "no offer, no acknowledgement");
    looped.clock.step_wall(-hour);
    let mut settled = [0; 2];
    for tag in &mut settled {
        *tag = soon(looped.settled.recv()).await.expect("settled").tag;
    }
    assert_eq!(settled, [1, 2]);
    assert_eq!(looped.facts().await[0], "task.admitted");
    let answers = soon(looped.call(request("by-http")).await).await.expect("answered");
    assert!(matches!(&answers[..], [SubmitAnswer::Admitted { .. }]), "{answers:?}");
}

#[tokio::test]
async fn deliveries_of_a_lost_link_do_not_wait_for_the_clock_beside_those_that_came_again() {
    let clock = Clock::real();
    clock.step_wall(TimeDelta::hours(1));
    let mut looped = Looped::new(Stored::new(), clock, plain);
    looped.deliver(delivery(7, Intake::Requests, &request("again"), 0)).await;
    let mut again = delivery(1, Intake::Requests, &request("again"), 0);
    again.token.epoch = 2;
    looped.deliver(again).await;
    soon(looped.call(request("by-http")).await).await.expect("answered");
    looped.clock.step_wall(TimeDelta::hours(-1));
    let settled = soon(looped.settled.recv()).await.expect("settled");
    assert_eq!((settled.epoch, settled.tag), (2, 1));
    looped.end().await;
    assert_eq!(looped.settled.recv().await, None);
}
