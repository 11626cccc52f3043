//! The daemon in a process of its own, with its store on the real disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use futures_util::StreamExt;
use heliograph::broker::{AmqpOptions, AmqpUrl, Broker};
use lapin::options::{BasicConsumeOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use tempfile::TempDir;

use crate::bed::{Bed, Shape, TEAMS};

/// Where requests wait.
pub const QUEUE: &str = "heliograph.requests";
/// Requests from whose messages the shapes are read.
const SAMPLES: usize = 64;

pub fn team_queue(team: usize) -> String {
    format!("heliograph.team.team-{team}")
}

/// Makes the daemon's exchanges and queues, so that requests can wait before it starts; says who the broker is.
pub async fn declare(bed: &Bed) -> String {
    let broker = Broker::new(AmqpOptions::new(AmqpUrl::new(bed.url.clone()))).expect("a valid address");
    let teams: Vec<_> = (0..TEAMS).map(|team| format!("team-{team}")).collect();
    broker.start(&teams).await.expect("the broker answers").server
}

/// A fresh store, roster and settings; removed with this.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(bed: &Bed) -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder on the disk of the build");
        let path = |name: &str| folder.path().join(name);
        let settings = format!(
            "[store]\npath = {:?}\n[roster]\npath = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n[log]\nlevel = \"warn\"\n\
             [amqp]\nurl = {:?}\nrequire_user_id = false\n",
            path("heliograph.db"),
            path("roster.toml"),
            bed.url
        );
        std::fs::write(path("heliograph.toml"), settings).expect("the settings");
        std::fs::write(path("roster.toml"), roster()).expect("the roster");
        Self(folder)
    }

    pub fn start(&self) -> Process {
        let mut command = Command::new(program());
        command.arg("serve").arg("--settings").arg(self.0.path().join("heliograph.toml"));
        Process(command.stdout(Stdio::null()).spawn().expect("the daemon starts"))
    }
}

/// The program of this build; `HELIOGRAPH_BENCH_PROGRAM` names another one, to compare two builds.
fn program() -> PathBuf {
    let own = env!("CARGO_BIN_EXE_heliograph");
    std::env::var_os("HELIOGRAPH_BENCH_PROGRAM").map_or_else(|| own.into(), PathBuf::from)
}

pub struct Process(Child);

impl Process {
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Stops it in good order.
    pub fn stop(mut self) {
        let told = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().expect("kill");
        assert!(told.success() && self.0.wait().expect("the daemon ends").success(), "the daemon failed");
    }
}

impl Drop for Process {
    /// A round that fails leaves nothing running.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Teams that never close and never fill, each alone in its field.
fn roster() -> String {
    let mut roster = String::from("[calendars.always]\ntime_zone = \"UTC\"\n[calendars.always.hours]\n");
    for day in ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] {
        writeln!(roster, "{day} = [\"00:00-24:00\"]").expect("text");
    }
    for team in 0..TEAMS {
        write!(
            roster,
            "[[teams]]\nid = \"team-{team}\"\nname = \"Team {team}\"\ncountry = \"GB\"\nregion = \"uk\"\n\
             calendar = \"always\"\neffort_hours = 100000\nvetted_until = \"2099-12-31\"\ncost_per_hour = 95\n\
             capabilities = [{{ jurisdiction = \"*\", specialty = \"field-{team}\", languages = [\"en\"], level = 3 }}]\n"
        )
        .expect("text");
    }
    roster + "[[clients]]\nid = \"acme-llp\"\nname = \"Acme LLP\"\ncountry = \"GB\"\noffshoring = \"allowed\"\n"
}

/// What the daemon publishes for one request, by watching it handle some; with it, who the broker is.
pub async fn shapes() -> (String, Vec<Shape>) {
    let bed = Bed::claim().await;
    let server = declare(&bed).await;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let all = bed.channel.queue_declare("".into(), exclusive, FieldTable::default());
    let all = all.await.expect("a queue").name().to_string();
    let bind = |exchange: &str| {
        bed.channel.queue_bind(
            all.as_str().into(),
            exchange.into(),
            "#".into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
    };
    bind("heliograph.events").await.expect("a binding");
    let mut queues = vec![all.clone()];
    queues.extend((0..TEAMS).map(team_queue));
    bed.seed(SAMPLES).await;
    let folder = Folder::new(&bed);
    let process = folder.start();
    bed.until_arrived(SAMPLES).await;
    process.stop();
    let mut by_task: BTreeMap<String, Vec<Shape>> = BTreeMap::new();
    for queue in &queues {
        for (task, shape) in take_all(&bed, queue).await {
            by_task.entry(task).or_default().push(shape);
        }
    }
    let shapes = by_task.into_values().next_back().expect("the messages of a request");
    bed.finish("daemon").await;
    (server, shapes)
}

async fn take_all(bed: &Bed, queue: &str) -> Vec<(String, Shape)> {
    let waiting = bed.ready(queue).await;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let consume = bed.channel.basic_consume(queue.into(), "".into(), options, FieldTable::default());
    let mut deliveries = consume.await.expect("a consumer").take(waiting);
    let mut found = Vec::new();
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery.expect("a delivery");
        let text = |value: &Option<lapin::types::ShortString>| value.as_ref().map(ToString::to_string);
        let Some(task) = text(delivery.properties.correlation_id()) else { continue };
        let shape = Shape {
            to_team: delivery.exchange.as_str() != "heliograph.events",
            routing_key: delivery.routing_key.to_string(),
            message_type: text(delivery.properties.kind()).unwrap_or_default(),
            message_id_bytes: text(delivery.properties.message_id()).unwrap_or_default().len(),
            body_bytes: delivery.data.len(),
        };
        found.push((task, shape));
    }
    found
}
