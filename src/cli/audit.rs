//! `audit`: the chain of facts, checked or written out for others to check.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::json;

use super::daemon::{Daemon, DaemonArguments};
use super::failure::{self, Failure};
use super::output::Output;
use crate::http::{AuditPage, MAX_PAGE};
use crate::store::{Reader, sqlite};
use crate::wire::audit::{self, Record, Start, hex};
use crate::wire::chain::{Head, Verifier};
use crate::wire::fact::FactSeq;

/// Arguments of `audit`.
#[derive(Debug, clap::Args)]
pub(super) struct AuditArguments {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// Check that every fact follows from the one before, and that the chain leads through what was anchored; exit 1 where not
    Verify(VerifyArguments),
    /// Print the chain as JSON lines: where it begins, then each fact with digest and link
    Export(ExportArguments),
}

#[derive(Debug, clap::Args)]
struct VerifyArguments {
    #[command(flatten)]
    from: FromArguments,
    /// An export to check
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "url"])]
    export: Option<PathBuf>,
    /// A fact and its link, as an anchor or a backup told them
    #[arg(long = "anchor", value_name = "SEQ:LINK", value_parser = audit::anchor)]
    anchors: Vec<Head>,
    /// A file of anchors, one a line: SEQ:LINK, or audit.anchor events as they were published
    #[arg(long = "anchors", value_name = "FILE")]
    anchors_file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct ExportArguments {
    #[command(flatten)]
    from: FromArguments,
}

/// Where the chain is read.
#[derive(Debug, clap::Args)]
struct FromArguments {
    /// The SQLite file of a store, running or not [default: the daemon is asked]
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    store: Option<PathBuf>,
    #[command(flatten)]
    daemon: DaemonArguments,
}

pub(super) fn run(arguments: &AuditArguments, output: &mut Output) -> Result<(), Failure> {
    match &arguments.command {
        AuditCommand::Verify(arguments) => verify(arguments, output),
        AuditCommand::Export(arguments) => {
            let mut chain = arguments.from.chain()?;
            let start = chain.start()?;
            output.json_line(&json!({ "start": start }))?;
            while let Some(records) = chain.next_page()? {
                records.iter().try_for_each(|record| output.json_line(record))?;
            }
            Ok(())
        }
    }
}

fn verify(arguments: &VerifyArguments, output: &mut Output) -> Result<(), Failure> {
    let mut anchors = arguments.anchors.clone();
    if let Some(path) = &arguments.anchors_file {
        anchors.extend(anchors_of(path)?);
    }
    let mut chain: Box<dyn Chain> = match &arguments.export {
        Some(path) => Box::new(Export::open(path)?),
        None => arguments.from.chain()?,
    };
    let start = chain.start()?.head().map_err(|why| Failure::Failed(format!("the start of the chain: {why}")))?;
    let before = anchors.iter().filter(|anchor| anchor.seq < start.seq).count();
    let checked = anchors.len() - before;
    if checked == 0 {
        failure::warn("no anchor is in the chain: one that was cut off or written anew as a whole would not show");
    }
    let (mut verifier, mut purged) = (Verifier::new(start, anchors), 0_u64);
    let broken = |why: String| Failure::Failed(why);
    while let Some(records) = chain.next_page()? {
        for record in records {
            let fact = record
                .fact()
                .map_err(|why| broken(format!("the audit chain is broken at fact {}: {why}", record.seq)))?;
            purged += u64::from(fact.body.is_empty());
            verifier.check(&fact).map_err(|at| broken(at.to_string()))?;
        }
    }
    let head = verifier.finish().map_err(|at| broken(at.to_string()))?;
    if output.is_json() {
        return output.json(&json!({
            "holds": true,
            "after": start.seq.0,
            "last_fact": head.seq.0,
            "link": hex(&head.link),
            "facts": head.seq.0 - start.seq.0,
            "purged": purged,
            "anchors": checked,
            "anchors_before_the_start": before,
        }));
    }
    let facts = head.seq.0 - start.seq.0;
    output.line(format!("the chain holds: {facts} facts after fact {}, {purged} of them purged", start.seq.0))?;
    output.line(format!("anchors: {checked} hold, {before} are of facts that were forgotten"))?;
    output.line(format!("{}:{}", head.seq.0, hex(&head.link)))
}

