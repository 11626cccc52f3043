//! What was decided can be explained afterwards as it could at that moment: a random walk goes through the store, and the
//! full table of every stored decision, worked out again from what the store holds at the end, is the one taken live.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::TimeDelta;
use heliograph::engine::calendar::{Calendar, DatedEntry};
use heliograph::engine::effect::{Effect, Effects, EscalationReason};
use heliograph::engine::event::Event;
use heliograph::engine::explain::{Decision, Filter, Verdict};
use heliograph::engine::hindsight::Premises;
use heliograph::engine::id::TaskId;
use heliograph::engine::overrides::Override;
use heliograph::engine::process::Process;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Acceptance, Roster, RosterDigest, Team};
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::task::Task;
use heliograph::engine::walls::Walls;
use heliograph::http::AsDecided;
use heliograph::roster::{self, zones::ZoneSource};
use heliograph::runtime::hindsight::{Made, Rosters, look_back};
use heliograph::runtime::in_force::InForce;
use heliograph::store::sqlite::SqliteStore;
use heliograph::store::{Batch, Conflict, ProcessRow, Reader, RosterVersion, TaskRow, Writer};
use heliograph::wire::chain::{Head, Sealer};
use heliograph::wire::fact::FactSeq;
use tempfile::TempDir;

use crate::random::{Walk, firm};
use crate::world::*;

/// Facts that are committed at once.
const BATCH: usize = 24;

/// Of so many decisions one is looked at without each of its premises too, beside those that rest on something rare.
const LOST_EVERY: u64 = 8;

/// A store that is filled as the daemon fills it, and the tables that were taken live.
struct Record {
    store: SqliteStore,
    sealer: Sealer,
    pending: Batch,
    changed: BTreeMap<TaskId, Task>,
    processes: BTreeMap<TaskId, Process>,
    conflicts_stored: usize,
    tables: BTreeMap<(TaskId, u64), Vec<Verdict>>,
    rosters: BTreeMap<String, Arc<Roster>>,
    _directory: TempDir,
}

impl Record {
    fn new() -> Self {
        let directory = TempDir::new().expect("a directory");
        Self {
            store: SqliteStore::open(directory.path().join("store.db")).expect("a store"),
            sealer: Sealer::after(Head::default()),
            pending: Batch::default(),
            changed: BTreeMap::new(),
            processes: BTreeMap::new(),
            conflicts_stored: 0,
            tables: BTreeMap::new(),
            rosters: BTreeMap::new(),
            _directory: directory,
        }
    }

    fn take(&mut self, effects: Effects, scheduler: &Scheduler) {
        let roster = scheduler.roster();
        if effects.recorded.iter().any(|it| matches!(it.effect, Effect::AdoptRoster { .. })) {
            self.commit();
            self.pending.walls = Some(Walls::of(&roster.walls).iter().collect());
        }
        let base = scheduler.base_roster();
        self.rosters.entry(base.digest.0.to_string()).or_insert_with(|| Arc::clone(base));
        for process in effects.processes_changed.iter().filter_map(|arrival| scheduler.process_of(*arrival)) {
            self.processes.insert(process.id.clone(), process.clone());
        }
        self.processes.extend(effects.processes_ended.into_iter().map(|process| (process.id.clone(), process)));
        for task in effects.changed.iter().filter_map(|arrival| scheduler.task_of(*arrival)) {
            self.changed.insert(task.id.clone(), task.clone());
        }
        self.pending.segments.extend(effects.segments);
        self.pending.marks.extend(effects.marks);
        for recorded in effects.recorded {
            let table = recorded.decision.as_ref().and_then(|it| it.table.clone());
            if let (Some(key), Some(table)) = (recorded.task.clone(), table) {
                self.tables.insert(key, table);
            }
            let declared =
                matches!(recorded.effect, Effect::RaiseEscalation { reason: EscalationReason::ConflictDeclared, .. });
            let overridden = match &recorded.effect {
                Effect::ChangeOverride { it, .. } => Some(Override::clone(it)),
                _ => None,
            };
            let fact = self.sealer.seal(recorded);
            self.pending.overrides.extend(overridden.map(|it| (it, fact.seq)));
            if declared {
                let (team, client, matter) = scheduler.conflicts()[self.conflicts_stored].clone();
                self.conflicts_stored += 1;
                self.pending.conflicts.push(Conflict { team, client, matter, seq: fact.seq });
            }
            self.pending.facts.push(fact);
        }
        self.changed.extend(effects.ended.into_iter().map(|task| (task.id.clone(), task)));
        if self.pending.facts.len() >= BATCH {
            self.commit();
        }
    }

