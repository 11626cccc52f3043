//! A seeded random walk over every event, with the invariants held after each and two checks made from the rules alone:
//! an offer goes only to a team that passes all nine filters, and no task waits that could be offered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::effect::{Effect, Effects, Recorded};
use heliograph::engine::event::{Event, OverrideWish};
use heliograph::engine::id::{RequestId, TaskId, TeamId};
use heliograph::engine::overrides::{NewOverride, OverrideKind};
use heliograph::engine::request::{Presence, Priority, Step, WorkRequest};
use heliograph::engine::roster::{
    Acceptance, Basis, Capability, Capacity, Client, Escalation, EscalationAction, Moment, Offshoring, Roster,
    RosterDigest, SlaClock, SlaPolicy, Team, Wall,
};
use heliograph::engine::scheduler::Scheduler;
use heliograph::engine::task::{Task, TaskState, WaitReason};
use heliograph::engine::update::{Amendment, Change, DeclineReason, Sender, Update};

use crate::world::*;

/// SplitMix64.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn of<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())].clone()
    }
}

/// Teams around the world, each with a trait that some rule is about.
pub fn firm() -> Roster {
    varied(0)
}

fn varied(version: usize) -> Roster {
    let lunch = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &["12:00-13:00"]);
    let nights = calendar("Asia/Kolkata", &WEEKDAYS, &["22:00-06:00"], &["01:00-01:30"]);
    let seats = |seats| Capacity::Seats(seats);
    let admitted_until = Some(at("2026-11-26T15:00:00Z"));
    let ny_bar = vec![Capability { admitted_until, ..capability(Some("US-NY"), None) }, capability(Some("US"), None)];
    let teams = vec![
        Team { calendar: lunch, capacity: seats(2), urgent_reserve: 1, ..london() },
        Team { capacity: seats(2 + u32::try_from(version % 2).unwrap()), ..sydney() },
        Team { capacity: seats(2), capabilities: ny_bar, ..new_york() },
        Team { capacity: Capacity::EffortHours(6), calendar: nights, ..team("mumbai", "IN-MH", "UTC", &[]) },
        Team {
            capacity: seats(1),
            acceptance: Acceptance::Implicit,
            ..team("tokyo", "JP", "Asia/Tokyo", &["09:00-18:00"])
        },
        Team {
            capacity: seats(1),
            skills: [(term("patents"), 3)].into(),
            cost_per_hour_cents: 9_000,
            ..always("zurich")
        },
        Team {
            capacity: seats(3),
            vetted_until: Some(at("2026-11-27T10:00:00Z")),
            retired: version % 3 == 2,
            ..team("lagos", "NG", "Africa/Lagos", &["08:00-12:00", "15:00-19:00"])
        },
    ];
    let mut roster = roster(teams);
    roster.digest = RosterDigest(format!("{version:064}").into());
    let policy = promises();
    roster.sla.insert(policy.id.clone(), policy);
    roster.pauses.values_mut().for_each(|rule| rule.cap_minutes = Some(45));
    let office = if version.is_multiple_of(2) { "09:00-17:00" } else { "08:00-15:30" };
    let office = calendar("Europe/London", &WEEKDAYS, &[office], &["12:00-12:30"]);
    roster.calendars.values_mut().for_each(|calendar| *calendar = Arc::clone(&office));
    roster.clients.get_mut("bolt").expect("a client").offshoring = Offshoring::Consent;
    if version % 2 == 1 {
        let walled = matter("M-2");
        roster.walls =
            vec![Wall { team: team_id("sydney"), client: client_id("acme"), matter: Some(walled), reason: "r".into() }];
    }
    roster
}

