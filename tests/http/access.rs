//! Who may call what: every address with every role, and what each role sees there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use heliograph::engine::effect::WorkMessage;
use heliograph::engine::id::TeamId;
use heliograph::engine::update::Sender;
use heliograph::http::{MAX_WRONG_TOKENS, Method, Operation, Options, ROUTES, Route, SubmitAnswer};
use heliograph::settings::tokens::{self, TokenName, Tokens};
use heliograph::wire::update::SenderHint;
use tokio::sync::watch;

use super::client::Answer;
use super::fake::{report, task, task_id};
use super::{Connection, Server};

const REQUEST: &str = r#"{"id":"req-9","client":"acme-llp"}"#;
const OVERRIDE: &str =
    r#"{"team":"sydney","kind":"close","until":"2026-11-24T00:00:00Z","author":"Mallory","reason":"flood"}"#;
const PURGE: &str = r#"{"client":"acme-llp","matter":"M-1","author":"Mallory","reason":"asked"}"#;

/// The callers of the table, each with its roles; the first two have no token and a wrong one.
const CALLERS: [(&str, &str); 11] = [
    ("nobody", ""),
    ("wrong", ""),
    ("read", "read"),
    ("read-own", "read:acme-llp"),
    ("read-other", "read:thames-llp"),
    ("submit", "submit:acme-llp"),
    ("team-own", "team:sydney"),
    ("team-other", "team:london"),
    ("both", "team:sydney,team:london,submit:acme-llp,read:acme-llp"),
    ("operate", "operate"),
    ("admin", "admin"),
];

pub fn token_of(caller: &str) -> String {
    format!("hgt_{caller}")
}

