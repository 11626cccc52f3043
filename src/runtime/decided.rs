//! A batch between its decision and its commit.
//!
//! It carries what is to be acknowledged, published and answered once its facts are on disk.

use tokio::sync::oneshot;

use crate::broker::DeliveryToken;
use crate::engine::effect::Answer;
use crate::engine::overrides::Override;
use crate::engine::scheduler::ProcessForecast;
use crate::engine::walls::Walls;
use crate::http::{OverrideAnswer, PurgeAnswer, SubmitAnswer, UpdateAnswer};
use crate::store::Batch;
use crate::wire::message::Outgoing;

use super::candidate::Judged;
use super::in_force::Adopted;
use super::intake::{Explained, Inspection};
use super::observe::Settled;

/// A batch that is decided and not yet on disk.
#[derive(Debug, Default)]
pub struct Decided {
    /// What is written.
    pub batch: Batch,
    /// Deliveries that may be acknowledged after the commit.
    pub settle: Vec<DeliveryToken>,
    /// Messages beside the facts, published after the commit; a delivery named with one is acknowledged after the
    /// confirm.
    pub direct: Vec<Direct>,
    /// Answers that are given after the commit.
    pub answers: Vec<Reply>,
    /// Calls whose answers are completed when the batch begins.
    pub calls: Vec<(oneshot::Sender<Vec<SubmitAnswer>>, Vec<Answer>)>,
    /// How messages were settled, counted after the commit.
    pub outcomes: Vec<Settled>,
    /// How many messages it holds.
    pub messages: usize,
    /// Whether tasks changed, whose rows are added when the batch begins.
    pub changes_tasks: bool,
    /// Whether it is written only to say that the daemon was alive until then.
    pub stamps: bool,
    /// The walls in force after it, when they are others.
    pub walls: Option<Walls>,
    /// The roster in force after it, when that is another one.
    pub in_force: Option<Adopted>,
}

/// A message that rests on no fact of its own.
#[derive(Debug, Clone)]
pub struct Direct {
    /// What is published.
    pub message: Outgoing,
    /// The delivery that is acknowledged once it is confirmed.
    pub settles: Option<DeliveryToken>,
}

/// Drops rejected deliveries of links before the newest one: the broker has sent them again. What is left is bounded by
/// the prefetch.
pub fn keep_newest_link(waiting: &mut Vec<Direct>) {
    let link = |direct: &Direct| direct.settles.map(|token| token.epoch);
    let newest = waiting.iter().filter_map(link).max();
    waiting.retain(|direct| link(direct) == newest);
}

/// An answer that waits for the commit.
#[derive(Debug)]
pub enum Reply {
    /// To requests.
    Requests(oneshot::Sender<Vec<SubmitAnswer>>, Vec<SubmitAnswer>),
    /// To an update.
    Update(oneshot::Sender<UpdateAnswer>, UpdateAnswer),
    /// To a reader of messages.
    MessagesRead(oneshot::Sender<()>),
    /// To a look at the state.
    Inspect(oneshot::Sender<Inspection>, Box<Inspection>),
    /// To whoever set or removed an override, or tried one.
    Override(oneshot::Sender<OverrideAnswer>, Box<OverrideAnswer>),
    /// To whoever had a matter purged.
    Purge(oneshot::Sender<PurgeAnswer>, Box<PurgeAnswer>),
    /// To whoever asked for the overrides.
    Overrides(oneshot::Sender<(Vec<Override>, u64)>, (Vec<Override>, u64)),
    /// To whoever brought a roster.
    Roster(oneshot::Sender<Judged>, Box<Judged>),
    /// To a question about a process.
    Forecast(oneshot::Sender<Option<ProcessForecast>>, Box<Option<ProcessForecast>>),
    /// To a question about a task.
    Explain(oneshot::Sender<Option<Explained>>, Box<Option<Explained>>),
}

impl Decided {
    /// Whether there is nothing to write, publish, acknowledge or answer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.stamps
            && self.batch.facts.is_empty()
            && !self.changes_tasks
            && self.batch.segments.is_empty()
            && self.batch.marks.is_empty()
            && self.batch.cursors.is_empty()
            && self.batch.outlooks.is_empty()
            && self.batch.watermark.is_none()
            && self.batch.undelivered.is_empty()
            && self.batch.delivered.is_empty()
            && self.batch.suppressed.is_empty()
            && self.batch.suspects.is_empty()
            && self.batch.cleared_suspects.is_empty()
            && self.batch.roster.is_none()
            && self.batch.overrides.is_empty()
            && self.batch.kept.is_empty()
            && self.batch.kept_done.is_empty()
            && self.settle.is_empty()
            && self.direct.is_empty()
            && self.answers.is_empty()
            && self.calls.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fact::FactSeq;

    #[test]
    fn what_a_wall_kept_from_its_team_is_written_though_nothing_else_is() {
        assert!(Decided::default().is_empty());
        let batch = Batch { suppressed: vec![FactSeq(7)], ..Batch::default() };
        assert!(!Decided { batch, ..Decided::default() }.is_empty());
    }
}
