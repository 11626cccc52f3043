//! After the commit: acknowledge, publish, answer; then mark what publishing has come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::id::TeamId;
use crate::store::{Batch, StoreError};
use crate::wire::fact::FactSeq;

use super::super::decided::{Decided, Reply, keep_newest_link};
use super::super::outbox::{DIRECT_LIMIT, OutboxHandle, Progress};
use super::super::walls;
use super::{Pipeline, Writing};

impl Pipeline {
    /// The batch is on disk: acknowledge, publish, answer.
    pub(super) fn after_commit(&mut self) -> Result<(), StoreError> {
        let Some(Writing { decided, batch, since }) = self.writing.take() else { return Ok(()) };
        failpoint!("settle", StoreError::at_step("settle"));
        if let Some(consumer) = &self.parts.consumer {
            consumer.settle(&decided.settle);
        }
        if let Some(adopted) = decided.in_force {
            self.parts.status.roster_in_force(&adopted.base.digest);
            self.parts.in_force.adopt(adopted);
        }
        if let Some(walls) = decided.walls {
            self.parts.decider.let_walls_fall(walls, self.next.walls.as_ref());
        }
        let last = batch.facts.last().map(|fact| fact.seq);
        failpoint!("hand-over", StoreError::at_step("hand-over"));
        match &self.parts.outbox {
            // When there is no room the outbox reads the facts from the store in their turn.
            Some(outbox) => {
                outbox.live.hand_over(Arc::clone(&batch));
            }
            None => self.look_behind_walls(&batch)?,
        }
        self.backlog.extend(decided.direct);
        self.send_backlog();
        for fact in batch.facts.iter().filter(|fact| fact.addressed.is_some()) {
            if let Some(team) = &fact.team {
                self.parts.in_force.tell(team, fact.seq);
            }
        }
        if let Some(last) = last {
            self.parts.committed.send_replace(last);
        }
        for answer in decided.answers {
            give(answer);
        }
        let took = since.elapsed();
        for settled in decided.outcomes {
            self.parts.metrics.settled(settled.outcome, took);
            if let Some(code) = settled.refused {
                self.parts.metrics.rejected(code);
            }
        }
        Ok(())
    }

    /// Without a broker every team reads over HTTP, and may have read all that was committed before a wall.
    fn look_behind_walls(&mut self, batch: &Batch) -> Result<(), StoreError> {
        for fact in &batch.facts {
            if let Some(wall) = walls::raised(fact)
                && let Some(exposure) = self.parts.decider.exposure(&wall, fact.seq)?
            {
                self.parts.decider.exposed(self.parts.clock.now(), exposure, &mut self.next);
            }
        }
        Ok(())
    }

    /// Hands over messages beside the facts; past the limit receipts are dropped, rejected deliveries never.
    fn send_backlog(&mut self) {
        let Some(outbox) = &self.parts.outbox else {
            self.backlog.clear();
            return;
        };
        let fitting = outbox.direct.capacity().min(self.backlog.len());
        for direct in self.backlog.drain(..fitting) {
            // An outbox that has ended takes the daemon with it.
            let _ = outbox.direct.try_send(direct);
        }
        if self.backlog.len() > DIRECT_LIMIT {
            keep_newest_link(&mut self.backlog);
        }
    }

    pub(super) fn note(&mut self, progress: Progress) {
        if let Some(consumer) = &self.parts.consumer {
            consumer.settle(&progress.settled);
        }
        failpoint!("mark");
        self.expired_offers.extend(progress.expired_offers);
        self.count_undelivered(&progress.undelivered, &progress.delivered);
        self.progress.watermark = self.progress.watermark.max(progress.watermark);
        self.progress.undelivered.extend(progress.undelivered);
        self.progress.delivered.extend(progress.delivered);
        self.progress.suppressed.extend(progress.suppressed);
        // Into the batch that takes the watermark at the latest: an exposure must not be lost with it.
        for exposure in progress.exposures {
            self.parts.decider.exposed(self.parts.clock.now(), exposure, &mut self.next);
        }
        self.send_backlog();
    }

    pub(super) fn count_undelivered(&mut self, added: &[(FactSeq, TeamId)], delivered: &[FactSeq]) {
        self.undelivered.extend(added.iter().cloned());
        for seq in delivered {
            self.undelivered.remove(seq);
        }
        if !added.is_empty() || !delivered.is_empty() {
            let mut counts = BTreeMap::new();
            for team in self.undelivered.values() {
                *counts.entry(team.clone()).or_default() += 1;
            }
            self.parts.decider.undelivered = counts;
        }
    }

    /// What publishing has come to rides in the batch, beside what rides there already.
    pub(super) fn take_progress(&mut self, decided: &mut Decided) {
        let (batch, progress) = (&mut decided.batch, &mut self.progress);
        batch.watermark = batch.watermark.max(progress.watermark.take());
        batch.undelivered.append(&mut progress.undelivered);
        batch.delivered.append(&mut progress.delivered);
        batch.suppressed.append(&mut progress.suppressed);
    }

    /// The loop stops: the outbox publishes what is left, and the last watermark is written.
    pub(super) async fn finish_up(&mut self) -> Result<(), StoreError> {
        if let Some(OutboxHandle { live, direct, mut progress, finish }) = self.parts.outbox.take() {
            finish.cancel();
            drop(live);
            for message in self.backlog.drain(..) {
                // What finds no room any more comes again.
                let _ = direct.try_send(message);
            }
            drop(direct);
            while let Some(last) = progress.recv().await {
                self.note(last);
            }
        }
        // An exposure that the outbox told of at last is in it; its fact leaves at the next start.
        let mut last = std::mem::take(&mut self.next);
        self.take_progress(&mut last);
        last.stamps = self.drain.is_none();
        if last.is_empty() {
            return Ok(());
        }
        self.parts.decider.finish(self.parts.clock.now(), &mut last);
        self.parts.committer.begin(Arc::new(last.batch))?;
        self.parts.committer.done().await
    }
}

/// Answers a call; a caller that has gone away needs no answer.
fn give(answer: Reply) {
    match answer {
        Reply::Requests(reply, answers) => drop(reply.send(answers)),
        Reply::Update(reply, answer) => drop(reply.send(answer)),
        Reply::MessagesRead(reply) => drop(reply.send(())),
        Reply::Inspect(reply, inspection) => drop(reply.send(*inspection)),
        Reply::Override(reply, answer) => drop(reply.send(*answer)),
        Reply::Purge(reply, answer) => drop(reply.send(*answer)),
        Reply::Overrides(reply, listed) => drop(reply.send(listed)),
        Reply::Roster(reply, judged) => drop(reply.send(*judged)),
        Reply::Forecast(reply, forecast) => drop(reply.send(*forecast)),
        Reply::Explain(reply, explained) => drop(reply.send(*explained)),
    }
}
