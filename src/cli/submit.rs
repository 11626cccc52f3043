//! `submit`: work requests from files to a daemon, many at once, answered one by one.
//!
//! A file is one JSON object, an array of them, or JSON lines. Requests travel as they were written, so that their
//! digest is the same however they are sent; sending a file again does nothing twice.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::daemon::{Daemon, DaemonArguments};
use super::failure::Failure;
use super::output::{Output, on_one_line};
use crate::engine::event::Refusal;
use crate::http::MAX_ARRAY;

/// Bytes of an input at most.
const MAX_INPUT_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of requests in one call; a larger request goes alone, and the daemon says what it thinks of it.
const MAX_CALL_BYTES: usize = 4 * 1024 * 1024;
/// Where requests go.
const REQUESTS: &str = "/api/v1/requests";

/// Arguments of `submit`.
#[derive(Debug, clap::Args)]
pub(super) struct SubmitArguments {
    /// Files with a work request, an array of them or JSON lines; - is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    daemon: DaemonArguments,
}

/// A request and where it was read.
struct Sending {
    request: Box<RawValue>,
    from: String,
}

/// How the daemon answers a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
enum Answer {
    Admitted { task: String, state: String, team: Option<String> },
    Duplicate { task: String },
    Refused { refusal: Refusal },
    Unavailable { detail: String },
}

/// An answer and the request that it is of.
#[derive(Serialize)]
struct Answered<'a> {
    from: &'a str,
    #[serde(flatten)]
    answer: &'a Answer,
}

/// How many requests ended in which way.
#[derive(Default)]
struct Count {
    admitted: usize,
    duplicate: usize,
    refused: usize,
    unavailable: usize,
}

pub(super) fn run(arguments: &SubmitArguments, output: &mut Output) -> Result<(), Failure> {
    let daemon = arguments.daemon.daemon()?;
    let mut sendings = Vec::new();
    for file in &arguments.files {
        sendings.append(&mut requests(file)?);
    }
    let progress = Progress::of_stderr(sendings.len());
    let mut count = Count::default();
    let mut rest = sendings.as_slice();
    while !rest.is_empty() {
        let (call, later) = rest.split_at(call_size(rest));
        for (sending, answer) in call.iter().zip(send(&daemon, call)?) {
            count.add(&answer);
            progress.clear();
            print(&sending.from, &answer, output)?;
        }
        output.flush()?;
        rest = later;
        progress.show(sendings.len() - rest.len());
    }
    progress.clear();
    count.end()
}

/// Sends requests in one call; there are as many answers as requests.
fn send(daemon: &Daemon, call: &[Sending]) -> Result<Vec<Answer>, Failure> {
    let requests: Vec<&str> = call.iter().map(|sending| sending.request.get()).collect();
    let body = format!("[{}]", requests.join(","));
    let answers: Vec<Answer> = daemon.post(REQUESTS, body.as_bytes())?;
    if answers.len() == call.len() {
        return Ok(answers);
    }
    Err(Failure::Failed(format!("{} requests have {} answers; send them again", call.len(), answers.len())))
}

/// How many of the requests go in one call: at least one.
fn call_size(rest: &[Sending]) -> usize {
    let mut bytes = 0;
    let fitting = rest.iter().take(MAX_ARRAY).take_while(|sending| {
        bytes += sending.request.get().len() + 1;
        bytes <= MAX_CALL_BYTES
    });
    fitting.count().max(1)
}

fn print(from: &str, answer: &Answer, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json_line(&Answered { from, answer });
    }
    let text = match answer {
        Answer::Admitted { task, state, team: Some(team) } => format!("{task}: {state} {team}"),
        Answer::Admitted { task, state, team: None } => format!("{task}: {state}"),
        Answer::Duplicate { task } => format!("{task}: duplicate, nothing to do"),
        Answer::Refused { refusal } => format!("{from}: refused ({}): {refusal}", refusal.code.as_str()),
        Answer::Unavailable { detail } => format!("{from}: not known whether taken, send it again: {detail}"),
    };
    output.line(on_one_line(&text))
}

impl Count {
    fn add(&mut self, answer: &Answer) {
        match answer {
            Answer::Admitted { .. } => self.admitted += 1,
            Answer::Duplicate { .. } => self.duplicate += 1,
            Answer::Refused { .. } => self.refused += 1,
            Answer::Unavailable { .. } => self.unavailable += 1,
        }
    }

    /// Says on stderr what did not go well.
    fn end(&self) -> Result<(), Failure> {
        let Self { admitted, duplicate, refused, unavailable } = self;
        let summary =
            format!("{admitted} admitted, {duplicate} duplicate, {refused} refused, {unavailable} not answered");
        match (refused, unavailable) {
            (0, 0) => Ok(()),
            (_, 0) => Err(Failure::Failed(summary)),
            _ => Err(Failure::Unreachable(summary)),
        }
    }
}

/// The requests of a file.
fn requests(file: &Path) -> Result<Vec<Sending>, Failure> {
    let shown = if file.as_os_str() == "-" { "stdin".to_owned() } else { file.display().to_string() };
    let bytes = read_input(file)?;
    let text =
        std::str::from_utf8(&bytes).map_err(|error| Failure::Failed(format!("{shown}: is no UTF-8: {error}")))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents = serde_json::Deserializer::from_str(text).into_iter::<Box<RawValue>>();
    let mut sendings = Vec::new();
    for document in documents {
        let document = document
            .map_err(|error| Failure::Failed(format!("{shown}:{}:{}: {error}", error.line(), error.column())))?;
        if document.get().starts_with('[') {
            let elements: Vec<Box<RawValue>> =
                serde_json::from_str(document.get()).map_err(|error| Failure::Failed(format!("{shown}: {error}")))?;
            sendings.extend(elements.into_iter().map(|request| Sending { request, from: String::new() }));
        } else {
            sendings.push(Sending { request: document, from: String::new() });
        }
    }
    if sendings.is_empty() {
        return Err(Failure::Failed(format!("{shown}: has no work request")));
    }
    for (index, sending) in sendings.iter_mut().enumerate() {
        sending.from = format!("{shown}[{index}]");
    }
    Ok(sendings)
}

/// The bytes of a file, or of stdin for `-`.
///
/// # Errors
/// It cannot be read, or is longer than the limit.
pub(super) fn read_input(file: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: io::Error| Failure::Failed(format!("{}: cannot be read: {error}", file.display()));
    let mut bytes = Vec::new();
    let from: Box<dyn Read> = if file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(fs::File::open(file).map_err(unreadable)?)
    };
    from.take(MAX_INPUT_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_INPUT_BYTES {
        let shown = file.display();
        return Err(Failure::Failed(format!("{shown}: has more than {MAX_INPUT_BYTES} bytes; send it in parts")));
    }
    Ok(bytes)
}

/// A line on stderr that shows how far it is; only on a terminal, and only when there is more than one call.
struct Progress {
    total: usize,
    is_shown: bool,
}

impl Progress {
    fn of_stderr(total: usize) -> Self {
        Self { total, is_shown: total > MAX_ARRAY && io::stderr().is_terminal() }
    }

    fn show(&self, done: usize) {
        /// Characters of the bar.
        const WIDTH: usize = 30;
        if self.is_shown {
            let filled = WIDTH * done / self.total.max(1);
            let bar = format!("{}{}", "#".repeat(filled), ".".repeat(WIDTH - filled));
            // Progress is a courtesy; a closed stderr is no fault of the work.
            let _ = write!(io::stderr(), "\r[{bar}] {done}/{}", self.total);
        }
    }

    fn clear(&self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
