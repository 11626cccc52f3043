//! Commands that talk to a daemon: what they ask, and what they make of the answer.

use std::collections::BTreeMap;
use std::net::TcpListener;

use heliograph::engine::explain::{Decision, Obstacle, Rejection, Verdict};
use heliograph::engine::hindsight::Premises;
use heliograph::engine::id::{TeamId, Term};
use heliograph::engine::roster::RosterDigest;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::{Ran, command, ran, run};

const TASK: &str = "acme-llp/r:1";
const ADDRESS: &str = "/api/v1/tasks/acme-llp%2Fr%3A1";

fn task() -> Value {
    json!({
        "id": TASK, "client": "acme-llp", "request": "r:1", "matter": "M-1", "state": "active", "team": "manila",
        "assignment": 2, "since": "2026-11-24T09:00:00.000Z", "until": null, "waiting": null, "reason": null,
        "paused": null, "held": false, "priority": "normal", "effort_minutes": 90, "remaining_minutes": 40,
        "deadline": "2026-11-25T09:00:00.000Z", "not_before": null, "after": [],
        "needs": {
            "work_type": "document_review", "jurisdiction": "US-NY", "specialty": null, "languages": ["en"],
            "skills": [{ "name": "privilege-review", "level": 2 }], "presence": "none", "place": null,
            "allowed_countries": [], "denied_countries": [], "consent_offshore": true, "preferred_team": null,
            "excluded_teams": [],
        },
        "sla": "gold", "clocks": [], "turn_downs": [{ "team": "pune", "cause": "busy", "until": null }],
        "holders": [{
            "team": "london", "assignment": 1, "from": "2026-11-23T09:00:00.000Z",
            "until": "2026-11-23T17:30:00.000Z", "remaining_minutes": 60, "worked_minutes": 75, "cost_cents": 6_250, "notes": "half\u{1b}[31m done",
        }],
        "admitted_at": "2026-11-23T08:00:00.000Z", "ready_at": null, "task_seq": 9,
    })
}

fn fact(seq: u64, event_type: &str) -> Value {
    json!({
        "seq": seq, "at": "2026-11-23T08:00:00Z", "type": event_type, "task_seq": seq, "team": null,
        "body": { "type": event_type, "at": "2026-11-23T08:00:00Z", "task": TASK, "matter": "M-1", "deadline": null },
    })
}

fn explanation() -> Value {
    let team = |id| TeamId::new(id).unwrap();
    let rejection = Rejection::LanguageMissing { language: Term::new("fr").unwrap() };
    let verdict = Verdict::Rejected {
        team: team("manila"),
        filter: rejection.filter(),
        cleared_by: rejection.cleared_by(),
        rejection,
    };
    let decision = Decision {
        at: "2026-11-24T09:00:00Z".parse().unwrap(),
        roster: RosterDigest("abc".into()),
        tzdata: "2026f".into(),
        class: 0,
        winner: Some(team("london")),
        available: Vec::new(),
        available_count: 1,
        rejected: BTreeMap::new(),
        premises: Premises::default(),
        table: None,
    };
    json!({ "decision": decision, "verdicts": [verdict], "at": "2026-11-24T09:00:00Z" })
}

/// Runs a command against a fake that gives these answers, and gives the lines that it was asked with.
fn asked(arguments: &[&str], answers: impl IntoIterator<Item = (u16, Value)>) -> (Ran, Vec<String>) {
    let fake = Fake::answering(answers.into_iter().map(|(status, body)| (status, body.to_string())));
    let ran = run(&[arguments, &["--url", &fake.url()]].concat());
    (ran, fake.calls().into_iter().map(|call| call.line).collect())
}

