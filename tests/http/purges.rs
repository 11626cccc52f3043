//! A matter purged over HTTP.

use heliograph::engine::event::{Refusal, RefusalCode};
use heliograph::http::{PurgeAnswer, PurgeOutcome};
use serde_json::json;

use super::Server;

const PATH: &str = "/api/v1/purges";

fn body() -> serde_json::Value {
    json!({"client": "acme-llp", "matter": "M 1", "author": "Ann", "reason": "the client asks for it"})
}

#[tokio::test]
async fn a_purge_that_goes_on_is_accepted_and_one_that_is_done_is_done() {
    let server = Server::start().await;
    let answer = server.post(PATH, &body().to_string()).await;
    assert_eq!((answer.status, &answer.json()["done"]), (200, &true.into()));
    let outcome = PurgeOutcome { fact: Some(9), count: 2, ..PurgeOutcome::default() };
    server.backend.state().purged = PurgeAnswer::Taken(outcome);
    assert_eq!(server.post(PATH, &body().to_string()).await.status, 202);
    let mut dry = body();
    dry["dry_run"] = true.into();
    assert_eq!(server.post(PATH, &dry.to_string()).await.status, 200);
    let asked = server.backend.state().purges.clone();
    assert_eq!((asked[0].matter.as_str(), asked[0].dry_run, asked[2].dry_run), ("M 1", false, true));
}

#[tokio::test]
async fn what_is_no_purge_is_refused_and_goes_no_further() {
    let server = Server::start().await;
    let mut wrong = body();
    wrong["dry-run"] = true.into();
    for wish in [wrong, json!({}), json!({"client": "Acme", "matter": "M", "author": "A", "reason": "b"})] {
        server.post(PATH, &wish.to_string()).await.problem(422);
    }
    let positional = server.post(PATH, r#"["acme-llp", "M 1", "Ann", "the client asks for it", false]"#).await;
    assert_eq!(positional.problem(400)["code"], "invalid_json");
    assert!(server.backend.state().purges.is_empty());
    let refusal = Refusal::of_field(RefusalCode::UnknownTask, "matter", "no such matter");
    server.backend.state().purged = PurgeAnswer::Refused(refusal);
    assert_eq!(server.post(PATH, &body().to_string()).await.problem(404)["field"], "matter");
}
