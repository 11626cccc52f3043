//! A small firm on virtual time: how tests write rosters, requests and what happens.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::calendar::{Calendar, CalendarSpec, HolidayCuts, Shift};
use heliograph::engine::effect::{Answer, Effect, Effects, OfferBrief, Recorded};
use heliograph::engine::event::{Event, Refusal, RefusalCode};
use heliograph::engine::fairness::Mark;
use heliograph::engine::id::{ClientId, MatterId, RequestId, TaskId, TeamId, Term, WorkTypeId};
use heliograph::engine::process::Process;
use heliograph::engine::request::{Place, Presence, RequestDigest, SkillNeed, WorkRequest};
use heliograph::engine::roster::{
    Acceptance, Basis, Capability, Capacity, Client, Delivery, HandoffRule, Moment, Offshoring, Party, PauseReason,
    PayloadOn, Roster, RosterDigest, Routing, SlaClock, SlaPolicy, Team, WorkType,
};
use heliograph::engine::scheduler::{Limits, Scheduler};
use heliograph::engine::sla::Segment;
use heliograph::engine::task::{Arrival, Task, TaskState, WaitReason, Waiting};
use heliograph::engine::update::{Change, DeclineReason, Order, Sender, Update};
use heliograph::engine::zone::Zone;
use heliograph::roster::zones::Zones;
use heliograph::wire::update::digest;

static ZONES: LazyLock<Zones> = LazyLock::new(Zones::bundled);

/// Monday to Friday.
pub const WEEKDAYS: [usize; 5] = [0, 1, 2, 3, 4];
/// The instant around which the calendars of tests answer.
const ANCHOR: &str = "2026-11-23T00:00:00Z";

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

/// An update comes in, of which the store knows nothing.
pub fn received(update: Update) -> Event {
    let digest = digest(&update);
    Event::UpdateReceived { update: Box::new(update), digest, ended: None, earlier: None }
}

pub fn minutes(minutes: i64) -> TimeDelta {
    TimeDelta::minutes(minutes)
}

pub fn term(text: &str) -> Term {
    Term::new(text).expect("a term")
}

pub fn place(text: &str) -> Place {
    Place::new(text).expect("a place")
}

pub fn team_id(text: &str) -> TeamId {
    TeamId::new(text).expect("a team id")
}

pub fn client_id(text: &str) -> ClientId {
    ClientId::new(text).expect("a client id")
}

pub fn matter(text: &str) -> MatterId {
    MatterId::new(text).expect("a matter id")
}

/// The task of the request `id` of the client `acme`, or of a step of it: `request/step`.
pub fn task_id(id: &str) -> TaskId {
    TaskId::new(&format!("acme/{id}")).expect("a task id")
}

fn zone(name: &str) -> Arc<Zone> {
    Arc::new(ZONES.zone(name).expect("a zone"))
}

/// A calendar open at these hours on these weekdays, with breaks on them.
pub fn calendar(zone_name: &str, weekdays: &[usize], hours: &[&str], breaks: &[&str]) -> Arc<Calendar> {
    let shifts = |hours: &[&str]| hours.iter().map(|text| text.parse().expect("hours")).collect::<Vec<Shift>>();
    let mut spec = CalendarSpec {
        id: "office".parse().expect("an id"),
        zone: zone(zone_name),
        weekly: Default::default(),
        breaks: Default::default(),
        holidays: BTreeMap::new(),
        holiday_cuts: HolidayCuts::Shift,
        dates: Vec::new(),
        closures: Vec::new(),
    };
    for &weekday in weekdays {
        spec.weekly[weekday] = shifts(hours);
        spec.breaks[weekday] = shifts(breaks);
    }
    Arc::new(Calendar::new(spec, at(ANCHOR)))
}

/// A team of ten seats that can do anything, on weekdays.
pub fn team(id: &str, country: &str, zone_name: &str, hours: &[&str]) -> Team {
    Team {
        id: team_id(id),
        name: id.to_owned(),
        country: place(country),
        region: None,
        calendar_id: "office".parse().expect("an id"),
        calendar: calendar(zone_name, &WEEKDAYS, hours, &[]),
        capacity: Capacity::Seats(10),
        urgent_reserve: 0,
        capabilities: vec![capability(None, None)],
        skills: BTreeMap::new(),
        vetted_until: Some(at("2030-01-01T00:00:00Z")),
        cost_per_hour_cents: 5_000,
        acceptance: Acceptance::Required,
        delivery: Delivery::Queue,
        contacts: Vec::new(),
        broker_user: None,
        retired: false,
        drained_until: None,
        new_work_hours: None,
        closed_by_override: false,
    }
}