#[test]
fn tasks_are_listed_with_the_filters_that_were_given() {
    let page = json!({ "tasks": [task()], "next": "17" });
    let arguments = ["tasks", "--client", "acme-llp", "--state", "active", "--cursor", "5", "--limit", "10"];
    let (ran, calls) = asked(&arguments, [(200, page.clone())]);
    assert_eq!(calls, ["GET /api/v1/tasks?limit=10&client=acme-llp&state=active&cursor=5"]);
    let lines: Vec<_> = ran.data().lines().collect();
    assert!(lines[0].starts_with("TASK") && lines[1].starts_with(TASK) && lines[1].contains("manila"), "{ran:?}");
    assert_eq!(lines[3], "more with --cursor 17");
    let mut moving = page.clone();
    moving["tasks"][0]["owned_while_closed"] = json!("planned");
    moving["tasks"][0]["handoff"] = json!({ "to": "sydney", "offer_at": "2026-11-24T22:00:00Z" });
    let (ran, _) = asked(&["tasks"], [(200, moving)]);
    assert!(ran.data().contains("active, closed: planned, next sydney"), "{ran:?}");
    let (ran, _) = asked(&["tasks", "--format", "json"], [(200, page.clone())]);
    assert_eq!(ran.json(), page);
}

#[test]
fn no_tasks_of_a_team_that_the_roster_lacks_comes_with_the_nearest_name() {
    let page = (200, json!({ "tasks": [], "next": null }));
    let teams = (200, json!({ "teams": [{ "id": "manila" }, { "id": "pune" }] }));
    let (ran, calls) = asked(&["tasks", "--team", "manlia"], [page.clone(), teams.clone()]);
    assert_eq!(calls[1], "GET /api/v1/teams");
    assert!(ran.code == 0 && ran.stderr.contains("no team \"manlia\"; did you mean \"manila\"?"), "{ran:?}");
    let (ran, _) = asked(&["tasks", "--team", "pune"], [page, teams]);
    assert!(ran.data().starts_with("TASK"), "{ran:?}");
}

#[test]
fn a_task_is_shown_with_needs_holders_and_its_whole_history() {
    let pages = [
        (200, task()),
        (200, json!({ "facts": [fact(3, "task.admitted")], "next": 3 })),
        (200, json!({ "facts": [fact(4, "task.offered")], "next": null })),
    ];
    let (ran, calls) = asked(&["task", TASK], pages.clone());
    assert_eq!(
        calls,
        [
            format!("GET {ADDRESS}"),
            format!("GET {ADDRESS}/history?limit=500"),
            format!("GET {ADDRESS}/history?limit=500&after=3"),
        ]
    );
    for part in
        ["privilege-review 2", "half [31m done", "pune", "task.admitted", "task.offered", "40 left", "matter M-1"]
    {
        assert!(ran.data().contains(part), "{part}: {ran:?}");
    }
    let (ran, _) = asked(&["task", TASK, "--format", "json"], pages);
    let story = ran.json();
    assert_eq!((&story["task"], story["history"].as_array().unwrap().len()), (&task(), 2));
}

#[test]
fn a_task_shows_its_clocks_with_every_segment_of_their_ledger() {
    let mut task = task();
    task["clocks"] = json!([{
        "name": "turnaround", "basis": "holder", "start": "ready", "stop": "completed", "target_minutes": 240,
        "started_at": "2026-11-24T09:00:00.000Z", "stopped_at": null, "outcome": null, "paused": "awaiting_client",
        "due_at": null, "warnings": 1, "breached_at": null, "counted_ms": 90_500,
        "open": { "from": "2026-11-24T10:00:00.000Z", "holder": "manila", "paused": "awaiting_client" },
        "segments": [{
            "number": 1, "from": "2026-11-24T09:00:00.000Z", "until": "2026-11-24T10:00:00.000Z", "holder": "manila",
            "paused": null, "counted_ms": 90_500, "closed_by": "paused",
        }],
        "shares": [{ "holder": "manila", "counted_ms": 90_500 }],
    }]);
    let mut running = task.clone();
    let (ran, _) = asked(&["task", TASK], [(200, task), (200, json!({ "facts": [], "next": null }))]);
    let lines: Vec<Vec<&str>> = ran.data().lines().map(|line| line.split_whitespace().collect()).collect();
    let wanted = [
        "turnaround holder 240 min 1.5083333 min 2026-11-24T09:00:00.000Z - stands: awaiting_client",
        "turnaround manila 1.5083333 min",
        "turnaround 2026-11-24T09:00:00.000Z 2026-11-24T10:00:00.000Z manila 1.5083333 min - paused",
        "turnaround 2026-11-24T10:00:00.000Z - manila - awaiting_client -",
    ];
    for line in wanted {
        assert!(lines.contains(&line.split(' ').collect()), "{line}: {ran:?}");
    }
    running["clocks"][0]["open"]["paused"] = json!(null);
    let (ran, _) = asked(&["task", TASK], [(200, running), (200, json!({ "facts": [], "next": null }))]);
    assert!(ran.data().contains("1.5083333 min + open"), "{ran:?}");
}

