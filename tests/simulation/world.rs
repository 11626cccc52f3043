//! A daemon on virtual time with its store, a network that loses no message and repeats some, and crashes that keep only
//! what was committed.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{Answer, Effect, Effects, Recorded};
use heliograph::engine::event::{EndedTask, Event, UpdateResult};
use heliograph::engine::fairness::Mark;
use heliograph::engine::id::{ClientId, MatterId, RequestId, TaskId, TeamId};
use heliograph::engine::overrides::Overrides;
use heliograph::engine::roster::Roster;
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::task::{Arrival, Task, TaskState};
use heliograph::engine::update::{Change, KeptUpdate, Sender};
use heliograph::engine::walls::Walls;
use heliograph::roster::zones::ZoneSource;
use heliograph::roster::{self, Source};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use super::book::Book;
use super::dice::Dice;
use super::firm;
use super::hours::{HOUR, MINUTE};
use super::observer::{Figures, Observer, ms};

/// The simulated time begins before Thanksgiving and goes through the weeks in which summer time differs.
const START: &str = "2026-11-23T07:00:00Z";
const SAMPLE: &str = include_str!("../../config/roster.toml");
/// How many rosters come into force in turn.
const ROSTERS: i64 = 6;

/// The engine's rosters and their texts; made once, since that takes a while.
static FEW_SEATS: LazyLock<Vec<Made>> = LazyLock::new(|| (0..ROSTERS).map(|version| made(version, false)).collect());
static ALL_SEATS: LazyLock<Vec<Made>> = LazyLock::new(|| (0..ROSTERS).map(|version| made(version, true)).collect());

type Made = (Arc<Roster>, String);

/// How much work there is for how many.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Requests in an hour.
    pub hourly: i64,
    /// All seats of the sample roster and tasks of an hour, so that a year of much work is done; else few seats and
    /// long tasks, so that seats are fought for.
    pub all_seats: bool,
}

impl Load {
    fn made(self) -> &'static [Made] {
        if self.all_seats { &ALL_SEATS } else { &FEW_SEATS }
    }

    /// Firms send less while so many tasks are open.
    fn busy_above(self) -> usize {
        if self.all_seats { 4_000 } else { 900 }
    }
}

fn made(version: i64, all_seats: bool) -> Made {
    let text = text(version, all_seats);
    let anchor: DateTime<Utc> = START.parse().expect("an instant");
    let loaded = roster::parse(&[Source::new("roster.toml", &text)], ZoneSource::Bundled, anchor);
    (Arc::new(loaded.unwrap_or_else(|faults| panic!("{faults}")).roster), text)
}

/// The sample roster with all or few of its seats, admissions that end soon, and what each version changes.
fn text(version: i64, all_seats: bool) -> String {
    let mut file: Table = SAMPLE.parse().expect("the sample");
    for team in file["teams"].as_array_mut().expect("teams").iter_mut().filter_map(Value::as_table_mut) {
        let id = team["id"].as_str().expect("an id").to_owned();
        if let Some(seats) = team.get("seats").and_then(Value::as_integer) {
            let seats = if all_seats { seats } else { seats / 2 };
            team.insert("seats".into(), Value::Integer((seats + i64::from(id == "mumbai") * (version % 2)).max(1)));
        }
        match &*id {
            "wellington" => drop(team.insert("vetted_until".into(), "2027-01-31".into())),
            "cape-town" => {
                let admitted = &mut team["capabilities"].as_array_mut().expect("capabilities")[1];
                admitted
                    .as_table_mut()
                    .expect("a table")
                    .insert("admitted_until".into(), "2027-01-20T12:00:00Z".into());
            }
            "nairobi" if version % 3 == 2 => drop(team.insert("retired".into(), true.into())),
            _ => {}
        }
    }
    if version % 2 == 1 {
        let wall = "team = \"warsaw\"\nclient = \"kestrel-pharma\"\nmatter = \"M-1\"\nreason = \"r\"";
        file["walls"].as_array_mut().expect("walls").push(Value::Table(wall.parse().expect("a wall")));
    }
    if version % 4 == 1 {
        let london = file["calendars"]["london"].as_table_mut().expect("a calendar");
        london["hours"].as_table_mut().expect("hours").insert("wed".into(), vec!["10:00-16:00"].into());
    }
    if version == 3 {
        file["calendars"]["frankfurt"]["hours"]["fri"] = vec!["08:00-13:00"].into();
    }
    toml::to_string(&file).expect("TOML")
}

