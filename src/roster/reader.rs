//! Reading TOML with positions: every fault is kept with its place, and reading goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::finding::{Faults, Finding, MAX_FINDINGS};
use super::nearest::{hint, nearest};
use super::source::Source;

/// A place in the sources: the position of a file and a byte offset in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub file: usize,
    pub offset: usize,
}

/// Collects findings; turns places into lines and columns.
pub(super) struct Report<'a> {
    sources: &'a [Source],
    line_starts: Vec<Vec<usize>>,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Faults beyond [`MAX_FINDINGS`]: counted, and not worth the time of finding their place.
    more_faults: usize,
}

impl<'a> Report<'a> {
    pub fn new(sources: &'a [Source]) -> Self {
        let starts = |text: &str| std::iter::once(0).chain(text.match_indices('\n').map(|(i, _)| i + 1)).collect();
        let line_starts = sources.iter().map(|source| starts(&source.text)).collect();
        Self { sources, line_starts, faults: Vec::new(), warnings: Vec::new(), more_faults: 0 }
    }

    pub fn fault(&mut self, at: At, message: impl Into<String>) {
        if self.is_full() {
            self.more_faults += 1;
            return;
        }
        let finding = self.finding(at, message.into());
        self.faults.push(finding);
    }

    pub fn warn(&mut self, at: At, message: impl Into<String>) {
        if self.warnings.len() < MAX_FINDINGS {
            let finding = self.finding(at, message.into());
            self.warnings.push(finding);
        }
    }

    /// The warnings in order, or the faults when there are any.
    pub fn into_warnings(mut self) -> Result<Vec<Finding>, Faults> {
        if !self.faults.is_empty() {
            return Err(Faults::of(self.faults, self.more_faults));
        }
        self.warnings.sort();
        Ok(self.warnings)
    }

    /// Whether further faults are only counted.
    fn is_full(&self) -> bool {
        self.faults.len() >= MAX_FINDINGS
    }

    /// The place for people, such as `teams.toml:12`.
    pub fn line_of(&self, at: At) -> String {
        let (line, _) = self.position(at);
        format!("{}:{line}", self.sources[at.file].name)
    }

    fn finding(&self, at: At, message: String) -> Finding {
        let (line, column) = self.position(at);
        Finding { file: Arc::clone(&self.sources[at.file].name), line, column, message }
    }

    /// Line and column from 1, the column in characters.
    fn position(&self, at: At) -> (u32, u32) {
        let text = &self.sources[at.file].text;
        let starts = &self.line_starts[at.file];
        let offset = (0..=at.offset.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let line = starts.partition_point(|start| *start <= offset);
        let column = text[starts[line - 1]..offset].chars().count() + 1;
        (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
    }
}

/// A value, where it stands, and the key that it has or the key of the array that it is in.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub at: At,
    pub name: &'a str,
    pub value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    fn of(file: usize, name: &'a str, value: &'a Spanned<DeValue<'a>>) -> Self {
        Self { at: At { file, offset: value.span().start }, name, value: value.get_ref() }
    }

    /// The elements of an array, at most `limit`; a fault when it is none or has more.
    pub fn array(self, limit: usize, report: &mut Report) -> Vec<Node<'a>> {
        let Some(array) = self.value.as_array() else {
            self.wrong("an array", report);
            return Vec::new();
        };
        if array.len() > limit {
            report.fault(self.at, format!("{} has {} entries, the limit is {limit}", self.name, array.len()));
        }
        array.iter().take(limit).map(|value| Node::of(self.at.file, self.name, value)).collect()
    }

    /// The entries of a table with the places of their keys, at most `limit`, in the order of the file.
    pub fn entries(self, limit: usize, report: &mut Report) -> Vec<(At, Node<'a>)> {
        let Some(table) = self.value.as_table() else {
            self.wrong("a table", report);
            return Vec::new();
        };
        if table.len() > limit {
            report.fault(self.at, format!("{} has {} entries, the limit is {limit}", self.name, table.len()));
        }
        let file = self.at.file;
        let place = |span: Range<usize>| At { file, offset: span.start };
        let mut entries: Vec<_> =
            table.iter().map(|(key, value)| (place(key.span()), Node::of(file, key.get_ref(), value))).collect();
        entries.sort_by_key(|(at, _)| *at);
        entries.truncate(limit);
        entries
    }