/// A clock on each kind of time, with warnings and every kind of step.
fn promises() -> SlaPolicy {
    let clock =
        |name, basis, target_minutes| SlaClock { name: term(name), ..policy(basis, target_minutes).clocks.remove(0) };
    let step = |at_percent, action| Escalation { at_percent, action };
    let escalations = vec![
        step(40, EscalationAction::Reroute),
        step(80, EscalationAction::RaisePriority(Priority::High)),
        step(120, EscalationAction::Notify("desk".into())),
    ];
    let clocks = vec![
        SlaClock { warn_at_percent: vec![50, 75], escalations, ..clock("held", Basis::Holder, 300) },
        SlaClock { pause_on: Vec::new(), warn_at_percent: vec![90], ..clock("wall", Basis::Wall, 500) },
        SlaClock { start: Moment::Admitted, ..clock("office", Basis::Calendar("office".parse().expect("an id")), 200) },
        SlaClock { warn_at_percent: vec![10], stop: Moment::Accepted, ..clock("client", Basis::Client, 45) },
        SlaClock { start: Moment::Offered, ..clock("covered", Basis::Coverage, 240) },
    ];
    SlaPolicy { clocks, ..policy(Basis::Wall, 1) }
}

/// In the long walk every so many steps are checked against all tasks.
const CHECKED_EVERY: u32 = 16;

/// An override as it was wished, when it was set, and when it was ended before its time.
type SetOverride = (NewOverride, DateTime<Utc>, Option<DateTime<Utc>>);

/// A world and the dice that drive it.
pub struct Walk {
    pub world: World,
    dice: Dice,
    sent: usize,
    versions: usize,
    /// Every override that was set: what the rules know of them.
    pub set: Vec<SetOverride>,
}

impl Walk {
    pub fn new(seed: u64) -> Self {
        Self {
            world: World::new("2026-11-23T07:00:00Z", firm()),
            dice: Dice(seed),
            sent: 0,
            versions: 0,
            set: Vec::new(),
        }
    }

    /// The next event, after some time may have passed to it.
    pub fn next_event(&mut self) -> Option<Event> {
        if self.dice.one_in(3) {
            let now = self.world.now + TimeDelta::seconds(i64::try_from(self.dice.below(1_200)).unwrap());
            // Now and then nobody fires the timers before the next event comes.
            let due_at = self.world.scheduler.next_deadline().filter(|due_at| *due_at <= now);
            if let Some(due_at) = due_at.filter(|_| !self.dice.one_in(8)) {
                self.world.now = self.world.now.max(due_at);
                return Some(Event::DeadlineReached);
            }
            self.world.now = now;
        }
        let open = self.world.scheduler.open_count();
        match self.dice.below(100) {
            0 if self.dice.one_in(2) => {
                self.versions += 1;
                Some(Event::RosterChanged(varied(self.versions).into()))
            }
            1 if self.dice.one_in(2) => Some(Event::OverrideWished(self.override_wish())),
            1..45 if open < 60 => Some(self.request()),
            45..48 => self.undeliverable(),
            _ => self.update(),
        }
    }

    /// One event and its step.
    pub fn go(&mut self) -> Effects {
        let Some(event) = self.next_event() else { return Effects::default() };
        let wish = match &event {
            Event::OverrideWished(wish) => Some(wish.clone()),
            _ => None,
        };
        let effects = self.world.step(event);
        if let Some(wish) = wish {
            self.note(wish, effects.overridden.as_ref().is_some_and(Result::is_ok));
        }
        effects
    }

    /// What the rules know of overrides from now on.
    pub fn note(&mut self, wish: OverrideWish, is_done: bool) {
        let now = self.world.scheduler.now();
        match wish {
            OverrideWish::Set(new) if is_done => self.set.push((*new, now, None)),
            OverrideWish::Remove { id, .. } if is_done => self.set[usize::try_from(id).unwrap() - 1].2 = Some(now),
            OverrideWish::Set(_) | OverrideWish::Remove { .. } => {}
        }
    }

