//! Work requests and updates in.

use std::sync::Arc;

use heliograph::engine::event::{Refusal, RefusalCode};
use heliograph::engine::id::TeamId;
use heliograph::engine::update::Sender;
use heliograph::http::{MAX_ARRAY, SubmitAnswer, Unavailable, UpdateAnswer};
use heliograph::wire::update::SenderHint;
use tokio::sync::Notify;

use super::fake::{task, task_id};
use super::{Server, post};

const REQUESTS: &str = "/api/v1/requests";
const UPDATES: &str = "/api/v1/tasks/acme-llp%2Freq-1/updates";

fn admitted(id: &str) -> SubmitAnswer {
    let team = Some(TeamId::new("sydney").unwrap());
    SubmitAnswer::Admitted { task: task_id(id), state: "offered", team }
}

fn refused() -> SubmitAnswer {
    SubmitAnswer::Refused(Refusal::of_field(RefusalCode::UnknownClient, "client", "\"acm\" is not in the roster"))
}

#[tokio::test]
async fn an_admitted_request_is_created_and_its_location_leads_to_the_task() {
    let server = Server::start().await;
    server.backend.state().submit.insert("{ }".into(), admitted("acme-llp/a:b@c"));
    server.backend.has(task("acme-llp/a:b@c", 1));
    let answer = server.post(REQUESTS, "{ }").await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let expected =
        serde_json::json!({"outcome": "admitted", "task": "acme-llp/a:b@c", "state": "offered", "team": "sydney"});
    assert_eq!(answer.json(), expected);
    let location = answer.header("location").unwrap();
    assert_eq!(location, "/api/v1/tasks/acme-llp%2Fa%3Ab%40c");
    assert_eq!(server.get(location).await.json()["id"], "acme-llp/a:b@c");
}

