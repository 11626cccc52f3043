//! Follows what the engine tells, task by task, and holds each word of it against the rules.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{
    Effect, Effects, HandoffRefusal, OverrideChange, Recorded, WallSource, WithdrawReason,
};
use heliograph::engine::event::Event;
use heliograph::engine::handoff::KeepReason;
use heliograph::engine::overrides::OverrideKind;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::update::{Amendment, DeclineReason};

use super::book::Book;
use super::case::{Case, Kept, Offer, Pause, Place, TurnedDown, Watch};
use super::hours::{self, MINUTE};
use super::rules::{Kind, Set, View};

/// What was seen, by what it was.
pub type Figures = BTreeMap<&'static str, u64>;

pub struct Observer {
    pub view: View,
    pub cases: BTreeMap<String, Case>,
    pub figures: Figures,
    /// Ids of tasks that have ended, so that none is ever told of again.
    pub ended: BTreeSet<String>,
    /// Every roster that may come into force, by its digest.
    books: BTreeMap<String, Rc<Book>>,
    /// What an operator set aside for the next offer of a task.
    directed: Option<(String, Vec<&'static str>)>,
    /// When a seat of each team was last freed by what it owned.
    pub freed: Vec<i64>,
    leaving: Vec<String>,
    /// What the closed segments of each clock counted.
    segments: BTreeMap<(u64, String), i64>,
}

pub fn ms(at: DateTime<Utc>) -> i64 {
    at.timestamp_millis()
}

impl Observer {
    pub fn new(books: BTreeMap<String, Rc<Book>>, first: &str) -> Self {
        let view = View::new(Rc::clone(&books[first]), Vec::new(), BTreeSet::new());
        let freed = vec![i64::MIN; view.hours.len()];
        let (cases, figures, ended) = (BTreeMap::new(), Figures::new(), BTreeSet::new());
        Self {
            view,
            cases,
            figures,
            ended,
            books,
            directed: None,
            freed,
            leaving: Vec::new(),
            segments: BTreeMap::new(),
        }
    }

    /// Takes in what an event brought about, in order.
    pub fn witness(&mut self, event: &Event, effects: &Effects) {
        let request = match event {
            Event::RequestReceived { request, .. } => Some(&**request),
            _ => None,
        };
        for segment in &effects.segments {
            assert!(segment.from < segment.until && segment.counted_ms >= 0, "{segment:?}");
            *self.segments.entry((segment.task.0, segment.clock.to_string())).or_default() += segment.counted_ms;
        }
        for it in &effects.recorded {
            self.tell(it, request);
        }
        for id in std::mem::take(&mut self.leaving) {
            let case = self.cases.remove(&id).expect("a case that ends");
            for clock in case.clocks.iter().filter(|clock| clock.started.is_some()) {
                assert!(clock.stopped.is_some(), "{id} ended and {} runs", clock.promise.name);
            }
            self.ended.insert(id);
        }
        for task in &effects.ended {
            assert!(self.ended.contains(task.id.as_str()), "{} ended untold", task.id);
            for clock in task.clocks.iter().filter(|clock| clock.started_at.is_some()) {
                let sum = self.segments.remove(&(task.arrival.0, clock.rule.name.to_string())).unwrap_or(0);
                assert_eq!(sum, clock.counted_ms, "{}: the segments of {}", task.id, clock.rule.name);
            }
        }
    }

