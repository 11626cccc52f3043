//! The roster as the engine sees it: validated, looked up by position, with every calendar compiled.
//!
//! The `roster` layer makes it from files; nothing here changes after that. Times of day and spans are in minutes.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::Calendar;
use super::id::{CalendarId, ClientId, MatterId, ProcessId, RequestId, SlaId, TeamId, Term, WorkTypeId};
use super::request::{Place, Presence, Priority, SkillNeed, Step};

/// SHA-256 of the roster's bytes in lower-case hexadecimal; names the version in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RosterDigest(pub Arc<str>);

/// All teams, calendars and policies of one version.
#[derive(Debug, Clone)]
pub struct Roster {
    /// Names this version.
    pub digest: RosterDigest,
    /// IANA version of the zone rules that the calendars were compiled with.
    pub tzdata: Arc<str>,
    /// Calendars by id.
    pub calendars: BTreeMap<CalendarId, Arc<Calendar>>,
    /// Teams in the order of their ids; a [`TeamIndex`] is a position here.
    pub teams: Vec<Team>,
    /// Clients by id.
    pub clients: BTreeMap<ClientId, Client>,
    /// The catalogue of work types.
    pub work_types: BTreeMap<WorkTypeId, WorkType>,
    /// SLA policies by id.
    pub sla: BTreeMap<SlaId, SlaPolicy>,
    /// Reasons for a pause, with who may set and who may end it.
    pub pauses: BTreeMap<Term, PauseReason>,
    /// Process templates by id.
    pub processes: BTreeMap<ProcessId, Process>,
    /// Ethical walls.
    pub walls: Vec<Wall>,
    /// Weights and limits.
    pub routing: Routing,
}

/// Position of a team in [`Roster::teams`]; good for one version of the roster only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TeamIndex(pub u16);

impl Roster {
    /// The position of a team.
    #[must_use]
    pub fn team_index(&self, id: &TeamId) -> Option<TeamIndex> {
        let position = self.teams.binary_search_by(|team| team.id.cmp(id)).ok()?;
        u16::try_from(position).ok().map(TeamIndex)
    }

    /// The team at a position of this version.
    #[must_use]
    pub fn team(&self, index: TeamIndex) -> &Team {
        &self.teams[usize::from(index.0)]
    }

    /// All positions with their teams, in the order of team ids.
    pub fn indexed_teams(&self) -> impl Iterator<Item = (TeamIndex, &Team)> {
        (0..).map(TeamIndex).zip(&self.teams)
    }
}

/// Most teams in a roster; `check` refuses more.
pub const MAX_TEAMS: usize = 10_000;

/// Most seats of a team.
pub const MAX_SEATS: u32 = 10_000;

/// Who can own a task.
#[derive(Debug, Clone)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name for people.
    pub name: String,
    /// Country, with a subdivision where one is given.
    pub country: Place,
    /// Region for data residency, such as `eu`.
    pub region: Option<Term>,
    /// Id of its calendar.
    pub calendar_id: CalendarId,
    /// Its open hours.
    pub calendar: Arc<Calendar>,
    /// How much it can hold at once.
    pub capacity: Capacity,
    /// Seats kept free for urgent work.
    pub urgent_reserve: u32,
    /// Pairs of jurisdiction and specialty that it holds.
    pub capabilities: Vec<Capability>,
    /// Skills and their levels, 1..=5.
    pub skills: BTreeMap<Term, u8>,
    /// Vetted before this instant; `None` is not vetted at all.
    pub vetted_until: Option<DateTime<Utc>>,
    /// Cost of an hour in cents.
    pub cost_per_hour_cents: u32,
    /// Whether offers need an accept.
    pub acceptance: Acceptance,
    /// How messages reach it.
    pub delivery: Delivery,
    /// Whom to notify.
    pub contacts: Vec<String>,
    /// RabbitMQ user that speaks for it.
    pub broker_user: Option<String>,
    /// Takes nothing new and hands off what it holds.
    pub retired: bool,
    /// The same for a time, by an override: until when.
    pub drained_until: Option<DateTime<Utc>>,
    /// Its open hours without those of a drain, now or to come; as `calendar` when there is none.
    pub new_work_hours: Option<Arc<Calendar>>,
    /// Closed by an override at this time, whatever its hours are.
    pub closed_by_override: bool,
}

impl Team {
    /// Whether it takes nothing new and hands off what it holds.
    #[must_use]
    pub fn winds_down(&self) -> bool {
        self.retired || self.drained_until.is_some()
    }

