//! Work requests from bytes.
//!
//! A request comes out either whole and valid for itself, or as one typed refusal; nothing is looked up in a roster.
//! The payload is checked to be JSON and within the nesting limit, and is otherwise never looked into.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{ClientId, MatterId, ProcessId, RequestId, SlaId, TaskId, TeamId, Term, WorkTypeId};
use crate::engine::process::MAX_STEPS;
use crate::engine::request::{Consent, Place, Presence, Priority, RequestDigest, SkillNeed, Step, WorkRequest};

use super::digest;
use super::form::{At, Fielded, Filled, Form, Line, Whole, form};
use super::json::{self, Fields, Node, Text};
use super::rules::{MAX_DEPTH, MAX_ENTRIES, MAX_MINUTES, MAX_REFERENCE_CHARS, Rules};

/// A valid request and its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// The request.
    pub request: WorkRequest,
    /// Its payload as JSON without white space between tokens; empty when there is none.
    pub payload: Arc<[u8]>,
}

/// Bytes that are no valid request, and who sent them as far as that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct RefusedRequest {
    /// Why.
    pub refusal: Refusal,
    /// Who sent it.
    pub client: Option<ClientId>,
    /// Its id.
    pub id: Option<RequestId>,
}

/// Reads a work request.
///
/// # Errors
/// [`RefusedRequest`] with the first fault: size, encoding, nesting, syntax, then the fields in the order of the body.
pub fn parse(body: &[u8], rules: &Rules) -> Result<Parsed, RefusedRequest> {
    let unknown = |refusal| RefusedRequest { refusal, client: None, id: None };
    let text = json::check(body, rules.max_body_bytes, MAX_DEPTH).map_err(unknown)?;
    let envelope: Envelope<'_> =
        serde_json::from_str(text).map_err(|error| unknown(json::invalid(&error, "a work request")))?;
    let payload = envelope.payload.map(|raw| json::compact(raw.get())).unwrap_or_default();
    let fields = Node::Object(envelope.fields);
    let at = At::root(rules);
    let read = if envelope.payload_repeats {
        Err(at.field(PAYLOAD).duplicate())
    } else {
        RequestForm::read(&fields, &at).and_then(|form| form.check(&at))
    };
    match read {
        Ok(mut request) => {
            request.digest = digest::of(&request, &payload);
            Ok(Parsed { request, payload: payload.into() })
        }
        Err(refusal) => Err(RefusedRequest {
            refusal,
            client: sent_text(&fields, "client").and_then(|text| ClientId::new(text).ok()),
            id: sent_text(&fields, "id").and_then(|text| RequestId::new(text).ok()),
        }),
    }
}

/// The one field that is not looked into.
pub(super) const PAYLOAD: &str = "payload";

form! {
    /// A work request, as a firm publishes it.
    struct RequestForm {
        /// The firm's id of the request; with the client it is the idempotency key.
        id: RequestId,
        /// The firm.
        client: ClientId,
        /// The firm's case.
        matter: MatterId,
        /// What kind of work; required unless `process` or `steps` is given.
        work_type: Option<WorkTypeId>,
        /// Jurisdiction whose law applies.
        jurisdiction: Option<Place>,
        /// Specialty that goes with the jurisdiction.
        specialty: Option<Term>,
        /// Languages (ISO 639), all needed.
        languages: Option<Vec<Term>>,
        /// Skills, all needed.
        skills: Vec<SkillForm>,
        /// Whether somebody has to be there in person.
        presence: Option<Presence>,
        /// Where somebody has to be.
        place: Option<Place>,
        /// Only these countries; empty means no such limit.
        allowed_countries: Vec<Place>,
        /// None of these countries.
        denied_countries: Vec<Place>,
        /// Consent to offshoring.
        consent: Option<ConsentForm>,
        /// Effort in minutes; required unless the work type has a default.
        effort_minutes: Option<Whole<1, MAX_MINUTES>>,
        /// How urgent it is.
        priority: Option<Priority>,
        /// SLA policy of the roster.
        sla: Option<SlaId>,
        /// Instant by which the work must be done.
        deadline: Option<DateTime<Utc>>,
        /// Instant before which it must not start.
        not_before: Option<DateTime<Utc>>,
        /// Ids of requests of the same client that must be completed first.
        after: Vec<RequestId>,
        /// Team that gets the work when it can.
        preferred_team: Option<TeamId>,
        /// Teams that must not get the work.
        excluded_teams: Vec<TeamId>,
        /// Process template of the roster.
        process: Option<ProcessId>,
        /// Steps of an inline process.
        steps: Option<Filled<StepForm, MAX_STEPS>>,
    }
}

