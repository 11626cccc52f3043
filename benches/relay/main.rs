//! The daemon's speed beside a bare relay's, on one broker in one run: `make bench`.
//!
//! Both drain the same requests from a quorum queue and publish, through the same exchanges, the same number of messages of the same sizes: the
//! events, which nobody listens to, and one message into the quorum queue of a team. The relay stores nothing. Each runs
//! in a process of its own; the two take turns, so that what else the machine does meets both alike. Time runs from the
//! first sight of a consumer to the last message in the teams' queues, as a third process sees it.

mod bare;
mod bed;
mod daemon;
mod report;

use bed::{Bed, Shape};
use report::{Pair, Round};

/// Requests a round, unless `--requests` says otherwise.
const REQUESTS: usize = 20_000;
/// Pairs of rounds, unless `--pairs` says otherwise.
const PAIRS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if arguments.first().is_some_and(|first| first == bare::RELAY) {
        return runtime.block_on(bare::relay(&arguments[1..]));
    }
    let number = |name: &str, default| match arguments.iter().position(|it| it == name) {
        Some(at) => arguments.get(at + 1).and_then(|it| it.parse().ok()).unwrap_or_else(|| panic!("{name} NUMBER")),
        None => default,
    };
    runtime.block_on(compare(number("--requests", REQUESTS), number("--pairs", PAIRS)));
}

async fn compare(requests: usize, pairs: usize) {
    let (server, shapes) = daemon::shapes().await;
    report::head(&server, requests, pairs, &shapes);
    let mut measured = Vec::new();
    for number in 1..=pairs {
        let bare = bare_round(requests, &shapes).await;
        let daemon = daemon_round(requests).await;
        let pair = Pair { bare, daemon };
        report::pair(number, &pair);
        measured.push(pair);
    }
    report::summary(&measured);
}

/// One round of the bare relay.
async fn bare_round(requests: usize, shapes: &[Shape]) -> Round {
    let bed = filled_bed(requests).await;
    let process = bare::Process::start(&bed, shapes);
    let round = bed.watch(process.id(), requests).await;
    process.stop();
    bed.finish("relay").await;
    round
}

/// One round of the daemon.
async fn daemon_round(requests: usize) -> Round {
    let bed = filled_bed(requests).await;
    let folder = daemon::Folder::new(&bed);
    let process = folder.start();
    let round = bed.watch(process.id(), requests).await;
    process.stop();
    bed.finish("daemon").await;
    round
}

async fn filled_bed(requests: usize) -> Bed {
    let bed = Bed::claim().await;
    daemon::declare(&bed).await;
    bed.seed(requests).await;
    bed
}