#[test]
fn text_of_others_cannot_steer_the_terminal() {
    let pages = [(200, task()), (200, json!({ "facts": [], "next": null }))];
    let (ran, _) = asked(&["task", TASK], pages);
    assert!(!ran.data().contains('\x1b'), "{ran:?}");
}

#[test]
fn why_prints_the_decision_and_every_verdict() {
    let (ran, calls) = asked(&["why", TASK], [(200, explanation())]);
    assert_eq!(calls, [format!("GET {ADDRESS}/explanation")]);
    assert!(ran.data().contains("winner       london"), "{ran:?}");
    assert!(ran.stdout.contains("manila  no: capability"), "{ran:?}");
    let (ran, _) = asked(&["why", TASK, "--format", "json"], [(200, explanation())]);
    assert_eq!(ran.json(), explanation());
}

#[test]
fn why_prints_the_last_decision_at_a_shift_end_with_its_numbers() {
    let comparison = json!({
        "due_at": "2026-11-24T09:00:00Z", "keep_finish_at": "2026-11-24T12:00:00Z", "best_team": "sydney",
        "best_start_at": "2026-11-23T22:00:00Z", "best_finish_at": "2026-11-24T02:00:00Z", "rule": "when_better",
    });
    let mut document = explanation();
    document["handoff"] = fact(9, "handoff.planned");
    document["handoff"]["team"] = json!("sydney");
    document["handoff"]["body"] = json!({ "offer_at": "2026-11-23T22:00:00Z", "comparison": comparison });
    let (ran, _) = asked(&["why", TASK], [(200, document.clone())]);
    for part in [
        "pass it to sydney, which is asked at 2026-11-23T22:00:00Z",
        "if kept      2026-11-24T12:00:00Z",
        "if passed    2026-11-24T02:00:00Z",
        "rule         when_better",
    ] {
        assert!(ran.data().contains(part), "{part}: {ran:?}");
    }
    document["handoff"]["team"] = json!("london");
    document["handoff"]["body"] = json!({ "reason": "asked", "note": "the witness calls tonight" });
    let (ran, _) = asked(&["why", TASK], [(200, document)]);
    assert!(ran.data().contains("london keeps it: asked") && ran.data().contains("witness calls"), "{ran:?}");
}

#[test]
fn why_not_says_that_the_task_waits_for_itself_or_that_the_team_has_it() {
    let mut document = explanation();
    document["own_wait"] = json!({ "reason": "held", "wakes_at": null, "woken_by": ["resumed"] });
    document["obstacles"] = json!([Obstacle::from(Rejection::Retired)]);
    for command in [&["why", TASK][..], &["why-not", TASK, "manila"]] {
        let (ran, _) = asked(command, [(200, document.clone())]);
        assert!(ran.stdout.contains("the task waits whatever the teams say: held"), "{ran:?}");
    }
    document["has_it"] = json!("active");
    let (ran, _) = asked(&["why-not", TASK, "manila"], [(200, document)]);
    assert_eq!(ran.stdout.trim(), format!("manila has {TASK} already: active"));
}

#[test]
fn an_order_is_looked_at_before_it_is_sent() {
    let offer = ["offer-to", TASK, "--team", "manila", "--reason", "r", "--set-aside", "seats", "--dry-run"];
    let mut document = explanation();
    document["obstacles"] = json!([Obstacle::from(Rejection::NoSeat { seats: 1, used: 1 })]);
    let (ran, calls) = asked(&offer, [(200, document.clone())]);
    assert_eq!(calls, [format!("GET {ADDRESS}/explanation?team=manila")], "nothing is sent");
    assert!(ran.stdout.contains("set aside") && ran.stdout.contains("would be offered to manila"), "{ran:?}");
    let (ran, _) = asked(&[&offer[..6], &["--dry-run"]].concat(), [(200, document)]);
    assert!(ran.code == 1 && ran.stdout.contains("in the way") && ran.stderr.contains("1 in the way"), "{ran:?}");
    let recall = ["recall", TASK, "--reason", "r", "--dry-run"];
    let (ran, calls) = asked(&recall, [(200, task())]);
    assert_eq!(calls, [format!("GET {ADDRESS}")]);
    assert!(ran.data().contains("would be taken from manila"), "{ran:?}");
}