    fn override_wish(&mut self) -> OverrideWish {
        let now = self.world.now;
        let dice = &mut self.dice;
        let (author, reason) = ("Ann".to_owned(), "a flood".to_owned());
        if !self.set.is_empty() && dice.one_in(3) {
            let id = u64::try_from(dice.below(self.set.len())).unwrap() + 1;
            return OverrideWish::Remove { id, author, reason };
        }
        let seats = u32::try_from(dice.below(4)).unwrap();
        let kinds = [OverrideKind::Close, OverrideKind::Open, OverrideKind::Drain, OverrideKind::Seats { seats }];
        let begins = now + TimeDelta::minutes(i64::try_from(dice.below(600)).unwrap());
        let from = dice.one_in(2).then_some(begins);
        let until = begins + TimeDelta::minutes(1 + i64::try_from(dice.below(900)).unwrap());
        let team = team_id(dice.of(&["london", "sydney", "new-york", "mumbai", "tokyo", "zurich", "lagos"]));
        OverrideWish::Set(Box::new(NewOverride { team, kind: dice.of(&kinds), from, until, author, reason }))
    }

    fn request(&mut self) -> Event {
        self.sent += 1;
        let dice = &mut self.dice;
        let kind = if dice.one_in(8) { "call" } else { "review" };
        let mut request = request_of(kind, &format!("r{}", self.sent));
        request.client = client_id(dice.of(&["acme", "acme", "bolt"]));
        request.matter = matter(dice.of(&["M-1", "M-2", "M-3"]));
        request.effort_minutes = Some(dice.of(&[10, 45, 60, 90, 240, 600]));
        request.priority = Some(dice.of(&Priority::ALL));
        if dice.one_in(3) {
            request.deadline = Some(self.world.now + TimeDelta::minutes(i64::try_from(dice.below(3_000)).unwrap()));
        }
        if dice.one_in(3) {
            request.sla = Some("gold".parse().unwrap());
        }
        if dice.one_in(4) {
            request.jurisdiction = Some(place(dice.of(&["US-NY", "US", "GB"])));
        }
        if dice.one_in(8) {
            request.skills = vec![skill("patents", 2)];
        }
        if dice.one_in(8) {
            request.not_before = Some(self.world.now + TimeDelta::minutes(i64::try_from(dice.below(600)).unwrap()));
        }
        if dice.one_in(8) {
            request.after = vec![task_id(&format!("r{}", self.sent.saturating_sub(dice.below(9)).max(1)))];
        }
        if dice.one_in(24) {
            request.allowed_countries = vec![place(dice.of(&["NG", "IN", "GB"]))];
        }
        if dice.one_in(24) {
            request.excluded_teams = vec![team_id(dice.of(&["zurich", "mumbai"]))];
        }
        if dice.one_in(6) {
            request.preferred_team = Some(team_id(dice.of(&["london", "sydney", "zurich"])));
        }
        if dice.one_in(9) {
            self.in_steps(&mut request);
        }
        Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() }
    }

    /// The request is done in one to five steps, each behind some of those before it.
    fn in_steps(&mut self, request: &mut WorkRequest) {
        let dice = &mut self.dice;
        request.work_type = None;
        for number in 0..=dice.below(5) {
            let after =
                (0..number).filter(|_| dice.one_in(2)).map(|before| format!("s{before}").parse().expect("an id"));
            let after = after.collect();
            request.steps.push(Step {
                id: format!("s{number}").parse().expect("an id"),
                work_type: dice.of(&["review", "review", "call"]).parse().expect("a work type"),
                jurisdiction: dice.one_in(4).then(|| place("US")),
                specialty: None,
                effort_minutes: Some(dice.of(&[10, 60, 240])),
                after,
            });
        }
        if dice.one_in(2) {
            request.deadline = Some(self.world.now + TimeDelta::minutes(i64::try_from(dice.below(6_000)).unwrap()));
        }
    }

    fn some_task(&mut self) -> Option<Task> {
        let open = self.world.scheduler.open_count();
        let skipped = self.dice.below(open);
        self.world.scheduler.open_tasks().nth(skipped).cloned()
    }

    fn undeliverable(&mut self) -> Option<Event> {
        let task = self.some_task()?;
        Some(Event::OfferUndeliverable { task: task.id, assignment: task.assignments })
    }

    fn update(&mut self) -> Option<Event> {
        let task = self.some_task()?;
        let holder = task.assignment().map(|(team, number)| (Sender::Team(team.clone()), number));
        let dice = &mut self.dice;
        let (sender, change) = match (&task.state, holder) {
            (TaskState::Offered(_), Some((team, assignment))) if !dice.one_in(6) => {
                let reason = dice.of(&[DeclineReason::Busy, DeclineReason::Busy, DeclineReason::NotQualified]);
                let reason = if dice.one_in(40) { DeclineReason::Conflict } else { reason };
                let decline = Change::Decline { assignment, reason, note: None };
                (team, if dice.one_in(3) { decline } else { Change::Accept { assignment } })
            }
            (TaskState::Active(_), Some((team, assignment))) if !dice.one_in(6) => (team, self.of_owner(assignment)),
            _ if dice.one_in(12) => (Sender::Operator("local".into()), Change::Recall),
            _ => (Sender::Client(task.client.clone()), self.of_firm(&task)),
        };
        let id = RequestId::new(&format!("u{}", self.dice.next())).expect("an id");
        // What the firm says of a step it says of the whole process now and then.
        let process = task.process.as_ref().map(|step| step.process.clone());
        let whole = process.filter(|_| matches!(sender, Sender::Client(_)) && self.dice.one_in(3));
        let task_id = whole.unwrap_or(task.id);
        let update = Update { id, task: task_id, sender, at: None, order: None, change };
        Some(received(update))
    }

    fn of_owner(&mut self, assignment: u32) -> Change {
        let dice = &mut self.dice;
        match dice.below(8) {
            0 => Change::Progress { assignment, remaining_minutes: dice.of(&[0, 5, 50, 200]), note: None },
            1 => Change::Pause { assignment: Some(assignment), reason: term("client-question") },
            2 => Change::Resume { assignment: Some(assignment) },
            3 => Change::Release { assignment, reason: "ill".into() },
            _ => Change::Complete { assignment, note: None },
        }
    }

    fn of_firm(&mut self, task: &Task) -> Change {
        let dice = &mut self.dice;
        let later = self.world.now + TimeDelta::minutes(i64::try_from(dice.below(900)).unwrap());
        let amendment = match dice.below(4) {
            0 => Amendment { deadline: Some(later), ..Amendment::default() },
            1 => Amendment { effort_minutes: Some(dice.of(&[15, 120, 480])), ..Amendment::default() },
            2 => {
                Amendment { denied_countries: Some(vec![place(dice.of(&["GB", "AU", "IN"]))]), ..Amendment::default() }
            }
            _ => Amendment { not_before: Some(later), ..Amendment::default() },
        };
        match dice.below(9) {
            0 => Change::Hold,
            1 | 2 => Change::Unhold,
            3 => Change::Pause { assignment: None, reason: term("client-question") },
            4 | 5 => Change::Resume { assignment: None },
            6 => Change::Reprioritise { priority: dice.of(&Priority::ALL) },
            7 if task.assignments > 2 => Change::Cancel { reason: "settled".into() },
            _ => Change::Amend(Box::new(amendment)),
        }
    }
}

