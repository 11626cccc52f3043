//! What time a basis counts: how much of it lies between two instants, and where a sum of it ends.

use chrono::{DateTime, TimeDelta, Utc};

use crate::engine::calendar::{Calendar, Timeline};
use crate::engine::id::{ClientId, TeamId};
use crate::engine::roster::{Basis, Roster};

use super::clock::OpenSegment;

/// The hours that the clocks of a task count by.
#[derive(Debug, Clone, Copy)]
pub struct Hours<'a> {
    /// The roster that they are of.
    pub roster: &'a Roster,
    /// Whose work it is.
    pub client: &'a ClientId,
    /// The time in which any team is open that may do it, where a clock counts that.
    pub coverage: Option<&'a Timeline>,
}

/// The time that counts.
enum Counted<'a> {
    All,
    Calendar(&'a Calendar),
    Timeline(&'a Timeline),
    None,
}

impl<'a> Hours<'a> {
    /// What an open segment has counted until an instant.
    #[must_use]
    pub fn counted(&self, basis: &Basis, open: &OpenSegment, until: DateTime<Utc>) -> TimeDelta {
        if open.standing.is_some() || until <= open.from {
            return TimeDelta::zero();
        }
        self.of(basis, open.holder.as_ref()).elapsed(open.from, until)
    }

    /// When so much of a basis has passed since an instant, if the team holds the task; `None` is not within the horizon.
    #[must_use]
    pub fn reach(
        &self,
        basis: &Basis,
        holder: Option<&TeamId>,
        from: DateTime<Utc>,
        amount: TimeDelta,
    ) -> Option<DateTime<Utc>> {
        self.of(basis, holder).add(from, amount.max(TimeDelta::zero()))
    }

    fn of(&self, basis: &Basis, holder: Option<&TeamId>) -> Counted<'a> {
        let coverage = || self.coverage.map_or(Counted::None, Counted::Timeline);
        match (basis, holder) {
            (Basis::Wall, _) => Counted::All,
            (Basis::Calendar(id), _) => self.roster.calendars.get(id).map_or(Counted::None, |it| Counted::Calendar(it)),
            (Basis::Client, _) => {
                let calendar = self.roster.clients.get(self.client).and_then(|client| client.calendar.as_ref());
                calendar.map_or(Counted::None, |it| Counted::Calendar(it))
            }
            // A team that the roster lacks has no hours.
            (Basis::Holder, Some(team)) => self
                .roster
                .team_index(team)
                .map_or(Counted::None, |team| Counted::Calendar(&self.roster.team(team).calendar)),
            (Basis::Holder, None) | (Basis::Coverage, _) => coverage(),
        }
    }
}

impl Counted<'_> {
    fn elapsed(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> TimeDelta {
        match self {
            Self::All => to - from,
            Self::Calendar(calendar) => calendar.elapsed(from, to, &[]).unwrap_or_default(),
            Self::Timeline(timeline) => timeline.elapsed(from, to, &[]).unwrap_or_default(),
            Self::None => TimeDelta::zero(),
        }
    }

    fn add(&self, from: DateTime<Utc>, amount: TimeDelta) -> Option<DateTime<Utc>> {
        match self {
            Self::All => from.checked_add_signed(amount),
            Self::Calendar(calendar) => calendar.add(from, amount, &[]).ok(),
            Self::Timeline(timeline) => timeline.add(from, amount, &[]).ok(),
            Self::None => None,
        }
    }
}
