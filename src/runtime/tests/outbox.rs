//! Facts leave in order, each at least once, and one that the broker does not take holds up no other.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use futures_util::FutureExt;

use crate::broker::{DeliveryToken, Outcome, Publication};
use crate::engine::walls::Walls;
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message::{ExchangeName, Outgoing};

use super::super::clock::Stopwatch;
use super::super::decided::Direct;
use super::super::leadership::Trust;
use super::super::outbox::{Publish, WhileLed};
use super::super::walls::WallsInForce;
use super::bed::{Posted, Scripted, batch, fact, soon, team};

const NEVER: Duration = Duration::from_secs(3_600);

fn returned() -> Outcome {
    Outcome::Returned { reply_code: 312, reply_text: "NO_ROUTE".into() }
}

fn too_large() -> Outcome {
    Outcome::Unsendable { field: "body", bytes: 9, limit_bytes: 1 }
}

fn rejected(id: &str, tag: u64) -> Direct {
    let message = Outgoing {
        exchange: ExchangeName::Rejected,
        routing_key: "heliograph.rejected".into(),
        mandatory: true,
        message_id: id.into(),
        message_type: "rejected".into(),
        correlation_id: None,
        at: DateTime::UNIX_EPOCH,
        headers: vec![("x-heliograph-reason".into(), "{}".into())],
        body: Arc::from(&b"nine byte"[..]),
    };
    Direct { message, settles: Some(DeliveryToken { epoch: 1, tag }) }
}

#[tokio::test]
async fn batches_that_follow_one_another_leave_in_one_window_in_their_order() {
    let mut posted = Posted::with((1..=4).map(|seq| fact(seq, (seq == 2).then_some("london"))), 0, NEVER);
    for seqs in [1..=1, 2..=3, 4..=4] {
        let facts = seqs.map(|seq| fact(seq, (seq == 2).then_some("london")));
        assert!(posted.handle.live.hand_over(batch(facts)));
    }
    posted.committed.send_replace(FactSeq(4));
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(4)));
    let windows = std::mem::take(&mut posted.broker.script().windows);
    assert_eq!(windows.concat(), ["life.1.e", "life.2.e", "life.2.w", "life.3.e", "life.4.e"]);
}

#[tokio::test]
async fn three_batches_wait_for_one_round_of_confirms_and_not_for_three() {
    let mut posted = Posted::with((1..=3).map(|seq| fact(seq, None)), 0, NEVER);
    for seq in 1..=3 {
        assert!(posted.handle.live.hand_over(batch([fact(seq, None)])));
    }
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(3)));
    assert_eq!(posted.broker.script().windows.len(), 1);
}

#[tokio::test]
async fn what_was_not_handed_over_in_memory_is_read_from_the_store_and_a_batch_handed_over_twice_leaves_once() {
    let mut posted = Posted::with((1..=3).map(|seq| fact(seq, None)), 1, NEVER);
    let _running = posted.run();
    for _ in 0..2 {
        assert!(posted.handle.live.hand_over(batch([fact(3, None)])));
    }
    posted.committed.send_replace(FactSeq(3));
    while posted.told().await.watermark != Some(FactSeq(3)) {}
    assert_eq!(posted.broker.script().windows.concat(), ["life.2.e", "life.3.e"]);
}

#[tokio::test]
async fn what_is_handed_over_is_not_read_from_the_store_as_well() {
    // The store does not hold these facts: whoever reads them from it finds nothing.
    let mut posted = Posted::with([], 0, NEVER);
    let _running = posted.run();
    for seq in 1..=200 {
        assert!(posted.handle.live.hand_over(batch([fact(seq, None)])));
        posted.committed.send_replace(FactSeq(seq));
        while posted.told().await.watermark != Some(FactSeq(seq)) {}
    }
    let published = posted.broker.script().windows.concat();
    assert_eq!(published.len(), 200, "{published:?}");
}

#[tokio::test]
async fn a_window_whose_fate_is_unknown_leaves_again_with_the_same_ids() {
    let mut posted = Posted::with([fact(1, None), fact(2, Some("london"))], 0, NEVER);
    posted.broker.script().failing = 2;
    posted.committed.send_replace(FactSeq(2));
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(2)));
    let windows = std::mem::take(&mut posted.broker.script().windows);
    assert_eq!(windows, vec![windows[0].clone(); 3]);
}

