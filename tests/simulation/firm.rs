//! What firms, teams, operators and the network do, drawn from a seed.

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{Effect, Recorded};
use heliograph::engine::event::{Event, OverrideWish};
use heliograph::engine::id::{ClientId, RequestId, TaskId, TeamId, Term, WorkTypeId};
use heliograph::engine::overrides::{NewOverride, OverrideKind};
use heliograph::engine::request::{Consent, Place, Priority, RequestDigest, WorkRequest};
use heliograph::engine::task::{Task, TaskState, WaitReason};
use heliograph::engine::update::{Amendment, Change, DeclineReason, Order, Sender, SetAside, Update};

use super::dice::Dice;
use super::hours::{HOUR, MINUTE};

/// Work that firms ask for: its type, the place whose law applies, the specialty.
const WORK: [(&str, &str, &str); 22] = [
    ("document_review", "", ""),
    ("document_review", "", ""),
    ("document_review", "US", "discovery"),
    ("legal_research", "", ""),
    ("legal_research", "US", "research"),
    ("legal_writing", "GB", "litigation"),
    ("legal_writing", "US-NY", "litigation"),
    ("legal_writing", "AU", "contracts"),
    ("legal_writing", "GB", "contracts"),
    ("drafting_briefs", "GB", "litigation"),
    ("drafting_briefs", "US", "litigation"),
    ("drafting_pleadings", "GB", "banking"),
    ("patent_services", "US", ""),
    ("patent_filing", "US", ""),
    ("patent_services", "JP", ""),
    ("back_office", "", ""),
    ("legal_tech_consulting", "", ""),
    ("contract_extraction", "", ""),
    ("client_call", "US", "contracts"),
    ("court_appearance", "US-NY", "litigation"),
    ("court_appearance", "GB-ENG", "litigation"),
    ("agency_work", "US", "contracts"),
];

const CLIENTS: [&str; 10] = [
    "acme-llp",
    "hudson-bank",
    "bayside-ventures",
    "thames-solicitors",
    "lombard-bank",
    "harbour-legal",
    "rheinwerk-ag",
    "spreekanzlei",
    "quokka-labs",
    "kestrel-pharma",
];

pub fn at(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).expect("an instant")
}

fn place(text: &str) -> Place {
    Place::new(text).expect("a place")
}

fn team(text: &str) -> TeamId {
    TeamId::new(text).expect("a team")
}

/// A request, the `number`th.
pub fn request(dice: &mut Dice, number: u64, now: i64, short: bool) -> WorkRequest {
    let (work_type, law, specialty) = dice.of(&WORK);
    let client = ClientId::new(dice.of(&CLIENTS)).expect("a client");
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let consented = Some(Consent { offshore: true, reference: Some("R-1".to_owned()) });
    let consent = if dice.one_in(4) { None } else { consented };
    let consent = if dice.one_in(50) { Some(Consent { offshore: false, reference: None }) } else { consent };
    let long = dice.of(&[10, 20, 45, 60, 90, 90, 120, 180, 300, 600, 1_500]);
    let effort = if short { dice.of(&[5, 10, 10, 15, 20, 30, 30, 45, 60, 90, 300]) } else { long };
    let after = number.checked_sub(1 + u64::try_from(dice.below(20)).expect("positive")).filter(|_| dice.one_in(25));
    let not_before = (after.is_none() && dice.one_in(16)).then(|| at(now + dice.below(48) * HOUR + dice.below(HOUR)));
    WorkRequest {
        id: RequestId::new(&format!("r{number}")).expect("an id"),
        matter: format!("M-{}", dice.below(40)).parse().expect("a matter"),
        work_type: Some(WorkTypeId::new(work_type).expect("a work type")),
        jurisdiction: some(law).map(|it| place(&it)),
        specialty: some(specialty).map(|it| Term::new(&it).expect("a specialty")),
        languages: dice.one_in(60).then(|| vec![Term::new("fr").expect("a language")]),
        skills: Vec::new(),
        presence: None,
        place: (work_type == "agency_work").then(|| place("US-CA")),
        allowed_countries: if dice.one_in(40) { vec![place("IN"), place("GB-ENG")] } else { Vec::new() },
        denied_countries: if dice.one_in(40) { vec![place(dice.of(&["IN-MH", "PH", "KE"]))] } else { Vec::new() },
        consent,
        effort_minutes: (!dice.one_in(10)).then_some(effort),
        priority: Some(dice.of(&[Priority::Urgent, Priority::High, Priority::Normal, Priority::Normal, Priority::Low])),
        sla: None,
        deadline: dice.one_in(3).then(|| at(now + dice.below(96 * 60) * MINUTE - 30 * MINUTE)),
        not_before,
        after: after
            .map(|it| TaskId::of(&client, &RequestId::new(&format!("r{it}")).expect("an id")))
            .into_iter()
            .collect(),
        preferred_team: dice.one_in(8).then(|| team(dice.of(&["london", "mumbai", "new-york", "sydney", "nairobi"]))),
        excluded_teams: if dice.one_in(30) { vec![team(dice.of(&["manila", "bogota"]))] } else { Vec::new() },
        process: None,
        steps: Vec::new(),
        digest: RequestDigest(format!("d{number}").into()),
        client,
    }
}

