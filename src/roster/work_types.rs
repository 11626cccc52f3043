//! `[work_types.<id>]`: the catalogue of work, the built-in one and what a roster changes in it or adds to it.

use std::collections::BTreeMap;

use super::reader::{At, Fields, Names, Node, Report};
use super::teams::{MAX_TERMS, skills};
use super::values;
use crate::engine::id::{Term, WorkTypeId};
use crate::engine::request::{Presence, SkillNeed};
use crate::engine::roster::{HandoffRule, WorkType};

/// Work types of a roster at most.
pub const MAX_WORK_TYPES: usize = 1_000;
/// Minutes of effort at most: a year.
pub const MAX_EFFORT_MINUTES: u32 = 525_600;

pub(super) const PRESENCES: [(&str, Presence); 3] =
    [("none", Presence::None), ("contact", Presence::Contact), ("in_person", Presence::InPerson)];
pub(super) const HANDOFFS: [(&str, HandoffRule); 3] =
    [("never", HandoffRule::Never), ("when_better", HandoffRule::WhenBetter), ("always", HandoffRule::Always)];

/// The built-in catalogue: id, presence, specialty, minutes of effort.
pub(super) const CATALOGUE: [(&str, Presence, Option<&str>, u32); 12] = [
    ("document_review", Presence::None, None, 240),
    ("legal_research", Presence::None, None, 180),
    ("legal_writing", Presence::None, None, 240),
    ("drafting_pleadings", Presence::None, None, 300),
    ("drafting_briefs", Presence::None, None, 360),
    ("patent_services", Presence::None, Some("patents"), 240),
    ("patent_filing", Presence::None, Some("patents"), 180),
    ("back_office", Presence::None, None, 60),
    ("legal_tech_consulting", Presence::None, None, 120),
    ("agency_work", Presence::InPerson, None, 120),
    ("court_appearance", Presence::InPerson, None, 240),
    ("in_person_negotiation", Presence::InPerson, None, 240),
];

/// The built-in catalogue as work types.
pub(super) fn built_in() -> BTreeMap<WorkTypeId, WorkType> {
    let types = CATALOGUE.into_iter().filter_map(|(id, presence, specialty, effort_minutes)| {
        let id = WorkTypeId::new(id).ok()?;
        let work_type = WorkType {
            id: id.clone(),
            presence,
            specialty: specialty.and_then(|specialty| Term::new(specialty).ok()),
            languages: Vec::new(),
            skills: Vec::new(),
            effort_minutes: Some(effort_minutes),
            sla: None,
            handoff: default_handoff(presence),
        };
        Some((id, work_type))
    });
    types.collect()
}

/// A work type by the key of its table: what it does not say stays as `base` has it.
pub(super) fn work_type(
    at: At,
    node: Node,
    built_in: &BTreeMap<WorkTypeId, WorkType>,
    sla_names: &Names,
    report: &mut Report,
) -> Option<WorkType> {
    let id = WorkTypeId::new(node.name).map_err(|error| report.fault(at, error.to_string())).ok();
    let mut fields = Fields::of(node, format!("work type {:?}", node.name), report)?;
    let base = id.as_ref().and_then(|id| built_in.get(id));
    let said_presence = fields.read("presence", report, values::choice(&PRESENCES));
    let presence = said_presence.or(base.map(|base| base.presence)).unwrap_or_default();
    let specialty = fields.read("specialty", report, values::id);
    let languages = fields.set("languages", MAX_TERMS, report, values::id);
    let needs = fields.get("skills").map(|node| skills(node, report)).unwrap_or_default();
    let effort_minutes = fields.read("effort_minutes", report, values::whole(1..=MAX_EFFORT_MINUTES));
    let sla = fields.read("sla", report, values::reference(sla_names));
    let handoff = fields.read("handoff", report, values::choice(&HANDOFFS));
    fields.finish(report);
    Some(WorkType {
        id: id?,
        presence,
        specialty: specialty.or_else(|| base?.specialty.clone()),
        languages,
        skills: needs.into_iter().map(|(name, level)| SkillNeed { name, level }).collect(),
        effort_minutes: effort_minutes.or_else(|| base?.effort_minutes),
        sla,
        handoff: handoff.unwrap_or_else(|| default_handoff(presence)),
    })
}

/// Work that needs somebody there does not move at a shift end.
fn default_handoff(presence: Presence) -> HandoffRule {
    match presence {
        Presence::None => HandoffRule::WhenBetter,
        Presence::Contact | Presence::InPerson => HandoffRule::Never,
    }
}
