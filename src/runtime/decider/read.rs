//! From bytes to what the engine is asked: parse, check who speaks for whom, look up ended tasks.

use tokio::sync::oneshot;

use crate::broker::{Delivery, Intake};
use crate::engine::event::{EndedTask, Refusal, RefusalCode};
use crate::engine::id::{ClientId, TaskId};
use crate::engine::planted::planted;
use crate::engine::update::{Sender, Update};
use crate::http::{SubmitAnswer, UpdateAnswer};
use crate::store::StoreError;
use crate::wire::update::SenderHint;
use crate::wire::{cloudevents, request, update};

use super::super::decided::Decided;
use super::super::intake::Inbound;
use super::Decider;

/// HTTP calls with requests, and how many each has.
pub(super) type Calls = Vec<(oneshot::Sender<Vec<SubmitAnswer>>, usize)>;

/// A message that is read and ready for the engine.
pub(super) enum Ready {
    Request(Result<Box<request::Parsed>, request::RefusedRequest>, From),
    Update(Result<Update, update::RefusedUpdate>, From),
}

/// Where a message came from.
pub(super) enum From {
    Broker(Box<Delivery>),
    /// One of the requests of an HTTP call.
    HttpCall,
    Http(oneshot::Sender<UpdateAnswer>),
}

impl Decider {
    /// Reads a message, or answers it when it needs no step.
    pub(super) fn read(&mut self, inbound: Inbound, ready: &mut Vec<Ready>, calls: &mut Calls, decided: &mut Decided) {
        match inbound {
            Inbound::Delivery(delivery) if is_forgotten(&delivery) => decided.settle.push(delivery.token),
            Inbound::Delivery(delivery) => ready.push(self.read_delivery(delivery)),
            Inbound::Requests { bodies, clients, reply } => {
                calls.push((reply, bodies.len()));
                let read = |body| request::parse(body, &self.rules).and_then(|it| from_one_of(it, clients.as_deref()));
                let parsed = bodies.iter().map(|body| read(body).map(Box::new));
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
    pub(super) fn ended_tasks(&mut self, ready: &[Ready]) -> Result<Vec<Vec<EndedTask>>, StoreError> {
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
}

/// Known bugs: an update is acknowledged and not decided; what came is kept in memory.
fn is_forgotten(delivery: &Delivery) -> bool {
    const KEPT_BYTES: usize = 1 << 20;
    if planted("memory-kept") {
        std::mem::forget(vec![1_u8; KEPT_BYTES]);
    }
    planted("update-forgotten") && delivery.intake == Intake::Updates && delivery.token.tag.is_multiple_of(5)
}

/// A request over HTTP is of a client for whom the caller speaks.
fn from_one_of(
    parsed: request::Parsed,
    clients: Option<&[ClientId]>,
) -> Result<request::Parsed, request::RefusedRequest> {
    let client = &parsed.request.client;
    if clients.is_none_or(|clients| clients.contains(client)) {
        return Ok(parsed);
    }
    let message = format!("the token does not speak for client {client}; it needs the role submit:{client}");
    let refusal = Refusal::of_field(RefusalCode::Identity, "client", message);
    Err(request::RefusedRequest { refusal, client: None, id: None })
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
