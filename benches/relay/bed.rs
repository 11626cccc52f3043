//! A virtual host of the broker for each round, the requests in it, and the eye that watches them go.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

use crate::daemon::{QUEUE, team_queue};
use crate::report::Round;

/// Teams, each with a queue of its own; request n is for team n modulo this.
pub const TEAMS: usize = 8;
/// Bytes of a request.
const REQUEST_BYTES: usize = 1_024;
/// Seeds that are published before their confirms are awaited.
const SEEDS_AT_ONCE: usize = 1_000;
/// How often the queues are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// A round that takes longer has failed.
const ROUND_WITHIN: Duration = Duration::from_mins(1);

/// One message that the daemon publishes for each request.
pub struct Shape {
    /// Whether it goes to a team; it is an event otherwise.
    pub to_team: bool,
    pub routing_key: String,
    pub message_type: String,
    pub message_id_bytes: usize,
    pub body_bytes: usize,
}

/// A virtual host that nothing else uses, and a connection to it.
pub struct Bed {
    pub url: String,
    pub channel: Channel,
    pub connection: Connection,
}

impl Bed {
    pub async fn claim() -> Self {
        let folder = PathBuf::from(variable("HELIOGRAPH_TEST_VHOSTS"));
        let entry = std::fs::read_dir(&folder).expect("the folder of virtual hosts").next();
        let name = entry.expect("a virtual host is left").expect("an entry").file_name();
        std::fs::remove_file(folder.join(&name)).expect("nobody else claims it");
        let url = format!("{}/{}", variable("HELIOGRAPH_TEST_AMQP"), name.to_str().expect("a plain name"));
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.expect("a connection");
        let channel = connection.create_channel().await.expect("a channel");
        channel.confirm_select(ConfirmSelectOptions::default()).await.expect("confirm mode");
        Self { url, channel, connection }
    }

    /// Publishes so many requests and waits for all confirms.
    pub async fn seed(&self, requests: usize) {
        for first in (0..requests).step_by(SEEDS_AT_ONCE) {
            let mut confirms = FuturesUnordered::new();
            for number in first..requests.min(first + SEEDS_AT_ONCE) {
                confirms.push(async move {
                    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
                    let properties = BasicProperties::default().with_delivery_mode(2);
                    let body = request(number);
                    let sent = self.channel.basic_publish("".into(), QUEUE.into(), options, &body, properties).await;
                    sent.expect("a publish").await.expect("a confirm")
                });
            }
            while let Some(confirmation) = confirms.next().await {
                assert!(confirmation.is_ack() && confirmation.take_message().is_none(), "a request was not taken");
            }
        }
    }

    /// Waits until somebody consumes requests, or nobody any more.
    async fn until_consumed(&self, is_consumed: bool) {
        let declared = || self.channel.queue_declare(QUEUE.into(), passive(), FieldTable::default());
        let consumers = async || declared().await.expect("the queue").consumer_count();
        within("a consumer's start or end", async || (consumers().await > 0) == is_consumed).await;
    }

    /// Waits until the teams' queues hold one message for each request.
    pub async fn until_arrived(&self, requests: usize) {
        within("all messages to teams", async || {
            let mut arrived = 0;
            for team in 0..TEAMS {
                arrived += self.ready(&team_queue(team)).await;
            }
            assert!(arrived <= requests, "{arrived} messages for {requests} requests: a second copy");
            arrived == requests
        })
        .await;
    }

    /// Measures from the first sight of a consumer until all requests have arrived at the teams.
    pub async fn watch(&self, process: u32, requests: usize) -> Round {
        self.until_consumed(true).await;
        let broker: u32 = variable("HELIOGRAPH_TEST_NODE_PID").parse().expect("a process id");
        let (began, cpu, broker_cpu) = (now(), cpu_time(process), cpu_time(broker));
        self.until_arrived(requests).await;
        let count = u32::try_from(requests).expect("a round of at most 2^32 requests");
        Round {
            requests_per_second: f64::from(count) / began.elapsed().as_secs_f64(),
            cpu_per_request: (cpu_time(process) - cpu) / count,
            broker_cpu_per_request: (cpu_time(broker) - broker_cpu) / count,
        }
    }

    /// Checks that every request was acknowledged (what was not is back in the queue once its consumer is gone), and
    /// takes the queues away, so that the next round finds the broker as this one did.
    pub async fn finish(self, who: &str) {
        self.until_consumed(false).await;
        assert_eq!(self.ready(QUEUE).await, 0, "the {who} acknowledged not every request");
        for queue in [QUEUE.to_owned()].into_iter().chain((0..TEAMS).map(team_queue)) {
            self.channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await.expect("a queue");
        }
        self.connection.close(200, "bye".into()).await.expect("a good end");
    }

    pub async fn ready(&self, queue: &str) -> usize {
        let declared = self.channel.queue_declare(queue.into(), passive(), FieldTable::default()).await;
        declared.expect("the queue").message_count() as usize
    }
}

fn passive() -> QueueDeclareOptions {
    QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() }
}

/// A request of 1 KiB that only one team may do.
fn request(number: usize) -> Vec<u8> {
    let team = number % TEAMS;
    let head = format!(
        r#"{{"id":"req-{number:08}","client":"acme-llp","matter":"M-{:05}","work_type":"document_review","jurisdiction":"GB","specialty":"field-{team}","effort_minutes":30,"payload":{{"text":""#,
        number / 10
    );
    let filler = "x".repeat(REQUEST_BYTES - head.len() - 3);
    [head.as_bytes(), filler.as_bytes(), b"\"}}"].concat()
}

async fn within(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = now();
    while !holds().await {
        assert!(began.elapsed() < ROUND_WITHIN, "{what} did not come within {ROUND_WITHIN:?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "measuring is reading the clock")]
fn now() -> Instant {
    Instant::now()
}

/// Processor time of a process and all its threads so far.
fn cpu_time(process: u32) -> Duration {
    /// The unit of the kernel's figures, the same on every Linux.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // The name in parentheses may hold anything; user and system time are fields 14 and 15 of the line.
    let after_name = stat.rsplit_once(')').expect("a name in parentheses").1;
    let ticks = after_name.split_whitespace().skip(11).take(2).map(|it| it.parse::<u32>().expect("a number"));
    TICK * ticks.sum()
}

fn variable(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: this needs a broker of its own; run `make bench`"))
}
