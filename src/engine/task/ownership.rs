//! What an owner of a task has, and what is decided for the end of its shift.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::holders::{Holder, Notes};
use super::state::Offer;
use crate::engine::calendar::Calendar;
use crate::engine::handoff::KeepReason;
use crate::engine::id::TeamId;
use crate::engine::roster::Team;

/// Ownership by a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    /// Who owns it.
    pub team: TeamId,
    /// Under which number.
    pub assignment: u32,
    /// When it was offered.
    pub offered_at: DateTime<Utc>,
    /// Since when it owns it.
    pub at: DateTime<Utc>,
    /// Remaining effort in minutes as last reported; the effort when nothing was.
    pub remaining_minutes: u32,
    /// When that was reported.
    pub reported_at: Option<DateTime<Utc>>,
    /// What it has worked so far.
    #[serde(default, skip_serializing_if = "Worked::is_default")]
    pub worked: Worked,
    /// Whether it is heard of.
    #[serde(default, skip_serializing_if = "Silence::is_default")]
    pub silence: Silence,
    /// Why it owns the task although it is closed.
    pub closed_because: Option<ClosedBecause>,
    /// What is decided for its shift end.
    #[serde(default, skip_serializing_if = "HandoffState::is_default")]
    pub handoff: HandoffState,
}

/// What a holder has worked: the open time of its team without pauses, as it was counted by the hours of then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Worked {
    /// Counted so far, in milliseconds.
    pub counted_ms: u64,
    /// Of that, what was counted when the holder last said how much is left.
    pub at_report_ms: u64,
    /// From when on it counts; absent, from the beginning of the ownership.
    pub since: Option<DateTime<Utc>>,
}

impl Worked {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How long a holder has said nothing. Source: the service model, "Stalled".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Silence {
    /// What it had worked when it was last heard of, in milliseconds.
    pub heard_ms: u64,
    /// When it was told that it says nothing, which is told once in an ownership.
    pub told_at: Option<DateTime<Utc>>,
    /// Whether it was heard of since.
    pub is_over: bool,
}

impl Silence {
    /// The least open time of a holder's team without a word that is told.
    pub const LEAST: TimeDelta = TimeDelta::hours(2);

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What is decided for the end of a holder's shift; nothing before the notice.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HandoffState {
    /// Why the holder owns the task past the close, once it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_close: Option<ClosedBecause>,
    /// Why it keeps it, as last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_for: Option<KeepReason>,
    /// The shift end that is decided for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shift_end: Option<DateTime<Utc>>,
    /// Until when it may finish past the close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_until: Option<DateTime<Utc>>,
    /// When a team that turned it down may be asked again, while nobody else can take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_again_at: Option<DateTime<Utc>>,
    /// Whether the holder was asked for its notes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requested: bool,
    /// Whether the holder has handed it on: it goes as soon as somebody is there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
    /// What the holder tells the next one.
    #[serde(flatten)]
    pub notes: Notes,
    /// The team that is to have it next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passing: Option<Box<Passing>>,
}

impl Active {
    /// Ownership from now on, with this much to do.
    #[must_use]
    pub fn new(offer: &Offer, remaining_minutes: u32, now: DateTime<Utc>) -> Self {
        Self {
            team: offer.team.clone(),
            assignment: offer.assignment,
            offered_at: offer.at,
            at: now,
            remaining_minutes,
            reported_at: None,
            worked: Worked::default(),
            silence: Silence::default(),
            closed_because: None,
            handoff: HandoffState::default(),
        }
    }

    /// What it has worked until an instant, in milliseconds, by the hours of its team; a pause does not count.
    #[must_use]
    pub fn worked_ms(&self, hours: &Calendar, is_paused: bool, until: DateTime<Utc>) -> u64 {
        let since = self.worked.since.unwrap_or(self.at);
        if is_paused || until <= since {
            return self.worked.counted_ms;
        }
        let more = hours.elapsed(since, until, &[]).unwrap_or_default();
        self.worked.counted_ms.saturating_add(u64::try_from(more.num_milliseconds()).unwrap_or(0))
    }

    /// Counts what it has worked until now by these hours, and from now on by those to come.
    pub fn count_work(&mut self, hours: &Calendar, is_paused: bool, now: DateTime<Utc>) {
        self.worked.counted_ms = self.worked_ms(hours, is_paused, now);
        self.worked.since = Some(now);
    }

    /// It says how much is left.
    pub fn report(&mut self, remaining_minutes: u32, hours: &Calendar, is_paused: bool, now: DateTime<Utc>) {
        self.hear(hours, is_paused, now);
        self.worked.at_report_ms = self.worked.counted_ms;
        (self.remaining_minutes, self.reported_at) = (remaining_minutes, Some(now));
    }

