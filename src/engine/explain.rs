//! Why a decision went as it did: typed rejections that know what would clear them, scores, and the stored record.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::hindsight::Premises;
use super::id::{TeamId, Term};
use super::request::Place;
use super::roster::RosterDigest;
use super::task::TurnDownCause;

/// The filters in the order in which they are asked; the first "no" is the one shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// The team is walled from the client or the matter.
    Wall,
    /// The client's rules on countries, offshoring and residency.
    Consent,
    /// Somebody has to be there, or in contact.
    Presence,
    /// The team is vetted to the end of its part.
    Vetting,
    /// The team holds what the work asks for, to the end of its part.
    Capability,
    /// The team turned it down.
    TurnedDown,
    /// The team takes no new work.
    Drained,
    /// The team is open, with enough of its shift ahead.
    Open,
    /// The team has room.
    Seats,
}

impl Filter {
    /// All filters in order.
    pub const ALL: [Self; 9] = [
        Self::Wall,
        Self::Consent,
        Self::Presence,
        Self::Vetting,
        Self::Capability,
        Self::TurnedDown,
        Self::Drained,
        Self::Open,
        Self::Seats,
    ];

    /// The word used in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Consent => "consent",
            Self::Presence => "presence",
            Self::Vetting => "vetting",
            Self::Capability => "capability",
            Self::TurnedDown => "turned_down",
            Self::Drained => "drained",
            Self::Open => "open",
            Self::Seats => "seats",
        }
    }
}

/// A filter's "no" to a team, with the facts that it rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "because")]
pub enum Rejection {
    /// Walled from the client.
    WalledFromClient,
    /// Walled from the matter, by the roster or by its own conflict.
    WalledFromMatter,
    /// The client does not let work leave its country.
    OffshoringDenied {
        /// The client's country.
        client_country: Place,
    },
    /// The client wants a consent with a reference, and there is none.
    ConsentMissing {
        /// The client's country.
        client_country: Place,
    },
    /// Its country is denied.
    CountryDenied {
        /// The team's country.
        country: Place,
    },
    /// Its country is not among those allowed.
    CountryNotAllowed {
        /// The team's country.
        country: Place,
    },
    /// Its region is not one in which the data may be.
    OutsideResidency {
        /// The team's region.
        region: Option<Term>,
    },
    /// Somebody has to be there, and the team is elsewhere.
    Elsewhere {
        /// Where somebody has to be.
        place: Place,
        /// Where the team is.
        country: Place,
    },
    /// The task does not say where somebody has to be.
    PlaceUnknown,
    /// No shift of the team overlaps the client's hours for long enough.
    TooLittleContact {
        /// The longest overlap of a shift, in minutes.
        longest_minutes: u32,
        /// The effort, in minutes.
        needed_minutes: u32,
    },
    /// This shift does not overlap the client's hours for long enough; a later one does.
    TooLittleContactNow {
        /// What is left of the overlap, in minutes.
        left_minutes: u32,
        /// The effort, in minutes.
        needed_minutes: u32,
    },
    /// The roster says that it is not vetted.
    NotVetted,
    /// Its vetting ends before its part does.
    VettingEnds {
        /// When it ends.
        at: DateTime<Utc>,
        /// When its part ends.
        needed_until: DateTime<Utc>,
    },
    /// It does not hold the pair of jurisdiction and specialty.
    NotAdmitted {
        /// The jurisdiction that is asked for; `None` is any.
        jurisdiction: Option<Place>,
        /// The specialty that is asked for; `None` is any.
        specialty: Option<Term>,
    },
    /// Its admission ends before its part does.
    AdmissionEnds {
        /// When it ends.
        at: DateTime<Utc>,
        /// When its part ends.
        needed_until: DateTime<Utc>,
    },
    /// It lacks a language.
    LanguageMissing {
        /// Which.
        language: Term,
    },
    /// It lacks a skill, or has too little of it.
    SkillMissing {
        /// Which.
        skill: Term,
        /// Level asked for.
        needed: u8,
        /// Level held; 0 is none.
        held: u8,
    },
    /// The request excludes it.
    Excluded,
    /// The roster has retired it.
    Retired,
    /// It turned the task down.
    TurnedDown {
        /// How.
        cause: TurnDownCause,
        /// Until when that holds; `None` is for good.
        until: Option<DateTime<Utc>>,
    },
    /// It takes no new work.
    Drained,
    /// It is closed.
    Closed {
        /// When it opens; `None` is not within the horizon.
        opens_at: Option<DateTime<Utc>>,
    },
    /// Its shift ends too soon to start.
    ClosesSoon {
        /// When its shift ends.
        closes_at: DateTime<Utc>,
        /// When it opens again; `None` is not within the horizon.
        opens_at: Option<DateTime<Utc>>,
    },
    /// All its seats are taken.
    NoSeat {
        /// Seats in use.
        used: u32,
        /// Seats that this task may use.
        seats: u32,
    },
    /// The sum of its remaining effort would pass its limit.
    NoRoom {
        /// Minutes in use.
        used_minutes: u32,
        /// Minutes that it can hold.
        limit_minutes: u32,
    },
}