pub fn london() -> Team {
    team("london", "GB", "Europe/London", &["09:00-17:00"])
}

pub fn sydney() -> Team {
    team("sydney", "AU", "Australia/Sydney", &["09:00-17:00"])
}

pub fn new_york() -> Team {
    team("new-york", "US-NY", "America/New_York", &["09:00-17:00"])
}

/// A team that never closes.
pub fn always(id: &str) -> Team {
    let calendar = calendar("UTC", &[0, 1, 2, 3, 4, 5, 6], &["00:00-24:00"], &[]);
    Team { calendar, ..team(id, "GB", "UTC", &[]) }
}

/// A capability in English; `None` matches all.
pub fn capability(jurisdiction: Option<&str>, specialty: Option<&str>) -> Capability {
    Capability {
        jurisdiction: jurisdiction.map(place),
        specialty: specialty.map(term),
        languages: vec![term("en")],
        level: 3,
        admitted_until: None,
    }
}

/// The client `acme` in the UK, open on weekdays, that lets its work go anywhere.
pub fn client(id: &str) -> Client {
    Client {
        id: client_id(id),
        name: id.to_owned(),
        country: place("GB"),
        calendar: Some(calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &[])),
        offshoring: Offshoring::Allowed,
        residency: Vec::new(),
        allowed_countries: Vec::new(),
        denied_countries: Vec::new(),
        sla: None,
        weight: 1,
        urgent_quota: None,
        payload_on: PayloadOn::Offer,
        broker_user: None,
        retired: false,
    }
}

/// A roster of these teams with the clients `acme` and `bolt` and the work types `review`, `hearing` and `call`.
pub fn roster(mut teams: Vec<Team>) -> Roster {
    teams.sort_by(|a, b| a.id.cmp(&b.id));
    let clients = [client("acme"), client("bolt")];
    let kinds = [
        ("review", Presence::None, HandoffRule::WhenBetter),
        ("hearing", Presence::InPerson, HandoffRule::Never),
        ("call", Presence::Contact, HandoffRule::Never),
    ];
    let pause = PauseReason {
        set_by: vec![Party::Team, Party::Client],
        end_by: vec![Party::Team, Party::Client, Party::Operator],
        cap_minutes: None,
    };
    Roster {
        digest: RosterDigest("0".repeat(64).into()),
        tzdata: "2026a".into(),
        calendars: [("office".parse().expect("an id"), calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &[]))]
            .into(),
        teams,
        clients: clients.into_iter().map(|client| (client.id.clone(), client)).collect(),
        work_types: kinds.into_iter().map(|(id, presence, handoff)| work_type(id, presence, handoff)).collect(),
        sla: BTreeMap::new(),
        pauses: [(term("client-question"), pause)].into(),
        processes: BTreeMap::new(),
        walls: Vec::new(),
        routing: Routing::default(),
    }
}

fn work_type(id: &str, presence: Presence, handoff: HandoffRule) -> (WorkTypeId, WorkType) {
    let id = WorkTypeId::new(id).expect("a work type id");
    let kind = WorkType {
        id: id.clone(),
        presence,
        specialty: None,
        languages: vec![term("en")],
        skills: Vec::new(),
        effort_minutes: Some(60),
        sla: None,
        handoff,
    };
    (id, kind)
}

/// A policy `gold` of one finish clock, from readiness to completion, that stands while the client is asked.
pub fn policy(basis: Basis, target_minutes: u32) -> SlaPolicy {
    let clock = SlaClock {
        name: term("finish"),
        start: Moment::Ready,
        stop: Moment::Completed,
        target_minutes,
        basis,
        pause_on: vec![term("client-question")],
        warn_at_percent: Vec::new(),
        escalations: Vec::new(),
    };
    SlaPolicy { id: "gold".parse().expect("an id"), clocks: vec![clock] }
}

/// A review of an hour for the client `acme` that any team may do.
pub fn request(id: &str) -> WorkRequest {
    let new = WorkRequest::new(
        RequestId::new(id).expect("a request id"),
        client_id("acme"),
        matter("M-1"),
        WorkTypeId::new("review").expect("a work type id"),
        RequestDigest(id.into()),
    );
    WorkRequest { effort_minutes: Some(60), ..new }
}

