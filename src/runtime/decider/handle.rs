//! One message through the engine: its step, its answer, and how its delivery is settled.

use chrono::{DateTime, Utc};

use crate::broker::{Delivery, Intake};
use crate::engine::effect::Answer;
use crate::engine::event::{EndedTask, Event, Refusal, RefusalCode, UpdateResult};
use crate::engine::id::{ClientId, RequestId, TaskId};
use crate::engine::planted::planted;
use crate::engine::update::Update;
use crate::http::UpdateAnswer;
use crate::store::StoreError;
use crate::wire::message::{self, Receipted};
use crate::wire::{request, update};

use super::super::decided::{Decided, Direct, Reply};
use super::super::observe;
use super::Decider;
use super::read::From;

impl Decider {
    pub(super) fn handle_request(
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
            if planted("payload-in-the-log") {
                tracing::info!(payload = %String::from_utf8_lossy(&payload), "admitted");
            }
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

    pub(super) fn handle_update(
        &mut self,
        now: DateTime<Utc>,
        parsed: Result<Update, update::RefusedUpdate>,
        from: From,
        known: Vec<EndedTask>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let (event, first) = match parsed {
            Ok(update) => {
                let (sender, id, digest) = (update.sender.clone(), update.id.clone(), update::digest(&update));
                let earlier = self.reader.update_result(&sender, &id)?;
                let is_new = earlier.is_none();
                let ended = known.into_iter().next();
                let event = Event::UpdateReceived { update: Box::new(update), digest, ended, earlier };
                (event, is_new.then_some((sender, id, digest)))
            }
            Err(update::RefusedUpdate { refusal, team, id, .. }) => {
                // A team that is not in the roster has no queue: a message to it could never be delivered.
                let team = team.filter(|team| self.scheduler.roster().team_index(team).is_some());
                (Event::UpdateRefused { team, update: id, refusal }, None)
            }
        };
        let mut effects = self.scheduler.step(now, event);
        let Some(answer) = effects.answer.take() else { return Ok(()) };
        if let Some((sender, id, digest)) = first {
            let refused = match &answer {
                Answer::Refused(refusal) => Some(refusal.clone()),
                Answer::Applied | Answer::Admitted(_) | Answer::Duplicate(_) => None,
            };
            decided.batch.updates.push((sender, id, UpdateResult { digest: Some(digest), refused }));
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
}

fn update_answer(answer: Answer) -> UpdateAnswer {
    match answer {
        Answer::Applied | Answer::Admitted(_) | Answer::Duplicate(_) => UpdateAnswer::Applied,
        Answer::Refused(refusal) => UpdateAnswer::Refused(refusal),
    }
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
        | RefusalCode::Full
        | RefusalCode::UnknownTask
        | RefusalCode::TaskEnded
        | RefusalCode::StaleAssignment
        | RefusalCode::IllegalMove
        | RefusalCode::NotAllowed => false,
    }
}