    fn commit(&mut self) {
        let mut batch = std::mem::take(&mut self.pending);
        let rows = std::mem::take(&mut self.changed).into_values();
        batch.tasks = rows.map(|task| TaskRow { task: Arc::new(task), next_due_at: None }).collect();
        let processes = std::mem::take(&mut self.processes).into_values();
        batch.processes =
            processes.map(|process| ProcessRow { process: Arc::new(process), next_due_at: None }).collect();
        self.store.commit(&batch).expect("a commit");
    }

    /// A scheduler of another process, made from the store.
    fn restart(&mut self, walk: &mut Walk) {
        self.commit();
        let found = self.store.recover().expect("a recovery");
        let restored = Restored {
            walls: walk.world.scheduler.walls().clone(),
            open: found.open,
            processes: found.processes,
            ended: found.recent_ended,
            conflicts: found.conflicts,
            kept: found.kept,
            marks: found.marks,
            overrides: found.overrides,
            next_arrival: found.next_arrival,
            roster_before: None,
            outage_since: None,
        };
        let roster = Arc::clone(walk.world.scheduler.base_roster());
        walk.world.scheduler = Scheduler::restore(roster, Limits::default(), restored, walk.world.now);
        walk.world.scheduler.keep_tables();
    }

    /// Every stored decision is looked back on; what its premises and its table hold is counted.
    fn check(&mut self, met: &mut Met) {
        self.commit();
        let mut reader = self.store.reader().expect("a reader");
        let mut after = FactSeq(0);
        loop {
            let facts = reader.facts_after(after, 500).expect("facts");
            let Some(last) = facts.last() else { return };
            after = last.seq;
            for fact in &facts {
                let (Some(key), Some(json)) = (&fact.task, &fact.decision) else { continue };
                let decision: Decision = serde_json::from_slice(json).expect("a decision");
                let row = reader.task(&key.0).expect("a read").expect("a row");
                let made = Made { decision: &decision, seq: fact.seq, row: &row };
                let live = self.tables.remove(key).expect("a table taken live");
                assert_eq!(self.again(&mut *reader, made), live, "{} at {:?}: {decision:#?}", row.id, fact.seq);
                if fact.seq.0.is_multiple_of(LOST_EVERY) || is_rare(&decision.premises) {
                    for (what, poorer) in poorer(&decision) {
                        let made = Made { decision: &poorer, ..made };
                        met.needed(what, self.again(&mut *reader, made) != live);
                    }
                    let before_all = Made { seq: FactSeq(1), ..made };
                    met.needed("what teams held", self.again(&mut *reader, before_all) != live);
                }
                met.count(&decision, &live);
            }
        }
    }

    fn again(&self, reader: &mut dyn Reader, made: Made<'_>) -> Vec<Verdict> {
        let roster = Arc::clone(&self.rosters[&*made.decision.roster.0]);
        let then = look_back(reader, made, roster).expect("a look back");
        assert_eq!(then.caveats, [""; 0]);
        then.verdicts.expect("a table")
    }
}

fn is_rare(premises: &Premises) -> bool {
    premises.remaining_minutes.is_some() || premises.clocks.is_some() || !premises.about_to_turn.is_empty()
}

