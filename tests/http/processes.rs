//! Processes over HTTP.

use heliograph::engine::task::Arrival;
use heliograph::http::ProcessFilter;
use serde_json::{Value, json};

use super::Server;
use super::fake::report;

#[tokio::test]
async fn a_process_is_shown_with_progress_derived_deadlines_slack_and_its_critical_path() {
    let server = Server::start().await;
    server.backend.state().processes.push(report("acme-llp/p", 7));
    let shown = server.get("/api/v1/processes/acme-llp%2Fp").await.json();
    assert_eq!(
        (&shown["id"], &shown["state"], &shown["process"]),
        (&json!("acme-llp/p"), &json!("open"), &json!("patent-filing"))
    );
    let progress =
        json!({ "steps": 2, "completed": 1, "cancelled": 0, "effort_minutes": 180, "completed_minutes": 90 });
    assert_eq!(shown["progress"], progress);
    assert_eq!(shown["expected_finish"], "2026-11-23T10:00:00.000Z");
    assert_eq!((&shown["slack_minutes"], &shown["critical_path"]), (&json!(120), &json!(["file"])));
    let (draft, file) = (&shown["steps"][0], &shown["steps"][1]);
    assert_eq!(
        (&draft["state"], &draft["team"], &draft["remaining_minutes"]),
        (&json!("completed"), &json!("london"), &Value::Null)
    );
    assert_eq!(draft["derived_deadline"], Value::Null, "what has ended is due no more");
    assert_eq!(
        (&file["state"], &file["team"], &file["after"]),
        (&json!("active"), &json!("sydney"), &json!(["draft"]))
    );
    assert_eq!(
        (&file["derived_deadline"], &file["latest_start"]),
        (&json!("2026-11-23T12:00:00.000Z"), &json!("2026-11-23T11:00:00.000Z"))
    );
    assert_eq!(
        (&file["slack_minutes"], &file["critical"], &file["remaining_minutes"]),
        (&json!(120), &json!(true), &json!(60))
    );
}

#[tokio::test]
async fn processes_are_listed_by_filters_with_how_far_each_is() {
    let server = Server::start().await;
    server.backend.state().processes.extend([report("acme-llp/p", 7), report("acme-llp/q", 10)]);
    let page = server.get("/api/v1/processes?client=acme-llp&matter=M-1&state=open&cursor=3&limit=2").await.json();
    let ids: Vec<_> = page["processes"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect();
    assert_eq!((ids, &page["next"]), (vec![json!("acme-llp/p"), json!("acme-llp/q")], &json!("10")));
    assert_eq!(page["processes"][0]["progress"]["completed"], 1);
    let filter = ProcessFilter {
        client: "acme-llp".parse().ok(),
        matter: "M-1".parse().ok(),
        state: Some("open"),
        after: Some(Arrival(3)),
        limit: 2,
    };
    assert_eq!(server.backend.state().process_filters, [filter]);
    let problem = server.get("/api/v1/processes?state=active").await.problem(400);
    assert!(problem["detail"].as_str().unwrap().contains("open, completed, cancelled"), "{problem}");
}

#[tokio::test]
async fn an_unknown_process_is_not_found_and_a_process_is_no_task() {
    let server = Server::start().await;
    for rest in ["", "/history"] {
        let problem = server.get(&format!("/api/v1/processes/acme-llp%2Fno{rest}")).await.problem(404);
        assert_eq!(problem["detail"], "there is no process acme-llp/no");
    }
    server.backend.state().processes.push(report("acme-llp/p", 7));
    let problem = server.get("/api/v1/tasks/acme-llp%2Fp/history").await.problem(404);
    let hint = "acme-llp/p is a process, not a task; see /api/v1/processes, or name a step of it";
    assert_eq!(problem["detail"], hint);
}
