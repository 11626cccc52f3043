//! One of each thing that the tests share.

use chrono::{DateTime, TimeDelta, Utc};
use heliograph::engine::effect::{
    Admission, AdmittedStep, DerivedBecause, DerivedMove, Effect, EscalationReason, ExposedMessage, Exposure,
    HandoffRefusal, OfferBrief, OverrideChange, PriorityReason, ProcessAdmission, Purged, Recorded, WallSource,
    WithdrawReason, WorkMessage,
};
use heliograph::engine::event::{Refusal, RefusalCode};
use heliograph::engine::explain::{Filter, Rejection};
use heliograph::engine::handoff::{Comparison, KeepReason};
use heliograph::engine::id::{ClientId, RequestId, TaskId, TeamId, Term};
use heliograph::engine::overrides::{Override, OverrideKind};
use heliograph::engine::request::{Consent, Place, Priority, SkillNeed};
use heliograph::engine::roster::{HandoffRule, RosterDigest};
use heliograph::engine::sla::{Escalated, MovedDue, Outcome, SegmentEnd, SlaNotice, StoppedClock};
use heliograph::engine::task::{Holder, Notes, WaitReason, Waiting, WakeCause};
use heliograph::engine::update::{Amendment, DeclineReason, Order, SetAside};
use heliograph::wire::Rules;
use heliograph::wire::request::{Parsed, RefusedRequest, parse};

pub const EXAMPLE: &str = include_str!("../fixtures/wire/request.json");

pub fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

pub fn term(text: &str) -> Term {
    Term::new(text).expect("a term")
}

pub fn place(text: &str) -> Place {
    Place::new(text).expect("a place")
}

/// Reads a request under the default rules.
pub fn read(body: impl AsRef<[u8]>) -> Result<Parsed, RefusedRequest> {
    parse(body.as_ref(), &Rules::default())
}

/// A request of the required fields and these members, each `"name":value`.
pub fn request_with(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"id":"r1","client":"acme-llp","matter":"M-1","work_type":"document_review"{comma}{members}}}"#)
}

/// Code, field and message of the refusal of a request.
pub fn refusal(body: impl AsRef<[u8]>) -> (RefusalCode, Option<String>, String) {
    let refused = read(body).expect_err("the request is refused").refusal;
    (refused.code, refused.field.map(String::from), refused.message.into())
}

