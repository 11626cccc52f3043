//! Updates from bytes: what teams, firms and operators say about a task.
//!
//! Each kind has its own fields; those of another kind are unknown to it. Whether the sender may say it, and whether it
//! applies, is the scheduler's to decide.

use chrono::{DateTime, Utc};
use schemars::{Schema, json_schema};

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{ClientId, RequestId, TaskId, TeamId, Term};
use crate::engine::request::{Place, Priority};
use crate::engine::update::{Amendment, Change, DeclineReason, Sender, Update};

use super::form::{At, Fielded, Form, Line, Note, Whole, fields, form};
use super::json::{self, Fields, Node};
use super::request::{ConsentForm, sent_text};
use super::rules::{MAX_DEPTH, MAX_LINE_CHARS, MAX_MINUTES, Rules};

/// What is known of the sender before the body is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SenderHint {
    /// The body names it, by exactly one of `team` and `client`.
    InBody,
    /// It is known, from a token or a validated user id; a body that names another one is refused. Operators come only
    /// this way.
    Known(Sender),
}

/// Bytes that are no valid update, and who sent them as far as that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{refusal}")]
pub struct RefusedUpdate {
    /// Why.
    pub refusal: Refusal,
    /// The team that the body names.
    pub team: Option<TeamId>,
    /// The client that the body names.
    pub client: Option<ClientId>,
    /// The sender's id of the update.
    pub id: Option<RequestId>,
}

/// Reads an update.
///
/// # Errors
/// [`RefusedUpdate`] with the first fault: size, encoding, nesting, syntax, then the fields.
pub fn parse(body: &[u8], sender: &SenderHint, rules: &Rules) -> Result<Update, RefusedUpdate> {
    let unknown = |refusal| RefusedUpdate { refusal, team: None, client: None, id: None };
    let text = json::check(body, rules.max_body_bytes, MAX_DEPTH).map_err(unknown)?;
    let node: Node<'_> = serde_json::from_str(text).map_err(|error| unknown(json::invalid(&error, "an update")))?;
    let Node::Object(all) = node else {
        return Err(unknown(Refusal::new(RefusalCode::InvalidJson, "an update is one JSON object; send an object")));
    };
    let (head, rest): (Fields<'_>, Fields<'_>) = all.into_iter().partition(|(key, _)| Head::NAMES.contains(&&**key));
    let (head, rest) = (Node::Object(head), Node::Object(rest));
    read(&head, &rest, sender, &At::root(rules)).map_err(|refusal| RefusedUpdate {
        refusal,
        team: sent_text(&head, "team").and_then(|text| TeamId::new(text).ok()),
        client: sent_text(&head, "client").and_then(|text| ClientId::new(text).ok()),
        id: sent_text(&head, "id").and_then(|text| RequestId::new(text).ok()),
    })
}

fn read(head: &Node<'_>, rest: &Node<'_>, hint: &SenderHint, at: &At<'_>) -> Result<Update, Refusal> {
    let head = Head::read(head, at)?;
    let sender = sender(&head, hint, at)?;
    let Some(kind) = KINDS.iter().find(|kind| kind.word == head.kind.0) else {
        let words: Vec<&str> = KINDS.iter().map(|kind| kind.word).collect();
        return Err(at.field("kind").not_a_word(&head.kind.0, &words));
    };
    if let Some((key, _)) = fields(rest, at)?.iter().find(|(key, _)| !kind.names.contains(&&**key)) {
        let known: Vec<&str> = Head::NAMES.iter().chain(kind.names).copied().collect();
        return Err(at.field(key).unknown(&known));
    }
    let change = (kind.read)(rest, at)?;
    let assignment_missing = match &change {
        Change::Pause { assignment, .. } | Change::Resume { assignment } => assignment.is_none(),
        _ => false,
    };
    if assignment_missing && matches!(sender, Sender::Team(_)) {
        return Err(at.field("assignment").missing());
    }
    Ok(Update { id: head.id, task: head.task, sender, at: head.at, change })
}

/// Who sends it: as the body says, and as is known.
fn sender(head: &Head, hint: &SenderHint, at: &At<'_>) -> Result<Sender, Refusal> {
    let named = match (&head.team, &head.client) {
        (Some(team), None) => Some(Sender::Team(team.clone())),
        (None, Some(client)) => Some(Sender::Client(client.clone())),
        (None, None) => None,
        (Some(_), Some(_)) => return Err(at.field("client").invalid("stands beside team; give the one that sends it")),
    };
    match (named, hint) {
        (Some(named), SenderHint::InBody) => Ok(named),
        (None, SenderHint::InBody) => Err(at
            .field("team")
            .refuse(RefusalCode::MissingField, "is required without client; add the one that sends it")),
        (None, SenderHint::Known(known)) => Ok(known.clone()),
        (Some(named), SenderHint::Known(known)) if named == *known => Ok(named),
        (Some(named), SenderHint::Known(_)) => {
            let field = if matches!(named, Sender::Team(_)) { "team" } else { "client" };
            Err(at
                .field(field)
                .refuse(RefusalCode::Identity, "is not the sender of this message; name yourself or leave it out"))
        }
    }
}

