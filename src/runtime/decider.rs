//! From messages to one batch: parse, look up, step, seal.
//!
//! Everything here happens before the commit, so nothing of it leaves the process: a [`Decided`] batch carries what is
//! to be acknowledged, published and answered once its facts are on disk.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;

use crate::broker::{Delivery, DeliveryToken, Intake};
use crate::engine::effect::{Answer, Effects};
use crate::engine::event::{EndedTask, Event, Refusal, RefusalCode};
use crate::engine::id::{ClientId, RequestId, TaskId, TeamId};
use crate::engine::roster::Roster;
use crate::engine::scheduler::Scheduler;
use crate::engine::task::{Task, TaskState};
use crate::engine::update::{Sender, Update};
use crate::http::{SubmitAnswer, Unavailable, UpdateAnswer};
use crate::store::{Batch, Reader, StoreError, TaskRow};
use crate::telemetry::metrics::Metrics;
use crate::wire::Rules;
use crate::wire::chain::Sealer;
use crate::wire::fact::Link;
use crate::wire::message::{Outgoing, Receipted};
use crate::wire::update::SenderHint;
use crate::wire::{cloudevents, message, request, update};

use super::identity::Identities;
use super::intake::{Explained, Inbound, Inspection};
use super::observe::{self, Settled};
use super::snapshot::TeamSnapshot;

/// How many rounds of timers one batch fires; the rest go into the next.
const TIMER_ROUNDS: usize = 16;

/// A batch that is decided and not yet on disk.
#[derive(Debug, Default)]
pub struct Decided {
    /// What is written.
    pub batch: Batch,
    /// Deliveries that may be acknowledged after the commit.
    pub settle: Vec<DeliveryToken>,
    /// Messages beside the facts, published after the commit; a delivery named with one is acknowledged after the
    /// confirm.
    pub direct: Vec<Direct>,
    /// Answers that are given after the commit.
    pub answers: Vec<Reply>,
    /// Calls whose answers are completed when the batch begins.
    calls: Vec<(oneshot::Sender<Vec<SubmitAnswer>>, Vec<Answer>)>,
    /// How messages were settled, counted after the commit.
    pub outcomes: Vec<Settled>,
    /// How many messages it holds.
    pub messages: usize,
}

/// A message that rests on no fact of its own.
#[derive(Debug, Clone)]
pub struct Direct {
    /// What is published.
    pub message: Outgoing,
    /// The delivery that is acknowledged once it is confirmed.
    pub settles: Option<DeliveryToken>,
}

/// Drops rejected deliveries of links before the newest one: the broker has sent them again. What is left is bounded by
/// the prefetch.
pub fn keep_newest_link(waiting: &mut Vec<Direct>) {
    let link = |direct: &Direct| direct.settles.map(|token| token.epoch);
    let newest = waiting.iter().filter_map(link).max();
    waiting.retain(|direct| link(direct) == newest);
}

/// An answer that waits for the commit.
#[derive(Debug)]
pub enum Reply {
    /// To requests.
    Requests(oneshot::Sender<Vec<SubmitAnswer>>, Vec<SubmitAnswer>),
    /// To an update.
    Update(oneshot::Sender<UpdateAnswer>, UpdateAnswer),
    /// To a reader of messages.
    MessagesRead(oneshot::Sender<()>),
    /// To a look at the state.
    Inspect(oneshot::Sender<Inspection>, Box<Inspection>),
    /// To a question about a task.
    Explain(oneshot::Sender<Option<Explained>>, Box<Option<Explained>>),
}

impl Decided {
    /// Whether there is nothing to write, publish, acknowledge or answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.facts.is_empty()
            && self.batch.cursors.is_empty()
            && self.batch.watermark.is_none()
            && self.batch.undelivered.is_empty()
            && self.batch.delivered.is_empty()
            && self.batch.suspects.is_empty()
            && self.batch.cleared_suspects.is_empty()
            && self.batch.roster.is_none()
            && self.batch.kept.is_empty()
            && self.batch.kept_done.is_empty()
            && self.settle.is_empty()
            && self.direct.is_empty()
            && self.answers.is_empty()
            && self.calls.is_empty()
    }
}

/// HTTP calls with requests, and how many each has.
type Calls = Vec<(oneshot::Sender<Vec<SubmitAnswer>>, usize)>;

