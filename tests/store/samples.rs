//! Tasks and facts as the scheduler would make them, from numbers: the same number gives the same sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use heliograph::engine::effect::WorkMessage;
use heliograph::engine::id::{ClientId, MatterId, RequestId, TaskId, TeamId, Term, WorkTypeId};
use heliograph::engine::request::{Place, Presence, Priority, RequestDigest, SkillNeed};
use heliograph::engine::roster::{HandoffRule, PayloadOn, RosterDigest};
use heliograph::engine::sla::{Segment, SegmentEnd};
use heliograph::engine::task::{
    Active, Arrival, HandoffState, Needs, Offer, Silence, Task, TaskState, WaitReason, Waiting, WakeCause, Worked,
};
use heliograph::store::{Batch, RosterVersion, TaskRow};
use heliograph::wire::fact::{Fact, FactSeq, Link};
use sha2::{Digest, Sha256};

pub fn at(minutes: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 23, 8, 0, 0).single().expect("an instant") + TimeDelta::minutes(minutes)
}

pub fn client(name: &str) -> ClientId {
    ClientId::new(name).expect("a client id")
}

pub fn team(name: &str) -> TeamId {
    TeamId::new(name).expect("a team id")
}

pub fn request(name: &str) -> RequestId {
    RequestId::new(name).expect("a request id")
}

fn term(name: &str) -> Term {
    Term::new(name).expect("a term")
}

pub fn waiting() -> TaskState {
    TaskState::Waiting(Waiting {
        reason: WaitReason::NoTeamOpen,
        since: at(0),
        wakes_at: Some(at(90)),
        woken_by: vec![WakeCause::TeamOpens, WakeCause::RosterChanges],
        waits_for: vec![],
    })
}

pub fn offered(to: &str) -> TaskState {
    TaskState::Offered(Offer {
        team: team(to),
        assignment: 1,
        at: at(0),
        until: at(30),
        until_shift_end: false,
        priority: Priority::Normal,
        stood_ms: 0,
    })
}

pub fn active(owner: &str) -> TaskState {
    TaskState::Active(Active {
        team: team(owner),
        assignment: 1,
        offered_at: at(0),
        at: at(5),
        remaining_minutes: 240,
        reported_at: None,
        worked: Worked::default(),
        silence: Silence::default(),
        closed_because: None,
        handoff: HandoffState::default(),
    })
}

pub fn completed(by: &str, minutes: i64) -> TaskState {
    TaskState::Completed { at: at(minutes), team: team(by) }
}

pub fn cancelled(minutes: i64) -> TaskState {
    TaskState::Cancelled { at: at(minutes), reason: "settled out of court".into() }
}

/// Task `arrival` of `acme`.
pub fn task(arrival: u64, state: TaskState) -> Task {
    task_of("acme", arrival, state)
}

pub fn task_of(firm: &str, arrival: u64, state: TaskState) -> Task {
    let (client, request) = (client(firm), request(&format!("req-{arrival:06}")));
    Task {
        arrival: Arrival(arrival),
        id: TaskId::of(&client, &request),
        charged: None,
        digest: RequestDigest(hex(&sha256(request.as_str().as_bytes())).into()),
        request,
        client,
        matter: MatterId::new("Smith ./. Müller (2026)").expect("a matter"),
        needs: Needs {
            work_type: WorkTypeId::new("document_review").expect("a work type"),
            jurisdiction: Place::new("US-NY").ok(),
            specialty: Some(term("litigation")),
            languages: vec![term("en")],
            skills: vec![SkillNeed { name: term("privilege"), level: 3 }],
            presence: Presence::None,
            place: None,
            allowed_countries: vec![],
            denied_countries: vec![],
            consent: None,
            preferred_team: None,
            excluded_teams: vec![],
            handoff: HandoffRule::WhenBetter,
            payload_on: PayloadOn::Offer,
        },
        priority: Priority::High,
        effort_minutes: 240,
        deadline: Some(at(2880)),
        not_before: None,
        after: vec![],
        after_cancelled: vec![],
        unknown_told: false,
        lapsed: None,
        sla: None,
        clocks: vec![],
        admitted_at: at(0),
        ready_at: Some(at(0)),
        state,
        paused: None,
        held: false,
        assignments: 1,
        turn_downs: vec![],
        holders: vec![],
        handoffs: 0,
        handoff_limit_told: false,
        process: None,
        as_admitted: None,
        task_seq: 1,
    }
}

