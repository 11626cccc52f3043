//! Routing and stepping at three sizes of roster: what a request costs that is offered, one that waits, a dry run with
//! every team's verdict, and a seat that frees with many tasks waiting.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use heliograph::engine::event::Event;
use heliograph::engine::id::{ClientId, RequestId, TaskId};
use heliograph::engine::request::{Place, WorkRequest};
use heliograph::engine::roster::Roster;
use heliograph::engine::scheduler::{Limits, Preview, Scheduler};
use heliograph::engine::update::{Change, Sender, Update};
use heliograph::roster::zones::ZoneSource;
use heliograph::roster::{self, Source};
use heliograph::wire::update::digest;

const NOW: &str = "2026-11-23T10:00:00Z";
const SIZES: [usize; 3] = [12, 200, 600];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// A firm of so many teams in twelve zones, and so many clients; only every third team knows New York.
fn firm(teams: usize, clients: usize, seats: u32) -> Arc<Roster> {
    const ZONES: [&str; 12] = [
        "Europe/London",
        "Asia/Kolkata",
        "Australia/Sydney",
        "America/New_York",
        "America/Los_Angeles",
        "Asia/Tokyo",
        "Africa/Lagos",
        "America/Sao_Paulo",
        "Asia/Dubai",
        "Europe/Berlin",
        "Asia/Singapore",
        "Pacific/Auckland",
    ];
    let mut text = String::new();
    for (number, zone) in ZONES.iter().enumerate() {
        text += &format!("[calendars.c{number}]\ntime_zone = \"{zone}\"\n[calendars.c{number}.hours]\n");
        for day in ["mon", "tue", "wed", "thu", "fri"] {
            text += &format!("{day} = [\"09:00-13:00\", \"14:00-18:00\"]\n");
        }
    }
    for number in 0..teams {
        let (calendar, cost) = (number % ZONES.len(), 40 + number % 60);
        let jurisdiction = if number % 3 == 0 { "*" } else { "GB" };
        text += &format!(
            "[[teams]]\nid = \"t{number}\"\nname = \"t\"\ncountry = \"GB\"\ncalendar = \"c{calendar}\"\nseats = {seats}\n\
             capabilities = [{{ jurisdiction = \"{jurisdiction}\", specialty = \"*\", languages = [\"en\"], level = 3 }}]\n\
             vetted_until = \"2030-01-01\"\ncost_per_hour = {cost}\n"
        );
    }
    for number in 0..clients {
        text += &format!("[[clients]]\nid = \"k{number}\"\nname = \"k\"\ncountry = \"GB\"\noffshoring = \"allowed\"\n");
    }
    let loaded = roster::parse(&[Source::new("roster.toml", &text)], ZoneSource::Bundled, at(NOW));
    Arc::new(loaded.unwrap_or_else(|faults| panic!("{faults:?}")).roster)
}

fn request(number: usize, client: usize, jurisdiction: &str) -> WorkRequest {
    let new = WorkRequest::new(
        RequestId::new(&format!("r{number}")).expect("an id"),
        ClientId::new(&format!("k{client}")).expect("an id"),
        "M-1".parse().expect("a matter"),
        "document_review".parse().expect("a work type"),
        heliograph::engine::request::RequestDigest("d".into()),
    );
    WorkRequest {
        jurisdiction: Some(Place::new(jurisdiction).expect("a place")),
        languages: Some(vec!["en".parse().expect("a language")]),
        effort_minutes: Some(30 + u32::try_from(number % 8).expect("small") * 15),
        deadline: Some(at(NOW) + TimeDelta::days(7)),
        ..new
    }
}

fn received(request: WorkRequest) -> Event {
    Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() }
}

fn said(sender: Sender, number: usize, task: TaskId, change: Change) -> Event {
    let id = RequestId::new(&format!("u{number}")).expect("an id");
    let update = Update { id, task, sender, at: None, order: None, change };
    let digest = digest(&update);
    Event::UpdateReceived { update: Box::new(update), digest, ended: None, earlier: None }
}

