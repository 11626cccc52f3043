//! Rosters over HTTP: planned, applied with the index of their plan, refused with what keeps them.

use heliograph::engine::scheduler::Missing;
use heliograph::http::{NoPlan, RosterPlan, RosterRefusal};

use super::client::Answer;
use super::fake::task_id;
use super::{Server, post_as};

const PLAN: &str = "/api/v1/roster/plan";
const APPLY: &str = "/api/v1/roster/apply";

fn plan() -> RosterPlan {
    RosterPlan {
        check_index: 7,
        digest: "new".into(),
        in_force: "old".into(),
        applied: false,
        refused: None,
        changes: Vec::new(),
        consequences: None,
        warnings: Vec::new(),
    }
}

async fn send(server: &Server, path: &str) -> Answer {
    let mut connection = server.connect().await;
    connection.send(&post_as("application/toml", path, "[routing]")).await;
    connection.answer().await
}

#[tokio::test]
async fn a_plan_is_answered_with_its_check_index_and_applied_with_it() {
    let server = Server::start().await;
    server.backend.state().roster = Some(Ok(plan()));
    let answer = send(&server, PLAN).await;
    assert_eq!((answer.status, &answer.json()["check_index"]), (200, &7.into()));
    assert_eq!(send(&server, &format!("{APPLY}?check_index=7&force=true")).await.status, 200);
    let sent = server.backend.state().rosters.clone();
    assert_eq!(sent, [("[routing]".into(), None), ("[routing]".into(), Some((7, true)))]);
}

#[tokio::test]
async fn a_roster_is_not_applied_without_the_index_of_a_plan() {
    let server = Server::start().await;
    let problem = send(&server, APPLY).await.problem(400);
    assert_eq!(problem["field"], "check_index");
    assert!(server.backend.state().rosters.is_empty());
}

#[tokio::test]
async fn what_keeps_a_roster_from_coming_into_force_is_told_with_the_tasks() {
    let server = Server::start().await;
    let missing = vec![Missing { task: task_id("acme-llp/1"), needs: "team sydney".into() }];
    let refusal = RosterRefusal { code: "in_use".into(), detail: "it lacks something".into(), missing };
    server.backend.state().roster = Some(Ok(RosterPlan { refused: Some(refusal), ..plan() }));
    let problem = send(&server, &format!("{APPLY}?check_index=7")).await.problem(409);
    assert_eq!(problem["code"], "roster_in_use");
    assert!(problem["detail"].as_str().unwrap().contains("acme-llp/1 needs team sydney"), "{problem}");
}

#[tokio::test]
async fn the_faults_of_a_roster_are_told_and_so_is_a_body_of_another_type() {
    let server = Server::start().await;
    server.backend.state().roster = Some(Err(NoPlan::Faults("roster.toml:1:1: no".into())));
    let problem = send(&server, PLAN).await.problem(422);
    assert_eq!((&problem["code"], &problem["detail"]), (&"roster_faults".into(), &"roster.toml:1:1: no".into()));
    assert_eq!(server.post(PLAN, "{}").await.problem(415)["code"], "wrong_content_type");
}