    fn tell(&mut self, it: &Recorded, request: Option<&WorkRequest>) {
        *self.figures.entry(it.effect.event_type()).or_default() += 1;
        let at = ms(it.at);
        match &it.effect {
            Effect::AdoptRoster { digest, .. } => {
                let book = Rc::clone(&self.books[&*digest.0]);
                let (set, conflicts) = (self.view.set.clone(), self.view.conflicts.clone());
                self.look_anew(View::new(book, set, conflicts), at);
                return;
            }
            Effect::ChangeOverride { change, it: set, .. } => return self.set(*change, set, at),
            Effect::RaiseWall { matter: Some(matter), source: WallSource::Conflict } => {
                let (team, client) = (it.team.as_ref().expect("a team"), it.client.as_ref().expect("a client"));
                self.raise((team.to_string(), client.to_string(), matter.to_string()), at);
                return;
            }
            _ => {}
        }
        let Some((id, seq)) = &it.task else { return };
        let id = id.as_str();
        if let Effect::Admit(admission) = &it.effect {
            assert!(!self.cases.contains_key(id) && !self.ended.contains(id), "{id} is admitted twice");
            let mut case = Case::admitted(request.expect("a request"), &self.view.book, at);
            case.eligible = self.view.eligible(&case);
            case.priority = admission.priority;
            if admission.ready {
                case.reach("ready", at);
            }
            case.told = *seq;
            assert_eq!(*seq, 1, "{id}: the first word is that it is admitted");
            self.cases.insert(id.to_owned(), case);
            return;
        }
        let mut case = self.cases.remove(id).unwrap_or_else(|| panic!("{id} is no open task and {:?}", it.effect));
        assert_eq!(*seq, case.told + 1, "{id}: no word is lost and none told twice");
        case.told = *seq;
        let team = it.team.as_ref().map(|team| self.view.book.team(team.as_str()));
        self.tell_of(&mut case, it, team, at);
        self.cases.insert(id.to_owned(), case);
    }

