//! `[[clients]]`: the firms and their rules; and `[[walls]]`: what teams must never see.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::reader::{At, Fields, Names, Node, Report};
use super::values;
use crate::engine::calendar::Calendar;
use crate::engine::id::{CalendarId, ClientKind};
use crate::engine::roster::{Client, Offshoring, PayloadOn, Wall};

/// Clients of a roster at most.
pub const MAX_CLIENTS: usize = 10_000;
/// Walls of a roster at most.
pub const MAX_WALLS: usize = 100_000;
/// Countries or regions in a rule at most.
pub const MAX_PLACES: usize = 250;
/// The largest weight of a client.
pub const MAX_CLIENT_WEIGHT: u32 = 1_000;
/// A client's weight unless it says otherwise.
pub const DEFAULT_CLIENT_WEIGHT: u32 = 100;
/// The largest urgent quota.
pub const MAX_URGENT_QUOTA: u32 = 1_000_000;

pub(super) const OFFSHORING: [(&str, Offshoring); 3] =
    [("allowed", Offshoring::Allowed), ("denied", Offshoring::Denied), ("consent", Offshoring::Consent)];
pub(super) const PAYLOADS: [(&str, PayloadOn); 2] = [("offer", PayloadOn::Offer), ("accept", PayloadOn::Accept)];

/// What clients are read with.
pub(super) struct Surroundings<'a> {
    pub calendars: &'a BTreeMap<CalendarId, Arc<Calendar>>,
    pub calendar_names: &'a Names<'a>,
    pub sla_names: &'a Names<'a>,
}

impl Surroundings<'_> {
    /// A client; `None` when it has a fault that leaves nothing to build.
    pub fn client(&self, node: Node, report: &mut Report) -> Option<Client> {
        let label = node.value.get("id").and_then(|id| id.get_ref().as_str()).unwrap_or("without an id");
        let mut fields = Fields::of(node, format!("client {label:?}"), report)?;
        let id = fields.need("id", report, values::id::<ClientKind>);
        let name = fields.read("name", report, values::text);
        let country = fields.need("country", report, values::place);
        let calendar_id: Option<CalendarId> = fields.read("calendar", report, values::reference(self.calendar_names));
        let calendar = calendar_id.and_then(|id| self.calendars.get(&id).cloned());
        let offshoring = fields.need("offshoring", report, values::choice(&OFFSHORING));
        let residency = fields.set("residency", MAX_PLACES, report, values::id);
        let allowed_countries = fields.set("allowed_countries", MAX_PLACES, report, values::place);
        let denied_countries = fields.set("denied_countries", MAX_PLACES, report, |node, report| {
            let denied = values::place(node, report)?;
            if allowed_countries.contains(&denied) {
                report.fault(node.at, format!("{:?} is allowed and denied: leave one out", denied.as_str()));
            }
            Some(denied)
        });
        let sla = fields.read("sla", report, values::reference(self.sla_names));
        let weight = fields.read("weight", report, values::whole(1..=MAX_CLIENT_WEIGHT));
        let urgent_quota = fields.read("urgent_quota", report, values::whole(0..=MAX_URGENT_QUOTA));
        let payload_on = fields.read("payload_on", report, values::choice(&PAYLOADS)).unwrap_or_default();
        let broker_user = fields.read("broker_user", report, values::text);
        let retired = fields.read("retired", report, values::boolean).unwrap_or(false);
        fields.finish(report);
        Some(Client {
            name: name.unwrap_or_else(|| label.to_owned()),
            id: id?,
            country: country?,
            calendar,
            offshoring: offshoring?,
            residency,
            allowed_countries,
            denied_countries,
            sla,
            weight: weight.unwrap_or(DEFAULT_CLIENT_WEIGHT),
            urgent_quota,
            payload_on,
            broker_user,
            retired,
        })
    }
}

/// All walls, in order, each once.
pub(super) fn walls(nodes: &[Node], teams: &Names, clients: &Names, report: &mut Report) -> Vec<Wall> {
    let mut first: BTreeMap<_, At> = BTreeMap::new();
    let mut walls = Vec::new();
    for node in nodes {
        let Some(wall) = wall(*node, teams, clients, report) else { continue };
        let key = (wall.team.clone(), wall.client.clone(), wall.matter.clone());
        if let Some(other) = first.get(&key) {
            let line = report.line_of(*other);
            report.fault(node.at, format!("this wall is defined twice: the first is at {line}"));
            continue;
        }
        first.insert(key, node.at);
        walls.push(wall);
    }
    walls.sort();
    walls
}

fn wall(node: Node, teams: &Names, clients: &Names, report: &mut Report) -> Option<Wall> {
    let mut fields = Fields::of(node, "the wall", report)?;
    let team = fields.need("team", report, values::reference(teams));
    let client = fields.need("client", report, values::reference(clients));
    // A matter that cannot be read must not turn into a wall against all matters, nor into none: the wall is faulty.
    let matter = match fields.get("matter") {
        None => Some(None),
        Some(node) => values::id(node, report).map(Some),
    };
    let reason = fields.need("reason", report, values::text);
    fields.finish(report);
    Some(Wall { team: team?, client: client?, matter: matter?, reason: reason? })
}