/// A kind of update: its word, its own fields, how they are read, and their schema.
struct Kind {
    word: &'static str,
    names: &'static [&'static str],
    read: fn(&Node<'_>, &At<'_>) -> Result<Change, Refusal>,
    schema: fn() -> Schema,
}

/// Makes a [`Kind`] of a form that becomes a [`Change`].
const fn kind<F: Fielded + Into<Change>>(word: &'static str) -> Kind {
    Kind { word, names: F::NAMES, read: |node, at| F::read(node, at).map(Into::into), schema: F::schema }
}

const KINDS: [Kind; 14] = [
    kind::<AcceptForm>("accept"),
    kind::<DeclineForm>("decline"),
    kind::<ProgressForm>("progress"),
    kind::<PauseForm>("pause"),
    kind::<ResumeForm>("resume"),
    kind::<HandoffForm>("handoff"),
    kind::<KeepForm>("keep"),
    kind::<ReleaseForm>("release"),
    kind::<CompleteForm>("complete"),
    kind::<CancelForm>("cancel"),
    kind::<HoldForm>("hold"),
    kind::<UnholdForm>("unhold"),
    kind::<ReprioritiseForm>("reprioritise"),
    kind::<AmendForm>("amend"),
];

/// The schema of an update: one of the kinds, each with the fields that all have.
pub(super) fn schema() -> Schema {
    let kinds: Vec<Schema> = KINDS.iter().map(kind_schema).collect();
    json_schema!({ "title": "Update", "description": "What a team or a firm says about a task.", "oneOf": kinds })
}

fn kind_schema(kind: &Kind) -> Schema {
    let mut whole = Head::schema();
    let own = (kind.schema)();
    whole.insert("description".into(), own.get("description").cloned().unwrap_or_default());
    for part in ["properties", "required"] {
        match (whole.get_mut(part), own.get(part)) {
            (Some(serde_json::Value::Object(all)), Some(serde_json::Value::Object(more))) => {
                all.extend(more.iter().map(|(name, schema)| (name.clone(), schema.clone())));
            }
            (Some(serde_json::Value::Array(all)), Some(serde_json::Value::Array(more))) => all.extend_from_slice(more),
            _ => {}
        }
    }
    whole.ensure_object()["properties"]["kind"] = serde_json::json!({ "const": kind.word });
    whole
}

form! {
    /// What all updates have.
    struct Head {
        /// The sender's id of the update; unique per sender.
        id: RequestId,
        /// The task it is about: `<client>/<request id>`.
        task: TaskId,
        /// What it says.
        kind: Line<MAX_LINE_CHARS>,
        /// When the sender says it happened.
        at: Option<DateTime<Utc>>,
        /// The team that sends it; exactly one of team and client.
        team: Option<TeamId>,
        /// The client that sends it; exactly one of team and client.
        client: Option<ClientId>,
    }
}

/// The number of an offer.
type Assignment = Whole<1, { u32::MAX }>;
/// Remaining effort in minutes.
type Minutes = Whole<0, MAX_MINUTES>;
/// A reason in one line.
type Reason = Line<MAX_LINE_CHARS>;

form! {
    /// The team takes the offer.
    struct AcceptForm {
        /// The offer that it answers.
        assignment: Assignment,
    }
}

form! {
    /// The team refuses the offer.
    struct DeclineForm {
        /// The offer that it answers.
        assignment: Assignment,
        /// Why.
        reason: DeclineReason,
        /// Free text.
        note: Option<Note>,
    }
}

form! {
    /// The holder reports how much is left.
    struct ProgressForm {
        /// The number under which it holds the task.
        assignment: Assignment,
        /// Remaining effort in minutes.
        remaining_minutes: Minutes,
        /// Free text.
        note: Option<Note>,
    }
}

form! {
    /// Work stops for a listed reason.
    struct PauseForm {
        /// The number under which the team holds the task; required from a team.
        assignment: Option<Assignment>,
        /// A pause reason of the roster.
        reason: Term,
    }
}

form! {
    /// A pause ends.
    struct ResumeForm {
        /// The number under which the team holds the task; required from a team.
        assignment: Option<Assignment>,
    }
}

form! {
    /// The holder hands the task on.
    struct HandoffForm {
        /// The number under which it holds the task.
        assignment: Assignment,
        /// What the next holder must know.
        notes: Option<Note>,
        /// What is done.
        done: Option<Note>,
        /// What comes next.
        next_step: Option<Note>,
        /// Remaining effort in minutes.
        remaining_minutes: Option<Minutes>,
    }
}