#[test]
fn an_order_is_sent_with_its_reason_and_answered_with_where_the_task_is() {
    let applied = json!({ "outcome": "applied", "task": TASK });
    let (ran, calls) = asked(&["recall", TASK, "--reason", "r", "--by", "ana"], [(200, applied), (200, task())]);
    assert!(calls[0].starts_with(&format!("POST {ADDRESS}/updates")), "{calls:?}");
    assert!(ran.data().contains("recall applied; it is active manila now"), "{ran:?}");
}

#[test]
fn why_not_names_every_rule_in_the_way_and_what_would_clear_it() {
    let mut document = explanation();
    let no = [Rejection::LanguageMissing { language: Term::new("fr").unwrap() }, Rejection::Retired];
    document["obstacles"] = json!(no.map(Obstacle::from));
    let (ran, calls) = asked(&["why-not", TASK, "manila"], [(200, document.clone())]);
    assert_eq!(calls, [format!("GET {ADDRESS}/explanation?team=manila")]);
    for part in ["2 rules say no", "because      language_missing: language fr", "cleared by   the language fr"] {
        assert!(ran.data().contains(part), "{part}: {ran:?}");
    }
    assert!(ran.stdout.contains("cleared by   taking `retired` off"), "{ran:?}");
    let (ran, _) = asked(&["why-not", TASK, "manila", "--format", "json"], [(200, document.clone())]);
    let answer = ran.json();
    assert_eq!((&answer["filter"], &answer["obstacles"]), (&json!("capability"), &document["obstacles"]));
}

#[test]
fn why_not_fails_for_a_team_that_is_not_there_and_a_task_that_has_ended() {
    let detail = "there is no team nowhere; did you mean norway?";
    let (ran, _) = asked(&["why-not", TASK, "nowhere"], [(404, json!({ "title": "Not found", "detail": detail }))]);
    assert!(ran.code == 1 && ran.stdout.is_empty() && ran.stderr.contains(detail), "{ran:?}");
    let ended = json!({ "decision": null, "verdicts": null, "at": "2026-11-24T09:00:00Z" });
    let (ran, _) = asked(&["why-not", TASK, "manila"], [(200, ended)]);
    assert!(ran.code == 1 && ran.stderr.contains("has ended"), "{ran:?}");
}

#[test]
fn an_update_is_sent_as_the_contract_has_it() {
    let fake = Fake::answering([(200, json!({ "outcome": "applied", "task": TASK }).to_string())]);
    let url = fake.url();
    let arguments = ["update", TASK, "decline", "--team", "manila", "--assignment", "2", "--reason", "busy"];
    let ran = run(&[&arguments[..], &["--note", "full house", "--id", "u1", "--url", &url]].concat());
    assert_eq!(ran.data(), format!("{TASK}: decline applied\n"));
    let calls = fake.calls();
    assert_eq!(calls[0].line, format!("POST {ADDRESS}/updates"));
    let body: Value = serde_json::from_str(&calls[0].body).unwrap();
    let expected = json!({
        "id": "u1", "task": TASK, "kind": "decline", "team": "manila", "assignment": 2, "reason": "busy",
        "note": "full house",
    });
    assert_eq!(body, expected);
}

