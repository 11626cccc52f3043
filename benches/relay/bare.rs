//! The least that a relay can do: consume, publish with confirms, acknowledge what is confirmed.

use std::io::Read;
use std::process::{Child, Command, Stdio};

use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use tokio::sync::mpsc;

use crate::bed::{Bed, Shape, TEAMS};
use crate::daemon::QUEUE;

/// First argument of the relay's own process.
pub const RELAY: &str = "--relay";
/// The relay's limits are the daemon's.
const PREFETCH: u16 = 1_000;
const AT_ONCE: usize = 64;

/// The relay in a process of its own; it ends when its input does.
pub struct Process(Child);

impl Process {
    pub fn start(bed: &Bed, shapes: &[Shape]) -> Self {
        let own = std::env::current_exe().expect("this program");
        let mut command = Command::new(own);
        command.args([RELAY, &bed.url]);
        for Shape { to_team, routing_key, message_type, message_id_bytes, body_bytes } in shapes {
            command.arg(format!("{to_team} {routing_key} {message_type} {message_id_bytes} {body_bytes}"));
        }
        Self(command.stdin(Stdio::piped()).spawn().expect("the relay starts"))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn stop(mut self) {
        drop(self.0.stdin.take());
        assert!(self.0.wait().expect("the relay ends").success(), "the relay failed");
    }
}

impl Drop for Process {
    /// A round that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the relay's process does: `arguments` are the address and the shapes.
pub async fn relay(arguments: &[String]) {
    let (url, shapes) = arguments.split_first().expect("an address");
    let shapes: Vec<Shape> = shapes.iter().map(|it| shape(it)).collect();
    relay_until(end_of_input(), url, &shapes).await;
}

async fn end_of_input() {
    let read = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    read.await.expect("the reader ends").expect("an end");
}

/// Relays until `stop`, then ends with every message confirmed and acknowledged.
async fn relay_until(stop: impl Future<Output = ()>, url: &str, shapes: &[Shape]) {
    let consuming = Connection::connect(url, ConnectionProperties::default()).await.expect("a connection");
    let publishing = Connection::connect(url, ConnectionProperties::default()).await.expect("a connection");
    let source = consuming.create_channel().await.expect("a channel");
    let sink = publishing.create_channel().await.expect("a channel");
    sink.confirm_select(ConfirmSelectOptions::default()).await.expect("confirm mode");
    source.basic_qos(PREFETCH, BasicQosOptions::default()).await.expect("a prefetch");
    let consume = source.basic_consume(QUEUE.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    let deliveries = consume.await.expect("a consumer").ready_chunks(AT_ONCE).take_until(stop);
    let mut deliveries = std::pin::pin!(deliveries);
    let (published, mut confirming) = mpsc::unbounded_channel::<(lapin::Acker, Vec<lapin::PublisherConfirm>)>();
    let acknowledging = tokio::spawn(async move {
        while let Some((acker, confirms)) = confirming.recv().await {
            for confirm in confirms {
                assert!(matches!(confirm.await, Ok(Confirmation::Ack(None))), "a message was not taken");
            }
            assert!(acker.ack(BasicAckOptions { multiple: true }).await.expect("an acknowledgement"));
        }
    });
    let bodies: Vec<_> = shapes.iter().map(|shape| vec![b'x'; shape.body_bytes]).collect();
    let mut number = 0;
    while let Some(chunk) = deliveries.next().await {
        let mut last = None;
        let mut sending = Vec::new();
        for delivery in chunk {
            last = Some(delivery.expect("a delivery").acker);
            for (shape, body) in shapes.iter().zip(&bodies) {
                let (exchange, key) = match shape.to_team {
                    true => ("heliograph.work", format!("team-{}", number % TEAMS)),
                    false => ("heliograph.events", shape.routing_key.clone()),
                };
                let options = BasicPublishOptions { mandatory: shape.to_team, ..BasicPublishOptions::default() };
                let properties = properties(shape, number);
                sending.push(sink.basic_publish(exchange.into(), key.into(), options, body, properties));
            }
            number += 1;
        }
        let confirms = join_all(sending).await.into_iter().map(|sent| sent.expect("a publish")).collect();
        if let Some(last) = last {
            published.send((last, confirms)).expect("confirms are awaited");
        }
    }
    drop(published);
    acknowledging.await.expect("all is acknowledged");
    for connection in [publishing, consuming] {
        connection.close(200, "bye".into()).await.expect("a good end");
    }
}

/// The properties that the daemon sets, in the same sizes.
fn properties(shape: &Shape, number: usize) -> BasicProperties {
    BasicProperties::default()
        .with_delivery_mode(2)
        .with_message_id(format!("{number:0width$}", width = shape.message_id_bytes).into())
        .with_type(shape.message_type.as_str().into())
        .with_content_type("application/json".into())
        .with_timestamp(1_795_420_800)
        .with_correlation_id(format!("acme-llp/req-{number:08}").into())
}

fn shape(text: &str) -> Shape {
    let words: Vec<&str> = text.split(' ').collect();
    let [to_team, routing_key, message_type, message_id_bytes, body_bytes] = words[..] else {
        panic!("a shape has five words: {text}")
    };
    Shape {
        to_team: to_team == "true",
        routing_key: routing_key.to_owned(),
        message_type: message_type.to_owned(),
        message_id_bytes: message_id_bytes.parse().expect("a number"),
        body_bytes: body_bytes.parse().expect("a number"),
    }
}