/// One effect of each kind, with every optional field given; a new kind does not compile until it is sampled.
pub fn effects() -> Vec<Effect> {
    let now = at("2026-11-24T09:00:00Z");
    let refused = Refusal::of_field(RefusalCode::InvalidField, "sla", "\"tin\" is not known");
    let id = RequestId::new("req-1").unwrap();
    let all = vec![
        Effect::Admit(Admission {
            id: id.clone(),
            matter: "Smith \"v\" Müller".parse().unwrap(),
            work_type: "document_review".parse().unwrap(),
            priority: Priority::High,
            effort_minutes: 90,
            deadline: Some(now),
            ready: true,
            process: Some("acme-llp/req-0".parse().unwrap()),
            derived_deadline: Some(now),
        }),
        Effect::MarkReady {},
        Effect::Park(Waiting {
            reason: WaitReason::NoTeamOpen,
            since: now,
            wakes_at: Some(now),
            woken_by: vec![WakeCause::SeatFrees],
            waits_for: Vec::new(),
        }),
        Effect::ReportUnroutable { rejected: [(Filter::Wall, 2)].into() },
        Effect::Offer(Box::new(brief(now))),
        Effect::Withdraw { assignment: 1, reason: WithdrawReason::ShiftEnd },
        Effect::Accept { assignment: 1, implicit: false, with_payload: true },
        Effect::Decline { assignment: 1, reason: DeclineReason::Busy, note: Some("full".into()) },
        Effect::Lapse { assignment: 1, due_at: now },
        Effect::Release { assignment: 1, reason: "ill".into() },
        Effect::Recall { assignment: 1, because: Some(Rejection::WalledFromMatter) },
        Effect::ReportStalled { assignment: 1, silent_minutes: 121, remaining_minutes: 60 },
        Effect::Direct { set_aside: vec![SetAside::Seats] },
        Effect::RaiseEscalation {
            reason: EscalationReason::SlaStep,
            step: Some(Box::new(step(now))),
            unknown: vec!["acme/r0".parse().unwrap()],
        },
        Effect::WarnSla(Box::new(notice(now))),
        Effect::BreachSla(Box::new(notice(now))),
        Effect::MoveDue(MovedDue { clock: term("finish"), from: Some(now), to: None, because: SegmentEnd::Paused }),
        Effect::StopSla(Box::new(StoppedClock {
            clock: term("finish"),
            policy: Some("gold".parse().unwrap()),
            outcome: Outcome::Met,
            stopped_at: now,
            counted_ms: 1,
            target_ms: 2,
        })),
        Effect::Progress { assignment: 1, remaining_minutes: 30, note: Some("half".into()) },
        Effect::Pause { reason: term("client_question") },
        Effect::Resume {},
        Effect::Hold { held: true },
        Effect::Amend(Box::new(Amendment {
            deadline: Some(now),
            effort_minutes: Some(60),
            consent: Some(Consent { offshore: true, reference: None }),
            allowed_countries: Some(vec![place("US")]),
            denied_countries: Some(vec![]),
            excluded_teams: Some(vec![]),
            not_before: Some(now),
        })),
        Effect::Reprioritise { priority: Priority::Low, because: Some(PriorityReason::UrgentQuota) },
        Effect::Complete { assignment: 1, note: Some("done".into()) },
        Effect::Cancel { reason: "settled".into() },
        Effect::Keep {
            assignment: 1,
            reason: KeepReason::Asked,
            note: Some("nearly done".into()),
            comparison: Some(Box::new(comparison(now))),
        },
        Effect::PlanHandoff { assignment: 1, offer_at: now, comparison: Box::new(comparison(now)) },
        Effect::DropHandoff { reason: WithdrawReason::Recalled },
        Effect::RequestHandoff { assignment: 1, answer_by: now },
        Effect::AnswerHandoff { assignment: 1, remaining_minutes: 30 },
        Effect::TellNext { assignment: 2, remaining_minutes: 30, packet: brief(now).packet },
        Effect::AttachCompletion { assignment: 1 },
        Effect::PassHandoff { assignment: 1, to: TeamId::new("london").unwrap(), next_assignment: 2 },
        Effect::DeclineHandoff {
            assignment: 2,
            how: HandoffRefusal::Declined { reason: DeclineReason::Busy, note: Some("full".into()) },
        },
        Effect::ReachHandoffLimit { handoffs: 5 },
        Effect::ReportInfeasible {
            due_at: Some(now),
            best_finish_at: Some(now),
            best_team: TeamId::new("london").unwrap(),
        },
        Effect::EndLate { assignment: 2 },
        Effect::RaiseWall { matter: Some("M-1".parse().unwrap()), source: WallSource::Conflict },
        Effect::ReportExposure(Box::new(Exposure {
            team: "manila-1".parse().unwrap(),
            client: "acme-llp".parse().unwrap(),
            matter: Some("M-1".parse().unwrap()),
            wall: 7,
            count: 1,
            messages: vec![ExposedMessage {
                message_id: "i7.5.w".into(),
                task: TaskId::new("acme-llp/req-1").unwrap(),
            }],
        })),
        Effect::PurgeMatter(Box::new(Purged {
            client: "acme-llp".parse().unwrap(),
            matter: "M-1".parse().unwrap(),
            author: "Ann".into(),
            reason: "the client asks for it".into(),
            count: 1,
            tasks: vec![TaskId::new("acme-llp/req-1").unwrap()],
            open_count: 0,
            left_open: vec![],
        })),
        Effect::AnchorChain {},
        Effect::RejectRequest { id: Some(id.clone()), refusal: refused.clone() },
        Effect::ReportConflict { id: id.clone(), refusal: refused.clone() },
        Effect::RejectUpdate { id: Some(id), refusal: refused },
        Effect::EndOutage { since: now, updates: 3 },
        Effect::ChangeOverride {
            change: OverrideChange::Removed,
            it: Box::new(Override {
                id: 3,
                team: "manila-1".parse().unwrap(),
                kind: OverrideKind::Seats { seats: 2 },
                from: now,
                until: now,
                author: "Ann".into(),
                reason: "flu".into(),
                set_at: now,
                ended_at: Some(now),
            }),
            ended_by: Some("Bo".into()),
            ended_because: Some("well again".into()),
        },
        Effect::AdmitProcess(Box::new(ProcessAdmission {
            id: "req-0".parse().unwrap(),
            matter: "M-1".parse().unwrap(),
            process: Some("filing".parse().unwrap()),
            priority: Priority::Normal,
            deadline: Some(now),
            steps: vec![AdmittedStep {
                step: "draft".parse().unwrap(),
                task: "acme-llp/req-0/draft".parse().unwrap(),
                work_type: "patent_filing".parse().unwrap(),
                effort_minutes: 60,
                after: Vec::new(),
            }],
        })),
        Effect::AmendProcess { deadline: Some(now), priority: Some(Priority::High) },
        Effect::CompleteProcess { completed: 2, cancelled: 1 },
        Effect::CancelProcess { reason: "settled".into() },
        Effect::MoveDerived(DerivedMove { from: Some(now), to: None, because: DerivedBecause::StepEnded }),
        Effect::AdoptRoster { digest: RosterDigest("ab".into()), tzdata: "2026b".into() },
    ];
    for effect in &all {
        match effect {
            Effect::Admit(_)
            | Effect::MarkReady {}
            | Effect::Park(_)
            | Effect::ReportUnroutable { .. }
            | Effect::ReportInfeasible { .. }
            | Effect::Offer(_)
            | Effect::Withdraw { .. }
            | Effect::Accept { .. }
            | Effect::Decline { .. }
            | Effect::Lapse { .. }
            | Effect::Release { .. }
            | Effect::Recall { .. }
            | Effect::Direct { .. }
            | Effect::RaiseEscalation { .. }
            | Effect::WarnSla(_)
            | Effect::BreachSla(_)
            | Effect::MoveDue(_)
            | Effect::StopSla(_)
            | Effect::ReportStalled { .. }
            | Effect::Progress { .. }
            | Effect::Pause { .. }
            | Effect::Resume {}
            | Effect::Hold { .. }
            | Effect::Amend(_)
            | Effect::Reprioritise { .. }
            | Effect::Complete { .. }
            | Effect::Cancel { .. }
            | Effect::Keep { .. }
            | Effect::PlanHandoff { .. }
            | Effect::DropHandoff { .. }
            | Effect::RequestHandoff { .. }
            | Effect::AnswerHandoff { .. }
            | Effect::TellNext { .. }
            | Effect::AttachCompletion { .. }
            | Effect::PassHandoff { .. }
            | Effect::DeclineHandoff { .. }
            | Effect::ReachHandoffLimit { .. }
            | Effect::EndLate { .. }
            | Effect::RaiseWall { .. }
            | Effect::ReportExposure(_)
            | Effect::PurgeMatter(_)
            | Effect::AnchorChain {}
            | Effect::RejectRequest { .. }
            | Effect::ReportConflict { .. }
            | Effect::RejectUpdate { .. }
            | Effect::EndOutage { .. }
            | Effect::ChangeOverride { .. }
            | Effect::AdmitProcess(_)
            | Effect::AmendProcess { .. }
            | Effect::CompleteProcess { .. }
            | Effect::CancelProcess { .. }
            | Effect::MoveDerived(_)
            | Effect::AdoptRoster { .. } => {}
        }
    }
    all
}