impl Rejection {
    /// The filter that says it.
    #[must_use]
    pub fn filter(&self) -> Filter {
        match self {
            Self::WalledFromClient | Self::WalledFromMatter => Filter::Wall,
            Self::OffshoringDenied { .. }
            | Self::ConsentMissing { .. }
            | Self::CountryDenied { .. }
            | Self::CountryNotAllowed { .. }
            | Self::OutsideResidency { .. } => Filter::Consent,
            Self::Elsewhere { .. }
            | Self::PlaceUnknown
            | Self::TooLittleContact { .. }
            | Self::TooLittleContactNow { .. } => Filter::Presence,
            Self::NotVetted | Self::VettingEnds { .. } => Filter::Vetting,
            Self::NotAdmitted { .. }
            | Self::AdmissionEnds { .. }
            | Self::LanguageMissing { .. }
            | Self::SkillMissing { .. }
            | Self::Excluded => Filter::Capability,
            Self::TurnedDown { .. } => Filter::TurnedDown,
            Self::Drained | Self::Retired => Filter::Drained,
            Self::Closed { .. } | Self::ClosesSoon { .. } => Filter::Open,
            Self::NoSeat { .. } | Self::NoRoom { .. } => Filter::Seats,
        }
    }

    /// The smallest change that would clear it, in words.
    #[must_use]
    pub fn cleared_by(&self) -> String {
        let at = |instant: &Option<DateTime<Utc>>| instant.map_or("no opening within the horizon".into(), rfc3339);
        match self {
            Self::WalledFromClient | Self::WalledFromMatter => "nothing; a wall is never overridden".into(),
            Self::OffshoringDenied { client_country } => {
                format!("a team in {}, or another rule of the client on offshoring", client_country.country())
            }
            Self::ConsentMissing { .. } => "a consent with a reference on the request (amend consent)".into(),
            Self::CountryDenied { country } => format!("taking {} out of the denied countries", country.as_str()),
            Self::CountryNotAllowed { country } => format!("adding {} to the allowed countries", country.as_str()),
            Self::OutsideResidency { .. } => "a team in a region in which the client's data may be".into(),
            Self::Elsewhere { place, .. } => format!("a team in {}; presence is never relaxed", place.as_str()),
            Self::PlaceUnknown => "a place or a jurisdiction on the request".into(),
            Self::TooLittleContact { .. } => "less effort, or a team whose hours meet the client's for longer".into(),
            Self::TooLittleContactNow { .. } => "the team's next shift".into(),
            Self::NotVetted | Self::VettingEnds { .. } => "a later `vetted_until` in the roster".into(),
            Self::NotAdmitted { jurisdiction, specialty } => format!(
                "a capability for jurisdiction {} and specialty {} in the roster",
                jurisdiction.as_ref().map_or("any", Place::as_str),
                specialty.as_ref().map_or("any", Term::as_str)
            ),
            Self::AdmissionEnds { .. } => "a later `admitted_until` in the roster".into(),
            Self::LanguageMissing { language } => format!("the language {language} in the team's capability"),
            Self::SkillMissing { skill, needed, .. } => format!("the skill {skill} at level {needed} in the roster"),
            Self::Excluded => "taking the team out of `excluded_teams` (amend)".into(),
            Self::TurnedDown { until: Some(until), .. } => {
                format!("time: the turn-down ends by {}", rfc3339(*until))
            }
            Self::TurnedDown { until: None, .. } => "nothing; the team's refusal is for good".into(),
            Self::Drained => "the end of the drain".into(),
            Self::Retired => "taking `retired` off the team in the roster".into(),
            Self::Closed { opens_at } | Self::ClosesSoon { opens_at, .. } => format!("time: {}", at(opens_at)),
            Self::NoSeat { .. } | Self::NoRoom { .. } => "a freed seat, or more seats in the roster".into(),
        }
    }
}