#[tokio::test]
async fn a_message_that_comes_back_is_undelivered_and_the_watermark_passes_it() {
    let mut posted = Posted::with([fact(1, Some("london")), fact(2, Some("warsaw")), fact(3, None)], 0, NEVER);
    posted.broker.once("life.1.w", returned());
    posted.broker.once("life.2.w", too_large());
    posted.committed.send_replace(FactSeq(3));
    let _running = posted.run();
    let told = posted.told().await;
    assert_eq!(told.watermark, Some(FactSeq(3)));
    assert_eq!(told.undelivered, [(FactSeq(1), team("london")), (FactSeq(2), team("warsaw"))]);
}

#[tokio::test]
async fn an_undelivered_message_is_tried_again_until_it_is_delivered() {
    let mut posted = Posted::with([fact(1, Some("london"))], 0, NEVER);
    posted.broker.once("life.1.w", returned());
    posted.broker.once("life.1.w", Outcome::Nacked);
    posted.committed.send_replace(FactSeq(1));
    let _running = posted.run();
    assert_eq!(posted.told().await.undelivered.len(), 1);
    let told = posted.told().await;
    assert_eq!((told.delivered, told.expired_offers), (vec![FactSeq(1)], vec![]));
    let windows = posted.broker.script().windows.iter().filter(|ids| ids.contains(&"life.1.w".to_owned())).count();
    assert_eq!(windows, 3);
}

#[tokio::test]
async fn an_offer_that_stays_undelivered_past_the_limit_expires_once() {
    let mut posted = Posted::with([fact(1, Some("london"))], 0, Duration::ZERO);
    posted.broker.once("life.1.w", returned());
    posted.broker.once("life.1.w", returned());
    posted.committed.send_replace(FactSeq(1));
    let _running = posted.run();
    assert_eq!(posted.told().await.undelivered.len(), 1);
    let told = posted.told().await;
    assert_eq!(told.expired_offers, [("acme/1".parse().expect("an id"), 1)]);
    let told = posted.told().await;
    assert_eq!((told.delivered, told.expired_offers), (vec![FactSeq(1)], vec![]));
}

#[tokio::test]
async fn the_watermark_stands_before_an_event_that_was_not_taken_and_then_passes_all_at_once() {
    let mut posted = Posted::with((1..=3).map(|seq| fact(seq, None)), 0, NEVER);
    posted.broker.once("life.2.e", Outcome::Nacked);
    posted.committed.send_replace(FactSeq(3));
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(1)));
    assert_eq!(posted.told().await.watermark, Some(FactSeq(3)));
}

#[tokio::test]
async fn an_event_that_can_never_be_sent_holds_nothing_up() {
    let mut posted = Posted::with((1..=2).map(|seq| fact(seq, None)), 0, NEVER);
    posted.broker.once("life.1.e", Outcome::Unsendable { field: "headers", bytes: 9, limit_bytes: 1 });
    posted.committed.send_replace(FactSeq(2));
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(2)));
}

#[tokio::test]
async fn a_team_that_reads_over_http_has_no_message_in_a_queue() {
    let mut posted = Posted::with([fact(1, Some("reads-http"))], 0, NEVER);
    posted.committed.send_replace(FactSeq(1));
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(1)));
    assert_eq!(posted.broker.script().windows.concat(), ["life.1.e"]);
}

#[tokio::test]
async fn a_rejected_delivery_is_settled_once_its_copy_is_taken_and_not_before() {
    let mut posted = Posted::with([], 0, NEVER);
    posted.broker.once("x-1", Outcome::Nacked);
    posted.handle.direct.send(rejected("x-1", 1)).await.expect("there is room");
    posted.handle.direct.send(rejected("x-2", 2)).await.expect("there is room");
    let _running = posted.run();
    let tag = |told: super::super::outbox::Progress| told.settled.iter().map(|token| token.tag).collect::<Vec<_>>();
    assert_eq!(tag(posted.told().await), [2]);
    assert_eq!(tag(posted.told().await), [1]);
}

#[tokio::test]
async fn a_rejected_delivery_that_is_too_large_leaves_without_what_is_too_large() {
    let mut posted = Posted::with([], 0, NEVER);
    posted.broker.once("x-1", too_large());
    posted.broker.once("x-2", Outcome::Unsendable { field: "headers", bytes: 9, limit_bytes: 1 });
    for (id, tag) in [("x-1", 1), ("x-2", 2)] {
        posted.handle.direct.send(rejected(id, tag)).await.expect("there is room");
    }
    let _running = posted.run();
    assert_eq!(posted.told().await.settled.len(), 2);
    let script = posted.broker.script();
    let (bodyless, headless) = (&script.sent["x-1"], &script.sent["x-2"]);
    assert!(bodyless.body.is_empty());
    assert!(bodyless.headers.contains(&("x-heliograph-body-omitted-bytes".into(), "9".into())));
    assert!(!headless.body.is_empty() && headless.headers.is_empty());
}

