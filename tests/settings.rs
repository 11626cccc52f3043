//! The service's settings: precedence, refusals, secrets.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use heliograph::settings::tokens::{self, Role};
use heliograph::settings::{self, LogLevel, Secret, Settings, SettingsFaults, Store, Topology};

/// Loads a file of this text under this environment.
fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsFaults> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heliograph.toml");
    fs::write(&path, text).unwrap();
    settings::load(Some(&path), pairs(environment))
}

fn pairs(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    environment.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
    load(text, environment).unwrap_err().0.iter().map(ToString::to_string).collect()
}

#[test]
fn nothing_set_gives_the_embedded_default_without_a_broker() {
    let settings = settings::load(None, []).unwrap();
    assert_eq!(settings.amqp, None);
    assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8321");
    assert_eq!(settings.limits.batch, 512);
    assert_eq!(settings.limits.publish_in_flight_bytes, 64 * 1024 * 1024);
    assert_eq!(settings.log.level, LogLevel::Info);
}

#[test]
fn the_commented_file_shows_the_defaults() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/heliograph.toml");
    assert_eq!(settings::load(Some(&path), []).unwrap(), settings::load(None, []).unwrap());
    // With a broker, the [amqp] part is read too and is the default as well.
    let broker = [("HELIOGRAPH__AMQP__URL", "amqp://a:b@localhost")];
    let with_file = settings::load(Some(&path), pairs(&broker)).unwrap();
    assert_eq!(with_file, settings::load(None, pairs(&broker)).unwrap());
    let amqp = with_file.amqp.unwrap();
    assert_eq!((amqp.prefix.as_str(), amqp.topology, amqp.prefetch), ("heliograph", Topology::Declare, 1_000));
    assert_eq!((amqp.heartbeat_seconds, amqp.require_user_id, amqp.max_message_bytes), (5, true, 1 << 20));
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_defaults() {
    let file = "[limits]\nbatch = 64\nmax_open_tasks = 10\n[log]\nlevel = \"warn\"\n";
    let environment = [("HELIOGRAPH__LIMITS__BATCH", "128"), ("HELIOGRAPH__HTTP__HOSTS", "a.example,b.example")];
    let settings = load(file, &environment).unwrap();
    assert_eq!((settings.limits.batch, settings.limits.max_open_tasks), (128, 10));
    assert_eq!(settings.log.level, LogLevel::Warn);
    assert_eq!(settings.http.hosts, ["a.example", "b.example"]);
}

#[test]
fn other_variables_of_the_environment_are_none_of_ours() {
    assert!(load("", &[("HELIOGRAPH", "x"), ("HELIOGRAPH_LOG", "x"), ("PATH", "/bin")]).is_ok());
}