    #[expect(clippy::too_many_lines, reason = "one line or two for each word")]
    fn tell_of(&mut self, case: &mut Case, it: &Recorded, team: Option<usize>, at: i64) {
        let here = || team.expect("a team");
        match &it.effect {
            Effect::MarkReady {} => {
                let reached = case.not_before.filter(|it| *it >= case.unblocked_at && *it <= at);
                case.reach("ready", reached.unwrap_or(at));
            }
            Effect::Offer(brief) => self.offered(case, here(), brief.assignment, ms(brief.until), at),
            Effect::Withdraw { assignment, reason } => {
                self.offer_ends(case, here(), *assignment);
                if let WithdrawReason::Unreachable | WithdrawReason::Escalated = reason {
                    self.turn_down(case, here(), false, false, at);
                }
            }
            Effect::Accept { assignment, implicit, .. } => self.accepted(case, here(), *assignment, *implicit, at),
            Effect::PassHandoff { to, next_assignment, .. } => {
                let to = self.view.book.team(to.as_str());
                assert_eq!(case.place, Place::Active { team: to, number: *next_assignment }, "{}", case.id);
            }
            Effect::Decline { assignment, reason, .. } => {
                self.offer_ends(case, here(), *assignment);
                self.declined(case, here(), *reason, at);
            }
            Effect::Lapse { assignment, due_at } => {
                let offer = case.offer.clone().expect("an offer that lapses");
                assert!(offer.moved || ms(*due_at) == offer.until, "{}: lapses at its limit", case.id);
                assert!(at >= ms(*due_at), "{}: lapses early", case.id);
                self.offer_ends(case, here(), *assignment);
                self.turn_down(case, here(), false, false, at);
                case.lapsed = Some((here(), *assignment));
            }
            Effect::DeclineHandoff { assignment, how } => {
                let offer = case.offer.clone().expect("an offer");
                if matches!(how, HandoffRefusal::Lapsed | HandoffRefusal::ShiftEnded) {
                    assert!(offer.moved || at >= offer.until, "{}: the hand-off lapses early", case.id);
                }
                self.offer_ends(case, here(), *assignment);
                match how {
                    HandoffRefusal::Declined { reason, .. } => self.declined(case, here(), *reason, at),
                    HandoffRefusal::Lapsed | HandoffRefusal::Unreachable => {
                        self.turn_down(case, here(), false, false, at);
                        case.lapsed = Some((here(), *assignment)).filter(|_| *how == HandoffRefusal::Lapsed);
                    }
                    HandoffRefusal::ShiftEnded => {}
                }
            }
            Effect::Release { assignment, .. } => {
                assert_eq!(case.place, Place::Active { team: here(), number: *assignment }, "{}", case.id);
                self.leaves_owner(case, at);
                self.turn_down(case, here(), false, false, at);
            }
            Effect::Recall { because, .. } => {
                if case.place == Place::Offered {
                    (case.offer, case.place) = (None, Place::Waiting);
                } else {
                    assert_eq!(case.owner(), team, "{}: taken from its owner", case.id);
                    self.leaves_owner(case, at);
                }
                if because.is_none() {
                    self.turn_down(case, here(), false, false, at);
                } else {
                    let may_not = case.eligible & (1 << here()) == 0 || self.view.has_expired(case, here(), at);
                    assert!(may_not, "{}: taken from a team that may have it", case.id);
                }
            }
            Effect::Direct { set_aside, .. } => {
                let names = set_aside.iter().map(|it| it.filter().as_str()).collect();
                self.directed = Some((case.id.clone(), names));
            }
            Effect::Progress { remaining_minutes, .. } | Effect::AnswerHandoff { remaining_minutes, .. } => {
                case.left = i64::from(*remaining_minutes);
                self.free(case, at);
            }
            Effect::Pause { reason } => {
                self.view.settle(case, at);
                self.free(case, at);
                let cap = self.view.book.pause_caps[reason.as_str()];
                case.pause = Some(Pause { reason: reason.to_string(), cap_at: cap.map(|cap| at + cap) });
            }
            Effect::Resume {} => {
                self.view.settle(case, at);
                case.pause = None;
            }
            Effect::Hold { held } => case.held = *held,
            Effect::Amend(amendment) => self.amended(case, amendment, at),
            Effect::Reprioritise { priority, .. } => case.priority = *priority,
            Effect::Complete { .. } => {
                assert!(case.owner().is_some(), "{}: completed by nobody", case.id);
                self.view.settle(case, at);
                self.free(case, at);
                case.reach("completed", at);
                (case.place, case.plan, case.offer) = (Place::Waiting, None, None);
                self.leaving.push(case.id.clone());
            }
            Effect::Cancel { .. } => {
                self.view.settle(case, at);
                self.free(case, at);
                case.clocks.iter_mut().filter(|clock| clock.is_running()).for_each(|clock| clock.stopped = Some(at));
                (case.place, case.plan, case.offer) = (Place::Waiting, None, None);
                self.leaving.push(case.id.clone());
            }
            Effect::Keep { reason, .. } => {
                case.kept = Some(if *reason == KeepReason::NoTaker { Kept::NoTaker } else { Kept::Other });
            }
            Effect::PlanHandoff { .. } => {
                assert!(case.owner().is_some_and(|owner| owner != here()), "{}: planned for its owner", case.id);
                assert!(case.eligible & (1 << here()) != 0, "{}: planned for a team that may not have it", case.id);
                assert!(!case.held && case.pause.is_none(), "{}: planned while it is held or paused", case.id);
                (case.plan, case.kept) = (Some(here()), None);
            }
            Effect::DropHandoff { .. } => case.plan = None,
            Effect::WarnSla(notice) => {
                let reached = ms(notice.reached_at);
                let (clock, amount) = self.reached(case, notice.clock.as_str(), i64::from(notice.percent), reached, at);
                assert_eq!(clock.promise.warn_at.get(clock.warned), Some(&i64::from(notice.percent)), "{amount}");
                assert!(!clock.breached, "a warning behind the breach");
                clock.warned += 1;
            }
            Effect::BreachSla(notice) => {
                let reached = ms(notice.reached_at);
                let (clock, _) = self.reached(case, notice.clock.as_str(), 100, reached, at);
                assert!(!clock.breached, "breached twice");
                clock.breached = true;
            }
            Effect::StopSla(it) => {
                let clock = case.clocks.iter().find(|clock| clock.promise.name == it.clock.as_str()).expect("a clock");
                let counted = self.view.count(case, clock, ms(it.stopped_at));
                assert_eq!((it.counted_ms, it.target_ms), (counted, clock.promise.target), "{}: {}", case.id, it.clock);
                assert_eq!(clock.stopped, Some(ms(it.stopped_at)), "{}: {} stops", case.id, it.clock);
                let is_over = counted > clock.promise.target;
                let wanted = match (clock.breached, is_over) {
                    (true, _) => &["breached"][..],
                    (false, true) => &["cancelled"][..],
                    (false, false) => &["met", "cancelled"][..],
                };
                assert!(wanted.contains(&it.outcome.as_str()), "{}: {} {:?}", case.id, it.clock, it.outcome);
            }
            _ => {}
        }
    }

