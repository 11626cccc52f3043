//! The clocks of a task with their ledger, as people and programs read them.
//!
//! Time of a clock's basis is in milliseconds, so that the segments of a clock add up to what it counted exactly.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::roster::{Basis, Moment};
use crate::engine::sla::{Clock, Outcome, Segment};
use crate::engine::task::{Task, TaskState};

use super::instant;

/// An SLA clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockView {
    /// Its name; `deadline` is the deadline's own.
    pub name: String,
    /// What time counts: `wall`, `calendar:ID`, `client`, `holder` or `coverage`.
    #[serde(default)]
    pub basis: String,
    /// What starts it: `admitted`, `ready`, `offered` or `accepted`.
    #[serde(default)]
    pub start: String,
    /// What stops it.
    #[serde(default)]
    pub stop: String,
    /// Its limit in whole minutes of its basis.
    pub target_minutes: i64,
    /// When it started.
    pub started_at: Option<String>,
    /// When it stopped.
    pub stopped_at: Option<String>,
    /// How it stopped: `met`, `breached` or `cancelled`.
    #[serde(default)]
    pub outcome: Option<String>,
    /// The reason for which it stands now.
    pub paused: Option<String>,
    /// When its target is used up, as things stand.
    #[serde(default)]
    pub due_at: Option<String>,
    /// How many of its warnings were given.
    #[serde(default)]
    pub warnings: u32,
    /// When its target was used up, once that was told.
    #[serde(default)]
    pub breached_at: Option<String>,
    /// What its closed segments counted in all, in milliseconds of its basis.
    #[serde(default)]
    pub counted_ms: i64,
    /// The segment that is open.
    #[serde(default)]
    pub open: Option<OpenSegmentView>,
    /// Its closed segments, in order; only where one task is shown.
    #[serde(default)]
    pub segments: Vec<SegmentView>,
    /// What its closed segments counted by holder, in the order of team ids; only where one task is shown.
    #[serde(default)]
    pub shares: Vec<ShareView>,
}

/// A segment that is not closed yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenSegmentView {
    /// Since when.
    pub from: String,
    /// Who holds the task.
    pub holder: Option<String>,
    /// The reason for which the clock stands.
    pub paused: Option<String>,
}

/// A closed segment, which never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentView {
    /// Its number in its clock, from 1.
    pub number: u32,
    /// From when.
    pub from: String,
    /// Until when.
    pub until: String,
    /// Who held the task.
    pub holder: Option<String>,
    /// The reason for which the clock stood.
    pub paused: Option<String>,
    /// What it counted, in milliseconds of the clock's basis.
    pub counted_ms: i64,
    /// What closed it, such as `holder_changed`.
    pub closed_by: String,
}

/// What one holder used of a clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShareView {
    /// The holder; none while nobody held the task.
    pub holder: Option<String>,
    /// What its segments counted, in milliseconds of the clock's basis.
    pub counted_ms: i64,
}

/// The clocks of a task. Segments that were closed after the task was read are left out.
pub(super) fn clocks(task: &Task, segments: &[Segment]) -> Vec<ClockView> {
    let of = |clock: &Clock| {
        let own = segments.iter().filter(|it| it.clock == clock.rule.name && it.number <= clock.segments);
        let own: Vec<&Segment> = own.collect();
        ClockView {
            segments: own.iter().map(|it| SegmentView::from(*it)).collect(),
            shares: shares(&own),
            ..view(clock, task)
        }
    };
    task.clocks.iter().map(of).collect()
}

fn view(clock: &Clock, task: &Task) -> ClockView {
    let text = |at: Option<_>| at.map(instant::text);
    ClockView {
        name: clock.rule.name.as_str().into(),
        basis: basis(&clock.rule.basis),
        start: word(clock.rule.start).into(),
        stop: word(clock.rule.stop).into(),
        target_minutes: clock.target().num_minutes(),
        started_at: text(clock.started_at),
        stopped_at: text(clock.stopped_at),
        outcome: outcome(clock, task).map(|outcome| outcome.as_str().into()),
        paused: clock.open.as_ref().and_then(|open| open.standing.as_ref()).map(|reason| reason.as_str().into()),
        due_at: text(clock.due_at),
        warnings: clock.warnings,
        breached_at: text(clock.breached_at),
        counted_ms: clock.counted_ms,
        open: clock.open.as_ref().map(|open| OpenSegmentView {
            from: instant::text(open.from),
            holder: open.holder.as_ref().map(|team| team.as_str().into()),
            paused: open.standing.as_ref().map(|reason| reason.as_str().into()),
        }),
        segments: Vec::new(),
        shares: Vec::new(),
    }
}

fn word(moment: Moment) -> &'static str {
    match moment {
        Moment::Admitted => "admitted",
        Moment::Ready => "ready",
        Moment::Offered => "offered",
        Moment::Accepted => "accepted",
        Moment::Completed => "completed",
    }
}

fn basis(basis: &Basis) -> String {
    match basis {
        Basis::Wall => "wall".into(),
        Basis::Calendar(id) => format!("calendar:{id}"),
        Basis::Client => "client".into(),
        Basis::Holder => "holder".into(),
        Basis::Coverage => "coverage".into(),
    }
}

/// How a clock stopped; one that a cancellation stopped is neither met nor breached.
fn outcome(clock: &Clock, task: &Task) -> Option<Outcome> {
    let stopped_at = clock.stopped_at?;
    let by_cancelling = matches!(&task.state, TaskState::Cancelled { at, .. } if *at == stopped_at);
    Some(match (clock.breached_at, by_cancelling) {
        (Some(_), _) => Outcome::Breached,
        (None, true) => Outcome::Cancelled,
        (None, false) => Outcome::Met,
    })
}

fn shares(segments: &[&Segment]) -> Vec<ShareView> {
    let mut shares: BTreeMap<Option<&str>, i64> = BTreeMap::new();
    for segment in segments {
        *shares.entry(segment.holder.as_ref().map(|team| team.as_str())).or_default() += segment.counted_ms;
    }
    shares.into_iter().map(|(holder, counted_ms)| ShareView { holder: holder.map(Into::into), counted_ms }).collect()
}

impl From<&Segment> for SegmentView {
    fn from(segment: &Segment) -> Self {
        Self {
            number: segment.number,
            from: instant::text(segment.from),
            until: instant::text(segment.until),
            holder: segment.holder.as_ref().map(|team| team.as_str().into()),
            paused: segment.standing.as_ref().map(|reason| reason.as_str().into()),
            counted_ms: segment.counted_ms,
            closed_by: segment.closed_by.as_str().into(),
        }
    }
}
