//! Tasks, teams and health.

use heliograph::engine::task::Arrival;
use heliograph::http::{Check, Role, TaskFilter};

use super::Server;
use super::fake::task;

#[tokio::test]
async fn a_task_is_found_by_its_percent_encoded_id() {
    let server = Server::start().await;
    server.backend.has(task("acme-llp/req-1", 1));
    server.backend.has(task("acme-llp/req-1/step", 2));
    for (path, id) in [("acme-llp%2Freq-1", "acme-llp/req-1"), ("acme%2Dllp%2freq-1%2Fstep", "acme-llp/req-1/step")] {
        let answer = server.get(&format!("/api/v1/tasks/{path}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!((&answer.json()["id"], &answer.json()["state"]), (&id.into(), &"active".into()));
    }
}

#[tokio::test]
async fn an_unknown_task_is_not_found_and_an_id_that_cannot_exist_says_the_grammar() {
    let server = Server::start().await;
    for rest in ["", "/explanation", "/history"] {
        let problem = server.get(&format!("/api/v1/tasks/acme-llp%2Fno{rest}")).await.problem(404);
        assert_eq!(problem["detail"], "there is no task acme-llp/no");
    }
    for bad in ["acme-llp", "Acme%2F1", "a%2Fb%2Fc%2Fd", "%FF", "a%2F%0Ab"] {
        assert_eq!(server.get(&format!("/api/v1/tasks/{bad}")).await.problem(400)["code"], "invalid_id", "{bad}");
    }
    server.get("/api/v1/tasks/acme-llp/req-1").await.problem(404);
}

#[tokio::test]
async fn tasks_are_listed_by_filters_a_page_at_a_time() {
    let server = Server::start().await;
    for number in 1..=3 {
        server.backend.has(task(&format!("acme-llp/req-{number}"), number));
    }
    let first = server.get("/api/v1/tasks?client=acme-llp&team=sydney&state=active&limit=2").await.json();
    let ids = |page: &serde_json::Value| -> Vec<String> {
        page["tasks"].as_array().unwrap().iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), ["acme-llp/req-1", "acme-llp/req-2"]);
    assert_eq!(first["next"], "2");
    let second = server.get("/api/v1/tasks?limit=2&cursor=2").await.json();
    assert_eq!((ids(&second), &second["next"]), (vec!["acme-llp/req-3".to_owned()], &serde_json::Value::Null));
    let asked = server.backend.state().asked.clone();
    let team = Some("sydney".parse().unwrap());
    let client = Some("acme-llp".parse().unwrap());
    assert_eq!(asked[0], TaskFilter { client, team, state: Some("active"), after: None, limit: 2 });
    let after = Some(Arrival(2));
    assert_eq!(asked[1], TaskFilter { client: None, team: None, state: None, after, limit: 2 });
}

#[tokio::test]
async fn costs_are_summed_by_client_or_by_team_over_a_span() {
    let server = Server::start().await;
    let span = "from=2026-11-01T00:00:00Z&until=2026-11-08T01:00:00%2B01:00";
    let one =
        |of: &str| serde_json::json!({"costs": [{"of": of, "tasks": 7, "worked_minutes": 90, "cost_cents": 9050}]});
    assert_eq!(server.get(&format!("/api/v1/costs?{span}")).await.json(), one("acme-llp"));
    assert_eq!(server.get(&format!("/api/v1/costs?{span}&by=team")).await.json(), one("sydney"));
    for (query, field) in [
        ("until=2026-11-08T00:00:00Z", "from"),
        ("from=2026-11-08T00:00:00Z", "until"),
        ("from=2026-11-08T00:00:00Z&until=2026-11-08T00:00:00Z", "until"),
        ("from=monday&until=2026-11-08T00:00:00Z", "from"),
        ("by=month&from=2026-11-01T00:00:00Z&until=2026-11-08T00:00:00Z", "by"),
    ] {
        assert_eq!(server.get(&format!("/api/v1/costs?{query}")).await.problem(400)["field"], field, "{query}");
    }
}

#[tokio::test]
async fn a_parameter_that_cannot_be_used_is_named() {
    let server = Server::start().await;
    let cases = [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=%2B5", "limit"),
        ("cursor=x", "cursor"),
        ("client=ACME", "client"),
        ("team=a/b", "team"),
        ("state=done", "state"),
        ("clent=acme", "clent"),
        ("limit=1&limit=2", "limit"),
    ];
    for (query, field) in cases {
        let problem = server.get(&format!("/api/v1/tasks?{query}")).await.problem(400);
        assert_eq!((&problem["code"], &problem["field"]), (&"invalid_parameter".into(), &field.into()), "{query}");
    }
    assert!(server.backend.state().asked.is_empty());
}

#[tokio::test]
async fn a_place_that_no_store_can_have_is_a_problem_that_names_field_and_limit() {
    let server = Server::start().await;
    server.backend.has(task("acme-llp/req-1", 1));
    let above = i64::MAX.unsigned_abs() + 1;
    let cases = [
        ("/api/v1/tasks?cursor=", "cursor"),
        ("/api/v1/tasks/acme-llp%2Freq-1/history?after=", "after"),
        ("/api/v1/teams/sydney/messages?after=", "after"),
        ("/api/v1/events?after=", "after"),
    ];
    for (path, field) in cases {
        let problem = server.get(&format!("{path}{above}")).await.problem(400);
        assert_eq!((&problem["code"], &problem["field"]), (&"invalid_parameter".into(), &field.into()), "{path}");
        assert!(problem["detail"].as_str().unwrap().contains("0 to 9223372036854775807"), "{problem}");
    }
    let mut connection = server.connect().await;
    let head = format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {above}\r\n\r\n");
    connection.send(&head).await;
    assert_eq!(connection.answer().await.problem(400)["field"], "Last-Event-ID");
}

#[tokio::test]
async fn the_history_is_paged_and_a_purged_fact_has_no_body() {
    let server = Server::start().await;
    server.backend.has(task("acme-llp/req-1", 1));
    server.backend.commit(4, "task.admitted", r#"{"x":1}"#);
    server.backend.commit(5, "task.offered", "");
    let path = "/api/v1/tasks/acme-llp%2Freq-1/history";
    let page = server.get(&format!("{path}?limit=1")).await.json();
    assert_eq!(page["next"], 4);
    let fact = &page["facts"][0];
    assert_eq!((&fact["seq"], &fact["type"], &fact["body"]["x"]), (&4.into(), &"task.admitted".into(), &1.into()));
    assert_eq!((&fact["at"], &fact["task_seq"]), (&"2026-11-23T09:00:00Z".into(), &4.into()));
    let rest = server.get(&format!("{path}?after=4")).await.json();
    assert_eq!((&rest["facts"][0]["seq"], &rest["facts"][0]["body"]), (&5.into(), &serde_json::Value::Null));
    assert_eq!(rest["next"], serde_json::Value::Null);
}

#[tokio::test]
async fn explanation_and_teams_are_shown() {
    let server = Server::start().await;
    server.backend.has(task("acme-llp/req-1", 1));
    let explanation = server.get("/api/v1/tasks/acme-llp%2Freq-1/explanation").await.json();
    let expected = serde_json::json!({
        "decision": null, "as_decided": null, "handoff": null, "own_wait": null, "verdicts": [], "at": "2026-11-23T09:00:00Z"
    });
    assert_eq!(explanation, expected);
    let of_one = server.get("/api/v1/tasks/acme-llp%2Freq-1/explanation?team=sydney").await.json();
    assert_eq!(of_one["obstacles"][0]["filter"], "capability");
    let problem = server.get("/api/v1/tasks/acme-llp%2Freq-1/explanation?team=sidney").await.problem(404);
    assert_eq!(problem["detail"], "there is no team sidney; did you mean sydney?");
    let team = &server.get("/api/v1/teams").await.json()["teams"][0];
    assert_eq!((&team["id"], &team["delivery"], &team["seats"]), (&"sydney".into(), &"http".into(), &3.into()));
    assert_eq!(team["next_transition_at"], "2026-11-23T09:00:00Z");
}

#[tokio::test]
async fn reads_are_unavailable_while_the_store_is() {
    let server = Server::start().await;
    server.backend.state().unavailable = Some("the daemon is starting".into());
    let task = "/api/v1/tasks/acme-llp%2F1";
    for path in ["/api/v1/tasks", task, "/api/v1/teams", "/api/v1/teams/sydney/messages", "/api/v1/events"] {
        let answer = server.get(path).await;
        assert_eq!(answer.problem(503)["detail"], "the daemon is starting", "{path}");
    }
}

#[tokio::test]
async fn readiness_is_told_check_by_check_and_liveness_apart_from_it() {
    let server = Server::start().await;
    let ready = server.get("/readyz").await;
    assert_eq!(ready.status, 200);
    let check = serde_json::json!({"name": "store", "ok": true, "detail": "open"});
    assert_eq!(ready.json(), serde_json::json!({"ready": true, "role": "active", "checks": [check]}));

    server.backend.state().health.role = Role::Standby;
    assert_eq!(server.get("/readyz").await.status, 200);
    assert_eq!(server.get("/readyz?role=active").await.status, 503);
    server.get("/readyz?role=standby").await.problem(400);

    let broken = Check { name: "broker", ok: false, detail: "no link since 09:00".into() };
    server.backend.state().health.checks.push(broken);
    let unready = server.get("/readyz").await;
    assert_eq!((unready.status, &unready.json()["ready"]), (503, &false.into()));
    assert_eq!(unready.json()["checks"][1]["detail"], "no link since 09:00");
    assert_eq!(server.get("/livez").await.json(), serde_json::json!({"live": true}));
    server.backend.state().health.live = false;
    assert_eq!(server.get("/livez").await.status, 503);
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    let server = Server::start().await;
    let answer = server.get("/metrics").await;
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.body.ends_with("heliograph_broker_up 1\n"));
}
