//! Each message of a batch gets its own outcome, also when some of a thousand come back.

use std::sync::Arc;
use std::time::Duration;

use heliograph::broker::{Broker, BrokerError, Exchange, Outcome, PublishError};

use crate::bed::{Bed, Proxy, SOON, eventually, publication};

fn returned(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Returned { reply_code: 312, .. })
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_arrive_persistent_and_with_our_own_properties_only() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    let outcomes = publisher.publish(&[publication(Exchange::Work, "sydney", "m-1")]).await.expect("published");
    assert_eq!(outcomes, [Outcome::Confirmed]);
    publisher.close().await;
    let taken = bed.plain().await.drain("heliograph.team.sydney").await;
    let [message] = &taken[..] else { panic!("{taken:?}") };
    let properties = &message.properties;
    assert_eq!(message.data, b"m-1");
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.timestamp(), Some(1_795_420_800));
    assert_eq!(properties.message_id().as_ref().map(|id| id.as_str()), Some("m-1"));
    assert_eq!(properties.kind().as_ref().map(|kind| kind.as_str()), Some("task.offered"));
    assert_eq!(properties.correlation_id().as_ref().map(|id| id.as_str()), Some("acme/1"));
    assert!(properties.user_id().is_none() && properties.reply_to().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_of_a_thousand_that_come_back_are_told_apart_from_the_others() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    for round in 0..20 {
        let lost = [3 + round, 500 - round, 999 - 7 * round];
        let batch = (0..1000)
            .map(|n| {
                let team = if lost.contains(&n) { "nobody" } else { "sydney" };
                publication(Exchange::Work, team, &format!("{round}-{n}"))
            })
            .collect::<Vec<_>>();
        let outcomes = publisher.publish(&batch).await.expect("published");
        for (n, outcome) in (0..).zip(&outcomes) {
            assert_eq!(returned(outcome), lost.contains(&n), "round {round}, message {n}: {outcome:?}");
            assert!(returned(outcome) || *outcome == Outcome::Confirmed);
        }
    }
    assert_eq!(bed.plain().await.ready("heliograph.team.sydney").await, 20 * 997);
}