fn anchors_of(path: &Path) -> Result<Vec<Head>, Failure> {
    let shown = path.display();
    let mut anchors = Vec::new();
    for (index, line) in lines_of(path)?.enumerate() {
        let line = line.map_err(|error| Failure::Failed(format!("{shown}: cannot be read: {error}")))?;
        if !line.trim().is_empty() {
            let fault = |why| Failure::Failed(format!("{shown}:{}: {why}", index + 1));
            anchors.push(audit::anchor(&line).map_err(fault)?);
        }
    }
    Ok(anchors)
}

fn lines_of(path: &Path) -> Result<std::io::Lines<BufReader<File>>, Failure> {
    let unreadable = |error| Failure::Failed(format!("{}: cannot be read: {error}", path.display()));
    Ok(BufReader::new(File::open(path).map_err(unreadable)?).lines())
}

/// A chain that is read page by page.
trait Chain {
    /// Where it begins. Asked for first.
    fn start(&mut self) -> Result<Start, Failure>;

    /// The facts behind those that were read; `None` at the end.
    fn next_page(&mut self) -> Result<Option<Vec<Record>>, Failure>;
}

impl FromArguments {
    fn chain(&self) -> Result<Box<dyn Chain>, Failure> {
        match &self.store {
            Some(path) => {
                let reader = sqlite::reader(path).map_err(|error| Failure::Failed(error.to_string()))?;
                Ok(Box::new(Store { reader, read: FactSeq(0) }))
            }
            None => Ok(Box::new(Asked { daemon: self.daemon.daemon()?, first: None, after: Some(0) })),
        }
    }
}

/// The chain of a file.
struct Store {
    reader: Box<dyn Reader>,
    read: FactSeq,
}

impl Chain for Store {
    fn start(&mut self) -> Result<Start, Failure> {
        let start = self.reader.chain_start().map_err(|error| Failure::Failed(error.to_string()))?;
        self.read = start.seq;
        Ok(start.into())
    }

    fn next_page(&mut self) -> Result<Option<Vec<Record>>, Failure> {
        let facts = self.reader.facts_after(self.read, MAX_PAGE).map_err(|error| Failure::Failed(error.to_string()))?;
        let Some(last) = facts.last() else { return Ok(None) };
        self.read = last.seq;
        Ok(Some(facts.iter().map(Record::from).collect()))
    }
}

/// The chain of a daemon.
struct Asked {
    daemon: Daemon,
    /// The page that told the start.
    first: Option<Vec<Record>>,
    after: Option<u64>,
}

impl Asked {
    fn ask(&mut self, after: u64) -> Result<AuditPage, Failure> {
        let page: AuditPage = self.daemon.get(&format!("/api/v1/audit?limit={MAX_PAGE}&after={after}"))?;
        self.after = page.next;
        Ok(page)
    }
}

impl Chain for Asked {
    fn start(&mut self) -> Result<Start, Failure> {
        let AuditPage { start, records, .. } = self.ask(0)?;
        self.first = Some(records);
        Ok(start)
    }

    fn next_page(&mut self) -> Result<Option<Vec<Record>>, Failure> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        match self.after {
            Some(after) => self.ask(after).map(|page| Some(page.records)),
            None => Ok(None),
        }
    }
}

/// The chain that an export holds.
struct Export {
    lines: std::io::Lines<BufReader<File>>,
    shown: String,
    line: usize,
}

impl Export {
    fn open(path: &Path) -> Result<Self, Failure> {
        Ok(Self { lines: lines_of(path)?, shown: path.display().to_string(), line: 0 })
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Failure> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        self.line += 1;
        let fault = |why: String| Failure::Failed(format!("{}:{}: {why}", self.shown, self.line));
        let line = line.map_err(|error| fault(error.to_string()))?;
        serde_json::from_str(&line).map(Some).map_err(|error| fault(format!("is no line of an export: {error}")))
    }
}

impl Chain for Export {
    fn start(&mut self) -> Result<Start, Failure> {
        #[derive(serde::Deserialize)]
        struct First {
            start: Start,
        }
        let first: Option<First> = self.read()?;
        first.map(|it| it.start).ok_or_else(|| Failure::Failed(format!("{}: is empty", self.shown)))
    }

    fn next_page(&mut self) -> Result<Option<Vec<Record>>, Failure> {
        let record: Option<Record> = self.read()?;
        Ok(record.map(|record| vec![record]))
    }
}
