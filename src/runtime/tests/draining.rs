//! What was sent while nothing was read comes before everything else.

use chrono::{SubsecRound, TimeDelta};
use tokio::sync::oneshot;

use crate::broker::Intake;

use super::super::decided::Decided;
use super::super::decider::Decider;
use super::super::intake::Inbound;
use super::bed::{Looped, Stored, decider, delivery, metrics, midweek, plain, request, soon, wall};

/// An update that no task is there for: it leaves its own fact.
const UPDATE: &str = r#"{"id": "u-1", "task": "thames-llp/none", "team": "london", "kind": "accept", "assignment": 1}"#;

/// A loop whose link was lost and is there again, with so many updates waiting.
async fn linked_again(updates: u64) -> Looped {
    let looped = Looped::new(Stored::new(), midweek(), plain);
    for inbound in [Inbound::LinkLost, Inbound::Consuming { updates }] {
        looped.intake.send(inbound).await.expect("the loop runs");
    }
    looped
}

fn is_draining(looped: &Looped) -> bool {
    looped.status.health().checks.iter().any(|check| check.name == "outage" && !check.ok)
}

#[tokio::test]
async fn requests_wait_until_the_updates_of_an_outage_are_read() {
    let mut looped = linked_again(2).await;
    looped.deliver(delivery(1, Intake::Requests, &request("one"), 0)).await;
    looped.deliver(delivery(2, Intake::Updates, UPDATE, 0)).await;
    assert_eq!(looped.facts().await, ["update.rejected"]);
    assert!(is_draining(&looped), "one update is still to come");
    looped.deliver(delivery(3, Intake::Updates, &UPDATE.replace("u-1", "u-2"), 0)).await;
    let mut told = Vec::new();
    while told.last().is_none_or(|last| last != "task.offered") {
        told.extend(looped.facts().await);
    }
    assert_eq!(told[..3], ["update.rejected", "outage.ended", "task.admitted"]);
    assert!(!is_draining(&looped));
    looped.end().await;
}

#[tokio::test]
async fn an_update_that_is_handled_alone_is_read_before_the_outage_ends() {
    let mut looped = linked_again(1).await;
    looped.deliver(delivery(1, Intake::Updates, UPDATE, 2)).await;
    let mut told = looped.facts().await;
    while told.last().is_none_or(|last| last != "outage.ended") {
        told.extend(looped.facts().await);
    }
    assert_eq!(told, ["update.rejected", "outage.ended"]);
    looped.end().await;
}

#[tokio::test]
async fn an_outage_without_updates_ends_at_once_and_a_first_link_is_none() {
    let mut looped = linked_again(0).await;
    assert_eq!(looped.facts().await, ["outage.ended"]);
    looped.end().await;
    let mut first = Looped::new(Stored::new(), midweek(), plain);
    first.intake.send(Inbound::Consuming { updates: 3 }).await.expect("the loop runs");
    first.deliver(delivery(1, Intake::Requests, &request("one"), 0)).await;
    assert_eq!(first.facts().await[0], "task.admitted");
    first.end().await;
}

#[tokio::test]
async fn more_requests_than_may_wait_end_the_reading() {
    let mut looped = linked_again(1).await;
    let feed = looped.intake.clone();
    let requests = tokio::spawn(async move {
        for tag in 1..=2_048 {
            let request = delivery(tag, Intake::Requests, &request("one"), 0);
            feed.send(Inbound::Delivery(Box::new(request))).await.expect("the loop runs");
        }
    });
    assert_eq!(looped.facts().await[0], "outage.ended");
    soon(requests).await.expect("all are taken");
    looped.end().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_end_of_an_outage() {
    let mut looped = linked_again(1).await;
    looped.deliver(delivery(1, Intake::Requests, &request("one"), 0)).await;
    looped.end().await;
    assert!(looped.settled.try_recv().is_err(), "the request comes again");
}

#[tokio::test]
async fn a_batch_is_of_no_instant_at_which_something_was_due_that_it_has_not_fired() {
    let (stored, now) = (Stored::new(), wall().trunc_subsecs(3));
    let mut decider = decider(&stored.store, now, &metrics());
    let mut decided = Decided::default();
    let (reply, _answer) = oneshot::channel();
    let request = Inbound::Requests { bodies: vec![request("a").into()], clients: None, reply };
    decider.decide(now, [request], &mut decided).expect("a reader");
    let due_at = decider.next_deadline().expect("something is to come");
    let written = |decider: &mut Decider, begun_at| {
        let mut decided = Decided::default();
        decider.finish(begun_at, &mut decided);
        decided.batch.at.expect("an instant")
    };
    let before = due_at - TimeDelta::milliseconds(1);
    assert_eq!(written(&mut decider, before), before);
    assert_eq!(written(&mut decider, due_at + TimeDelta::seconds(3)), before, "a crash now is an outage since then");
    let later = due_at + TimeDelta::seconds(4);
    decider.fire(later, &mut decided);
    assert_eq!(written(&mut decider, later), later);
}
