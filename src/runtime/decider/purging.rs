//! A matter is to be emptied before its time.

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::engine::effect::Purged;
use crate::engine::event::{Event, Refusal, RefusalCode};
use crate::engine::overrides::signed;
use crate::http::{PurgeAnswer, PurgeOutcome, PurgeRequest};
use crate::store::{Purge, StoreError};

use super::super::decided::{Decided, Reply};
use super::Decider;

impl Decider {
    /// Records that the closed tasks of a matter are to be emptied, or says which those would be.
    pub(super) fn purge(
        &mut self,
        now: DateTime<Utc>,
        request: PurgeRequest,
        reply: oneshot::Sender<PurgeAnswer>,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let answer = match self.try_purge(now, request, decided)? {
            Ok(outcome) => PurgeAnswer::Taken(outcome),
            Err(refusal) => PurgeAnswer::Refused(refusal),
        };
        decided.answers.push(Reply::Purge(reply, Box::new(answer)));
        Ok(())
    }

    fn try_purge(
        &mut self,
        now: DateTime<Utc>,
        request: PurgeRequest,
        decided: &mut Decided,
    ) -> Result<Result<PurgeOutcome, Refusal>, StoreError> {
        let PurgeRequest { client, matter, author, reason, dry_run } = request;
        let author = author.unwrap_or_default();
        if let Err(refusal) = signed(&author, &reason) {
            return Ok(Err(refusal));
        }
        let found = self.reader.matter(&client, &matter, now)?;
        if !found.is_known {
            let message = format!("client {client} has no task of matter {matter:?}; `heliograph tasks` lists them");
            return Ok(Err(Refusal::of_field(RefusalCode::UnknownTask, "matter", message)));
        }
        let mut outcome = PurgeOutcome {
            fact: None,
            count: found.closed,
            tasks: found.closed_named,
            open_count: found.open,
            left_open: found.open_named,
            done: false,
        };
        if dry_run {
            return Ok(Ok(outcome));
        }
        tracing::info!(%client, tasks = outcome.count, left_open = outcome.open_count, "a matter is purged");
        let purged = Purged {
            client: client.clone(),
            matter: matter.clone(),
            author,
            reason,
            count: outcome.count,
            tasks: outcome.tasks.clone(),
            open_count: outcome.open_count,
            left_open: outcome.left_open.clone(),
        };
        let effects = self.scheduler.step(now, Event::MatterPurged(Box::new(purged)));
        self.take(effects, decided);
        // The step may have fired timers before it; its own fact is the last.
        let seq = self.sealer.head().seq;
        decided.batch.purges.push(Purge { seq, client, matter, at: now });
        outcome.fact = Some(seq.0);
        Ok(Ok(outcome))
    }
}