    /// The hours in which it is open and takes new work.
    #[must_use]
    pub fn new_work_hours(&self) -> &Calendar {
        self.new_work_hours.as_ref().unwrap_or(&self.calendar)
    }
}

/// How much a team can hold at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// Number of tasks.
    Seats(u32),
    /// Sum of remaining effort, in hours.
    EffortHours(u32),
}

/// Whether a team answers its offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Acceptance {
    /// An offer needs an accept.
    #[default]
    Required,
    /// An offer is accepted as soon as it is made.
    Implicit,
}

/// How messages reach a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// By its RabbitMQ queue.
    #[default]
    Queue,
    /// By long poll over HTTP.
    Http,
}

/// A pair of jurisdiction and specialty; `None` matches all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capability {
    /// The jurisdiction, or all.
    pub jurisdiction: Option<Place>,
    /// The specialty, or all.
    pub specialty: Option<Term>,
    /// Languages that it can work in here.
    pub languages: Vec<Term>,
    /// Level, 1..=5.
    pub level: u8,
    /// Admitted before this instant; `None` has no end.
    pub admitted_until: Option<DateTime<Utc>>,
}

/// A firm that publishes work requests.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its name for people.
    pub name: String,
    /// Its country; a team elsewhere is offshore.
    pub country: Place,
    /// Its own hours, for `contact` work and for clocks on its basis.
    pub calendar: Option<Arc<Calendar>>,
    /// Its rule on offshoring.
    pub offshoring: Offshoring,
    /// Regions in which its data may be; empty means anywhere.
    pub residency: Vec<Term>,
    /// Only these countries; empty means no such limit.
    pub allowed_countries: Vec<Place>,
    /// None of these countries.
    pub denied_countries: Vec<Place>,
    /// SLA policy when a request names none.
    pub sla: Option<SlaId>,
    /// Share in the waiting order, 1..=1000.
    pub weight: u32,
    /// Urgent tasks a day that count as urgent; more count as high.
    pub urgent_quota: Option<u32>,
    /// When the payload leaves.
    pub payload_on: PayloadOn,
    /// RabbitMQ user that speaks for it.
    pub broker_user: Option<String>,
    /// Takes nothing new.
    pub retired: bool,
}

/// A client's rule on work leaving its country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offshoring {
    /// It may.
    Allowed,
    /// It may not.
    Denied,
    /// It may when the request carries a consent with a reference.
    Consent,
}

/// When the payload leaves for the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum PayloadOn {
    /// With the offer.
    #[default]
    Offer,
    /// Only after the accept.
    Accept,
}

/// A kind of work and its defaults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkType {
    /// Its id.
    pub id: WorkTypeId,
    /// Presence class; a request may ask for more, never for less.
    pub presence: Presence,
    /// Specialty when a request names none.
    pub specialty: Option<Term>,
    /// Languages when a request names none.
    pub languages: Vec<Term>,
    /// Skills that every request of the type needs.
    pub skills: Vec<SkillNeed>,
    /// Effort in minutes when a request names none.
    pub effort_minutes: Option<u32>,
    /// SLA policy when neither the request nor the client names one.
    pub sla: Option<SlaId>,
    /// Whether its tasks are handed off at a shift end.
    pub handoff: HandoffRule,
}

/// Whether a task moves on at a shift end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum HandoffRule {
    /// The holder keeps it.
    Never,
    /// When another holder finishes better.
    #[default]
    WhenBetter,
    /// At every shift end.
    Always,
}

impl HandoffRule {
    /// The word in the roster and in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::WhenBetter => "when_better",
            Self::Always => "always",
        }
    }
}

/// A named set of clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlaPolicy {
    /// Its id.
    pub id: SlaId,
    /// Its clocks, in the order of the file.
    pub clocks: Vec<SlaClock>,
}

/// A stopwatch and its limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaClock {
    /// Its name inside the policy.
    pub name: Term,
    /// When it starts.
    pub start: Moment,
    /// When it stops.
    pub stop: Moment,
    /// Its limit in minutes of its basis.
    pub target_minutes: u32,
    /// What time counts.
    pub basis: Basis,
    /// Pause reasons that stop it.
    pub pause_on: Vec<Term>,
    /// Percentages of the target at which it warns, rising.
    pub warn_at_percent: Vec<u8>,
    /// What happens at which percentage of the target.
    pub escalations: Vec<Escalation>,
}