    /// What it has worked since it last said how much is left, up to when it counts on.
    #[must_use]
    pub fn worked_since_report(&self) -> (TimeDelta, DateTime<Utc>) {
        let ms = self.worked.counted_ms.saturating_sub(self.worked.at_report_ms);
        let counted = TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX));
        (counted, self.worked.since.unwrap_or(self.at))
    }

    /// It is heard of.
    pub fn hear(&mut self, hours: &Calendar, is_paused: bool, now: DateTime<Utc>) {
        self.count_work(hours, is_paused, now);
        self.silence.heard_ms = self.worked.counted_ms;
        self.silence.is_over = self.silence.told_at.is_some();
    }

    /// Whether it was heard of at this very instant.
    #[must_use]
    pub fn is_heard(&self, now: DateTime<Utc>) -> bool {
        self.worked.since == Some(now) && self.silence.heard_ms == self.worked.counted_ms && !self.is_stalled()
    }

    /// Whether it has said nothing for so long that it was told, and nothing since.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.silence.told_at.is_some() && !self.silence.is_over
    }

    /// When it has said nothing for twice the effort that it last said is left, and for [`Silence::LEAST`] at least, of the
    /// open time of its team; `None` while it is paused and once that was told.
    #[must_use]
    pub fn stalls_at(&self, hours: &Calendar, is_paused: bool) -> Option<DateTime<Utc>> {
        if is_paused || self.silence.told_at.is_some() {
            return None;
        }
        let ms = self.worked.counted_ms.saturating_sub(self.silence.heard_ms);
        let silent = TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX));
        let limit = TimeDelta::minutes(2 * i64::from(self.remaining_minutes)).max(Silence::LEAST);
        hours.add(self.worked.since.unwrap_or(self.at), (limit - silent).max(TimeDelta::zero()), &[]).ok()
    }

    /// Its part as it ends now, of this team.
    #[must_use]
    pub fn ended_part(&self, team: &Team, is_paused: bool, now: DateTime<Utc>) -> Holder {
        let worked_ms = self.worked_ms(&team.calendar, is_paused, now);
        Holder {
            team: self.team.clone(),
            assignment: self.assignment,
            from: self.at,
            until: now,
            remaining_minutes: self.remaining_minutes,
            worked_seconds: worked_ms / 1_000,
            cost_cents: cost_cents(worked_ms, team.cost_per_hour_cents),
            notes: self.handoff.notes.clone(),
            completed_late_at: None,
            notes_dropped: false,
        }
    }

    /// The holder is closed for this reason; a break and a pause stay what they are.
    pub fn close_for(&mut self, because: ClosedBecause) {
        if !matches!(self.closed_because, Some(ClosedBecause::Break | ClosedBecause::Paused)) {
            self.closed_because = Some(because);
        }
    }

    /// Nobody is to have it next for the moment; a closed holder keeps it until that is decided.
    pub fn forget_plan(&mut self) {
        self.handoff.passing = None;
        self.handoff.at_close = self.handoff.at_close.filter(|because| *because != ClosedBecause::Planned);
        if self.closed_because == Some(ClosedBecause::Planned) {
            self.closed_because = Some(ClosedBecause::Kept);
        }
    }
}

/// The cost of so much work, to the nearest cent.
fn cost_cents(worked_ms: u64, cents_per_hour: u32) -> u64 {
    const HOUR_MS: u64 = 3_600_000;
    (worked_ms.saturating_mul(u64::from(cents_per_hour)).saturating_add(HOUR_MS / 2)) / HOUR_MS
}

impl HandoffState {
    /// Whether nothing is decided for this shift end yet.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.at_close.is_none() && self.passing.is_none()
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A planned hand-off, and the offer that is made by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passing {
    /// To whom.
    pub to: TeamId,
    /// The effort that a seat is kept for there, in minutes.
    pub effort_minutes: u32,
    /// When it is offered: at the holder's answer or its close, when the team is open by then.
    pub offer_at: DateTime<Utc>,
    /// The offer, once made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<Offer>,
}

/// Why a closed team owns a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBecause {
    /// A break inside the shift.
    Break,
    /// Little is left and is finished past the close.
    Grace,
    /// Keeping it was decided.
    Kept,
    /// A hand-off is planned.
    Planned,
    /// No other team can take it.
    NoTaker,
    /// It is paused.
    Paused,
}

impl ClosedBecause {
    /// The word used in messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Break => "break",
            Self::Grace => "grace",
            Self::Kept => "kept",
            Self::Planned => "planned",
            Self::NoTaker => "no_taker",
            Self::Paused => "paused",
        }
    }
}