/// A request of another work type.
pub fn request_of(work_type: &str, id: &str) -> WorkRequest {
    WorkRequest { work_type: Some(WorkTypeId::new(work_type).expect("a work type id")), ..request(id) }
}

pub fn skill(name: &str, level: u8) -> SkillNeed {
    SkillNeed { name: term(name), level }
}

/// What every operator of tests orders.
pub fn order() -> Order {
    Order { by: "ana".into(), reason: "the partner asked".into() }
}

/// A scheduler, its time, and all that it recorded.
pub struct World {
    pub scheduler: Scheduler,
    pub now: DateTime<Utc>,
    pub log: Vec<Recorded>,
    pub ended: Vec<Task>,
    pub ended_processes: Vec<Process>,
    /// The open tasks as a store has them that writes what is said to have changed.
    pub stored: BTreeMap<Arrival, Task>,
    /// The open processes, as a store has them.
    pub processes: BTreeMap<Arrival, Process>,
    /// The closed segments of clocks, as a store has them.
    pub segments: BTreeMap<(Arrival, Term), Vec<Segment>>,
    /// What the waiting order remembers, as a store has it.
    pub marks: BTreeMap<Mark, u64>,
    /// Whether the invariants are checked after each step, or after every so many.
    pub checked_every: u32,
    steps: u32,
    updates: u32,
}

impl World {
    pub fn new(now: &str, roster: Roster) -> Self {
        Self::around(Scheduler::new(Arc::new(roster), Limits::default(), at(now)), at(now))
    }

    pub fn around(scheduler: Scheduler, now: DateTime<Utc>) -> Self {
        let marks = scheduler.marks().clone();
        let scheduler_processes = scheduler.open_processes().map(|it| (it.arrival, it.clone())).collect();
        let stored = scheduler.open_tasks().map(|task| (task.arrival, task.clone())).collect();
        Self {
            scheduler,
            now,
            log: Vec::new(),
            ended: Vec::new(),
            ended_processes: Vec::new(),
            stored,
            processes: scheduler_processes,
            segments: BTreeMap::new(),
            marks,
            checked_every: 1,
            steps: 0,
            updates: 0,
        }
    }

    /// One step, after which the invariants hold and a store knows each task as it is.
    pub fn step(&mut self, event: Event) -> Effects {
        let effects = self.scheduler.step(self.now, event);
        self.store(&effects);
        self.steps += 1;
        if self.steps.is_multiple_of(self.checked_every) {
            self.scheduler.check_invariants().unwrap_or_else(|broken| panic!("at {}: {broken}", self.now));
            assert!(self.scheduler.open_tasks().eq(self.stored.values()), "at {}: a change is not stored", self.now);
            let processes = self.processes.values();
            assert!(self.scheduler.open_processes().eq(processes), "at {}: a process is not stored", self.now);
            assert_eq!(*self.scheduler.marks(), self.marks, "at {}: a mark is not stored", self.now);
        }
        self.log.extend(effects.recorded.iter().cloned());
        self.ended.extend(effects.ended.iter().cloned());
        effects
    }

    fn store(&mut self, effects: &Effects) {
        for segment in &effects.segments {
            let earlier = self.segments.entry((segment.task, segment.clock.clone())).or_default();
            assert_eq!(usize::try_from(segment.number), Ok(earlier.len() + 1), "{segment:?}");
            assert!(earlier.last().is_none_or(|last| last.until == segment.from), "a gap before {segment:?}");
            assert!(segment.from < segment.until && segment.counted_ms >= 0, "{segment:?}");
            assert!(segment.standing.is_none() || segment.counted_ms == 0, "{segment:?}");
            earlier.push(segment.clone());
        }
        for arrival in &effects.changed {
            if let Some(task) = self.scheduler.task_of(*arrival) {
                self.stored.insert(*arrival, task.clone());
            }
        }
        for arrival in &effects.processes_changed {
            if let Some(process) = self.scheduler.process_of(*arrival) {
                self.processes.insert(*arrival, process.clone());
            }
        }
        for process in &effects.processes_ended {
            self.processes.remove(&process.arrival);
            self.ended_processes.push(process.clone());
        }
        self.marks.extend(effects.marks.clone());
        self.marks.retain(|_, value| *value > 0);
        for task in &effects.ended {
            self.stored.remove(&task.arrival);
        }
    }

