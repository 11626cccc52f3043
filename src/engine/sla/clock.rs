//! A clock of a task, its segments, and when its next steps are due.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::engine::id::{TeamId, Term};
use crate::engine::planted::planted;
use crate::engine::roster::{Basis, Escalation, Moment, SlaClock};
use crate::engine::task::{Arrival, Task};

/// The name of the deadline's clock; no clock of a policy has it.
pub const DEADLINE: &str = "deadline";

/// The percentage of the time to the deadline at which it warns.
pub const DEADLINE_WARNS_AT_PERCENT: u8 = 75;

/// A clock of a task: the rule copied from its policy, and its progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The rule.
    pub rule: SlaClock,
    /// The deadline, of the deadline's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// When it started.
    pub started_at: Option<DateTime<Utc>>,
    /// When its deadline was last amended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amended_at: Option<DateTime<Utc>>,
    /// When it stopped.
    pub stopped_at: Option<DateTime<Utc>>,
    /// The segment that is open: it has one from its start to its stop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<OpenSegment>,
    /// How many segments are closed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub segments: u32,
    /// What those counted in all, in milliseconds of its basis.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub counted_ms: i64,
    /// When its target is used up, as projected; `None` while it stands and where its basis ends before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// How many of its warnings were given.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warnings: u32,
    /// When the next one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warns_at: Option<DateTime<Utc>>,
    /// How many of its escalation steps were taken.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub escalations: u32,
    /// When the next one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalates_at: Option<DateTime<Utc>>,
    /// When its target was used up, once that was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breached_at: Option<DateTime<Utc>>,
    /// What was used up in closed segments and has not been told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overdue: Vec<Overdue>,
}

/// A percentage of a target that was used up while nobody looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overdue {
    /// The percentage.
    pub percent: u8,
    /// When it was used up.
    pub at: DateTime<Utc>,
}

/// The part of a clock that is not closed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSegment {
    /// Since when.
    pub from: DateTime<Utc>,
    /// Who holds the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<TeamId>,
    /// The pause reason for which the clock stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Term>,
}

/// A closed part of a clock; it is never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Whose clock.
    pub task: Arrival,
    /// Its name.
    pub clock: Term,
    /// The number of the segment in its clock, rising by one from 1.
    pub number: u32,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
    /// Who held the task.
    pub holder: Option<TeamId>,
    /// The pause reason for which the clock stood.
    pub standing: Option<Term>,
    /// What it counted, in milliseconds of the clock's basis.
    pub counted_ms: i64,
    /// What closed it.
    pub closed_by: SegmentEnd,
}

/// What closes a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SegmentEnd {
    /// Another team holds the task, or none does any more.
    HolderChanged,
    /// A pause began.
    Paused,
    /// A pause ended.
    Resumed,
    /// A pause reached its cap: the task is paused, the clock runs.
    PauseCapped,
    /// Calendars, teams or zone rules changed: the new ones count from then on.
    HoursChanged,
    /// Other teams may do the task now.
    TeamsChanged,
    /// The firm stated another deadline.
    Amended,
    /// The clock stopped.
    Stopped,
}

impl SegmentEnd {
    /// All of them, in the order of the code.
    pub const ALL: [Self; 8] = [
        Self::HolderChanged,
        Self::Paused,
        Self::Resumed,
        Self::PauseCapped,
        Self::HoursChanged,
        Self::TeamsChanged,
        Self::Amended,
        Self::Stopped,
    ];

    /// The word used in messages and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HolderChanged => "holder_changed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::PauseCapped => "pause_capped",
            Self::HoursChanged => "hours_changed",
            Self::TeamsChanged => "teams_changed",
            Self::Amended => "amended",
            Self::Stopped => "stopped",
        }
    }
}

/// How an open task stands to its running clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlaState {
    /// A clock runs and none has warned.
    Ok,
    /// One has warned.
    AtRisk,
    /// One has used up its target.
    Breached,
    /// All of them stand.
    Paused,
}

impl SlaState {
    /// All of them, in the order of the code.
    pub const ALL: [Self; 4] = [Self::Ok, Self::AtRisk, Self::Breached, Self::Paused];

    /// The word used in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::AtRisk => "at_risk",
            Self::Breached => "breached",
            Self::Paused => "paused",
        }
    }
}

impl Clock {
    /// A clock that has not started; its steps come in the order of their percentages.
    #[must_use]
    pub fn new(rule: &SlaClock) -> Self {
        let mut rule = rule.clone();
        rule.escalations.sort_by_key(|step| step.at_percent);
        Self {
            rule,
            deadline: None,
            started_at: None,
            amended_at: None,
            stopped_at: None,
            open: None,
            segments: 0,
            counted_ms: 0,
            due_at: None,
            warnings: 0,
            warns_at: None,
            escalations: 0,
            escalates_at: None,
            breached_at: None,
            overdue: Vec::new(),
        }
    }