/// A message that is read and ready for the engine.
enum Ready {
    Request(Result<Box<request::Parsed>, request::RefusedRequest>, From),
    Update(Result<Update, update::RefusedUpdate>, From),
}

/// Where a message came from.
enum From {
    Broker(Box<Delivery>),
    /// One of the requests of an HTTP call.
    HttpCall,
    Http(oneshot::Sender<UpdateAnswer>),
}

/// The engine and what surrounds it on the way to a batch.
pub struct Decider {
    scheduler: Scheduler,
    sealer: Sealer,
    reader: Box<dyn Reader>,
    rules: Rules,
    identities: Identities,
    incarnation: Arc<str>,
    metrics: Arc<Metrics>,
    changed: BTreeSet<TaskId>,
    conflicts_stored: usize,
    /// Messages that could not be delivered, by team.
    pub undelivered: BTreeMap<TeamId, u64>,
}

/// What a decider starts from.
pub struct DeciderParts {
    /// The restored scheduler.
    pub scheduler: Scheduler,
    /// The chain's head.
    pub sealer: Sealer,
    /// Reads committed state.
    pub reader: Box<dyn Reader>,
    /// Limits of bodies.
    pub rules: Rules,
    /// Whether messages from the broker must carry a user.
    pub require_user_id: bool,
    /// This life of the store.
    pub incarnation: Arc<str>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

impl Decider {
    /// A decider that goes on from its parts.
    #[must_use]
    pub fn new(parts: DeciderParts) -> Self {
        let identities = Identities::of(parts.scheduler.roster(), parts.require_user_id);
        let conflicts_stored = parts.scheduler.conflicts().len();
        Self {
            scheduler: parts.scheduler,
            sealer: parts.sealer,
            reader: parts.reader,
            rules: parts.rules,
            identities,
            incarnation: parts.incarnation,
            metrics: parts.metrics,
            changed: BTreeSet::new(),
            conflicts_stored,
            undelivered: BTreeMap::new(),
        }
    }

    /// When the engine wants to be asked again.
    #[must_use]
    pub fn next_deadline(&self) -> Option<DateTime<Utc>> {
        self.scheduler.next_deadline()
    }

    /// Fires what was due before now, in steps of bounded size and at most so many; the rest waits for the next call.
    pub fn fire(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        self.fire_timers(now - TimeDelta::milliseconds(1), now, decided);
    }

    /// Whether something is left that was due before now; no message may be decided before it.
    #[must_use]
    pub fn is_overdue(&self, now: DateTime<Utc>) -> bool {
        self.scheduler.next_deadline().is_some_and(|due_at| due_at < now)
    }

    /// Decides everything that arrived, then what is due now, and adds it to a batch that has not begun yet. What was
    /// due before now has been fired.
    ///
    /// # Errors
    /// [`StoreError`] when a look-up fails.
    pub fn decide(
        &mut self,
        now: DateTime<Utc>,
        arrived: impl IntoIterator<Item = Inbound>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let mut ready = Vec::new();
        let mut calls = Vec::new();
        for inbound in arrived {
            self.read(inbound, &mut ready, &mut calls, decided);
        }
        let ended = self.ended_tasks(&ready)?;
        let mut answers = Vec::new();
        decided.messages += ready.len();
        for (message, ended) in ready.into_iter().zip(ended) {
            match message {
                Ready::Request(parsed, from) => {
                    answers.extend(self.handle_request(now, parsed, from, ended, decided));
                }
                Ready::Update(parsed, from) => self.handle_update(now, parsed, from, ended, decided)?,
            }
        }
        let mut answers = answers.into_iter();
        for (reply, count) in calls {
            decided.calls.push((reply, answers.by_ref().take(count).collect()));
        }
        self.fire_timers(now, now, decided);
        Ok(())
    }

