//! The full table of a stored decision: read what it rested on, work it out again, and say where that is not exact.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

use crate::engine::explain::Decision;
use crate::engine::hindsight::{self, World};
use crate::engine::id::TeamId;
use crate::engine::roster::{Roster, RosterDigest};
use crate::engine::task::Task;
use crate::http::AsDecided;
use crate::roster::{self, zones::ZoneSource};
use crate::store::{Reader, StoreError};
use crate::wire::fact::FactSeq;

use super::in_force::InForce;

/// Teams named in a caveat at most.
const MAX_NAMED: usize = 10;

/// A stored decision, the fact that it stands with, and its task as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// The decision.
    pub decision: &'a Decision,
    /// Its fact.
    pub seq: FactSeq,
    /// The task.
    pub row: &'a Task,
}

/// Every team's verdict as of a decision, under the roster that it names.
///
/// # Errors
/// [`StoreError`] when the store cannot be read.
pub fn look_back(reader: &mut dyn Reader, made: Made<'_>, roster: Arc<Roster>) -> Result<AsDecided, StoreError> {
    let Made { decision, seq, row } = made;
    // The decision was made on the view of its time.
    let roster = reader.overrides_before(seq)?.view(&roster, decision.at);
    let teams: Vec<TeamId> = roster.teams.iter().map(|team| team.id.clone()).collect();
    let held = reader.held_before(seq, &teams)?;
    let conflicts = reader.conflicts_before(seq, &row.client, &row.matter)?;
    let unknown: Vec<_> = teams.iter().zip(&held).filter(|(_, held)| held.is_none()).map(|(team, _)| team).collect();
    let mut caveats = Vec::new();
    if decision.tzdata != roster.tzdata {
        let (then, now) = (&decision.tzdata, &roster.tzdata);
        caveats.push(format!("decided with the zone rules {then} and worked out again with {now}: hours may differ"));
    }
    if !unknown.is_empty() {
        let named: Vec<_> = unknown.iter().take(MAX_NAMED).map(|team| team.as_str()).collect();
        let more = if unknown.len() > MAX_NAMED { " and others" } else { "" };
        let named = named.join(", ");
        caveats.push(format!("what {named}{more} held is not recorded: they are taken to have held nothing"));
    }
    let held = held.into_iter().map(Option::unwrap_or_default).collect();
    let verdicts = hindsight::verdicts(decision, row, World { roster, held, conflicts });
    Ok(AsDecided { verdicts: Some(verdicts), caveats })
}

/// Rosters by their digest: the one in force, and the last other one that was asked for.
#[derive(Debug)]
pub struct Rosters {
    in_force: InForce,
    zones: ZoneSource,
    last: Mutex<Option<Arc<Roster>>>,
}

impl Rosters {
    /// The roster in force, and where zones are read.
    #[must_use]
    pub fn new(in_force: InForce, zones: ZoneSource) -> Self {
        Self { in_force, zones, last: Mutex::new(None) }
    }

    /// The full table of a decision; without a table when its roster cannot be had any more.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub fn look_back(&self, reader: &mut dyn Reader, made: Made<'_>) -> Result<AsDecided, StoreError> {
        match self.find(reader, &made.decision.roster, made.decision.at)? {
            Ok(roster) => look_back(reader, made, roster),
            Err(caveat) => Ok(AsDecided { verdicts: None, caveats: vec![caveat] }),
        }
    }

    /// A roster that was in force; what keeps it from being read when that fails.
    fn find(
        &self,
        reader: &mut dyn Reader,
        digest: &RosterDigest,
        at: DateTime<Utc>,
    ) -> Result<Result<Arc<Roster>, String>, StoreError> {
        let in_force = self.in_force.base();
        if in_force.digest == *digest {
            return Ok(Ok(in_force));
        }
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(roster) = last().as_ref().filter(|roster| roster.digest == *digest) {
            return Ok(Ok(Arc::clone(roster)));
        }
        let Some(version) = reader.roster(digest)? else {
            return Ok(Err(format!("the roster {} is not kept any more", digest.0)));
        };
        Ok(match roster::parse_text(&version.text, self.zones, at) {
            Ok(loaded) => {
                let roster = Arc::new(loaded.roster);
                *last() = Some(Arc::clone(&roster));
                Ok(roster)
            }
            Err(faults) => Err(format!("this version does not read the roster {}: {}", digest.0, first_of(&faults))),
        })
    }
}

fn first_of(faults: &roster::Faults) -> String {
    faults.0.first().map(ToString::to_string).unwrap_or_default()
}
