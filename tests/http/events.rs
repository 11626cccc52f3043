//! Server-sent events: in order, resumed, reset, ended.

use std::time::Duration;

use heliograph::http::Options;

use super::Server;
use super::client::Connection;

/// A stream whose head has come; HTTP/1.0, so that its bytes come as they are.
async fn open(server: &Server, query: &str, headers: &str) -> Connection {
    let mut stream = server.connect().await;
    stream.send(&format!("GET /api/v1/events{query} HTTP/1.0\r\nhost: localhost\r\n{headers}\r\n")).await;
    let head = stream.head().await;
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "{head:?}");
    stream
}

fn admitted(number: u64) -> [String; 3] {
    ["event: task.admitted".into(), format!("data: {{\"n\":{number}}}"), format!("id: {number}")]
}

fn reset(number: u64) -> [String; 3] {
    ["event: reset".into(), "data: {}".into(), format!("id: {number}")]
}

/// The next event, its lines in alphabetical order but for the name.
async fn next(stream: &mut Connection) -> [String; 3] {
    let mut lines = stream.event().await.expect("there is an event");
    let rank = |line: &String| ["event", "data", "id"].iter().position(|name| line.starts_with(name));
    lines.sort_by_key(rank);
    lines.try_into().expect("an event has a name, data and an id")
}

fn commit(server: &Server, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        server.backend.commit(number, "task.admitted", &format!("{{\"n\":{number}}}"));
    }
}

#[tokio::test]
async fn a_stream_without_a_number_begins_now() {
    let server = Server::start().await;
    commit(&server, 1..=2);
    let mut stream = open(&server, "", "").await;
    commit(&server, 3..=4);
    assert_eq!(next(&mut stream).await, admitted(3));
    assert_eq!(next(&mut stream).await, admitted(4));
}

#[tokio::test]
async fn a_stream_resumes_behind_a_number_and_the_header_comes_before_the_parameter() {
    let server = Server::start().await;
    commit(&server, 1..=5);
    let mut by_parameter = open(&server, "?after=3", "").await;
    assert_eq!(next(&mut by_parameter).await, admitted(4));
    let mut by_header = open(&server, "?after=1", "last-event-id: 4\r\n").await;
    assert_eq!(next(&mut by_header).await, admitted(5));
    commit(&server, [6]);
    assert_eq!(next(&mut by_header).await, admitted(6));
}

#[tokio::test]
async fn a_stream_of_more_than_one_batch_has_no_gap() {
    let server = Server::start().await;
    commit(&server, 1..=450);
    let mut stream = open(&server, "?after=0", "").await;
    for number in 1..=450 {
        assert_eq!(next(&mut stream).await, admitted(number));
    }
}

#[tokio::test]
async fn events_that_are_no_longer_kept_are_said_to_be_missing() {
    let server = Server::start().await;
    commit(&server, 11..=12);
    let mut stream = open(&server, "?after=3", "").await;
    assert_eq!(next(&mut stream).await, reset(10));
    assert_eq!(next(&mut stream).await, admitted(11));
    let mut no_gap = open(&server, "?after=10", "").await;
    assert_eq!(next(&mut no_gap).await, admitted(11));
}

#[tokio::test]
async fn a_number_of_another_store_is_reset_to_the_last_of_this_one() {
    let server = Server::start().await;
    commit(&server, 1..=2);
    let mut stream = open(&server, "?after=900", "").await;
    assert_eq!(next(&mut stream).await, reset(2));
    commit(&server, [3]);
    assert_eq!(next(&mut stream).await, admitted(3));
}

#[tokio::test]
async fn a_purged_event_is_left_out() {
    let server = Server::start().await;
    server.backend.commit(1, "task.admitted", "");
    commit(&server, [2]);
    let mut stream = open(&server, "?after=0", "").await;
    assert_eq!(next(&mut stream).await, admitted(2));
}

#[tokio::test]
async fn a_stream_without_events_shows_that_it_lives() {
    let server = Server::with(Options { heartbeat_every: Duration::from_millis(20), ..Options::default() }).await;
    let mut stream = open(&server, "", "").await;
    for _ in 0..3 {
        assert_eq!(stream.event().await.unwrap(), [": alive"]);
    }
}

#[tokio::test]
async fn a_number_that_is_none_is_refused() {
    let server = Server::start().await;
    assert_eq!(server.get("/api/v1/events?after=-1").await.problem(400)["field"], "after");
    let mut connection = server.connect().await;
    connection.send("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\nlast-event-id: x\r\n\r\n").await;
    assert_eq!(connection.answer().await.problem(400)["field"], "Last-Event-ID");
}

#[tokio::test]
async fn one_stream_too_many_is_told_so_until_one_ends() {
    let server = Server::with(Options { max_event_streams: 1, ..Options::default() }).await;
    commit(&server, [1]);
    let first = open(&server, "", "").await;
    assert_eq!(server.get("/api/v1/events").await.problem(503)["code"], "too_many_event_streams");
    drop(first);
    // The server notices the end when it next reads or writes; each answer in between says 503.
    let opened = tokio::time::timeout(super::LIMIT, async {
        loop {
            let mut stream = server.connect().await;
            stream.send("GET /api/v1/events?after=0 HTTP/1.0\r\nhost: localhost\r\n\r\n").await;
            if stream.head().await.status == 200 {
                return stream;
            }
        }
    });
    assert_eq!(next(&mut opened.await.expect("a place is free again")).await, admitted(1));
}

#[tokio::test]
async fn a_stop_ends_open_streams_and_nothing_more_is_accepted() {
    let server = Server::start().await;
    commit(&server, [1]);
    let mut stream = open(&server, "?after=0", "").await;
    assert_eq!(next(&mut stream).await, admitted(1));
    let at = server.at;
    server.stop.cancel();
    assert_eq!(stream.event().await, None);
    server.ended().await;
    assert!(tokio::net::TcpStream::connect(at).await.is_err());
}
