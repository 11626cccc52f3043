//! A task as it is shown.

use chrono::TimeDelta;
use heliograph::engine::request::{Consent, Presence, Priority, RequestDigest};
use heliograph::engine::roster::{HandoffRule, PayloadOn};
use heliograph::engine::sla::{Clock, OpenSegment, Segment, SegmentEnd};
use heliograph::engine::task::{
    Active, Arrival, HandoffState, Holder, Needs, Notes, Offer, Pause, Silence, Task, TaskState, TurnDown,
    TurnDownCause, WaitReason, Waiting, WakeCause, Worked,
};
use heliograph::engine::update::DeclineReason;
use heliograph::wire::view::TaskView;
use serde_json::{Value, json};

use super::samples::{at, place, term};

fn task(state: TaskState) -> Task {
    let needs = Needs {
        work_type: "document_review".parse().unwrap(),
        jurisdiction: Some(place("US-NY")),
        specialty: None,
        languages: vec![term("en")],
        skills: vec![],
        presence: Presence::InPerson,
        place: Some(place("US")),
        allowed_countries: vec![],
        denied_countries: vec![place("GB")],
        consent: Some(Consent { offshore: true, reference: Some("SECRET-REFERENCE".into()) }),
        preferred_team: None,
        excluded_teams: vec![],
        handoff: HandoffRule::Never,
        payload_on: PayloadOn::Offer,
    };
    Task {
        charged: None,
        arrival: Arrival(1),
        id: "acme-llp/req-1".parse().unwrap(),
        request: "req-1".parse().unwrap(),
        client: "acme-llp".parse().unwrap(),
        matter: "M-1".parse().unwrap(),
        digest: RequestDigest("SECRET-DIGEST".into()),
        needs,
        priority: Priority::High,
        effort_minutes: 90,
        deadline: Some(at("2026-11-24T22:00:00Z")),
        not_before: None,
        after: vec![],
        after_cancelled: Vec::new(),
        unknown_told: false,
        lapsed: None,
        sla: Some("gold".parse().unwrap()),
        clocks: vec![],
        admitted_at: at("2026-11-24T09:00:00Z"),
        ready_at: None,
        state,
        paused: Some(Pause {
            reason: term("client_question"),
            from: at("2026-11-24T09:00:00Z"),
            cap_at: None,
            is_capped: false,
        }),
        held: false,
        assignments: 2,
        turn_downs: vec![TurnDown {
            team: "sydney-1".parse().unwrap(),
            cause: TurnDownCause::Declined(DeclineReason::NotQualified),
            times: 1,
            until: None,
        }],
        holders: vec![Holder {
            team: "lima-1".parse().unwrap(),
            assignment: 1,
            from: at("2026-11-23T09:00:00Z"),
            until: at("2026-11-23T17:00:00Z"),
            remaining_minutes: 30,
            worked_seconds: 5_400,
            cost_cents: 0,
            completed_late_at: None,
            notes_dropped: false,
            notes: Notes::default(),
        }],
        handoffs: 0,
        handoff_limit_told: false,
        process: None,
        as_admitted: None,
        task_seq: 7,
    }
}

fn view(state: TaskState) -> Value {
    serde_json::to_value(TaskView::from(&task(state))).unwrap()
}

#[test]
fn a_waiting_task_says_why_and_when_it_wakes() {
    let view = view(TaskState::Waiting(Waiting {
        reason: WaitReason::NoTeamOpen,
        since: at("2026-11-24T09:00:01Z"),
        wakes_at: Some(at("2026-11-24T13:00:00Z")),
        woken_by: vec![WakeCause::SeatFrees, WakeCause::RosterChanges],
        waits_for: Vec::new(),
    }));
    let waiting = json!({ "reason": "no_team_open", "wakes_at": "2026-11-24T13:00:00.000Z", "woken_by": ["seat_frees", "roster_changes"], "waits_for": [] });
    assert_eq!((&view["state"], &view["since"]), (&json!("waiting"), &json!("2026-11-24T09:00:01.000Z")));
    assert_eq!((&view["waiting"], &view["team"], &view["assignment"]), (&waiting, &Value::Null, &Value::Null));
}

#[test]
fn an_offered_and_an_active_task_say_who_and_until_when() {
    let offer = Offer {
        team: "manila-1".parse().unwrap(),
        assignment: 2,
        at: at("2026-11-24T09:00:01Z"),
        until: at("2026-11-24T09:15:01Z"),
        until_shift_end: false,
        priority: Priority::Normal,
        stood_ms: 0,
    };
    let offered = view(TaskState::Offered(offer));
    assert_eq!((&offered["team"], &offered["assignment"]), (&json!("manila-1"), &json!(2)));
    assert_eq!(offered["until"], "2026-11-24T09:15:01.000Z");
    let active = Active {
        team: "manila-1".parse().unwrap(),
        assignment: 2,
        offered_at: at("2026-11-24T09:00:01Z"),
        at: at("2026-11-24T09:05:00Z"),
        remaining_minutes: 45,
        reported_at: None,
        worked: Worked::default(),
        silence: Silence::default(),
        closed_because: None,
        handoff: HandoffState::default(),
    };
    let active = view(TaskState::Active(active));
    assert_eq!((&active["remaining_minutes"], &active["until"]), (&json!(45), &Value::Null));
    assert_eq!(active["since"], "2026-11-24T09:05:00.000Z");
}

