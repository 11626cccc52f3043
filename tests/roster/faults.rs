//! Faults: all at once, each with its place.

use heliograph::roster::{self, MAX_FILE_BYTES, MAX_FINDINGS, Source, zones::ZoneSource};

use super::{anchor, faults_of, fixture, parse};

#[test]
fn every_fault_of_a_roster_is_found_in_one_pass() {
    let faults = faults_of(include_str!("../fixtures/roster/every-fault.toml"));
    insta::assert_snapshot!(faults.join("\n"));
}

#[test]
fn every_line_that_announces_a_fault_has_one_there() {
    let text = include_str!("../fixtures/roster/every-fault.toml");
    let faults = faults_of(text);
    for (i, line) in text.lines().enumerate().filter(|(i, line)| *i > 0 && line.contains("  # ")) {
        let place = format!("roster.toml:{}:", i + 1);
        assert!(faults.iter().any(|fault| fault.starts_with(&place)), "{place} {line}");
    }
}

#[test]
fn a_dangling_reference_is_a_fault_at_its_place() {
    let text =
        include_str!("../fixtures/roster/london-only.toml").replace("calendar = \"london\"", "calendar = \"lodnon\"");
    let faults = faults_of(&text);
    assert_eq!(faults, ["roster.toml:19:12: calendar \"lodnon\" is not in the roster; did you mean \"london\"?"]);
}

#[test]
fn a_closure_can_be_planned_and_nothing_else_can() {
    let with = |entry: &str| {
        let dated = format!("[calendars.london]\ndates = [{{ date = \"2026-12-24\", {entry} }}]");
        include_str!("../fixtures/roster/london-only.toml").replace("[calendars.london]", &dated)
    };
    assert_eq!(faults_of(&with("hours = [], planned = true")), [""; 0]);
    for entry in ["hours = [\"09:00-12:00\"], planned = true", "breaks = [\"09:00-12:00\"], planned = true"] {
        let faults = faults_of(&with(entry));
        assert!(faults.len() == 1 && faults[0].contains("give \"hours\" = [] with it"), "{faults:?}");
    }
}

#[test]
fn a_clock_cannot_have_the_name_of_the_deadlines_own() {
    let clock = "\n[[sla.gold.clocks]]\nname = \"deadline\"\nstop = \"completed\"\ntarget = \"1h\"\nbasis = \"wall\"\n";
    let faults = faults_of(&format!("{}{clock}", include_str!("../fixtures/roster/london-only.toml")));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].ends_with("a clock is called \"deadline\", which is the name of the deadline's own: use another")
    );
}

#[test]
fn syntax_errors_come_alone_and_all_at_once() {
    let faults = faults_of("[[teams]]\nid = \nname = 'x'\nname = 'y'\n[calendars\n");
    assert!(faults.len() >= 3, "{faults:#?}");
    assert!(faults[0].starts_with("roster.toml:2:"), "{faults:#?}");
    assert!(faults[1].starts_with("roster.toml:4:1: "), "{faults:#?}");
    assert!(faults[2].starts_with("roster.toml:5:"), "{faults:#?}");
}

#[test]
fn columns_count_characters() {
    let faults = faults_of("[[walls]]\nreason = \"Müller ./. Ōta\"\nteam = \"x\"\nclient = \"ä\"\n");
    assert_eq!(
        faults,
        [
            "roster.toml:3:8: team \"x\" is not in the roster",
            "roster.toml:4:10: client id \"ä\" is not valid: use 1 to 63 of a-z 0-9 and -, not starting with -",
        ]
    );
    let faults = faults_of("walls = [{ reason = \"Ōta\", team = \"x\", client = \"y\" }]");
    assert_eq!(faults[0], "roster.toml:1:35: team \"x\" is not in the roster");
}

#[test]
fn a_matter_that_cannot_be_read_never_widens_its_wall() {
    let text = format!(
        "{}\n[[walls]]\nteam = \"london\"\nclient = \"acme-llp\"\nmatter = 7\nreason = \"r\"\n",
        include_str!("../fixtures/roster/london-only.toml")
    );
    assert_eq!(faults_of(&text), ["roster.toml:34:10: matter is 7: use a matter: 1 to 128 printable characters"]);
}

