//! Updates of a firm that come before their request: the two travel by different queues, so that a cancel may overtake
//! what it cancels. They are kept for a while and applied at admission. Source: the contract, "Updates".

use chrono::TimeDelta;

use super::Scheduler;
use super::permission::unknown_task;
use crate::engine::effect::Answer;
use crate::engine::event::Refusal;
use crate::engine::id::{ClientId, TaskId};
use crate::engine::timer::Timer;
use crate::engine::update::{Change, KeptUpdate, Sender, Update};

/// How long such an update is kept.
pub const KEPT_FOR: TimeDelta = TimeDelta::minutes(10);

/// How many are kept at most; one more is refused as one of an unknown task.
pub const MAX_KEPT: usize = 10_000;

/// How many are kept of one client at most, so that no client takes the room of the others.
pub const MAX_KEPT_BY_CLIENT: usize = 1_000;

impl Scheduler {
    /// Keeps an update of a task that is not known; false when it is not one that is kept.
    pub(super) fn keep_early(&mut self, update: &Update) -> bool {
        let Some(client) = early_sender(update) else { return false };
        let of_client = self.kept_by_client.get(client).copied().unwrap_or(0);
        if self.kept.len() >= MAX_KEPT || of_client >= MAX_KEPT_BY_CLIENT {
            return false;
        }
        let kept = KeptUpdate { update: update.clone(), until: self.told_at() + KEPT_FOR };
        self.out.kept.push(kept.clone());
        self.insert_kept(kept);
        self.out.answer = Some(Answer::Applied);
        true
    }

    /// Takes a kept update in, new or from the store.
    pub(super) fn insert_kept(&mut self, kept: KeptUpdate) {
        let number = self.next_kept;
        self.next_kept += 1;
        self.timers.set(kept.until, Timer::KeptEnds(number));
        self.kept_by_task.entry(kept.update.task.clone()).or_default().insert(number);
        if let Sender::Client(client) = &kept.update.sender {
            *self.kept_by_client.entry(client.clone()).or_default() += 1;
        }
        self.kept.insert(number, kept);
    }

    /// Sets the timers of kept updates anew.
    pub(super) fn set_kept_timers(&mut self) {
        for (number, kept) in &self.kept {
            self.timers.set(kept.until, Timer::KeptEnds(*number));
        }
    }

    /// Applies what was kept for a task or a process that is being admitted, in the order in which it came. The task is routed once
    /// all of it is applied: a part of what the firm said must not let an offer out that the rest forbids.
    pub(super) fn apply_kept(&mut self, id: &TaskId) {
        for number in self.kept_by_task.get(id).cloned().unwrap_or_default() {
            let Some(kept) = self.take_kept(number) else { continue };
            // An earlier one may have cancelled the task.
            let refused = match self.arrival_of(id) {
                Some(process) if self.is_process(process) => self.move_process(process, &kept.update).err(),
                Some(arrival) => self.make_move(arrival, &kept.update).err(),
                None => Some(unknown_task(&kept.update)),
            };
            self.settle_kept(kept.update, refused);
        }
    }

    /// No request came in time: the update is refused after all.
    pub(super) fn end_kept(&mut self, number: u64) {
        if let Some(kept) = self.take_kept(number) {
            let refusal = unknown_task(&kept.update);
            self.settle_kept(kept.update, Some(refusal));
        }
    }

    /// Keeps what became of an update as the answer to its repeats; the sender is told of a refusal.
    fn settle_kept(&mut self, update: Update, refused: Option<Refusal>) {
        if let Some(refusal) = &refused {
            if let Some(result) = self.answered.get_mut(&(update.sender.clone(), update.id.clone())) {
                result.refused = Some(refusal.clone());
            }
            self.reject_update(&update, refusal.clone());
        }
        self.out.kept_done.push((update.sender, update.id, refused));
    }

    fn take_kept(&mut self, number: u64) -> Option<KeptUpdate> {
        let kept = self.kept.remove(&number)?;
        self.timers.clear(kept.until, Timer::KeptEnds(number));
        if let Some(numbers) = self.kept_by_task.get_mut(&kept.update.task) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.kept_by_task.remove(&kept.update.task);
            }
        }
        if let Sender::Client(client) = &kept.update.sender
            && let Some(count) = self.kept_by_client.get_mut(client)
        {
            *count -= 1;
            if *count == 0 {
                self.kept_by_client.remove(client);
            }
        }
        Some(kept)
    }
}

/// The client that sends a `cancel`, `hold` or `amend` of a task that would be its own.
fn early_sender(update: &Update) -> Option<&ClientId> {
    let Sender::Client(client) = &update.sender else { return None };
    let is_own = update.task.as_str().split('/').next() == Some(client.as_str());
    match update.change {
        Change::Cancel { .. } | Change::Hold | Change::Amend(_) => is_own.then_some(client),
        Change::Accept { .. }
        | Change::Decline { .. }
        | Change::Progress { .. }
        | Change::Pause { .. }
        | Change::Resume { .. }
        | Change::Handoff { .. }
        | Change::Keep { .. }
        | Change::Release { .. }
        | Change::Complete { .. }
        | Change::Recall
        | Change::OfferTo { .. }
        | Change::Unhold
        | Change::Reprioritise { .. } => None,
    }
}
