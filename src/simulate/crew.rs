//! A team that answers its messages: it accepts most offers, works in its hours, reports, and completes.
//!
//! It keeps an agenda of what it will say. What the daemon takes away from it goes off the agenda.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Due;
use super::chance::Chance;
use crate::engine::calendar::Calendar;
use crate::engine::roster::{Acceptance, Party, Roster, Team};

/// Of a hundred offers, this many are accepted.
const ACCEPTS_PERCENT: u64 = 90;
/// Of a hundred offers, this many are accepted or declined; the rest lapse.
const ANSWERS_PERCENT: u64 = 98;
/// Of a hundred tasks, this many stand still for a while.
const PAUSES_PERCENT: u64 = 10;
/// Of a hundred requests for notes, this many are answered.
const HANDS_ON_PERCENT: u64 = 80;
/// An answer takes from this many seconds on.
const QUICKEST_ANSWER_SECONDS: u32 = 20;
/// Effort in minutes from which on a team reports progress.
const REPORTS_FROM_MINUTES: u32 = 45;
/// Events after which a task is no longer the team's.
const LOST: [&str; 9] = [
    "task.withdrawn",
    "task.lapsed",
    "task.released",
    "task.recalled",
    "task.cancelled",
    "task.completed",
    "handoff.passed",
    "handoff.declined",
    "handoff.overtaken",
];

/// One team.
#[derive(Debug)]
pub struct Crew {
    chance: Chance,
    team: String,
    calendar: Arc<Calendar>,
    answers_offers: bool,
    pauses: Vec<String>,
    said: u64,
    /// By instant, then by the order in which it was planned.
    agenda: BTreeMap<(DateTime<Utc>, u64), Planned>,
}

/// Something that the team will say.
#[derive(Debug)]
struct Planned {
    task: String,
    body: Vec<u8>,
}

/// What a crew reads of a message to its team.
#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    event_type: String,
    task: Option<String>,
    assignment: Option<u32>,
    until: Option<DateTime<Utc>>,
    remaining_minutes: Option<u32>,
}

/// An offer.
struct Offer {
    task: String,
    assignment: u32,
    until: DateTime<Utc>,
    remaining_minutes: u32,
}

impl Crew {
    /// The crew of a team; each team of a seed has a mind of its own.
    #[must_use]
    pub fn new(seed: u64, team: &Team, roster: &Roster) -> Self {
        let is_teams = |parties: &[Party]| parties.contains(&Party::Team);
        let pauses = roster.pauses.iter().filter(|(_, reason)| is_teams(&reason.set_by) && is_teams(&reason.end_by));
        Self {
            chance: Chance::named(seed, team.id.as_str()),
            team: team.id.as_str().to_owned(),
            calendar: Arc::clone(&team.calendar),
            answers_offers: team.acceptance == Acceptance::Required,
            pauses: pauses.map(|(reason, _)| reason.as_str().to_owned()).collect(),
            said: 0,
            agenda: BTreeMap::new(),
        }
    }

    /// Reads a message to the team, as its queue or mailbox carries it. What it does not understand is not for it.
    pub fn hear(&mut self, now: DateTime<Utc>, body: &[u8]) {
        let Ok(message) = serde_json::from_slice::<Message>(body) else { return };
        let Some(task) = message.task else { return };
        if LOST.contains(&message.event_type.as_str()) {
            self.agenda.retain(|_, planned| planned.task != task);
        }
        if let ("handoff.requested", Some(assignment)) = (message.event_type.as_str(), message.assignment) {
            self.hand_on(now, &task, assignment);
        }
        if let ("task.offered", Some(assignment), Some(until)) =
            (message.event_type.as_str(), message.assignment, message.until)
        {
            let remaining_minutes = message.remaining_minutes.unwrap_or(REPORTS_FROM_MINUTES);
            self.consider(now, &Offer { task, assignment, until, remaining_minutes });
        }
    }

