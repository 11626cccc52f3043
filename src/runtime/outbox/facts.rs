//! Facts in their order: from memory right after their commit, else from the store.

use std::collections::HashMap;
use std::sync::Arc;

use crate::broker::{Outcome, Publication};
use crate::engine::planted::planted;
use crate::store::StoreError;
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message;

use super::super::walls;
use super::leaving::{Leaving, failure, may_have_left, publication};
use super::waiting::Part;
use super::{Handed, Outbox, PAGE, Progress, Publish, RETRY_EVERY};

/// How many refused events may wait for another try; past it nothing new leaves until the broker takes some.
const REFUSED_EVENTS_LIMIT: usize = 4_096;

/// How many suppressed messages are remembered until the store knows them: more than the loop holds in a batch.
const SUPPRESSED_KEPT: usize = 65_536;

impl<P: Publish> Outbox<P> {
    /// Publishes batches from memory, those that follow one another together; what lies before them comes from the store.
    pub(super) async fn publish_batches(&mut self, mut batches: &[Handed]) -> Result<(), StoreError> {
        while let Some(first) = batches.first() {
            if let Some(fact) = first.batch.facts.first() {
                self.catch_up_to(FactSeq(fact.seq.0 - 1)).await?;
            }
            let mut next = self.next;
            let mut leaving = Vec::new();
            let mut taken = 0;
            for Handed { batch, .. } in batches {
                if batch.facts.first().is_some_and(|fact| fact.seq > next) {
                    break;
                }
                let payloads: HashMap<_, _> = batch.payloads.iter().map(|(task, payload)| (task, payload)).collect();
                for fact in batch.facts.iter().filter(|fact| fact.seq >= next) {
                    let in_memory = fact.task.as_ref().and_then(|(task, _)| payloads.get(task).copied()).cloned();
                    self.add(fact, in_memory, &mut leaving)?;
                    self.raised.extend(walls::raised(fact).map(|wall| (fact.seq, wall)));
                }
                if let Some(last) = batch.facts.last() {
                    next = next.max(FactSeq(last.seq.0 + 1));
                }
                taken += 1;
            }
            if next > self.next {
                self.publish_facts(leaving, FactSeq(next.0 - 1)).await?;
            }
            batches = &batches[taken..];
        }
        Ok(())
    }

    /// Publishes what is committed and was not handed over in memory.
    pub(super) async fn catch_up(&mut self) -> Result<(), StoreError> {
        let committed = *self.parts.committed.borrow_and_update();
        self.catch_up_to(committed).await
    }

    /// Publishes what is committed and found no room on the way here. What did is not read from the store: it is handed
    /// over before it counts as committed.
    pub(super) async fn catch_up_on_missed(&mut self) -> Result<(), StoreError> {
        let committed = *self.parts.committed.borrow_and_update();
        if self.live.is_empty() { self.catch_up_to(committed).await } else { Ok(()) }
    }

    async fn catch_up_to(&mut self, last: FactSeq) -> Result<(), StoreError> {
        while self.next <= last {
            let facts = self.parts.reader.facts_after(FactSeq(self.next.0 - 1), PAGE)?;
            let mut leaving = Vec::new();
            let mut up_to = last;
            for fact in facts.iter().filter(|fact| fact.seq <= last) {
                self.add(fact, None, &mut leaving)?;
                self.raised.extend(walls::raised(fact).map(|wall| (fact.seq, wall)));
                up_to = fact.seq;
            }
            self.publish_facts(leaving, up_to).await?;
        }
        Ok(())
    }

    /// Adds the messages of a fact.
    pub(super) fn add(
        &mut self,
        fact: &Fact,
        in_memory: Option<Arc<[u8]>>,
        leaving: &mut Vec<Leaving>,
    ) -> Result<(), StoreError> {
        let incarnation = &self.parts.incarnation;
        if let Some(event) = message::event(incarnation, fact) {
            let publication = self.changed_by_bugs(fact.seq, publication(event));
            leaving.push(Leaving { seq: fact.seq, part: Part::Event, publication, tells: None });
        }
        let by_queue = fact.team.as_ref().filter(|team| !self.parts.in_force.reads_over_http(team));
        if self.parts.walls.hide(fact) {
            self.keep_back(fact.seq);
        } else if let (Some(team), Some(_)) = (by_queue, fact.addressed) {
            let payload = match (fact.with_payload, in_memory, &fact.task) {
                (true, Some(payload), _) => Some(payload),
                (true, None, Some((task, _))) => self.parts.reader.payload(task)?,
                _ => None,
            };
            if let Some(work) = message::work(incarnation, fact, payload.as_deref()) {
                let part = Part::Work(team.clone());
                let tells = fact.client.clone().zip(fact.matter.clone()).filter(|_| fact.tells_of_work());
                leaving.push(Leaving { seq: fact.seq, part, publication: publication(work), tells });
            }
        }
        Ok(())
    }

