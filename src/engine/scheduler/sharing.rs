//! What clients are charged for the seats that they get, and the turns in which a team takes the oldest task.

use super::Scheduler;
use crate::engine::fairness::{Charge, Mark};
use crate::engine::id::ClientId;
use crate::engine::queue::{Next, Place};
use crate::engine::request::Priority;
use crate::engine::roster::TeamIndex;
use crate::engine::task::{Arrival, Task};

impl Scheduler {
    /// Charges a client for a task that is about to be offered, once for each task.
    pub(super) fn charge_offer(&mut self, arrival: Arrival) -> Option<Charge> {
        let task = self.task_of(arrival)?;
        if task.charged.is_some() {
            return task.charged;
        }
        let client = task.client.clone();
        let weight = self.board.roster.clients.get(&client).map_or(1, |client| client.weight);
        let charge = Charge { priority: task.priority, minutes: task.remaining_minutes(), weight };
        self.queue.charge(&client, charge);
        Some(charge)
    }

    /// The priority that a client's new task has: one that is urgent past its quota of the day, in UTC, counts as high.
    pub(super) fn within_quota(&mut self, client: &ClientId, asked: Priority) -> Priority {
        let quota = self.board.roster.clients.get(client).and_then(|client| client.urgent_quota);
        let (Priority::Urgent, Some(quota)) = (asked, quota) else { return asked };
        let today = self.told_at().date_naive();
        let marks = self.queue.marks_mut();
        marks.forget_days_before(client, today);
        let mark = Mark::Urgent(client.clone(), today);
        let used = marks.get(&mark);
        if used >= u64::from(quota) {
            return Priority::High;
        }
        marks.set(mark, used + 1);
        asked
    }

    /// What was charged for an ended task becomes what was worked on it.
    pub(super) fn correct_charge(&mut self, task: &Task) {
        let Some(charge) = task.charged else { return };
        let seconds: u64 = task.holders.iter().map(|part| part.worked_seconds).sum();
        self.queue.correct(&task.client, charge, u32::try_from(seconds / 60).unwrap_or(u32::MAX));
    }

    /// Whether the next seat of a team goes to its oldest task.
    pub(super) fn is_turn_of_oldest(&self, team: TeamIndex) -> bool {
        let roster = &self.board.roster;
        let turns = self.queue.marks().get(&Mark::Turns(roster.team(team).id.clone()));
        turns + 1 >= u64::from(roster.routing.fair_every)
    }

    /// Counts the seat that a team has given to a waiting task, if it has.
    pub(super) fn take_turn(&mut self, team: TeamIndex, next: &Next) {
        let id = &self.board.roster.team(team).id;
        if self.task_of(next.key.arrival).is_none_or(|task| task.state.team() != Some(id)) {
            return;
        }
        let mark = Mark::Turns(id.clone());
        let turns = match next.place {
            Place::Oldest(_) => 0,
            Place::Share(..) => self.queue.marks().get(&mark) + 1,
        };
        self.queue.marks_mut().set(mark, turns);
    }
}
