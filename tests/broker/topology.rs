//! Exchanges and queues: made, compared, and where messages without a route end.

use heliograph::broker::{Broker, BrokerError, TopologyMode};
use lapin::ExchangeKind;
use lapin::options::{ExchangeDeclareOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};

use crate::bed::Bed;

fn teams(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn checking(bed: &Bed) -> Broker {
    let mut options = bed.options();
    options.topology = TopologyMode::Check;
    Broker::new(options).expect("valid options")
}

#[tokio::test(flavor = "multi_thread")]
async fn declares_what_is_missing_and_then_finds_it_in_order() {
    let bed = Bed::claim();
    let broker = bed.broker();
    let report = broker.start(&teams(&["sydney"])).await.expect("declared");
    assert!(report.server.starts_with("RabbitMQ 3.10."), "{}", report.server);
    assert!(report.warnings.is_empty(), "{:?}", report.warnings);
    broker.ensure_teams(&teams(&["manila"])).await.expect("declared later");
    checking(&bed).start(&teams(&["sydney", "manila"])).await.expect("all there");
    let plain = bed.plain().await;
    plain.publish("heliograph.work", "sydney", [b"offer".to_vec()]).await;
    plain.publish("heliograph.requests", "heliograph.requests", [b"request".to_vec()]).await;
    assert_eq!(plain.ready("heliograph.team.sydney").await, 1);
    assert_eq!(plain.ready("heliograph.team.manila").await, 0);
    assert_eq!(plain.ready("heliograph.requests").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn checking_names_everything_that_is_missing_and_makes_nothing() {
    let bed = Bed::claim();
    for _ in 0..2 {
        let error = checking(&bed).start(&teams(&["sydney"])).await.expect_err("nothing is there");
        let BrokerError::Topology(faults) = &error else { panic!("{error}") };
        assert_eq!(faults.len(), 7 + 3 + 1, "{error}");
        let text = error.to_string();
        for name in ["exchange `heliograph.requests`", "queue `heliograph.updates`", "queue `heliograph.team.sydney`"] {
            assert!(text.contains(&format!("{name}: it does not exist; create it")), "{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_or_exchange_of_another_kind_is_named_with_what_differs() {
    let bed = Bed::claim();
    bed.broker().start(&teams(&["sydney"])).await.expect("declared");
    let plain = bed.plain().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let channel = plain.connection.create_channel().await.expect("a channel");
    channel.queue_delete("heliograph.updates".into(), Default::default()).await.expect("deleted");
    channel.queue_declare("heliograph.updates".into(), durable, FieldTable::default()).await.expect("a classic queue");
    let mut limited = FieldTable::default();
    limited.insert("x-queue-type".into(), AMQPValue::LongString(LongString::from("quorum")));
    limited.insert("x-delivery-limit".into(), AMQPValue::LongInt(3));
    channel.queue_delete("heliograph.team.sydney".into(), Default::default()).await.expect("deleted");
    channel.queue_declare("heliograph.team.sydney".into(), durable, limited).await.expect("a limited queue");
    channel.exchange_delete("heliograph.events".into(), Default::default()).await.expect("deleted");
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare("heliograph.events".into(), ExchangeKind::Fanout, options, FieldTable::default())
        .await
        .expect("a fanout exchange");
    for broker in [checking(&bed), bed.broker()] {
        let error = broker.start(&teams(&["sydney"])).await.expect_err("three differ");
        let BrokerError::Topology(faults) = &error else { panic!("{error}") };
        let of = |object: &str| {
            let fault = faults.iter().find(|fault| fault.object == object);
            fault.unwrap_or_else(|| panic!("{object} is not among: {error}")).fault.clone()
        };
        assert!(of("queue `heliograph.updates`").contains("x-queue-type"), "{error}");
        assert!(of("queue `heliograph.team.sydney`").contains("x-delivery-limit"), "{error}");
        assert!(of("exchange `heliograph.events`").contains("type"), "{error}");
        assert_eq!(faults.len(), 3, "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_without_a_route_ends_in_the_queue_of_rejected_messages() {
    let bed = Bed::claim();
    bed.broker().start(&[]).await.expect("declared");
    let plain = bed.plain().await;
    plain.publish("heliograph.requests", "mistyped", [b"lost?".to_vec()]).await;
    plain.publish("heliograph.updates", "", [b"lost too?".to_vec()]).await;
    assert_eq!(plain.drain("heliograph.rejected").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_keeps_two_daemons_apart() {
    let bed = Bed::claim();
    let mut options = bed.options();
    options.prefix = "other-".to_owned();
    Broker::new(options).expect("valid").start(&teams(&["sydney"])).await.expect("declared");
    let plain = bed.plain().await;
    assert_eq!(plain.ready("other-team.sydney").await, 0);
    checking(&bed).start(&[]).await.expect_err("the usual names are not there");
    let mut reserved = bed.options();
    reserved.prefix = "amq.heliograph.".to_owned();
    assert!(matches!(Broker::new(reserved), Err(BrokerError::Name { field: "amqp.prefix", .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_whose_queue_would_have_too_long_a_name_is_refused() {
    let bed = Bed::claim();
    let error = bed.broker().start(&["x".repeat(250)]).await.expect_err("too long");
    assert!(matches!(error, BrokerError::Name { field: "the team's id", .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_broker_or_refuses_the_password_is_said_without_the_password() {
    let bed = Bed::claim();
    let refused = bed.url().replace(&bed.password(), "canary-password");
    let options = heliograph::broker::AmqpOptions::new(heliograph::broker::AmqpUrl::new(refused));
    let error = Broker::new(options).expect("a valid address").start(&[]).await.expect_err("refused");
    assert!(error.to_string().contains("ACCESS_REFUSED"), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary-password"), "{error:?}");

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let url = format!("amqp://u:canary-password@127.0.0.1:{port}/%2f");
    let mut options = heliograph::broker::AmqpOptions::new(heliograph::broker::AmqpUrl::new(url));
    options.connect_within = std::time::Duration::from_millis(300);
    let error = Broker::new(options).expect("a valid address").start(&[]).await.expect_err("nobody answers");
    assert!(error.to_string().contains("no answer within 300 ms"), "{error}");
    assert!(!format!("{error} {error:?}").contains("canary-password"), "{error:?}");
}
