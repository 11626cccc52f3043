//! What is settled is acknowledged, and nothing else.

use std::collections::BTreeSet;

use heliograph::broker::{AmqpOptions, Broker, DeliveryToken, Inbound, Intake};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, FieldTable, LongString};
use tokio::sync::mpsc;

use crate::bed::{Bed, eventually, next, next_delivery};

const REQUESTS: &str = "heliograph.requests";
const UPDATES: &str = "heliograph.updates";

fn numbered(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|n| n.to_string().into_bytes())
}

fn number(body: &[u8]) -> u32 {
    String::from_utf8_lossy(body).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_settled_deliveries_are_acknowledged_whatever_their_order() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(200)).await;
    let (sink, mut inbound) = mpsc::channel(256);
    let consumer = broker.consume(sink);
    let mut deliveries = Vec::new();
    while deliveries.len() < 200 {
        deliveries.push(next_delivery(&mut inbound).await);
    }
    // All but 50 and 120, the last first: 0..=49 can be acknowledged, the others wait for 50.
    for delivery in deliveries.iter().rev().filter(|delivery| ![50, 120].contains(&number(&delivery.body))) {
        consumer.settle(&[delivery.token]);
    }
    consumer.stop().await;
    let again = eventually(async || plain.ready(REQUESTS).await, |ready| *ready == 150).await;
    assert_eq!(again, 150);
    let left = plain.drain(REQUESTS).await;
    assert_eq!(left.iter().map(|left| number(&left.data)).collect::<BTreeSet<_>>(), (50..200).collect());
    assert!(left.iter().all(|left| left.redelivered));
}

