//! Reading settings key by key: every fault is kept, and what was never asked for is unknown.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use config::{Map, Value, ValueKind};

use super::secret::Secret;

/// Bytes of a file with a secret at most.
pub const MAX_SECRET_BYTES: u64 = 64 * 1024;
/// Characters of a text at most.
pub const MAX_TEXT_CHARS: usize = 1_024;
/// Entries of a list at most.
pub const MAX_LIST: usize = 100;

/// Similarity from 0 to 1 below which a suggestion would only mislead.
const MIN_SIMILARITY: f64 = 0.8;

/// One thing that is wrong with the settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SettingsFault {
    /// The setting, such as `amqp.prefetch`; empty when the file as a whole is at fault.
    pub field: String,
    /// The value where it may be shown, where it comes from, the limit, and what to do.
    pub message: String,
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { f.write_str(&self.message) } else { write!(f, "{} {}", self.field, self.message) }
    }
}

/// A table of settings and where its faults go.
pub(super) struct Fields<'f> {
    path: String,
    values: Map<String, Value>,
    known: Vec<&'static str>,
    faults: &'f mut Vec<SettingsFault>,
}

impl<'f> Fields<'f> {
    pub fn new(values: Map<String, Value>, faults: &'f mut Vec<SettingsFault>) -> Self {
        Self { path: String::new(), values, known: Vec::new(), faults }
    }

    /// Reads a table inside this one; an absent one reads as empty.
    pub fn section<T>(&mut self, key: &'static str, read: impl FnOnce(&mut Fields) -> T) -> T {
        let value = self.take(key);
        let values = match value.map(|value| value.kind) {
            Some(ValueKind::Table(values)) => values,
            None => Map::new(),
            // What stands there may be a secret in the wrong place, so it is not shown.
            Some(_) => {
                self.fault(key, "is not a table: give its keys one by one");
                Map::new()
            }
        };
        let mut fields = Fields { path: self.name(key), values, known: Vec::new(), faults: self.faults };
        let read = read(&mut fields);
        fields.finish();
        read
    }