const SET_ASIDE: [SetAside; 4] = [SetAside::TurnedDown, SetAside::Drained, SetAside::Open, SetAside::Seats];

/// What a firm or an operator does about an open task.
pub fn meddling(dice: &mut Dice, task: &Task, now: i64) -> (Sender, Change) {
    let firm = Sender::Client(task.client.clone());
    let operator = Sender::Operator("local".to_owned());
    let amend = |amendment: Amendment| Change::Amend(Box::new(amendment));
    let later = at(now + dice.below(72 * 60) * MINUTE);
    match dice.below(16) {
        0 => (firm, amend(Amendment { deadline: Some(later), ..Amendment::default() })),
        1 => (firm, amend(Amendment { effort_minutes: Some(dice.of(&[15, 90, 480])), ..Amendment::default() })),
        2 => {
            let denied = vec![place(dice.of(&["GB", "IN", "US-NY"]))];
            (firm, amend(Amendment { denied_countries: Some(denied), ..Amendment::default() }))
        }
        3 => {
            let offshore = !dice.one_in(3);
            let consent = Consent { offshore, reference: offshore.then(|| "R-2".to_owned()) };
            (firm, amend(Amendment { consent: Some(consent), ..Amendment::default() }))
        }
        4 => (firm, Change::Hold),
        5 | 6 => (firm, Change::Unhold),
        7 => (firm, Change::Cancel { reason: "settled".to_owned() }),
        8 => (operator, Change::Reprioritise { priority: dice.of(&Priority::ALL) }),
        9 => (operator, Change::Recall),
        10 => {
            let to = team(dice.of(&["london", "mumbai", "new-york", "manila", "cape-town", "bogota"]));
            // Most orders fail for the one rule that was not named.
            let names_all = dice.one_in(2);
            let set_aside = SET_ASIDE.into_iter().filter(|_| names_all || dice.one_in(2)).collect();
            (operator, Change::OfferTo { to, set_aside })
        }
        11 => (firm, Change::Pause { assignment: None, reason: Term::new("court_order").expect("a reason") }),
        12 => {
            (operator, Change::Pause { assignment: None, reason: Term::new("awaiting_documents").expect("a reason") })
        }
        _ => (operator, Change::Resume { assignment: None }),
    }
}

/// What a team does next about a task that it was told of, and after how much time.
pub fn reaction(dice: &mut Dice, it: &Recorded, task: Option<&Task>) -> Vec<(i64, Change)> {
    let pause = |assignment| Change::Pause {
        assignment: Some(assignment),
        reason: Term::new("awaiting_client").expect("a reason"),
    };
    match &it.effect {
        Effect::Offer(brief) => {
            let assignment = brief.assignment;
            let delay = dice.below(14 * MINUTE);
            let reason = match dice.below(1_000) {
                0 => DeclineReason::Conflict,
                1..60 => DeclineReason::NotQualified,
                _ => DeclineReason::Busy,
            };
            match dice.below(20) {
                0 => Vec::new(),
                1 | 2 => vec![(delay, Change::Decline { assignment, reason, note: None })],
                _ => vec![(delay, Change::Accept { assignment })],
            }
        }
        Effect::Accept { assignment, .. } => {
            let assignment = *assignment;
            let left = task.map_or(60, |task| i64::from(task.remaining_minutes()));
            let span = left * MINUTE * (50 + dice.below(110)) / 100;
            let done = Change::Complete { assignment, note: None };
            match dice.below(24) {
                0 => vec![(span / 2, Change::Release { assignment, reason: "ill".to_owned() }), (span, done)],
                1 => vec![
                    (span / 3, pause(assignment)),
                    (span / 3 + dice.below(60) * HOUR, Change::Resume { assignment: Some(assignment) }),
                    (span + 30 * HOUR, done),
                ],
                2..12 => {
                    let remaining_minutes = u32::try_from(left / 2).expect("minutes");
                    vec![(span / 2, Change::Progress { assignment, remaining_minutes, note: None }), (span, done)]
                }
                _ => vec![(span, done)],
            }
        }
        Effect::RequestHandoff { assignment, .. } => {
            let (assignment, delay) = (*assignment, dice.below(40 * MINUTE));
            match dice.below(10) {
                0 => vec![(delay, Change::Keep { assignment, reason: "mine".to_owned() })],
                1..6 => {
                    let notes = Some("half is done".to_owned());
                    vec![(
                        delay,
                        Change::Handoff { assignment, notes, done: None, next_step: None, remaining_minutes: None },
                    )]
                }
                _ => Vec::new(),
            }
        }
        _ => Vec::new(),
    }
}