form! {
    /// A skill and the least level of it.
    struct SkillForm {
        /// Name of the skill.
        name: Term,
        /// Least level.
        level: Whole<1, 5>,
    }
}

form! {
    /// The client's consent to offshoring.
    struct ConsentForm {
        /// Whether work may leave the client's country.
        offshore: bool,
        /// The record that proves it.
        reference: Option<Line<MAX_REFERENCE_CHARS>>,
    }
}

form! {
    /// A step of an inline process.
    struct StepForm {
        /// Name of the step inside its request.
        id: RequestId,
        /// What kind of work.
        work_type: WorkTypeId,
        /// Jurisdiction whose law applies.
        jurisdiction: Option<Place>,
        /// Specialty that goes with the jurisdiction.
        specialty: Option<Term>,
        /// Effort in minutes.
        effort_minutes: Option<Whole<1, MAX_MINUTES>>,
        /// Names of steps that must end first.
        after: Vec<RequestId>,
    }
}

impl RequestForm {
    /// Checks fields against each other.
    fn check(self, at: &At<'_>) -> Result<WorkRequest, Refusal> {
        if self.process.is_some() && self.steps.is_some() {
            return Err(at.field("steps").invalid("stands beside process; give one of them"));
        }
        if self.work_type.is_none() && self.process.is_none() && self.steps.is_none() {
            let message = "is required without process or steps; add one of them";
            return Err(at.field("work_type").refuse(RefusalCode::MissingField, message));
        }
        if let Some(index) = self.after.iter().position(|id| *id == self.id) {
            return Err(at
                .field("after")
                .entry(index)
                .invalid(format!("{:?} is the request itself; remove it", self.id)));
        }
        let steps = self.steps.as_ref().map_or(&[][..], |steps| &steps.0);
        check_steps(steps, &at.field("steps"))?;
        Ok(self.into_request())
    }

    fn into_request(self) -> WorkRequest {
        WorkRequest {
            after: self.after.iter().map(|id| TaskId::of(&self.client, id)).collect(),
            id: self.id,
            client: self.client,
            matter: self.matter,
            work_type: self.work_type,
            jurisdiction: self.jurisdiction,
            specialty: self.specialty,
            languages: self.languages,
            skills: self.skills.into_iter().map(SkillForm::into_need).collect(),
            presence: self.presence,
            place: self.place,
            allowed_countries: self.allowed_countries,
            denied_countries: self.denied_countries,
            consent: self.consent.map(ConsentForm::into_consent),
            effort_minutes: self.effort_minutes.map(|minutes| minutes.0),
            priority: self.priority,
            sla: self.sla,
            deadline: self.deadline,
            not_before: self.not_before,
            preferred_team: self.preferred_team,
            excluded_teams: self.excluded_teams,
            process: self.process,
            steps: self.steps.into_iter().flat_map(|steps| steps.0).map(StepForm::into_step).collect(),
            digest: RequestDigest("".into()),
        }
    }
}

impl SkillForm {
    fn into_need(self) -> SkillNeed {
        SkillNeed { name: self.name, level: u8::try_from(self.level.0).expect("a level is at most 5") }
    }
}