    /// Whether the key is given.
    pub fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The file that a key names, without asking for the key.
    pub fn file_named(&self, key: &str) -> Option<PathBuf> {
        match &self.values.get(key)?.kind {
            ValueKind::String(text) => Some(PathBuf::from(text)),
            _ => None,
        }
    }

    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.take(key)?;
        match &value.kind {
            ValueKind::String(text) if (1..=MAX_TEXT_CHARS).contains(&text.chars().count()) => Some(text.clone()),
            _ => self.wrong(key, &value, &format!("use text of 1 to {MAX_TEXT_CHARS} characters")),
        }
    }

    pub fn path(&mut self, key: &'static str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// Text that is checked and turned into something else.
    pub fn parsed<T>(&mut self, key: &'static str, wanted: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let value = self.take(key)?;
        let parsed = match &value.kind {
            ValueKind::String(text) => parse(text),
            _ => None,
        };
        parsed.or_else(|| self.wrong(key, &value, wanted))
    }

    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<_> = choices.iter().map(|(word, _)| format!("{word:?}")).collect();
        let find = |text: &str| choices.iter().find(|(word, _)| *word == text).map(|(_, choice)| *choice);
        self.parsed(key, &format!("use {}", words.join(" or ")), find)
    }

    /// A whole number in `range`; the environment gives it as text.
    pub fn whole(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.take(key)?;
        let number = match &value.kind {
            ValueKind::I64(number) => u64::try_from(*number).ok(),
            ValueKind::U64(number) => Some(*number),
            ValueKind::String(text) if is_from_environment(&value) => text.parse().ok(),
            _ => None,
        };
        let wanted = || format!("use a whole number from {} to {}", range.start(), range.end());
        number.filter(|number| range.contains(number)).or_else(|| self.wrong(key, &value, &wanted()))
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        match &value.kind {
            ValueKind::Boolean(truth) => Some(*truth),
            ValueKind::String(text) if is_from_environment(&value) && text == "true" => Some(true),
            ValueKind::String(text) if is_from_environment(&value) && text == "false" => Some(false),
            _ => self.wrong(key, &value, "use true or false"),
        }
    }

    /// A list of texts; the environment gives it with commas.
    pub fn list(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.take(key)?;
        let list: Option<Vec<String>> = match &value.kind {
            ValueKind::Array(values) => values.iter().map(|value| value.clone().into_string().ok()).collect(),
            ValueKind::String(text) if is_from_environment(&value) => {
                Some(text.split(',').map(str::to_owned).collect())
            }
            _ => None,
        };
        let fits = |list: &Vec<String>| list.len() <= MAX_LIST && list.iter().all(|text| !text.trim().is_empty());
        list.filter(fits)
            .or_else(|| self.wrong(key, &value, &format!("use a list of at most {MAX_LIST} texts, none empty")))
    }

    /// A secret, given itself or, under `file_key`, as the name of a file that holds it.
    pub fn secret(&mut self, key: &'static str, file_key: &'static str) -> Option<Secret> {
        let value = self.take(key);
        let file = self.path(file_key);
        match (value, file) {
            (Some(_), Some(_)) => {
                self.fault(key, format!("is given, and so is {}: leave one out", self.name(file_key)));
                None
            }
            (Some(value), None) => match value.kind {
                ValueKind::String(text) if !text.is_empty() => Some(Secret::new(&text)),
                _ => {
                    self.fault(key, "is not text: give it in quotes (its value is not shown)");
                    None
                }
            },
            (None, Some(path)) => match read_secret(&path) {
                Ok(secret) => Some(secret),
                Err(reason) => {
                    self.fault(file_key, format!("= {:?} {reason}", path.display().to_string()));
                    None
                }
            },
            (None, None) => None,
        }
    }

    /// Adds a fault of a setting of this table.
    pub fn fault(&mut self, key: &str, message: impl Into<String>) {
        let fault = SettingsFault { field: self.name(key), message: message.into() };
        self.faults.push(fault);
    }

    /// Faults every key that nobody asked for.
    pub fn finish(mut self) {
        let mut unknown: Vec<_> = self.values.keys().cloned().collect();
        unknown.sort();
        for key in unknown {
            let shown: String = key.chars().take(80).collect();
            let similarity = |known: &str| strsim::jaro_winkler(&shown, known);
            let near = self.known.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
            let message = match near.filter(|near| similarity(near) >= MIN_SIMILARITY) {
                Some(near) => format!("is not a setting; did you mean {}?", self.name(near)),
                None => format!("is not a setting; known here are {}", self.known.join(", ")),
            };
            self.fault(&shown, message);
        }
    }

    fn wrong<T>(&mut self, key: &str, value: &Value, wanted: &str) -> Option<T> {
        let shown = match &value.kind {
            ValueKind::String(text) => format!("{:?}", text.chars().take(80).collect::<String>()),
            ValueKind::Table(_) => "a table".to_owned(),
            ValueKind::Array(_) => "a list".to_owned(),
            _ => value.to_string(),
        };
        let origin = if is_from_environment(value) { " from the environment" } else { "" };
        self.fault(key, format!("= {shown}{origin}: {wanted}"));
        None
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.values.remove(key)
    }

    fn name(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

fn is_from_environment(value: &Value) -> bool {
    value.origin() == Some("the environment")
}

/// The text of a file without the line end that editors leave.
///
/// # Errors
/// Why there is none, without anything of the file.
pub fn read_secret(path: &Path) -> Result<Secret, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| format!("cannot be read: {error}"))?;
    let text = text.trim_end_matches(['\r', '\n']);
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("has more than {MAX_SECRET_BYTES} bytes: use a file with the secret alone"));
    }
    if text.is_empty() {
        return Err("is empty: write the secret into it".to_owned());
    }
    Ok(Secret::new(text))
}