#[test]
fn a_cycle_over_three_steps_is_shown_with_its_path() {
    let step = |id: &str, after: &str| {
        format!("[[processes.p.steps]]\nid = \"{id}\"\nwork_type = \"back_office\"\nafter = [\"{after}\"]\n")
    };
    let text = [step("a", "b"), step("b", "c"), step("c", "d"), step("d", "b")].concat();
    assert_eq!(faults_of(&text), ["roster.toml:5:1: the steps wait for each other in a cycle: b -> c -> d -> b"]);
    let alone = step("a", "a");
    assert_eq!(faults_of(&alone), ["roster.toml:1:1: the steps wait for each other in a cycle: a -> a"]);
}

#[test]
fn things_over_a_limit_are_faults_and_findings_have_a_limit_too() {
    let shifts = vec!["\"09:00-10:00\""; 25].join(", ");
    let faults = faults_of(&format!("[calendars.a]\ntime_zone = \"UTC\"\nhours = {{ mon = [{shifts}] }}\n"));
    assert!(faults.contains(&"roster.toml:3:17: mon has 25 entries, the limit is 24".to_owned()), "{faults:#?}");
    let keys: String = (0..3 * MAX_FINDINGS).map(|i| format!("k{i} = 1\n")).collect();
    let faults = parse(&keys).unwrap_err().0;
    assert_eq!(faults.len(), MAX_FINDINGS + 1);
    assert_eq!(faults.last().unwrap().to_string(), "2000 more faults");
    let large = "#".repeat(MAX_FILE_BYTES + 1);
    assert_eq!(faults_of(&large), ["roster.toml: has 4194305 bytes, the limit is 4194304"]);
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_that_names_it() {
    let missing = fixture("none.toml");
    let faults = roster::load(&missing, ZoneSource::Bundled, anchor()).unwrap_err().to_string();
    assert!(faults.starts_with(&format!("{}: cannot be read: ", missing.display())), "{faults}");
    assert!(roster::parse(&[], ZoneSource::Bundled, anchor()).is_err());
    let two = [Source::new("a.toml", "[routing]\n"), Source::new("b.toml", "\n[routing]\n")];
    let faults = roster::parse(&two, ZoneSource::Bundled, anchor()).unwrap_err().to_string();
    assert_eq!(faults, "b.toml:2:1: routing is defined twice: the first is at a.toml:1");
}

#[test]
fn a_file_cut_anywhere_gives_a_roster_or_faults_with_their_places() {
    let text = include_str!("../fixtures/roster/london-only.toml");
    for end in 0..text.len() {
        let Err(faults) = parse(&text[..end]) else { continue };
        let lines = u32::try_from(text[..end].lines().count()).unwrap() + 1;
        assert!(!faults.0.is_empty());
        assert!(faults.0.iter().all(|fault| (1..=lines).contains(&fault.line) && fault.column > 0), "{end}: {faults}");
    }
}

#[test]
fn a_key_with_a_typing_error_is_one_fault_and_not_also_a_missing_key() {
    let london = include_str!("../fixtures/roster/london-only.toml");
    for (key, written, line) in
        [("seats", "seatz", 20), ("cost_per_hour", "cost_per_huor", 23), ("offshoring", "ofshoring", 29)]
    {
        let faults = faults_of(&london.replace(&format!("\n{key} ="), &format!("\n{written} =")));
        assert_eq!(faults.len(), 1, "{faults:#?}");
        assert!(faults[0].starts_with(&format!("roster.toml:{line}:1: ")), "{faults:#?}");
        assert!(faults[0].ends_with(&format!("has the unknown key {written:?}; did you mean {key:?}?")), "{faults:#?}");
    }
}

#[test]
fn a_country_that_does_not_exist_is_a_fault_wherever_it_stands() {
    let london = include_str!("../fixtures/roster/london-only.toml");
    let faults = faults_of(&london.replace("country = \"GB\"", "country = \"UK-ENG\""));
    let no_country = "place \"UK-ENG\" is in no country: UK is no code of ISO 3166-1; did you mean \"GB-ENG\"?";
    assert_eq!(faults, [format!("roster.toml:17:11: {no_country}"), format!("roster.toml:28:11: {no_country}")]);
    let places = "allowed_countries = [\"QX\"]\ndenied_countries = [\"GX\"]\noffshoring =";
    let faults =
        faults_of(&london.replace("offshoring =", places).replace("jurisdiction = \"*\"", "jurisdiction = \"ZZ\""));
    assert_eq!(faults.len(), 3, "{faults:#?}");
    let near = "is no code of ISO 3166-1; near it are ZA (South Africa), ZM (Zambia), ZW (Zimbabwe)";
    assert!(faults[0].starts_with("roster.toml:21:") && faults[0].ends_with(near), "{faults:#?}");
    assert!(faults[1].ends_with("near it are QA (Qatar)"), "{faults:#?}");
}