/// The nine filters again, from the rules and by the minute-wise questions of a calendar alone.
pub struct Rules<'a> {
    pub scheduler: &'a Scheduler,
    /// Every override that was set.
    pub set: &'a [SetOverride],
    pub now: DateTime<Utc>,
    /// Tasks that were not with a team yet at the moment that is looked at.
    pub later: BTreeSet<TaskId>,
}

impl Rules<'_> {
    /// Whether a team may get a task now.
    pub fn may_offer(&self, team: &Team, task: &Task) -> bool {
        let roster = self.scheduler.roster();
        let client = &roster.clients[&task.client];
        self.not_walled(team, task)
            && consented(team, client, task)
            && self.in_contact(team, client, task)
            && self.qualified(team, task)
            && !self.turned_down(team, task)
            && !team.retired
            && !self.overridden(team, |kind| kind == OverrideKind::Drain)
            && self.is_open(team)
            && self.shift_end(team).is_some_and(|end| end - self.now >= TimeDelta::minutes(15))
            && self.has_room(team, task)
    }

    /// Whether the last override of close and open that stands, else the calendar of the roster, says that it is open.
    fn is_open(&self, team: &Team) -> bool {
        let standing = self.standing(team).filter(|kind| matches!(kind, OverrideKind::Close | OverrideKind::Open));
        let base = self.scheduler.base_roster();
        let by_rules = || base.team(base.team_index(&team.id).expect("a team")).calendar.is_open(self.now);
        standing.last().map_or_else(by_rules, |kind| kind == OverrideKind::Open)
    }

    /// Whether an override of a kind stands on a team.
    fn overridden(&self, team: &Team, is_kind: impl Fn(OverrideKind) -> bool) -> bool {
        self.standing(team).any(is_kind)
    }

    /// The overrides that stand on a team now, in the order in which they were set.
    fn standing(&self, team: &Team) -> impl Iterator<Item = OverrideKind> {
        let stands = move |(new, set_at, ended_at): &&SetOverride| {
            let begins = new.from.unwrap_or(*set_at).max(*set_at);
            begins <= self.now && self.now < new.until && ended_at.is_none_or(|ended_at| self.now < ended_at)
        };
        self.set.iter().filter(move |(new, ..)| new.team == team.id).filter(stands).map(|(new, ..)| new.kind)
    }

    /// How much a team can hold: as the last override of seats says that stands, else as the roster says.
    fn capacity(&self, team: &Team) -> Capacity {
        let base = self.scheduler.base_roster();
        let by_roster = base.team(base.team_index(&team.id).expect("a team")).capacity;
        let seats = |kind| match kind {
            OverrideKind::Seats { seats } => Some(Capacity::Seats(seats)),
            OverrideKind::Close | OverrideKind::Open | OverrideKind::Drain => None,
        };
        self.standing(team).filter_map(seats).last().unwrap_or(by_roster)
    }

    /// Whether the standing rules let a team have a task at all, whenever it is open and qualified.
    pub fn is_eligible(&self, team: &Team, task: &Task) -> bool {
        let roster = self.scheduler.roster();
        let client = &roster.clients[&task.client];
        let asked = |held: &Capability| {
            held.jurisdiction.is_none()
                || task.needs.jurisdiction.is_none()
                || held.jurisdiction == task.needs.jurisdiction
        };
        let skilled =
            task.needs.skills.iter().all(|it| team.skills.get(&it.name).is_some_and(|level| *level >= it.level));
        self.not_walled(team, task)
            && consented(team, client, task)
            && team.capabilities.iter().any(asked)
            && skilled
            && team.vetted_until.is_some()
            && !task.needs.excluded_teams.contains(&team.id)
    }

    fn not_walled(&self, team: &Team, task: &Task) -> bool {
        let by_roster = self.scheduler.roster().walls.iter().any(|wall| {
            wall.team == team.id
                && wall.client == task.client
                && wall.matter.as_ref().is_none_or(|it| *it == task.matter)
        });
        let wall = (team.id.clone(), task.client.clone(), task.matter.clone());
        !by_roster && !self.scheduler.conflicts().contains(&wall)
    }

    /// The end of the shift that is open now: hops over breaks shorter than two hours.
    fn shift_end(&self, team: &Team) -> Option<DateTime<Utc>> {
        if !team.calendar.is_open(self.now) {
            return None;
        }
        let mut at = self.now;
        loop {
            let Ok(close) = team.calendar.next_close(at) else { return Some(DateTime::<Utc>::MAX_UTC) };
            match team.calendar.next_open(close) {
                Ok(open) if open - close < TimeDelta::hours(2) => at = open,
                _ => return Some(close),
            }
        }
    }

    fn in_contact(&self, team: &Team, client: &Client, task: &Task) -> bool {
        if task.needs.presence != Presence::Contact {
            return true;
        }
        let Some(end) = self.shift_end(team) else { return true };
        let hours = client.calendar.as_ref().expect("hours");
        let horizon = end.min(self.now + TimeDelta::days(7));
        let open = team.calendar.open_intervals(self.now, horizon).expect("within the horizon");
        let both: TimeDelta = open.map(|(from, to)| hours.elapsed(from, to, &[]).unwrap()).sum();
        both >= TimeDelta::minutes(i64::from(task.remaining_minutes()))
    }

    fn qualified(&self, team: &Team, task: &Task) -> bool {
        let Some(shift_end) = self.shift_end(team) else { return false };
        let effort = TimeDelta::minutes(i64::from(task.remaining_minutes()));
        let finish = team.calendar.add(self.now, effort, &[]).expect("within the horizon");
        let stays = task.needs.work_type.as_str() == "call";
        let part_end = if stays { finish } else { finish.min(shift_end) };
        let lasts = |until: DateTime<Utc>| until >= part_end && until > self.now;
        let held = team.capabilities.iter().any(|held| {
            let pair = held.jurisdiction.is_none()
                || task.needs.jurisdiction.is_none()
                || held.jurisdiction == task.needs.jurisdiction;
            pair && held.admitted_until.is_none_or(lasts)
        });
        let skilled =
            task.needs.skills.iter().all(|it| team.skills.get(&it.name).is_some_and(|level| *level >= it.level));
        held && skilled && team.vetted_until.is_some_and(lasts) && !task.needs.excluded_teams.contains(&team.id)
    }

    fn turned_down(&self, team: &Team, task: &Task) -> bool {
        task.turn_downs.iter().any(|it| it.team == team.id && it.until.is_none_or(|until| until > self.now))
    }

    fn has_room(&self, team: &Team, task: &Task) -> bool {
        let other = |it: &&Task| it.paused.is_none() && !self.later.contains(&it.id);
        // A seat that is kept for a hand-off is of the effort that was left when it was planned; of several that are
        // planned the one that comes first gets it.
        let is_passed = task.handoffs > 0 && matches!(task.state, TaskState::Active(_));
        let kept = |it: &Task| match &it.state {
            TaskState::Active(active) => {
                let planned = active.handoff.passing.as_ref().filter(|it| it.offer.is_some() || !is_passed);
                planned.filter(|it| it.to == team.id).map(|it| it.effort_minutes)
            }
            _ => None,
        };
        let minutes = |it: &Task| kept(it).unwrap_or_else(|| it.remaining_minutes());
        let with_team =
            |it: &&Task| it.assignment().is_some_and(|(holder, _)| *holder == team.id) || kept(it).is_some();
        let held = || self.scheduler.open_tasks().filter(with_team).filter(other);
        match self.capacity(team) {
            Capacity::Seats(seats) => {
                let reserve = if task.priority == Priority::Urgent { 0 } else { team.urgent_reserve };
                held().count() < usize::try_from(seats.saturating_sub(reserve)).unwrap()
            }
            Capacity::EffortHours(hours) => {
                let used: u32 = held().map(minutes).sum();
                held().count() == 0 || used + task.remaining_minutes() <= hours * 60
            }
        }
    }
}

