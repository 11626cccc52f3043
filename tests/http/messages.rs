//! Messages to teams: read, mark as read, wait.

use heliograph::http::Options;
use heliograph::wire::fact::FactSeq;

use super::{LIMIT, Server};

const MESSAGES: &str = "/api/v1/teams/sydney/messages";

fn long_poll(query: &str) -> String {
    format!("GET {MESSAGES}?{query} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

#[tokio::test]
async fn a_message_comes_again_until_it_is_marked_as_read() {
    let server = Server::start().await;
    server.backend.send(7, r#"{"task":"acme-llp/1","payload":{"n":1.0}}"#);
    server.backend.send(9, r#"{"task":"acme-llp/2"}"#);
    for _ in 0..2 {
        let list = server.get(&format!("{MESSAGES}?limit=1")).await.json();
        let expected =
            serde_json::json!([{"seq": 7, "type": "offer", "body": {"task": "acme-llp/1", "payload": {"n": 1.0}}}]);
        assert_eq!((&list["messages"], &list["next"]), (&expected, &7.into()));
    }
    let list = server.get(&format!("{MESSAGES}?after=7")).await.json();
    assert_eq!((&list["messages"][0]["seq"], &list["next"]), (&9.into(), &9.into()));
    assert_eq!(server.backend.state().read, FactSeq(7));
    let list = server.get(&format!("{MESSAGES}?after=9")).await.json();
    assert_eq!(list, serde_json::json!({"messages": [], "next": null}));
}

#[tokio::test]
async fn a_long_poll_wakes_by_a_message() {
    let server = Server::start().await;
    let mut connection = server.connect().await;
    connection.send(&long_poll("wait=30")).await;
    let sender = server.backend.clone();
    let answer = tokio::time::timeout(LIMIT, async {
        let (answer, ()) = tokio::join!(connection.answer(), async move { sender.send(3, "{}") });
        answer
    });
    assert_eq!(answer.await.expect("before its wait ends").json()["next"], 3);
}

#[tokio::test]
async fn a_long_poll_without_messages_ends_empty_when_its_wait_does() {
    let server = Server::start().await;
    let list = server.get(&format!("{MESSAGES}?wait=1")).await.json();
    assert_eq!(list, serde_json::json!({"messages": [], "next": null}));
}

#[tokio::test]
async fn one_long_poll_too_many_is_told_so() {
    let server = Server::with(Options { max_long_polls: 1, ..Options::default() }).await;
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    one.send(&long_poll("wait=30")).await;
    other.send(&long_poll("wait=30")).await;
    let (busy, mut waiting) = tokio::select! {
        answer = one.answer() => (answer, other),
        answer = other.answer() => (answer, one),
    };
    assert_eq!(busy.problem(503)["code"], "too_many_long_polls");
    server.backend.send(1, "{}");
    assert_eq!(waiting.answer().await.json()["next"], 1);
}

#[tokio::test]
async fn a_stop_ends_long_polls_with_what_there_is() {
    let server = Server::with(Options { max_long_polls: 1, ..Options::default() }).await;
    let (mut one, mut other) = (server.connect().await, server.connect().await);
    one.send(&long_poll("wait=30")).await;
    other.send(&long_poll("wait=30")).await;
    // The one that is turned away shows that the other waits.
    let mut waiting = tokio::select! {
        _ = one.answer() => other,
        _ = other.answer() => one,
    };
    server.stop.cancel();
    assert_eq!(waiting.answer().await.json()["messages"], serde_json::json!([]));
    server.ended().await;
}

#[tokio::test]
async fn only_messages_that_were_sent_can_be_marked_as_read() {
    let server = Server::start().await;
    server.backend.send(5, "{}");
    let problem = server.get(&format!("{MESSAGES}?after=6")).await.problem(400);
    assert_eq!(problem["field"], "after");
    assert!(problem["detail"].as_str().unwrap().ends_with("the last is 5"), "{problem}");
    assert_eq!(server.backend.state().read, FactSeq(0));
}

#[tokio::test]
async fn teams_that_are_unknown_or_read_their_queue_are_told_apart() {
    let server = Server::start().await;
    server.get("/api/v1/teams/nobody/messages").await.problem(404);
    let problem = server.get("/api/v1/teams/london/messages").await.problem(409);
    assert_eq!(problem["code"], "reads_its_queue");
    assert_eq!(server.get("/api/v1/teams/Bad!/messages").await.problem(400)["code"], "invalid_id");
    assert_eq!(server.get(&format!("{MESSAGES}?wait=31")).await.problem(400)["field"], "wait");
}