/// What somebody does about what was told: a firm gives up what nobody may have, an
/// impatient one also what is late, and now and then an operator has a task
/// offered again to the team that has just turned it down.
pub fn order(dice: &mut Dice, it: &Recorded, impatient: bool) -> Option<(i64, Sender, Change)> {
    let given_up = match &it.effect {
        Effect::ReportUnroutable { .. } => !dice.one_in(if impatient { 100 } else { 10 }),
        Effect::RaiseEscalation { unknown, .. } => !unknown.is_empty() && !dice.one_in(10),
        Effect::Park(waiting) => waiting.reason == WaitReason::PredecessorCancelled && !dice.one_in(10),
        Effect::Pause { .. } | Effect::Hold { held: true } => impatient && !dice.one_in(4),
        Effect::BreachSla(notice) => impatient && notice.clock.as_str() == "turnaround" && !dice.one_in(4),
        _ => false,
    };
    if let (true, Some(client)) = (given_up, &it.client) {
        let change = Change::Cancel { reason: "it takes too long".to_owned() };
        return Some((dice.below(96 * HOUR), Sender::Client(client.clone()), change));
    }
    let turned_down = matches!(it.effect, Effect::Lapse { .. } | Effect::Decline { .. });
    let to = it.team.clone().filter(|_| turned_down && dice.one_in(20))?;
    let change = Change::OfferTo { to, set_aside: SET_ASIDE.to_vec() };
    Some((dice.below(20 * MINUTE), Sender::Operator("local".to_owned()), change))
}

pub fn update(number: u64, task: &TaskId, sender: Sender, change: Change) -> Event {
    let id = RequestId::new(&format!("u{number}")).expect("an id");
    let order = Order { by: "ana".to_owned(), reason: "asked".to_owned() };
    let order = matches!(sender, Sender::Operator(_)).then_some(order);
    let update = Update { id, task: task.clone(), sender, at: None, order, change };
    let digest = heliograph::wire::update::digest(&update);
    Event::UpdateReceived { update: Box::new(update), digest, ended: None, earlier: None }
}

/// Somebody sets something on a team, or ends what was set.
pub fn wish(dice: &mut Dice, last: u64, now: i64) -> OverrideWish {
    let (author, reason) = ("ana".to_owned(), "a flood".to_owned());
    if last > 0 && dice.one_in(3) {
        let id = last - u64::try_from(dice.below(4)).expect("positive").min(last - 1);
        return OverrideWish::Remove { id, author, reason };
    }
    let team = team(dice.of(&["london", "mumbai", "new-york", "manila", "cape-town", "bogota", "sydney", "warsaw"]));
    let seats = u32::try_from(dice.below(4)).expect("a few");
    let kind = dice.of(&[OverrideKind::Close, OverrideKind::Open, OverrideKind::Drain, OverrideKind::Seats { seats }]);
    let begins = now + dice.below(20 * 60) * MINUTE;
    let from = dice.one_in(2).then(|| at(begins));
    let until = at(begins + (1 + dice.below(20 * 60)) * MINUTE);
    OverrideWish::Set(Box::new(NewOverride { team, kind, from, until, author, reason }))
}

/// Whether a task is offered, so that its message may fail to arrive.
pub fn is_offered(task: &Task) -> bool {
    matches!(task.state, TaskState::Offered(_)) || task.handoff_offer().is_some()
}