#[test]
fn every_fault_is_found_at_once_with_field_value_limit_and_what_to_do() {
    let file = r#"
        color = true
        [amqp]
        url = "amqp://localhost"
        prefetch = 0
        prefx = "h"
        prefix = "Big"
        topology = "make"
        [amqp.tls]
        key_file = "k.pem"
        [http]
        listen = "localhost"
        max_body_bytes = "many"
        behind_proxy = "true"
        hosts = [""]
        [http.tls]
        certificate_file = "c.pem"
        [log]
        level = "loud"
        [limits]
        batch = 1.5
        [zones]
        source = 3
    "#;
    let environment = [("HELIOGRAPH__LIMITS__MAX_OPEN_TASKS", "-1"), ("HELIOGRAPH__ROSTER__PAHT", "x")];
    insta::assert_snapshot!(faults(file, &environment).join("\n"), @r#"
    amqp.prefetch = 0: use a whole number from 1 to 65535
    amqp.prefix = "Big": use 1 to 63 of a-z 0-9 . _ and -, starting with a letter
    amqp.prefx is not a setting; did you mean amqp.prefix?
    amqp.tls.certificate_file is not given: a key needs its certificate
    amqp.topology = "make": use "declare" or "check"
    amqp.url does not use the certificates of amqp.tls: use amqps://, or leave them out
    color is not a setting; known here are store, amqp, http, roster, zones, log, limits, keeping, audit
    http.behind_proxy = "true": use true or false
    http.hosts = a list: use a list of at most 100 texts, none empty
    http.listen = "localhost": use an address and a port, such as "127.0.0.1:8321"
    http.max_body_bytes = "many": use a whole number from 1024 to 67108864
    http.tls.key_file is not given: a certificate needs its key
    limits.batch = 1.5: use a whole number from 1 to 10000
    limits.max_open_tasks = "-1" from the environment: use a whole number from 1 to 10000000
    log.level = "loud": use "error" or "warn" or "info" or "debug" or "trace"
    roster.paht is not a setting; did you mean roster.path?
    zones.source = 3: use "auto" or "system" or "bundled"
    "#);
}

#[test]
fn a_section_that_is_no_table_is_a_fault_that_does_not_show_it() {
    let faults = faults("amqp = \"amqp://u:canary@h\"", &[]);
    assert_eq!(faults, ["amqp is not a table: give its keys one by one"]);
}

#[test]
fn an_address_off_loopback_needs_tokens_and_tls_or_a_proxy() {
    let open = "[http]\nlisten = \"0.0.0.0:80\"\n";
    let refusal = |lacking: &str| {
        let rule = "or http.behind_proxy = true where a proxy in front does TLS, or listen on 127.0.0.1";
        format!("http.listen = \"0.0.0.0:80\" is reached from outside: set {lacking}, {rule}")
    };
    let (_folder, tokens) = with_tokens(&tokens::line(&"ann".parse().unwrap(), &[Role::Read], "hgt_1"), 0o600);
    let tokens = tokens.trim_start_matches("[http]\n");
    let tls = "tls = { certificate_file = \"c\", key_file = \"k\" }\n";
    let certificates = "http.tls.certificate_file and http.tls.key_file";
    assert_eq!(faults(open, &[]), [refusal(&format!("http.tokens_file, {certificates}"))]);
    assert_eq!(faults(&format!("{open}{tokens}"), &[]), [refusal(certificates)]);
    assert_eq!(faults(&format!("{open}{tls}"), &[]), [refusal("http.tokens_file")]);
    for good in [format!("{open}{tokens}{tls}"), format!("{open}behind_proxy = true\n")] {
        assert!(load(&good, &[]).is_ok(), "{good}");
    }
    assert!(load("[http]\nlisten = \"[::1]:0\"\n", &[]).is_ok());
    assert_eq!(faults("[http]\nlisten = \"[::]:1\"\n", &[]).len(), 1);
    let half = "[http.tls]\nclient_ca_file = \"a\"\n";
    let why = "http.tls.certificate_file is not given: callers are asked for certificates over TLS only";
    assert_eq!(faults(half, &[]), [why]);
    let key = "http.tls.key_file is not given: a certificate needs its key";
    assert_eq!(
        faults(&format!("{open}tls = {{ certificate_file = \"c\" }}\n"), &[]),
        [refusal("http.tokens_file"), key.into()]
    );
}

/// A folder with a file of tokens, and the settings that name it.
fn with_tokens(text: &str, mode: u32) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    let settings = format!("[http]\ntokens_file = {:?}\n", file.display().to_string());
    (folder, settings)
}

#[test]
fn tokens_are_read_from_their_file_and_found_by_what_is_shown_alone() {
    let name = "ops@desk".parse().unwrap();
    let line = tokens::line(&name, &[Role::Operate, "submit:acme-llp".parse().unwrap()], "hgt_canary");
    let (_folder, settings) = with_tokens(&format!("# who calls\n\n  {line}  \n"), 0o640);
    let settings = load(&settings, &[]).unwrap();
    let held = settings.http.tokens.as_ref().unwrap();
    assert_eq!((held.tokens.count(), settings.http.requests_per_second), (1, 500));
    let token = held.tokens.find("hgt_canary").unwrap();
    assert_eq!((token.name.as_str(), token.roles.len()), ("ops@desk", 2));
    for other in ["", "hgt_canar", "hgt_canary ", "HGT_CANARY", &line] {
        assert_eq!(held.tokens.find(other), None, "{other:?}");
    }
    assert!(!format!("{settings:?}").contains("canary"));
}

