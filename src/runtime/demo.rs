//! A firm and its teams, simulated, at work on a running daemon.
//!
//! They speak to it as their systems would over HTTP, at the daemon's own time: the firm sends requests, each team
//! reads its messages and answers them.

use std::sync::Arc;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::engine::id::{TaskId, TeamId};
use crate::engine::roster::Roster;
use crate::http::{Backend, Mailbox};
use crate::simulate::crew::Crew;
use crate::simulate::firm::Firm;
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::update::SenderHint;

use super::clock::Clock;
use super::gateway::Gateway;
use super::serve::Running;

/// How many messages or facts are read at once.
const PAGE: usize = 100;

/// How many facts wait for whoever shows them; past it the demo waits.
const SHOWN_AHEAD: usize = 1_000;

/// Sets a simulated firm and a crew for every team to work, until `stop`. What they bring about comes out of the
/// channel, in sequence.
#[must_use]
pub fn populate(running: &Running, seed: u64, stop: &CancellationToken) -> mpsc::Receiver<Fact> {
    let (gateway, clock, roster) = (&running.gateway, &running.clock, &running.roster);
    let firm = send_requests(gateway.clone(), Arc::clone(clock), Firm::new(seed, roster));
    spawn(stop, firm);
    for team in &roster.teams {
        let crew = Crew::new(seed, team, roster);
        spawn(stop, work(gateway.clone(), Arc::clone(clock), team.id.clone(), crew));
    }
    let (facts, shown) = mpsc::channel(SHOWN_AHEAD);
    spawn(stop, follow(gateway.clone(), facts));
    shown
}

/// One line about a fact, for people; `None` for what is not worth a line.
#[must_use]
pub fn line(fact: &Fact, roster: &Roster) -> Option<String> {
    let (task, _) = fact.task.as_ref()?;
    let verb = match &*fact.event_type {
        "handoff.passed" => "handed on by",
        event => event.strip_prefix("task.")?,
    };
    let at = fact.at.format("%a %H:%M:%S");
    let team = fact.team.as_ref().and_then(|id| roster.team_index(id)).map(|index| roster.team(index));
    let place = team.map(|team| {
        let local = team.calendar.spec().zone.to_local(fact.at);
        format!("  {} ({} there)", team.id, local.format("%H:%M"))
    });
    Some(format!("{at}Z  {verb:<13} {task}{}", place.unwrap_or_default()))
}

fn spawn(stop: &CancellationToken, part: impl Future<Output = ()> + Send + 'static) {
    let stop = stop.clone();
    tokio::spawn(async move { stop.run_until_cancelled(part).await });
}

async fn send_requests(gateway: Gateway, clock: Arc<Clock>, mut firm: Firm) {
    let mut from = clock.now();
    while let Some(due) = firm.next(from) {
        until(&clock, due.at).await;
        gateway.submit(vec![Bytes::from(due.body)], None).await;
        from = due.at;
    }
}

/// A team's system: it hears its messages as they come and says what its people say, in their time.
async fn work(gateway: Gateway, clock: Arc<Clock>, team: TeamId, mut crew: Crew) {
    let Some(mut mail) = gateway.committed_for(&team) else { return };
    let mut read = None;
    loop {
        for due in crew.take(clock.now()) {
            if let Some(task) = task_of(&due.body) {
                gateway.update(task, Bytes::from(due.body), SenderHint::InBody).await;
            }
        }
        // Teams that have a queue are read here as well: a demo runs without a broker.
        let Ok(Mailbox::Messages(messages)) = gateway.messages(&team, read, PAGE).await else { return };
        for message in &messages {
            crew.hear(clock.now(), &message.body);
            read = Some(message.seq);
        }
        if messages.len() == PAGE {
            continue;
        }
        tokio::select! {
            changed = mail.changed() => if changed.is_err() { return },
            () = next(&clock, crew.next_at()) => {}
        }
    }
}

/// Hands on every fact from now on.
async fn follow(gateway: Gateway, facts: mpsc::Sender<Fact>) {
    let mut committed = gateway.committed();
    let mut seen: FactSeq = *committed.borrow_and_update();
    while committed.changed().await.is_ok() {
        while let Ok(page) = gateway.events_after(seen, PAGE).await {
            let Some(last) = page.last().map(|fact| fact.seq) else { break };
            for fact in page {
                if facts.send(fact).await.is_err() {
                    return;
                }
            }
            seen = last;
        }
    }
}

async fn until(clock: &Clock, at: DateTime<Utc>) {
    tokio::time::sleep(clock.until(at)).await;
}

async fn next(clock: &Clock, at: Option<DateTime<Utc>>) {
    match at {
        Some(at) => until(clock, at).await,
        None => std::future::pending().await,
    }
}

fn task_of(update: &[u8]) -> Option<TaskId> {
    #[derive(Deserialize)]
    struct About {
        task: TaskId,
    }
    serde_json::from_slice::<About>(update).ok().map(|about| about.task)
}
