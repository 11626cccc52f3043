//! The text of a roster: one file, or several that are joined into one so that a single digest names them all.
//!
//! A lone TOML file is its own text, so its digest is that of `sha256sum`. Several files, feeds of closures included, are
//! joined in the order of their names, each after a line that states its name; [`split`] undoes it, so a roster that was
//! kept as text can be parsed again without its files.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use super::finding::{Faults, Finding};
use crate::engine::id::{IdKind, MatterKind};
use crate::engine::roster::RosterDigest;

/// Bytes of one file at most.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;
/// Files of a roster at most, feeds included.
pub const MAX_FILES: usize = 256;
/// Bytes of all files together at most.
pub const MAX_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// What a text without names is called in findings.
const LONE_NAME: &str = "roster.toml";
/// Characters of a name that is no name, as a fault shows it.
const MAX_NAME_SHOWN: usize = 80;
/// Starts the line before each of several files.
const MARK: &str = "#:file ";

/// One file of a roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name, relative to the roster's folder, with `/` between its parts.
    pub name: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
}

impl Source {
    /// A file in memory.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// Whether it is a feed of closures rather than TOML.
    #[must_use]
    pub fn is_feed(&self) -> bool {
        self.name.ends_with(".ics")
    }
}

/// The sources as one text: a lone TOML file as it is, several by name with a line before each.
#[must_use]
pub fn join(sources: &[Source]) -> Arc<str> {
    if let [source] = sources {
        return Arc::clone(&source.text);
    }
    let mut sources: Vec<_> = sources.iter().collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = String::new();
    for source in sources {
        text.extend([MARK, &source.name, "\n", &source.text]);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    text.into()
}

/// The sources that [`join`] made `text` from, up to a missing line end at the end of a file.
#[must_use]
pub fn split(text: &str) -> Vec<Source> {
    if !text.starts_with(MARK) {
        return vec![Source::new(LONE_NAME, text)];
    }
    let mut sources = Vec::new();
    let mut rest = text;
    while let Some((name, body)) = rest.strip_prefix(MARK).and_then(|rest| rest.split_once('\n')) {
        let end = marks(body).next().unwrap_or(body.len());
        sources.push(Source::new(name, &body[..end]));
        rest = &body[end..];
    }
    sources
}

/// SHA-256 of a roster's text.
#[must_use]
pub fn digest(text: &str) -> RosterDigest {
    let digest = Sha256::digest(text.as_bytes());
    RosterDigest(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

/// Faults of the texts themselves: their number, their size, a name that cannot stand on a line, a line that would be taken
/// for a file's name.
pub(super) fn faults(sources: &[Source]) -> Vec<Finding> {
    let mut faults = Vec::new();
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    if sources.is_empty() {
        faults.push(Finding::of_file("", "the roster has no files: give one TOML file or a folder of *.toml"));
    }
    if sources.len() > MAX_FILES {
        faults.push(Finding::of_file("", format!("the roster has {} files, the limit is {MAX_FILES}", sources.len())));
    }
    if bytes > MAX_TEXT_BYTES {
        faults.push(Finding::of_file("", format!("the roster has {bytes} bytes, the limit is {MAX_TEXT_BYTES}")));
    }
    for source in sources {
        if !is_plain(&source.name) {
            let shown: String = source.name.chars().take(MAX_NAME_SHOWN).collect();
            faults.push(Finding::of_file("", format!("a file has the name {shown:?}: use printable characters")));
            continue;
        }
        if source.text.len() > MAX_FILE_BYTES {
            faults.push(Finding::of_file(&source.name, too_large(source.text.len() as u64)));
        }
        if marks(&source.text).next().is_some() {
            faults.push(Finding::of_file(&source.name, format!("a line starts with {MARK:?}: change that comment")));
        }
    }
    faults
}

/// Whether a name can stand on a line of its own, in a roster's text and on a screen.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|it| MatterKind::accepts(it.encode_utf8(&mut [0; 4])))
}

/// Reads the TOML file at `path`, or every `*.toml` of the folder, and the feeds that they name.
pub(super) fn read(path: &Path) -> Result<Vec<Source>, Faults> {
    let shown = path.display().to_string();
    let unreadable = |error: std::io::Error| Finding::of_file(&shown, format!("cannot be read: {error}"));
    let (folder, names) = if path.is_dir() {
        (path, toml_names(path).map_err(unreadable)?)
    } else {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (path.parent().unwrap_or(Path::new("")), vec![name])
    };
    if names.len() > MAX_FILES {
        return Err(Finding::of_file(&shown, format!("has {} files, the limit is {MAX_FILES}", names.len())).into());
    }
    let mut sources = Vec::new();
    let mut faults = Vec::new();
    let mut feeds = Vec::new();
    for name in names {
        match read_file(&folder.join(&name)) {
            Ok(text) => {
                feeds.extend(feed_names(&text));
                sources.push(Source::new(&name, &text));
            }
            Err(reason) => faults.push(Finding::of_file(&name, reason)),
        }
    }
    feeds.sort();
    feeds.dedup();
    for name in feeds.into_iter().take(MAX_FILES).filter(|name| is_feed_name(name)) {
        // A feed that cannot be read is a fault of the line that names it.
        if let Ok(text) = read_file(&folder.join(&name)) {
            sources.push(Source::new(&name, &text));
        }
    }
    if faults.is_empty() { Ok(sources) } else { Err(Faults::of(faults, 0)) }
}

/// Whether a feed may be named so: inside the roster's folder, ending in `.ics`.
pub(super) fn is_feed_name(name: &str) -> bool {
    let path = Path::new(name);
    name.ends_with(".ics")
        && !name.chars().any(char::is_control)
        && path.components().all(|part| matches!(part, Component::Normal(_)))
}

pub(super) fn toml_names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_file(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() > MAX_FILE_BYTES {
        return Err(too_large(fs::metadata(path).map_or(bytes.len() as u64, |metadata| metadata.len())));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 text at byte {}: save it as UTF-8", error.utf8_error().valid_up_to()))
}

/// The feeds that the calendars of a file name. What is wrong with the file is found when it is parsed.
fn feed_names(text: &str) -> Vec<String> {
    let (table, _) = DeTable::parse_recoverable(text);
    let table = table.into_inner();
    let calendars = table.get("calendars").and_then(|calendars| calendars.get_ref().as_table());
    let calendars = calendars.into_iter().flat_map(|calendars| calendars.values());
    let feeds = calendars.filter_map(|calendar| calendar.get_ref().get("ics")?.get_ref().as_array());
    let files = feeds.flat_map(|feeds| feeds.iter()).filter_map(|feed| feed.get_ref().get("file")?.get_ref().as_str());
    files.map(str::to_owned).collect()
}

fn too_large(bytes: u64) -> String {
    format!("has {bytes} bytes, the limit is {MAX_FILE_BYTES}")
}

/// Where lines start that look like the start of a file.
fn marks(text: &str) -> impl Iterator<Item = usize> + '_ {
    let at_start = text.starts_with(MARK).then_some(0);
    at_start.into_iter().chain(text.match_indices("\n#:file ").map(|(offset, _)| offset + 1))
}