#[tokio::test]
async fn nothing_leaves_after_the_loop_ended_without_saying_that_all_is_on_disk() {
    let mut posted = Posted::with([fact(1, None)], 0, NEVER);
    posted.committed.send_replace(FactSeq(1));
    let running = posted.run();
    let (broker, stored) = (posted.broker.clone(), posted.stored);
    drop(posted.handle);
    soon(running).await.expect("no panic").expect("no fault");
    assert!(broker.script().windows.is_empty());
    drop(stored);
}

#[tokio::test]
async fn what_is_committed_leaves_before_the_end_when_the_loop_has_finished() {
    let mut posted = Posted::with((1..=300).map(|seq| fact(seq, None)), 0, NEVER);
    let running = posted.run();
    posted.handle.finish.cancel();
    posted.committed.send_replace(FactSeq(300));
    let super::super::outbox::OutboxHandle { live, direct, mut progress, .. } = posted.handle;
    drop((live, direct));
    let mut last = None;
    while let Some(told) = soon(progress.recv()).await {
        last = told.watermark.or(last);
    }
    soon(running).await.expect("no panic").expect("no fault");
    assert_eq!(last, Some(FactSeq(300)));
}

/// Walls london from the matter of all facts here.
fn raise_wall(in_force: &WallsInForce) {
    let mut walls = Walls::default();
    walls.raise(&team("london"), &"acme".parse().unwrap(), &"M-1".parse().unwrap());
    in_force.set(walls);
}

/// The fact that walls a team from the matter of all facts here.
fn wall(seq: u64, from: &str) -> Fact {
    Fact { event_type: "wall.raised".into(), task: None, addressed: None, ..fact(seq, Some(from)) }
}

#[tokio::test]
async fn what_has_not_left_when_a_wall_stands_stays_and_what_has_is_told() {
    let stored = || [fact(1, Some("london")), fact(2, Some("oslo")), fact(3, Some("london")), wall(4, "london")];
    let mut posted = Posted::with(stored(), 1, NEVER);
    raise_wall(&posted.walls);
    posted.committed.send_replace(FactSeq(4));
    let _running = posted.run();
    let told = posted.told().await;
    assert_eq!((told.watermark, told.suppressed), (Some(FactSeq(4)), vec![FactSeq(3)]));
    let [exposure] = told.exposures.as_slice() else { panic!("{:?}", told.exposures) };
    let left: Vec<_> = exposure.messages.iter().map(|it| (it.message_id.as_str(), it.task.as_str())).collect();
    assert_eq!((exposure.wall, exposure.count, left), (4, 1, vec![("life.1.w", "acme/1")]));
    assert_eq!(posted.broker.script().windows.concat(), ["life.2.e", "life.2.w", "life.3.e", "life.4.e"]);
}

#[tokio::test]
async fn what_may_have_left_before_a_start_is_told_when_a_wall_stands_now() {
    let stored = [fact(1, Some("london")), fact(2, Some("london")), fact(3, Some("london")), wall(4, "london")];
    // The second one may have left, or not; the third one is new.
    let mut posted = Posted::after(stored, 1, 2, NEVER);
    raise_wall(&posted.walls);
    posted.committed.send_replace(FactSeq(4));
    let _running = posted.run();
    let told = posted.told().await;
    assert_eq!((told.watermark, told.suppressed), (Some(FactSeq(4)), vec![FactSeq(3)]));
    let [exposure] = told.exposures.as_slice() else { panic!("{:?}", told.exposures) };
    let left: Vec<_> = exposure.messages.iter().map(|it| it.message_id.as_str()).collect();
    assert_eq!(left, ["life.1.w", "life.2.w"]);
    assert_eq!(posted.broker.script().windows.concat(), ["life.1.e", "life.2.e", "life.3.e", "life.4.e"][1..]);
}

#[tokio::test]
async fn nothing_is_published_once_another_daemon_may_lead() {
    let trust = |lasts_for| Some(Trust::since(Stopwatch::start(), lasts_for));
    let broker = Scripted::default();
    let nothing: [Publication; 0] = [];
    let long = Duration::from_secs(3_600);
    WhileLed::new(broker.clone(), trust(long)).publish(&nothing).await.unwrap();
    WhileLed::new(broker.clone(), None).publish(&nothing).await.unwrap();
    let mut former = WhileLed::new(broker.clone(), trust(Duration::ZERO));
    assert!(former.publish(&nothing).now_or_never().is_none());
    assert_eq!(broker.script().windows.len(), 2);
}

