//! Holds the arrows between the layers: each imports only what is to its right.
//!
//! `main -> cli -> runtime -> { broker | http | store | telemetry | simulate } -> { wire | settings | roster } -> engine`

use std::path::{Path, PathBuf};

/// The layers from the left to the right; those in one group do not import each other.
const LAYERS: [&[&str]; 6] = [
    &["main"],
    &["cli"],
    &["runtime"],
    &["broker", "http", "store", "telemetry", "simulate"],
    &["wire", "settings", "roster"],
    &["engine"],
];

/// Imports inside a group that are meant, as (from, to).
const MEANT: [(&str, &str); 0] = [];

/// The crates that the engine may name.
const ENGINE_CRATES: [&str; 6] = ["std", "core", "alloc", "chrono", "serde", "thiserror"];

/// What a file names: modules of this crate by their layer, and other crates.
#[derive(Debug, Default, PartialEq, Eq)]
struct Named {
    layers: Vec<String>,
    crates: Vec<String>,
}

/// Reads the paths of a source text; `depth` is how many modules deep the text lies, 1 for the root of a layer.
fn named(text: &str, depth: usize) -> Named {
    let text = without_comments_and_strings(text);
    let mut named = Named::default();
    let declared: Vec<&str> = text.lines().filter_map(|line| declared_module(line.trim())).collect();
    for statement in text.split(';') {
        let Some(at) = statement.rfind("use ").filter(|at| starts_word(statement, *at)) else { continue };
        let path = statement[at + 4..].trim().trim_start_matches("::");
        let root: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let is_here = ["crate", "self", "super"].contains(&root.as_str()) || declared.contains(&root.as_str());
        let is_type = root.starts_with(|c: char| c.is_uppercase());
        if !is_here && !is_type && !root.is_empty() {
            named.crates.push(root);
        }
    }
    for (at, _) in text.match_indices("crate::").chain(text.match_indices("heliograph::")) {
        if starts_word(&text, at) {
            named.layers.extend(roots(text[at..].split_once("::").map_or("", |(_, rest)| rest)));
        }
    }
    // As many `super` as the text lies deep lead to the root of the crate.
    let climb = "super::".repeat(depth);
    for (at, _) in text.match_indices(&climb) {
        if starts_word(&text, at) {
            named.layers.extend(roots(&text[at + climb.len()..]));
        }
    }
    for (at, _) in text.match_indices("::") {
        let before = text[..at].rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or("");
        if ["tokio", "lapin", "axum", "tracing", "rusqlite", "jiff", "serde_json"].contains(&before) {
            named.crates.push(before.to_owned());
        }
    }
    named
}

/// The first names of a path or of the paths in braces.
fn roots(path: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.trim_start().strip_prefix('{') else { return vec![name(path)] };
    let (mut depth, mut start, mut found) = (0_u32, 0, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                found.push(name(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.retain(|it| !it.is_empty());
    found
}

fn declared_module(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?;
    rest.split([';', ' ', '{']).next()
}

fn starts_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$')
}

/// The code alone: what stands behind `//` or between double quotes on a line is taken out.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::new();
    for line in text.lines() {
        let (mut quoted, mut escaped) = (false, false);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                '/' if !quoted && chars.peek() == Some(&'/') => break,
                _ if quoted => {}
                c => code.push(c),
            }
        }
        code.push('\n');
    }
    code
}

/// The place of a layer from the left; `None` for what is no layer.
fn place(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|group| group.contains(&layer))
}

/// What a file of a layer names against the arrows, in words.
fn violations(layer: &str, text: &str, depth: usize) -> Vec<String> {
    let named = named(text, depth);
    let mut found = Vec::new();
    for to in &named.layers {
        let against = match (place(layer), place(to)) {
            (Some(from), Some(at)) if from == at => layer != to && !MEANT.contains(&(layer, to)),
            (Some(from), Some(at)) => from > at,
            _ => false,
        };
        if against {
            found.push(format!("{layer} imports {to}"));
        }
    }
    if layer == "engine" {
        let foreign = named.crates.iter().filter(|it| !ENGINE_CRATES.contains(&it.as_str()));
        found.extend(foreign.map(|it| format!("engine imports the crate {it}")));
    }
    found
}

/// Every source file with its layer and how many modules deep it lies.
fn files(folder: &Path, modules: &[String], found: &mut Vec<(PathBuf, String, usize)>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let stem = path.file_stem().and_then(|it| it.to_str()).expect("a name").to_owned();
        let mut modules = modules.to_vec();
        if path.is_dir() {
            modules.push(stem);
            files(&path, &modules, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            if stem != "mod" {
                modules.push(stem);
            }
            found.push((path, modules[0].clone(), modules.len()));
        }
    }
}

#[test]
fn every_layer_imports_only_what_is_to_its_right() {
    let mut all = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &[], &mut all);
    assert!(all.iter().filter(|(_, layer, _)| layer == "engine").count() > 20, "the engine is read");
    let mut found = Vec::new();
    for (path, layer, depth) in all {
        let text = std::fs::read_to_string(&path).expect("a source file");
        found.extend(violations(&layer, &text, depth).into_iter().map(|it| format!("{}: {it}", path.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_module_of_the_crate_is_a_layer() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("lib.rs");
    let strange: Vec<_> = text.lines().filter_map(declared_module).filter(|it| place(it).is_none()).collect();
    assert!(strange.is_empty(), "give {strange:?} a place in LAYERS");
}

#[test]
fn a_planted_import_against_the_arrows_is_found() {
    let planted = [
        ("engine", 2, "use crate::roster::load;", "engine imports roster"),
        ("engine", 2, "fn f() { crate::wire::fact::seq(); }", "engine imports wire"),
        ("engine", 1, "use super::store::Store;", "engine imports store"),
        ("engine", 2, "use super::super::store::Store;", "engine imports store"),
        ("engine", 2, "use crate::{engine::id::Id, http};", "engine imports http"),
        ("engine", 2, "use tokio::time::sleep;", "engine imports the crate tokio"),
        ("engine", 2, "fn f() { let _ = ::serde_json::to_string(&1); }", "engine imports the crate serde_json"),
        ("store", 1, "use crate::http::Api;", "store imports http"),
        ("wire", 1, "use crate::store::Store;", "wire imports store"),
        ("wire", 1, "use crate::roster::load;", "wire imports roster"),
        ("broker", 1, "use crate::runtime::Loop;", "broker imports runtime"),
        ("runtime", 1, "pub use crate::cli::Args;", "runtime imports cli"),
    ];
    for (layer, depth, text, wanted) in planted {
        assert_eq!(violations(layer, text, depth).first().map(String::as_str), Some(wanted), "{text}");
    }
}

#[test]
fn what_the_arrows_allow_is_no_violation() {
    let allowed = [
        ("engine", 2, "use super::super::engine::id::Id; use std::fmt; use chrono::Utc; use serde::Serialize;"),
        ("engine", 2, "//! use crate::store::Store;\nconst WORD: &str = \"crate::store::x\";"),
        ("engine", 2, "use super::Id;\nmod id;\npub use id::Name;"),
        ("store", 1, "use crate::wire::fact::Fact; use rusqlite::Connection; use tokio::fs;"),
        ("main", 1, "use heliograph::cli::run;"),
    ];
    for (layer, depth, text) in allowed {
        assert_eq!(violations(layer, text, depth), Vec::<String>::new(), "{text}");
    }
}
