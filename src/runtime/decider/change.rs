//! The rules themselves change: another roster comes into force, or does not.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::engine::difference;
use crate::engine::effect::Effects;
use crate::engine::event::{Event, OverrideWish};
use crate::engine::overrides::OverrideKind;
use crate::engine::roster::Roster;
use crate::engine::walls::Walls;
use crate::http::{Consequence, Consequences, OverrideAnswer, RosterPlan, RosterRefusal, Unavailable};
use crate::store::{RosterVersion, StoreError};
use crate::wire::fact::FactSeq;

use super::super::candidate::{Candidate, Wanted};
use super::super::decided::{Decided, Reply};
use super::super::identity::Identities;
use super::Decider;

/// With more open tasks than this a change is not tried out before it is made: the trial needs a copy of all of them.
const MAX_TRIED_TASKS: usize = 200_000;

/// Tasks named in the consequences of a change at most.
const MAX_NAMED_TASKS: usize = 100;

impl Decider {
    /// Says of a roster what was asked, and brings it into force when that was asked and nothing keeps it.
    pub(super) fn judge(
        &mut self,
        now: DateTime<Utc>,
        candidate: Candidate,
        decided: &mut Decided,
    ) -> Result<(), StoreError> {
        let Candidate { roster, text, wanted, reply } = candidate;
        let before = Arc::clone(self.scheduler.base_roster());
        let is_same = before.digest == roster.digest;
        let refused = if is_same { None } else { self.refusal(&roster, wanted, decided)? };
        let mut plan = RosterPlan {
            check_index: self.check_index.0,
            digest: roster.digest.0.to_string(),
            in_force: before.digest.0.to_string(),
            applied: false,
            changes: if is_same { Vec::new() } else { difference::between(&before, &roster) },
            consequences: None,
            warnings: Vec::new(),
            refused,
        };
        match wanted {
            Wanted::Plan if !is_same && plan.refused.is_none() => {
                plan.consequences = self.consequences(now, Event::RosterChanged(roster));
            }
            Wanted::Apply { .. } if !is_same && plan.refused.is_none() => {
                self.adopt(now, roster, text, decided);
                (plan.applied, plan.check_index) = (true, self.check_index.0);
            }
            Wanted::Plan | Wanted::Check { .. } | Wanted::Apply { .. } => {}
        }
        decided.answers.push(Reply::Roster(reply, Box::new(Ok(plan))));
        Ok(())
    }

    /// Another roster comes into force; it is written with the facts that tell of it.
    pub fn adopt(&mut self, now: DateTime<Utc>, roster: Arc<Roster>, text: Arc<str>, decided: &mut Decided) {
        self.identities = Identities::of(&roster, self.identities.required());
        decided.batch.walls = Some(Walls::of(&roster.walls).iter().collect());
        let digest = roster.digest.clone();
        let effects = self.scheduler.step(now, Event::RosterChanged(roster));
        self.take(effects, decided);
        decided.batch.roster = Some(RosterVersion { digest, text, at: now, seq: self.check_index });
    }

    /// Sets or removes an override, or says what that would bring about.
    pub(super) fn override_team(
        &mut self,
        now: DateTime<Utc>,
        wish: OverrideWish,
        preview: bool,
        reply: oneshot::Sender<OverrideAnswer>,
        decided: &mut Decided,
    ) {
        let event = Event::OverrideWished(wish);
        let effects = if preview {
            if self.scheduler.open_count() > MAX_TRIED_TASKS {
                decided.answers.push(Reply::Override(reply, Box::new(OverrideAnswer::Previewed(None))));
                return;
            }
            self.scheduler.trial(now, event)
        } else {
            self.scheduler.step(now, event)
        };
        let answer = match &effects.overridden {
            Some(Ok(_)) if preview => OverrideAnswer::Previewed(Some(told(&effects))),
            Some(Ok(id)) => OverrideAnswer::Done(*id),
            Some(Err(refusal)) => OverrideAnswer::Refused(refusal.clone()),
            None => OverrideAnswer::Unavailable(Unavailable("the override was taken for something else".into())),
        };
        if !preview {
            self.take(effects, decided);
        }
        decided.answers.push(Reply::Override(reply, Box::new(answer)));
    }

    /// How many overrides of each kind stand now.
    pub(super) fn active_overrides(&self) -> BTreeMap<&'static str, u64> {
        let now = self.scheduler.now();
        let mut active: BTreeMap<_, _> = OverrideKind::WORDS.map(|word| (word, 0)).into();
        for it in self.scheduler.overrides().standing().filter(|it| it.stands_at(now)) {
            *active.entry(it.kind.as_str()).or_default() += 1;
        }
        active
    }

    /// Why a roster cannot come into force.
    fn refusal(
        &mut self,
        roster: &Roster,
        wanted: Wanted,
        decided: &Decided,
    ) -> Result<Option<RosterRefusal>, StoreError> {
        let refusal = |code: &str, detail: String| RosterRefusal { code: code.into(), detail, missing: Vec::new() };
        if let Wanted::Apply { check_index: Some(planned), .. } = wanted
            && planned != self.check_index
        {
            return Ok(Some(self.moved(planned)));
        }
        if decided.batch.roster.is_some() {
            let detail = "another roster comes into force at this very moment; plan again";
            return Ok(Some(refusal("moved", detail.into())));
        }
        let missing = self.scheduler.missing_in(roster);
        if !missing.is_empty() {
            let detail = "it lacks what open tasks need; put it back, or keep the entry and mark it `retired = true`";
            return Ok(Some(RosterRefusal { missing, ..refusal("in_use", detail.into()) }));
        }
        if let Some(it) = self.scheduler.overrides().missing_in(roster).next() {
            let detail =
                format!("override {} is on team {}, which it lacks; remove the override first", it.id, it.team);
            return Ok(Some(refusal("overrides", detail)));
        }
        if wanted.is_forced() {
            return Ok(None);
        }
        Ok(self.reader.roster(&roster.digest)?.map(|earlier| {
            let detail = format!(
                "these very bytes were in force before, since {}; when an old roster is meant, force it with \
                 heliograph plan --apply --force, else change the file",
                earlier.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
            );
            refusal("earlier", detail)
        }))
    }

    fn moved(&self, planned: FactSeq) -> RosterRefusal {
        let now = self.check_index.0;
        let detail = format!(
            "roster or overrides have changed since it was planned: the check index was {} and is {now}; plan again",
            planned.0
        );
        RosterRefusal { code: "moved".into(), detail, missing: Vec::new() }
    }

    /// What a change would bring about at once, tried on a copy.
    fn consequences(&self, now: DateTime<Utc>, event: Event) -> Option<Consequences> {
        if self.scheduler.open_count() > MAX_TRIED_TASKS {
            return None;
        }
        Some(told(&self.scheduler.trial(now, event)))
    }
}

fn told(effects: &Effects) -> Consequences {
    let mut told = Consequences::default();
    for recorded in &effects.recorded {
        let event = recorded.effect.event_type();
        *told.events.entry(event.into()).or_default() += 1;
        if let Some((task, _)) = recorded.task.as_ref().filter(|_| told.tasks.len() < MAX_NAMED_TASKS) {
            let team = recorded.team.as_ref().map(ToString::to_string);
            told.tasks.push(Consequence { task: task.to_string(), event: event.into(), team });
        }
    }
    told
}