    /// When the team says something next.
    #[must_use]
    pub fn next_at(&self) -> Option<DateTime<Utc>> {
        self.agenda.keys().next().map(|(at, _)| *at)
    }

    /// Takes what the team says up to `now`, in order, off its agenda.
    pub fn take(&mut self, now: DateTime<Utc>) -> Vec<Due> {
        let later = self.agenda.split_off(&(now + TimeDelta::milliseconds(1), 0));
        let due = std::mem::replace(&mut self.agenda, later);
        due.into_iter().map(|((at, _), planned)| Due { at, body: planned.body }).collect()
    }

    fn consider(&mut self, now: DateTime<Utc>, offer: &Offer) {
        if !self.answers_offers {
            return self.work(now, offer);
        }
        let at = self.answer_at(now, offer.until);
        match self.chance.below(100) {
            0..ACCEPTS_PERCENT => {
                self.plan(at, &offer.task, offer.assignment, "accept", json!({}));
                self.work(at, offer);
            }
            ACCEPTS_PERCENT..ANSWERS_PERCENT => {
                let (reason, note) = if self.chance.percent(75) {
                    ("busy", "the team is on another matter")
                } else {
                    ("not_qualified", "nobody on shift has done this kind of work")
                };
                self.plan(at, &offer.task, offer.assignment, "decline", json!({ "reason": reason, "note": note }));
            }
            _ => {}
        }
    }

    /// Its shift ends soon and it is asked for notes: most of the time it writes some.
    fn hand_on(&mut self, now: DateTime<Utc>, task: &str, assignment: u32) {
        if !self.chance.percent(HANDS_ON_PERCENT) {
            return;
        }
        let at = now + TimeDelta::minutes(self.chance.within(5..=25).into());
        let notes = json!({ "notes": "the open points are at the top of the file", "next_step": "go on from there" });
        self.plan(at, task, assignment, "handoff", notes);
    }

    /// Somewhere in the first half of the time that an offer stands, sooner rather than later.
    fn answer_at(&mut self, now: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        let half_seconds = u32::try_from((until - now).num_seconds() / 2).unwrap_or(0);
        let quickest = QUICKEST_ANSWER_SECONDS.min(half_seconds);
        let (one, other) = (self.chance.within(quickest..=half_seconds), self.chance.within(quickest..=half_seconds));
        now + TimeDelta::seconds(one.min(other).into())
    }

    /// Plans the work from its start: reports, perhaps a pause, and the end.
    fn work(&mut self, from: DateTime<Utc>, offer: &Offer) {
        let effort_minutes = (offer.remaining_minutes * self.chance.within(75..=125) / 100).max(1);
        let left_at = |done_percent: u32| offer.remaining_minutes * (100 - done_percent) / 100;
        if effort_minutes >= REPORTS_FROM_MINUTES {
            for done_percent in [35, 70] {
                let at = self.worked(from, effort_minutes * done_percent / 100);
                let report = json!({ "remaining_minutes": left_at(done_percent) });
                self.plan(at, &offer.task, offer.assignment, "progress", report);
            }
        }
        let mut worked_minutes = effort_minutes;
        if self.chance.percent(PAUSES_PERCENT)
            && let Some(reason) = self.chance.pick(&self.pauses).cloned()
        {
            let paused_minutes = self.chance.within(20..=180);
            let at = self.worked(from, effort_minutes * 4 / 5);
            self.plan(at, &offer.task, offer.assignment, "pause", json!({ "reason": reason }));
            let at = self.worked(from, effort_minutes * 4 / 5 + paused_minutes);
            self.plan(at, &offer.task, offer.assignment, "resume", json!({}));
            worked_minutes += paused_minutes;
        }
        let at = self.worked(from, worked_minutes);
        self.plan(at, &offer.task, offer.assignment, "complete", json!({ "note": "done and checked" }));
    }

