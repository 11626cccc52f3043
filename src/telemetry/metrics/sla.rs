//! The metrics of SLA clocks.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use crate::engine::id::{SlaId, TeamId, Term};
use crate::engine::sla::{DEADLINE, SlaPicture, SlaState};

use super::{Families, count, timestamp};

/// The label where there is no team, and the policy of the deadline.
const NONE: &str = "-";

/// How open tasks stand to their clocks, and what was told of those.
#[derive(Debug)]
pub(super) struct Sla {
    states: IntGaugeVec,
    next_deadline: GaugeVec,
    warnings: IntCounterVec,
    breaches: IntCounterVec,
}

impl Sla {
    pub fn new(make: &Families) -> Self {
        let clock = ["policy", "clock"];
        Self {
            states: make.gauges(
                "tasks_sla_state",
                "Open tasks with a running clock, by the team that has them and how they stand.",
                &["team", "state"],
            ),
            next_deadline: make.float_gauges(
                "sla_next_deadline_timestamp_seconds",
                "When a clock of the team's tasks is breached next; 0 when none runs.",
                &["team"],
            ),
            warnings: make.counters("sla_warnings_total", "Warnings of clocks.", &clock),
            breaches: make.counters("sla_breaches_total", "Clocks whose target was used up.", &clock),
        }
    }

    /// A clock is known: its lines are there, at 0. The deadline is of no policy.
    pub fn know(&self, policy: Option<&SlaId>, clock: &str) {
        let labels = [policy.map_or(NONE, |policy| policy.as_str()), clock];
        let _ = (self.warnings.with_label_values(&labels), self.breaches.with_label_values(&labels));
    }

    pub fn know_deadline(&self) {
        self.know(None, DEADLINE);
    }

    pub fn warned(&self, policy: Option<&SlaId>, clock: &Term) {
        self.warnings.with_label_values(&[policy.map_or(NONE, |policy| policy.as_str()), clock.as_str()]).inc();
    }

    pub fn breached(&self, policy: Option<&SlaId>, clock: &Term) {
        self.breaches.with_label_values(&[policy.map_or(NONE, |policy| policy.as_str()), clock.as_str()]).inc();
    }

    /// Shows how tasks stand in place of what was shown before; every team, and no team, has its lines.
    pub fn show<'a>(&self, picture: &SlaPicture, teams: impl Iterator<Item = &'a TeamId>) {
        self.states.reset();
        self.next_deadline.reset();
        for team in teams.map(TeamId::as_str).chain([NONE]) {
            let _ = SlaState::ALL.map(|state| self.states.with_label_values(&[team, state.as_str()]));
            self.next_deadline.with_label_values(&[team]).set(0.0);
        }
        for ((team, state), tasks) in &picture.states {
            let team = team.as_ref().map_or(NONE, |team| team.as_str());
            self.states.with_label_values(&[team, state.as_str()]).set(count(*tasks));
        }
        for (team, at) in &picture.next_breach_at {
            let team = team.as_ref().map_or(NONE, |team| team.as_str());
            self.next_deadline.with_label_values(&[team]).set(timestamp(*at));
        }
    }
}
