//! A virtual host of the shared node for each test, a plain connection beside the one under test, and a proxy that cuts.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use heliograph::broker::{AmqpOptions, AmqpUrl, Broker, Delivery, Exchange, Inbound, Publication};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Every awaited event must come within this; it is a limit, not a pause.
pub const SOON: Duration = Duration::from_secs(30);

/// A virtual host that no other test uses.
pub struct Bed {
    url: String,
    vhost: String,
}

impl Bed {
    pub fn claim() -> Self {
        let url = variable("HELIOGRAPH_TEST_AMQP");
        let folder = PathBuf::from(variable("HELIOGRAPH_TEST_VHOSTS"));
        let entries = std::fs::read_dir(&folder).expect("the folder of virtual hosts can be read");
        for entry in entries {
            let name = entry.expect("an entry of the folder").file_name();
            // The one process whose removal succeeds owns the host.
            if std::fs::remove_file(folder.join(&name)).is_ok() {
                return Self { url, vhost: name.into_string().expect("a plain name") };
            }
        }
        panic!("no virtual host is left; run `make test`, which gives a fresh set to each run");
    }

    pub fn url(&self) -> String {
        format!("{}/{}", self.url, self.vhost)
    }

    /// The address of the same virtual host, seen through a proxy.
    pub fn url_through(&self, proxy: &Proxy) -> String {
        let (credentials, _) = self.url.rsplit_once('@').expect("an address with credentials");
        format!("{credentials}@{}/{}", proxy.address, self.vhost)
    }

    pub fn address(&self) -> String {
        self.url.rsplit_once('@').expect("an address with credentials").1.to_owned()
    }

    pub fn password(&self) -> String {
        let credentials = self.url.split_once("://").expect("a scheme").1.rsplit_once('@').expect("credentials").0;
        credentials.split_once(':').expect("a password").1.to_owned()
    }

    pub fn options(&self) -> AmqpOptions {
        AmqpOptions::new(AmqpUrl::new(self.url()))
    }

    pub fn options_through(&self, proxy: &Proxy) -> AmqpOptions {
        AmqpOptions::new(AmqpUrl::new(self.url_through(proxy)))
    }

    pub fn broker(&self) -> Broker {
        Broker::new(self.options()).expect("valid options")
    }

    /// A connection and a channel of the client library alone.
    pub async fn plain(&self) -> Plain {
        let connection = Connection::connect(&self.url(), ConnectionProperties::default()).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirm mode");
        Plain { connection, channel }
    }
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: these tests need a broker of their own; run `make test`"))
}

/// What other people's programs would use.
pub struct Plain {
    pub connection: Connection,
    pub channel: Channel,
}

impl Plain {
    /// Publishes bodies to an exchange and waits for their confirms.
    pub async fn publish(&self, exchange: &str, key: &str, bodies: impl IntoIterator<Item = Vec<u8>>) {
        let mut confirms = Vec::new();
        for body in bodies {
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let properties = BasicProperties::default().with_delivery_mode(2);
            confirms.push(
                self.channel
                    .basic_publish(exchange.into(), key.into(), options, &body, properties)
                    .await
                    .expect("a publish"),
            );
        }
        for confirm in confirms {
            let confirmation = confirm.await.expect("a confirm");
            assert!(confirmation.is_ack() && confirmation.take_message().is_none(), "a seed message was not taken");
        }
    }

    /// How many messages of a queue wait for a consumer.
    pub async fn ready(&self, queue: &str) -> u32 {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(queue.into(), passive, FieldTable::default()).await.expect("the queue");
        queue.message_count()
    }

    /// How many consumers a queue has.
    pub async fn consumers(&self, queue: &str) -> u32 {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.channel.queue_declare(queue.into(), passive, FieldTable::default()).await.expect("the queue");
        queue.consumer_count()
    }

    /// Takes all that waits in a queue.
    pub async fn drain(&self, queue: &str) -> Vec<lapin::message::Delivery> {
        let waiting = self.ready(queue).await as usize;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consume = self.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
        let taking = consume.await.expect("a consumer").take(waiting).map(|taken| taken.expect("a message"));
        tokio::time::timeout(SOON, taking.collect()).await.expect("all that waits arrives in time")
    }
}