/// A premise by its name, and how it is lost.
type Loss = (&'static str, fn(&mut Premises));

/// The decision with one of its premises lost, for each that it has.
fn poorer(decision: &Decision) -> Vec<(&'static str, Decision)> {
    let without: [Loss; 6] = [
        ("remaining effort", |it| it.remaining_minutes = it.remaining_minutes.map(|minutes| minutes + 600)),
        ("turn-downs", |it| it.turn_downs.clear()),
        ("clocks", |it| it.clocks = None),
        ("terms", |it| it.terms = None),
        ("teams about to turn", |it| it.about_to_turn.clear()),
        ("contact", |it| it.contact_since = None),
    ];
    let lost = |(what, lose): Loss| {
        let mut poorer = decision.clone();
        lose(&mut poorer.premises);
        (poorer.premises != decision.premises).then_some((what, poorer))
    };
    without.into_iter().filter_map(lost).collect()
}

/// What the decisions that were looked back on rested on.
#[derive(Debug, Default)]
struct Met {
    decisions: usize,
    /// How many decisions had a premise, and how many tables are another without it.
    premises: BTreeMap<&'static str, (usize, usize)>,
    filters: BTreeSet<Filter>,
    rosters: BTreeSet<RosterDigest>,
    available: usize,
}

impl Met {
    fn needed(&mut self, what: &'static str, differs: bool) {
        let (had, needed) = self.premises.entry(what).or_default();
        *had += 1;
        *needed += usize::from(differs);
    }

    fn count(&mut self, decision: &Decision, table: &[Verdict]) {
        self.decisions += 1;
        self.rosters.insert(decision.roster.clone());
        for verdict in table {
            match verdict {
                Verdict::Rejected { filter, .. } => drop(self.filters.insert(*filter)),
                Verdict::Available(_) => self.available += 1,
            }
        }
    }
}

/// Fires what is due in the next days, each at its own time.
fn let_days_pass(walk: &mut Walk, days: i64, record: &mut Record) {
    let until = walk.world.now + TimeDelta::days(days);
    while let Some(due_at) = walk.world.scheduler.next_deadline().filter(|due_at| *due_at <= until) {
        walk.world.now = walk.world.now.max(due_at);
        let effects = walk.world.step(Event::DeadlineReached);
        record.take(effects, &walk.world.scheduler);
    }
}

#[test]
fn the_table_of_every_stored_decision_is_the_one_taken_when_it_was_made() {
    let mut met = Met::default();
    for seed in 300..310 {
        println!("seed {seed}");
        let (mut walk, mut record) = (Walk::new(seed), Record::new());
        walk.world.checked_every = 1_000;
        walk.world.scheduler.keep_tables();
        for turn in 1..=500 {
            // Now and then an event comes at the very instant at which a timer is due, and goes before it.
            if turn % 7 == 0
                && let Some(due_at) = walk.world.scheduler.next_deadline()
            {
                walk.world.now = walk.world.now.max(due_at);
            }
            let effects = walk.go();
            record.take(effects, &walk.world.scheduler);
            walk.world.log.clear();
            if turn == 250 {
                record.restart(&mut walk);
                let_days_pass(&mut walk, if seed == 300 { 3 } else { 0 }, &mut record);
            }
        }
        record.check(&mut met);
    }
    println!("{met:?}");
    assert!(met.decisions > 2_000 && met.available > 1_000, "{met:?}");
    assert_eq!(met.premises.len(), 7, "{met:?}");
    // Contact is needed where an override cuts the hours of a day, which not every walk meets; see below.
    let needed = |(what, (_, needed)): (&&str, &(usize, usize))| *what == "contact" || *needed > 0;
    assert!(met.premises.iter().all(needed), "{met:?}");
    assert!(Filter::ALL.iter().all(|filter| met.filters.contains(filter)), "{met:?}");
    assert!(met.rosters.len() > 2, "{met:?}");
}

#[test]
fn contact_is_looked_back_on_as_the_class_saw_it_when_it_was_made() {
    let mut spec = calendar("Europe/London", &WEEKDAYS, &["10:00-12:00"], &[]).spec().clone();
    let monday = "2026-11-23".parse().expect("a date");
    let hours = Some(vec!["09:00-17:00".parse().expect("hours")]);
    spec.dates = vec![DatedEntry { from: monday, until: monday, hours, breaks: Vec::new(), planned: false }];
    let calendar = Arc::new(Calendar::new(spec, at("2026-11-23T00:00:00Z")));
    let mut world = World::new("2026-11-23T09:00:00Z", roster(vec![Team { calendar, ..london() }]));
    let (mut record, mut met) = (Record::new(), Met::default());
    world.scheduler.keep_tables();
    for (id, now) in [("a", "2026-11-23T09:00:00Z"), ("b", "2026-11-23T18:00:00Z")] {
        world.now = at(now);
        let request = WorkRequest { effort_minutes: Some(240), ..request_of("call", id) };
        let event = Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() };
        let effects = world.step(event);
        record.take(effects, &world.scheduler);
    }
    let decision = world.log.iter().rev().find_map(|it| it.decision.clone()).expect("a decision");
    assert_eq!(decision.premises.contact_since, Some(at("2026-11-23T09:00:00Z")));
    record.check(&mut met);
    assert!(met.filters.contains(&Filter::Open), "the day with enough contact is over, and the class still counts it");
}

#[test]
fn the_affinity_of_a_team_that_the_decision_does_not_list_is_kept() {
    let implicit = |number| Team { acceptance: Acceptance::Implicit, ..always(&format!("team-{number}")) };
    let mut roster = roster((10..40).map(implicit).collect());
    roster.routing.weights.affinity = 0;
    let mut world = World::new("2026-11-23T10:00:00Z", roster);
    let mut record = Record::new();
    world.scheduler.keep_tables();
    let known = team_id("team-39");
    for id in ["a", "b"] {
        let mut request = request(id);
        request.preferred_team = (id == "a").then(|| known.clone());
        let event = Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() };
        let effects = world.step(event);
        record.take(effects, &world.scheduler);
    }
    let decision = world.log.iter().rev().find_map(|it| it.decision.clone()).expect("a decision");
    assert_eq!(decision.premises.affinities, [(known, 100)]);
    assert_eq!(decision.available_count, 30);
    record.check(&mut Met::default());
}

