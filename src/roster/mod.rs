//! From files to validated types: the roster with its calendars, and the zones, holidays and closures that they need.
//!
//! [`load`] reads one TOML file or a folder of them, [`parse`] the same text from memory. Either gives a whole roster or
//! every fault at once, each as `file:line:column: message`; syntax comes first, since what cannot be read cannot be
//! checked. Pure but for the files it is asked to read: no clock, no network, no logging.

pub mod holidays;
pub mod ics;
pub mod zones;

mod calendars;
mod clients;
mod countries;
mod finding;
mod fingerprint;
mod nearest;
mod processes;
mod reader;
mod routing;
mod schema;
mod sla;
mod source;
mod teams;
mod values;
mod work_types;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_spanned::Spanned;
use toml::de::DeTable;

use self::reader::{At, Fields, Names, Node, Report};
use self::zones::{ZoneSource, Zones};
use crate::engine::calendar::Calendar;
use crate::engine::id::{CalendarId, Term};
use crate::engine::roster::{MAX_TEAMS, Roster, Team};

pub use calendars::{
    DEFAULT_FEED_AGE_DAYS, HOLIDAY_YEARS, MAX_CALENDARS, MAX_DATES, MAX_DATES_PER_ENTRY, MAX_FEEDS, MAX_HOLIDAYS,
    MAX_SHIFTS_PER_DAY,
};
pub use clients::{DEFAULT_CLIENT_WEIGHT, MAX_CLIENT_WEIGHT, MAX_CLIENTS, MAX_PLACES, MAX_URGENT_QUOTA, MAX_WALLS};
pub use finding::{Faults, Finding, MAX_FINDINGS};
pub use fingerprint::{Fingerprint, fingerprint};
pub use nearest::nearest;
pub use schema::schema;
pub use source::{MAX_FILE_BYTES, MAX_FILES, MAX_TEXT_BYTES, Source, digest, join, split};
pub use teams::{MAX_CAPABILITIES, MAX_EFFORT_HOURS, MAX_TERMS};

/// The sample roster inside the program, `config/roster.toml`.
const SAMPLE: &str = include_str!("../../config/roster.toml");

/// A roster that has no faults.
#[derive(Debug)]
pub struct Loaded {
    /// What the engine works with.
    pub roster: Roster,
    /// The text that the digest is of; [`split`] and [`parse`] make the same roster from it.
    pub text: Arc<str>,
    /// What is allowed but likely not meant, in the order of the files.
    pub warnings: Vec<Finding>,
}

/// Loads the TOML file at `path`, or every `*.toml` of the folder, with the feeds that they name. `anchor` is the instant
/// of the load: calendars answer for ten years on each side of it, and warnings are about the time after it.
///
/// # Errors
/// Every fault of the files, their paths as `path` gives them.
pub fn load(path: &Path, zones: ZoneSource, anchor: DateTime<Utc>) -> Result<Loaded, Faults> {
    let sources = source::read(path).map_err(|faults| Faults(with_folder(path, faults.0)))?;
    match parse(&sources, zones, anchor) {
        Ok(loaded) => Ok(Loaded { warnings: with_folder(path, loaded.warnings), ..loaded }),
        Err(faults) => Err(Faults(with_folder(path, faults.0))),
    }
}

/// Parses files in memory. Feeds (`*.ics`) are among them.
///
/// # Errors
/// Every fault of the files.
pub fn parse(sources: &[Source], zones: ZoneSource, anchor: DateTime<Utc>) -> Result<Loaded, Faults> {
    let zones = Zones::open(zones).map_err(|error| Finding::of_file("", error.to_string()))?;
    let documents = documents(sources)?;
    let mut report = Report::new(sources);
    let text = source::join(sources);
    let surroundings = calendars::Surroundings { sources, zones: &zones, anchor };
    let roster = Sections::of(&documents, &mut report).roster(&surroundings, &text, &mut report);
    let warnings = report.into_warnings()?;
    Ok(Loaded { roster, text, warnings })
}

/// Parses the text of a roster that was kept, as [`Loaded::text`] gives it.
///
/// # Errors
/// Every fault of the text, such as one that a newer version of the program finds.
pub fn parse_text(text: &str, zones: ZoneSource, anchor: DateTime<Utc>) -> Result<Loaded, Faults> {
    parse(&split(text), zones, anchor)
}

