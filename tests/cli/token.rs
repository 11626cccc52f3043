//! `token`, and the token that other commands call with.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use heliograph::settings::tokens::{self, Role};

use crate::fake::Fake;
use crate::program::{Files, command, ran, run};

const NO_TASKS: &str = r#"{"tasks":[],"next":null}"#;

#[test]
fn a_token_is_made_of_chance_and_its_line_lets_it_in() {
    let ran = run(&["token", "ops-desk", "operate", "submit:acme-llp"]);
    let [token, line] = ran.data().lines().collect::<Vec<_>>()[..] else { panic!("{ran:?}") };
    assert!(token.starts_with("hgt_") && token.len() == 4 + 64 && !line.contains(token), "{ran:?}");
    let files = Files::new(&[("tokens", line)]);
    let path = files.path("tokens");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let tokens = tokens::read(Path::new(&path)).unwrap();
    let found = tokens.find(token).unwrap();
    assert_eq!((found.name.as_str(), found.roles[0].clone()), ("ops-desk", Role::Operate));
    let other = run(&["--format", "json", "token", "ops-desk", "read"]).json();
    assert_ne!(other["token"], token);
    assert!(other["line"].as_str().unwrap().starts_with("ops-desk read "));
}

#[test]
fn a_token_needs_a_name_and_roles_that_there_are() {
    for wrong in
        [&["token", "ann"][..], &["token", "ann", "root"], &["token", "a b", "read"], &["token", "local", "read"]]
    {
        let ran = run(wrong);
        assert!(ran.code == 2 && ran.stdout.is_empty(), "{ran:?}");
    }
}

#[test]
fn a_command_calls_with_the_token_of_its_file_or_of_the_environment() {
    let files = Files::new(&[("token", "hgt_of-file\n")]);
    for (arguments, environment, sent) in [
        (vec![], None, None),
        (vec![], Some("hgt_of-environment"), Some("Bearer hgt_of-environment")),
        (vec!["--token-file", &files.path("token")], Some("hgt_of-environment"), Some("Bearer hgt_of-file")),
    ] {
        let fake = Fake::answering([(200, NO_TASKS.to_owned())]);
        let mut command = command();
        command.args(["tasks", "--url", &fake.url()]).args(arguments);
        environment.map(|token| command.env("HELIOGRAPH_TOKEN", token));
        let ran = ran(&mut command);
        assert!(ran.code == 0, "{ran:?}");
        assert_eq!(fake.calls()[0].authorization.as_deref(), sent);
    }
    let missing = run(&["tasks", "--token-file", &files.path("none")]);
    assert!(missing.code == 1 && missing.stderr.contains("cannot be read"), "{missing:?}");
}

#[test]
fn a_token_does_not_cross_the_network_in_clear_and_a_healthcheck_sends_none() {
    let remote = ran(command().args(["tasks", "--url", "http://192.0.2.1:8321"]).env("HELIOGRAPH_TOKEN", "hgt_canary"));
    assert!(remote.code == 2 && remote.stderr.contains("in clear") && !remote.stderr.contains("canary"), "{remote:?}");
    let fake = Fake::answering([(200, r#"{"ready":true,"role":"active","checks":[]}"#.to_owned())]);
    let ran = ran(command().args(["healthcheck", "--url", &fake.url()]).env("HELIOGRAPH_TOKEN", "hgt_canary"));
    assert!(ran.code == 0, "{ran:?}");
    assert_eq!(fake.calls()[0].authorization, None);
}