#[test]
fn the_first_decision_of_a_task_costs_nothing_more_to_store() {
    let mut world = World::new("2026-11-23T10:00:00Z", firm());
    let _ = world.send(request("a"));
    let decision = world.log.iter().find_map(|it| it.decision.clone()).expect("a decision");
    assert!(!serde_json::to_string(&*decision).expect("JSON").contains("premises"));
}

/// A task of the smallest roster, decided and stored, with the table that was taken live.
fn stored(roster_text: &str) -> (Record, TaskId, Vec<Verdict>) {
    let now = at("2026-11-23T10:00:00Z");
    let loaded = roster::parse_text(roster_text, ZoneSource::Bundled, now).expect("a roster");
    let mut request = request("a");
    (request.client, request.work_type) = (client_id("acme-llp"), Some("legal_research".parse().expect("a work type")));
    let id = TaskId::of(&request.client, &request.id);
    let mut record = Record::new();
    let version = RosterVersion { digest: loaded.roster.digest.clone(), text: loaded.text, at: now, seq: FactSeq(0) };
    record.pending.roster = Some(version);
    let mut scheduler = Scheduler::new(Arc::new(loaded.roster), Limits::default(), now);
    scheduler.keep_tables();
    let event = Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() };
    let effects = scheduler.step(now, event);
    record.take(effects, &scheduler);
    record.commit();
    let table = record.tables.values().next().expect("a table").clone();
    (record, id, table)
}

/// Looks back on the last decision of a task as the daemon does, with some change to what was stored.
fn look_back_as(record: &Record, id: &TaskId, rosters: &Rosters, change: impl Fn(&mut Decision)) -> AsDecided {
    let mut reader = record.store.reader().expect("a reader");
    let last = reader.last_decision(id).expect("a read").expect("a decision");
    let mut decision: Decision = serde_json::from_slice(&last.json).expect("a decision");
    change(&mut decision);
    let row = reader.task(id).expect("a read").expect("a row");
    rosters.look_back(&mut *reader, Made { decision: &decision, seq: last.seq, row: &row }).expect("a look back")
}

const LONDON_ONLY: &str = include_str!("../fixtures/roster/london-only.toml");

#[test]
fn a_roster_of_an_earlier_time_is_read_from_the_store() {
    let (record, id, table) = stored(LONDON_ONLY);
    let rosters = Rosters::new(InForce::new(Arc::new(firm())), ZoneSource::Bundled);
    for _ in 0..2 {
        let then = look_back_as(&record, &id, &rosters, |_| {});
        assert_eq!(then, AsDecided { verdicts: Some(table.clone()), caveats: Vec::new() });
    }
}

#[test]
fn an_answer_says_where_it_may_differ_from_what_held_then() {
    let (record, id, table) = stored(LONDON_ONLY);
    let rosters = Rosters::new(InForce::new(Arc::new(firm())), ZoneSource::Bundled);
    let then = look_back_as(&record, &id, &rosters, |decision| decision.tzdata = "2019a".into());
    assert_eq!(then.verdicts.as_ref(), Some(&table));
    assert!(then.caveats[0].starts_with("decided with the zone rules 2019a and worked out again with 20"), "{then:?}");

    let then = look_back_as(&record, &id, &rosters, |decision| decision.roster = RosterDigest("ab".into()));
    assert_eq!(then.verdicts, None);
    assert_eq!(then.caveats, ["the roster ab is not kept any more"]);
}

#[test]
fn a_store_of_an_earlier_version_is_answered_without_what_teams_held() {
    let mut record = Record::new();
    let mut world = World::new("2026-11-23T10:00:00Z", roster(vec![london()]));
    for id in ["a", "b"] {
        let event = Event::RequestReceived { request: Box::new(request(id)), ended: None, predecessors: Vec::new() };
        let mut effects = world.step(event);
        effects.recorded.iter_mut().for_each(|it| it.held = None);
        record.take(effects, &world.scheduler);
    }
    record.commit();
    let rosters = Rosters::new(InForce::new(Arc::clone(world.scheduler.roster())), ZoneSource::Bundled);
    let then = look_back_as(&record, &task_id("b"), &rosters, |_| {});
    assert_eq!(then.caveats, ["what london held is not recorded: they are taken to have held nothing"]);
    assert!(then.verdicts.is_some());
}
