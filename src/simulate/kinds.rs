//! The kinds of work that a simulated firm asks for.

use crate::engine::request::Priority;
use Priority::{High, Low, Normal, Urgent};

/// A kind of work: what is asked for, how much of it, how soon.
#[derive(Debug, Clone, Copy)]
pub(super) struct Kind {
    /// What the payload says that it is.
    pub title: &'static str,
    /// Work type of the roster.
    pub work_type: &'static str,
    /// Specialty, if a team of the roster has it.
    pub specialty: &'static str,
    /// Effort, from and to.
    pub effort_minutes: (u32, u32),
    /// Priority as a rule.
    pub priority: Priority,
    /// Deadline after the request, from and to; none when it has only its SLA.
    pub deadline_hours: Option<(u32, u32)>,
    /// How often, against the other kinds.
    pub share: u64,
    /// What is special about it.
    pub twist: Twist,
}

/// What is special about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Twist {
    /// Nothing.
    None,
    /// Somebody has to be there.
    InPerson,
    /// It needs contact in the client's hours.
    Contact,
    /// The law of another country than the client's applies.
    ForeignLaw,
    /// The documents are not in English.
    ForeignLanguage,
    /// It must stay in the client's country.
    AtHome,
    /// It asks for the team that had such work before, and excludes another.
    Teams,
    /// It starts when the client's last request is done.
    Successor,
    /// It must not start before some hours.
    Later,
}

const fn kind(
    title: &'static str,
    (work_type, specialty): (&'static str, &'static str),
    effort_minutes: (u32, u32),
    (priority, deadline_hours): (Priority, Option<(u32, u32)>),
    (share, twist): (u64, Twist),
) -> Kind {
    Kind { title, work_type, specialty, effort_minutes, priority, deadline_hours, share, twist }
}

pub(super) const KINDS: [Kind; 20] = [
    kind("First-level document review", ("document_review", "discovery"), (60, 360), (Normal, None), (14, Twist::None)),
    kind(
        "Second request production",
        ("document_review", "discovery"),
        (120, 480),
        (High, Some((20, 48))),
        (6, Twist::None),
    ),
    kind("Privilege log check", ("document_review", "discovery"), (45, 120), (Normal, None), (6, Twist::Successor)),
    kind(
        "Translated custodian files",
        ("document_review", "contracts"),
        (60, 240),
        (Normal, None),
        (5, Twist::ForeignLanguage),
    ),
    kind("Lease abstraction", ("document_review", "contracts"), (30, 180), (Low, None), (8, Twist::None)),
    kind(
        "Due diligence, contracts",
        ("document_review", "contracts"),
        (120, 300),
        (Normal, Some((24, 72))),
        (7, Twist::None),
    ),
    kind("Memo on limitation periods", ("legal_research", "research"), (60, 180), (Normal, None), (8, Twist::None)),
    kind(
        "Overnight authority check",
        ("legal_research", "research"),
        (30, 90),
        (Urgent, Some((8, 16))),
        (4, Twist::None),
    ),
    kind("Foreign law survey", ("legal_research", "contracts"), (90, 240), (Normal, None), (4, Twist::ForeignLaw)),
    kind("Data transfer assessment", ("legal_writing", "data_protection"), (90, 240), (Normal, None), (4, Twist::None)),
    kind("Client alert", ("legal_writing", "banking"), (60, 180), (Low, None), (4, Twist::Later)),
    kind(
        "Answer and counterclaim",
        ("drafting_pleadings", "litigation"),
        (120, 420),
        (High, Some((24, 60))),
        (5, Twist::AtHome),
    ),
    kind("Reply brief", ("drafting_briefs", "litigation"), (180, 480), (High, Some((30, 72))), (5, Twist::Teams)),
    kind("Prior-art search", ("patent_services", "patents"), (90, 300), (Normal, None), (6, Twist::None)),
    kind("National phase filing", ("patent_filing", "patents"), (60, 180), (High, Some((16, 40))), (4, Twist::None)),
    kind("Docket entries", ("back_office", "operations"), (15, 60), (Low, None), (10, Twist::None)),
    kind(
        "Predictive coding set-up",
        ("legal_tech_consulting", "legal_technology"),
        (60, 180),
        (Normal, None),
        (3, Twist::Contact),
    ),
    kind(
        "Service of process",
        ("agency_work", "litigation"),
        (60, 150),
        (Normal, Some((48, 96))),
        (2, Twist::InPerson),
    ),
    kind(
        "Procedural hearing",
        ("court_appearance", "litigation"),
        (120, 240),
        (High, Some((72, 120))),
        (2, Twist::InPerson),
    ),
    kind(
        "Settlement meeting",
        ("in_person_negotiation", "negotiation"),
        (120, 240),
        (Normal, Some((72, 120))),
        (1, Twist::InPerson),
    ),
];
