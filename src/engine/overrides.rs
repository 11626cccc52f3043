//! Overrides: what people set on a team for a time, on top of the roster.
//!
//! There is one effective view, [`Overrides::view`]: the roster, then the overrides. Overrides act on teams only: a calendar
//! of the roster that a clock counts by, or the hours of a client, stay as they are. They never change what has been: one
//! begins now at the earliest, and one that has ended still counts for the time in which it stood.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::calendar::Change as HoursChange;
use super::event::{Refusal, RefusalCode};
use super::id::TeamId;
use super::roster::{Capacity, MAX_SEATS, Roster, Team};

/// Overrides that stand or are to come at most; one more is refused.
pub const MAX_OVERRIDES: usize = 1_000;

/// How many that have ended are kept in memory; the store keeps all.
const MAX_ENDED: usize = 10_000;

/// How long an override may stand.
pub const MAX_STANDS_FOR: TimeDelta = TimeDelta::days(366);
/// How long the hours of one that has ended are kept: clocks of open tasks may count them.
pub const KEPT_FOR: TimeDelta = TimeDelta::days(400);
/// Bytes of an author's name and of a reason at most.
pub const MAX_TEXT_BYTES: usize = 1_000;

/// What somebody wants to set on a team.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewOverride {
    /// The team.
    pub team: TeamId,
    /// What is set.
    #[serde(flatten)]
    pub kind: OverrideKind,
    /// From when on; a time that has passed counts as now.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// When it ends.
    pub until: DateTime<Utc>,
    /// Who sets it.
    pub author: String,
    /// Why.
    pub reason: String,
}

/// What is set on a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum OverrideKind {
    /// It is closed, whatever its calendar says.
    Close,
    /// It is open, whatever its calendar says.
    Open,
    /// It has so many seats.
    Seats {
        /// How many.
        seats: u32,
    },
    /// It takes nothing new and hands off at its shift end.
    Drain,
}

impl OverrideKind {
    /// The words of all kinds.
    pub const WORDS: [&'static str; 4] = ["close", "open", "seats", "drain"];

    /// The word in messages and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Close => "close",
            Self::Open => "open",
            Self::Seats { .. } => "seats",
            Self::Drain => "drain",
        }
    }
}

/// An override.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Its number, which rises.
    pub id: u64,
    /// The team.
    pub team: TeamId,
    /// What is set.
    #[serde(flatten)]
    pub kind: OverrideKind,
    /// From when on.
    pub from: DateTime<Utc>,
    /// When it ends by itself.
    pub until: DateTime<Utc>,
    /// Who set it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When it was set.
    pub set_at: DateTime<Utc>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
}

impl Override {
    /// Whether it stands at an instant.
    #[must_use]
    pub fn stands_at(&self, at: DateTime<Utc>) -> bool {
        self.from <= at && at < self.ends_at()
    }

    fn ends_at(&self) -> DateTime<Utc> {
        self.ended_at.map_or(self.until, |ended_at| ended_at.min(self.until))
    }
}

/// All overrides by number: those that stand or are to come, and those that ended not long ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overrides {
    by_id: BTreeMap<u64, Override>,
    last_id: u64,
}

impl Overrides {
    /// The overrides of a store; `last_id` is the highest number ever given.
    #[must_use]
    pub fn of(overrides: impl IntoIterator<Item = Override>, last_id: u64) -> Self {
        let by_id: BTreeMap<_, _> = overrides.into_iter().map(|it| (it.id, it)).collect();
        let last_id = by_id.keys().next_back().copied().unwrap_or(0).max(last_id);
        Self { by_id, last_id }
    }

    /// Those that stand or are to come, by number.
    pub fn standing(&self) -> impl Iterator<Item = &Override> {
        self.by_id.values().filter(|it| it.ended_at.is_none())
    }

    /// Checks what somebody wants to set, and sets it.
    ///
    /// # Errors
    /// A refusal that names the field.
    pub fn set(&mut self, new: NewOverride, roster: &Roster, now: DateTime<Utc>) -> Result<Override, Refusal> {
        let checked = self.checked(new, roster, now)?;
        self.last_id = checked.id;
        self.forget(now);
        self.by_id.insert(checked.id, checked.clone());
        Ok(checked)
    }

