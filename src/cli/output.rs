//! Data on stdout: text for people, JSON for programs.

use std::io::{self, IsTerminal, StdoutLock, Write};

use serde::Serialize;

use super::failure::Failure;

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// Stdout and how it is written.
#[derive(Debug)]
pub(super) struct Output {
    stdout: StdoutLock<'static>,
    format: Format,
    colour: bool,
}

impl Output {
    pub(super) fn of_stdout(format: Format) -> Self {
        let stdout = io::stdout();
        let colour = format == Format::Text && has_colour(stdout.is_terminal());
        Self { stdout: stdout.lock(), format, colour }
    }

    /// Whether JSON is asked for.
    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints a value as indented JSON.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::Failed(format!("the answer is no JSON: {error}")))?;
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Prints a value as one line of JSON.
    pub(super) fn json_line(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text =
            serde_json::to_string(value).map_err(|error| Failure::Failed(format!("the answer is no JSON: {error}")))?;
        Ok(writeln!(self.stdout, "{text}")?)
    }

    /// Prints a line.
    pub(super) fn line(&mut self, text: impl AsRef<str>) -> Result<(), Failure> {
        Ok(writeln!(self.stdout, "{}", text.as_ref())?)
    }

    /// Prints text as it is.
    pub(super) fn raw(&mut self, text: &str) -> Result<(), Failure> {
        Ok(self.stdout.write_all(text.as_bytes())?)
    }

    /// Prints a heading after an empty line.
    pub(super) fn heading(&mut self, text: &str) -> Result<(), Failure> {
        let text = self.bold(text);
        self.line(format!("\n{text}"))
    }

    /// Prints a name and a value; nothing when the value is empty.
    pub(super) fn field(&mut self, name: &str, value: &str) -> Result<(), Failure> {
        if value.is_empty() {
            return Ok(());
        }
        let padded = format!("{name:<FIELD_CHARS$}");
        let name = self.bold(&padded);
        self.line(format!("{name} {}", on_one_line(value)))
    }

    /// Prints rows under a head, in columns as wide as their widest cell.
    pub(super) fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| on_one_line(cell)).collect()).collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.max().unwrap_or(0).max(head[column].chars().count())
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let laid_out = |cells: Vec<&str>| {
            let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let head = self.bold(&laid_out(head.to_vec()));
        self.line(head)?;
        for row in &rows {
            self.line(laid_out(row.iter().map(String::as_str).collect()))?;
        }
        Ok(())
    }

    /// Writes what is still held back.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.stdout.flush()?)
    }

    fn bold(&self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Width of the names of fields.
const FIELD_CHARS: usize = 12;

/// Whether colour is wanted: on a terminal, and not under `NO_COLOR` (no-color.org) or a terminal that knows none.
pub(super) fn has_colour(is_terminal: bool) -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    is_terminal && !is_set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Text from elsewhere on one line, without what would steer a terminal.
pub(super) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
