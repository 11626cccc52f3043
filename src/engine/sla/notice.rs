//! What is told of clocks: the bodies of their events.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Serialize, Serializer};

use crate::engine::id::{SlaId, Term};
use crate::engine::planted::planted;
use crate::engine::request::Priority;
use crate::engine::roster::{EscalationAction, Moment};

use super::clock::{Clock, SegmentEnd};
use super::hours::Hours;

/// A warning or a breach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlaNotice {
    /// The clock.
    pub clock: Term,
    /// Its policy; none of the deadline.
    pub policy: Option<SlaId>,
    /// The percentage of the target that is used up.
    pub percent: u8,
    /// When that was reached.
    pub reached_at: DateTime<Utc>,
    /// When the target is used up.
    pub due_at: Option<DateTime<Utc>>,
    /// How long after that instant it is told, when that is late.
    #[serde(rename = "late_by_ms", serialize_with = "milliseconds", skip_serializing_if = "Option::is_none")]
    pub late_by: Option<TimeDelta>,
}

/// A due time that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedDue {
    /// The clock.
    pub clock: Term,
    /// When it was due; none when it stood, or was not due within the horizon.
    pub from: Option<DateTime<Utc>>,
    /// When it is due now.
    pub to: Option<DateTime<Utc>>,
    /// Why.
    pub because: SegmentEnd,
}

/// A clock that stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoppedClock {
    /// The clock.
    pub clock: Term,
    /// Its policy; none of the deadline.
    pub policy: Option<SlaId>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it stopped.
    pub stopped_at: DateTime<Utc>,
    /// What it counted, in milliseconds of its basis.
    pub counted_ms: i64,
    /// Its limit, in milliseconds of its basis.
    pub target_ms: i64,
}

/// How and when a clock stopped.
#[derive(Debug, Clone, Copy)]
pub struct ClockEnd {
    /// How.
    pub outcome: Outcome,
    /// When.
    pub stopped_at: DateTime<Utc>,
}

/// How a clock ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It stopped within its target.
    Met,
    /// Its target was used up first.
    Breached,
    /// The task was cancelled: neither.
    Cancelled,
}

impl Outcome {
    /// The word used in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Breached => "breached",
            Self::Cancelled => "cancelled",
        }
    }
}

/// An escalation step that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Escalated {
    /// The clock.
    pub clock: Term,
    /// Its policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<SlaId>,
    /// The percentage of the target that is used up.
    pub percent: u8,
    /// When that was reached.
    pub reached_at: DateTime<Utc>,
    /// What is done: `raise_priority`, `reroute` or `notify`.
    pub action: &'static str,
    /// The priority to which it is raised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// Who is to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// How long after that instant it is told, when that is late.
    #[serde(rename = "late_by_ms", serialize_with = "milliseconds", skip_serializing_if = "Option::is_none")]
    pub late_by: Option<TimeDelta>,
}

/// A clock so far, as the next holder is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockBrief {
    /// Its name.
    pub clock: Term,
    /// When it stops.
    pub stop: Moment,
    /// What it has counted, in milliseconds of its basis.
    pub counted_ms: i64,
    /// Its limit, in milliseconds of its basis.
    pub target_ms: i64,
    /// When that is used up as things stand.
    pub due_at: Option<DateTime<Utc>>,
    /// Whether it is used up.
    pub breached: bool,
}

/// From this on an event is told late.
const LATE_FROM: TimeDelta = TimeDelta::seconds(1);

impl Clock {
    /// How late an instant of it is told, when that is late. One before its start, or before its deadline was amended,
    /// could not be told sooner.
    #[must_use]
    pub fn late_by(&self, reached_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<TimeDelta> {
        let stated_at = self.started_at.max(self.amended_at);
        let could_be_told_at = stated_at.map_or(reached_at, |stated_at| stated_at.max(reached_at));
        Some(now - could_be_told_at).filter(|late_by| *late_by >= LATE_FROM && !planted("lateness-not-told"))
    }

    /// Its policy, as it is named in events: the deadline has none.
    #[must_use]
    pub fn policy<'a>(&self, sla: Option<&'a SlaId>) -> Option<&'a SlaId> {
        sla.filter(|_| self.deadline.is_none())
    }
}

impl ClockBrief {
    /// A running clock so far.
    #[must_use]
    pub fn of(clock: &Clock, hours: Hours<'_>, now: DateTime<Utc>) -> Self {
        let counting = clock.open.as_ref().map(|open| hours.counted(&clock.rule.basis, open, now));
        Self {
            clock: clock.rule.name.clone(),
            stop: clock.rule.stop,
            counted_ms: clock.counted_ms + counting.unwrap_or_default().num_milliseconds(),
            target_ms: clock.target().num_milliseconds(),
            due_at: clock.due_at,
            breached: clock.breached_at.is_some(),
        }
    }
}

impl StoppedClock {
    /// What is told of a clock that stopped.
    #[must_use]
    pub fn of(clock: &Clock, sla: Option<&SlaId>, end: ClockEnd) -> Self {
        Self {
            clock: clock.rule.name.clone(),
            policy: clock.policy(sla).cloned(),
            outcome: end.outcome,
            stopped_at: end.stopped_at,
            counted_ms: clock.counted_ms,
            target_ms: clock.target().num_milliseconds(),
        }
    }
}

impl Escalated {
    /// The words for what a step does.
    #[must_use]
    pub fn action(action: &EscalationAction) -> (&'static str, Option<Priority>, Option<String>) {
        match action {
            EscalationAction::RaisePriority(priority) => ("raise_priority", Some(*priority), None),
            EscalationAction::Reroute => ("reroute", None, None),
            EscalationAction::Notify(contact) => ("notify", None, Some(contact.clone())),
        }
    }
}

#[expect(clippy::ref_option, reason = "the form that serde calls")]
fn milliseconds<S: Serializer>(span: &Option<TimeDelta>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.num_milliseconds()).serialize(serializer)
}