    /// Answers a call while nothing may be decided, since the clock stepped: what brings something is turned away, what
    /// only looks is answered. A delivery comes back to wait.
    pub fn turn_away(&mut self, inbound: Inbound, decided: &mut Decided) -> Option<Box<Delivery>> {
        let unavailable = || Unavailable("the clock stepped and nothing is decided until that ends; send again".into());
        match inbound {
            Inbound::Delivery(delivery) => return Some(delivery),
            Inbound::Requests { bodies, reply } => {
                // A caller that has gone away needs no answer.
                let _ = reply.send(vec![SubmitAnswer::Unavailable(unavailable()); bodies.len()]);
            }
            Inbound::Update { reply, .. } => drop(reply.send(UpdateAnswer::Unavailable(unavailable()))),
            Inbound::MessagesRead { team, up_to, reply } => {
                decided.batch.cursors.push((team, up_to));
                decided.answers.push(Reply::MessagesRead(reply));
            }
            Inbound::Inspect(reply) => decided.answers.push(Reply::Inspect(reply, Box::new(self.inspect()))),
            Inbound::Explain { task, team, reply } => {
                let explained = self.explain(&task, team.as_ref());
                decided.answers.push(Reply::Explain(reply, Box::new(explained)));
            }
        }
        None
    }

    fn explain(&self, task: &TaskId, team: Option<&TeamId>) -> Option<Explained> {
        let mut verdicts = self.scheduler.explain(task)?;
        verdicts.retain(|verdict| team.is_none_or(|team| verdict.team() == team));
        let obstacles = team.and_then(|team| self.scheduler.obstacles(task, team));
        Some(Explained { verdicts, obstacles, at: self.scheduler.now() })
    }

    /// Another roster comes into force.
    pub fn adopt(&mut self, now: DateTime<Utc>, roster: Arc<Roster>, decided: &mut Decided) {
        self.identities = Identities::of(&roster, self.identities.required());
        let effects = self.scheduler.step(now, Event::RosterChanged(roster));
        self.take(effects, decided);
    }

    /// An offer could not be delivered within the limit.
    pub fn undeliverable(&mut self, now: DateTime<Utc>, task: TaskId, assignment: u32, decided: &mut Decided) {
        let effects = self.scheduler.step(now, Event::OfferUndeliverable { task, assignment });
        self.take(effects, decided);
    }

    /// How many times a message was handled alone before.
    ///
    /// # Errors
    /// [`StoreError`] when the look-up fails.
    pub fn attempts(&mut self, message: &Link) -> Result<u32, StoreError> {
        self.reader.suspect_attempts(message)
    }

    /// Reads a message, or answers it when it needs no step.
    fn read(&mut self, inbound: Inbound, ready: &mut Vec<Ready>, calls: &mut Calls, decided: &mut Decided) {
        match inbound {
            Inbound::Delivery(delivery) => ready.push(self.read_delivery(delivery)),
            Inbound::Requests { bodies, reply } => {
                calls.push((reply, bodies.len()));
                let parsed = bodies.iter().map(|body| request::parse(body, &self.rules).map(Box::new));
                ready.extend(parsed.map(|it| Ready::Request(it, From::HttpCall)));
            }
            Inbound::Update { body, task, sender, reply } => {
                let parsed = update::parse(&body, &sender, &self.rules).and_then(|update| about(update, &task));
                ready.push(Ready::Update(parsed, From::Http(reply)));
            }
            look => drop(self.turn_away(look, decided)),
        }
    }

    fn read_delivery(&self, delivery: Box<Delivery>) -> Ready {
        let user = delivery.properties.user_id.as_deref();
        let headers: Vec<_> = delivery.properties.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
        let content_type = delivery.properties.content_type.as_deref();
        let body =
            cloudevents::inner(cloudevents::Envelope { content_type, headers: &headers }, &delivery.body, &self.rules);
        match delivery.intake {
            Intake::Requests => {
                let nobody = |refusal| request::RefusedRequest { refusal, client: None, id: None };
                let parsed =
                    body.as_ref().map_err(|it| nobody(it.clone())).and_then(|body| request::parse(body, &self.rules));
                let checked = match parsed {
                    Ok(parsed) => self
                        .identities
                        .check(user, &Sender::Client(parsed.request.client.clone()))
                        .map_or_else(|refusal| Err(nobody(refusal)), |()| Ok(Box::new(parsed))),
                    // A stranger's word for who it is counts for nothing, neither in the event nor for a receipt.
                    Err(refused) => Err(match &refused.client {
                        Some(client) if self.identities.check(user, &Sender::Client(client.clone())).is_err() => {
                            nobody(refused.refusal)
                        }
                        _ => refused,
                    }),
                };
                drop(body);
                Ready::Request(checked, From::Broker(delivery))
            }
            Intake::Updates => {
                let nobody = |refusal| update::RefusedUpdate { refusal, team: None, client: None, id: None };
                let parsed = body
                    .as_ref()
                    .map_err(|it| nobody(it.clone()))
                    .and_then(|body| update::parse(body, &SenderHint::InBody, &self.rules));
                let checked = match parsed {
                    Ok(parsed) => self.identities.check(user, &parsed.sender).map(|()| parsed).map_err(nobody),
                    // A team is told only of what it sent itself.
                    Err(refused) => Err(match &refused.team {
                        Some(team) if self.identities.check(user, &Sender::Team(team.clone())).is_err() => {
                            nobody(refused.refusal)
                        }
                        _ => refused,
                    }),
                };
                drop(body);
                Ready::Update(checked, From::Broker(delivery))
            }
        }
    }