/// A moment in a task's life at which a clock starts or stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// It was admitted.
    Admitted,
    /// Its predecessors are done and `not_before` is reached.
    Ready,
    /// It was first offered.
    Offered,
    /// It was first accepted.
    Accepted,
    /// It was completed.
    Completed,
}

/// Which time a clock counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// All time.
    Wall,
    /// Open time of a calendar.
    Calendar(CalendarId),
    /// Open time of the client.
    Client,
    /// Open time of the holder; of any eligible team while nobody holds it.
    Holder,
    /// Time in which any eligible team is open.
    Coverage,
}

/// A step taken at a fraction of a clock's target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escalation {
    /// Percentage of the target.
    pub at_percent: u8,
    /// What is done.
    pub action: EscalationAction,
}

/// What an escalation does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationAction {
    /// Raises the priority to this one.
    RaisePriority(Priority),
    /// Takes it back from an offer and routes it anew.
    Reroute,
    /// Notifies a named contact.
    Notify(String),
}

/// A reason for a pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PauseReason {
    /// Who may set it.
    pub set_by: Vec<Party>,
    /// Who may end it.
    pub end_by: Vec<Party>,
    /// Minutes after which clocks run again; `None` has no cap.
    pub cap_minutes: Option<u32>,
}

/// Somebody who acts on a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The team that owns it.
    Team,
    /// The firm.
    Client,
    /// On-call staff.
    Operator,
}

/// A process template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub id: ProcessId,
    /// Its steps; `after` names other steps and has no cycle.
    pub steps: Vec<Step>,
}

impl Process {
    /// A step by its name.
    #[must_use]
    pub fn step(&self, id: &RequestId) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == *id)
    }
}

/// A team that must never receive or see a client's matter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall {
    /// The walled team.
    pub team: TeamId,
    /// The client.
    pub client: ClientId,
    /// The matter; `None` is all of the client's.
    pub matter: Option<MatterId>,
    /// Why, for the audit log.
    pub reason: String,
}

/// Weights of the scores and limits of routing. Spans are minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routing {
    /// Weights of the scores.
    pub weights: Weights,
    /// An offer needs this much of the shift ahead of it.
    pub min_start_window_minutes: u32,
    /// A close is a shift end when the team stays closed for this long.
    pub handoff_min_gap_minutes: u32,
    /// What a hand-off costs the next holder.
    pub handoff_cost_minutes: u32,
    /// How long before a shift end hand-off is decided.
    pub handoff_notice_minutes: u32,
    /// Remaining effort that is finished past the close.
    pub handoff_grace_minutes: u32,
    /// Gain for which a task is passed although keeping meets the due time.
    pub handoff_min_gain_minutes: u32,
    /// Most passes of a task that only gain time.
    pub max_handoffs: u32,
    /// How long an offer stands, by priority, the most urgent first.
    pub offer_limit_minutes: [u32; 4],
    /// How long a turn-down holds at first; it doubles each time.
    pub decline_cooldown_minutes: u32,
    /// Longest a turn-down holds.
    pub decline_cooldown_max_minutes: u32,
    /// One seat in this many goes to the oldest waiting task.
    pub fair_every: u32,
    /// How long a previous holder's completion still counts.
    pub late_complete_within_minutes: u32,
    /// Seconds after which an undeliverable offer is withdrawn.
    pub undelivered_within_seconds: u32,
}

/// Integer weights of the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weights {
    /// Slack against the due time.
    pub margin: u32,
    /// Ends before the shift does.
    pub uninterrupted: u32,
    /// Same matter or client before.
    pub affinity: u32,
    /// Free seats.
    pub headroom: u32,
    /// Skill levels above what is asked.
    pub level: u32,
    /// Cost per hour.
    pub cost: u32,
}

impl Default for Routing {
    fn default() -> Self {
        Self {
            weights: Weights { margin: 4, uninterrupted: 3, affinity: 2, headroom: 2, level: 1, cost: 2 },
            min_start_window_minutes: 15,
            handoff_min_gap_minutes: 120,
            handoff_cost_minutes: 15,
            handoff_notice_minutes: 30,
            handoff_grace_minutes: 15,
            handoff_min_gain_minutes: 120,
            max_handoffs: 5,
            offer_limit_minutes: [5, 15, 30, 60],
            decline_cooldown_minutes: 30,
            decline_cooldown_max_minutes: 480,
            fair_every: 8,
            late_complete_within_minutes: 15,
            undelivered_within_seconds: 60,
        }
    }
}