#[test]
fn every_fault_of_a_file_of_tokens_is_found_at_once_by_its_line_and_shows_no_token() {
    let good = tokens::line(&"ann".parse().unwrap(), &[Role::Read], "hgt_1");
    let digest = good.rsplit(' ').next().unwrap();
    let text = format!(
        "{good}\nann operate {}\nbob reed,submit:Acme,team: {digest}\nlocal read {0}\nhgt_canary\ncleo admin hgt_canary\n",
        digest.replace(['a', 'b'], "c")
    );
    let (folder, settings) = with_tokens(&text, 0o600);
    let file = folder.path().join("tokens").display().to_string();
    let found: Vec<_> = faults(&settings, &[]).iter().map(|it| it.replace(&file, "FILE")).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    http.tokens_file FILE:2: "ann" is the name of an earlier line: give another
    http.tokens_file FILE:3: "reed" is no role: use read, read:CLIENT, submit:CLIENT, team:ID, operate or admin
    http.tokens_file FILE:3: role "submit:Acme": client id "Acme" is not valid: use 1 to 63 of a-z 0-9 and -, not starting with -
    http.tokens_file FILE:3: role "team:": team id "" is not valid: use 1 to 63 of a-z 0-9 and -, not starting with -
    http.tokens_file FILE:4: "local" is the name of a caller without a token: give another
    http.tokens_file FILE:5: is not NAME ROLE[,ROLE...] DIGEST, three words
    http.tokens_file FILE:6: the last word is not the SHA-256 of a token in 64 hexadecimal digits
    "#);
    for (text, mode, said) in [
        (good.as_str(), 0o644, "has mode 0644: others must not read it and nobody else write it; chmod 0600 or 0640"),
        (good.as_str(), 0o620, "has mode 0620"),
        ("# nobody\n", 0o600, ":1: has no token, so nobody could call"),
        (&format!("ann {} {digest}", ["read"; 33].join(",")), 0o600, ":1: has 33 roles, the limit is 32"),
    ] {
        let (_folder, settings) = with_tokens(text, mode);
        let found = faults(&settings, &[]);
        assert!(found.len() == 1 && found[0].contains(said), "{found:?}");
    }
}

#[test]
fn plain_amqp_to_another_machine_is_refused_unless_allowed() {
    let url = |url: &str| format!("[amqp]\nurl = \"{url}\"\n");
    for loopback in ["amqp://u:p@localhost/v", "amqp://127.0.0.1:5673", "amqp://u@127.8.9.1", "amqp://[::1]:1/"] {
        assert!(load(&url(loopback), &[]).is_ok(), "{loopback}");
    }
    assert!(load(&url("amqps://u:p@mq.example:5671/v"), &[]).is_ok());
    let remote =
        ["amqp://u:p@mq.example", "amqp://localhost@10.0.0.1", "amqp://localhost.evil.example", "amqp://[::2]"];
    for remote in remote {
        let faults = faults(&url(remote), &[]);
        assert_eq!(faults.len(), 1, "{remote}");
        assert!(faults[0].contains("in clear"), "{faults:?}");
        assert!(load(&format!("{}allow_plain_remote = true\n", url(remote)), &[]).is_ok(), "{remote}");
    }
    for bad in ["http://mq", "amqp:/x", "amqp://", "amqp://h:0", "amqp://h:x", "amqp://:5672", "mq.example"] {
        assert!(faults(&url(bad), &[])[0].contains("is not of the form"), "{bad}");
    }
}

#[test]
fn a_secret_comes_from_its_file_without_the_line_end_and_not_from_two_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    fs::write(&file, "amqps://u:canary@mq.example\n").unwrap();
    let text = format!("[amqp]\nurl_file = {:?}\n", file.display().to_string());
    let amqp = load(&text, &[]).unwrap().amqp.unwrap();
    assert_eq!(amqp.url.reveal(), "amqps://u:canary@mq.example");
    let both = faults(&text, &[("HELIOGRAPH__AMQP__URL", "amqps://u:canary@mq.example")]);
    assert_eq!(both, ["amqp.url is given, and so is amqp.url_file: leave one out"]);
    fs::write(&file, "\n").unwrap();
    assert!(faults(&text, &[])[0].ends_with("is empty: write the secret into it"));
    fs::remove_file(&file).unwrap();
    assert!(faults(&text, &[])[0].contains("cannot be read"));
}