fn consented(team: &Team, client: &Client, task: &Task) -> bool {
    let consent = task.needs.consent.as_ref().is_some_and(|it| it.offshore && it.reference.is_some());
    let abroad = team.country.country() != client.country.country();
    let denied = task.needs.denied_countries.iter().any(|it| it.country() == team.country.country());
    let allowed = &task.needs.allowed_countries;
    let allowed = allowed.is_empty() || allowed.iter().any(|it| it.country() == team.country.country());
    !denied && allowed && (!abroad || client.offshoring == Offshoring::Allowed || consent)
}

/// Offers made in a step that still stand were within the rules, each as the ones before it left the seats. What is resumed
/// or grows, what is urgent no more, a seat kept for a hand-off and a roster with fewer seats may exceed them after the
/// offers of late timers, so a step with such an event is not looked at.
fn check_offers(walk: &Walk, effects: &Effects, counts: &mut BTreeMap<&'static str, u64>) {
    let exceeds = |effect: &Effect| {
        matches!(
            effect,
            Effect::Resume {}
                | Effect::Progress { .. }
                | Effect::Amend(_)
                | Effect::Reprioritise { .. }
                | Effect::PlanHandoff { .. }
                | Effect::AdoptRoster { .. }
                | Effect::ChangeOverride { .. }
        )
    };
    if effects.recorded.iter().any(|it| exceeds(&it.effect)) {
        return;
    }
    let scheduler = &walk.world.scheduler;
    let offers = effects.recorded.iter().filter(|it| matches!(it.effect, Effect::Offer(_)));
    let offers: Vec<_> = offers.filter_map(|it| Some((&it.task.as_ref()?.0, it.team.as_ref()?))).collect();
    let late = accepted_late(walk, effects);
    for (place, (id, team)) in offers.iter().enumerate() {
        let Some(task) = scheduler.task(id).filter(|it| it.state.team() == Some(team)) else { continue };
        let later = offers[place..].iter().map(|(id, _)| (*id).clone()).chain(late.clone()).collect();
        let rules = Rules { scheduler, set: &walk.set, now: scheduler.now(), later };
        let owner = team_of(walk, team);
        assert!(rules.may_offer(owner, task), "{id} went to {team} at {} against the rules: {task:?}", rules.now);
        *counts.entry("offers checked").or_default() += 1;
    }
}