/// The calendars of a roster alone; other tables are not looked at, so they may be missing or faulty.
///
/// # Errors
/// Every fault of the calendars.
pub fn load_calendars(
    path: &Path,
    zones: ZoneSource,
    anchor: DateTime<Utc>,
) -> Result<BTreeMap<CalendarId, Arc<Calendar>>, Faults> {
    let zones = Zones::open(zones).map_err(|error| Finding::of_file("", error.to_string()))?;
    let sources = source::read(path).map_err(|faults| Faults(with_folder(path, faults.0)))?;
    let in_folder = |faults: Faults| Faults(with_folder(path, faults.0));
    let documents = documents(&sources).map_err(in_folder)?;
    let mut report = Report::new(&sources);
    let nodes = keyed("calendars", MAX_CALENDARS, &mut files(&documents), &mut report);
    Names::of_keys("calendar", &nodes, &mut report);
    let surroundings = calendars::Surroundings { sources: &sources, zones: &zones, anchor };
    let calendars = surroundings.calendars(&nodes, &mut report);
    report.into_warnings().map_err(in_folder)?;
    Ok(calendars)
}

/// The sample firm that `demo` runs with.
///
/// # Errors
/// None but those of the zone database; a test holds that the sample has no fault.
pub fn sample(zones: ZoneSource, anchor: DateTime<Utc>) -> Result<Loaded, Faults> {
    parse(&[Source::new("roster.toml", SAMPLE)], zones, anchor)
}

/// Findings with the names of files as they are reached from where the program runs.
fn with_folder(path: &Path, mut findings: Vec<Finding>) -> Vec<Finding> {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new("")) };
    for finding in findings.iter_mut().filter(|finding| !finding.file.is_empty() && Path::new(&*finding.file) != path) {
        finding.file = folder.join(&*finding.file).display().to_string().into();
    }
    findings
}

/// The TOML of each source; a feed has none.
type Document<'a> = Option<Spanned<DeTable<'a>>>;

/// Reads the syntax of all sources, or gives every syntax error.
fn documents(sources: &[Source]) -> Result<Vec<Document<'_>>, Faults> {
    let faults = source::faults(sources);
    if !faults.is_empty() {
        return Err(Faults::of(faults, 0));
    }
    let mut report = Report::new(sources);
    let mut documents = Vec::new();
    for (file, source) in sources.iter().enumerate() {
        if source.is_feed() {
            documents.push(None);
            continue;
        }
        let (document, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start);
            report.fault(At { file, offset }, error.message().replace('\n', ", "));
        }
        documents.push(Some(document));
    }
    report.into_warnings()?;
    Ok(documents)
}