#[test]
fn a_secret_shows_nowhere() {
    let settings = load("[amqp]\nurl = \"amqps://u:canary@mq.example\"\n", &[]).unwrap();
    assert!(!format!("{settings:?} {settings:#?}").contains("canary"));
    assert_eq!(format!("{:?}/{}", Secret::new("canary"), Secret::new("canary")), "Secret/");
    let faulty = [
        "[amqp]\nurl = \"amqp://u:canary@mq.example\"\n",
        "[amqp]\nurl = \"canary\"\n",
        "[amqp]\nurl = [\"canary\"]\n",
        "[amqp]\nurl = \"canary\n",
        "[amqp]\nurl = \"amqp://localhost\"\ntls = \"canary\"\n",
        "[amqp]\nurl = \"amqp://localhost\"\n[amqp.tls]\npassword = \"canary\"\n",
        "[amqp]\nurll = \"canary\"\n",
    ];
    for text in faulty {
        let faults = load(text, &[]).unwrap_err();
        assert!(!format!("{faults} {faults:?}").contains("canary"), "{text}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told_by_its_place() {
    let missing = settings::load(Some(Path::new("no/such.toml")), []).unwrap_err().to_string();
    assert!(missing.starts_with("no/such.toml: cannot be read"), "{missing}");
    assert!(faults("[http]\nlisten = = 3\n", &[])[0].contains("heliograph.toml:2:10: "));
}

#[test]
fn what_is_kept_has_limits_and_content_goes_no_later_than_its_row() {
    let keeping = load("", &[]).unwrap().keeping;
    assert_eq!((keeping.content_days, keeping.rows_days, keeping.events_days), (30, 400, 7));
    let set = load("[keeping]\ncontent_days = 1\nrows_days = 9\nevents_days = 2\nportion = 8\n", &[]).unwrap().keeping;
    assert_eq!((set.content_days, set.rows_days, set.events_days, set.portion), (1, 9, 2, 8));
    assert_eq!(
        faults("[keeping]\ncontent_days = 90\nrows_days = 60\n", &[]),
        ["keeping.content_days = 90 is more than keeping.rows_days = 60: rows hold it, so keep them as long"]
    );
    assert_eq!(
        faults("[keeping]\nevents_days = 0\nportion = 0\n", &[]),
        [
            "keeping.events_days = 0: use a whole number from 1 to 400",
            "keeping.portion = 0: use a whole number from 1 to 10000",
        ]
    );
}

#[test]
fn a_database_is_the_store_when_one_is_named_and_its_password_is_never_shown() {
    let url = "postgresql://heliograph:hunter2@db.example:5432/heliograph";
    let read =
        load("[store]\npath = \"heliograph.db\"\nlease_seconds = 9", &[("HELIOGRAPH__STORE__POSTGRES", url)]).unwrap();
    let Store::Postgres(postgres) = &read.store else { panic!("{:?}", read.store) };
    assert_eq!((postgres.url.reveal(), postgres.lease_seconds, postgres.allow_plain_remote), (url, 9, false));
    assert!(!format!("{read:?}").contains("hunter2"));
    for (wrong, because) in [
        ("postgres = \"mysql://a:hunter2@b/c\"", "store.postgres is not of the form postgresql://"),
        ("postgres = \"postgresql://a:hunter2@b\"", "store.postgres is not of the form postgresql://"),
        ("postgres = \"postgresql://a:hunter2@b/c?sslmode=disable\"", "store.postgres has sslmode=disable"),
        ("lease_seconds = 1", "store.lease_seconds = 1: use a whole number from 2 to 60"),
    ] {
        let faults = load(&format!("[store]\n{wrong}"), &[]).unwrap_err().to_string();
        assert!(faults.contains(because) && !faults.contains("hunter2"), "{wrong}: {faults}");
    }
    let plain = "[store]\npostgres = \"postgresql://a@b/c?sslmode=disable\"\nallow_plain_remote = true";
    assert!(load(plain, &[]).is_ok());
    assert!(load("[store]\npostgres = \"postgresql://a@127.0.0.1:1/c?sslmode=disable\"", &[]).is_ok());
}
