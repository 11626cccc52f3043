//! Tasks and teams as they are at one moment: replaced as a whole.

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, IntGauge, IntGaugeVec};

use crate::engine::id::TeamId;
use crate::engine::request::Priority;
use crate::engine::scheduler::Census;
use crate::engine::task::WaitReason;

use super::{Families, count, timestamp};

/// States of a task that a team has.
const STATES_WITH_TEAM: [&str; 2] = ["offered", "active"];

/// A team as the metrics show it.
#[derive(Debug, Clone, Copy)]
pub struct TeamGauge<'a> {
    /// Which.
    pub team: &'a TeamId,
    /// Whether it is open.
    pub open: bool,
    /// When that changes next; `None` is not within the horizon and shows as 0.
    pub next_transition_at: Option<DateTime<Utc>>,
    /// Its seats; `None` when its room is counted in effort.
    pub seats: Option<u32>,
    /// Messages that could not be delivered to it.
    pub undelivered: u64,
}

/// The families that make the picture.
#[derive(Debug)]
pub(super) struct Picture {
    open: IntGaugeVec,
    waiting: IntGaugeVec,
    oldest_waiting: GaugeVec,
    handoffs_pending: IntGaugeVec,
    stalled: IntGauge,
    undelivered: IntGaugeVec,
    team_open: IntGaugeVec,
    team_transition: GaugeVec,
    team_seats: IntGaugeVec,
}

impl Picture {
    pub fn new(make: &Families) -> Self {
        Self {
            open: make.gauges("tasks_open", "Tasks that a team has.", &["team", "state"]),
            waiting: make.gauges("tasks_waiting", "Tasks that no team has.", &["priority", "reason"]),
            oldest_waiting: make.float_gauges(
                "tasks_oldest_waiting_timestamp_seconds",
                "Since when the oldest task waits that some team may do; 0 when none does.",
                &["priority"],
            ),
            handoffs_pending: make.gauges(
                "handoffs_pending",
                "Owned tasks that the team is to have next, planned or asked already.",
                &["to_team"],
            ),
            stalled: make.gauge("tasks_stalled", "Owned tasks whose holder has said nothing for long."),
            undelivered: make.gauges("messages_undelivered", "Messages that could not be delivered yet.", &["team"]),
            team_open: make.gauges("team_open", "Whether the team is open.", &["team"]),
            team_transition: make.float_gauges(
                "team_next_transition_timestamp_seconds",
                "When the team opens or closes next; 0 when not within the horizon.",
                &["team"],
            ),
            team_seats: make.gauges("team_seats", "Tasks that the team can hold at once.", &["team"]),
        }
    }

    /// Shows these in place of those shown before.
    pub fn replace<'a>(&self, census: &Census, teams: impl IntoIterator<Item = TeamGauge<'a>>) {
        for family in [&self.open, &self.handoffs_pending, &self.undelivered, &self.team_open, &self.team_seats] {
            family.reset();
        }
        self.team_transition.reset();
        for gauge in teams {
            self.show_team(&gauge);
        }
        for ((team, state), tasks) in &census.with_team {
            self.open.with_label_values(&[team.as_str(), state]).set(count(*tasks));
        }
        for (team, tasks) in &census.next_team {
            self.handoffs_pending.with_label_values(&[team.as_str()]).set(count(*tasks));
        }
        self.stalled.set(count(census.stalled));
        self.show_waiting(census);
    }

    fn show_team(&self, gauge: &TeamGauge<'_>) {
        let team = gauge.team.as_str();
        self.team_open.with_label_values(&[team]).set(gauge.open.into());
        self.team_transition.with_label_values(&[team]).set(gauge.next_transition_at.map_or(0.0, timestamp));
        self.undelivered.with_label_values(&[team]).set(count(gauge.undelivered));
        if let Some(seats) = gauge.seats {
            self.team_seats.with_label_values(&[team]).set(seats.into());
        }
        let _ = self.handoffs_pending.with_label_values(&[team]);
        let _ = STATES_WITH_TEAM.map(|state| self.open.with_label_values(&[team, state]));
    }

    /// Every priority and reason has its line, with none at 0.
    pub fn show_waiting(&self, census: &Census) {
        for priority in Priority::ALL {
            for reason in WaitReason::ALL {
                let tasks = census.waiting.get(&(priority, reason)).copied().unwrap_or(0);
                self.waiting.with_label_values(&[priority.as_str(), reason.as_str()]).set(count(tasks));
            }
            let since = census.oldest_waiting_since(priority).map_or(0.0, timestamp);
            self.oldest_waiting.with_label_values(&[priority.as_str()]).set(since);
        }
    }
}