    /// A clock of which it is told that so much of it is used up, at the first instant at which that is so.
    fn reached<'a>(&self, case: &'a mut Case, name: &str, percent: i64, reached: i64, at: i64) -> (&'a mut Watch, i64) {
        let place = case.clocks.iter().position(|clock| clock.promise.name == name).expect("a clock of the task");
        let clock = &case.clocks[place];
        let amount = clock.amount(percent);
        assert!(reached <= at, "{}: {name} {percent} % is told before it is reached", case.id);
        assert!(clock.started.is_some(), "{}: {name} has not started", case.id);
        if reached >= clock.since {
            let counted = self.view.count(case, clock, reached);
            assert!(counted >= amount, "{}: {name} {percent} % is early: {counted} of {amount} ms", case.id);
            let before = self.view.count(case, clock, reached - 1);
            let is_first = reached - 1 < clock.since || before < amount;
            assert!(is_first, "{}: {name} {percent} % was reached before {reached}", case.id);
        }
        (&mut case.clocks[place], amount)
    }

    fn offered(&mut self, case: &mut Case, team: usize, number: u32, until: i64, at: i64) {
        assert_eq!(number, case.numbers + 1, "{}: offers are numbered", case.id);
        assert!(case.offer.is_none(), "{}: offered twice", case.id);
        case.numbers = number;
        if let Some(it) =
            case.turned_down.get_mut(&team).filter(|it| it.busy_at.is_some_and(|at| at <= self.freed[team]))
        {
            // A freed seat ends the turn-down of a team that was busy.
            it.until = it.until.min(at);
        }
        let aside = self.directed.take_if(|(id, _)| *id == case.id).map(|(_, aside)| aside);
        if case.place == Place::Waiting {
            assert!(!case.held && case.pause.is_none(), "{} is offered while it is held or paused", case.id);
            let no = self.view.no_to_offer(case, team, at, |team| self.used(team));
            let is_aside = no.is_some_and(|no| aside.as_ref().is_some_and(|aside| aside.contains(&no)));
            assert!(no.is_none() || is_aside, "{} goes to team {team} at {at}: {no:?}", case.id);
            if aside.is_none() {
                self.prefers_right(case, team, at);
            }
            case.place = Place::Offered;
            *self.figures.entry("offers checked").or_default() += 1;
        } else {
            self.hand_off_offered(case, team, at);
        }
        assert_eq!(Some(until), self.view.offer_until(case, team, at), "{}: how long the offer stands", case.id);
        case.offer = Some(Offer { team, number, until, moved: false });
        case.plan = None;
        case.reach("offered", at);
    }

    fn hand_off_offered(&self, case: &Case, team: usize, at: i64) {
        assert!(case.owner().is_some_and(|owner| owner != team), "{}: offered to its owner", case.id);
        assert_eq!(case.plan, Some(team), "{}: a hand-off is planned before it is offered", case.id);
        assert!(case.eligible & (1 << team) != 0, "{}: handed to a team that may not have it", case.id);
        let shift_end = hours::shift_end(&self.view.hours[team], at);
        let shift_end = shift_end.unwrap_or_else(|| panic!("{}: handed to a closed team", case.id));
        assert!(self.view.qualified(case, team, at, shift_end), "{}: handed to a team for too long", case.id);
        assert!(!self.view.takes_nothing_new(team, at), "{}: handed to a drained team", case.id);
        let asked_again = case.turned_down.get(&team).is_none_or(|it| it.until <= at);
        assert!(asked_again, "{}: handed to a team that turned it down", case.id);
    }

    /// Teams that are in time come first, and of them the preferred one.
    fn prefers_right(&self, case: &Case, team: usize, at: i64) {
        let is_free = |other: usize| self.view.no_to_offer(case, other, at, |team| self.used(team)).is_none();
        let is_in_time = |other: usize| self.view.is_in_time(case, other, at);
        let preferred = case.preferred.as_ref().map(|preferred| self.view.book.team(preferred));
        if let Some(preferred) = preferred.filter(|preferred| *preferred != team) {
            assert!(!(is_free(preferred) && is_in_time(preferred)), "{}: the preferred team is passed over", case.id);
        }
        if !is_in_time(team) {
            let better = (0..self.view.hours.len()).find(|other| is_free(*other) && is_in_time(*other));
            assert_eq!(better, None, "{}: team {team} is late and another is in time", case.id);
        }
    }

