//! `[sla.<id>]`: sets of clocks; and `[pauses.<reason>]`: what may stop them.

use super::reader::{At, Fields, Names, Node, Report};
use super::values;
use crate::engine::id::{CalendarId, SlaId, Term};
use crate::engine::request::Priority;
use crate::engine::roster::{Basis, Escalation, EscalationAction, Moment, Party, PauseReason, SlaClock, SlaPolicy};
use crate::engine::sla::DEADLINE;

/// SLA policies of a roster at most.
pub const MAX_POLICIES: usize = 1_000;
/// Clocks of a policy at most.
pub const MAX_CLOCKS: usize = 32;
/// Warnings or escalation steps of a clock at most.
pub const MAX_STEPS: usize = 16;
/// Pause reasons of a roster at most.
pub const MAX_PAUSES: usize = 200;

pub(super) const MOMENTS: [(&str, Moment); 5] = [
    ("admitted", Moment::Admitted),
    ("ready", Moment::Ready),
    ("offered", Moment::Offered),
    ("accepted", Moment::Accepted),
    ("completed", Moment::Completed),
];
pub(super) const PARTIES: [(&str, Party); 3] =
    [("team", Party::Team), ("client", Party::Client), ("operator", Party::Operator)];
pub(super) const PRIORITIES: [(&str, Priority); 4] =
    [("urgent", Priority::Urgent), ("high", Priority::High), ("normal", Priority::Normal), ("low", Priority::Low)];
const BASES: &str = "\"wall\", \"client\", \"holder\", \"coverage\" or \"calendar:ID\"";

/// A policy by the key of its table.
pub(super) fn policy(at: At, node: Node, calendars: &Names, pauses: &Names, report: &mut Report) -> Option<SlaPolicy> {
    let id = SlaId::new(node.name).map_err(|error| report.fault(at, error.to_string())).ok();
    let mut fields = Fields::of(node, format!("sla {:?}", node.name), report)?;
    fields.at = at;
    let mut clocks: Vec<SlaClock> = Vec::new();
    let nodes = fields.list("clocks", MAX_CLOCKS, report, |node, _| Some(node));
    for node in &nodes {
        let Some(clock) = clock(*node, calendars, pauses, report) else { continue };
        if clock.name.as_str() == DEADLINE {
            report
                .fault(node.at, "a clock is called \"deadline\", which is the name of the deadline's own: use another");
        }
        if clocks.iter().any(|other| other.name == clock.name) {
            report.fault(node.at, format!("clock {:?} is defined twice in its policy", clock.name.as_str()));
        }
        clocks.push(clock);
    }
    if nodes.is_empty() {
        fields.lacks(&["clocks"], format!("{} has no clocks: add [[sla.{}.clocks]]", fields.what, node.name));
    }
    fields.finish(report);
    Some(SlaPolicy { id: id?, clocks })
}

fn clock(node: Node, calendars: &Names, pauses: &Names, report: &mut Report) -> Option<SlaClock> {
    let label = node.value.get("name").and_then(|name| name.get_ref().as_str()).unwrap_or("without a name");
    let mut fields = Fields::of(node, format!("clock {label:?}"), report)?;
    let name = fields.need("name", report, values::id);
    let start = fields.read("start", report, values::choice(&MOMENTS)).unwrap_or(Moment::Ready);
    let stop = fields.need("stop", report, |node, report| {
        let stop = values::choice(&MOMENTS)(node, report)?;
        // The moments come in the order of a task's life.
        if stop as u8 <= start as u8 {
            node.wrong("a moment after the start of the clock", report);
            return None;
        }
        Some(stop)
    });
    let target_minutes = target(&mut fields, report);
    let basis = fields.need("basis", report, |node, report| basis(node, calendars, report));
    let pause_on = fields.set("pause_on", MAX_PAUSES, report, values::reference(pauses));
    let warn_at_percent =
        fields.list("warn_at", MAX_STEPS, report, |node, report| Some((node, values::percent(1..=99)(node, report)?)));
    for pair in warn_at_percent.windows(2) {
        if pair[1].1 <= pair[0].1 {
            pair[1].0.wrong("fractions that rise", report);
        }
    }
    let escalations = fields.list("escalate", MAX_STEPS, report, escalation);
    fields.finish(report);
    Some(SlaClock {
        name: name?,
        start,
        stop: stop?,
        target_minutes: target_minutes?,
        basis: basis?,
        pause_on,
        warn_at_percent: warn_at_percent.into_iter().map(|(_, percent)| percent).collect(),
        escalations,
    })
}