    /// What the store knows of the ended tasks that each message is about: its own first, then its predecessors.
    fn ended_tasks(&mut self, ready: &[Ready]) -> Result<Vec<Vec<EndedTask>>, StoreError> {
        let mut asked = Vec::new();
        let mut counts = Vec::with_capacity(ready.len());
        for message in ready {
            let before = asked.len();
            match message {
                Ready::Request(Ok(parsed), _) => {
                    asked.push(TaskId::of(&parsed.request.client, &parsed.request.id));
                    asked.extend(parsed.request.after.iter().cloned());
                }
                Ready::Update(Ok(update), _) => asked.push(update.task.clone()),
                Ready::Request(Err(_), _) | Ready::Update(Err(_), _) => {}
            }
            counts.push(asked.len() - before);
        }
        let mut found = if asked.is_empty() { Vec::new() } else { self.reader.ended(&asked)? }.into_iter();
        Ok(counts.into_iter().map(|count| found.by_ref().take(count).flatten().collect()).collect())
    }

    fn handle_request(
        &mut self,
        now: DateTime<Utc>,
        parsed: Result<Box<request::Parsed>, request::RefusedRequest>,
        from: From,
        known: Vec<EndedTask>,
        decided: &mut Decided,
    ) -> Option<Answer> {
        let (event, payload, client, id) = match parsed {
            Ok(parsed) => {
                let request::Parsed { request, payload } = *parsed;
                let (client, id) = (request.client.clone(), request.id.clone());
                let own = TaskId::of(&client, &id);
                let (ended, predecessors): (Vec<_>, Vec<_>) = known.into_iter().partition(|it| it.id == own);
                let ended = ended.into_iter().next();
                let event = Event::RequestReceived { request: Box::new(request), ended, predecessors };
                (event, Some(payload), Some(client), Some(id))
            }
            Err(request::RefusedRequest { refusal, client, id }) => {
                let event = Event::RequestRefused { client: client.clone(), request: id.clone(), refusal };
                (event, None, client, id)
            }
        };
        let mut effects = self.scheduler.step(now, event);
        let answer = effects.answer.take()?;
        if let (Answer::Admitted(task), Some(payload)) = (&answer, payload)
            && !payload.is_empty()
        {
            decided.batch.payloads.push((task.clone(), payload));
        }
        self.take(effects, decided);
        decided.outcomes.push(observe::outcome(&answer));
        match from {
            From::Broker(delivery) => {
                self.receipt(now, &delivery, client.as_ref(), id.as_ref(), &answer, decided);
                self.settle(now, *delivery, &answer, decided);
                None
            }
            From::HttpCall | From::Http(_) => Some(answer),
        }
    }

    fn handle_update(
        &mut self,
        now: DateTime<Utc>,
        parsed: Result<Update, update::RefusedUpdate>,
        from: From,
        known: Vec<EndedTask>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let (event, key) = match parsed {
            Ok(update) => {
                let key = (update.sender.clone(), update.id.clone());
                let earlier = self.reader.update_result(&key.0, &key.1)?;
                let is_new = earlier.is_none();
                let ended = known.into_iter().next();
                (Event::UpdateReceived { update: Box::new(update), ended, earlier }, is_new.then_some(key))
            }
            Err(update::RefusedUpdate { refusal, team, id, .. }) => {
                (Event::UpdateRefused { team, update: id, refusal }, None)
            }
        };
        let mut effects = self.scheduler.step(now, event);
        let Some(answer) = effects.answer.take() else { return Ok(()) };
        if let Some((sender, id)) = key {
            let refused = match &answer {
                Answer::Refused(refusal) => Some(refusal.clone()),
                Answer::Applied | Answer::Admitted(_) | Answer::Duplicate(_) => None,
            };
            decided.batch.updates.push((sender, id, crate::engine::event::UpdateResult { refused }));
        }
        self.take(effects, decided);
        decided.outcomes.push(observe::outcome(&answer));
        match from {
            From::Broker(delivery) => self.settle_update(now, *delivery, &answer, decided),
            From::Http(reply) => decided.answers.push(Reply::Update(reply, update_answer(answer))),
            From::HttpCall => {}
        }
        Ok(())
    }