/// RabbitMQ 3.10 never confirms what was on its way into a quorum queue that is deleted, or ends the connection with an
/// internal error (541), so the first try may end with nothing known; then the second one, with the same ids, says it for each message.
#[tokio::test(flavor = "multi_thread")]
async fn a_queue_deleted_in_the_middle_of_a_batch_costs_at_most_one_repeat() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.confirm_within = Duration::from_secs(2);
    let broker = Broker::new(options).expect("valid");
    let plain = bed.plain().await;
    broker.start(&["sydney".to_owned(), "manila".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    publisher.publish(&[publication(Exchange::Work, "manila", "first")]).await.expect("published");
    let batch = (0..4000)
        .map(|n| publication(Exchange::Work, if n % 4 == 0 { "sydney" } else { "manila" }, &format!("m-{n}")))
        .collect::<Vec<_>>();
    let deleting = async {
        eventually(async || plain.ready("heliograph.team.sydney").await, |ready| *ready >= 10).await;
        plain.channel.queue_delete("heliograph.team.sydney".into(), Default::default()).await.expect("deleted")
    };
    let (first, deleted) = tokio::join!(publisher.publish(&batch), deleting);
    assert!((10..1000).contains(&deleted), "the queue went away in the middle, not after {deleted} of 1000");
    match &first {
        Err(PublishError {
            source: BrokerError::Timeout { .. } | BrokerError::Link { doing: "publishing", .. },
            ..
        }) => {}
        Err(error) => panic!("{error}"),
        Ok(outcomes) => assert!(outcomes.iter().filter(|outcome| returned(outcome)).count() <= 1000),
    }
    let second = publisher.publish(&batch).await.expect("published");
    for (publication, outcome) in batch.iter().zip(&second) {
        assert_eq!(returned(outcome), publication.routing_key == "sydney", "{}: {outcome:?}", publication.message_id);
        assert!(returned(outcome) || *outcome == Outcome::Confirmed);
    }
    assert!(plain.ready("heliograph.team.manila").await > 3000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_need_hear_is_confirmed_without_a_listener() {
    let bed = Bed::claim();
    let broker = bed.broker();
    let mut publisher = broker.publisher();
    let mut event = publication(Exchange::Events, "task.admitted.acme.-", "m-1");
    event.mandatory = false;
    let mut reply = publication(Exchange::Replies, "acme.7", "m-1");
    reply.mandatory = false;
    let heard = publication(Exchange::Replies, "acme.7", "m-1");
    let rejected = publication(Exchange::Rejected, &broker.names().rejected(), "m-2");
    let outcomes = publisher.publish(&[event, reply.clone(), rejected]).await.expect("published");
    assert_eq!(outcomes, [Outcome::Confirmed, Outcome::Confirmed, Outcome::Confirmed]);
    assert!(returned(&publisher.publish(&[heard]).await.expect("published")[0]));
    assert_eq!(bed.plain().await.ready("heliograph.rejected").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_past_the_protocols_limits_does_not_hold_up_the_others() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut large = publication(Exchange::Work, "sydney", "large");
    large.headers.push(("x-heliograph-original".to_owned(), "x".repeat(200_000)));
    let long = publication(Exchange::Work, &"x".repeat(256), "long");
    let mut full = publication(Exchange::Work, "sydney", "full");
    // Fills a frame to the last byte that is counted as free.
    full.headers.push(("x-heliograph-original".to_owned(), "x".repeat(130_000)));
    let batch = [large, long, full, publication(Exchange::Work, "sydney", "m-1")];
    let outcomes = broker.publisher().publish(&batch).await.expect("published");
    assert!(matches!(outcomes[0], Outcome::Unsendable { field: "headers", .. }));
    assert!(matches!(outcomes[1], Outcome::Unsendable { field: "routing_key", .. }));
    assert_eq!(outcomes[2..], [Outcome::Confirmed, Outcome::Confirmed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_flight_limit_goes_out_in_parts() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.in_flight_bytes = 10_000;
    let broker = Broker::new(options).expect("valid");
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut batch = (0..100).map(|n| publication(Exchange::Work, "sydney", &format!("m-{n}"))).collect::<Vec<_>>();
    for (publication, size) in batch.iter_mut().zip([900, 20_000, 1, 9_999].into_iter().cycle()) {
        publication.body = Arc::from(vec![b'x'; size]);
    }
    let outcomes = broker.publisher().publish(&batch).await.expect("published");
    assert_eq!(outcomes, vec![Outcome::Confirmed; 100]);
    assert_eq!(bed.plain().await.ready("heliograph.team.sydney").await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_blocks_publishers_is_waited_for_and_told_of() {
    let bed = Bed::claim();
    let proxy = Proxy::to(bed.address()).await;
    let mut options = bed.options_through(&proxy);
    options.confirm_within = Duration::from_millis(200);
    let broker = Broker::new(options).expect("valid");
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    let mut status = publisher.status();
    publisher.publish(&[publication(Exchange::Work, "sydney", "m-1")]).await.expect("published");
    proxy.block();
    status.wait_for(|status| status.blocked.as_deref() == Some("low")).await.expect("told");
    let batch = [publication(Exchange::Work, "sydney", "m-2")];
    let mut publishing = std::pin::pin!(publisher.publish(&batch));
    // Five times the deadline for confirms passes, and the batch is not given up.
    let early = tokio::time::timeout(Duration::from_secs(1), &mut publishing).await;
    assert!(early.is_err(), "{early:?}");
    proxy.go_on();
    let outcomes = tokio::time::timeout(SOON, publishing).await.expect("in time").expect("published");
    assert_eq!(outcomes, [Outcome::Confirmed]);
    status.wait_for(|status| status.up && status.blocked.is_none() && status.failures == 0).await.expect("told");
    assert_eq!(bed.plain().await.ready("heliograph.team.sydney").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_asked_for_is_up_before_anything_is_published_and_again_after_a_cut() {
    let bed = Bed::claim();
    let proxy = Proxy::to(bed.address()).await;
    let broker = Broker::new(bed.options_through(&proxy)).expect("valid");
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    let mut status = publisher.status();
    assert!(!status.borrow().up);
    publisher.connect().await.expect("connected");
    assert!(status.borrow().up);
    proxy.cut();
    let down = tokio::time::timeout(SOON, status.wait_for(|status| !status.up)).await;
    down.expect("in time").expect("told");
    let again = eventually(async || publisher.connect().await.is_ok(), |connected| *connected).await;
    assert!(again && status.borrow().up);
    let outcomes = publisher.publish(&[publication(Exchange::Work, "sydney", "m-1")]).await.expect("published");
    assert_eq!(outcomes, [Outcome::Confirmed]);
}
