//! A task as an observer knows it who reads what firms ask for and what the engine tells.

use std::collections::{BTreeMap, BTreeSet};

use heliograph::engine::request::{Presence, Priority, WorkRequest};

use super::book::{Book, Promise};

/// An offer that stands.
#[derive(Debug, Clone)]
pub struct Offer {
    pub team: usize,
    pub number: u32,
    pub until: i64,
    /// Whether hours have changed since, so that it may end at another instant.
    pub moved: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Waiting,
    Offered,
    Active { team: usize, number: u32 },
}

/// That a team turned a task down.
#[derive(Debug, Clone)]
pub struct TurnedDown {
    /// Until when it is not asked again.
    pub until: i64,
    pub times: u32,
    /// When it declined as busy: a freed seat ends that.
    pub busy_at: Option<i64>,
}

/// A clock and what it has counted until it was last looked at.
#[derive(Debug, Clone)]
pub struct Watch {
    pub promise: Promise,
    pub deadline: bool,
    pub started: Option<i64>,
    pub stopped: Option<i64>,
    pub counted: i64,
    /// Since when it counts by what holds now.
    pub since: i64,
    pub warned: usize,
    pub breached: bool,
}

#[derive(Debug, Clone)]
pub struct Pause {
    pub reason: String,
    pub cap_at: Option<i64>,
}

/// What a holder decided or what was decided for it, for the end of its shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    NoTaker,
    Other,
}

#[derive(Debug, Clone)]
pub struct Case {
    pub id: String,
    pub client: String,
    pub matter: String,
    pub jurisdiction: Option<String>,
    pub specialty: Option<String>,
    pub languages: BTreeSet<String>,
    pub skills: BTreeMap<String, i64>,
    pub presence: Presence,
    pub site: Option<String>,
    pub allowed: Vec<String>,
    pub denied: Vec<String>,
    /// What the request says of leaving the country: yes with a record, or no.
    pub consent: Option<bool>,
    pub never_moves: bool,
    pub preferred: Option<String>,
    pub excluded: Vec<String>,
    pub priority: Priority,
    pub effort: i64,
    pub left: i64,
    pub deadline: Option<i64>,
    pub not_before: Option<i64>,
    pub unblocked_at: i64,
    pub place: Place,
    pub offer: Option<Offer>,
    pub plan: Option<usize>,
    pub kept: Option<Kept>,
    pub held: bool,
    pub pause: Option<Pause>,
    pub numbers: u32,
    pub told: u64,
    pub turned_down: BTreeMap<usize, TurnedDown>,
    /// The team that let an offer lapse last, and its number.
    pub lapsed: Option<(usize, u32)>,
    /// How many times it was handed on.
    pub passed: u32,
    pub clocks: Vec<Watch>,
    /// The teams that the standing rules let have it, a bit each.
    pub eligible: u64,
}

impl Case {
    /// A request that is admitted at an instant.
    pub fn admitted(request: &WorkRequest, book: &Book, at: i64) -> Self {
        let kind = &book.work_types[request.work_type.as_ref().expect("a work type").as_str()];
        let client = &book.clients[request.client.as_str()];
        let presence = request.presence.unwrap_or_default().max(kind.presence);
        let mut skills = kind.skills.clone();
        for need in &request.skills {
            let level = skills.entry(need.name.to_string()).or_default();
            *level = (*level).max(i64::from(need.level));
        }
        let said = request.languages.as_ref().map(|all| all.iter().map(ToString::to_string).collect());
        let policy = request.sla.as_ref().map_or(&client.sla, |_| unreachable!("no request names a policy"));
        let promises = book.policies.get(policy).cloned().unwrap_or_default();
        let effort = request.effort_minutes.map_or(kind.effort_minutes, i64::from);
        let mut case = Self {
            id: format!("{}/{}", request.client, request.id),
            client: request.client.to_string(),
            matter: request.matter.to_string(),
            jurisdiction: request.jurisdiction.as_ref().map(|it| it.as_str().to_owned()),
            specialty: request.specialty.as_ref().map(ToString::to_string).or_else(|| kind.specialty.clone()),
            languages: said.unwrap_or_else(|| kind.languages.iter().cloned().collect()),
            skills,
            presence,
            site: request.place.as_ref().map(|it| it.as_str().to_owned()),
            allowed: request.allowed_countries.iter().map(|it| it.as_str().to_owned()).collect(),
            denied: request.denied_countries.iter().map(|it| it.as_str().to_owned()).collect(),
            consent: request.consent.as_ref().map(|it| it.offshore && it.reference.is_some()),
            never_moves: if presence > kind.presence { true } else { kind.never_moves },
            preferred: request.preferred_team.as_ref().map(ToString::to_string),
            excluded: request.excluded_teams.iter().map(ToString::to_string).collect(),
            priority: request.priority.unwrap_or_default(),
            effort,
            left: effort,
            deadline: request.deadline.map(|it| it.timestamp_millis()),
            not_before: request.not_before.map(|it| it.timestamp_millis()),
            unblocked_at: at,
            place: Place::Waiting,
            offer: None,
            plan: None,
            kept: None,
            held: false,
            pause: None,
            numbers: 0,
            told: 0,
            turned_down: BTreeMap::new(),
            lapsed: None,
            passed: 0,
            clocks: promises.into_iter().map(Watch::new).collect(),
            eligible: 0,
        };
        if let Some(deadline) = case.deadline {
            case.clocks.push(Watch::of_deadline(deadline - at));
        }
        case.reach("admitted", at);
        case
    }

    /// Starts and stops the clocks for which a moment is the time, each once.
    pub fn reach(&mut self, moment: &str, at: i64) {
        for clock in &mut self.clocks {
            if clock.promise.start == moment && clock.started.is_none() {
                (clock.started, clock.since) = (Some(at), at);
            }
            if clock.promise.stop == moment && clock.started.is_some() && clock.stopped.is_none() {
                clock.stopped = Some(at);
            }
        }
    }

    pub fn owner(&self) -> Option<usize> {
        match self.place {
            Place::Active { team, .. } => Some(team),
            Place::Waiting | Place::Offered => None,
        }
    }

    /// The teams at which it uses a seat, with the effort that it uses there.
    pub fn seats(&self) -> impl Iterator<Item = usize> {
        let offered = self.offer.as_ref().map(|offer| offer.team);
        let own = self.owner().or(offered.filter(|_| self.place == Place::Offered));
        let next = self.plan.or(offered.filter(|_| self.place != Place::Offered));
        let is_paused = self.pause.is_some();
        own.filter(|_| !is_paused).into_iter().chain(next)
    }
}

impl Watch {
    fn new(promise: Promise) -> Self {
        Self {
            promise,
            deadline: false,
            started: None,
            stopped: None,
            counted: 0,
            since: 0,
            warned: 0,
            breached: false,
        }
    }

    /// The clock of a deadline that is so far away.
    pub fn of_deadline(target: i64) -> Self {
        let text = str::to_owned;
        let promise = Promise {
            name: text("deadline"),
            start: text("admitted"),
            stop: text("completed"),
            target,
            basis: text("wall"),
            pause_on: Vec::new(),
            warn_at: vec![75],
        };
        Self { deadline: true, ..Self::new(promise) }
    }

    pub fn is_running(&self) -> bool {
        self.started.is_some() && self.stopped.is_none()
    }

    /// So many hundredths of the target, rounded up to the millisecond.
    pub fn amount(&self, hundredths: i64) -> i64 {
        let scaled = self.promise.target.max(0) * hundredths;
        scaled / 100 + i64::from(scaled % 100 > 0)
    }
}