/// A segment of a clock of task `arrival` between two minutes, all of which it counted for sydney.
pub fn segment(arrival: u64, clock: &str, number: u32, from: i64, until: i64) -> Segment {
    Segment {
        task: Arrival(arrival),
        clock: term(clock),
        number,
        from: at(from),
        until: at(until),
        holder: Some(team("sydney")),
        standing: None,
        counted_ms: (until - from) * 60_000,
        closed_by: SegmentEnd::HolderChanged,
    }
}

pub fn row(task: &Task) -> TaskRow {
    TaskRow { task: Arc::new(task.clone()), next_due_at: task.deadline }
}

/// A batch of tasks alone.
pub fn tasks(tasks: &[Task]) -> Batch {
    Batch { tasks: tasks.iter().map(row).collect(), ..Batch::default() }
}

/// A batch of facts alone.
pub fn facts(facts: &[Fact]) -> Batch {
    Batch { facts: facts.to_vec(), ..Batch::default() }
}

pub fn roster(text: &str, minutes: i64) -> RosterVersion {
    let digest = RosterDigest(hex(&sha256(text.as_bytes())).into());
    RosterVersion { digest, text: text.into(), at: at(minutes), seq: FactSeq(0) }
}

/// Makes facts that follow each other.
#[derive(Default, Clone)]
pub struct Chain {
    pub last_seq: u64,
    pub last_link: Link,
    numbers: BTreeMap<TaskId, u64>,
}

impl Chain {
    /// A fact about a task.
    pub fn fact(&mut self, event_type: &str, task: &Task) -> Fact {
        let number = self.numbers.entry(task.id.clone()).or_default();
        *number += 1;
        let number = *number;
        let mut fact = self.bare(event_type);
        fact.task = Some((task.id.clone(), number));
        fact.client = Some(task.client.clone());
        fact
    }

    /// A fact that is a message to a team.
    pub fn message(&mut self, kind: WorkMessage, to: &str, task: &Task) -> Fact {
        let mut fact = self.fact("task.offered", task);
        fact.team = Some(team(to));
        fact.matter = Some(task.matter.clone());
        fact.addressed = Some(kind);
        fact.with_payload = kind == WorkMessage::Offer;
        fact.decision = Some(br#"{"winner":"sydney"}"#.as_slice().into());
        fact
    }

    /// A fact about nothing but itself.
    pub fn bare(&mut self, event_type: &str) -> Fact {
        self.last_seq += 1;
        let body = format!(r#"{{"type":"{event_type}","seq":{},"text":"{}"}}"#, self.last_seq, "x".repeat(340));
        let body_digest = sha256(body.as_bytes());
        let mut link = Sha256::new();
        link.update(self.last_link);
        link.update(self.last_seq.to_be_bytes());
        link.update(body_digest);
        self.last_link = link.finalize().into();
        Fact {
            seq: FactSeq(self.last_seq),
            at: at(0) + TimeDelta::milliseconds(i64::try_from(self.last_seq).expect("a small number")),
            event_type: event_type.into(),
            task: None,
            client: None,
            matter: None,
            team: None,
            addressed: None,
            held: None,
            with_payload: false,
            body: body.into_bytes().into(),
            body_digest,
            link: self.last_link,
            decision: None,
            packet: None,
        }
    }
}

pub fn sha256(bytes: &[u8]) -> Link {
    Sha256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
