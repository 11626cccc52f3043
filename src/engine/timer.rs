//! What the passing of time alone brings about.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::roster::TeamIndex;
use super::task::Arrival;

/// A timer. At one instant timers fire in this order, then by team or by arrival; firing early or twice is a no-op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// An override begins or ends.
    OverridesTurn,
    /// A team closes, for a break or for the night.
    TeamCloses(TeamIndex),
    /// An offer ends unanswered.
    OfferLapses(Arrival),
    /// A shift of a team ends soon: what happens to its tasks is decided.
    HandoffNotice(TeamIndex),
    /// A task is left that was to be finished a little past the close.
    GraceEnds(Arrival),
    /// A vetting or an admission of a team ends.
    QualificationEnds(TeamIndex),
    /// An update that came before its request is kept no longer.
    KeptEnds(u64),
    /// The clocks of a paused task run again, since its pause has reached its cap.
    PauseCapped(Arrival),
    /// So much of a clock of a task is used up that it warns.
    SlaWarns(Arrival),
    /// A clock of a task has used up its target.
    SlaBreached(Arrival),
    /// So much of a clock of a task is used up that an escalation step is taken.
    SlaEscalates(Arrival),
    /// A step of a process is later than its process allows.
    StepLate(Arrival),
    /// The holder of a task has said nothing for long.
    Stalled(Arrival),
    /// For long a task has waited for one that nobody has sent.
    PredecessorUnknown(Arrival),
    /// A team opens.
    TeamOpens(TeamIndex),
    /// A task is to be offered to the team that has it next.
    HandoffOffer(Arrival),
    /// The team that a task waits for because it finishes better was expected to have room.
    BetterExpected(Arrival),
    /// A team that turned a task down may be asked again.
    TurnDownEnds(Arrival),
    /// A task's `not_before` is reached.
    NotBefore(Arrival),
    /// What classes know of the hours ahead is worked out anew, before it runs out.
    ClassesRenew,
}

/// Timers by due time.
#[derive(Debug, Clone, Default)]
pub struct Timers {
    due: BTreeSet<(DateTime<Utc>, Timer)>,
}

impl Timers {
    /// Sets a timer; setting it twice is the same as once.
    pub fn set(&mut self, due_at: DateTime<Utc>, timer: Timer) {
        self.due.insert((due_at, timer));
    }

    /// Clears a timer; clearing one that is not set does nothing.
    pub fn clear(&mut self, due_at: DateTime<Utc>, timer: Timer) {
        self.due.remove(&(due_at, timer));
    }

    /// Clears a timer, and says whether it was set.
    pub fn take(&mut self, due_at: DateTime<Utc>, timer: Timer) -> bool {
        self.due.remove(&(due_at, timer))
    }

    /// Takes the first timer that is due at `now`.
    pub fn pop_due(&mut self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, Timer)> {
        if self.due.first()?.0 > now {
            return None;
        }
        self.due.pop_first()
    }

    /// When the next one is due.
    #[must_use]
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.due.first().map(|(due_at, _)| *due_at)
    }

    /// Whether a timer is set.
    #[must_use]
    pub fn contains(&self, due_at: DateTime<Utc>, timer: Timer) -> bool {
        self.due.contains(&(due_at, timer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closings_lapses_warnings_breaches_and_openings_come_in_this_order() {
        let at = DateTime::<Utc>::UNIX_EPOCH;
        let mut timers = Timers::default();
        timers.set(at, Timer::TeamOpens(TeamIndex(0)));
        timers.set(at, Timer::SlaBreached(Arrival(1)));
        timers.set(at, Timer::SlaWarns(Arrival(7)));
        timers.set(at, Timer::OfferLapses(Arrival(1)));
        timers.set(at, Timer::TeamCloses(TeamIndex(9)));
        let order: Vec<_> = std::iter::from_fn(|| timers.pop_due(at)).map(|(_, timer)| timer).collect();
        let wanted = [
            Timer::TeamCloses(TeamIndex(9)),
            Timer::OfferLapses(Arrival(1)),
            Timer::SlaWarns(Arrival(7)),
            Timer::SlaBreached(Arrival(1)),
            Timer::TeamOpens(TeamIndex(0)),
        ];
        assert_eq!(order, wanted);
    }
}
