//! Rosters that come over HTTP.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::http::{NoPlan, RosterPlan};
use crate::roster;
use crate::wire::fact::FactSeq;

use super::super::candidate::Wanted;
use super::{Reloader, aside, unavailable};

/// A roster as one text, and what is asked of it.
#[derive(Debug)]
pub struct Ask {
    /// The text.
    pub text: String,
    /// Bring it into force, or only say what that would change.
    pub apply: Option<Apply>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Result<RosterPlan, NoPlan>>,
}

/// How a roster is to come into force.
#[derive(Debug, Clone, Copy)]
pub struct Apply {
    /// Only when nothing has changed since this fact.
    pub check_index: FactSeq,
    /// Although it was in force before.
    pub forced: bool,
}

impl Reloader {
    pub(super) async fn answer(&mut self, ask: Ask) {
        let Ask { text, apply, reply } = ask;
        // A caller that has gone away needs no answer.
        let _ = reply.send(self.work_out(text, apply).await);
    }

    async fn work_out(&mut self, text: String, apply: Option<Apply>) -> Result<RosterPlan, NoPlan> {
        let (zones, now) = (self.parts.zones, self.parts.clock.now());
        let loaded = aside(move || roster::parse_text(&text, zones, now)).await.map_err(NoPlan::Faults)?;
        let warnings = loaded.warnings.iter().map(ToString::to_string).collect();
        let plan = match apply {
            Some(Apply { check_index, forced }) => self.bring_in(loaded, forced, Some(check_index)).await,
            None => self.judge(&Arc::new(loaded.roster), &loaded.text, Wanted::Plan).await,
        };
        let plan = plan.map_err(unavailable)?;
        if plan.applied {
            // Whether the file says the same is seen by reading it again.
            self.read = None;
        }
        Ok(RosterPlan { warnings, ..plan })
    }
}
