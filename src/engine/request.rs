//! A work request as a firm sent it: every field checked for itself, nothing looked up in a roster yet.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{ClientId, MatterId, ProcessId, RequestId, SlaId, TaskId, TeamId, Term, WorkTypeId};

/// How urgent a task is; `Urgent` sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything else.
    Urgent,
    /// Before normal work.
    High,
    /// The default.
    #[default]
    Normal,
    /// When nothing else waits.
    Low,
}

impl Priority {
    /// All priorities, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Urgent, Self::High, Self::Normal, Self::Low];

    /// Its place in [`Priority::ALL`] and in settings by priority.
    #[must_use]
    pub fn rank(self) -> usize {
        self as usize
    }

    /// The word used in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Urgent => "urgent",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
        }
    }
}

/// Whether somebody has to be there in person. It is never relaxed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Can be done anywhere.
    #[default]
    None,
    /// Needs contact during the client's hours.
    Contact,
    /// Needs a team in the task's country.
    InPerson,
}

/// A skill and the least level of it, 1..=5.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SkillNeed {
    /// Name of the skill.
    pub name: Term,
    /// Least level, 1..=5.
    pub level: u8,
}

/// The client's consent to offshoring, with the record that proves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Consent {
    /// Whether work may leave the client's country.
    pub offshore: bool,
    /// The record, 1..=128 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// An ISO 3166 country with an optional subdivision, such as `US` or `IN-KA`, upper case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Place(Box<str>);

/// A place outside the grammar `CC` or `CC-SUB`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("place {0:?} is not valid: use a two-letter country, such as US, or a subdivision, such as US-NY")]
pub struct InvalidPlace(pub String);

impl Place {
    /// Checks `CC` or `CC-SUB` (subdivision of one to three letters or digits).
    ///
    /// # Errors
    /// [`InvalidPlace`] with the value, cut to 80 characters.
    pub fn new(text: &str) -> Result<Self, InvalidPlace> {
        let is_country = |s: &str| s.len() == 2 && s.bytes().all(|b| b.is_ascii_uppercase());
        let is_part =
            |s: &str| (1..=3).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let valid = match text.split_once('-') {
            None => is_country(text),
            Some((country, part)) => is_country(country) && is_part(part),
        };
        if valid { Ok(Self(text.into())) } else { Err(InvalidPlace(text.chars().take(80).collect())) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The country without its subdivision.
    #[must_use]
    pub fn country(&self) -> &str {
        &self.0[..2]
    }

    /// Whether `other` is this place or lies in it: `US` covers `US-NY`, not the other way round.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self == other || (self.0.len() == 2 && self.country() == other.country())
    }
}

impl TryFrom<String> for Place {
    type Error = InvalidPlace;
    fn try_from(text: String) -> Result<Self, InvalidPlace> {
        Self::new(&text)
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.0.into()
    }
}

/// SHA-256 over the validated fields and the payload without insignificant white space, in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestDigest(pub Box<str>);

/// A step of a process that a request carries itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Name of the step inside its request.
    pub id: RequestId,
    /// Work type of the step.
    pub work_type: WorkTypeId,
    /// Jurisdiction that the team must be admitted in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<Place>,
    /// Specialty that goes with the jurisdiction.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialty: Option<Term>,
    /// Effort in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effort_minutes: Option<u32>,
    /// Steps that must end first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<RequestId>,
}

/// A work request; `None` means that the default of the work type, the client or the roster holds.
/// Its payload travels beside it and is never looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkRequest {
    /// The firm's id of the request; with the client it is the idempotency key.
    pub id: RequestId,
    /// The firm.
    pub client: ClientId,
    /// The firm's case.
    pub matter: MatterId,
    /// What kind of work; absent only when `process` or `steps` is given.
    pub work_type: Option<WorkTypeId>,
    /// Jurisdiction whose law applies.
    pub jurisdiction: Option<Place>,
    /// Specialty that goes with the jurisdiction.
    pub specialty: Option<Term>,
    /// Languages (ISO 639), all needed.
    pub languages: Option<Vec<Term>>,
    /// Skills, all needed.
    pub skills: Vec<SkillNeed>,
    /// Presence class.
    pub presence: Option<Presence>,
    /// Where somebody has to be.
    pub place: Option<Place>,
    /// Only these countries; empty means no such limit.
    pub allowed_countries: Vec<Place>,
    /// None of these countries.
    pub denied_countries: Vec<Place>,
    /// Consent to offshoring.
    pub consent: Option<Consent>,
    /// Effort in minutes, 1..=525600.
    pub effort_minutes: Option<u32>,
    /// Priority.
    pub priority: Option<Priority>,
    /// SLA policy.
    pub sla: Option<SlaId>,
    /// Instant by which the work must be done.
    pub deadline: Option<DateTime<Utc>>,
    /// Instant before which it must not start.
    pub not_before: Option<DateTime<Utc>>,
    /// Tasks that must be completed first.
    pub after: Vec<TaskId>,
    /// Team that gets the work when it can.
    pub preferred_team: Option<TeamId>,
    /// Teams that must not get the work.
    pub excluded_teams: Vec<TeamId>,
    /// Process template of the roster.
    pub process: Option<ProcessId>,
    /// Steps of an inline process.
    pub steps: Vec<Step>,
    /// Digest of fields and payload.
    pub digest: RequestDigest,
}

impl WorkRequest {
    /// Whether it is done in steps.
    #[must_use]
    pub fn is_process(&self) -> bool {
        self.process.is_some() || !self.steps.is_empty()
    }

    /// A request that leaves everything else to the defaults.
    #[must_use]
    pub fn new(
        id: RequestId,
        client: ClientId,
        matter: MatterId,
        work_type: WorkTypeId,
        digest: RequestDigest,
    ) -> Self {
        Self {
            id,
            client,
            matter,
            work_type: Some(work_type),
            jurisdiction: None,
            specialty: None,
            languages: None,
            skills: Vec::new(),
            presence: None,
            place: None,
            allowed_countries: Vec::new(),
            denied_countries: Vec::new(),
            consent: None,
            effort_minutes: None,
            priority: None,
            sla: None,
            deadline: None,
            not_before: None,
            after: Vec::new(),
            preferred_team: None,
            excluded_teams: Vec::new(),
            process: None,
            steps: Vec::new(),
            digest,
        }
    }
}
