//! `[routing]`: weights and limits; what it does not say keeps its default.

use super::reader::{Fields, Node, Report};
use super::sla::PRIORITIES;
use super::values::{minutes, seconds, some_minutes, whole};
use crate::engine::roster::{Routing, Weights};

/// The largest weight of a score.
pub const MAX_WEIGHT: u32 = 1_000;
/// The largest number of passes.
pub const MAX_HANDOFFS: u32 = 1_000;
/// The largest distance between fair seats.
pub const MAX_FAIR_EVERY: u32 = 1_000;

/// The table, or all defaults.
pub(super) fn routing(node: Option<Node>, report: &mut Report) -> Routing {
    let mut routing = Routing::default();
    let Some(mut fields) = node.and_then(|node| Fields::of(node, "routing", report)) else { return routing };
    routing.weights = fields.read("weights", report, |node, report| weights(node, report)).unwrap_or(routing.weights);
    let mut span = |key, target: &mut u32| {
        if let Some(value) = fields.read(key, report, minutes) {
            *target = value;
        }
    };
    span("min_start_window", &mut routing.min_start_window_minutes);
    span("handoff_min_gap", &mut routing.handoff_min_gap_minutes);
    span("handoff_cost", &mut routing.handoff_cost_minutes);
    span("handoff_notice", &mut routing.handoff_notice_minutes);
    span("handoff_grace", &mut routing.handoff_grace_minutes);
    span("handoff_min_gain", &mut routing.handoff_min_gain_minutes);
    span("decline_cooldown", &mut routing.decline_cooldown_minutes);
    span("decline_cooldown_max", &mut routing.decline_cooldown_max_minutes);
    span("late_complete_within", &mut routing.late_complete_within_minutes);
    if let Some(node) = fields.get("offer_limit") {
        offer_limits(node, &mut routing.offer_limit_minutes, report);
    }
    let within = fields.read("undelivered_within", report, seconds);
    routing.undelivered_within_seconds = within.unwrap_or(routing.undelivered_within_seconds);
    let max_handoffs = fields.read("max_handoffs", report, whole(0..=MAX_HANDOFFS));
    routing.max_handoffs = max_handoffs.unwrap_or(routing.max_handoffs);
    let fair_every = fields.read("fair_every", report, whole(1..=MAX_FAIR_EVERY));
    routing.fair_every = fair_every.unwrap_or(routing.fair_every);
    let (first, longest) = (routing.decline_cooldown_minutes, routing.decline_cooldown_max_minutes);
    if first > longest {
        report.fault(
            fields.at,
            format!("decline_cooldown is {first} minutes: use at most decline_cooldown_max, {longest} minutes"),
        );
    }
    fields.finish(report);
    routing
}

/// Weights, each 0..=1000, not all zero.
fn weights(node: Node, report: &mut Report) -> Option<Weights> {
    let mut weights = Routing::default().weights;
    let mut fields = Fields::of(node, "weights", report)?;
    let mut weight = |key, target: &mut u32| {
        if let Some(value) = fields.read(key, report, whole(0..=MAX_WEIGHT)) {
            *target = value;
        }
    };
    weight("margin", &mut weights.margin);
    weight("uninterrupted", &mut weights.uninterrupted);
    weight("affinity", &mut weights.affinity);
    weight("headroom", &mut weights.headroom);
    weight("level", &mut weights.level);
    weight("cost", &mut weights.cost);
    fields.finish(report);
    let all = [weights.margin, weights.uninterrupted, weights.affinity, weights.headroom, weights.level, weights.cost];
    if all == [0; 6] {
        report.fault(node.at, "weights are all 0: every team would be as good as any other; raise one");
    }
    Some(weights)
}

/// `{ urgent, high, normal, low }`.
fn offer_limits(node: Node, limits: &mut [u32; 4], report: &mut Report) {
    let Some(mut fields) = Fields::of(node, "offer_limit", report) else { return };
    for ((name, _), limit) in PRIORITIES.into_iter().zip(limits) {
        *limit = fields.read(name, report, some_minutes).unwrap_or(*limit);
    }
    fields.finish(report);
}