#[tokio::test]
async fn an_offer_that_waits_for_another_try_when_a_wall_stands_never_leaves_and_is_no_exposure() {
    let mut posted = Posted::with([fact(1, Some("london")), wall(2, "london")], 0, NEVER);
    posted.broker.once("life.1.w", returned());
    posted.committed.send_replace(FactSeq(1));
    let _running = posted.run();
    assert_eq!(posted.told().await.undelivered, [(FactSeq(1), team("london"))]);
    raise_wall(&posted.walls);
    posted.committed.send_replace(FactSeq(2));
    let (mut suppressed, mut delivered) = (Vec::new(), Vec::new());
    while delivered.is_empty() {
        let told = posted.told().await;
        assert_eq!(told.exposures, []);
        suppressed.extend(told.suppressed);
        delivered.extend(told.delivered);
    }
    assert_eq!((suppressed, delivered), (vec![FactSeq(1)], vec![FactSeq(1)]));
    let sent = posted.broker.script().windows.concat();
    assert_eq!(sent.iter().filter(|id| *id == "life.1.w").count(), 1, "{sent:?}");
}

/// Walls london once the offer of the first fact has had its turn, and tells what was exposed when nothing waits any more.
async fn exposed_by_a_wall_after(mut posted: Posted) -> Vec<String> {
    posted.committed.send_replace(FactSeq(1));
    let _running = posted.run();
    soon(async {
        while posted.broker.script().sent.is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    raise_wall(&posted.walls);
    posted.committed.send_replace(FactSeq(2));
    let (mut exposed, mut watermark) = (None, None);
    while exposed.is_none() || watermark != Some(FactSeq(2)) {
        let told = posted.told().await;
        assert_eq!(told.suppressed, []);
        watermark = told.watermark.or(watermark);
        exposed = told.exposures.into_iter().next().or(exposed);
    }
    exposed.unwrap().messages.into_iter().map(|it| it.message_id).collect()
}

fn offered_and_walled() -> [Fact; 2] {
    [fact(1, Some("london")), wall(2, "london")]
}

#[tokio::test]
async fn an_offer_that_the_broker_may_have_taken_all_the_same_is_an_exposure_when_a_wall_stands() {
    let posted = Posted::with(offered_and_walled(), 0, NEVER);
    // The queue lost its majority, and may come to what it was given later.
    posted.broker.once("life.1.w", Outcome::Nacked);
    assert_eq!(exposed_by_a_wall_after(posted).await, ["life.1.w"]);
}

#[tokio::test]
async fn an_offer_that_was_taken_is_an_exposure_when_a_wall_stands_and_only_its_event_waits() {
    let posted = Posted::with(offered_and_walled(), 0, NEVER);
    posted.broker.once("life.1.e", Outcome::Nacked);
    assert_eq!(exposed_by_a_wall_after(posted).await, ["life.1.w"]);
}

#[tokio::test]
async fn an_offer_that_was_given_back_after_a_lost_link_is_an_exposure_when_a_wall_stands() {
    let posted = Posted::with(offered_and_walled(), 0, NEVER);
    posted.broker.script().failing = 1;
    posted.broker.once("life.1.w", returned());
    assert_eq!(exposed_by_a_wall_after(posted).await, ["life.1.w"]);
}

#[tokio::test]
async fn an_offer_of_before_a_start_that_was_given_back_after_it_is_an_exposure_when_a_wall_stands() {
    let posted = Posted::after(offered_and_walled(), 0, 1, NEVER);
    posted.broker.once("life.1.w", returned());
    assert_eq!(exposed_by_a_wall_after(posted).await, ["life.1.w"]);
}

#[tokio::test]
async fn an_offer_whose_link_is_down_when_a_wall_is_raised_does_not_leave_when_it_is_back() {
    let mut posted = Posted::with([fact(1, Some("london")), fact(2, Some("oslo"))], 0, NEVER);
    posted.broker.script().failing = 1;
    let in_force = posted.walls.clone();
    posted.broker.before_window(move |number| {
        if number == 1 {
            raise_wall(&in_force);
        }
    });
    posted.committed.send_replace(FactSeq(2));
    let _running = posted.run();
    assert_eq!(posted.told().await.watermark, Some(FactSeq(2)));
    let windows = posted.broker.script().windows.clone();
    assert_eq!(
        windows,
        [vec!["life.1.e", "life.1.w", "life.2.e", "life.2.w"], vec!["life.1.e", "life.2.e", "life.2.w"]]
    );
}