/// The tokens of these callers.
pub fn tokens_of(callers: &[(&str, &str)]) -> Tokens {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let line = |(name, roles): &(&str, &str)| {
        let roles: Vec<_> = roles.split(',').map(|role| role.parse().unwrap()).collect();
        tokens::line(&name.parse::<TokenName>().unwrap(), &roles, &token_of(name))
    };
    let lines: Vec<_> = callers.iter().filter(|(_, roles)| !roles.is_empty()).map(line).collect();
    write(&path, &lines.join("\n"));
    tokens::read(&path).unwrap()
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A server that knows the callers of the table, with a task that sydney has, one of another client, and a process.
async fn server() -> (Server, watch::Sender<Arc<Tokens>>) {
    let in_force = watch::Sender::new(Arc::new(tokens_of(&CALLERS)));
    let server = Server::with(Options { tokens: Some(in_force.subscribe()), ..Options::default() }).await;
    server.backend.has(task("acme-llp/req-1", 1));
    server.backend.has(task("thames-llp/req-2", 2));
    let mut state = server.backend.state();
    state.processes = vec![report("acme-llp/p-1", 3), report("thames-llp/p-2", 6)];
    let admitted = SubmitAnswer::Admitted { task: task_id("acme-llp/req-9"), state: "waiting", team: None };
    state.submit.insert(REQUEST.into(), admitted);
    drop(state);
    (server, in_force)
}

/// What is sent to a route about the task, the process and the team of the table.
fn request(route: &Route, headers: &str) -> String {
    let path = match route.operation {
        Operation::Process | Operation::ProcessHistory => route.path.replace("{id}", "acme-llp%2Fp-1"),
        Operation::Messages => route.path.replace("{id}", "sydney"),
        Operation::RemoveOverride => route.path.replace("{id}", "3") + "?author=Mallory&reason=over",
        Operation::Costs => route.path.to_owned() + "?from=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z",
        Operation::ApplyRoster => route.path.to_owned() + "?check_index=1",
        Operation::Schema => route.path.replace("{kind}", "request"),
        _ => route.path.replace("{id}", "acme-llp%2Freq-1"),
    };
    let (media, body) = match route.operation {
        Operation::Submit => ("application/json", REQUEST),
        Operation::Update => ("application/json", r#"{"id":"u-1","task":"acme-llp/req-1","kind":"accept"}"#),
        Operation::SetOverride => ("application/json", OVERRIDE),
        Operation::Purge => ("application/json", PURGE),
        Operation::PlanRoster | Operation::ApplyRoster => ("application/toml", "[calendars]"),
        _ => ("", ""),
    };
    let method = route.method.as_str().to_uppercase();
    let typed = if route.method == Method::Post { format!("content-type: {media}\r\n") } else { String::new() };
    let length = body.len();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{typed}content-length: {length}\r\n\r\n{body}")
}

fn bearer(caller: &str) -> String {
    if caller == "nobody" { String::new() } else { format!("authorization: Bearer {}\r\n", token_of(caller)) }
}

async fn head_of(server: &Server, text: &str) -> Answer {
    let mut connection: Connection = server.connect().await;
    connection.send(text).await;
    connection.head().await
}

async fn get_as(server: &Server, caller: &str, path: &str) -> Answer {
    send_as(server, caller, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n"), "").await
}

async fn post_as(server: &Server, caller: &str, path: &str, body: &str) -> Answer {
    let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n");
    send_as(server, caller, &head, body).await
}

async fn send_as(server: &Server, caller: &str, head: &str, body: &str) -> Answer {
    let mut connection = server.connect().await;
    let headers = bearer(caller);
    connection.send(&format!("{head}{headers}content-length: {}\r\n\r\n{body}", body.len())).await;
    connection.answer().await
}

/// 503 is the answer of a backend that has no roster to show: the caller was let in. An update of a task that the team has
/// not is the engine's to refuse; `both` speaks for several and does not say for which.
#[tokio::test]
async fn every_route_lets_in_the_roles_of_the_table_and_no_other() {
    let (server, _in_force) = server().await;
    let mut table = String::new();
    for route in &ROUTES {
        let mut row = format!("{:<15}", route.operation.as_str());
        for (caller, _) in CALLERS {
            let answer = head_of(&server, &request(route, &bearer(caller))).await;
            row += &format!(" {}", answer.status);
            let asks = answer.header("www-authenticate") == Some("Bearer realm=\"heliograph\"");
            assert_eq!(asks, answer.status == 401, "{row}");
        }
        table += &(row + "\n");
    }
    // nobody, wrong, read, read-own, read-other, submit, team-own, team-other, both, operate, admin
    insta::assert_snapshot!(table, @r"
    submit          401 401 403 403 403 201 403 403 201 403 403
    tasks           401 401 200 200 200 403 200 200 200 200 200
    task            401 401 200 200 404 403 200 404 200 200 200
    explanation     401 401 200 200 404 403 403 403 200 200 200
    history         401 401 200 200 404 403 200 404 200 200 200
    processes       401 401 200 200 200 403 403 403 200 200 200
    process         401 401 200 200 404 403 403 403 200 200 200
    process_history 401 401 200 200 404 403 403 403 200 200 200
    update          401 401 403 403 403 200 200 200 403 200 200
    teams           401 401 200 403 403 403 200 200 200 200 200
    messages        401 401 403 403 403 403 200 404 200 403 403
    plan_roster     401 401 403 403 403 403 403 403 403 503 503
    apply_roster    401 401 403 403 403 403 403 403 403 503 503
    coverage        401 401 200 403 403 403 403 403 403 200 200
    forecast        401 401 200 403 403 403 403 403 403 200 200
    costs           401 401 200 200 200 403 403 403 200 200 200
    overrides       401 401 200 403 403 403 403 403 403 200 200
    set_override    401 401 403 403 403 403 403 403 403 201 201
    remove_override 401 401 403 403 403 403 403 403 403 200 200
    purge           401 401 403 403 403 403 403 403 403 403 200
    events          401 401 200 200 200 403 200 200 200 200 200
    audit           401 401 200 403 403 403 403 403 403 200 200
    metrics         200 200 200 200 200 200 200 200 200 200 200
    live            200 200 200 200 200 200 200 200 200 200 200
    ready           200 200 200 200 200 200 200 200 200 200 200
    schema          200 200 200 200 200 200 200 200 200 200 200
    openapi         200 200 200 200 200 200 200 200 200 200 200
    index           200 200 200 200 200 200 200 200 200 200 200
    ");
}

#[tokio::test]
async fn without_tokens_everybody_may_do_everything() {
    let server = Server::start().await;
    server.backend.has(task("acme-llp/req-1", 1));
    for route in ROUTES.iter().filter(|route| !route.roles.is_empty()) {
        let status = head_of(&server, &request(route, "")).await.status;
        assert!(![401, 403].contains(&status), "{}: {status}", route.operation.as_str());
    }
}

#[tokio::test]
async fn a_token_counts_in_the_bearer_header_alone() {
    let (server, _in_force) = server().await;
    let get = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    for good in ["authorization: Bearer hgt_read\r\n", "Authorization: bearer hgt_read\r\n"] {
        assert_eq!(head_of(&server, &get("/api/v1/tasks", good)).await.status, 200, "{good}");
    }
    for bad in [
        "cookie: token=hgt_read\r\n",
        "x-api-key: hgt_read\r\n",
        "authorization: Basic aGd0X3JlYWQ6\r\n",
        "authorization: Bearer\r\n",
        "authorization: Bearer hgt_reads\r\n",
        "authorization: Bearer HGT_READ\r\n",
        "authorization: hgt_read\r\n",
        "authorization: Bearer hgt_read\r\nauthorization: Bearer hgt_read\r\n",
    ] {
        assert_eq!(head_of(&server, &get("/api/v1/tasks", bad)).await.status, 401, "{bad}");
    }
    assert_eq!(head_of(&server, &get("/api/v1/tasks?token=hgt_read", "")).await.status, 401);
}

fn ids(answer: &Answer, list: &str) -> Vec<String> {
    let entries = answer.json()[list].as_array().unwrap().clone();
    entries.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_caller_sees_its_own_tasks_and_processes_and_others_are_unknown() {
    let (server, _in_force) = server().await;
    for (caller, tasks, processes) in [
        ("read", vec!["acme-llp/req-1", "thames-llp/req-2"], vec!["acme-llp/p-1", "thames-llp/p-2"]),
        ("operate", vec!["acme-llp/req-1", "thames-llp/req-2"], vec!["acme-llp/p-1", "thames-llp/p-2"]),
        ("read-own", vec!["acme-llp/req-1"], vec!["acme-llp/p-1"]),
        ("read-other", vec!["thames-llp/req-2"], vec!["thames-llp/p-2"]),
        ("team-own", vec!["acme-llp/req-1", "thames-llp/req-2"], vec![]),
        ("team-other", vec![], vec![]),
    ] {
        assert_eq!(ids(&get_as(&server, caller, "/api/v1/tasks").await, "tasks"), tasks, "{caller}");
        if !processes.is_empty() {
            assert_eq!(ids(&get_as(&server, caller, "/api/v1/processes").await, "processes"), processes, "{caller}");
        }
    }
    // The store is asked for no more than the one client or team.
    let asked = server.backend.state().asked.last().cloned().unwrap();
    assert_eq!(asked.team, Some(TeamId::new("london").unwrap()));
    let others = "/api/v1/tasks?client=thames-llp";
    assert_eq!(ids(&get_as(&server, "read-own", others).await, "tasks"), Vec::<String>::new());
    for (caller, path) in [
        ("read-own", "/api/v1/tasks/thames-llp%2Freq-2"),
        ("read-own", "/api/v1/tasks/thames-llp%2Freq-2/history"),
        ("read-own", "/api/v1/tasks/thames-llp%2Freq-2/explanation"),
        ("read-own", "/api/v1/processes/thames-llp%2Fp-2"),
        ("team-other", "/api/v1/tasks/acme-llp%2Freq-1"),
        ("team-own", "/api/v1/tasks/acme-llp%2Fp-1"),
        ("team-other", "/api/v1/teams/sydney/messages"),
    ] {
        let unknown = get_as(&server, caller, path).await.problem(404);
        let nothing =
            path.replace("req-2", "req-0").replace("req-1", "req-0").replace("p-", "p-0").replace("sydney", "nowhere");
        let none = get_as(&server, caller, &nothing).await.problem(404);
        assert_eq!(unknown["code"], none["code"], "{caller} {path}");
        assert!(!unknown["detail"].as_str().unwrap().contains("process,"), "{unknown}");
    }
}

#[tokio::test]
async fn a_wall_hides_what_a_team_had_from_it_and_from_nobody_else() {
    let (server, _in_force) = server().await;
    server.backend.state().walled = vec![TeamId::new("sydney").unwrap()];
    get_as(&server, "team-own", "/api/v1/tasks/acme-llp%2Freq-1").await.problem(404);
    assert_eq!(ids(&get_as(&server, "team-own", "/api/v1/tasks").await, "tasks"), Vec::<String>::new());
    assert_eq!(get_as(&server, "read-own", "/api/v1/tasks/acme-llp%2Freq-1").await.status, 200);
}

#[tokio::test]
async fn a_team_sees_of_a_history_only_what_is_about_itself_and_of_the_teams_only_itself() {
    let (server, _in_force) = server().await;
    server.backend.commit(1, "task.offered", "{}");
    server.backend.commit(2, "task.offered", "{}");
    server.backend.state().facts[0].team = Some(TeamId::new("london").unwrap());
    let seqs = |answer: &Answer| -> Vec<u64> {
        answer.json()["facts"].as_array().unwrap().iter().map(|it| it["seq"].as_u64().unwrap()).collect()
    };
    let history = "/api/v1/tasks/acme-llp%2Freq-1/history";
    assert_eq!(seqs(&get_as(&server, "team-own", history).await), [2]);
    assert_eq!(seqs(&get_as(&server, "read-own", history).await), [1, 2]);
    // A page of what it may not see leads on to the next.
    let first = get_as(&server, "team-own", &format!("{history}?limit=1")).await;
    assert_eq!((seqs(&first), first.json()["next"].as_u64()), (vec![], Some(1)));
    assert_eq!(ids(&get_as(&server, "team-own", "/api/v1/teams").await, "teams"), ["sydney"]);
    assert_eq!(ids(&get_as(&server, "team-other", "/api/v1/teams").await, "teams"), Vec::<String>::new());
}

#[tokio::test]
async fn a_client_sees_its_own_costs_and_no_teams() {
    let (server, _in_force) = server().await;
    let costs = "/api/v1/costs?from=2026-11-01T00:00:00Z&until=2026-12-01T00:00:00Z";
    let of = |answer: &Answer| answer.json()["costs"].as_array().unwrap().len();
    assert_eq!(of(&get_as(&server, "read-own", costs).await), 1);
    assert_eq!(of(&get_as(&server, "read-other", costs).await), 0);
    get_as(&server, "read-own", &format!("{costs}&by=team")).await.problem(403);
    assert_eq!(of(&get_as(&server, "read", &format!("{costs}&by=team")).await), 1);
}

#[tokio::test]
async fn a_stream_of_events_has_only_what_its_caller_may_see() {
    let (server, _in_force) = server().await;
    for seq in 1..=4 {
        server.backend.commit(seq, "task.offered", r#"{"n":1}"#);
    }
    let (client, team) = ("acme-llp".parse().unwrap(), TeamId::new("sydney").unwrap());
    {
        let mut state = server.backend.state();
        for (fact, client) in
            state.facts.iter_mut().zip([None, Some(client), Some("thames-llp".parse().unwrap()), None])
        {
            fact.client = client;
        }
        // The third is a message to sydney, the others only tell of it.
        state.facts[2].team = Some(team);
        state.facts[2].matter = "M-1".parse().ok();
        state.facts[2].addressed = Some(WorkMessage::Offer);
    }
    for (caller, seen) in [
        ("read", vec!["1", "2", "3", "4"]),
        ("read-own", vec!["2"]),
        ("read-other", vec!["3"]),
        ("team-own", vec!["3"]),
    ] {
        let mut stream = server.connect().await;
        let headers = bearer(caller);
        stream.send(&format!("GET /api/v1/events?after=0 HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
        assert_eq!(stream.head().await.status, 200);
        for id in seen {
            let event = stream.event().await.unwrap();
            assert!(event.iter().any(|line| *line == format!("id: {id}")), "{caller} {id}: {event:?}");
        }
    }
}

#[tokio::test]
async fn a_stream_ends_when_its_token_is_taken_away_or_changed() {
    let (server, in_force) = server().await;
    let mut streams = Vec::new();
    for caller in ["read", "operate", "admin"] {
        let mut stream = server.connect().await;
        let headers = bearer(caller) + "connection: close\r\n";
        stream.send(&format!("GET /api/v1/events HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n")).await;
        assert_eq!(stream.head().await.status, 200);
        streams.push(stream);
    }
    in_force.send_replace(Arc::new(tokens_of(&[("operate", "read"), ("admin", "admin")])));
    while streams[0].line().await.is_some() {}
    while streams[1].line().await.is_some() {}
    server.backend.commit(1, "roster.changed", "{}");
    assert!(streams[2].event().await.unwrap().contains(&"id: 1".to_owned()));
    assert_eq!(get_as(&server, "read", "/api/v1/tasks").await.status, 401);
    assert_eq!(get_as(&server, "operate", "/api/v1/overrides").await.status, 200);
}

#[tokio::test]
async fn the_name_of_the_token_is_the_author_whatever_the_caller_writes() {
    let (server, _in_force) = server().await;
    assert_eq!(post_as(&server, "operate", "/api/v1/overrides", OVERRIDE).await.status, 201);
    let anonymous = OVERRIDE.replace(r#""author":"Mallory","#, "");
    assert_eq!(post_as(&server, "admin", "/api/v1/overrides", &anonymous).await.status, 201);
    let remove = "DELETE /api/v1/overrides/3?reason=over HTTP/1.1\r\nhost: localhost\r\n";
    assert_eq!(send_as(&server, "operate", remove, "").await.status, 200);
    assert_eq!(post_as(&server, "admin", "/api/v1/purges", PURGE).await.status, 200);
    let state = server.backend.state();
    let wishes = format!("{:?}", state.wishes);
    assert!(!wishes.contains("Mallory"), "{wishes}");
    assert_eq!((wishes.matches("\"operate\"").count(), wishes.matches("\"admin\"").count()), (2, 1), "{wishes}");
    assert_eq!(state.purges[0].author.as_deref(), Some("admin"));
}

#[tokio::test]
async fn requests_are_of_the_clients_that_the_token_speaks_for() {
    let (server, _in_force) = server().await;
    assert_eq!(post_as(&server, "submit", "/api/v1/requests", REQUEST).await.status, 201);
    assert_eq!(post_as(&server, "both", "/api/v1/requests", &format!("[{REQUEST}]")).await.status, 200);
    let own = Some(vec!["acme-llp".to_owned()]);
    assert_eq!(server.backend.state().submitters, [own.clone(), own]);
}

#[tokio::test]
async fn an_update_counts_for_whom_the_token_speaks_and_for_no_other() {
    let (server, _in_force) = server().await;
    let updates = "/api/v1/tasks/acme-llp%2Freq-1/updates";
    let (team, client) = (TeamId::new("sydney").unwrap(), "acme-llp".parse().unwrap());
    let operator = Sender::Operator("operate".into());
    for (caller, names, sender) in [
        ("team-own", "", Some(Sender::Team(team.clone()))),
        ("team-own", r#","team":"sydney""#, Some(Sender::Team(team.clone()))),
        ("team-own", r#","team":"london""#, None),
        ("team-own", r#","client":"acme-llp""#, None),
        ("submit", "", Some(Sender::Client(client))),
        ("submit", r#","client":"thames-llp""#, None),
        ("operate", "", Some(operator)),
        ("operate", r#","team":"sydney""#, None),
        ("admin", r#","client":"acme-llp""#, None),
        ("both", r#","team":"sydney""#, Some(Sender::Team(team))),
        ("both", "", None),
    ] {
        let body = format!(r#"{{"id":"u-1","task":"acme-llp/req-1","kind":"resume"{names}}}"#);
        let answer = post_as(&server, caller, updates, &body).await;
        let known = server.backend.state().updated.pop().map(|(_, _, hint)| hint);
        assert_eq!(known, sender.map(SenderHint::Known), "{caller} {names}: {answer:?}");
        if known.is_none() {
            assert_eq!(answer.problem(403)["code"], "identity", "{caller} {names}");
        }
    }
}

#[tokio::test]
async fn details_of_readiness_are_for_those_who_may_read() {
    let (server, _in_force) = server().await;
    for (caller, detail) in [("nobody", ""), ("wrong", ""), ("team-own", ""), ("read", "open"), ("admin", "open")] {
        let ready = get_as(&server, caller, "/readyz").await;
        assert_eq!((ready.status, &ready.json()["checks"][0]["detail"]), (200, &detail.into()), "{caller}");
    }
}

#[tokio::test]
async fn wrong_tokens_past_the_limit_wait_and_right_ones_do_not() {
    let (server, _in_force) = server().await;
    for _ in 0..MAX_WRONG_TOKENS {
        assert_eq!(get_as(&server, "wrong", "/api/v1/tasks").await.status, 401);
    }
    let late = get_as(&server, "wrong", "/api/v1/tasks").await;
    assert_eq!((late.problem(429)["code"].as_str(), late.header("retry-after")), (Some("too_often"), Some("1")));
    assert!(!late.body.contains("hgt_"));
    assert_eq!(get_as(&server, "read", "/api/v1/tasks").await.status, 200);
    assert_eq!(get_as(&server, "nobody", "/livez").await.status, 200);
}

#[tokio::test]
async fn a_token_that_is_used_too_often_waits_and_others_do_not() {
    let in_force = watch::Sender::new(Arc::new(tokens_of(&CALLERS)));
    let options = Options { tokens: Some(in_force.subscribe()), requests_per_second: 1, ..Options::default() };
    let server = Server::with(options).await;
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(get_as(&server, "read", "/api/v1/tasks").await.status);
    }
    assert!(statuses[0] == 200 && statuses.contains(&429), "{statuses:?}");
    assert_eq!(get_as(&server, "admin", "/api/v1/tasks").await.status, 200);
    let mut open = Vec::new();
    for _ in 0..20 {
        open.push(get_as(&server, "nobody", "/livez").await.status);
    }
    assert!(open.contains(&429), "{open:?}");
}