    /// A refused request goes to the rejected queue before it is acknowledged; every other one is acknowledged as soon
    /// as its facts are on disk.
    fn settle(&self, now: DateTime<Utc>, delivery: Delivery, answer: &Answer, decided: &mut Decided) {
        match answer {
            Answer::Refused(refusal) => decided.direct.push(self.set_aside(now, delivery, refusal)),
            Answer::Admitted(_) | Answer::Duplicate(_) | Answer::Applied => decided.settle.push(delivery.token),
        }
    }

    /// An update that does not apply has been answered by its fact; only one that cannot be read is set aside.
    fn settle_update(&self, now: DateTime<Utc>, delivery: Delivery, answer: &Answer, decided: &mut Decided) {
        match answer {
            Answer::Refused(refusal) if is_unreadable(refusal.code) => {
                decided.direct.push(self.set_aside(now, delivery, refusal));
            }
            Answer::Refused(_) | Answer::Admitted(_) | Answer::Duplicate(_) | Answer::Applied => {
                decided.settle.push(delivery.token);
            }
        }
    }

    fn set_aside(&self, now: DateTime<Utc>, delivery: Delivery, refusal: &Refusal) -> Direct {
        let original = delivery.original.to_json();
        let message = message::rejected(&self.incarnation, &original, refusal, now, delivery.body.into());
        Direct { message, settles: Some(delivery.token) }
    }

    /// Rejects a delivery without looking at its body, since looking at it failed several times.
    pub fn poison(&mut self, now: DateTime<Utc>, delivery: Delivery, attempts: u32, decided: &mut Decided) {
        let message = format!("was handled alone {attempts} times and never came to an end; look at it by hand");
        let refusal = Refusal::new(RefusalCode::Poison, message);
        let event = match delivery.intake {
            Intake::Requests => Event::RequestRefused { client: None, request: None, refusal: refusal.clone() },
            Intake::Updates => Event::UpdateRefused { team: None, update: None, refusal: refusal.clone() },
        };
        let effects = self.scheduler.step(now, event);
        self.take(effects, decided);
        decided.outcomes.push(observe::outcome(&Answer::Refused(refusal.clone())));
        decided.direct.push(self.set_aside(now, delivery, &refusal));
    }

    fn receipt(
        &self,
        now: DateTime<Utc>,
        delivery: &Delivery,
        client: Option<&ClientId>,
        request: Option<&RequestId>,
        answer: &Answer,
        decided: &mut Decided,
    ) {
        let (Some(reply_to), Some(client)) = (&delivery.properties.reply_to, client) else { return };
        match message::receipt(&self.incarnation, reply_to, Receipted { client, request, at: now, answer }) {
            Ok(message) => decided.direct.push(Direct { message, settles: None }),
            Err(ignored) => self.metrics.reply_ignored(ignored),
        }
    }

    /// Fires what is due up to `last`, at most [`TIMER_ROUNDS`] steps of it.
    fn fire_timers(&mut self, last: DateTime<Utc>, now: DateTime<Utc>, decided: &mut Decided) {
        for _ in 0..TIMER_ROUNDS {
            let Some(due_at) = self.scheduler.next_deadline().filter(|due_at| *due_at <= last) else { return };
            self.metrics.timer_fired(now - due_at);
            let effects = self.scheduler.step(now, Event::DeadlineReached);
            self.take(effects, decided);
        }
    }

    /// Seals what was recorded, and notes which tasks changed.
    fn take(&mut self, effects: Effects, decided: &mut Decided) {
        for recorded in effects.recorded {
            observe::recorded(&self.metrics, &recorded, &self.scheduler);
            if let Some((task, _)) = &recorded.task {
                self.changed.insert(task.clone());
            }
            decided.batch.facts.push(self.sealer.seal(recorded));
        }
        decided.batch.kept.extend(effects.kept);
        decided.batch.kept_done.extend(effects.kept_done);
        for task in effects.ended {
            observe::ended(&self.metrics, &task, self.scheduler.roster());
            self.changed.remove(&task.id);
            decided.batch.tasks.push(row(task, None));
        }
    }