    /// The seats in use at a team, and the minutes of work in them, counted over all tasks.
    pub fn used(&self, team: usize) -> (i64, i64) {
        let at_team = self.cases.values().filter(|case| case.seats().any(|seat| seat == team));
        at_team.fold((0, 0), |(seats, minutes), case| (seats + 1, minutes + case.left))
    }

    fn offer_ends(&self, case: &mut Case, team: usize, number: u32) {
        let offer = case.offer.take().unwrap_or_else(|| panic!("{}: no offer to end", case.id));
        assert_eq!((offer.team, offer.number), (team, number), "{}", case.id);
        if case.place == Place::Offered {
            case.place = Place::Waiting;
        }
    }

    fn accepted(&mut self, case: &mut Case, team: usize, number: u32, by_policy: bool, at: i64) {
        self.view.settle(case, at);
        assert_eq!(by_policy, self.view.book.teams[team].accepts_by_policy, "{}", case.id);
        assert!(case.eligible & (1 << team) != 0, "{}: accepted by a team that may not have it", case.id);
        match case.offer.take() {
            Some(offer) => {
                assert_eq!((offer.team, offer.number), (team, number), "{}", case.id);
                assert!(offer.moved || at <= offer.until, "{}: accepted past the limit of the offer", case.id);
            }
            None => self.accepted_late(case, team, number, at),
        }
        if case.owner().is_some() {
            case.passed += 1;
            self.free(case, at);
        }
        (case.place, case.plan, case.kept) = (Place::Active { team, number }, None, None);
        case.reach("accepted", at);
    }

    /// An accept that comes after the last offer lapsed counts while the task waits and the team could have it now.
    fn accepted_late(&mut self, case: &mut Case, team: usize, number: u32, at: i64) {
        assert_eq!((case.lapsed, case.numbers), (Some((team, number)), number), "{}: nothing to accept", case.id);
        assert!(case.place == Place::Waiting && !case.held && case.pause.is_none(), "{}: does not wait", case.id);
        case.turned_down.remove(&team);
        let no = self.view.no_to_offer(case, team, at, |team| self.used(team));
        assert_eq!(no, None, "{}: accepted late by team {team} at {at}", case.id);
        *self.figures.entry("late accepts checked").or_default() += 1;
    }

    fn leaves_owner(&mut self, case: &mut Case, at: i64) {
        self.view.settle(case, at);
        self.free(case, at);
        (case.place, case.plan, case.kept, case.offer) = (Place::Waiting, None, None, None);
    }

    fn free(&mut self, case: &Case, at: i64) {
        if let Some(owner) = case.owner() {
            self.freed[owner] = at;
        }
    }

    fn declined(&self, case: &mut Case, team: usize, reason: DeclineReason, at: i64) {
        let for_good = matches!(reason, DeclineReason::NotQualified | DeclineReason::Conflict);
        self.turn_down(case, team, for_good, reason == DeclineReason::Busy, at);
    }

    /// A team is not asked again until its next opening, or for half an hour, twice as long each time, up to eight hours.
    fn turn_down(&self, case: &mut Case, team: usize, for_good: bool, busy: bool, at: i64) {
        let times = case.turned_down.get(&team).map_or(0, |it| it.times) + 1;
        let cooled = at + (30 * MINUTE * (1 << (times - 1).min(8))).min(480 * MINUTE);
        let spans = &self.view.hours[team];
        let after = hours::shift_end(spans, at).unwrap_or(at);
        let until = hours::next_open(spans, after).map_or(cooled, |opens| opens.min(cooled));
        let until = if for_good { i64::MAX } else { until };
        case.turned_down.insert(team, TurnedDown { until, times, busy_at: busy.then_some(at) });
    }

