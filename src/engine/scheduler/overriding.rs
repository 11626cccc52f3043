//! Overrides while the scheduler runs: set, removed, at their end. Whatever rests on the view of the teams is worked out
//! anew, since one override may matter to every waiting task.

use super::Scheduler;
use crate::engine::effect::{Effect, OverrideChange};
use crate::engine::event::{OverrideWish, Refusal};
use crate::engine::overrides::{Override, Overrides};

impl Scheduler {
    /// The overrides.
    #[must_use]
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    pub(super) fn change_override(&mut self, wish: OverrideWish) {
        self.out.overridden = Some(self.try_override(wish));
    }

    fn try_override(&mut self, wish: OverrideWish) -> Result<u64, Refusal> {
        let (change, changed, by) = match wish {
            OverrideWish::Set(new) => {
                let set = self.overrides.set(*new, &self.base, self.now)?;
                (OverrideChange::Set, set, None)
            }
            OverrideWish::Remove { id, author, reason } => {
                let removed = self.overrides.remove(id, (&author, &reason), self.now)?;
                (OverrideChange::Removed, removed, Some((author, reason)))
            }
        };
        let id = changed.id;
        self.tell_override(change, changed, by);
        self.take_view();
        Ok(id)
    }

    /// Some begin or end now. Firing early or twice is a no-op.
    pub(super) fn turn_overrides(&mut self) {
        for ended in self.overrides.expire(self.now) {
            self.tell_override(OverrideChange::Expired, ended, None);
        }
        self.take_view();
    }

    /// Whether some begin or end now and that is not seen to yet.
    pub(super) fn overrides_turn_now(&self) -> bool {
        self.overrides_turn_at.is_some_and(|at| at <= self.now)
    }

    fn tell_override(&mut self, change: OverrideChange, it: Override, by: Option<(String, String)>) {
        let (ended_by, ended_because) = by.unzip();
        let team = Some(it.team.clone());
        let effect = Effect::ChangeOverride { change, it: Box::new(it), ended_by, ended_because };
        self.record_aside(None, team, None, effect);
    }
}