/// The task that was accepted in a step after its offer had lapsed, which is the last thing of that step.
fn accepted_late(walk: &Walk, effects: &Effects) -> Option<TaskId> {
    let accepts = |it: &&Recorded| matches!(it.effect, Effect::Accept { .. });
    let (id, _) = effects.recorded.iter().rev().find(accepts)?.task.as_ref()?;
    let of_offer = |it: &&Recorded| {
        it.task.as_ref().is_some_and(|(task, _)| task == id)
            && matches!(it.effect, Effect::Offer(_) | Effect::Lapse { .. } | Effect::DeclineHandoff { .. })
    };
    let last = walk.world.log.iter().rev().find(of_offer)?;
    (!matches!(last.effect, Effect::Offer(_))).then(|| id.clone())
}

/// An accept that came late was of a team that could have had the task just then.
fn check_late_accept(walk: &Walk, effects: &Effects, counts: &mut BTreeMap<&'static str, u64>) {
    let scheduler = &walk.world.scheduler;
    let Some(task) = accepted_late(walk, effects).and_then(|id| scheduler.task(&id)) else { return };
    let behind = effects.recorded.iter().rev().take_while(|it| !matches!(it.effect, Effect::Accept { .. }));
    let offered = behind.filter(|it| matches!(it.effect, Effect::Offer(_))).filter_map(|it| it.task.clone());
    let later = offered.map(|(id, _)| id).chain([task.id.clone()]).collect();
    let rules = Rules { scheduler, set: &walk.set, now: scheduler.now(), later };
    let Some(team) = task.state.team().filter(|_| matches!(task.state, TaskState::Active(_))) else { return };
    assert!(rules.may_offer(team_of(walk, team), task), "{} went to {team} at {}: {task:?}", task.id, rules.now);
    *counts.entry("late accepts checked").or_default() += 1;
}