    fn amended(&mut self, case: &mut Case, amendment: &Amendment, at: i64) {
        self.view.settle(case, at);
        let Amendment {
            deadline,
            effort_minutes,
            consent,
            allowed_countries,
            denied_countries,
            excluded_teams,
            not_before,
        } = amendment.clone();
        if let Some(effort) = effort_minutes.map(i64::from) {
            case.left = if case.place == Place::Waiting && case.left == case.effort && case.passed == 0 {
                effort
            } else {
                (case.left + effort - case.effort).max(0)
            };
            case.effort = effort;
        }
        if let Some(not_before) = not_before.map(ms) {
            (case.not_before, case.unblocked_at) = (Some(not_before), at);
            // What was to be ready with its admission is not, when that is said before it is decided.
            if not_before > at && case.numbers == 0 && case.told <= 3 {
                let fresh = |clock: &&mut Watch| clock.promise.start == "ready" && clock.started == Some(at);
                case.clocks.iter_mut().filter(fresh).for_each(|clock| clock.started = None);
            }
        }
        if let Some(consent) = consent {
            case.consent = Some(consent.offshore && consent.reference.is_some());
        }
        let texts = |places: Vec<heliograph::engine::request::Place>| {
            places.iter().map(|it| it.as_str().to_owned()).collect::<Vec<_>>()
        };
        case.allowed = allowed_countries.map_or(std::mem::take(&mut case.allowed), texts);
        case.denied = denied_countries.map_or(std::mem::take(&mut case.denied), texts);
        if let Some(teams) = excluded_teams {
            case.excluded = teams.iter().map(ToString::to_string).collect();
        }
        if let Some(deadline) = deadline.map(ms).filter(|deadline| case.deadline != Some(*deadline)) {
            case.deadline = Some(deadline);
            match case.clocks.iter_mut().find(|clock| clock.deadline) {
                Some(clock) => {
                    clock.promise.target = deadline - clock.started.expect("it starts with the task");
                    (clock.warned, clock.breached) = (0, false);
                }
                None => {
                    let clock = Watch::of_deadline(deadline - at);
                    case.clocks.push(Watch { started: Some(at), since: at, ..clock });
                }
            }
        }
        case.eligible = self.view.eligible(case);
    }

    fn set(&mut self, change: OverrideChange, it: &heliograph::engine::overrides::Override, at: i64) {
        let mut set = self.view.set.clone();
        match change {
            OverrideChange::Set => set.push(Set {
                number: it.id,
                team: self.view.book.team(it.team.as_str()),
                kind: match it.kind {
                    OverrideKind::Close => Kind::Close,
                    OverrideKind::Open => Kind::Open,
                    OverrideKind::Drain => Kind::Drain,
                    OverrideKind::Seats { seats } => Kind::Seats(i64::from(seats)),
                },
                from: ms(it.from),
                until: ms(it.until),
            }),
            OverrideChange::Removed => {
                let removed = set.iter_mut().find(|set| set.number == it.id).expect("an override");
                removed.until = removed.until.min(at);
            }
            // Its end was known all along.
            OverrideChange::Expired => return,
        }
        let (book, conflicts) = (Rc::clone(&self.view.book), self.view.conflicts.clone());
        self.look_anew(View::new(book, set, conflicts), at);
    }

    fn raise(&mut self, wall: (String, String, String), at: i64) {
        let mut conflicts = self.view.conflicts.clone();
        conflicts.insert(wall.clone());
        for case in self.cases.values_mut().filter(|case| case.client == wall.1 && case.matter == wall.2) {
            self.view.settle(case, at);
        }
        self.view.conflicts = conflicts;
        for case in self.cases.values_mut().filter(|case| case.client == wall.1 && case.matter == wall.2) {
            case.eligible = self.view.eligible(case);
        }
    }

    /// Other hours or rules count from now on; what was counted stays.
    fn look_anew(&mut self, view: View, at: i64) {
        for case in self.cases.values_mut() {
            self.view.settle(case, at);
        }
        self.view = view;
        for case in self.cases.values_mut() {
            case.eligible = self.view.eligible(case);
            if let Some(offer) = &mut case.offer {
                offer.moved = true;
            }
        }
    }
}