fn rfc3339(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// The scores of a team that could take a task now, each 0..=100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scores {
    /// Slack against the due time, 100 is a day or more.
    pub margin: u32,
    /// 100 when it ends before the shift does.
    pub uninterrupted: u32,
    /// 100 for the same matter, 50 for the same client, within 90 days.
    pub affinity: u32,
    /// Free share of the seats.
    pub headroom: u32,
    /// Levels above what is asked.
    pub level: u32,
    /// 100 is the cheapest of the roster.
    pub cost: u32,
}

/// A team that could take a task now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Which.
    pub team: TeamId,
    /// When it would be done; `None` is not within the horizon.
    pub finish_at: Option<DateTime<Utc>>,
    /// When it must be done if this team holds it.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether it would be done in time.
    pub meets_due: bool,
    /// Its scores.
    pub scores: Scores,
    /// Their weighted sum.
    pub total: u32,
}

/// The record of one decision, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// When it was made.
    pub at: DateTime<Utc>,
    /// The roster it was made with.
    pub roster: RosterDigest,
    /// Version of the zone rules.
    pub tzdata: Arc<str>,
    /// Number of the task's requirement class under that roster, in the order in which classes were met.
    pub class: u32,
    /// The team that got it.
    pub winner: Option<TeamId>,
    /// Teams that could take it now, the best first, at most [`MAX_STORED_CANDIDATES`].
    pub available: Vec<Candidate>,
    /// How many teams could take it now.
    pub available_count: u32,
    /// How many teams each filter rejects, in the order of the filters.
    pub rejected: BTreeMap<Filter, u32>,
    /// What the full table rests on beside the task's row, the roster and the facts.
    #[serde(default, skip_serializing_if = "Premises::is_empty")]
    pub premises: Premises,
    /// The full table, when the scheduler keeps tables; never stored.
    #[serde(skip)]
    pub table: Option<Vec<Verdict>>,
}

/// How many candidates a stored decision lists; the full table is worked out again on request.
pub const MAX_STORED_CANDIDATES: usize = 16;

/// One line of the full table: a team and its rejection, or its place among the candidates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It could take the task now.
    Available(Candidate),
    /// It could not.
    Rejected {
        /// Which team.
        team: TeamId,
        /// The filter that says no first.
        filter: Filter,
        /// What it says.
        rejection: Rejection,
        /// The smallest change that would clear it.
        cleared_by: String,
    },
}

impl Verdict {
    /// The team whose verdict it is.
    #[must_use]
    pub fn team(&self) -> &TeamId {
        match self {
            Self::Available(candidate) => &candidate.team,
            Self::Rejected { team, .. } => team,
        }
    }
}

/// One "no" of several to a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obstacle {
    /// The filter that says it.
    pub filter: Filter,
    /// What it says.
    pub rejection: Rejection,
    /// The smallest change that would clear it.
    pub cleared_by: String,
}

impl From<Rejection> for Obstacle {
    fn from(rejection: Rejection) -> Self {
        Self { filter: rejection.filter(), cleared_by: rejection.cleared_by(), rejection }
    }
}
