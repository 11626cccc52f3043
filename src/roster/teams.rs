//! `[[teams]]`: who can own a task.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::reader::{Fields, Names, Node, Report};
use super::values;
use crate::engine::calendar::Calendar;
use crate::engine::id::{CalendarId, TeamKind, Term, TermKind};
use crate::engine::roster::{Acceptance, Capability, Capacity, Delivery, MAX_SEATS, Team};
use crate::engine::zone::Zone;

/// Capabilities of a team at most.
pub const MAX_CAPABILITIES: usize = 1_000;
/// Languages, skills or contacts of an entry at most.
pub const MAX_TERMS: usize = 100;
/// Hours of effort that a team may be sized by at most.
pub const MAX_EFFORT_HOURS: u32 = 100_000;

pub(super) const ACCEPTANCES: [(&str, Acceptance); 2] =
    [("required", Acceptance::Required), ("implicit", Acceptance::Implicit)];
pub(super) const DELIVERIES: [(&str, Delivery); 2] = [("queue", Delivery::Queue), ("http", Delivery::Http)];

/// What teams are read with.
pub(super) struct Surroundings<'a> {
    pub calendars: &'a BTreeMap<CalendarId, Arc<Calendar>>,
    pub calendar_names: &'a Names<'a>,
    pub anchor: DateTime<Utc>,
}

impl Surroundings<'_> {
    /// A team; `None` when it has a fault that leaves nothing to build.
    pub fn team(&self, node: Node, report: &mut Report) -> Option<Team> {
        let label = node.value.get("id").and_then(|id| id.get_ref().as_str()).unwrap_or("without an id");
        let mut fields = Fields::of(node, format!("team {label:?}"), report)?;
        let id = fields.need("id", report, values::id::<TeamKind>);
        let name = fields.read("name", report, values::text);
        let country = fields.need("country", report, values::place);
        let region = fields.read("region", report, values::id);
        let calendar_id = fields.need("calendar", report, values::reference(self.calendar_names));
        let calendar = calendar_id.as_ref().and_then(|id| self.calendars.get(id));
        let zone = calendar.map_or_else(|| Arc::new(Zone::utc()), |calendar| Arc::clone(&calendar.spec().zone));
        let capacity = capacity(&mut fields, report);
        let urgent_reserve = self.urgent_reserve(&mut fields, capacity, report);
        let capabilities =
            fields.set("capabilities", MAX_CAPABILITIES, report, |node, report| self.capability(node, &zone, report));
        let skills = fields.get("skills").map(|node| skills(node, report)).unwrap_or_default();
        let vetted_until = fields.read("vetted_until", report, |node, report| {
            let until = values::expiry(&zone)(node, report)?;
            if until <= self.anchor {
                report.warn(node.at, format!("team {label:?} is no longer vetted: it gets no work"));
            }
            Some(until)
        });
        let cost_per_hour_cents = fields.need("cost_per_hour", report, values::cents);
        let acceptance = fields.read("acceptance", report, values::choice(&ACCEPTANCES)).unwrap_or_default();
        let delivery = fields.read("delivery", report, values::choice(&DELIVERIES)).unwrap_or_default();
        let contacts = fields.set("contacts", MAX_TERMS, report, values::text);
        let broker_user = fields.read("broker_user", report, values::text);
        let retired = fields.read("retired", report, values::boolean).unwrap_or(false);
        if node.value.get("vetted_until").is_none() && !retired {
            report.warn(node.at, format!("team {label:?} has no \"vetted_until\": it is not vetted and gets no work"));
        }
        if node.value.get("capabilities").is_none() && !retired {
            report.warn(node.at, format!("team {label:?} has no \"capabilities\": it gets no work"));
        }
        fields.finish(report);
        Some(Team {
            name: name.unwrap_or_else(|| label.to_owned()),
            id: id?,
            country: country?,
            region,
            calendar_id: calendar_id?,
            calendar: Arc::clone(calendar?),
            capacity: capacity?,
            urgent_reserve,
            capabilities,
            skills,
            vetted_until,
            cost_per_hour_cents: cost_per_hour_cents?,
            acceptance,
            delivery,
            contacts,
            broker_user,
            retired,
            drained_until: None,
            new_work_hours: None,
            closed_by_override: false,
        })
    }

    fn urgent_reserve(&self, fields: &mut Fields, capacity: Option<Capacity>, report: &mut Report) -> u32 {
        let reserve = fields.read("urgent_reserve", report, |node, report| {
            let reserve = values::whole(0..=MAX_SEATS)(node, report)?;
            match capacity {
                Some(Capacity::Seats(seats)) if reserve > seats => {
                    report.fault(node.at, format!("urgent_reserve is {reserve}: use at most the {seats} seats"));
                }
                Some(Capacity::EffortHours(_)) if reserve > 0 => {
                    report.fault(node.at, "urgent_reserve counts seats: leave it out with \"effort_hours\"");
                }
                _ => {}
            }
            Some(reserve)
        });
        reserve.unwrap_or(0)
    }

    fn capability(&self, node: Node, zone: &Zone, report: &mut Report) -> Option<Capability> {
        let mut fields = Fields::of(node, "the capability", report)?;
        let jurisdiction = fields.need("jurisdiction", report, values::all_or(values::jurisdiction));
        let specialty = fields.need("specialty", report, values::all_or(values::id::<TermKind>));
        let languages = fields.set("languages", MAX_TERMS, report, values::id);
        let level = fields.read("level", report, values::level).unwrap_or(1);
        let admitted_until = fields.read("admitted_until", report, |node, report| {
            let until = values::expiry(zone)(node, report)?;
            if until <= self.anchor {
                report.warn(node.at, "the admission has expired: renew it or leave the capability out");
            }
            Some(until)
        });
        fields.finish(report);
        Some(Capability { jurisdiction: jurisdiction?, specialty: specialty?, languages, level, admitted_until })
    }
}

/// Seats or hours of effort, exactly one of them.
fn capacity(fields: &mut Fields, report: &mut Report) -> Option<Capacity> {
    let seats = fields.get("seats");
    let effort_hours = fields.get("effort_hours");
    match (seats, effort_hours) {
        (Some(node), None) => values::whole(1..=MAX_SEATS)(node, report).map(Capacity::Seats),
        (None, Some(node)) => values::whole(1..=MAX_EFFORT_HOURS)(node, report).map(Capacity::EffortHours),
        (None, None) => {
            let message = format!("{} has neither \"seats\" nor \"effort_hours\": give one", fields.what);
            fields.lacks(&["seats", "effort_hours"], message);
            None
        }
        (Some(_), Some(node)) => {
            report.fault(node.at, format!("{} has \"seats\" and \"effort_hours\": leave one out", fields.what));
            None
        }
    }
}

/// `{ name = level }`.
pub(super) fn skills(node: Node, report: &mut Report) -> BTreeMap<Term, u8> {
    let mut skills = BTreeMap::new();
    for (at, entry) in node.entries(MAX_TERMS, report) {
        let name = Term::new(entry.name).map_err(|error| report.fault(at, error.to_string()));
        if let (Ok(name), Some(level)) = (name, values::level(entry, report)) {
            skills.insert(name, level);
        }
    }
    skills
}