#[test]
fn a_view_shows_the_story_and_keeps_digest_and_consent_record_inside() {
    let view = view(TaskState::Cancelled { at: at("2026-11-24T10:00:00Z"), reason: "settled".into() });
    assert_eq!(
        (&view["reason"], &view["paused"], &view["priority"]),
        (&json!("settled"), &json!("client_question"), &json!("high"))
    );
    assert_eq!(view["turn_downs"], json!([{ "team": "sydney-1", "cause": "not_qualified", "until": null }]));
    assert_eq!(view["holders"][0]["until"], "2026-11-23T17:00:00.000Z");
    assert_eq!((&view["needs"]["presence"], &view["needs"]["consent_offshore"]), (&json!("in_person"), &json!(true)));
    assert!(!view.to_string().contains("SECRET"));
}

#[test]
fn a_clock_shows_its_ledger_and_what_each_holder_used_of_it() {
    let mut clock = Clock::of_deadline(at("2026-11-24T22:00:00Z"));
    clock.started_at = Some(at("2026-11-24T09:00:00Z"));
    (clock.segments, clock.counted_ms, clock.due_at) = (2, 7_200_000, clock.deadline);
    clock.open = Some(OpenSegment { from: at("2026-11-24T11:00:00Z"), holder: None, standing: None });
    let segment = |number: u32, holder: Option<&str>| Segment {
        task: Arrival(1),
        clock: term("deadline"),
        number,
        from: at("2026-11-24T09:00:00Z") + TimeDelta::hours(i64::from(number - 1)),
        until: at("2026-11-24T10:00:00Z") + TimeDelta::hours(i64::from(number - 1)),
        holder: holder.map(|team| team.parse().unwrap()),
        standing: None,
        counted_ms: 3_600_000,
        closed_by: SegmentEnd::HolderChanged,
    };
    let cancelled = TaskState::Cancelled { at: at("2026-11-24T13:00:00Z"), reason: "settled".into() };
    let task = Task { clocks: vec![clock], ..task(cancelled) };
    // The third was closed after the task was read.
    let segments = [segment(1, None), segment(2, Some("manila-1")), segment(3, Some("manila-1"))];
    let view = serde_json::to_value(TaskView::with_ledger(&task, &segments)).unwrap();
    let shown = &view["clocks"][0];
    assert_eq!(
        (&shown["name"], &shown["basis"], &shown["stop"]),
        (&json!("deadline"), &json!("wall"), &json!("completed"))
    );
    assert_eq!((&shown["target_minutes"], &shown["counted_ms"]), (&json!(780), &json!(7_200_000)));
    assert_eq!((&shown["due_at"], &shown["outcome"]), (&json!("2026-11-24T22:00:00.000Z"), &Value::Null));
    assert_eq!(shown["open"], json!({ "from": "2026-11-24T11:00:00.000Z", "holder": null, "paused": null }));
    let shares =
        [json!({ "holder": null, "counted_ms": 3_600_000 }), json!({ "holder": "manila-1", "counted_ms": 3_600_000 })];
    assert_eq!(shown["shares"], json!(shares));
    assert_eq!(shown["segments"].as_array().unwrap().len(), 2);
    let second = json!({
        "number": 2, "from": "2026-11-24T10:00:00.000Z", "until": "2026-11-24T11:00:00.000Z", "holder": "manila-1",
        "paused": null, "counted_ms": 3_600_000, "closed_by": "holder_changed",
    });
    assert_eq!(shown["segments"][1], second);
}

#[test]
fn only_a_clock_that_the_cancellation_stopped_is_neither_met_nor_breached() {
    let ended = at("2026-11-24T13:00:00Z");
    let stopped = |at| Clock { started_at: Some(at), stopped_at: Some(at), ..Clock::of_deadline(ended) };
    let breached = Clock { breached_at: Some(ended), ..stopped(ended) };
    let clocks = vec![stopped(at("2026-11-24T12:00:00Z")), stopped(ended), breached];
    let cancelled = TaskState::Cancelled { at: ended, reason: "settled".into() };
    let view = serde_json::to_value(TaskView::from(&Task { clocks, ..task(cancelled) })).unwrap();
    let outcomes: Vec<_> = view["clocks"].as_array().unwrap().iter().map(|clock| &clock["outcome"]).collect();
    assert_eq!(outcomes, ["met", "cancelled", "breached"]);
}

#[test]
fn the_schema_of_a_view_has_its_fields() {
    let schema = serde_json::to_value(schemars::schema_for!(TaskView)).unwrap();
    let shown = view(TaskState::Completed { at: at("2026-11-24T10:00:00Z"), team: "manila-1".parse().unwrap() });
    let described: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(shown.as_object().unwrap().keys().collect::<Vec<_>>(), described);
}

#[test]
fn facts_with_what_people_wrote_are_known_by_their_fields() {
    use heliograph::wire::chain::{Head, Sealer};
    use heliograph::wire::words::holds_words;
    let mut sealer = Sealer::after(Head::default());
    let mut with_words = std::collections::BTreeSet::new();
    for effect in super::samples::effects() {
        let mut recorded = super::samples::recorded(effect, 1);
        let ordered = sealer.seal(recorded.clone());
        assert!(holds_words(&ordered), "an operator's reason: {}", ordered.event_type);
        recorded.order = None;
        let fact = sealer.seal(recorded);
        if holds_words(&fact) {
            with_words.insert(fact.event_type.to_string());
        }
        assert!(!holds_words(&heliograph::wire::fact::Fact { body: [].into(), packet: None, ..fact }));
    }
    let expected = [
        "handoff.declined",
        "handoff.kept",
        "handoff.told",
        "process.cancelled",
        "task.cancelled",
        "task.completed",
        "task.declined",
        "task.offered",
        "task.progressed",
        "task.released",
    ];
    assert_eq!(with_words.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}