    /// Lets time pass to an instant, with every timer fired at its own.
    pub fn run_to(&mut self, until: &str) {
        self.run(at(until));
    }

    pub fn run(&mut self, until: DateTime<Utc>) {
        let mut steps = 0;
        while let Some(due_at) = self.scheduler.next_deadline().filter(|due_at| *due_at <= until) {
            self.now = self.now.max(due_at);
            let _ = self.step(Event::DeadlineReached);
            steps += 1;
            assert!(steps < 100_000, "timers fire without end at {due_at}");
        }
        self.now = until;
    }

    pub fn send(&mut self, request: WorkRequest) -> Answer {
        let event = Event::RequestReceived { request: Box::new(request), ended: None, predecessors: Vec::new() };
        self.step(event).answer.expect("an answer")
    }

    /// The code with which a request is refused.
    pub fn refused(&mut self, request: WorkRequest) -> RefusalCode {
        match self.send(request) {
            Answer::Refused(refusal) => refusal.code,
            answer => panic!("{answer:?}"),
        }
    }

    pub fn update(&mut self, sender: Sender, id: &str, change: Change) -> Result<(), Refusal> {
        self.updates += 1;
        let update = Update {
            id: RequestId::new(&format!("u-{}", self.updates)).expect("an id"),
            task: task_id(id),
            order: matches!(sender, Sender::Operator(_)).then(order),
            sender,
            at: None,
            change,
        };
        match self.step(received(update)).answer {
            Some(Answer::Applied) => Ok(()),
            Some(Answer::Refused(refusal)) => Err(refusal),
            answer => panic!("{answer:?}"),
        }
    }

    /// An update of the client, which must apply.
    pub fn firm(&mut self, id: &str, change: Change) {
        self.update(Sender::Client(client_id("acme")), id, change).expect("the firm may");
    }

    /// An update of the team that has the task, which must apply.
    pub fn holder(&mut self, id: &str, change: impl FnOnce(u32) -> Change) {
        let task = self.task(id);
        let (team, assignment) = task.assignment().map(|(team, number)| (team.clone(), number)).expect("a holder");
        self.update(Sender::Team(team), id, change(assignment)).expect("the holder may");
    }

    /// An update of the team that has this task, whoever's it is; it must apply.
    pub fn holder_of(&mut self, task: &Task, change: Change) {
        let id = RequestId::new(&format!("{}-{}-{}", change.kind(), task.request, task.assignments)).expect("an id");
        let sender = Sender::Team(task.state.team().expect("a holder").clone());
        let update = Update { id, task: task.id.clone(), sender, at: None, order: None, change };
        assert_eq!(self.step(received(update)).answer, Some(Answer::Applied));
    }

    pub fn accept(&mut self, id: &str) {
        self.holder(id, |assignment| Change::Accept { assignment });
    }

    pub fn decline(&mut self, id: &str, reason: DeclineReason) {
        self.holder(id, |assignment| Change::Decline { assignment, reason, note: None });
    }

    pub fn complete(&mut self, id: &str) {
        self.holder(id, |assignment| Change::Complete { assignment, note: None });
    }

    /// Whether a team is open now.
    pub fn is_open(&self, team: &str) -> bool {
        self.scheduler.teams().any(|(it, load)| it.id.as_str() == team && load.open)
    }

    pub fn task(&self, id: &str) -> &Task {
        self.scheduler.task(&task_id(id)).unwrap_or_else(|| panic!("{id} is not open"))
    }

    /// Where a task is, in a few words: `offered london`, `active london`, `waiting no_team_open`.
    pub fn place_of(&self, id: &str) -> String {
        match &self.task(id).state {
            TaskState::Waiting(waiting) => format!("waiting {}", waiting.reason.as_str()),
            state => format!("{} {}", state.as_str(), state.team().expect("a team")),
        }
    }

    pub fn waiting(&self, id: &str) -> &Waiting {
        match &self.task(id).state {
            TaskState::Waiting(waiting) => waiting,
            state => panic!("{id} is {}", state.as_str()),
        }
    }

    /// Why a task waits and when it wakes.
    pub fn wait_of(&self, id: &str) -> (WaitReason, Option<DateTime<Utc>>) {
        let waiting = self.waiting(id);
        (waiting.reason, waiting.wakes_at)
    }

    /// The end of the offer of a task.
    pub fn offer_until(&self, id: &str) -> DateTime<Utc> {
        match &self.task(id).state {
            TaskState::Offered(offer) => offer.until,
            state => panic!("{id} is {}", state.as_str()),
        }
    }