/// `target = "4h"` or `target_minutes = 240`, exactly one of them.
fn target(fields: &mut Fields, report: &mut Report) -> Option<u32> {
    let span = fields.get("target");
    let minutes = fields.get("target_minutes");
    match (span, minutes) {
        (Some(node), None) => values::some_minutes(node, report),
        (None, Some(node)) => values::whole(1..=values::MAX_DURATION_MINUTES)(node, report),
        (None, None) => {
            fields.lacks(&["target", "target_minutes"], format!("{} has no \"target\", such as \"4h\"", fields.what));
            None
        }
        (Some(_), Some(node)) => {
            report.fault(node.at, format!("{} has \"target\" and \"target_minutes\": leave one out", fields.what));
            None
        }
    }
}

fn basis(node: Node, calendars: &Names, report: &mut Report) -> Option<Basis> {
    match values::string(node) {
        Some("wall") => Some(Basis::Wall),
        Some("client") => Some(Basis::Client),
        Some("holder") => Some(Basis::Holder),
        Some("coverage") => Some(Basis::Coverage),
        Some(text) if text.starts_with("calendar:") => {
            let name = &text["calendar:".len()..];
            let id = CalendarId::new(name).map_err(|error| report.fault(node.at, error.to_string())).ok()?;
            calendars.check(name, node.at, report).then_some(Basis::Calendar(id))
        }
        _ => {
            node.wrong(BASES, report);
            None
        }
    }
}

/// `{ at, raise_priority | reroute | notify }`.
fn escalation(node: Node, report: &mut Report) -> Option<Escalation> {
    let mut fields = Fields::of(node, "the escalation", report)?;
    let at_percent = fields.need("at", report, values::percent(1..=250));
    let raise = fields.get("raise_priority");
    let reroute = fields.get("reroute");
    let notify = fields.get("notify");
    let action = match (raise, reroute, notify) {
        (Some(node), None, None) => values::choice(&PRIORITIES)(node, report).map(EscalationAction::RaisePriority),
        (None, Some(node), None) => match values::boolean(node, report) {
            Some(false) => {
                node.wrong("true, or leave the step out", report);
                None
            }
            truth => truth.map(|_| EscalationAction::Reroute),
        },
        (None, None, Some(node)) => values::text(node, report).map(EscalationAction::Notify),
        _ => {
            let message = "the escalation needs exactly one of \"raise_priority\", \"reroute\" and \"notify\"";
            fields.lacks(&["raise_priority", "reroute", "notify"], message);
            None
        }
    };
    fields.finish(report);
    Some(Escalation { at_percent: at_percent?, action: action? })
}

/// A pause reason by the key of its table.
pub(super) fn pause(at: At, node: Node, report: &mut Report) -> Option<(Term, PauseReason)> {
    let name = Term::new(node.name).map_err(|error| report.fault(at, error.to_string())).ok();
    let mut fields = Fields::of(node, format!("pause {:?}", node.name), report)?;
    fields.at = at;
    let mut parties = |key| {
        let parties = fields.need(key, report, |node, report| {
            if node.value.as_array().is_some_and(|array| array.is_empty()) {
                report.fault(
                    node.at,
                    format!("{key} is empty: use at least one of \"team\", \"client\" and \"operator\""),
                );
            }
            let elements = node.array(PARTIES.len(), report);
            Some(elements.into_iter().filter_map(|node| values::choice(&PARTIES)(node, report)).collect::<Vec<_>>())
        });
        parties.unwrap_or_default()
    };
    let (set_by, end_by) = (parties("set_by"), parties("end_by"));
    let cap_minutes = fields.read("cap", report, values::some_minutes);
    fields.finish(report);
    Some((name?, PauseReason { set_by, end_by, cap_minutes }))
}