#[test]
fn an_operator_names_neither_team_nor_client() {
    let fake = Fake::answering([(200, json!({ "outcome": "applied", "task": TASK }).to_string())]);
    let ran = run(&["update", TASK, "cancel", "--operator", "--reason", "settled", "--url", &fake.url()]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let body: Value = serde_json::from_str(&fake.calls()[0].body).unwrap();
    assert!(body["team"].is_null() && body["client"].is_null() && body["id"].is_string(), "{body}");
}

#[test]
fn costs_are_shown_in_hours_and_money() {
    let costs = json!({ "costs": [{ "of": "sydney", "tasks": 12, "worked_minutes": 1_505, "cost_cents": 100_005 }] });
    let arguments = ["costs", "--by", "team", "--from", "2026-11-01T00:00:00Z", "--until", "2026-12-01T00:00:00+01:00"];
    let (ran, calls) = asked(&arguments, [(200, costs)]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("25 h 05 min") && ran.stdout.contains("1000.05"), "{ran:?}");
    let path = "/api/v1/costs?by=team&from=2026-11-01T00%3A00%3A00Z&until=2026-11-30T23%3A00%3A00Z";
    assert!(format!("{calls:?}").contains(path), "{calls:?}");
}

#[test]
fn a_purge_shows_what_it_would_empty_and_asks_before_it_does() {
    let found = json!({
        "fact": null, "count": 102, "tasks": ["acme-llp/r:1", "acme-llp/r:2"], "open_count": 1,
        "left_open": ["acme-llp/r:3"], "done": false,
    });
    let mut done = found.clone();
    (done["fact"], done["done"]) = (json!(77), json!(true));
    let purge = ["purge", "M-1", "--client", "acme-llp", "--author", "Ann", "--reason", "the client asks for it"];

    let (ran, calls) = asked(&[&purge[..], &["--dry-run"]].concat(), [(200, found.clone())]);
    assert!(ran.code == 0 && calls == ["POST /api/v1/purges"], "{ran:?}");
    for shown in
        ["102 closed tasks", "  acme-llp/r:1\n", "and 100 more", "1 tasks are open and left", "  acme-llp/r:3\n"]
    {
        assert!(ran.data().contains(shown), "{shown}: {ran:?}");
    }
    let (ran, calls) = asked(&purge, [(200, found)]);
    assert!(ran.code == 2 && calls.len() == 1 && ran.stderr.contains("give --yes"), "nobody can be asked: {ran:?}");

    let fake = Fake::answering([(200, done.to_string())]);
    let ran = run(&[&purge[..], &["--yes", "--url", &fake.url()]].concat());
    assert!(ran.data().contains("102 closed tasks are emptied (fact 77)"), "{ran:?}");
    let sent: Value = serde_json::from_str(&fake.calls()[0].body).expect("JSON");
    assert_eq!(
        sent,
        json!({"client": "acme-llp", "matter": "M-1", "author": "Ann", "reason": "the client asks for it"})
    );
}

#[test]
fn a_forecast_shows_what_is_booked_and_expected_and_leaves_out_what_has_neither() {
    let ahead = |capability: &str, booked: u64| {
        json!({
            "capability": capability, "teams": ["london", "pune"], "booked_minutes": booked, "expected_minutes": 0,
            "capacity_minutes": 2_880, "left_minutes": 65, "short_from": "2026-11-25T20:00:00Z",
            "past_error_percent": if booked > 0 { json!(12) } else { json!(null) }, "by_hour": [],
        })
    };
    let outlook = json!({
        "from": "2026-11-23T09:00:00Z", "hours": 72, "weeks": 8,
        "capabilities": [ahead("GB/litigation", 1_445), ahead("GB/patents", 0)],
    });
    let (ran, calls) = asked(&["forecast"], [(200, outlook.clone())]);
    assert_eq!(calls, ["GET /api/v1/forecast"]);
    for shown in ["24 h 05", "48 h 00", "1 h 05", "2026-11-25T20:00:00Z", "12 %"] {
        assert!(ran.data().contains(shown), "{shown}: {ran:?}");
    }
    assert!(!ran.data().contains("patents"), "{ran:?}");
    let (ran, _) = asked(&["forecast", "--all"], [(200, outlook.clone())]);
    assert!(ran.data().contains("patents"), "{ran:?}");
    let (ran, _) = asked(&["forecast", "--format", "json"], [(200, outlook.clone())]);
    assert_eq!(ran.json(), outlook);
}

#[test]
fn a_faulty_update_is_a_usage_error_and_never_sent() {
    for arguments in [
        &["update", TASK, "acept", "--client", "acme-llp"][..],
        &["update", TASK, "accept", "--team", "manila"],
        &["update", TASK, "hold"],
        &["update", TASK, "hold", "--client", "acme-llp", "--by", "ana", "--reason", "the partner asked"],
        &["update", TASK, "hold", "--client", "acme-llp", "--operator"],
        &["update", TASK, "decline", "--team", "manila", "--assignment", "1", "--reason", "tired"],
        &["update", TASK, "amend", "--client", "acme-llp", "--allowed-countries", "US,Mars"],
    ] {
        let (ran, calls) = asked(arguments, []);
        assert!(ran.code == 2 && ran.stdout.is_empty() && calls.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_problem_document_is_told_in_its_own_words() {
    let problem = json!({
        "type": "urn:heliograph:problem:stale_assignment", "title": "The message was refused", "status": 409,
        "detail": "the current assignment is 3", "code": "stale_assignment", "field": "assignment",
    });
    let arguments = ["update", TASK, "accept", "--team", "manila", "--assignment", "2"];
    let (ran, _) = asked(&arguments, [(409, problem)]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("409: assignment: the current assignment is 3 (stale_assignment)"), "{ran:?}");
}

#[test]
fn healthcheck_is_0_when_ready_and_1_when_not() {
    let checks =
        |ok| json!({ "ready": ok, "role": "active", "checks": [{ "name": "store", "ok": ok, "detail": "x" }] });
    let (ran, calls) = asked(&["healthcheck"], [(200, checks(true))]);
    assert_eq!(calls, ["GET /readyz"]);
    assert!(ran.data().contains("well") && ran.stdout.contains("store"), "{ran:?}");
    let (ran, _) = asked(&["healthcheck"], [(503, checks(false))]);
    assert!(ran.code == 1 && ran.stdout.contains("not well") && ran.stdout.contains("fault"), "{ran:?}");
    let (ran, calls) = asked(&["healthcheck", "--live", "--format", "json"], [(200, json!({ "live": true }))]);
    assert_eq!((ran.json(), calls), (json!({ "live": true }), vec!["GET /livez".to_owned()]));
}

#[test]
fn no_daemon_is_exit_69_for_every_command() {
    // A port that was free a moment ago, with nobody behind it.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{address}");
    for arguments in [
        &["tasks"][..],
        &["task", TASK],
        &["why", TASK],
        &["why-not", TASK, "manila"],
        &["update", TASK, "hold", "--client", "acme-llp"],
        &["healthcheck"],
    ] {
        let ran = run(&[arguments, &["--url", &url]].concat());
        assert!(ran.code == 69 && ran.stdout.is_empty() && ran.stderr.contains(&url), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_daemon_that_cannot_answer_now_is_exit_69_and_one_that_is_none_exit_1() {
    let standby =
        json!({ "title": "The daemon cannot answer now", "status": 503, "detail": "b leads", "code": "unavailable" });
    let (ran, _) = asked(&["tasks"], [(503, standby)]);
    assert!(ran.code == 69 && ran.stderr.contains("b leads"), "{ran:?}");
    let (ran, _) = asked(&["tasks"], [(200, json!("hello"))]);
    assert!(ran.code == 1 && ran.stdout.is_empty(), "{ran:?}");
    let (ran, _) = asked(&["tasks"], [(404, json!({ "title": "Not found" }))]);
    assert!(ran.code == 1 && ran.stderr.contains("404: Not found"), "{ran:?}");
}

#[test]
fn the_environment_names_the_daemon_and_the_argument_wins() {
    let page = json!({ "tasks": [], "next": null }).to_string();
    let fake = Fake::answering([(200, page.clone()), (200, page)]);
    let by_environment = ran(command().arg("tasks").env("HELIOGRAPH_URL", fake.url()));
    let arguments = ["tasks", "--url", &fake.url()];
    let by_argument = ran(command().args(arguments).env("HELIOGRAPH_URL", "http://127.0.0.1:1"));
    assert_eq!((by_environment.code, by_argument.code), (0, 0), "{by_environment:?} {by_argument:?}");
    assert_eq!(fake.calls().len(), 2);
}

fn process() -> Value {
    let step = |step: &str, state: &str, waits: Value, critical: bool, slack: i64| {
        json!({
            "step": step, "task": format!("acme-llp/p/{step}"), "work_type": "patent_filing", "after": [], "state": state,
            "waits": waits, "team": null, "effort_minutes": 120, "remaining_minutes": 60,
            "latest_start": "2026-11-24T09:00:00.000Z", "derived_deadline": "2026-11-24T10:00:00.000Z",
            "expected_start": null, "expected_finish": "2026-11-24T12:05:00.000Z", "slack_minutes": slack,
            "critical": critical, "ended_at": null,
        })
    };
    json!({
        "id": "acme-llp/p", "client": "acme-llp", "request": "p", "matter": "M-1", "process": "patent-filing", "state": "open",
        "reason": null, "priority": "normal", "deadline": "2026-11-25T09:00:00.000Z", "breached": false,
        "progress": { "steps": 3, "completed": 1, "cancelled": 1, "effort_minutes": 240, "completed_minutes": 120 },
        "admitted_at": "2026-11-23T08:00:00.000Z", "ended_at": null, "task_seq": 1, "as_of": "2026-11-24T08:00:00.000Z",
        "expected_finish": "2026-11-24T12:05:00.000Z", "slack_minutes": 1255, "critical_path": ["file"],
        "steps": [step("draft", "active", Value::Null, false, 300), step("file", "waiting", json!("predecessor"), true, -125)],
    })
}

#[test]
fn processes_are_listed_and_one_is_drawn_step_by_step_with_what_decides_its_end() {
    let page = json!({ "processes": [process()], "next": "9" });
    let arguments = ["processes", "--client", "acme-llp", "--matter", "M 1", "--state", "open", "--limit", "5"];
    let (ran, calls) = asked(&arguments, [(200, page)]);
    assert_eq!(calls, ["GET /api/v1/processes?limit=5&client=acme-llp&matter=M%201&state=open"]);
    assert!(ran.data().contains("1 of 3 done") && ran.data().contains("more with --cursor 9"), "{ran:?}");
    let (ran, calls) = asked(&["process", "acme-llp/p"], [(200, process())]);
    assert_eq!(calls, ["GET /api/v1/processes/acme-llp%2Fp"]);
    let lines: Vec<_> = ran.data().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "progress 1 of 3 steps done, 1 cancelled, 120 of 240 min",
        "slack 20h55m",
        "draft active - 60 of 120 min 2026-11-24T10:00:00.000Z 2026-11-24T12:05:00.000Z 5h -",
        "* file waiting: predecessor - 60 of 120 min 2026-11-24T10:00:00.000Z 2026-11-24T12:05:00.000Z -2h5m -",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}\n{lines:#?}");
    }
    let (ran, _) = asked(&["process", "acme-llp/p", "--format", "json"], [(200, process())]);
    assert_eq!(ran.json(), process());
}

#[test]
fn a_step_names_its_process_and_says_that_its_deadline_is_derived_and_what_it_waits_for() {
    let mut step = task();
    step["process"] = json!("acme-llp/p");
    step["derived_deadline"] = json!("2026-11-24T10:00:00.000Z");
    step["after"] = json!(["acme-llp/p/draft"]);
    step["after_cancelled"] = json!(["acme-llp/p/search"]);
    let history = (200, json!({ "facts": [], "next": null }));
    let (ran, _) = asked(&["task", TASK], [(200, step.clone()), history]);
    let lines: Vec<_> = ran.data().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "process acme-llp/p",
        "due 2026-11-24T10:00:00.000Z (derived)",
        "after acme-llp/p/search (cancelled), acme-llp/p/draft",
    ] {
        assert!(lines.iter().any(|it| it == line), "{line}\n{lines:#?}");
    }
    step["deadline"] = Value::Null;
    let (ran, _) = asked(&["tasks"], [(200, json!({ "tasks": [&step], "next": null }))]);
    assert!(ran.data().contains("2026-11-24T10:00:00.000Z (derived)"), "{ran:?}");
    let mut waiting = explanation();
    waiting["own_wait"] = json!({ "reason": "predecessor", "wakes_at": null, "woken_by": ["predecessor_ends"] });
    let (ran, calls) = asked(&["why", TASK], [(200, waiting), (200, step)]);
    assert_eq!(calls[1], format!("GET {ADDRESS}"));
    assert!(ran.data().contains("it comes after acme-llp/p/search (cancelled), acme-llp/p/draft"), "{ran:?}");
}