    /// The clock of a deadline.
    #[must_use]
    pub fn of_deadline(deadline: DateTime<Utc>) -> Self {
        let rule = SlaClock {
            name: Term::new(DEADLINE).expect("the name is a term"),
            start: Moment::Admitted,
            stop: Moment::Completed,
            target_minutes: 0,
            basis: Basis::Wall,
            pause_on: Vec::new(),
            warn_at_percent: vec![DEADLINE_WARNS_AT_PERCENT],
            escalations: Vec::new(),
        };
        Self { deadline: Some(deadline), ..Self::new(&rule) }
    }

    /// Whether it has started and not stopped.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.started_at.is_some() && self.stopped_at.is_none()
    }

    /// Its limit in time of its basis.
    #[must_use]
    pub fn target(&self) -> TimeDelta {
        match (self.deadline, self.started_at) {
            (Some(deadline), Some(started_at)) => deadline - started_at,
            _ => TimeDelta::minutes(i64::from(self.rule.target_minutes)),
        }
    }

    /// How much it may count until a percentage of its target is reached; what is not whole is rounded up.
    #[must_use]
    pub fn amount(&self, percent: u8) -> TimeDelta {
        let target_ms = self.target().num_milliseconds().max(0);
        let hundredths = target_ms.saturating_mul(i64::from(percent));
        let early = i64::from(planted("warning-a-millisecond-early"));
        TimeDelta::milliseconds(hundredths / 100 + i64::from(hundredths % 100 > 0) - early)
    }

    /// The percentage at which it warns next; what is breached warns of nothing more.
    #[must_use]
    pub fn next_warning(&self) -> Option<u8> {
        if self.breached_at.is_some() {
            return None;
        }
        self.rule.warn_at_percent.get(usize::try_from(self.warnings).ok()?).copied()
    }

    /// The escalation step that comes next.
    #[must_use]
    pub fn next_escalation(&self) -> Option<&Escalation> {
        self.rule.escalations.get(usize::try_from(self.escalations).ok()?)
    }

    /// The percentages that are still to be told of: warnings, escalation steps, and the breach.
    #[must_use]
    pub fn untold(&self) -> Vec<u8> {
        let warnings = self.rule.warn_at_percent.iter().skip(usize::try_from(self.warnings).unwrap_or(usize::MAX));
        let steps = self.rule.escalations.iter().skip(usize::try_from(self.escalations).unwrap_or(usize::MAX));
        let warnings = warnings.copied().filter(|_| self.breached_at.is_none());
        let breach = (self.breached_at.is_none() && self.deadline.is_none()).then_some(100);
        warnings.chain(steps.map(|step| step.at_percent)).chain(breach).collect()
    }

    /// When it is breached, unless it was already.
    #[must_use]
    pub fn breaches_at(&self) -> Option<DateTime<Utc>> {
        self.due_at.filter(|_| self.breached_at.is_none() && self.is_running())
    }

    /// Whether it stands.
    #[must_use]
    pub fn is_standing(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.standing.is_some())
    }
}

impl Task {
    /// How it stands to its running clocks; `None` when none runs.
    #[must_use]
    pub fn sla_state(&self) -> Option<SlaState> {
        let running = || self.clocks.iter().filter(|clock| clock.is_running());
        running().next()?;
        Some(if running().any(|clock| clock.breached_at.is_some()) {
            SlaState::Breached
        } else if running().all(Clock::is_standing) {
            SlaState::Paused
        } else if running().any(|clock| clock.warnings > 0) {
            SlaState::AtRisk
        } else {
            SlaState::Ok
        })
    }

    /// When the next of its clocks is breached.
    #[must_use]
    pub fn next_breach_at(&self) -> Option<DateTime<Utc>> {
        self.clocks.iter().filter_map(Clock::breaches_at).min()
    }

    /// When the next of its clocks warns.
    #[must_use]
    pub fn next_warning_at(&self) -> Option<DateTime<Utc>> {
        self.clocks.iter().filter_map(|clock| clock.warns_at).min()
    }

    /// When the next escalation step of its clocks is due.
    #[must_use]
    pub fn next_escalation_at(&self) -> Option<DateTime<Utc>> {
        self.clocks.iter().filter_map(|clock| clock.escalates_at).min()
    }

    /// When the clocks run again although it is paused.
    #[must_use]
    pub fn pause_capped_at(&self) -> Option<DateTime<Utc>> {
        self.paused.as_ref().filter(|pause| !pause.is_capped).and_then(|pause| pause.cap_at)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_nothing(number: &i64) -> bool {
    *number == 0
}
