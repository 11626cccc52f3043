//! What a daemon answers that stands by.

use std::net::SocketAddr;
use std::sync::Arc;

use heliograph::http::{Check, Options, Standby, serve_standby};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::access::{token_of, tokens_of};
use super::client::Answer;
use super::{Connection, LIMIT};

/// A standby that follows, or does not.
#[derive(Clone)]
struct StandsBy {
    follows: bool,
}

impl Standby for StandsBy {
    fn checks(&self) -> Vec<Check> {
        vec![
            Check { name: "store", ok: self.follows, detail: "the state of the store".into() },
            Check { name: "leadership", ok: true, detail: "10.0.0.1:8321 leads".into() },
        ]
    }

    fn is_live(&self) -> bool {
        self.follows
    }

    fn leader(&self) -> String {
        "10.0.0.1:8321 leads".into()
    }

    fn metrics(&self) -> String {
        "heliograph_leader 0\n".into()
    }
}

/// Serves a standby for as long as `ask` runs.
async fn standing_by(follows: bool, options: Options, ask: impl AsyncFnOnce(SocketAddr)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (at, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let served = serve_standby(&listener, StandsBy { follows }, options, stop.clone());
    let asked = async {
        ask(at).await;
        stop.cancel();
    };
    tokio::time::timeout(LIMIT, async { tokio::join!(served, asked) }).await.expect("it ends when it is told to");
}

async fn get(at: SocketAddr, path: &str, headers: &str) -> Answer {
    let mut connection = Connection::open(at).await;
    connection.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
    connection.answer().await
}

#[tokio::test]
async fn a_standby_is_ready_but_not_as_the_active_one_and_names_who_leads() {
    standing_by(true, Options::default(), async |at| {
        let ready = get(at, "/readyz", "").await;
        assert_eq!(
            (ready.status, &ready.json()["role"], &ready.json()["ready"]),
            (200, &"standby".into(), &true.into())
        );
        assert_eq!(get(at, "/readyz?role=active", "").await.status, 503);
        assert_eq!(get(at, "/readyz?role=else", "").await.problem(400)["code"], "invalid_parameter");
        assert_eq!(get(at, "/livez", "").await.status, 200);
        assert_eq!(get(at, "/metrics", "").await.body, "heliograph_leader 0\n");
        for path in ["/api/v1/tasks", "/", "/openapi.json"] {
            let problem = get(at, path, "").await.problem(503);
            assert_eq!(problem["detail"], "this daemon stands by; 10.0.0.1:8321 leads: ask that one", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_standby_that_cannot_follow_is_neither_ready_nor_alive() {
    standing_by(false, Options::default(), async |at| {
        assert_eq!(get(at, "/readyz", "").await.status, 503);
        assert_eq!(get(at, "/livez", "").await.status, 503);
    })
    .await;
}

#[tokio::test]
async fn a_standby_tells_only_those_who_may_read_everything_who_leads() {
    let tokens = watch::Sender::new(Arc::new(tokens_of(&[("read", "read"), ("firm", "read:acme-llp")])));
    let options = Options { tokens: Some(tokens.subscribe()), ..Options::default() };
    standing_by(true, options, async |at| {
        let bearer = |name: &str| format!("authorization: Bearer {}\r\n", token_of(name));
        for (headers, tells) in [(String::new(), false), (bearer("firm"), false), (bearer("read"), true)] {
            let ready = get(at, "/readyz", &headers).await;
            assert_eq!((ready.status, ready.body.contains("10.0.0.1")), (200, tells), "{ready:?}");
            let elsewhere = get(at, "/api/v1/tasks", &headers).await;
            assert_eq!((elsewhere.status, elsewhere.body.contains("10.0.0.1")), (503, tells), "{elsewhere:?}");
        }
        assert_eq!(get(at, "/api/v1/tasks", &bearer("wrong")).await.status, 503);
    })
    .await;
}