#[tokio::test(flavor = "multi_thread")]
async fn settled_deliveries_are_acknowledged_without_waiting_for_more() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.prefetch = 4;
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(7)).await;
    let (sink, mut inbound) = mpsc::channel(256);
    let consumer = broker.consume(sink);
    let mut tokens = Vec::new();
    while tokens.len() < 4 {
        tokens.push(next_delivery(&mut inbound).await.token);
    }
    // Fewer than 64, and one that stays unsettled: only time makes these three go out and lets three more in.
    consumer.settle(&tokens[..3]);
    for _ in 0..3 {
        next_delivery(&mut inbound).await;
    }
    consumer.stop().await;
    eventually(async || plain.ready(REQUESTS).await, |ready| *ready == 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_queues_are_read_and_told_apart() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.prefetch = 4;
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(300)).await;
    plain.publish(UPDATES, UPDATES, numbered(300)).await;
    let (sink, mut inbound) = mpsc::channel(4);
    let consumer = broker.consume(sink);
    let mut seen = BTreeSet::new();
    while seen.len() < 600 {
        let delivery = next_delivery(&mut inbound).await;
        seen.insert((delivery.intake, number(&delivery.body)));
        consumer.settle(&[delivery.token]);
    }
    assert_eq!(seen.iter().filter(|(intake, _)| *intake == Intake::Updates).count(), 300);
    consumer.stop().await;
    // The last ones would not have come before the broker had taken all acknowledgements but four.
    let left = (plain.ready(REQUESTS).await, plain.ready(UPDATES).await);
    assert!(left.0 <= 4 && left.1 <= 4, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_that_waited_are_all_read_before_the_first_request() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.prefetch = 4;
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(5)).await;
    plain.publish(UPDATES, UPDATES, numbered(30)).await;
    let (sink, mut inbound) = mpsc::channel(4);
    let consumer = broker.consume(sink);
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { updates: 30, .. }));
    let mut order = Vec::new();
    while order.len() < 35 {
        let delivery = next_delivery(&mut inbound).await;
        order.push(delivery.intake);
        consumer.settle(&[delivery.token]);
    }
    assert!(order[..30].iter().all(|intake| *intake == Intake::Updates), "{order:?}");
    assert!(order[30..].iter().all(|intake| *intake == Intake::Requests), "{order:?}");
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn properties_and_headers_arrive_as_plain_data() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(LongString::from("00-7")));
    headers.insert("n".into(), AMQPValue::LongInt(-3));
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_user_id("heliograph".into())
        .with_reply_to("acme.1".into())
        .with_message_id("m-1".into())
        .with_correlation_id("c-1".into())
        .with_expiration("600000".into())
        .with_headers(headers);
    let publish = plain.channel.basic_publish(
        REQUESTS.into(),
        REQUESTS.into(),
        BasicPublishOptions::default(),
        b"{}",
        properties,
    );
    publish.await.expect("a publish").await.expect("a confirm");
    let (sink, mut inbound) = mpsc::channel(4);
    let consumer = broker.consume(sink);
    let delivery = next_delivery(&mut inbound).await;
    let found = &delivery.properties;
    assert_eq!(delivery.body, b"{}");
    assert!(!delivery.redelivered && delivery.delivery_count == 0);
    assert_eq!(found.content_type.as_deref(), Some("application/json"));
    assert_eq!(found.user_id.as_deref(), Some("heliograph"));
    assert_eq!(found.reply_to.as_deref(), Some("acme.1"));
    assert_eq!(found.message_id.as_deref(), Some("m-1"));
    assert_eq!(found.correlation_id.as_deref(), Some("c-1"));
    let expected = [("n", "-3"), ("traceparent", "00-7")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found.headers, expected);
    let original: serde_json::Value = serde_json::from_str(&delivery.original.to_json()).expect("JSON");
    assert_eq!(original["expiration"], "600000");
    assert_eq!(original["headers"]["n"], -3);
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_an_earlier_link_acknowledge_nothing() {
    let bed = Bed::claim();
    let proxy = crate::bed::Proxy::to(bed.address()).await;
    let broker = Broker::new(bed.options_through(&proxy)).expect("valid");
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(10)).await;
    let (sink, mut inbound) = mpsc::channel(256);
    let consumer = broker.consume(sink);
    let mut old = Vec::new();
    while old.len() < 10 {
        old.push(next_delivery(&mut inbound).await.token);
    }
    proxy.cut();
    assert!(matches!(next(&mut inbound).await, Inbound::Lost { epoch: 1, .. }));
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { epoch: 2, .. }));
    let mut new = Vec::new();
    while new.len() < 10 {
        let delivery = next_delivery(&mut inbound).await;
        assert!(delivery.redelivered && delivery.token.epoch == 2 && delivery.delivery_count == 1);
        new.push(delivery.token);
    }
    let tags = |tokens: &[DeliveryToken]| tokens.iter().map(|token| token.tag).collect::<Vec<_>>();
    assert_eq!(tags(&old), tags(&new), "the same numbers on both links, or the test shows nothing");
    consumer.settle(&old);
    consumer.settle(&new[..1]);
    consumer.stop().await;
    eventually(async || plain.ready(REQUESTS).await, |ready| *ready == 9).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_prefetch_is_unsettled() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.prefetch = 7;
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(50)).await;
    let (sink, mut inbound) = mpsc::channel(256);
    let consumer = broker.consume(sink);
    let mut tokens = Vec::new();
    while tokens.len() < 7 {
        tokens.push(next_delivery(&mut inbound).await.token);
    }
    assert_eq!(plain.ready(REQUESTS).await, 43);
    consumer.settle(&tokens[..2]);
    for _ in 0..2 {
        next_delivery(&mut inbound).await;
    }
    assert_eq!(plain.ready(REQUESTS).await, 41);
    assert!(inbound.try_recv().is_err());
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefetch_falls_after_a_message_over_the_limit_and_rises_again() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.prefetch = 40;
    options.message_limit_bytes = 1024;
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    let (sink, mut inbound) = mpsc::channel(4096);
    let consumer = broker.consume(sink);
    plain.publish(REQUESTS, REQUESTS, [vec![b'x'; 1025]]).await;
    let large = next_delivery(&mut inbound).await;
    assert_eq!(large.body.len(), 1025);
    consumer.settle(&[large.token]);

    let reduced = u32::from(AmqpOptions::REDUCED_PREFETCH);
    eventually(async || plain.consumers(REQUESTS).await, |consumers| *consumers == 1).await;
    plain.publish(REQUESTS, REQUESTS, numbered(100)).await;
    let mut seen = BTreeSet::new();
    let mut unsettled = Vec::new();
    for _ in 0..reduced {
        unsettled.push(next_delivery(&mut inbound).await);
    }
    assert_eq!(plain.ready(REQUESTS).await, 100 - reduced);
    assert!(inbound.try_recv().is_err());

    // A thousand within the limit, and the prefetch is the full one again.
    plain.publish(REQUESTS, REQUESTS, (100..1100).map(|n: u32| n.to_string().into_bytes())).await;
    while seen.len() < 1100 {
        let delivery = match unsettled.pop() {
            Some(delivery) => delivery,
            None => next_delivery(&mut inbound).await,
        };
        assert!(seen.insert(number(&delivery.body)), "{} came twice", number(&delivery.body));
        consumer.settle(&[delivery.token]);
    }
    plain.publish(REQUESTS, REQUESTS, numbered(100)).await;
    for _ in 0..40 {
        next_delivery(&mut inbound).await;
    }
    assert_eq!(plain.ready(REQUESTS).await, 60);
    assert!(inbound.try_recv().is_err());
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_whose_owner_reads_nothing_holds_no_more_than_its_sink() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, numbered(5)).await;
    let (sink, inbound) = mpsc::channel(2);
    let consumer = broker.consume(sink);
    eventually(async || inbound.len(), |waiting| *waiting == 2).await;
    drop(inbound);
    eventually(async || plain.ready(REQUESTS).await, |ready| *ready == 5).await;
    consumer.stop().await;
}