    fn checked(&self, new: NewOverride, roster: &Roster, now: DateTime<Utc>) -> Result<Override, Refusal> {
        let invalid = |field: &str, message: String| Refusal::of_field(RefusalCode::InvalidField, field, message);
        let NewOverride { team, kind, from, until, author, reason } = new;
        let Some(index) = roster.team_index(&team) else {
            return Err(Refusal::of_field(RefusalCode::UnknownTeam, "team", format!("{team:?} is not in the roster")));
        };
        let from = from.unwrap_or(now).max(now);
        if until <= from {
            return Err(invalid("until", format!("{until} is not after {from}, when it begins; give a later one")));
        }
        if until - from > MAX_STANDS_FOR {
            let days = MAX_STANDS_FOR.num_days();
            return Err(invalid("until", format!("{until} is more than {days} days after {from}; change the roster")));
        }
        signed(&author, &reason)?;
        if let (OverrideKind::Seats { .. }, Capacity::EffortHours(_)) = (kind, roster.team(index).capacity) {
            return Err(invalid("kind", format!("team {team} is sized by effort_hours and has no seats to set")));
        }
        if let OverrideKind::Seats { seats } = kind
            && seats > MAX_SEATS
        {
            return Err(invalid("seats", format!("{seats} is more than {MAX_SEATS}, the most that a team can have")));
        }
        if self.standing().count() >= MAX_OVERRIDES {
            let message = format!("{MAX_OVERRIDES} overrides stand or are to come; remove some, or change the roster");
            return Err(Refusal::new(RefusalCode::Full, message));
        }
        let id = self.last_id + 1;
        Ok(Override { id, team, kind, from, until, author, reason, set_at: now, ended_at: None })
    }

    /// Ends one.
    ///
    /// # Errors
    /// None of this number stands or is to come, or nobody signs with a reason.
    pub fn remove(&mut self, id: u64, (author, reason): (&str, &str), now: DateTime<Utc>) -> Result<Override, Refusal> {
        signed(author, reason)?;
        let found = self.by_id.get_mut(&id).filter(|it| it.ended_at.is_none()).ok_or_else(|| {
            let message = format!("no override {id} stands or is to come; heliograph override list shows them");
            Refusal::of_field(RefusalCode::InvalidField, "id", message)
        })?;
        found.ended_at = Some(now);
        Ok(found.clone())
    }

    /// Ends those whose time is over, and forgets those that ended long ago. Gives those that ended, by number.
    pub fn expire(&mut self, now: DateTime<Utc>) -> Vec<Override> {
        let mut ended = Vec::new();
        for it in self.by_id.values_mut().filter(|it| it.ended_at.is_none() && it.until <= now) {
            it.ended_at = Some(it.until);
            ended.push(it.clone());
        }
        self.forget(now);
        ended
    }

    /// Forgets those that ended long ago, those that change no hours, and past [`MAX_ENDED`] the first ones.
    fn forget(&mut self, now: DateTime<Utc>) {
        let changes_hours = |it: &Override| matches!(it.kind, OverrideKind::Close | OverrideKind::Open);
        let is_kept = |ended_at: DateTime<Utc>| now - ended_at < KEPT_FOR;
        self.by_id.retain(|_, it| it.ended_at.is_none_or(|at| changes_hours(it) && is_kept(at)));
        let ended = self.by_id.values().filter(|it| it.ended_at.is_some()).count();
        let mut too_many = ended.saturating_sub(MAX_ENDED);
        self.by_id.retain(|_, it| {
            let is_one = too_many > 0 && it.ended_at.is_some();
            too_many -= usize::from(is_one);
            !is_one
        });
    }

    /// The next instant after `now` at which one begins or ends.
    #[must_use]
    pub fn next_turn(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let turns = self.standing().map(|it| if it.from > now { it.from } else { it.until });
        turns.min()
    }

    /// Teams that an override which stands or is to come names and a roster lacks, in the order of the numbers.
    pub fn missing_in<'a>(&'a self, roster: &'a Roster) -> impl Iterator<Item = &'a Override> {
        self.standing().filter(|it| roster.team_index(&it.team).is_none())
    }

