//! What was measured, for people.

use std::time::Duration;

use crate::bed::{Shape, TEAMS};

/// One drain of the queue.
pub struct Round {
    pub requests_per_second: f64,
    /// Of the process that was measured.
    pub cpu_per_request: Duration,
    pub broker_cpu_per_request: Duration,
}

/// A round of each, one after the other.
pub struct Pair {
    pub bare: Round,
    pub daemon: Round,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.daemon.requests_per_second / self.bare.requests_per_second
    }
}

/// The machine, the broker and the work.
pub fn head(server: &str, requests: usize, pairs: usize, shapes: &[Shape]) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("", |it| it.1);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    println!(
        "machine   {cores} cores ({model}), load before {load}; the broker, the program and the observer share them"
    );
    println!("broker    {server}, one node, quorum queues, all messages persistent");
    println!("work      {pairs} pairs of {requests} requests of 1 KiB for {TEAMS} teams; published for each request:");
    for Shape { to_team, message_type, body_bytes, .. } in shapes {
        let kind = if *to_team { "to a team's quorum queue" } else { "an event nobody listens to" };
        println!("            {body_bytes:5} bytes  {message_type} ({kind})");
    }
    println!();
    println!(
        "pair   relay req/s   daemon req/s   ratio   CPU us/req: relay  daemon   broker under relay  under daemon"
    );
}

pub fn pair(number: usize, pair: &Pair) {
    let Pair { bare, daemon } = pair;
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    println!(
        "{number:4}   {:11.0}   {:12.0}   {:5.2}   {:17.0}  {:6.0}   {:18.0}  {:12.0}",
        bare.requests_per_second,
        daemon.requests_per_second,
        pair.ratio(),
        micros(bare.cpu_per_request),
        micros(daemon.cpu_per_request),
        micros(bare.broker_cpu_per_request),
        micros(daemon.broker_cpu_per_request),
    );
}

pub fn summary(pairs: &[Pair]) {
    println!();
    let line = |what: &str, of: fn(&Pair) -> f64, digits: usize| {
        let mut values: Vec<f64> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (values.first(), values.last()) else { return };
        println!("{what:28} {:.digits$} (median; {least:.digits$} to {most:.digits$})", median(&values));
    };
    line("relay, requests/s", |pair| pair.bare.requests_per_second, 0);
    line("daemon, requests/s", |pair| pair.daemon.requests_per_second, 0);
    line("daemon / relay", Pair::ratio, 2);
    line("CPU of the relay, us/request", |pair| pair.bare.cpu_per_request.as_secs_f64() * 1e6, 0);
    line("CPU of the daemon", |pair| pair.daemon.cpu_per_request.as_secs_f64() * 1e6, 0);
}

/// Of values in order.
fn median(values: &[f64]) -> f64 {
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