fn order() -> Order {
    Order { by: "ana".into(), reason: "the partner asked".into() }
}

fn comparison(now: DateTime<Utc>) -> Comparison {
    Comparison {
        due_at: Some(now),
        keep_finish_at: Some(now),
        best_team: Some(TeamId::new("london").unwrap()),
        best_start_at: Some(now),
        best_finish_at: Some(now),
        rule: HandoffRule::WhenBetter,
    }
}

fn notice(now: DateTime<Utc>) -> SlaNotice {
    SlaNotice {
        clock: term("finish"),
        policy: Some("gold".parse().unwrap()),
        percent: 75,
        reached_at: now,
        due_at: Some(now),
        late_by: Some(TimeDelta::seconds(2)),
    }
}

fn step(now: DateTime<Utc>) -> Escalated {
    Escalated {
        clock: term("finish"),
        policy: Some("gold".parse().unwrap()),
        percent: 90,
        reached_at: now,
        action: "notify",
        priority: Some(Priority::High),
        contact: Some("desk".into()),
        late_by: Some(TimeDelta::seconds(2)),
    }
}

fn brief(now: DateTime<Utc>) -> OfferBrief {
    OfferBrief {
        assignment: 1,
        until: now,
        id: "req-1".parse().unwrap(),
        matter: "M-1".parse().unwrap(),
        work_type: "document_review".parse().unwrap(),
        jurisdiction: Some(place("US-NY")),
        specialty: Some(term("litigation")),
        languages: vec![term("en")],
        skills: vec![SkillNeed { name: term("privilege-review"), level: 2 }],
        place: Some(place("US")),
        priority: Priority::Normal,
        remaining_minutes: 90,
        due_at: Some(now),
        derived: true,
        clocks: vec![],
        packet: vec![Holder {
            team: TeamId::new("sydney-1").unwrap(),
            assignment: 1,
            from: now,
            until: now,
            remaining_minutes: 90,
            worked_seconds: 5_400,
            cost_cents: 0,
            completed_late_at: None,
            notes_dropped: false,
            notes: Notes { notes: Some("notes for the next holder".into()), ..Notes::default() },
        }],
        with_payload: true,
    }
}

/// An effect on a task of `acme-llp` at `manila-1`, addressed to the team when it is an offer.
pub fn recorded(effect: Effect, task_seq: u64) -> Recorded {
    Recorded {
        at: at("2026-11-24T09:00:00.1239Z"),
        claimed_at: Some(at("2026-11-24T08:00:00Z")),
        task: Some((TaskId::new("acme-llp/req-1").unwrap(), task_seq)),
        client: Some(ClientId::new("acme-llp").unwrap()),
        matter: matches!(effect, Effect::Offer(_)).then(|| "M-1".parse().unwrap()),
        team: Some(TeamId::new("manila-1").unwrap()),
        addressed: matches!(effect, Effect::Offer(_)).then_some(WorkMessage::Offer),
        held: None,
        update: None,
        order: Some(order()),
        decision: None,
        effect,
    }
}