impl ConsentForm {
    pub(super) fn into_consent(self) -> Consent {
        Consent { offshore: self.offshore, reference: self.reference.map(|line| line.0) }
    }
}

impl StepForm {
    fn into_step(self) -> Step {
        Step {
            id: self.id,
            work_type: self.work_type,
            jurisdiction: self.jurisdiction,
            specialty: self.specialty,
            effort_minutes: self.effort_minutes.map(|minutes| minutes.0),
            after: self.after,
        }
    }
}

/// Step names are unique, `after` names other steps, and nothing waits for itself.
fn check_steps(steps: &[StepForm], at: &At<'_>) -> Result<(), Refusal> {
    let mut positions: BTreeMap<&str, usize> = BTreeMap::new();
    for (index, step) in steps.iter().enumerate() {
        if positions.insert(step.id.as_str(), index).is_some() {
            let message = format!("{:?} names two steps; rename one", step.id);
            return Err(at.entry(index).field("id").invalid(message));
        }
    }
    // How many others each waits for, and who waits for it.
    let (mut waits_for, mut waiting) = (vec![0_usize; steps.len()], vec![Vec::new(); steps.len()]);
    for (index, step) in steps.iter().enumerate() {
        for (place, name) in step.after.iter().enumerate() {
            let Some(before) = positions.get(name.as_str()) else {
                let message = format!("{name:?} names no step of this request; name one of its steps");
                return Err(at.entry(index).field("after").entry(place).invalid(message));
            };
            waits_for[index] += 1;
            waiting[*before].push(index);
        }
    }
    let mut free: Vec<usize> = (0..steps.len()).filter(|step| waits_for[*step] == 0).collect();
    while let Some(step) = free.pop() {
        for next in &waiting[step] {
            waits_for[*next] -= 1;
            if waits_for[*next] == 0 {
                free.push(*next);
            }
        }
    }
    let left: Vec<&StepForm> =
        steps.iter().zip(&waits_for).filter(|(_, left)| **left > 0).map(|(step, _)| step).collect();
    if left.is_empty() {
        Ok(())
    } else {
        Err(at.invalid(format!("wait for each other: {}; break the cycle", cycle(&left))))
    }
}

/// One cycle as a path, from steps each of which waits for another of them.
fn cycle(steps: &[&StepForm]) -> String {
    let mut path = vec![steps[0]];
    loop {
        let last = path[path.len() - 1];
        let next = steps
            .iter()
            .find(|step| last.after.contains(&step.id))
            .expect("a step that is left waits for another one that is left");
        if let Some(start) = path.iter().position(|step| step.id == next.id) {
            let names: Vec<&str> = path[start..].iter().chain([next]).map(|step| step.id.as_str()).collect();
            return names.join(" -> ");
        }
        path.push(next);
    }
}

/// The text of a top-level field, for naming the sender of a refused message.
pub(super) fn sent_text<'n>(body: &'n Node<'_>, name: &str) -> Option<&'n str> {
    let Node::Object(fields) = body else { return None };
    fields.iter().find_map(|(key, value)| match value {
        Node::Text(text) if key == name => Some(&**text),
        _ => None,
    })
}

/// The object of a request: its fields, and its payload as it stands.
struct Envelope<'a> {
    fields: Fields<'a>,
    payload: Option<&'a RawValue>,
    payload_repeats: bool,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Envelope<'de>, A::Error> {
        let mut envelope =
            Envelope { fields: Vec::with_capacity(RequestForm::NAMES.len()), payload: None, payload_repeats: false };
        while let Some(Text(key)) = entries.next_key()? {
            if key == PAYLOAD {
                envelope.payload_repeats |= envelope.payload.replace(entries.next_value()?).is_some();
            } else {
                let value = entries.next_value()?;
                // Every name beyond this is unknown or a repeat, and so is one of those kept.
                if envelope.fields.len() <= MAX_ENTRIES {
                    envelope.fields.push((key, value));
                }
            }
        }
        Ok(envelope)
    }
}
