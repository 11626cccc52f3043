//! Help, versions, schemas and mistakes.

use std::io::Read;

use heliograph::wire::schema::{SchemaKind, print};

use crate::program::{command, ran, run};

#[test]
fn the_version_names_the_zone_rules_and_their_source() {
    let ran = ran(command().arg("--version").env("HELIOGRAPH__ZONES__SOURCE", "bundled"));
    let lines: Vec<_> = ran.data().lines().collect();
    assert_eq!(lines[0], format!("heliograph {}", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("tzdata 20") && lines[1].ends_with(" (bundled)"), "{ran:?}");
    let version = run(&["--version", "--format", "json"]).json();
    assert!(version["tzdata"]["source"].is_string(), "{version}");
}

#[test]
fn mistakes_are_exit_2_on_stderr_and_help_is_data() {
    for arguments in [&[][..], &["fly"], &["--fast"], &["--format", "json"], &["task", "no-slash"], &["schema", "xml"]]
    {
        let ran = run(arguments);
        assert!(ran.code == 2 && ran.stdout.is_empty() && !ran.stderr.is_empty(), "{arguments:?}: {ran:?}");
    }
    assert!(run(&["--help"]).data().contains("hours"));
    assert!(run(&["hours", "--help"]).data().contains("next-open"));
}

#[test]
fn schemas_are_printed_as_the_contract_has_them() {
    for kind in SchemaKind::ALL {
        assert_eq!(run(&["schema", kind.as_str()]).data(), print(kind));
    }
    assert_eq!(run(&["schema", "openapi"]).json()["openapi"], "3.1.0");
    assert_eq!(run(&["schema", "roster"]).json(), heliograph::roster::schema());
}

#[test]
fn completions_know_every_command_in_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run(&["completions", shell]).data().to_owned();
        assert!(
            ["why-not", "healthcheck", "--cursor"].iter().all(|word| script.contains(word.trim_start_matches('-')))
        );
    }
    assert_eq!(run(&["completions", "dos"]).code, 2);
}

#[test]
fn the_manual_has_a_page_of_the_program_and_of_each_command() {
    let page = run(&["man"]).data().to_owned();
    assert!(page.contains(".TH heliograph 1") && page.contains("HELIOGRAPH_URL"), "{page}");
    assert!(run(&["man", "why-not"]).data().contains(".TH heliograph-why-not 1"));
    let ran = run(&["man", "wy-not"]);
    assert!(ran.code == 2 && ran.stderr.contains("did you mean \"why-not\"?"), "{ran:?}");
}

#[test]
fn nothing_is_coloured_that_is_not_on_a_terminal() {
    let ran = run(&["tasks", "--url", "ftp://nowhere"]);
    assert!(ran.code == 2 && !ran.stderr.contains('\x1b'), "{ran:?}");
    assert!(!run(&["check", &crate::program::sample()]).stdout.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = command().args(["schema", "openapi"]).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn faulty_settings_keep_the_daemon_from_starting() {
    let ran = ran(command().arg("serve").env("HELIOGRAPH__HTTP__LISTEN", "everywhere"));
    assert!(ran.code == 78 && ran.stderr.contains("http.listen"), "{ran:?}");
    let ran = run(&["demo", "--listen", "0.0.0.0:0"]);
    assert!(ran.code == 2 && ran.stderr.contains("0.0.0.0:0 is not a loopback address"), "{ran:?}");
    let ran = run(&["demo", "--speed", "0"]);
    assert_eq!(ran.code, 2, "{ran:?}");
}