    /// The last offer of a task, with when and to whom it was made.
    pub fn last_offer(&self, id: &str) -> (&Recorded, &OfferBrief) {
        let about = |it: &&Recorded| it.task.as_ref().is_some_and(|(task, _)| *task == task_id(id));
        let mut offers = self.log.iter().filter(about).filter_map(|it| match &it.effect {
            Effect::Offer(brief) => Some((it, &**brief)),
            _ => None,
        });
        offers.next_back().unwrap_or_else(|| panic!("{id} was never offered"))
    }

    /// The names of what was recorded about a task, in order.
    pub fn story(&self, id: &str) -> Vec<&'static str> {
        let about = |it: &&Recorded| it.task.as_ref().is_some_and(|(task, _)| *task == task_id(id));
        self.log.iter().filter(about).map(|it| name_of(&it.effect)).collect()
    }
}

impl World {
    /// The names of what was recorded about the task that ended last, in order.
    pub fn story_of_ended(&self) -> Vec<&'static str> {
        let ended = &self.ended.last().expect("an ended task").id;
        let about = |it: &&Recorded| it.task.as_ref().is_some_and(|(task, _)| task == ended);
        self.log.iter().filter(about).map(|it| name_of(&it.effect)).collect()
    }
}

/// The name of an effect.
pub fn name_of(effect: &Effect) -> &'static str {
    match effect {
        Effect::Admit(_) => "admit",
        Effect::MarkReady {} => "mark_ready",
        Effect::Park(_) => "park",
        Effect::ReportUnroutable { .. } => "report_unroutable",
        Effect::ReportInfeasible { .. } => "report_infeasible",
        Effect::ReportStalled { .. } => "report_stalled",
        Effect::Offer(_) => "offer",
        Effect::Withdraw { .. } => "withdraw",
        Effect::Accept { .. } => "accept",
        Effect::Decline { .. } => "decline",
        Effect::Lapse { .. } => "lapse",
        Effect::Release { .. } => "release",
        Effect::Recall { .. } => "recall",
        Effect::Direct { .. } => "direct",
        Effect::RaiseEscalation { .. } => "raise_escalation",
        Effect::WarnSla(_) => "warn_sla",
        Effect::BreachSla(_) => "breach_sla",
        Effect::MoveDue(_) => "move_due",
        Effect::StopSla(_) => "stop_sla",
        Effect::Progress { .. } => "progress",
        Effect::Pause { .. } => "pause",
        Effect::Resume {} => "resume",
        Effect::Hold { .. } => "hold",
        Effect::Amend(_) => "amend",
        Effect::Reprioritise { .. } => "reprioritise",
        Effect::Complete { .. } => "complete",
        Effect::Cancel { .. } => "cancel",
        Effect::Keep { .. } => "keep",
        Effect::PlanHandoff { .. } => "plan_handoff",
        Effect::DropHandoff { .. } => "drop_handoff",
        Effect::RequestHandoff { .. } => "request_handoff",
        Effect::AnswerHandoff { .. } => "answer_handoff",
        Effect::TellNext { .. } => "tell_next",
        Effect::AttachCompletion { .. } => "attach_completion",
        Effect::PassHandoff { .. } => "pass_handoff",
        Effect::DeclineHandoff { .. } => "decline_handoff",
        Effect::ReachHandoffLimit { .. } => "reach_handoff_limit",
        Effect::EndLate { .. } => "end_late",
        Effect::RaiseWall { .. } => "raise_wall",
        Effect::ReportExposure(_) => "report_exposure",
        Effect::PurgeMatter(_) => "purge_matter",
        Effect::AnchorChain {} => "anchor_chain",
        Effect::RejectRequest { .. } => "reject_request",
        Effect::ReportConflict { .. } => "report_conflict",
        Effect::RejectUpdate { .. } => "reject_update",
        Effect::ChangeOverride { .. } => "change_override",
        Effect::AdmitProcess(_) => "admit_process",
        Effect::AmendProcess { .. } => "amend_process",
        Effect::CompleteProcess { .. } => "complete_process",
        Effect::CancelProcess { .. } => "cancel_process",
        Effect::MoveDerived(_) => "move_derived",
        Effect::EndOutage { .. } => "end_outage",
        Effect::AdoptRoster { .. } => "adopt_roster",
    }
}
