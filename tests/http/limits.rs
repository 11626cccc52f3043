//! What callers can take, and what they are told at the limit.

use std::sync::Arc;
use std::time::Duration;

use heliograph::http::{Options, ROUTES};
use tokio::sync::Notify;

use super::{Server, post};

const REQUESTS: &str = "/api/v1/requests";

async fn with_host(server: &Server, host: &str) -> super::Answer {
    let mut connection = server.connect().await;
    connection.send(&format!("GET /livez HTTP/1.1\r\n{host}\r\n")).await;
    connection.answer().await
}

#[tokio::test]
async fn only_loopback_and_configured_hosts_are_answered() {
    let server = Server::with(Options { hosts: vec!["helio.example".into()], ..Options::default() }).await;
    for good in ["localhost:8321", "127.0.0.1", "[::1]:8321", "Helio.Example:443"] {
        assert_eq!(with_host(&server, &format!("host: {good}\r\n")).await.status, 200, "{good}");
    }
    for bad in ["host: evil.example\r\n", "host: localhost.evil.example\r\n", "", "host: localhost\r\nhost: evil\r\n"] {
        assert_eq!(with_host(&server, bad).await.problem(421)["code"], "wrong_host", "{bad}");
    }
}

#[tokio::test]
async fn a_page_of_another_host_may_not_call_and_gets_no_leave_beforehand() {
    let server = Server::with(Options { hosts: vec!["helio.example".into()], ..Options::default() }).await;
    for good in ["http://localhost:8321", "https://helio.example", "http://127.0.0.1"] {
        assert_eq!(with_host(&server, &format!("host: localhost\r\norigin: {good}\r\n")).await.status, 200, "{good}");
    }
    for bad in
        ["http://evil.example", "null", "https://helio.example.evil.example", "http://localhost\r\norigin: http://evil"]
    {
        let answer = with_host(&server, &format!("host: localhost\r\norigin: {bad}\r\n")).await;
        assert_eq!(answer.problem(403)["code"], "wrong_origin", "{bad}");
    }
    let mut preflight = server.connect().await;
    let head = "host: localhost\r\norigin: http://localhost\r\naccess-control-request-method: DELETE\r\n";
    preflight.send(&format!("OPTIONS /api/v1/overrides/3 HTTP/1.1\r\n{head}\r\n")).await;
    let answer = preflight.answer().await;
    assert_eq!((answer.status, answer.header("access-control-allow-methods")), (405, None));
    let mut plain = server.connect().await;
    plain.send(&super::post_as("text/plain", "/api/v1/overrides", "{}")).await;
    assert_eq!(plain.answer().await.problem(415)["code"], "wrong_content_type");
}

#[tokio::test]
async fn every_answer_keeps_browsers_strict_and_none_allows_other_origins() {
    let server = Server::start().await;
    for path in ["/", "/livez", "/nowhere", "/api/v1/tasks?limit=0"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_and_without_its_length() {
    let server = Server::with(Options { max_body_bytes: 100, ..Options::default() }).await;
    server.post(REQUESTS, &" ".repeat(100)).await.problem(503);
    let problem = server.post(REQUESTS, &" ".repeat(101)).await.problem(413);
    assert_eq!(problem["code"], "too_large");
    let mut chunked = server.connect().await;
    let head = "content-type: application/json\r\ntransfer-encoding: chunked\r\n";
    let chunk = format!("3c\r\n{}\r\n", " ".repeat(60));
    chunked.send(&format!("POST {REQUESTS} HTTP/1.1\r\nhost: localhost\r\n{head}\r\n{chunk}{chunk}0\r\n\r\n")).await;
    assert_eq!(chunked.answer().await.problem(413)["code"], "too_large");
    assert_eq!(server.backend.state().submitted.len(), 1);
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let server = Server::with(Options { headers_within: Duration::from_millis(50), ..Options::default() }).await;
    let mut slow = server.connect().await;
    slow.send("GET /livez HTTP/1.1\r\nhost: local").await;
    while slow.line().await.is_some() {}
    assert_eq!(server.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_problem() {
    let server = Server::with(Options { body_within: Duration::from_millis(50), ..Options::default() }).await;
    let mut slow = server.connect().await;
    slow.send(post(REQUESTS, "{}").strip_suffix('}').unwrap()).await;
    assert_eq!(slow.answer().await.problem(408)["code"], "body_too_slow");
    assert!(server.backend.state().submitted.is_empty());
}

#[tokio::test]
async fn one_connection_too_many_is_told_so_and_closed() {
    let server = Server::with(Options { max_connections: 1, ..Options::default() }).await;
    let mut first = server.connect().await;
    first.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(first.answer().await.status, 200);
    let mut second = server.connect().await;
    second.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    let busy = second.answer().await;
    assert_eq!(busy.problem(503)["code"], "too_many_connections");
    assert_eq!((busy.header("connection"), busy.header("retry-after")), (Some("close"), Some("1")));
    assert_eq!(second.line().await, None);
    first.send("GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert_eq!(first.answer().await.status, 200);
}

#[tokio::test]
async fn one_body_too_many_is_told_so() {
    let server = Server::with(Options { max_bodies: 1, ..Options::default() }).await;
    let hold = Arc::new(Notify::new());
    server.backend.state().hold = Some(Arc::clone(&hold));
    let mut first = server.connect().await;
    first.send(&post(REQUESTS, "{}")).await;
    server.backend.came_in.notified().await;
    assert_eq!(server.post(REQUESTS, "{}").await.problem(503)["code"], "too_many_bodies");
    hold.notify_one();
    first.answer().await.problem(503);
    assert_eq!(server.backend.state().submitted.len(), 1);
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_its_limit() {
    let server = Server::with(Options { stop_within: Duration::from_millis(50), ..Options::default() }).await;
    server.backend.state().hold = Some(Arc::default());
    let mut never = server.connect().await;
    never.send(&post(REQUESTS, "{}")).await;
    server.backend.came_in.notified().await;
    server.stop.cancel();
    server.ended().await;
    assert_eq!(never.line().await, None);
}

#[tokio::test]
async fn a_wrong_method_is_told_which_are_right() {
    let server = Server::start().await;
    for route in &ROUTES {
        let path = route.path.replace("{id}", "acme-llp%2F1");
        let mut connection = server.connect().await;
        connection.send(&format!("PATCH {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        let answer = connection.answer().await;
        assert_eq!(answer.problem(405)["code"], "wrong_method", "{path}");
        let allowed = answer.header("allow").unwrap().to_lowercase();
        assert!(allowed.split(',').any(|method| method == route.method.as_str()), "{path}: {allowed}");
    }
}