    /// A key of a table, for a second look at what was read already.
    pub fn field(self, key: &'static str) -> Option<Self> {
        self.value.as_table()?.get(key).map(|value| Node::of(self.at.file, key, value))
    }

    /// The elements of an array under a key, for a second look.
    pub fn elements(self, key: &'static str) -> impl Iterator<Item = Node<'a>> {
        let array = self.field(key).and_then(|node| node.value.as_array());
        array.into_iter().flat_map(|array| array.iter()).map(move |value| Node::of(self.at.file, key, value))
    }

    /// Warns when this text is not among those that exist.
    pub fn warn_unless_among(self, existing: &BTreeSet<&str>, all: bool, message: &str, report: &mut Report) {
        let Some(text) = self.value.as_str().filter(|text| !all && !existing.contains(text)) else { return };
        let near = nearest(text, existing.iter().copied());
        report.warn(self.at, format!("{message} {text:?}{}", hint(near.as_deref())));
    }

    /// Says what was wanted instead of this value.
    pub fn wrong(self, wanted: &str, report: &mut Report) {
        report.fault(self.at, format!("{} is {}: use {wanted}", self.name, self.shown()));
    }

    /// The value for a message: scalars as they are, cut to 40 characters.
    fn shown(self) -> String {
        match self.value {
            DeValue::String(text) if text.chars().count() > 40 => {
                format!("{:?}...", text.chars().take(40).collect::<String>())
            }
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Array(_) => "an array".to_owned(),
            DeValue::Table(_) => "a table".to_owned(),
        }
    }
}

/// A table that is read key by key; what was never asked for is unknown.
pub(super) struct Fields<'a> {
    /// Where the table starts.
    pub at: At,
    /// What the table describes, such as `team "sydney"`.
    pub what: String,
    file: usize,
    table: &'a DeTable<'a>,
    known: Vec<&'static str>,
    missing: Vec<Missing>,
}

/// Something that must be there and is not: one of these keys.
struct Missing {
    keys: Vec<&'static str>,
    at: At,
    message: String,
}

impl<'a> Fields<'a> {
    pub fn of(node: Node<'a>, what: impl Into<String>, report: &mut Report) -> Option<Self> {
        let Some(table) = node.value.as_table() else {
            node.wrong("a table", report);
            return None;
        };
        Some(Self { at: node.at, what: what.into(), file: node.at.file, table, known: Vec::new(), missing: Vec::new() })
    }

