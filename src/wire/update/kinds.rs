//! The kinds of update: the fields of each, and what it asks of the scheduler.

use chrono::{DateTime, Utc};
use schemars::Schema;

use crate::engine::event::Refusal;
use crate::engine::id::{TeamId, Term};
use crate::engine::request::{Place, Priority};
use crate::engine::update::{Amendment, Change, DeclineReason, SetAside};
use crate::wire::form::{At, Fielded, Line, Note, Whole, form};
use crate::wire::json::Node;
use crate::wire::request::ConsentForm;
use crate::wire::rules::{MAX_LINE_CHARS, MAX_MINUTES};

/// A kind of update: its word, its own fields, how they are read, and their schema.
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) names: &'static [&'static str],
    pub(super) read: fn(&Node<'_>, &At<'_>) -> Result<Said, Refusal>,
    pub(super) schema: fn() -> Schema,
}

/// What a form says, and why when it says that.
pub(super) struct Said {
    pub(super) change: Change,
    pub(super) reason: Option<String>,
}

impl Said {
    fn because(change: Change, reason: Option<Reason>) -> Self {
        Self { change, reason: reason.map(|reason| reason.0) }
    }
}

impl From<Change> for Said {
    fn from(change: Change) -> Self {
        Self { change, reason: None }
    }
}

/// Makes a [`Kind`] of a form that becomes what is said.
const fn kind<F: Fielded + Into<Said>>(word: &'static str) -> Kind {
    Kind { word, names: F::NAMES, read: |node, at| F::read(node, at).map(Into::into), schema: F::schema }
}

pub(super) const KINDS: [Kind; 16] = [
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
    kind::<RecallForm>("recall"),
    kind::<OfferToForm>("offer_to"),
    kind::<HoldForm>("hold"),
    kind::<UnholdForm>("unhold"),
    kind::<ReprioritiseForm>("reprioritise"),
    kind::<AmendForm>("amend"),
];

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
        /// Why; required from an operator.
        reason: Option<Reason>,
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
    /// An operator takes the task from the team that has it, offered or owned.
    struct RecallForm {
        /// Why.
        reason: Reason,
    }
}

form! {
    /// An operator has the task offered to a team.
    struct OfferToForm {
        /// To whom.
        to: TeamId,
        /// Why.
        reason: Reason,
        /// Obstacles that are not to be in the way.
        set_aside: Option<Vec<SetAside>>,
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
    struct HoldForm {
        /// Why; required from an operator.
        reason: Option<Reason>,
    }
}

form! {
    /// A held task may go on.
    struct UnholdForm {
        /// Why; required from an operator.
        reason: Option<Reason>,
    }
}

form! {
    /// The priority changes.
    struct ReprioritiseForm {
        /// The new priority.
        priority: Priority,
        /// Why; required from an operator.
        reason: Option<Reason>,
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
        /// Why; required from an operator.
        reason: Option<Reason>,
    }
}

fn text(note: Option<Note>) -> Option<String> {
    note.map(|note| note.0)
}

impl From<AcceptForm> for Said {
    fn from(form: AcceptForm) -> Self {
        Change::Accept { assignment: form.assignment.0 }.into()
    }
}

impl From<DeclineForm> for Said {
    fn from(form: DeclineForm) -> Self {
        Change::Decline { assignment: form.assignment.0, reason: form.reason, note: text(form.note) }.into()
    }
}

impl From<ProgressForm> for Said {
    fn from(form: ProgressForm) -> Self {
        Change::Progress {
            assignment: form.assignment.0,
            remaining_minutes: form.remaining_minutes.0,
            note: text(form.note),
        }
        .into()
    }
}

impl From<PauseForm> for Said {
    fn from(form: PauseForm) -> Self {
        let reason = Some(form.reason.to_string());
        let assignment = form.assignment.map(|number| number.0);
        Self { change: Change::Pause { assignment, reason: form.reason }, reason }
    }
}

impl From<ResumeForm> for Said {
    fn from(form: ResumeForm) -> Self {
        Self::because(Change::Resume { assignment: form.assignment.map(|number| number.0) }, form.reason)
    }
}

impl From<HandoffForm> for Said {
    fn from(form: HandoffForm) -> Self {
        Change::Handoff {
            assignment: form.assignment.0,
            notes: text(form.notes),
            done: text(form.done),
            next_step: text(form.next_step),
            remaining_minutes: form.remaining_minutes.map(|minutes| minutes.0),
        }
        .into()
    }
}

impl From<KeepForm> for Said {
    fn from(form: KeepForm) -> Self {
        Change::Keep { assignment: form.assignment.0, reason: form.reason.0 }.into()
    }
}

impl From<ReleaseForm> for Said {
    fn from(form: ReleaseForm) -> Self {
        Change::Release { assignment: form.assignment.0, reason: form.reason.0 }.into()
    }
}

impl From<CompleteForm> for Said {
    fn from(form: CompleteForm) -> Self {
        Change::Complete { assignment: form.assignment.0, note: text(form.note) }.into()
    }
}

impl From<RecallForm> for Said {
    fn from(form: RecallForm) -> Self {
        Self::because(Change::Recall, Some(form.reason))
    }
}

impl From<OfferToForm> for Said {
    fn from(form: OfferToForm) -> Self {
        let change = Change::OfferTo { to: form.to, set_aside: form.set_aside.unwrap_or_default() };
        Self::because(change, Some(form.reason))
    }
}

impl From<CancelForm> for Said {
    fn from(form: CancelForm) -> Self {
        let reason = form.reason.0;
        Self { change: Change::Cancel { reason: reason.clone() }, reason: Some(reason) }
    }
}

impl From<HoldForm> for Said {
    fn from(form: HoldForm) -> Self {
        Self::because(Change::Hold, form.reason)
    }
}

impl From<UnholdForm> for Said {
    fn from(form: UnholdForm) -> Self {
        Self::because(Change::Unhold, form.reason)
    }
}

impl From<ReprioritiseForm> for Said {
    fn from(form: ReprioritiseForm) -> Self {
        Self::because(Change::Reprioritise { priority: form.priority }, form.reason)
    }
}

impl From<AmendForm> for Said {
    fn from(form: AmendForm) -> Self {
        let amendment = Amendment {
            deadline: form.deadline,
            effort_minutes: form.effort_minutes.map(|minutes| minutes.0),
            consent: form.consent.map(ConsentForm::into_consent),
            allowed_countries: form.allowed_countries,
            denied_countries: form.denied_countries,
            excluded_teams: form.excluded_teams,
            not_before: form.not_before,
        };
        Self::because(Change::Amend(Box::new(amendment)), form.reason)
    }
}