/// What is on disk.
struct Store {
    open: BTreeMap<Arrival, Task>,
    ended: VecDeque<Task>,
    ended_ids: BTreeMap<TaskId, EndedTask>,
    answered: BTreeMap<(Sender, RequestId), UpdateResult>,
    kept: Vec<KeptUpdate>,
    marks: BTreeMap<Mark, u64>,
    rest: Rest,
}

/// What a store keeps beside tasks and messages.
struct Rest {
    conflicts: Vec<(TeamId, ClientId, MatterId)>,
    walls: Walls,
    overrides: Overrides,
    roster: Arc<Roster>,
    next_arrival: u64,
}

impl Rest {
    fn of(scheduler: &Scheduler) -> Self {
        Self {
            conflicts: scheduler.conflicts().to_vec(),
            walls: scheduler.walls().clone(),
            overrides: scheduler.overrides().clone(),
            roster: Arc::clone(scheduler.base_roster()),
            next_arrival: scheduler.next_arrival(),
        }
    }
}

pub struct World {
    seed: u64,
    dice: Dice,
    scheduler: Scheduler,
    store: Store,
    pub observer: Observer,
    now: i64,
    next_request: i64,
    requests: u64,
    updates: u64,
    overrides: u64,
    version: i64,
    agenda: BTreeMap<(i64, u64), Event>,
    batch: Vec<(Event, Effects)>,
    batch_size: i64,
    hash: Sha256,
    next_audit: i64,
    pub steps: u64,
    /// A task of which all that is told is printed: `WATCH=client/id`.
    watched: Option<String>,
    /// How much work comes, and for how many.
    load: Load,
}

