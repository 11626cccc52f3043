//! Bodies over HTTP, on a real socket of a daemon with a store of its own: any bytes have an answer that is no fault of the
//! server, and a whole problem document when they are refused, which says what their parser says.
#![no_main]

mod http_client;
mod plain;

use std::sync::{LazyLock, Mutex};

use heliograph::engine::event::Refusal;
use heliograph::engine::update::Sender;
use heliograph::http::{OverrideRequest, PurgeRequest};
use heliograph::runtime::clock::Clock;
use heliograph::runtime::serve::{RosterSource, Running, ServeOptions, start};
use heliograph::settings;
use heliograph::telemetry::logs::LogCounts;
use heliograph::wire::update::{LOCAL_OPERATOR, SenderHint};
use heliograph::wire::{Rules, request, update};
use libfuzzer_sys::{Corpus, fuzz_target};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::http_client::{Answer, Client};
use self::plain::is_plain;

const JSON: &str = "application/json";
const TOML: &str = "application/toml";

/// What takes a body, and of which type; the first byte of an input says which, counted from `0`. No roster comes into
/// force: it would be another daemon for the inputs after it.
const ROUTES: [(&str, &str); 6] = [
    ("/api/v1/requests", JSON),
    ("/api/v1/tasks/acme%2Fx/updates", JSON),
    ("/api/v1/roster/plan", TOML),
    ("/api/v1/roster/apply?check_index=9000000000", TOML),
    ("/api/v1/overrides", JSON),
    ("/api/v1/purges", JSON),
];

/// A detail quotes what it refuses only in part.
const MAX_DETAIL_BYTES: usize = 2_048;
/// A place in a body, each name of it cut and escaped.
const MAX_FIELD_BYTES: usize = 1_024;

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some((which, body)) = bytes.split_first() else { return Corpus::Reject };
    let Some((route, kind)) = ROUTES.get(usize::from(which.wrapping_sub(b'0'))) else { return Corpus::Reject };
    let answer = CLIENT.lock().expect("the only thread").post(route, kind, body);
    check(route, &answer);
    let refused = refusals(*which, body);
    let says = |refusal: &Refusal| {
        (answer.json["code"].as_str(), answer.json["field"].as_str())
            == (Some(refusal.code.as_str()), refusal.field.as_deref())
    };
    assert!(refused.is_empty() || refused.iter().any(says), "{}, not {refused:?}", answer.json);
    match which {
        b'4' => assert!(answer.status >= 300 || serde_json::from_slice::<OverrideRequest>(body).is_ok()),
        b'5' => assert!(answer.status >= 300 || serde_json::from_slice::<PurgeRequest>(body).is_ok()),
        _ => {}
    }
    Corpus::Keep
});

/// Nothing is a fault of the server, and a no is a problem document in bounds and in plain sight.
fn check(route: &str, answer: &Answer) {
    let Answer { status, kind, json } = answer;
    assert!((200..500).contains(status), "{route} answers {status}: {json}");
    if *status < 400 {
        return;
    }
    assert_eq!(kind, "application/problem+json", "{route} answers {status}");
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    assert_eq!(json["status"], *status);
    assert_eq!(text("type"), format!("urn:heliograph:problem:{}", text("code")));
    assert!(!text("title").is_empty());
    // Faults of a roster are a line each, and a cycle of steps is told whole.
    let is_long = text("code").starts_with("roster_") || text("field") == "steps";
    let most = if is_long { usize::MAX } else { MAX_DETAIL_BYTES };
    assert!(text("detail").split('\n').all(|line| is_plain(line, most)), "{json}");
    assert!(is_plain(json["field"].as_str().unwrap_or("$"), MAX_FIELD_BYTES), "{json}");
}

/// What the parser of a body has against it, for each sender that it may be read for; nothing when one of them may send it.
fn refusals(which: u8, body: &[u8]) -> Vec<Refusal> {
    let rules = Rules::default();
    match which {
        b'0' if !body.trim_ascii_start().starts_with(b"[") => {
            request::parse(body, &rules).err().map(|refused| refused.refusal).into_iter().collect()
        }
        b'1' => {
            let local = SenderHint::Known(Sender::Operator(LOCAL_OPERATOR.into()));
            let read = [SenderHint::InBody, local].map(|hint| update::parse(body, &hint, &rules));
            let refused = read.into_iter().map(|read| read.err().map(|refused| refused.refusal));
            refused.collect::<Option<_>>().unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// The connection to the one daemon of this process.
static CLIENT: LazyLock<Mutex<Client>> = LazyLock::new(|| Mutex::new(Client::of(DAEMON.1.address)));

static DAEMON: LazyLock<(Runtime, Running, TempDir)> = LazyLock::new(|| {
    let folder = TempDir::new().expect("a folder");
    let roster = folder.path().join("roster.toml");
    std::fs::write(&roster, include_str!("../../config/roster.toml")).expect("a roster");
    let store = folder.path().join("heliograph.db").display().to_string();
    let given = [("STORE__PATH", &*store), ("HTTP__LISTEN", "127.0.0.1:0"), ("HTTP__REQUESTS_PER_SECOND", "100000")];
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
