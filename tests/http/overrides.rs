//! Overrides over HTTP: tried, set, listed, removed.

use heliograph::engine::event::{OverrideWish, Refusal, RefusalCode};
use heliograph::engine::overrides::{Override, OverrideKind};
use heliograph::http::{Consequences, OverrideAnswer};
use serde_json::json;

use super::Server;
use super::client::Answer;
use super::fake::instant;

const PATH: &str = "/api/v1/overrides";

fn body(kind: &str) -> serde_json::Value {
    json!({"team": "sydney", "kind": kind, "until": "2026-11-24T09:00:00Z", "author": "Ann", "reason": "a flood"})
}

async fn delete(server: &Server, path: &str) -> Answer {
    let mut connection = server.connect().await;
    connection.send(&format!("DELETE {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
    connection.answer().await
}

#[tokio::test]
async fn a_preview_sets_nothing_and_says_what_would_happen() {
    let server = Server::start().await;
    let events = [("task.withdrawn".to_owned(), 2)].into();
    let told = Consequences { events, tasks: Vec::new() };
    server.backend.state().overridden = OverrideAnswer::Previewed(Some(told));
    let mut wish = body("close");
    wish["preview"] = true.into();
    let answer = server.post(PATH, &wish.to_string()).await;
    assert_eq!((answer.status, &answer.json()["consequences"]["events"]["task.withdrawn"]), (200, &2.into()));
    assert!(server.backend.state().wishes[0].1);
}

#[tokio::test]
async fn an_override_is_set_with_everything_that_was_said() {
    let server = Server::start().await;
    let mut wish = body("seats");
    wish["seats"] = 4.into();
    let answer = server.post(PATH, &wish.to_string()).await;
    assert_eq!((answer.status, &answer.json()["id"]), (201, &3.into()));
    let (wish, preview) = server.backend.state().wishes[0].clone();
    let OverrideWish::Set(new) = wish else { panic!("{wish:?}") };
    assert_eq!((new.kind, new.author.as_str(), preview), (OverrideKind::Seats { seats: 4 }, "Ann", false));
}

#[tokio::test]
async fn what_cannot_be_an_override_is_refused_with_its_field_and_goes_no_further() {
    let server = Server::start().await;
    for (wish, field) in [(body("juggle"), "kind"), (body("seats"), "seats")] {
        assert_eq!(server.post(PATH, &wish.to_string()).await.problem(422)["field"], field);
    }
    server.post(PATH, "{}").await.problem(422);
    assert!(server.backend.state().wishes.is_empty());
    let refusal = Refusal::of_field(RefusalCode::UnknownTeam, "team", "\"sydney\" is not in the roster");
    server.backend.state().overridden = OverrideAnswer::Refused(refusal);
    assert_eq!(server.post(PATH, &body("close").to_string()).await.problem(422)["code"], "unknown_team");
}

#[tokio::test]
async fn an_override_that_cannot_be_read_is_refused_with_the_field_and_what_was_sent() {
    let server = Server::start().await;
    let with = |field: &str, value: serde_json::Value| {
        let mut wish = body("close");
        wish[field] = value;
        wish
    };
    let mut unsigned = body("close");
    unsigned.as_object_mut().expect("an object").remove("author");
    for (wish, code, field, said) in [
        (with("until", "20:00".into()), "invalid_field", "until", "\"20:00\" cannot be used: give an instant such as"),
        (with("from", 7.into()), "invalid_field", "from", "7 cannot be used"),
        (with("seats", (-2).into()), "invalid_field", "seats", "-2 cannot be used"),
        (with("team", "no/id".into()), "invalid_field", "team", "\"no/id\" cannot be used"),
        (with("untill", "x".into()), "unknown_field", "untill", "there are"),
        (with("", 1.into()), "unknown_field", r#""""#, "there are"),
        (with("\u{202e}k", 1.into()), "unknown_field", r"\u{202e}k", "there are"),
        (with("seats", "\u{202e}".into()), "invalid_field", "seats", r#""\u{202e}" cannot be used: give u32"#),
        (with("reason", json!([7])), "invalid_field", "reason", "a list cannot be used: give a string"),
        (unsigned, "missing_field", "author", "is missing"),
    ] {
        let problem = server.post(PATH, &wish.to_string()).await.problem(422);
        assert_eq!((&problem["code"], &problem["field"]), (&code.into(), &field.into()), "{problem}");
        assert!(problem["detail"].as_str().expect("text").contains(said), "{problem}");
    }
    for wish in [with("preview", "x".repeat(100_000).into()), with(&"k".repeat(100_000), 1.into())] {
        let problem = server.post(PATH, &wish.to_string()).await.problem(422);
        assert!(problem.to_string().len() < 1_000, "{problem:.2000}");
    }
    let positional = r#"["sydney", "close", null, null, "2026-11-24T09:00:00Z", "Ann", "a flood", false]"#;
    let twice = body("close").to_string().replacen('{', r#"{"kind": "open", "#, 1);
    for (sent, code) in
        [(positional, "invalid_json"), ("7", "invalid_json"), ("{", "invalid_json"), (&twice, "duplicate_key")]
    {
        assert_eq!(server.post(PATH, sent).await.problem(400)["code"], code, "{sent}");
    }
    assert!(server.backend.state().wishes.is_empty());
}

#[tokio::test]
async fn overrides_are_listed_and_removed_by_somebody_with_a_reason() {
    let server = Server::start().await;
    let it = Override {
        id: 3,
        team: "sydney".parse().unwrap(),
        kind: OverrideKind::Drain,
        from: instant(),
        until: instant(),
        author: "Ann".into(),
        reason: "a flood".into(),
        set_at: instant(),
        ended_at: None,
    };
    server.backend.state().overrides = vec![it];
    let listed = server.get(PATH).await.json();
    assert_eq!((&listed["overrides"][0]["kind"], &listed["check_index"]), (&"drain".into(), &7.into()));
    assert_eq!(delete(&server, &format!("{PATH}/3?author=Bo")).await.problem(400)["field"], "reason");
    assert_eq!(delete(&server, &format!("{PATH}/3?author=Bo&reason=dry")).await.status, 200);
    let wish = OverrideWish::Remove { id: 3, author: "Bo".into(), reason: "dry".into() };
    assert_eq!(server.backend.state().wishes, [(wish, false)]);
    let unknown = Refusal::of_field(RefusalCode::InvalidField, "id", "no override 9 stands or is to come");
    server.backend.state().overridden = OverrideAnswer::Refused(unknown);
    delete(&server, &format!("{PATH}/9?author=Bo&reason=dry")).await.problem(404);
}