impl World {
    pub fn new(seed: u64, load: Load) -> Self {
        let start = ms(START.parse().expect("an instant"));
        let made = load.made();
        let books = made.iter().map(|(roster, text)| (roster.digest.0.to_string(), Rc::new(Book::read(text))));
        let (books, first) = (books.collect(), &made[0].0);
        let scheduler = Scheduler::new(Arc::clone(first), Limits::default(), firm::at(start));
        Self {
            seed,
            dice: Dice(seed),
            store: Store {
                open: BTreeMap::new(),
                ended: VecDeque::new(),
                ended_ids: BTreeMap::new(),
                answered: BTreeMap::new(),
                kept: Vec::new(),
                marks: BTreeMap::new(),
                rest: Rest::of(&scheduler),
            },
            scheduler,
            observer: Observer::new(books, &first.digest.0),
            now: start,
            next_request: start,
            requests: 0,
            updates: 0,
            overrides: 0,
            version: 0,
            agenda: BTreeMap::new(),
            batch: Vec::new(),
            batch_size: 1,
            hash: Sha256::new(),
            next_audit: start,
            steps: 0,
            watched: std::env::var("WATCH").ok(),
            load,
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.observer.figures.entry(what).or_default() += 1;
    }

    /// Runs for so many steps of the engine, or until an instant when that comes first.
    pub fn run(&mut self, steps: u64, until: i64) {
        while self.steps < steps && self.now < until {
            let event = self.next_event();
            self.step(event);
            if i64::try_from(self.batch.len()).expect("few") >= self.batch_size {
                if self.dice.one_in(400) { self.crash() } else { self.commit() }
            }
        }
        self.commit();
    }

    pub fn until_days(&self, days: i64) -> i64 {
        ms(START.parse().expect("an instant")) + days * 24 * HOUR
    }

    pub fn digest(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn days(&self) -> i64 {
        (self.now - self.until_days(0)) / (24 * HOUR)
    }

    fn step(&mut self, event: Event) {
        let set_back = if self.dice.one_in(5_000) { self.dice.below(HOUR) } else { 0 };
        if set_back > 0 {
            self.count("clock set back");
        }
        let effects = self.scheduler.step(firm::at(self.now - set_back), event.clone());
        self.steps += 1;
        if self.steps.is_multiple_of(5_000) {
            self.scheduler.check_invariants().unwrap_or_else(|broken| panic!("seed {}: {broken}", self.seed));
        }
        self.batch.push((event, effects));
    }

    /// What comes next, and time passes to it.
    fn next_event(&mut self) -> Event {
        let said = self.agenda.first_key_value().map_or(i64::MAX, |(key, _)| key.0).min(self.next_request);
        let due = self.scheduler.next_deadline().map_or(i64::MAX, ms);
        if self.dice.one_in(20_000) {
            // The machine was asleep: a part of what was due is late.
            self.now += self.dice.below(3 * HOUR);
            self.count("sleeps");
        }
        // Now and then an event overtakes what is due.
        if due <= said && !(self.dice.one_in(200) && said < i64::MAX) {
            self.now = self.now.max(due);
            return Event::DeadlineReached;
        }
        self.now = self.now.max(said);
        if said == self.next_request {
            return self.word_of_firms();
        }
        let act = self.agenda.pop_first().expect("an act").1;
        self.known(act)
    }

    fn word_of_firms(&mut self) -> Event {
        let busy = if self.scheduler.open_count() > self.load.busy_above() { 4 } else { 1 };
        self.next_request = self.now + 1 + self.dice.below(2 * busy * HOUR / self.load.hourly);
        match self.dice.below(1_000) {
            0 => {
                let others: Vec<i64> = (0..ROSTERS).filter(|version| *version != self.version).collect();
                self.version = self.dice.of(&others);
                self.count("rosters");
                Event::RosterChanged(Arc::clone(&self.load.made()[usize::try_from(self.version).expect("few")].0))
            }
            1..10 => Event::OverrideWished(firm::wish(&mut self.dice, self.overrides, self.now)),
            10..150 => self.meddling(),
            150..160 => {
                let task = self.some_task().filter(firm::is_offered);
                task.map_or(Event::DeadlineReached, |task| {
                    let assignment = task.handoff_offer().map_or(task.assignments, |offer| offer.assignment);
                    Event::OfferUndeliverable { task: task.id, assignment }
                })
            }
            _ => {
                self.requests += 1;
                let request = firm::request(&mut self.dice, self.requests, self.now, self.load.all_seats);
                self.received(request)
            }
        }
    }

    fn received(&mut self, request: heliograph::engine::request::WorkRequest) -> Event {
        let request = Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() };
        let event = self.known(request);
        if self.dice.one_in(100) {
            self.repeat(&event);
        }
        event
    }

    /// A message with what the store knows of it.
    fn known(&self, event: Event) -> Event {
        let ended = |id: &TaskId| self.store.ended_ids.get(id).cloned();
        match event {
            Event::RequestReceived { request, .. } => Event::RequestReceived {
                ended: ended(&TaskId::of(&request.client, &request.id)),
                predecessors: request.after.iter().filter_map(ended).collect(),
                request,
            },
            Event::UpdateReceived { update, digest, .. } => Event::UpdateReceived {
                ended: ended(&update.task),
                earlier: self.store.answered.get(&(update.sender.clone(), update.id.clone())).cloned(),
                update,
                digest,
            },
            event => event,
        }
    }

    /// The network delivers a message once more, some time later.
    fn repeat(&mut self, event: &Event) {
        self.count("repeats");
        let later = self.now + self.dice.below(30 * MINUTE);
        let number = self.dice.next();
        self.agenda.insert((later, number), event.clone());
    }

    fn some_task(&mut self) -> Option<Task> {
        let last = self.store.open.last_key_value()?.0.0;
        let from = Arrival(last - u64::try_from(self.dice.below(1_500)).expect("positive").min(last));
        self.store.open.range(from..).next().map(|(_, task)| task.clone())
    }

    fn meddling(&mut self) -> Event {
        let Some(task) = self.some_task() else { return Event::DeadlineReached };
        let (sender, change) = firm::meddling(&mut self.dice, &task, self.now);
        self.updates += 1;
        let event = self.known(firm::update(self.updates, &task.id, sender, change));
        if self.dice.one_in(50) {
            self.repeat(&event);
        }
        event
    }

    /// The batch is on disk: it is told, and whoever is told acts on it in time.
    fn commit(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.batch_size = 1 + self.dice.below(12);
        for (event, effects) in &batch {
            self.watch(effects);
            self.observer.witness(event, effects);
            self.write(event, effects);
            for it in &effects.recorded {
                let body = serde_json::to_vec(&it.effect).expect("JSON");
                self.hash.update(format!("{} {:?} {:?}", it.at, it.task, it.team));
                self.hash.update(body);
                self.plan_reactions(it);
            }
        }
        let turns = |it: &Recorded| {
            matches!(it.effect, Effect::RaiseWall { .. } | Effect::ChangeOverride { .. } | Effect::AdoptRoster { .. })
        };
        if batch.iter().any(|(_, effects)| effects.walls_changed || effects.recorded.iter().any(turns)) {
            self.store.rest = Rest::of(&self.scheduler);
        }
        self.store.rest.next_arrival = self.scheduler.next_arrival();
        let changed: Vec<Arrival> = batch.iter().flat_map(|(_, effects)| effects.changed.iter().copied()).collect();
        for arrival in changed {
            if let Some(task) = self.store.open.get(&arrival) {
                self.observer.compare(task);
            }
        }
        self.audit();
    }

    /// Prints what is told of a task that is watched, and of all tasks.
    fn watch(&self, effects: &Effects) {
        let Some(watched) = &self.watched else { return };
        let is_of_all = |it: &Recorded| matches!(it.effect, Effect::AdoptRoster { .. } | Effect::ChangeOverride { .. });
        let is_watched =
            |it: &&Recorded| it.task.as_ref().is_some_and(|(id, _)| id.as_str() == watched) || is_of_all(it);
        for it in effects.recorded.iter().filter(is_watched) {
            println!("{} {:?} {:?}", it.at, it.team, it.effect);
        }
    }

    fn audit(&mut self) {
        let nothing_due = self.scheduler.next_deadline().is_none_or(|due_at| ms(due_at) > self.now);
        if nothing_due && self.now >= self.next_audit {
            self.next_audit = self.now + HOUR + self.dice.below(2 * HOUR);
            self.observer.audit(&self.scheduler);
        }
    }

    fn write(&mut self, event: &Event, effects: &Effects) {
        for arrival in &effects.changed {
            if let Some(task) = self.scheduler.task_of(*arrival).cloned() {
                self.store.open.insert(*arrival, task);
            }
        }
        for task in &effects.ended {
            self.store.open.remove(&task.arrival);
            let team = match &task.state {
                TaskState::Completed { team, .. } => Some(team.clone()),
                _ => None,
            };
            let state = task.state.as_str().into();
            let ended = EndedTask { id: task.id.clone(), digest: task.digest.clone(), state, team };
            self.store.ended_ids.insert(task.id.clone(), ended);
            self.store.ended.push_back(task.clone());
            if self.store.ended.len() > 500 {
                self.store.ended.pop_front();
            }
        }
        self.store.marks.extend(effects.marks.clone());
        self.answered(event, effects);
    }

    fn answered(&mut self, event: &Event, effects: &Effects) {
        match (event, &effects.answer) {
            (Event::UpdateReceived { update, digest, .. }, Some(answer)) => {
                let refused = match answer {
                    Answer::Refused(refusal) => Some(refusal.clone()),
                    _ => None,
                };
                let result = UpdateResult { digest: Some(*digest), refused };
                self.store.answered.entry((update.sender.clone(), update.id.clone())).or_insert(result);
            }
            (Event::RequestReceived { request, .. }, Some(answer)) => {
                let id = TaskId::of(&request.client, &request.id);
                let known = self.observer.cases.contains_key(id.as_str()) || self.observer.ended.contains(id.as_str());
                let is_well = match answer {
                    Answer::Admitted(admitted) | Answer::Duplicate(admitted) => *admitted == id && known,
                    Answer::Refused(_) | Answer::Applied => false,
                };
                assert!(is_well, "{id} has no outcome: {answer:?}");
            }
            (Event::RequestReceived { .. } | Event::UpdateReceived { .. }, None) => panic!("no answer to {event:?}"),
            _ => {}
        }
        if let Some(Ok(number)) = &effects.overridden {
            self.overrides = self.overrides.max(*number);
        }
        let is_done = |kept: &KeptUpdate| {
            effects.kept_done.iter().any(|(sender, id, _)| *sender == kept.update.sender && *id == kept.update.id)
        };
        self.store.kept.extend(effects.kept.iter().cloned());
        self.store.kept.retain(|kept| !is_done(kept));
    }

    fn plan_reactions(&mut self, it: &Recorded) {
        let Some((id, _)) = &it.task else { return };
        if let Some((delay, sender, change)) = firm::order(&mut self.dice, it, self.load.all_seats) {
            self.send_later(delay, id, sender, change);
        }
        let Some(team) = &it.team else { return };
        if !matches!(it.effect, Effect::Offer(_) | Effect::Accept { .. } | Effect::RequestHandoff { .. }) {
            return;
        }
        let task = self.scheduler.task(id).cloned();
        for (delay, change) in firm::reaction(&mut self.dice, it, task.as_ref()) {
            self.send_later(delay, id, Sender::Team(team.clone()), change);
        }
    }

    fn send_later(&mut self, delay: i64, task: &TaskId, sender: Sender, change: Change) {
        self.updates += 1;
        let event = firm::update(self.updates, task, sender, change);
        self.agenda.insert((self.now + delay, self.updates), event);
    }

    /// The process dies before the batch is on disk. Another one starts from the store, and the broker delivers again what
    /// was not acknowledged, in another order.
    fn crash(&mut self) {
        self.count("crashes");
        let batch = std::mem::take(&mut self.batch);
        let limit = if self.dice.one_in(10) { 8 * HOUR } else { 5 * MINUTE };
        self.now += 1_000 + self.dice.below(limit);
        let rest = &self.store.rest;
        let restored = Restored {
            open: self.store.open.values().cloned().collect(),
            processes: Vec::new(),
            ended: self.store.ended.iter().cloned().collect(),
            conflicts: rest.conflicts.clone(),
            walls: rest.walls.clone(),
            kept: self.store.kept.clone(),
            marks: self.store.marks.clone(),
            overrides: rest.overrides.clone(),
            next_arrival: rest.next_arrival,
            roster_before: None,
            outage_since: None,
        };
        let roster = Arc::clone(&rest.roster);
        self.scheduler = Scheduler::restore(roster, Limits::default(), restored, firm::at(self.now));
        let mut again: Vec<Event> = batch.into_iter().map(|(event, _)| event).collect();
        again.retain(|event| !matches!(event, Event::DeadlineReached));
        while !again.is_empty() {
            let place = self.dice.below(i64::try_from(again.len()).expect("few"));
            let event = again.swap_remove(usize::try_from(place).expect("a place"));
            let number = self.dice.next();
            self.agenda.insert((self.now, number), event);
        }
    }

    pub fn figures(&self) -> &Figures {
        &self.observer.figures
    }
}
