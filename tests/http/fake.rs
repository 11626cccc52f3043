//! A backend in memory: answers as it is told, and remembers what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::coverage::Coverage;
use heliograph::engine::effect::WorkMessage;
use heliograph::engine::event::OverrideWish;
use heliograph::engine::explain::Rejection;
use heliograph::engine::id::{ClientId, MatterId, TaskId, TeamId};
use heliograph::engine::outlook::Outlook;
use heliograph::engine::overrides::Override;
use heliograph::engine::process::{Process, ProcessState, Span, StepEnd, StepOf};
use heliograph::engine::request::{Presence, Priority, RequestDigest};
use heliograph::engine::roster::{Delivery, HandoffRule, PayloadOn};
use heliograph::engine::scheduler::ProcessForecast;
use heliograph::engine::sla::{Clock, Segment};
use heliograph::engine::task::{Active, Arrival, HandoffState, Needs, Silence, Task, TaskState, Worked};
use heliograph::http::{
    Backend, Check, Explanation, Health, Mailbox, NoPlan, NoSuchTeam, OverrideAnswer, ProcessFilter, ProcessReport,
    PurgeAnswer, PurgeOutcome, PurgeRequest, Role, RosterPlan, SubmitAnswer, TaskFilter, TeamMessage, TeamView,
    Unavailable, UpdateAnswer,
};
use heliograph::wire::chain::Head;
use heliograph::wire::cost::{Cost, CostBy, CostQuery};
use heliograph::wire::fact::{Fact, FactSeq};
use heliograph::wire::update::SenderHint;
use tokio::sync::{Notify, watch};

/// The one instant of these tests.
pub fn instant() -> DateTime<Utc> {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

/// The backend.
#[derive(Debug, Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    committed: Arc<watch::Sender<FactSeq>>,
    sydney: Arc<watch::Sender<FactSeq>>,
    /// Told when a write has come in.
    pub came_in: Arc<Notify>,
}

/// What it answers, and what it was asked.
#[derive(Debug)]
pub struct State {
    pub tasks: BTreeMap<TaskId, Task>,
    pub processes: Vec<ProcessReport>,
    pub process_filters: Vec<ProcessFilter>,
    pub segments: Vec<Segment>,
    pub facts: Vec<Fact>,
    pub mail: Vec<TeamMessage>,
    pub read: FactSeq,
    pub health: Health,
    pub unavailable: Option<String>,
    pub submit: BTreeMap<String, SubmitAnswer>,
    pub update: UpdateAnswer,
    /// Writes are not answered before this is told.
    pub hold: Option<Arc<Notify>>,
    pub submitted: Vec<Bytes>,
    /// Whose requests the caller could send, call by call.
    pub submitters: Vec<Option<Vec<String>>>,
    /// Teams that a wall keeps from every matter.
    pub walled: Vec<TeamId>,
    pub updated: Vec<(TaskId, Bytes, SenderHint)>,
    pub asked: Vec<TaskFilter>,
    /// What was wished of overrides, and whether it was to be tried only.
    pub wishes: Vec<(OverrideWish, bool)>,
    /// How that is answered.
    pub overridden: OverrideAnswer,
    pub overrides: Vec<Override>,
    /// Purges that were asked for.
    pub purges: Vec<PurgeRequest>,
    /// How they are answered.
    pub purged: PurgeAnswer,
    /// How rosters are answered; unavailable without.
    pub roster: Option<Result<RosterPlan, NoPlan>>,
    /// Rosters that were sent, with check index and force when they were to be applied.
    pub rosters: Vec<(String, Option<(u64, bool)>)>,
}

impl Default for Fake {
    fn default() -> Self {
        let check = Check { name: "store", ok: true, detail: "open".into() };
        let state = State {
            tasks: BTreeMap::new(),
            processes: Vec::new(),
            process_filters: Vec::new(),
            segments: Vec::new(),
            facts: Vec::new(),
            mail: Vec::new(),
            read: FactSeq(0),
            health: Health { live: true, role: Role::Active, checks: vec![check] },
            unavailable: None,
            submit: BTreeMap::new(),
            update: UpdateAnswer::Applied,
            hold: None,
            submitted: Vec::new(),
            submitters: Vec::new(),
            walled: Vec::new(),
            updated: Vec::new(),
            asked: Vec::new(),
            wishes: Vec::new(),
            overridden: OverrideAnswer::Done(3),
            overrides: Vec::new(),
            purges: Vec::new(),
            purged: PurgeAnswer::Taken(PurgeOutcome { fact: Some(9), done: true, ..PurgeOutcome::default() }),
            roster: None,
            rosters: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            committed: Arc::new(watch::Sender::new(FactSeq(0))),
            sydney: Arc::new(watch::Sender::new(FactSeq(0))),
            came_in: Arc::default(),
        }
    }
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Has a task from now on.
    pub fn has(&self, task: Task) {
        self.state().tasks.insert(task.id.clone(), task);
    }