form! {
    /// The holder wants to keep the task past its shift end.
    struct KeepForm {
        /// The number under which it holds the task.
        assignment: Assignment,
        /// Why.
        reason: Reason,
    }
}

form! {
    /// The holder gives the task back.
    struct ReleaseForm {
        /// The number under which it holds the task.
        assignment: Assignment,
        /// Why.
        reason: Reason,
    }
}

form! {
    /// The holder is done.
    struct CompleteForm {
        /// The number under which it holds the task.
        assignment: Assignment,
        /// Free text.
        note: Option<Note>,
    }
}

form! {
    /// The task is called off.
    struct CancelForm {
        /// Why.
        reason: Reason,
    }
}

form! {
    /// The task is not to be offered for now.
    struct HoldForm {}
}

form! {
    /// A held task may go on.
    struct UnholdForm {}
}

form! {
    /// The priority changes.
    struct ReprioritiseForm {
        /// The new priority.
        priority: Priority,
    }
}

form! {
    /// The request changes; a field that is absent stays as it is.
    struct AmendForm {
        /// New deadline.
        deadline: Option<DateTime<Utc>>,
        /// New effort in minutes.
        effort_minutes: Option<Whole<1, MAX_MINUTES>>,
        /// New consent.
        consent: Option<ConsentForm>,
        /// New allowed countries.
        allowed_countries: Option<Vec<Place>>,
        /// New denied countries.
        denied_countries: Option<Vec<Place>>,
        /// New excluded teams.
        excluded_teams: Option<Vec<TeamId>>,
        /// New earliest start.
        not_before: Option<DateTime<Utc>>,
    }
}

fn text(note: Option<Note>) -> Option<String> {
    note.map(|note| note.0)
}

impl From<AcceptForm> for Change {
    fn from(form: AcceptForm) -> Self {
        Self::Accept { assignment: form.assignment.0 }
    }
}

impl From<DeclineForm> for Change {
    fn from(form: DeclineForm) -> Self {
        Self::Decline { assignment: form.assignment.0, reason: form.reason, note: text(form.note) }
    }
}

impl From<ProgressForm> for Change {
    fn from(form: ProgressForm) -> Self {
        Self::Progress {
            assignment: form.assignment.0,
            remaining_minutes: form.remaining_minutes.0,
            note: text(form.note),
        }
    }
}

impl From<PauseForm> for Change {
    fn from(form: PauseForm) -> Self {
        Self::Pause { assignment: form.assignment.map(|number| number.0), reason: form.reason }
    }
}

impl From<ResumeForm> for Change {
    fn from(form: ResumeForm) -> Self {
        Self::Resume { assignment: form.assignment.map(|number| number.0) }
    }
}

impl From<HandoffForm> for Change {
    fn from(form: HandoffForm) -> Self {
        Self::Handoff {
            assignment: form.assignment.0,
            notes: text(form.notes),
            done: text(form.done),
            next_step: text(form.next_step),
            remaining_minutes: form.remaining_minutes.map(|minutes| minutes.0),
        }
    }
}

impl From<KeepForm> for Change {
    fn from(form: KeepForm) -> Self {
        Self::Keep { assignment: form.assignment.0, reason: form.reason.0 }
    }
}

impl From<ReleaseForm> for Change {
    fn from(form: ReleaseForm) -> Self {
        Self::Release { assignment: form.assignment.0, reason: form.reason.0 }
    }
}

impl From<CompleteForm> for Change {
    fn from(form: CompleteForm) -> Self {
        Self::Complete { assignment: form.assignment.0, note: text(form.note) }
    }
}

impl From<CancelForm> for Change {
    fn from(form: CancelForm) -> Self {
        Self::Cancel { reason: form.reason.0 }
    }
}

impl From<HoldForm> for Change {
    fn from(_: HoldForm) -> Self {
        Self::Hold
    }
}

impl From<UnholdForm> for Change {
    fn from(_: UnholdForm) -> Self {
        Self::Unhold
    }
}

impl From<ReprioritiseForm> for Change {
    fn from(form: ReprioritiseForm) -> Self {
        Self::Reprioritise { priority: form.priority }
    }
}

impl From<AmendForm> for Change {
    fn from(form: AmendForm) -> Self {
        Self::Amend(Box::new(Amendment {
            deadline: form.deadline,
            effort_minutes: form.effort_minutes.map(|minutes| minutes.0),
            consent: form.consent.map(ConsentForm::into_consent),
            allowed_countries: form.allowed_countries,
            denied_countries: form.denied_countries,
            excluded_teams: form.excluded_teams,
            not_before: form.not_before,
        }))
    }
}
