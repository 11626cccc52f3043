//! The daemon over HTTP, on real sockets, against a backend in memory.

#[path = "http/access.rs"]
mod access;
#[path = "http/client.rs"]
mod client;
#[path = "http/documents.rs"]
mod documents;
#[path = "http/events.rs"]
mod events;
#[path = "http/fake.rs"]
mod fake;
#[path = "http/limits.rs"]
mod limits;
#[path = "http/messages.rs"]
mod messages;
#[path = "http/overrides.rs"]
mod overrides;
#[path = "http/processes.rs"]
mod processes;
#[path = "http/purges.rs"]
mod purges;
#[path = "http/reads.rs"]
mod reads;
#[path = "http/roster.rs"]
mod roster;
#[path = "http/standby.rs"]
mod standby;
#[path = "http/writes.rs"]
mod writes;

use std::net::SocketAddr;
use std::time::Duration;

use heliograph::http::{Options, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use client::{Answer, Connection};
use fake::Fake;

/// What takes longer than this has failed.
const LIMIT: Duration = Duration::from_secs(20);

/// A server and the backend behind it.
struct Server {
    at: SocketAddr,
    backend: Fake,
    stop: CancellationToken,
    served: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (backend, stop) = (Fake::default(), CancellationToken::new());
        let served = tokio::spawn(serve(listener, backend.clone(), options, stop.clone()));
        Self { at, backend, stop, served }
    }

    async fn connect(&self) -> Connection {
        Connection::open(self.at).await
    }

    async fn get(&self, path: &str) -> Answer {
        let mut connection = self.connect().await;
        connection.send(&format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
        connection.answer().await
    }

    async fn post(&self, path: &str, body: &str) -> Answer {
        let mut connection = self.connect().await;
        connection.send(&post(path, body)).await;
        connection.answer().await
    }

    async fn ended(self) {
        tokio::time::timeout(LIMIT, self.served).await.expect("the server stops").unwrap();
    }
}

fn post(path: &str, body: &str) -> String {
    post_as("application/json", path, body)
}

fn post_as(media: &str, path: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}