    /// Commits a fact with this number; an empty body is a purged one.
    pub fn commit(&self, seq: u64, event_type: &str, body: &str) {
        let fact = Fact {
            seq: FactSeq(seq),
            at: instant(),
            event_type: event_type.into(),
            task: Some((task_id("acme-llp/req-1"), seq)),
            client: None,
            matter: None,
            team: Some(TeamId::new("sydney").unwrap()),
            addressed: None,
            held: None,
            with_payload: false,
            body: body.as_bytes().into(),
            body_digest: [0; 32],
            link: [0; 32],
            decision: None,
            packet: None,
        };
        self.state().facts.push(fact);
        self.committed.send_replace(FactSeq(seq));
    }

    /// Sends sydney a message.
    pub fn send(&self, seq: u64, body: &'static str) {
        self.state().mail.push(TeamMessage { seq: FactSeq(seq), kind: WorkMessage::Offer, body: body.into() });
        self.sydney.send_replace(FactSeq(seq));
    }

    fn if_available<T>(&self, read: impl FnOnce(&mut State) -> T) -> Result<T, Unavailable> {
        let mut state = self.state();
        match &state.unavailable {
            Some(why) => Err(Unavailable(why.clone())),
            None => Ok(read(&mut state)),
        }
    }

    fn answer_to_roster(&self, text: String, apply: Option<(u64, bool)>) -> Result<RosterPlan, NoPlan> {
        let mut state = self.state();
        state.rosters.push((text, apply));
        state.roster.clone().unwrap_or_else(|| Err(NoPlan::Unavailable(Unavailable("the store failed".into()))))
    }

    async fn held(&self) {
        self.came_in.notify_one();
        let hold = self.state().hold.clone();
        if let Some(hold) = hold {
            hold.notified().await;
        }
    }
}

impl Backend for Fake {
    async fn submit(&self, requests: Vec<Bytes>, clients: Option<Arc<[ClientId]>>) -> Vec<SubmitAnswer> {
        self.held().await;
        let mut state = self.state();
        state.submitters.push(clients.map(|clients| clients.iter().map(|it| it.as_str().to_owned()).collect()));
        state.submitted.extend(requests.iter().cloned());
        let answer = |body: &Bytes| {
            let told = state.submit.get(std::str::from_utf8(body).unwrap()).cloned();
            told.unwrap_or_else(|| SubmitAnswer::Unavailable(Unavailable("the store failed".into())))
        };
        requests.iter().map(answer).collect()
    }