/// The next delivery, whatever comes and goes in between.
pub async fn next_delivery(inbound: &mut mpsc::Receiver<Inbound>) -> Delivery {
    loop {
        if let Inbound::Delivery(delivery) = next(inbound).await {
            return *delivery;
        }
    }
}

/// The next thing that the consumer tells.
pub async fn next(inbound: &mut mpsc::Receiver<Inbound>) -> Inbound {
    tokio::time::timeout(SOON, inbound.recv()).await.expect("something arrives in time").expect("the consumer runs")
}

/// Waits until `holds` is true of what `probe` finds.
pub async fn eventually<T: std::fmt::Debug>(mut probe: impl AsyncFnMut() -> T, holds: impl Fn(&T) -> bool) -> T {
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let found = probe().await;
        if holds(&found) {
            return found;
        }
        assert!(tokio::time::Instant::now() < deadline, "still {found:?} after {SOON:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub fn publication(exchange: Exchange, key: &str, id: &str) -> Publication {
    Publication {
        exchange,
        routing_key: key.to_owned(),
        mandatory: true,
        message_id: id.to_owned(),
        message_type: "task.offered".to_owned(),
        correlation_id: Some("acme/1".to_owned()),
        timestamp: 1_795_420_800,
        content_type: "application/json".to_owned(),
        headers: vec![("traceparent".to_owned(), "00-1".to_owned())],
        body: Arc::from(id.as_bytes()),
    }
}

/// Forwards to the broker; cuts, goes silent or speaks for the broker when told to.
pub struct Proxy {
    pub address: SocketAddr,
    state: watch::Sender<State>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Counts the cuts.
    Forwarding { cuts: u64 },
    /// The client is told that publishers are blocked, and what it sends is not taken.
    Blocking,
    /// Nothing is taken and nothing is said, on every connection.
    Silent,
    /// What the client sends is lost on its way.
    Deaf,
}

/// `connection.blocked` with the reason "low", and `connection.unblocked`.
const BLOCKED: &[u8] = b"\x01\0\0\0\0\0\x08\0\x0a\0\x3c\x03low\xce";
const UNBLOCKED: &[u8] = b"\x01\0\0\0\0\0\x04\0\x0a\0\x3d\xce";

impl Proxy {
    pub async fn to(upstream: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (state, watching) = watch::channel(State::Forwarding { cuts: 0 });
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&upstream).await.expect("the broker accepts");
                connections.spawn(forward(client, server, watching.clone()));
            }
        });
        Self { address, state, task }
    }

    /// Ends every open connection at once, without a good-bye.
    pub fn cut(&self) {
        self.state.send_modify(|state| {
            if let State::Forwarding { cuts } = state {
                *cuts += 1;
            }
        });
    }

    pub fn block(&self) {
        self.state.send_replace(State::Blocking);
    }

    pub fn go_silent(&self) {
        self.state.send_replace(State::Silent);
    }

    pub fn go_deaf(&self) {
        self.state.send_replace(State::Deaf);
    }

    pub fn go_on(&self) {
        self.state.send_replace(State::Forwarding { cuts: 0 });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, mut server: TcpStream, mut state: watch::Receiver<State>) {
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    let mut before = *state.borrow_and_update();
    loop {
        tokio::select! {
            read = client.read(&mut up), if matches!(before, State::Forwarding { .. } | State::Deaf) => match read {
                Ok(1..) if before == State::Deaf => {}
                Ok(bytes @ 1..) if server.write_all(&up[..bytes]).await.is_ok() => {}
                _ => return,
            },
            read = server.read(&mut down), if before != State::Silent => match read {
                Ok(bytes @ 1..) if client.write_all(&down[..bytes]).await.is_ok() => {}
                _ => return,
            },
            changed = state.changed() => {
                let now = *state.borrow_and_update();
                let said = match (before, now) {
                    _ if changed.is_err() => return,
                    (State::Forwarding { .. }, State::Forwarding { .. }) => return,
                    (_, State::Blocking) => BLOCKED,
                    (State::Blocking, State::Forwarding { .. }) => UNBLOCKED,
                    _ => b"",
                };
                if client.write_all(said).await.is_err() {
                    return;
                }
                before = now;
            }
        }
    }
}
