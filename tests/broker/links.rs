//! Links that are cut, fall silent or come back: nothing is lost, and nothing is acknowledged that was not settled.

use std::collections::BTreeSet;
use std::time::Duration;

use heliograph::broker::{Broker, BrokerError, Exchange, Inbound, Outcome};
use tokio::sync::mpsc;

use crate::bed::{Bed, Proxy, SOON, eventually, next, next_delivery, publication};

const REQUESTS: &str = "heliograph.requests";

/// A relay that settles a message only after its copy is confirmed, while its links are cut again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_whose_links_are_cut_loses_nothing() {
    const MESSAGES: u32 = 20_000;
    const CUTS: u64 = 20;
    let bed = Bed::claim();
    let proxy = Proxy::to(bed.address()).await;
    let broker = Broker::new(bed.options_through(&proxy)).expect("valid");
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish(REQUESTS, REQUESTS, (0..MESSAGES).map(|n| n.to_string().into_bytes())).await;

    let (sink, mut inbound) = mpsc::channel(512);
    let consumer = broker.consume(sink);
    let mut publisher = broker.publisher();
    let (mut relayed, mut cuts, mut links, mut arrivals) = (BTreeSet::new(), 0, 0, 0_u64);
    while relayed.len() < MESSAGES as usize {
        let mut deliveries = Vec::new();
        let mut arrived = vec![next(&mut inbound).await];
        while let Ok(more) = inbound.try_recv() {
            arrived.push(more);
        }
        for inbound in arrived {
            match inbound {
                Inbound::Delivery(delivery) => deliveries.push(delivery),
                Inbound::Connected { .. } => links += 1,
                Inbound::Lost { .. } => {}
            }
        }
        arrivals += deliveries.len() as u64;
        if cuts < CUTS && arrivals > (cuts + 1) * 900 {
            cuts += 1;
            proxy.cut();
        }
        let batch = deliveries
            .iter()
            .map(|delivery| publication(Exchange::Work, "sydney", &String::from_utf8_lossy(&delivery.body)))
            .collect::<Vec<_>>();
        let outcomes = loop {
            match publisher.publish(&batch).await {
                Ok(outcomes) => break outcomes,
                Err(error) => assert_eq!(error.messages, batch.len()),
            }
        };
        assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Confirmed));
        relayed.extend(deliveries.iter().map(|delivery| delivery.body.clone()));
        consumer.settle(&deliveries.iter().map(|delivery| delivery.token).collect::<Vec<_>>());
    }
    // What came again after the last cut is settled too.
    let settled = async {
        loop {
            let delivery = next_delivery(&mut inbound).await;
            consumer.settle(&[delivery.token]);
        }
    };
    tokio::select! {
        _ = settled => {}
        _ = eventually(async || plain.ready(REQUESTS).await, |ready| *ready == 0) => {}
    }
    consumer.stop().await;
    let copies = plain.drain("heliograph.team.sydney").await;
    let distinct = copies.iter().map(|copy| copy.data.clone()).collect::<BTreeSet<_>>();
    assert_eq!(distinct.len(), MESSAGES as usize);
    assert_eq!(cuts, CUTS);
    assert!(links > 10, "{links} links");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_network_is_noticed_within_twice_the_heartbeat() {
    let bed = Bed::claim();
    let proxy = Proxy::to(bed.address()).await;
    let mut options = bed.options_through(&proxy);
    options.heartbeat = Duration::from_secs(1);
    options.connect_within = Duration::from_millis(500);
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let (sink, mut inbound) = mpsc::channel(4);
    let consumer = broker.consume(sink);
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { epoch: 1, .. }));
    let silent_since = tokio::time::Instant::now();
    proxy.go_silent();
    assert!(matches!(next(&mut inbound).await, Inbound::Lost { epoch: 1, .. }));
    let noticed_after = silent_since.elapsed();
    assert!(noticed_after < Duration::from_millis(4000), "{noticed_after:?}");
    let mut status = consumer.status();
    // Attempts at a silent broker end by themselves, and the first one after it speaks again succeeds.
    status.wait_for(|status| status.failures >= 3 && !status.up).await.expect("told");
    proxy.go_on();
    let up = tokio::time::timeout(SOON, status.wait_for(|status| status.up)).await;
    up.expect("in time").expect("told");
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { .. }));
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_speaks_and_does_not_hear_is_noticed_before_it_ends_the_link() {
    let bed = Bed::claim();
    let proxy = Proxy::to(bed.address()).await;
    let mut options = bed.options_through(&proxy);
    options.heartbeat = Duration::from_secs(2);
    let broker = Broker::new(options).expect("valid");
    broker.start(&[]).await.expect("declared");
    let (sink, mut inbound) = mpsc::channel(4);
    let consumer = broker.consume(sink);
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { epoch: 1, .. }));
    let deaf_since = tokio::time::Instant::now();
    proxy.go_deaf();
    let Inbound::Lost { reason, .. } = next(&mut inbound).await else { panic!("the loss is told") };
    assert!(reason.contains("waiting for an answer of the broker took longer than 3000 ms"), "{reason}");
    assert!(deaf_since.elapsed() < Duration::from_secs(4), "{:?}", deaf_since.elapsed());
    proxy.go_on();
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { .. }));
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn confirms_that_do_not_come_fail_the_batch_at_their_deadline() {
    let bed = Bed::claim();
    let proxy = Proxy::to(bed.address()).await;
    let mut options = bed.options_through(&proxy);
    options.confirm_within = Duration::from_millis(300);
    let broker = Broker::new(options).expect("valid");
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    let batch = [publication(Exchange::Work, "sydney", "m-1")];
    publisher.publish(&batch).await.expect("published");
    proxy.go_silent();
    let error = tokio::time::timeout(SOON, publisher.publish(&batch)).await.expect("in time").expect_err("no confirm");
    assert!(matches!(error.source, BrokerError::Timeout { doing: "waiting for confirms", .. }), "{error}");
    assert!(!format!("{error} {error:?} {:?} {:?}", publisher, publisher.status()).contains(&bed.password()));
    proxy.go_on();
    assert_eq!(publisher.publish(&batch).await.expect("published again"), [Outcome::Confirmed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_intake_queue_is_made_again() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    let (sink, mut inbound) = mpsc::channel(4);
    let consumer = broker.consume(sink);
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { epoch: 1, .. }));
    eventually(async || plain.consumers(REQUESTS).await, |consumers| *consumers == 1).await;
    plain.channel.queue_delete(REQUESTS.into(), Default::default()).await.expect("deleted");
    let Inbound::Lost { reason, .. } = next(&mut inbound).await else { panic!("the loss is told") };
    assert!(reason.contains("`heliograph.requests`"), "{reason}");
    assert!(matches!(next(&mut inbound).await, Inbound::Connected { epoch: 2, .. }));
    plain.publish(REQUESTS, REQUESTS, [b"again".to_vec()]).await;
    assert_eq!(next_delivery(&mut inbound).await.body, b"again");
    consumer.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publish_that_is_given_up_half_way_leaves_nothing_for_the_next() {
    let bed = Bed::claim();
    let broker = bed.broker();
    broker.start(&["sydney".to_owned()]).await.expect("declared");
    let mut publisher = broker.publisher();
    publisher.publish(&[publication(Exchange::Work, "sydney", "first")]).await.expect("published");
    for round in 0..10 {
        let lost = (0..500).map(|n| publication(Exchange::Work, "nobody", &format!("{round}-{n}"))).collect::<Vec<_>>();
        let given_up = tokio::time::timeout(Duration::from_millis(round), publisher.publish(&lost)).await;
        let outcomes = publisher.publish(&lost).await.expect("published");
        let returned = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Returned { .. })).count();
        assert_eq!(returned, 500, "round {round}, given up: {}", given_up.is_err());
    }
}