    /// Completes a batch that is about to begin: the rows of the tasks that changed, and the answers to calls.
    pub fn finish(&mut self, now: DateTime<Utc>, decided: &mut Decided) {
        for (reply, answers) in std::mem::take(&mut decided.calls) {
            let answers = answers.into_iter().map(|answer| self.submit_answer(answer)).collect();
            decided.answers.push(Reply::Requests(reply, answers));
        }
        for id in std::mem::take(&mut self.changed) {
            if let Some(task) = self.scheduler.task(&id) {
                let next_due_at = self.scheduler.next_due_at(task);
                decided.batch.tasks.push(row(task.clone(), next_due_at));
            }
        }
        let conflicts = self.scheduler.conflicts();
        if let Some(new) = conflicts.get(self.conflicts_stored..).filter(|new| !new.is_empty()) {
            decided.batch.conflicts.extend_from_slice(new);
            self.conflicts_stored = conflicts.len();
        }
        decided.batch.at = Some(now);
    }

    /// A call's answer, with where the task is at the end of the batch.
    fn submit_answer(&self, answer: Answer) -> SubmitAnswer {
        match answer {
            Answer::Admitted(task) => {
                let state = self.scheduler.task(&task).map(|it| &it.state);
                let team = state.and_then(|it| it.team().cloned());
                SubmitAnswer::Admitted { task, state: state.map_or("completed", TaskState::as_str), team }
            }
            Answer::Duplicate(task) => SubmitAnswer::Duplicate { task },
            Answer::Refused(refusal) => SubmitAnswer::Refused(refusal),
            Answer::Applied => SubmitAnswer::Unavailable(Unavailable("the request was taken for an update".into())),
        }
    }

    /// The last fact decided so far.
    #[must_use]
    pub fn last_seq(&self) -> crate::wire::fact::FactSeq {
        self.sealer.head().seq
    }

    /// The state for metrics and pages.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        Inspection {
            census: self.scheduler.census().clone(),
            open_tasks: self.scheduler.open_count(),
            teams: self.scheduler.teams().map(|(team, load)| TeamSnapshot::of(team, load)).collect(),
            undelivered: self.undelivered.clone(),
        }
    }
}

fn update_answer(answer: Answer) -> UpdateAnswer {
    match answer {
        Answer::Applied | Answer::Admitted(_) | Answer::Duplicate(_) => UpdateAnswer::Applied,
        Answer::Refused(refusal) => UpdateAnswer::Refused(refusal),
    }
}

/// An update over HTTP is about the task that the call names.
fn about(update: Update, task: &TaskId) -> Result<Update, update::RefusedUpdate> {
    if update.task == *task {
        return Ok(update);
    }
    let message = format!("{:?} is not the task of the address, {task:?}; name the same one", update.task);
    let refusal = Refusal::of_field(RefusalCode::InvalidField, "task", message);
    Err(update::RefusedUpdate { refusal, team: None, client: None, id: Some(update.id) })
}

fn row(task: Task, next_due_at: Option<DateTime<Utc>>) -> TaskRow {
    TaskRow { task: Arc::new(task), next_due_at }
}

/// Whether an update was not even an update, or not from whom it says.
fn is_unreadable(code: RefusalCode) -> bool {
    match code {
        RefusalCode::TooLarge
        | RefusalCode::InvalidJson
        | RefusalCode::TooDeep
        | RefusalCode::DuplicateKey
        | RefusalCode::UnknownField
        | RefusalCode::MissingField
        | RefusalCode::InvalidField
        | RefusalCode::Identity
        | RefusalCode::Poison => true,
        RefusalCode::UnknownClient
        | RefusalCode::UnknownWorkType
        | RefusalCode::UnknownTeam
        | RefusalCode::UnknownSla
        | RefusalCode::UnknownProcess
        | RefusalCode::Retired
        | RefusalCode::Conflict
        | RefusalCode::ProcessUnsupported
        | RefusalCode::Full
        | RefusalCode::UnknownTask
        | RefusalCode::TaskEnded
        | RefusalCode::StaleAssignment
        | RefusalCode::IllegalMove
        | RefusalCode::NotAllowed => false,
    }
}
