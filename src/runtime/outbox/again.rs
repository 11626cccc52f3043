//! Messages beside the facts, and another try for whatever the broker did not take.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::broker::Outcome;
use crate::store::StoreError;
use crate::wire::fact::{Fact, FactSeq};

use super::super::decided::{Direct, keep_newest_link};
use super::leaving::{failure, may_have_left, offer_assignment, publication};
use super::waiting::Part;
use super::{Outbox, Progress, Publish};

/// How many messages one round tries again.
const RETRY_ROUND: usize = 256;

impl<P: Publish> Outbox<P> {
    /// Publishes receipts and rejected messages; a delivery is settled once its copy is confirmed, and tried again until
    /// then. A receipt is not promised.
    pub(super) async fn publish_direct(&mut self, messages: Vec<Direct>) {
        let publications: Vec<_> = messages.iter().map(|it| publication(it.message.clone())).collect();
        let mut progress = Progress::default();
        match self.parts.publisher.publish(&publications).await {
            Ok(outcomes) => {
                for (message, outcome) in messages.into_iter().zip(outcomes) {
                    match failure(&outcome) {
                        None => progress.settled.extend(message.settles),
                        Some(failure) => {
                            self.parts.metrics.publish_failed(failure);
                            tracing::warn!(id = message.message.message_id, ?outcome, "a message was not taken");
                            self.rejected.extend(another_try(message, &outcome));
                        }
                    }
                }
            }
            Err(error) => {
                self.lost(&error);
                self.rejected.extend(messages.into_iter().filter(|it| it.settles.is_some()));
            }
        }
        keep_newest_link(&mut self.rejected);
        self.report(progress).await;
    }

    /// Keeps the link open while there is nothing to publish, and tries again what the broker has not taken.
    pub(super) async fn keep_up(&mut self) -> Result<(), StoreError> {
        match self.parts.publisher.connect().await {
            Ok(()) => self.retry().await,
            Err(error) => {
                tracing::warn!(%error, "no link to publish on");
                Ok(())
            }
        }
    }

    /// Tries again what the broker has not taken; an offer that stays undelivered too long is reported once.
    pub(super) async fn retry(&mut self) -> Result<(), StoreError> {
        if !self.rejected.is_empty() {
            let rejected = std::mem::take(&mut self.rejected);
            self.publish_direct(rejected).await;
        }
        let due = self.waiting.due(RETRY_ROUND);
        if due.is_empty() {
            return Ok(());
        }
        let seqs: Vec<_> = due.iter().map(|(seq, _)| *seq).collect::<BTreeSet<_>>().into_iter().collect();
        let facts = self.parts.reader.facts_at(&seqs)?;
        let mut leaving = Vec::new();
        for fact in &facts {
            self.add(fact, None, &mut leaving)?;
        }
        leaving.retain(|it| due.contains(&(it.seq, it.part.clone())));
        let mut progress = Progress::default();
        self.keep_suppressed(&mut progress);
        for (seq, part) in &due {
            // A purged body has no message, a wall may stand now, and a team that reads over HTTP now finds it there.
            if !leaving.iter().any(|it| it.seq == *seq && it.part == *part) {
                self.delivered(*seq, part, &mut progress);
            }
        }
        match self.parts.publisher.publish(&leaving).await {
            Ok(outcomes) => {
                for (message, outcome) in leaving.iter().zip(outcomes) {
                    match failure(&outcome) {
                        None => self.delivered(message.seq, &message.part, &mut progress),
                        Some(failure) => {
                            self.parts.metrics.publish_failed(failure);
                            if may_have_left(&outcome) {
                                self.waiting.may_have_left(message.seq, &message.part);
                            }
                        }
                    }
                }
            }
            Err(error) => {
                self.lost(&error);
                leaving.iter().for_each(|it| self.waiting.may_have_left(it.seq, &it.part));
            }
        }
        self.waiting.tried(&due);
        for fact in &facts {
            self.expire(fact, &mut progress);
        }
        self.report(progress).await;
        Ok(())
    }

    pub(super) fn delivered(&mut self, seq: FactSeq, part: &Part, progress: &mut Progress) {
        if self.waiting.remove(seq, part) && matches!(part, Part::Work(_)) {
            progress.delivered.push(seq);
        }
    }

    fn expire(&mut self, fact: &Fact, progress: &mut Progress) {
        let Some(assignment) = offer_assignment(fact) else { return };
        let (Some((task, _)), Some(team)) = (&fact.task, &fact.team) else { return };
        if self.waiting.expires(fact.seq, &Part::Work(team.clone()), self.parts.in_force.undelivered_within()) {
            tracing::warn!(%team, %task, "an offer could not be delivered");
            progress.expired_offers.push((task.clone(), assignment));
        }
    }
}

/// A rejected delivery as it is tried again. One that is too large leaves without its headers, since its fact tells the
/// reason, or without its body, which only a broker has whose limit was lowered: a delivery that is never settled would
/// hold back all that follow it.
fn another_try(mut rejected: Direct, outcome: &Outcome) -> Option<Direct> {
    rejected.settles?;
    match outcome {
        Outcome::Unsendable { field: "body", bytes, .. } => {
            rejected.message.headers.push(("x-heliograph-body-omitted-bytes".into(), bytes.to_string()));
            rejected.message.body = Arc::from([]);
        }
        Outcome::Unsendable { .. } => rejected.message.headers.clear(),
        Outcome::Confirmed | Outcome::Returned { .. } | Outcome::Nacked => {}
    }
    Some(rejected)
}