/// A request that a team with a free seat is offered, and one that waits since every open team is full; the firm cancels
/// each, so that all meet the same state.
fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("request and cancel");
    let client: ClientId = "k0".parse().expect("an id");
    for teams in SIZES {
        for (name, jurisdiction, is_full) in
            [("offered", "GB", false), ("waits", "GB", true), ("waits, third eligible", "US-NY", true)]
        {
            let mut scheduler = Scheduler::new(firm(teams, 1, 1), Limits::default(), at(NOW));
            let mut number = 0;
            while is_full && scheduler.census().waiting.is_empty() {
                number += 1;
                let _ = scheduler.step(at(NOW), received(request(number, 0, "US-NY")));
                number += 1;
                let _ = scheduler.step(at(NOW), received(request(number, 0, "GB")));
            }
            let waiting = || if is_full { "waiting" } else { "offered" };
            group.bench_function(BenchmarkId::new(name, teams), |b| {
                b.iter(|| {
                    number += 1;
                    let request = request(number, 0, jurisdiction);
                    let task = TaskId::of(&client, &request.id);
                    let effects = scheduler.step(at(NOW), received(request));
                    assert_eq!(scheduler.task(&task).map(|it| it.state.as_str()), Some(waiting()), "{effects:?}");
                    let cancel = Change::Cancel { reason: "b".into() };
                    let event = said(Sender::Client(client.clone()), number, task, cancel);
                    black_box(scheduler.step(at(NOW), event));
                });
            });
        }
    }
    group.finish();
}

fn preview(c: &mut Criterion) {
    let mut group = c.benchmark_group("preview with every verdict");
    for teams in SIZES {
        let roster = firm(teams, 1, 10);
        let request = request(1, 0, "GB");
        group.bench_function(BenchmarkId::from_parameter(teams), |b| {
            b.iter(|| Preview::of(black_box(&request), Arc::clone(&roster), at(NOW)));
        });
    }
    group.finish();
}

/// Completes what a team of one seat owns, which offers it the next of 100,000 tasks, and accepts that; another request
/// takes the free place in the line.
fn seat_frees(c: &mut Criterion) {
    let mut group = c.benchmark_group("complete, offer, accept, request with 100000 waiting");
    for classes in [1, 2_000] {
        let mut scheduler = Scheduler::new(firm(12, classes, 1), Limits::default(), at(NOW));
        let mut requests = (0..).map(|number| received(request(number, number % classes, "GB")));
        for event in requests.by_ref().take(100_000) {
            let _ = scheduler.step(at(NOW), event);
        }
        let mut held: BTreeMap<_, _> = scheduler
            .open_tasks()
            .filter_map(|task| task.assignment().map(|(team, number)| (team.clone(), (task.id.clone(), number))))
            .collect();
        let mut number = 0;
        let mut send = |scheduler: &mut Scheduler, team: &heliograph::engine::id::TeamId, task, change| {
            number += 1;
            scheduler.step(at(NOW), said(Sender::Team(team.clone()), number, task, change))
        };
        let (team, (task, assignment)) = held.pop_first().expect("a team has a task");
        let _ = send(&mut scheduler, &team, task.clone(), Change::Accept { assignment });
        let mut owned = (task, assignment);
        group.bench_function(BenchmarkId::new("classes", classes), |b| {
            b.iter(|| {
                let (task, assignment) = owned.clone();
                let effects = send(&mut scheduler, &team, task, Change::Complete { assignment, note: None });
                let offer = effects.recorded.iter().find(|it| it.team.as_ref() == Some(&team) && it.decision.is_some());
                let task = offer.and_then(|it| it.task.clone()).expect("the next task").0;
                let assignment = scheduler.task(&task).expect("it is open").assignments;
                let _ = send(&mut scheduler, &team, task.clone(), Change::Accept { assignment });
                owned = (task, assignment);
                let _ = scheduler.step(at(NOW), requests.next().expect("without end"));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, step, preview, seat_frees);
criterion_main!(benches);
