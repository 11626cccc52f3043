//! What a firm may change in its request after admission, as far as routing reads it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::TeamId;
use super::request::{Consent, Place, Priority};
use super::task::Task;

/// Those parts of a task at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Priority.
    pub priority: Priority,
    /// Effort in minutes as stated by the firm.
    pub effort_minutes: u32,
    /// Instant by which it must be done.
    pub deadline: Option<DateTime<Utc>>,
    /// Consent to offshoring.
    pub consent: Option<Consent>,
    /// Only these countries.
    pub allowed_countries: Vec<Place>,
    /// None of these countries.
    pub denied_countries: Vec<Place>,
    /// Teams that must not get it.
    pub excluded_teams: Vec<TeamId>,
}

impl Terms {
    /// The terms of a task as they are.
    #[must_use]
    pub fn of(task: &Task) -> Self {
        Self {
            priority: task.priority,
            effort_minutes: task.effort_minutes,
            deadline: task.deadline,
            consent: task.needs.consent.clone(),
            allowed_countries: task.needs.allowed_countries.clone(),
            denied_countries: task.needs.denied_countries.clone(),
            excluded_teams: task.needs.excluded_teams.clone(),
        }
    }

    /// Puts them back on the task that they are of.
    pub fn put_on(self, task: &mut Task) {
        task.priority = self.priority;
        task.effort_minutes = self.effort_minutes;
        task.deadline = self.deadline;
        task.needs.consent = self.consent;
        task.needs.allowed_countries = self.allowed_countries;
        task.needs.denied_countries = self.denied_countries;
        task.needs.excluded_teams = self.excluded_teams;
    }
}

impl Task {
    /// Keeps the terms as admitted, before they change for the first time.
    pub fn keep_terms(&mut self) {
        if self.as_admitted.is_none() {
            self.as_admitted = Some(Box::new(Terms::of(self)));
        }
    }
}