fn team_of<'a>(walk: &'a Walk, id: &TeamId) -> &'a Team {
    let roster = walk.world.scheduler.roster();
    roster.teams.iter().find(|it| it.id == *id).expect("a team of the roster")
}

/// No task waits for a team that could have it.
fn check_waiting(walk: &Walk, counts: &mut BTreeMap<&'static str, u64>) {
    let scheduler = &walk.world.scheduler;
    let rules = Rules { scheduler, set: &walk.set, now: scheduler.now(), later: BTreeSet::new() };
    let idle: Vec<_> = rules.scheduler.teams().filter(|(team, _)| rules.shift_end(team).is_some()).collect();
    for task in rules.scheduler.open_tasks() {
        let TaskState::Waiting(waiting) = &task.state else { continue };
        *counts.entry(waiting.reason.as_str()).or_default() += 1;
        let could_be_offered = match waiting.reason {
            WaitReason::NoTeamOpen
            | WaitReason::NoSeatFree
            | WaitReason::TurnedDown
            | WaitReason::Drained
            | WaitReason::NoTeamEligible => true,
            WaitReason::NotBefore
            | WaitReason::Predecessor
            | WaitReason::PredecessorCancelled
            | WaitReason::Held
            | WaitReason::Paused
            | WaitReason::WaitsForBetter => false,
        };
        for (team, _) in idle.iter().filter(|_| could_be_offered) {
            assert!(
                !rules.may_offer(team, task),
                "{} waits {waiting:?} at {} though {} could have it: {task:?}",
                task.id,
                rules.now,
                team.id
            );
            *counts.entry("waits checked").or_default() += 1;
        }
    }
}

