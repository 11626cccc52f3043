//! `[processes.<id>]`: templates of steps that depend on each other without a cycle.

use std::collections::BTreeMap;

use super::reader::{At, Fields, Names, Node, Report};
use super::values;
use super::work_types::MAX_EFFORT_MINUTES;
use crate::engine::id::{ProcessId, RequestId, WorkTypeId};
use crate::engine::process::MAX_STEPS;
use crate::engine::request::Step;
use crate::engine::roster::{Process, WorkType};

/// Processes of a roster at most.
pub const MAX_PROCESSES: usize = 1_000;

/// A process by the key of its table.
pub(super) fn process(
    at: At,
    node: Node,
    work_types: &BTreeMap<WorkTypeId, WorkType>,
    work_type_names: &Names,
    report: &mut Report,
) -> Option<Process> {
    let id = ProcessId::new(node.name).map_err(|error| report.fault(at, error.to_string())).ok();
    let mut fields = Fields::of(node, format!("process {:?}", node.name), report)?;
    fields.at = at;
    let nodes = fields.list("steps", MAX_STEPS, report, |node, _| Some(node));
    if nodes.is_empty() {
        fields.lacks(&["steps"], format!("{} has no steps: add [[processes.{}.steps]]", fields.what, node.name));
    }
    fields.finish(report);

    let names = Names::of_ids("step", &nodes, report);
    let steps: Vec<_> = nodes
        .iter()
        .filter_map(|node| Some((node.at, step(*node, &names, work_types, work_type_names, report)?)))
        .collect();
    if let Some((at, path)) = cycle(&steps) {
        report.fault(at, format!("the steps wait for each other in a cycle: {}", path.join(" -> ")));
    }
    Some(Process { id: id?, steps: steps.into_iter().map(|(_, step)| step).collect() })
}

fn step(
    node: Node,
    names: &Names,
    work_types: &BTreeMap<WorkTypeId, WorkType>,
    work_type_names: &Names,
    report: &mut Report,
) -> Option<Step> {
    let label = node.value.get("id").and_then(|id| id.get_ref().as_str()).unwrap_or("without an id");
    let mut fields = Fields::of(node, format!("step {label:?}"), report)?;
    let id = fields.need("id", report, values::id);
    let work_type: Option<WorkTypeId> = fields.need("work_type", report, values::reference(work_type_names));
    let jurisdiction = fields.read("jurisdiction", report, values::jurisdiction);
    let specialty = fields.read("specialty", report, values::id);
    let effort_minutes = fields.read("effort_minutes", report, values::whole(1..=MAX_EFFORT_MINUTES));
    let after = fields.set("after", MAX_STEPS, report, values::reference(names));
    let default = work_type.as_ref().and_then(|id| work_types.get(id));
    if node.value.get("effort_minutes").is_none() && default.is_some_and(|default| default.effort_minutes.is_none()) {
        fields.lacks(&["effort_minutes"], format!("{} has no \"effort_minutes\", nor has its work type", fields.what));
    }
    fields.finish(report);
    Some(Step { id: id?, work_type: work_type?, jurisdiction, specialty, effort_minutes, after })
}

/// The first step, in the order of the file, from which waiting leads back to itself, with the way there.
fn cycle(steps: &[(At, Step)]) -> Option<(At, Vec<&str>)> {
    let mut by_id: BTreeMap<&RequestId, &Step> = BTreeMap::new();
    for (_, step) in steps {
        by_id.entry(&step.id).or_insert(step);
    }
    steps.iter().find_map(|(at, step)| path_back(&step.id, &by_id).map(|path| (*at, path)))
}

/// The shortest way from a step over `after` back to it: breadth first, each step seen once.
fn path_back<'a>(start: &'a RequestId, by_id: &BTreeMap<&'a RequestId, &'a Step>) -> Option<Vec<&'a str>> {
    let mut came_from: BTreeMap<&RequestId, &RequestId> = BTreeMap::new();
    let mut layer = vec![start];
    while !layer.is_empty() {
        let mut next_layer = Vec::new();
        for id in layer {
            for next in by_id.get(id).into_iter().flat_map(|step| &step.after) {
                if next == start {
                    return Some(way(start, id, &came_from));
                }
                if !came_from.contains_key(next) {
                    came_from.insert(next, id);
                    next_layer.push(next);
                }
            }
        }
        layer = next_layer;
    }
    None
}

fn way<'a>(
    start: &'a RequestId,
    last: &'a RequestId,
    came_from: &BTreeMap<&'a RequestId, &'a RequestId>,
) -> Vec<&'a str> {
    let back = std::iter::successors(Some(last), |id| came_from.get(*id).copied());
    let mut path: Vec<_> = std::iter::once(start).chain(back).map(RequestId::as_str).collect();
    path.reverse();
    path
}