#[tokio::test]
async fn a_duplicate_is_answered_with_its_task_and_a_refusal_with_what_is_wrong() {
    let server = Server::start().await;
    {
        let mut state = server.backend.state();
        state.submit.insert("{\"a\":1}".into(), SubmitAnswer::Duplicate { task: task_id("acme-llp/1") });
        state.submit.insert("{\"a\":2}".into(), refused());
    }
    let duplicate = server.post(REQUESTS, "{\"a\":1}").await;
    assert_eq!(duplicate.status, 200);
    assert_eq!(duplicate.json(), serde_json::json!({"outcome": "duplicate", "task": "acme-llp/1"}));
    let problem = server.post(REQUESTS, "{\"a\":2}").await.problem(422);
    assert_eq!(problem["code"], "unknown_client");
    assert_eq!(problem["field"], "client");
    assert_eq!(problem["detail"], "\"acm\" is not in the roster");
    let unavailable = server.post(REQUESTS, "{\"a\":3}").await;
    assert_eq!(unavailable.problem(503)["detail"], "the store failed");
    assert_eq!(unavailable.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn refusals_have_the_status_that_says_them_best() {
    let server = Server::start().await;
    let cases = [
        (RefusalCode::TooLarge, 413),
        (RefusalCode::InvalidJson, 400),
        (RefusalCode::MissingField, 422),
        (RefusalCode::Conflict, 409),
        (RefusalCode::StaleAssignment, 409),
        (RefusalCode::Identity, 403),
        (RefusalCode::UnknownTask, 404),
        (RefusalCode::Full, 503),
    ];
    for (code, status) in cases {
        server.backend.state().update = UpdateAnswer::Refused(Refusal::new(code, "no"));
        let problem = server.post(UPDATES, "{}").await.problem(status);
        assert_eq!(problem["code"], code.as_str());
        assert_eq!(problem.get("field"), None);
    }
}

#[tokio::test]
async fn an_array_is_answered_per_element_in_order_and_its_bytes_are_not_changed() {
    let server = Server::start().await;
    let elements = ["{\"id\": \"1\",\"id\":\"1\"}", "{ \"n\":1.50e400 }", "17", "{\"id\":\"4\"}"];
    {
        let mut state = server.backend.state();
        state.submit.insert(elements[0].into(), refused());
        state.submit.insert(elements[1].into(), admitted("acme-llp/2"));
        state.submit.insert(elements[2].into(), SubmitAnswer::Unavailable(Unavailable("stopping".into())));
        state.submit.insert(elements[3].into(), SubmitAnswer::Duplicate { task: task_id("acme-llp/4") });
    }
    let answer = server.post(REQUESTS, &format!(" [ {} ]", elements.join(" , "))).await;
    assert_eq!(answer.status, 200);
    let expected = serde_json::json!([
        {"outcome": "refused", "refusal": {"code": "unknown_client", "field": "client", "message": "\"acm\" is not in the roster"}},
        {"outcome": "admitted", "task": "acme-llp/2", "state": "offered", "team": "sydney"},
        {"outcome": "unavailable", "detail": "stopping"},
        {"outcome": "duplicate", "task": "acme-llp/4"},
    ]);
    assert_eq!(answer.json(), expected);
    assert_eq!(server.backend.state().submitted, elements);
}

#[tokio::test]
async fn an_array_of_which_nothing_was_taken_is_unavailable_and_an_empty_one_has_no_answers() {
    let server = Server::start().await;
    server.post(REQUESTS, "[{},{}]").await.problem(503);
    assert_eq!(server.post(REQUESTS, "[]").await.json(), serde_json::json!([]));
}

#[tokio::test]
async fn an_array_has_at_most_a_thousand_requests() {
    let server = Server::start().await;
    server.backend.state().submit.insert("{}".into(), admitted("acme-llp/1"));
    let array = |count: usize| format!("[{}]", vec!["{}"; count].join(","));
    assert_eq!(server.post(REQUESTS, &array(MAX_ARRAY)).await.json().as_array().unwrap().len(), MAX_ARRAY);
    let problem = server.post(REQUESTS, &array(MAX_ARRAY + 1)).await.problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("1001"), "{problem}");
    assert_eq!(server.backend.state().submitted.len(), MAX_ARRAY);
}

#[tokio::test]
async fn an_array_that_is_not_json_is_refused_whole() {
    let server = Server::start().await;
    for bad in ["[{}", "[{},]", "[{}] x", "[\u{1}]"] {
        assert_eq!(server.post(REQUESTS, bad).await.problem(400)["code"], "invalid_json", "{bad}");
    }
    assert!(server.backend.state().submitted.is_empty());
}

#[tokio::test]
async fn a_body_needs_the_content_type_of_json() {
    let server = Server::start().await;
    for media in ["", "content-type: text/plain\r\n", "content-type: application/jsonx\r\n"] {
        let mut connection = server.connect().await;
        connection
            .send(&format!("POST {REQUESTS} HTTP/1.1\r\nhost: localhost\r\n{media}content-length: 2\r\n\r\n{{}}"))
            .await;
        connection.answer().await.problem(415);
    }
    let plain = post(REQUESTS, "{}").replace("application/json", "Application/JSON; charset=utf-8");
    let mut connection = server.connect().await;
    connection.send(&plain).await;
    connection.answer().await.problem(503);
    assert_eq!(server.backend.state().submitted.len(), 1);
}

#[tokio::test]
async fn an_update_counts_for_the_sender_it_names_and_else_for_the_operator() {
    let server = Server::start().await;
    let operator = SenderHint::Known(Sender::Operator("local".into()));
    let cases = [
        (r#"{"id":"u1","team":"sydney"}"#, SenderHint::InBody),
        (r#"{"client":"acme-llp"}"#, SenderHint::InBody),
        (r#"{"id":"u2","kind":"hold"}"#, operator),
        ("not json", SenderHint::InBody),
    ];
    for (body, sender) in cases {
        let answer = server.post(UPDATES, body).await;
        assert_eq!(answer.json(), serde_json::json!({"outcome": "applied", "task": "acme-llp/req-1"}));
        let (task, bytes, hint) = server.backend.state().updated.pop().unwrap();
        assert_eq!((task.as_str(), &bytes[..], hint), ("acme-llp/req-1", body.as_bytes(), sender));
    }
    server.backend.state().update = UpdateAnswer::Unavailable(Unavailable("another daemon leads: b".into()));
    assert_eq!(server.post(UPDATES, "{}").await.problem(503)["detail"], "another daemon leads: b");
}

#[tokio::test]
async fn a_write_that_has_begun_is_answered_although_the_server_stops() {
    let server = Server::start().await;
    let hold = Arc::new(Notify::new());
    {
        let mut state = server.backend.state();
        state.hold = Some(Arc::clone(&hold));
        state.submit.insert("{}".into(), admitted("acme-llp/1"));
    }
    let mut connection = server.connect().await;
    connection.send(&post(REQUESTS, "{}")).await;
    server.backend.came_in.notified().await;
    server.stop.cancel();
    hold.notify_one();
    assert_eq!(connection.answer().await.status, 201);
    server.ended().await;
}