    /// The tables of one file.
    pub fn of_file(file: usize, table: &'a DeTable<'a>) -> Self {
        Self {
            at: At { file, offset: 0 },
            what: "the roster".to_owned(),
            file,
            table,
            known: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// The value of a key, if it is there.
    pub fn get(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        self.table.get(key).map(|value| Node::of(self.file, key, value))
    }

    /// The value of a key, read; `None` also when it is faulty.
    pub fn read<T>(
        &mut self,
        key: &'static str,
        report: &mut Report,
        read: impl FnOnce(Node<'a>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        self.get(key).and_then(|node| read(node, report))
    }

    /// As [`Fields::read`], with a fault by [`Fields::finish`] when the key is not there.
    pub fn need<T>(
        &mut self,
        key: &'static str,
        report: &mut Report,
        read: impl FnOnce(Node<'a>, &mut Report) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(node) => read(node, report),
            None => {
                self.lacks(&[key], format!("{} has no {key:?}", self.what));
                None
            }
        }
    }

    /// One of these keys must be there and none is: a fault of the table, unless one of them is there with a typing error.
    pub fn lacks(&mut self, keys: &[&'static str], message: impl Into<String>) {
        self.missing.push(Missing { keys: keys.to_vec(), at: self.at, message: message.into() });
    }

    /// The elements of an array, each read; nothing when the key is not there.
    pub fn list<T>(
        &mut self,
        key: &'static str,
        limit: usize,
        report: &mut Report,
        mut read: impl FnMut(Node<'a>, &mut Report) -> Option<T>,
    ) -> Vec<T> {
        let Some(node) = self.get(key) else { return Vec::new() };
        node.array(limit, report).into_iter().filter_map(|element| read(element, report)).collect()
    }

    /// As [`Fields::list`], with a fault for an element that is there twice.
    pub fn set<T: PartialEq>(
        &mut self,
        key: &'static str,
        limit: usize,
        report: &mut Report,
        mut read: impl FnMut(Node<'a>, &mut Report) -> Option<T>,
    ) -> Vec<T> {
        let mut seen: Vec<T> = Vec::new();
        for node in self.get(key).map(|node| node.array(limit, report)).unwrap_or_default() {
            let Some(element) = read(node, report) else { continue };
            if seen.contains(&element) {
                report.fault(node.at, format!("{key} has {} twice: leave one out", node.shown()));
            } else {
                seen.push(element);
            }
        }
        seen
    }

    /// Faults every key that nobody asked for, and every key that is missing and not meant by one of those.
    pub fn finish(mut self, report: &mut Report) {
        for key in self.table.keys().filter(|key| !self.known.contains(&key.get_ref().as_ref())) {
            let at = At { file: self.file, offset: key.span().start };
            let shown: String = key.get_ref().chars().take(80).collect();
            let near = nearest(&shown, self.known.iter().copied());
            let hint = match &near {
                None => format!("; known are {}", self.known.join(", ")),
                near => hint(near.as_deref()),
            };
            self.missing.retain(|missing| !missing.keys.iter().any(|key| Some(*key) == near.as_deref()));
            report.fault(at, format!("{} has the unknown key {shown:?}{hint}", self.what));
        }
        for Missing { at, message, .. } in self.missing {
            report.fault(at, message);
        }
    }
}

/// The names that a kind of entry has in the whole roster, so that any entry can refer to any other.
pub(super) struct Names<'a> {
    /// The word for an entry, such as `calendar`.
    kind: &'static str,
    places: BTreeMap<&'a str, Option<At>>,
}

impl<'a> Names<'a> {
    pub fn new(kind: &'static str) -> Self {
        Self { kind, places: BTreeMap::new() }
    }

    /// The keys of tables that are named by their key.
    pub fn of_keys(kind: &'static str, nodes: &[(At, Node<'a>)], report: &mut Report) -> Self {
        let mut names = Self::new(kind);
        for (at, node) in nodes {
            names.add(node.name, *at, report);
        }
        names
    }

    /// The `id` of each table of an array.
    pub fn of_ids(kind: &'static str, nodes: &[Node<'a>], report: &mut Report) -> Self {
        let mut names = Self::new(kind);
        for node in nodes {
            let Some(id) = node.value.as_table().and_then(|table| table.get("id")) else { continue };
            if let Some(name) = id.get_ref().as_str() {
                names.add(name, At { file: node.at.file, offset: id.span().start }, report);
            }
        }
        names
    }

    /// Adds a name that is built in; the roster may define it too.
    pub fn add_builtin(&mut self, name: &'a str) {
        self.places.insert(name, None);
    }

    /// Adds a name; a fault when the roster has it already.
    pub fn add(&mut self, name: &'a str, at: At, report: &mut Report) {
        if let Some(Some(first)) = self.places.insert(name, Some(at)) {
            let line = report.line_of(first);
            report.fault(at, format!("{} {name:?} is defined twice: the first is at {line}", self.kind));
            self.places.insert(name, Some(first));
        }
    }

    /// A fault when `node` names nothing that exists.
    pub fn check(&self, name: &str, at: At, report: &mut Report) -> bool {
        let known = self.places.contains_key(name);
        if !known {
            // A suggestion looks at every name, so it is left out where it would not be shown.
            let near = if report.is_full() { None } else { nearest(name, self.places.keys().copied()) };
            report.fault(at, format!("{} {name:?} is not in the roster{}", self.kind, hint(near.as_deref())));
        }
        known
    }
}