fn files<'a>(documents: &'a [Document<'a>]) -> Vec<Fields<'a>> {
    let files = documents.iter().enumerate();
    files.filter_map(|(file, document)| Some(Fields::of_file(file, document.as_ref()?.get_ref()))).collect()
}

/// The entries of a table that may be in any file, in the order of files and lines.
fn keyed<'a>(key: &'static str, limit: usize, files: &mut [Fields<'a>], report: &mut Report) -> Vec<(At, Node<'a>)> {
    let tables: Vec<_> = files.iter_mut().filter_map(|file| file.get(key)).collect();
    let mut entries: Vec<_> = tables.into_iter().flat_map(|table| table.entries(limit, report)).collect();
    if entries.len() > limit {
        report.fault(entries[limit].0, format!("{key} has {} entries, the limit is {limit}", entries.len()));
        entries.truncate(limit);
    }
    entries
}

/// The elements of an array of tables that may be in any file.
fn listed<'a>(key: &'static str, limit: usize, files: &mut [Fields<'a>], report: &mut Report) -> Vec<Node<'a>> {
    let arrays: Vec<_> = files.iter_mut().filter_map(|file| file.get(key)).collect();
    let mut elements: Vec<_> = arrays.into_iter().flat_map(|array| array.array(limit, report)).collect();
    if elements.len() > limit {
        report.fault(elements[limit].at, format!("{key} has {} entries, the limit is {limit}", elements.len()));
        elements.truncate(limit);
    }
    elements
}

/// The tables of all files, found but not yet read.
struct Sections<'a> {
    calendars: Vec<(At, Node<'a>)>,
    teams: Vec<Node<'a>>,
    clients: Vec<Node<'a>>,
    work_types: Vec<(At, Node<'a>)>,
    sla: Vec<(At, Node<'a>)>,
    pauses: Vec<(At, Node<'a>)>,
    processes: Vec<(At, Node<'a>)>,
    walls: Vec<Node<'a>>,
    routing: Option<Node<'a>>,
}

impl<'a> Sections<'a> {
    fn of(documents: &'a [Document<'a>], report: &mut Report) -> Self {
        let mut files = files(documents);
        let sections = Self {
            calendars: keyed("calendars", MAX_CALENDARS, &mut files, report),
            teams: listed("teams", MAX_TEAMS, &mut files, report),
            clients: listed("clients", MAX_CLIENTS, &mut files, report),
            work_types: keyed("work_types", work_types::MAX_WORK_TYPES, &mut files, report),
            sla: keyed("sla", sla::MAX_POLICIES, &mut files, report),
            pauses: keyed("pauses", sla::MAX_PAUSES, &mut files, report),
            processes: keyed("processes", processes::MAX_PROCESSES, &mut files, report),
            walls: listed("walls", MAX_WALLS, &mut files, report),
            routing: Self::routing(&mut files, report),
        };
        for file in files {
            file.finish(report);
        }
        sections
    }

    /// The one `[routing]`; a second is a fault.
    fn routing(files: &mut [Fields<'a>], report: &mut Report) -> Option<Node<'a>> {
        let mut tables: Vec<_> = files.iter_mut().filter_map(|file| file.get("routing")).collect();
        for second in tables.iter().skip(1) {
            let line = report.line_of(tables[0].at);
            report.fault(second.at, format!("routing is defined twice: the first is at {line}"));
        }
        tables.truncate(1);
        tables.pop()
    }

    /// Reads every section; names first, so that entries may refer to each other in any order.
    fn roster(&self, surroundings: &calendars::Surroundings, text: &str, report: &mut Report) -> Roster {
        let calendar_names = Names::of_keys("calendar", &self.calendars, report);
        let sla_names = Names::of_keys("sla", &self.sla, report);
        let pause_names = Names::of_keys("pause", &self.pauses, report);
        let mut work_type_names = Names::of_keys("work type", &self.work_types, report);
        work_types::CATALOGUE.iter().for_each(|(id, ..)| work_type_names.add_builtin(id));
        Names::of_keys("process", &self.processes, report);
        let team_names = Names::of_ids("team", &self.teams, report);
        let client_names = Names::of_ids("client", &self.clients, report);

        let calendars = surroundings.calendars(&self.calendars, report);
        let mut work_types = work_types::built_in();
        let built_in = work_types.clone();
        for (at, node) in &self.work_types {
            if let Some(work_type) = work_types::work_type(*at, *node, &built_in, &sla_names, report) {
                work_types.insert(work_type.id.clone(), work_type);
            }
        }
        let of_teams =
            teams::Surroundings { calendars: &calendars, calendar_names: &calendar_names, anchor: surroundings.anchor };
        let mut teams: Vec<_> = self.teams.iter().filter_map(|node| of_teams.team(*node, report)).collect();
        teams.sort_by(|a, b| a.id.cmp(&b.id));
        let of_clients =
            clients::Surroundings { calendars: &calendars, calendar_names: &calendar_names, sla_names: &sla_names };
        let clients: Vec<_> = self.clients.iter().filter_map(|node| of_clients.client(*node, report)).collect();
        let policies: Vec<_> = (self.sla.iter())
            .filter_map(|(at, node)| sla::policy(*at, *node, &calendar_names, &pause_names, report))
            .collect();
        let pauses: Vec<_> = self.pauses.iter().filter_map(|(at, node)| sla::pause(*at, *node, report)).collect();
        let processes: Vec<_> = (self.processes.iter())
            .filter_map(|(at, node)| processes::process(*at, *node, &work_types, &work_type_names, report))
            .collect();
        self.warn_of_names_without_teams(&teams, report);
        let walls = clients::walls(&self.walls, &team_names, &client_names, report);
        let routing = routing::routing(self.routing, report);
        Roster {
            digest: digest(text),
            tzdata: surroundings.zones.version().version.as_str().into(),
            calendars,
            teams,
            clients: clients.into_iter().map(|client| (client.id.clone(), client)).collect(),
            work_types,
            sla: policies.into_iter().map(|policy| (policy.id.clone(), policy)).collect(),
            pauses: pauses.into_iter().collect(),
            processes: processes.into_iter().map(|process| (process.id.clone(), process)).collect(),
            walls,
            routing,
        }
    }

    /// Warns of regions and specialties that the roster asks for and no team has. Nothing defines them, so a typing error
    /// would show only as work that nobody may do.
    fn warn_of_names_without_teams(&self, teams: &[Team], report: &mut Report) {
        let held = || teams.iter().flat_map(|team| &team.capabilities);
        let specialties: BTreeSet<_> = held().filter_map(|held| held.specialty.as_ref().map(Term::as_str)).collect();
        let regions: BTreeSet<_> = teams.iter().filter_map(|team| team.region.as_ref().map(Term::as_str)).collect();
        let holds_all = held().any(|held| held.specialty.is_none());
        let work_types = self.work_types.iter().map(|(_, node)| *node);
        let steps = self.processes.iter().flat_map(|(_, node)| node.elements("steps"));
        for asked in work_types.chain(steps).filter_map(|node| node.field("specialty")) {
            asked.warn_unless_among(&specialties, holds_all, "no team holds the specialty", report);
        }
        for asked in self.clients.iter().flat_map(|node| node.elements("residency")) {
            asked.warn_unless_among(&regions, false, "no team is in region", report);
        }
    }
}