    async fn update(&self, task: TaskId, body: Bytes, sender: SenderHint) -> UpdateAnswer {
        self.held().await;
        let mut state = self.state();
        state.updated.push((task, body, sender));
        state.update.clone()
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, Unavailable> {
        self.if_available(|state| state.tasks.get(id).cloned())
    }

    async fn segments(&self, _: &TaskId) -> Result<Vec<Segment>, Unavailable> {
        self.if_available(|state| state.segments.clone())
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<Task>, Unavailable> {
        self.if_available(|state| {
            state.asked.push(filter.clone());
            let mut tasks: Vec<Task> = state.tasks.values().cloned().collect();
            tasks.sort_by_key(|task| task.arrival);
            tasks.retain(|task| filter.after.is_none_or(|after| task.arrival > after));
            tasks.retain(|task| filter.client.as_ref().is_none_or(|client| task.client == *client));
            tasks.truncate(filter.limit);
            tasks
        })
    }

    async fn process(&self, id: &TaskId) -> Result<Option<ProcessReport>, Unavailable> {
        self.if_available(|state| state.processes.iter().find(|it| it.process.id == *id).cloned())
    }

    async fn processes(&self, filter: ProcessFilter) -> Result<Vec<Process>, Unavailable> {
        self.if_available(|state| {
            let found = state.processes.iter().map(|it| it.process.clone()).collect();
            state.process_filters.push(filter);
            found
        })
    }

    async fn history(&self, id: &TaskId, after: FactSeq, limit: usize) -> Result<Vec<Fact>, Unavailable> {
        let of_task = |fact: &&Fact| fact.seq > after && fact.task.as_ref().is_some_and(|(task, _)| task == id);
        self.if_available(|state| state.facts.iter().filter(of_task).take(limit).cloned().collect())
    }

    fn has_team(&self, team: &TeamId) -> Result<(), NoSuchTeam> {
        match team.as_str() {
            "sydney" | "london" => Ok(()),
            _ => Err(NoSuchTeam { team: team.clone(), nearest: Some("sydney".into()) }),
        }
    }

    fn is_walled(&self, team: &TeamId, _: &ClientId, _: &MatterId) -> bool {
        self.state().walled.contains(team)
    }

    async fn explanation(&self, id: &TaskId, team: Option<&TeamId>) -> Result<Option<Explanation>, Unavailable> {
        let obstacles = team.map(|_| vec![Rejection::Excluded.into()]);
        let verdicts = Some(Vec::new());
        let explanation = Explanation {
            decision: None,
            as_decided: None,
            handoff: None,
            own_wait: None,
            has_it: None,
            verdicts,
            obstacles,
            at: instant(),
        };
        self.if_available(|state| state.tasks.contains_key(id).then_some(explanation))
    }

    async fn teams(&self) -> Result<Vec<TeamView>, Unavailable> {
        self.if_available(|_| {
            vec![TeamView {
                id: TeamId::new("sydney").unwrap(),
                name: "Sydney".into(),
                country: "AU".into(),
                calendar: "sydney".into(),
                open: true,
                next_transition_at: Some(instant()),
                seats: Some(3),
                effort_limit_minutes: None,
                used: 1,
                used_minutes: 90,
                delivery: Delivery::Http,
                undelivered: 0,
                retired: false,
            }]
        })
    }

    async fn messages(&self, team: &TeamId, after: Option<FactSeq>, limit: usize) -> Result<Mailbox, Unavailable> {
        if team.as_str() == "london" {
            return Ok(Mailbox::ReadsItsQueue);
        }
        self.if_available(|state| {
            let last = state.mail.last().map_or(FactSeq(0), |message| message.seq);
            if let Some(after) = after {
                if after > last {
                    return Mailbox::NeverSent { last };
                }
                state.read = state.read.max(after);
            }
            let behind = after.unwrap_or(state.read);
            Mailbox::Messages(state.mail.iter().filter(|it| it.seq > behind).take(limit).cloned().collect())
        })
    }

    async fn override_team(&self, wish: OverrideWish, preview: bool) -> OverrideAnswer {
        let mut state = self.state();
        state.wishes.push((wish, preview));
        state.overridden.clone()
    }

    async fn costs(&self, query: CostQuery) -> Result<Vec<Cost>, Unavailable> {
        let of = if query.by == CostBy::Team { "sydney" } else { "acme-llp" };
        let days = u64::try_from((query.until - query.from).num_days()).expect("days");
        let cost = Cost { of: of.into(), tasks: days, worked_seconds: 5_430, cost_cents: 9_050 };
        self.if_available(|_| vec![cost])
    }

    async fn purge(&self, request: PurgeRequest) -> PurgeAnswer {
        let mut state = self.state();
        state.purges.push(request);
        state.purged.clone()
    }

    async fn coverage(&self, days: u32) -> Result<Coverage, Unavailable> {
        let from = instant().date_naive() + chrono::Days::new(u64::from(days));
        let empty =
            Coverage { from, capabilities: Vec::new(), holiday_collisions: Vec::new(), clock_shifts: Vec::new() };
        self.if_available(|_| empty)
    }

    async fn outlook(&self) -> Result<Outlook, Unavailable> {
        self.if_available(|_| Outlook { from: instant(), hours: 72, weeks: 8, capabilities: Vec::new() })
    }

    async fn overrides(&self) -> Result<(Vec<Override>, u64), Unavailable> {
        self.if_available(|state| (state.overrides.clone(), 7))
    }

    async fn plan_roster(&self, text: String) -> Result<RosterPlan, NoPlan> {
        self.answer_to_roster(text, None)
    }

    async fn apply_roster(&self, text: String, check_index: u64, forced: bool) -> Result<RosterPlan, NoPlan> {
        self.answer_to_roster(text, Some((check_index, forced)))
    }

    async fn events_after(&self, after: FactSeq, limit: usize) -> Result<Vec<Fact>, Unavailable> {
        self.if_available(|state| state.facts.iter().filter(|fact| fact.seq > after).take(limit).cloned().collect())
    }

    async fn chain(&self, after: FactSeq, limit: usize) -> Result<(Head, Vec<Fact>), Unavailable> {
        self.events_after(after, limit).await.map(|facts| (Head::default(), facts))
    }

    async fn oldest_event(&self) -> Result<FactSeq, Unavailable> {
        let next = FactSeq(self.committed.borrow().0 + 1);
        self.if_available(|state| state.facts.first().map_or(next, |fact| fact.seq))
    }

    fn committed(&self) -> watch::Receiver<FactSeq> {
        self.committed.subscribe()
    }

    fn committed_for(&self, team: &TeamId) -> Option<watch::Receiver<FactSeq>> {
        matches!(team.as_str(), "sydney" | "london").then(|| self.sydney.subscribe())
    }

    fn health(&self) -> Health {
        self.state().health.clone()
    }

    fn metrics(&self) -> String {
        "# TYPE heliograph_broker_up gauge\nheliograph_broker_up 1\n".into()
    }
}

pub fn task_id(text: &str) -> TaskId {
    TaskId::new(text).unwrap()
}

/// A task that sydney owns.
pub fn task(id: &str, arrival: u64) -> Task {
    let parts: Vec<&str> = id.split('/').collect();
    let (client, request) = (parts[0], parts[1]);
    let team = TeamId::new("sydney").unwrap();
    Task {
        charged: None,
        arrival: Arrival(arrival),
        id: task_id(id),
        request: request.parse().unwrap(),
        client: client.parse().unwrap(),
        matter: "M-1".parse().unwrap(),
        digest: RequestDigest("00".into()),
        needs: Needs {
            work_type: "document_review".parse().unwrap(),
            jurisdiction: None,
            specialty: None,
            languages: Vec::new(),
            skills: Vec::new(),
            presence: Presence::None,
            place: None,
            allowed_countries: Vec::new(),
            denied_countries: Vec::new(),
            consent: None,
            preferred_team: None,
            excluded_teams: Vec::new(),
            handoff: HandoffRule::WhenBetter,
            payload_on: PayloadOn::Offer,
        },
        priority: Priority::Normal,
        effort_minutes: 90,
        deadline: None,
        not_before: None,
        after: Vec::new(),
        after_cancelled: Vec::new(),
        unknown_told: false,
        lapsed: None,
        sla: None,
        clocks: Vec::new(),
        admitted_at: instant(),
        ready_at: Some(instant()),
        state: TaskState::Active(Active {
            team,
            assignment: 1,
            offered_at: instant(),
            at: instant(),
            remaining_minutes: 60,
            reported_at: None,
            worked: Worked::default(),
            silence: Silence::default(),
            closed_because: None,
            handoff: HandoffState::default(),
        }),
        paused: None,
        held: false,
        assignments: 1,
        turn_downs: Vec::new(),
        holders: Vec::new(),
        handoffs: 0,
        handoff_limit_told: false,
        process: None,
        as_admitted: None,
        task_seq: 3,
    }
}

/// An open process of two steps: the first is done, sydney has the second.
pub fn report(id: &str, arrival: u64) -> ProcessReport {
    let parts: Vec<&str> = id.split('/').collect();
    let mut tasks = [task(&format!("{id}/draft"), arrival + 1), task(&format!("{id}/file"), arrival + 2)];
    let steps = ["draft", "file"].map(|name| heliograph::engine::process::ProcessStep {
        id: name.parse().unwrap(),
        task: task_id(&format!("{id}/{name}")),
        arrival: Arrival(arrival + if name == "draft" { 1 } else { 2 }),
        work_type: "patent_filing".parse().unwrap(),
        effort_minutes: 90,
        after: if name == "draft" { Vec::new() } else { vec![0] },
        ended: (name == "draft").then(|| StepEnd { at: instant(), completed_by: TeamId::new("london").ok() }),
    });
    tasks[0].state = TaskState::Completed { at: instant(), team: TeamId::new("london").unwrap() };
    let due_at = instant() + TimeDelta::hours(3);
    tasks[1].process = Some(Box::new(StepOf {
        process: task_id(id),
        process_arrival: Arrival(arrival),
        step: "file".parse().unwrap(),
        derived: Some(due_at),
        late_told: false,
    }));
    let process = Process {
        arrival: Arrival(arrival),
        id: task_id(id),
        request: parts[1].parse().unwrap(),
        client: parts[0].parse().unwrap(),
        matter: "M-1".parse().unwrap(),
        digest: RequestDigest("00".into()),
        template: Some("patent-filing".parse().unwrap()),
        priority: Priority::Normal,
        deadline: Some(due_at),
        clock: Some(Clock::running_to(due_at, instant())),
        admitted_at: instant(),
        steps: steps.into(),
        state: ProcessState::Open,
        task_seq: 1,
    };
    let forecast = ProcessForecast {
        at: instant(),
        expected: vec![None, Some(Span { start_at: instant(), finish_at: instant() + TimeDelta::hours(1) })],
        latest: vec![None, Some(Span { start_at: instant() + TimeDelta::hours(2), finish_at: due_at })],
        critical: vec![1],
    };
    ProcessReport { process, tasks: tasks.into(), forecast: Some(forecast) }
}
