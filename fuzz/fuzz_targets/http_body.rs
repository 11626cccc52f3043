//! Bodies over HTTP, on a real socket of a daemon with a store of its own: any bytes have an answer that is no fault of the
//! server, and a problem document when they are refused.
#![no_main]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::OnceLock;

use heliograph::runtime::clock::Clock;
use heliograph::runtime::serve::{RosterSource, Running, ServeOptions, start};
use heliograph::settings;
use heliograph::telemetry::logs::LogCounts;
use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// What takes a body; the first byte of an input says which, counted from `0`.
const ROUTES: [&str; 6] = [
    "/api/v1/requests",
    "/api/v1/tasks/acme%2Fx/updates",
    "/api/v1/roster/plan",
    "/api/v1/roster/apply",
    "/api/v1/overrides",
    "/api/v1/purges",
];

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((which, body)) = bytes.split_first() else { return Corpus::Reject };
    let Some(route) = ROUTES.get(usize::from(which.wrapping_sub(b'0'))) else { return Corpus::Reject };
    let (status, kind) = post(route, body);
    assert!((200..500).contains(&status), "{route} answers {status}");
    assert!(status < 400 || kind == "application/problem+json", "{route} answers {status} with {kind}");
    Corpus::Keep
});

/// The status and the type of an answer.
fn post(route: &str, body: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(server()).expect("it listens");
    let head = format!(
        "POST {route} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("it reads");
    // One that refuses by the length alone need not read the body.
    let _ = stream.write_all(body);
    let mut answer = BufReader::new(stream);
    let (mut status, mut kind, mut line) = (0, String::new(), String::new());
    while answer.read_line(&mut line).is_ok_and(|read| read > 2) {
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest[..3].parse().expect("a status");
        } else if let Some(rest) = line.strip_prefix("content-type: ") {
            kind = rest.trim().to_owned();
        }
        line.clear();
    }
    // A server that closes with bytes of ours unread resets the connection.
    let _ = answer.read_to_end(&mut Vec::new());
    (status, kind)
}

/// Where the one daemon of this process listens.
fn server() -> SocketAddr {
    static DAEMON: OnceLock<(Runtime, Running, TempDir)> = OnceLock::new();
    let (_, running, _) = DAEMON.get_or_init(|| {
        let folder = TempDir::new().expect("a folder");
        let roster = folder.path().join("roster.toml");
        std::fs::write(&roster, include_str!("../../config/roster.toml")).expect("a roster");
        let store = folder.path().join("heliograph.db").display().to_string();
        let given =
            [("STORE__PATH", &*store), ("HTTP__LISTEN", "127.0.0.1:0"), ("HTTP__REQUESTS_PER_SECOND", "100000")];
        let given = given.map(|(name, value)| (format!("HELIOGRAPH__{name}"), value.to_owned()));
        let options = ServeOptions {
            settings: settings::load(None, given).expect("settings"),
            roster: RosterSource::Path(roster),
            restored: false,
            clock: Clock::real(),
            logs: LogCounts::default(),
        };
        let runtime = Runtime::new().expect("a runtime");
        let running = runtime.block_on(start(options, |_| Ok(()), std::future::pending()));
        (runtime, running.expect("it starts").expect("nobody stops it"), folder)
    });
    running.address
}