    /// The roster with the overrides on it, as it is at an instant; hours of the past and of the time to come included.
    #[must_use]
    pub fn view(&self, roster: &Arc<Roster>, at: DateTime<Utc>) -> Arc<Roster> {
        let mut by_team: BTreeMap<&TeamId, Vec<&Override>> = BTreeMap::new();
        for it in self.by_id.values() {
            by_team.entry(&it.team).or_default().push(it);
        }
        if by_team.is_empty() {
            return Arc::clone(roster);
        }
        let mut view = Roster::clone(roster);
        for team in &mut view.teams {
            if let Some(overrides) = by_team.get(&team.id) {
                put_on(team, overrides, at);
            }
        }
        Arc::new(view)
    }
}

/// Checks that somebody asks for it and says why, in one line each.
///
/// # Errors
/// A [`Refusal`] with the field that is empty, too long or has control characters.
pub fn signed(author: &str, reason: &str) -> Result<(), Refusal> {
    for (field, text) in [("author", author), ("reason", reason)] {
        if text.trim().is_empty() || text.len() > MAX_TEXT_BYTES || text.chars().any(char::is_control) {
            let message = format!("must be 1 to {MAX_TEXT_BYTES} bytes of text without control characters");
            return Err(Refusal::of_field(RefusalCode::InvalidField, field, message));
        }
    }
    Ok(())
}

/// Of two that contradict each other the later one counts.
fn put_on(team: &mut Team, overrides: &[&Override], at: DateTime<Utc>) {
    let (mut hours, mut drains) = (Vec::new(), Vec::new());
    for it in overrides {
        let stands = it.stands_at(at);
        match it.kind {
            OverrideKind::Close | OverrideKind::Open => {
                let open = it.kind == OverrideKind::Open;
                hours.push(HoursChange { from: it.from, until: it.ends_at(), open });
                if stands {
                    team.closed_by_override = !open;
                }
            }
            // A later roster may size the team by effort, which has no seats.
            OverrideKind::Seats { seats } if stands && matches!(team.capacity, Capacity::Seats(_)) => {
                team.capacity = Capacity::Seats(seats);
            }
            OverrideKind::Drain => {
                drains.push(HoursChange { from: it.from, until: it.ends_at(), open: false });
                if stands {
                    team.drained_until = team.drained_until.max(Some(it.ends_at()));
                }
            }
            OverrideKind::Seats { .. } => {}
        }
    }
    for changes in [&mut hours, &mut drains] {
        changes.retain(|change| change.from < change.until);
    }
    if !drains.is_empty() {
        let without = hours.iter().cloned().chain(drains).collect();
        team.new_work_hours = Some(Arc::new(team.calendar.with(without)));
    }
    if !hours.is_empty() {
        team.calendar = Arc::new(team.calendar.with(hours));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(id: u64, kind: OverrideKind, ended_at: DateTime<Utc>) -> Override {
        Override {
            id,
            team: TeamId::new("london").expect("an id"),
            kind,
            from: DateTime::UNIX_EPOCH,
            until: ended_at,
            author: "Ann".into(),
            reason: "a flood".into(),
            set_at: DateTime::UNIX_EPOCH,
            ended_at: Some(ended_at),
        }
    }

    #[test]
    fn of_those_that_ended_the_newest_that_changed_hours_are_kept() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1_000);
        let stands = Override { ended_at: None, ..ended(1, OverrideKind::Drain, now) };
        let old = ended(2, OverrideKind::Close, now - KEPT_FOR);
        let drained = ended(3, OverrideKind::Drain, now);
        let most = u64::try_from(MAX_ENDED).expect("a number");
        let closed = (10..15 + most).map(|id| ended(id, OverrideKind::Close, now));
        let mut overrides = Overrides::of([stands, old, drained].into_iter().chain(closed), 0);
        overrides.forget(now);
        let kept: Vec<_> = overrides.by_id.keys().copied().collect();
        assert_eq!((kept.len(), &kept[..2], kept.last()), (MAX_ENDED + 1, &[1, 15][..], Some(&(14 + most))));
    }
}