    /// When so many minutes of the team's hours have passed; of all hours when the calendar has no such instant.
    fn worked(&self, from: DateTime<Utc>, minutes: u32) -> DateTime<Utc> {
        let minutes = TimeDelta::minutes(minutes.into());
        self.calendar.add(from, minutes, &[]).unwrap_or(from + minutes)
    }

    fn plan(&mut self, at: DateTime<Utc>, task: &str, assignment: u32, kind: &str, fields: Value) {
        self.said += 1;
        let mut body = json!({
            "id": format!("{}-{}-{kind}", at.format("%Y%m%dT%H%M%S%3f"), self.said),
            "task": task,
            "kind": kind,
            "at": at.to_rfc3339_opts(SecondsFormat::Millis, true),
            "team": self.team,
            "assignment": assignment,
        });
        if let (Value::Object(body), Value::Object(fields)) = (&mut body, fields) {
            body.extend(fields);
        }
        let body = body.to_string().into_bytes();
        self.agenda.insert((at, self.said), Planned { task: task.to_owned(), body });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::update::{Change, Update};
    use crate::roster::zones::ZoneSource;
    use crate::wire::Rules;
    use crate::wire::update::{SenderHint, parse};

    fn monday_noon() -> DateTime<Utc> {
        "2026-11-23T12:00:00Z".parse().unwrap()
    }

    fn sample() -> Roster {
        crate::roster::sample(ZoneSource::Bundled, monday_noon()).unwrap().roster
    }

    fn crew(seed: u64) -> Crew {
        let roster = sample();
        let team = roster.teams.iter().find(|team| team.id.as_str() == "london").unwrap();
        Crew::new(seed, team, &roster)
    }

    fn offer(n: u32) -> Vec<u8> {
        let body = json!({
            "type": "task.offered", "task": format!("acme-llp/r-{n}"), "team": "london", "assignment": 1,
            "until": "2026-11-23T12:30:00.000Z", "remaining_minutes": 90,
        });
        body.to_string().into_bytes()
    }

    fn updates(crew: &mut Crew) -> Vec<(DateTime<Utc>, Update)> {
        let due = crew.take(monday_noon() + TimeDelta::days(30));
        let read = |body: &[u8]| parse(body, &SenderHint::InBody, &Rules::default()).unwrap();
        due.iter().map(|due| (due.at, read(&due.body))).collect()
    }

    #[test]
    fn one_seed_gives_the_same_answers() {
        let said = |seed| {
            let mut crew = crew(seed);
            (0..50).for_each(|n| crew.hear(monday_noon(), &offer(n)));
            crew.take(monday_noon() + TimeDelta::days(30))
        };
        assert_eq!(said(7), said(7));
        assert_ne!(said(7), said(8));
    }

    #[test]
    fn most_offers_are_accepted_a_few_declined_and_fewer_left_to_lapse() {
        let mut crew = crew(1);
        (0..1_000).for_each(|n| crew.hear(monday_noon(), &offer(n)));
        let updates = updates(&mut crew);
        let accepted = updates.iter().filter(|(_, it)| matches!(it.change, Change::Accept { .. })).count();
        let declined = updates.iter().filter(|(_, it)| matches!(it.change, Change::Decline { .. })).count();
        let completed = updates.iter().filter(|(_, it)| matches!(it.change, Change::Complete { .. })).count();
        assert!((870..=930).contains(&accepted), "{accepted} accepted");
        assert!((55..=105).contains(&declined), "{declined} declined");
        assert!((5..=40).contains(&(1_000 - accepted - declined)), "{accepted} accepted, {declined} declined");
        assert_eq!(completed, accepted);
    }

    #[test]
    fn answers_come_before_the_offer_lapses_and_work_ends_around_its_effort_in_open_hours() {
        let mut crew = crew(2);
        (0..200).for_each(|n| crew.hear(monday_noon(), &offer(n)));
        let calendar = Arc::clone(&crew.calendar);
        for (at, update) in updates(&mut crew) {
            let after = at - monday_noon();
            let worked = calendar.elapsed(monday_noon(), at, &[]).unwrap();
            match update.change {
                Change::Accept { .. } | Change::Decline { .. } => {
                    assert!(after >= TimeDelta::seconds(20) && after <= TimeDelta::minutes(15), "{after}");
                }
                Change::Complete { .. } => {
                    assert!(
                        worked >= TimeDelta::minutes(67) && worked <= TimeDelta::minutes(15 + 113 + 180),
                        "{worked}"
                    );
                }
                Change::Progress { remaining_minutes, .. } => assert!(remaining_minutes < 90),
                Change::Pause { .. } | Change::Resume { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn notes_are_written_when_they_are_asked_for_and_a_task_that_was_passed_on_is_forgotten() {
        let mut crew = crew(6);
        (0..50).for_each(|n| crew.hear(monday_noon(), &offer(n)));
        for n in 0..50 {
            let body = json!({ "type": "handoff.requested", "task": format!("acme-llp/r-{n}"), "assignment": 1 });
            crew.hear(monday_noon(), body.to_string().as_bytes());
        }
        let handed_on = |planned: &Planned| String::from_utf8_lossy(&planned.body).contains(r#""kind":"handoff""#);
        let notes = crew.agenda.values().filter(|planned| handed_on(planned)).count();
        assert!((30..50).contains(&notes), "{notes} of 50");
        for n in 0..50 {
            let body = json!({ "type": "handoff.passed", "task": format!("acme-llp/r-{n}"), "assignment": 1 });
            crew.hear(monday_noon(), body.to_string().as_bytes());
        }
        assert_eq!(crew.next_at(), None);
    }

    #[test]
    fn ids_of_updates_are_never_used_twice() {
        let mut crew = crew(2);
        (0..200).for_each(|n| crew.hear(monday_noon(), &offer(n)));
        let updates = updates(&mut crew);
        let ids: std::collections::BTreeSet<_> = updates.iter().map(|(_, update)| &update.id).collect();
        assert_eq!(ids.len(), updates.len());
    }

    #[test]
    fn a_task_that_is_taken_away_is_not_spoken_of_again() {
        let mut crew = crew(3);
        (0..20).for_each(|n| crew.hear(monday_noon(), &offer(n)));
        let named = |n: u32| format!("acme-llp/r-{n}");
        for n in 0..20 {
            let body = json!({ "type": "task.withdrawn", "task": named(n), "assignment": 1 });
            crew.hear(monday_noon(), body.to_string().as_bytes());
        }
        assert_eq!(crew.next_at(), None);
    }

    #[test]
    fn nothing_is_said_before_its_time() {
        let mut crew = crew(4);
        (0..20).for_each(|n| crew.hear(monday_noon(), &offer(n)));
        let first_at = crew.next_at().unwrap();
        assert!(crew.take(first_at - TimeDelta::milliseconds(1)).is_empty());
        assert_eq!(crew.take(first_at).first().unwrap().at, first_at);
        assert!(crew.next_at().unwrap() > first_at);
    }

    #[test]
    fn work_that_is_not_done_by_the_evening_goes_on_in_the_morning() {
        let mut crew = crew(5);
        let late: DateTime<Utc> = "2026-11-23T17:00:00Z".parse().unwrap();
        for n in 0..20 {
            let body = json!({
                "type": "task.offered", "task": format!("acme-llp/r-{n}"), "assignment": 1,
                "until": "2026-11-23T17:15:00Z", "remaining_minutes": 120,
            });
            crew.hear(late, body.to_string().as_bytes());
        }
        let ends = updates(&mut crew).into_iter().filter(|(_, it)| matches!(it.change, Change::Complete { .. }));
        let ends: Vec<_> = ends.map(|(at, _)| at).collect();
        let morning: DateTime<Utc> = "2026-11-24T08:00:00Z".parse().unwrap();
        assert!(!ends.is_empty() && ends.iter().all(|at| *at > morning), "{ends:?}");
    }
}