/// Every fact of a task has the next number.
fn check_order(effects: &Effects, last: &mut BTreeMap<TaskId, u64>) {
    for (id, seq) in effects.recorded.iter().filter_map(|it| it.task.as_ref()) {
        let before = last.insert(id.clone(), *seq).unwrap_or(0);
        assert_eq!(*seq, before + 1, "{id}");
    }
}

fn count_processes(effects: &Effects, counts: &mut BTreeMap<&'static str, u64>) {
    for recorded in &effects.recorded {
        let what = match recorded.effect {
            Effect::CompleteProcess { .. } => "processes completed",
            Effect::CancelProcess { .. } => "processes cancelled",
            Effect::MoveDerived(_) => "derived deadlines moved",
            _ => continue,
        };
        *counts.entry(what).or_default() += 1;
    }
}

fn walk(seed: u64, turns: u32) -> BTreeMap<&'static str, u64> {
    println!("seed {seed}");
    let (mut walk, mut counts, mut last) = (Walk::new(seed), BTreeMap::new(), BTreeMap::new());
    walk.world.checked_every = CHECKED_EVERY;
    for turn in 0..turns {
        let effects = walk.go();
        check_offers(&walk, &effects, &mut counts);
        check_late_accept(&walk, &effects, &mut counts);
        check_order(&effects, &mut last);
        count_processes(&effects, &mut counts);
        let all_fired = walk.world.scheduler.next_deadline().is_none_or(|due_at| due_at > walk.world.scheduler.now());
        if all_fired && turn % CHECKED_EVERY == 0 {
            check_waiting(&walk, &mut counts);
        }
        walk.world.log.clear();
    }
    counts
}

#[test]
fn a_random_walk_keeps_to_the_rules() {
    let mut all: BTreeMap<&'static str, u64> = BTreeMap::new();
    for seed in 100..150 {
        for (what, count) in walk(seed, 1_300) {
            *all.entry(what).or_default() += count;
        }
    }
    println!("{all:?}");
    let reasons: BTreeSet<_> =
        WaitReason::ALL.iter().map(|it| it.as_str()).filter(|it| !all.contains_key(it)).collect();
    assert!(reasons.is_empty(), "the walk never met {reasons:?}");
    assert!(all["processes completed"] > 0 && all["processes cancelled"] > 0, "{all:?}");
    assert!(all["derived deadlines moved"] > 300, "{all:?}");
    assert!(all["offers checked"] > 5_000 && all["waits checked"] > 5_000, "{all:?}");
    assert!(all.contains_key("late accepts checked"), "{all:?}");
}