    /// Publishes the messages of facts up to `last`, again and again until it is known what became of each.
    async fn publish_facts(&mut self, mut leaving: Vec<Leaving>, last: FactSeq) -> Result<(), StoreError> {
        while self.waiting.events() >= REFUSED_EVENTS_LIMIT {
            tokio::time::sleep(RETRY_EVERY).await;
            self.retry().await?;
        }
        for seq in self.drop_walled(&mut leaving) {
            self.keep_back(seq);
        }
        self.mark_early(last).await;
        if planted("publish-dropped") {
            leaving.retain(|message| !message.seq.0.is_multiple_of(20));
        }
        failpoint!("publish", StoreError::at_step("publish"));
        let old = leaving.iter().filter(|it| it.seq <= self.old_up_to).count();
        self.parts.metrics.republished(old as u64);
        let mut unsure = false;
        let outcomes = loop {
            match self.parts.publisher.publish(&leaving).await {
                Ok(outcomes) => break outcomes,
                Err(error) => {
                    self.lost(&error);
                    unsure = true;
                    // A wall may have been raised meanwhile; what it holds back may have left, and counts as that.
                    self.drop_walled(&mut leaving);
                    self.parts.metrics.republished(leaving.len() as u64);
                }
            }
        };
        failpoint!("confirmed", StoreError::at_step("confirmed"));
        let mut progress = Progress::default();
        for (message, outcome) in leaving.into_iter().zip(outcomes) {
            let may_have_left = unsure || message.seq <= self.old_up_to || may_have_left(&outcome);
            self.note(message, &outcome, may_have_left, &mut progress);
        }
        self.next = FactSeq(last.0 + 1);
        self.look_behind_walls(&mut progress)?;
        self.report(progress).await;
        Ok(())
    }

    /// Known bugs: what leaves again has another id, or other bytes.
    fn changed_by_bugs(&self, seq: FactSeq, mut event: Publication) -> Publication {
        if seq <= self.old_up_to && planted("new-id-for-a-second-copy") {
            event.message_id.push_str(".again");
        }
        if seq <= self.old_up_to && planted("new-bytes-for-a-second-copy") {
            event.body = [&*event.body, b" "].concat().into();
        }
        event
    }

    /// A known bug: what is about to leave is marked as published.
    async fn mark_early(&mut self, last: FactSeq) {
        if planted("mark-before-confirm") {
            self.reported = last;
            // The loop ends before the outbox only when the daemon stops.
            let _ = self.progress.send(Progress { watermark: Some(last), ..Progress::default() }).await;
        }
    }

    /// A wall keeps a message from its team; one that may have left counts as exposed.
    fn keep_back(&mut self, seq: FactSeq) {
        if self.has_not_left(seq) && !self.suppressed_before.contains(&seq) {
            self.suppressed.push(seq);
        }
    }

    /// Whether a message is known not to have left: what lies above the watermark at a start may have, and what waits
    /// unless the broker gave it back at each try. What has had its turn and does not wait, has left.
    fn has_not_left(&self, seq: FactSeq) -> bool {
        let is_to_come = seq >= self.next && seq > self.old_up_to;
        self.waiting.work_may_have_left(seq).map_or(is_to_come, |may_have_left| !may_have_left)
    }

    /// Takes out what a wall keeps from its team now.
    fn drop_walled(&self, leaving: &mut Vec<Leaving>) -> Vec<FactSeq> {
        let mut dropped = Vec::new();
        leaving.retain(|message| {
            let (Part::Work(team), Some((client, matter))) = (&message.part, &message.tells) else { return true };
            let stays = self.parts.walls.stand(team, client, matter);
            dropped.extend(stays.then_some(message.seq));
            !stays
        });
        dropped
    }

    /// Everything before a wall has left or been kept back now, so that it is known what got through.
    fn look_behind_walls(&mut self, progress: &mut Progress) -> Result<(), StoreError> {
        self.keep_suppressed(progress);
        for (raised_by, wall) in std::mem::take(&mut self.raised) {
            let mut given_back = Vec::new();
            let stayed = |seq| {
                if self.suppressed_before.contains(&seq) {
                    return true;
                }
                let is_given_back = self.waiting.work_may_have_left(seq) == Some(false);
                given_back.extend(is_given_back.then_some(seq));
                is_given_back
            };
            let reader = &mut *self.parts.reader;
            progress.exposures.extend(walls::exposure(reader, &self.parts.incarnation, &wall, raised_by, stayed)?);
            // Now, since after another start it is not known any more.
            self.suppressed.extend(given_back);
        }
        self.keep_suppressed(progress);
        Ok(())
    }

    /// Tells the loop what was kept back.
    pub(super) fn keep_suppressed(&mut self, progress: &mut Progress) {
        self.suppressed_before.extend(&self.suppressed);
        while self.suppressed_before.len() > SUPPRESSED_KEPT {
            self.suppressed_before.pop_first();
        }
        progress.suppressed.append(&mut self.suppressed);
    }

    /// Keeps what must be tried again apart.
    fn note(&mut self, message: Leaving, outcome: &Outcome, may_have_left: bool, progress: &mut Progress) {
        let Leaving { seq, part, .. } = message;
        let Some(failure) = failure(outcome) else {
            return self.delivered(seq, &part, progress);
        };
        self.parts.metrics.publish_failed(failure);
        tracing::warn!(seq = seq.0, %part, ?outcome, "the broker did not take a message");
        match &part {
            Part::Work(team) => progress.undelivered.push((seq, team.clone())),
            // No other try can succeed; the fact itself stays in the store and shows over HTTP.
            Part::Event if matches!(outcome, Outcome::Unsendable { .. }) => return,
            Part::Event => {}
        }
        self.waiting.add(seq, part, may_have_left);
    }
}
