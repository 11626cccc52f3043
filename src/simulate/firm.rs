//! A firm that sends work requests: mixed kinds of work, busier while its clients' offices are open.
//!
//! Requests are made for the roster at hand: jurisdictions, specialties and languages are those that some team holds, so
//! that most of the work can be done; what cannot, such as work without the consent that a client asks for, is rare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, DurationRound, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::Due;
use super::chance::Chance;
use super::kinds::{KINDS, Kind, Twist};
use crate::engine::calendar::Calendar;
use crate::engine::id::Term;
use crate::engine::request::{Place, Priority, SkillNeed};
use crate::engine::roster::{Capacity, Client, Offshoring, Roster};

/// How often chance decides whether a request arrives.
const SLOT_SECONDS: u32 = 10;
/// Slots looked at for one request at most: a week.
const MAX_SLOTS: u32 = 7 * 24 * 3600 / SLOT_SECONDS;
/// Requests an open client sends for one that it sends when closed.
const OPEN_FACTOR: u64 = 8;
/// Share of the teams' open seats that the work fills in the long run, in percent.
const LOAD_PERCENT: u64 = 40;
/// Share of a week that a team is open, in percent, as a rule.
const OPEN_PERCENT: u64 = 24;
/// Hours of effort that count as a seat where room is counted in effort.
const HOURS_PER_SEAT: u32 = 2;
/// Matters of a client, beside those that walls name.
const MATTERS: u32 = 6;
/// Kinds of work that a client looks at until one is found that some team may do.
const KIND_TRIES: u32 = 4;
const MILLION: u64 = 1_000_000;

/// All clients of a roster as one sender of requests.
#[derive(Debug)]
pub struct Firm {
    chance: Chance,
    clients: Vec<Customer>,
    work: Vec<Work>,
    pairs: Vec<Pair>,
    teams: Vec<String>,
    /// Chance of a request in a slot with every client closed, in millionths.
    closed_ppm: u64,
    sent: u64,
    /// Where the next slot starts.
    next_at: DateTime<Utc>,
}

/// A client and what it asks for.
#[derive(Debug)]
struct Customer {
    id: String,
    country: Place,
    calendar: Option<Arc<Calendar>>,
    offshoring: Offshoring,
    residency: Vec<Term>,
    allowed_countries: Vec<Place>,
    denied_countries: Vec<Place>,
    weight: u64,
    matters: Vec<String>,
    last_request: Option<String>,
}

/// What a team holds, and where that team is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    jurisdiction: Option<Place>,
    specialty: Option<String>,
    languages: Vec<String>,
    country: Place,
    region: Option<Term>,
    skills: BTreeMap<Term, u8>,
}

/// A kind of work, with the skills that its work type needs.
#[derive(Debug)]
struct Work {
    kind: Kind,
    skills: Vec<SkillNeed>,
}

impl Firm {
    /// The firm of a seed, with the clients and work types of a roster.
    #[must_use]
    pub fn new(seed: u64, roster: &Roster) -> Self {
        let mut chance = Chance::new(seed);
        let clients = roster.clients.values().filter(|client| !client.retired);
        let clients: Vec<_> = clients.map(|client| Customer::new(client, roster, &mut chance)).collect();
        let work: Vec<_> = KINDS.iter().filter_map(|kind| Work::of(kind, roster)).collect();
        Self {
            chance,
            clients,
            closed_ppm: closed_ppm(roster, &work),
            work,
            pairs: pairs(roster),
            teams: roster.teams.iter().map(|team| team.id.as_str().to_owned()).collect(),
            sent: 0,
            next_at: DateTime::<Utc>::MIN_UTC,
        }
    }

    /// The next work request, at or after `now` and after the one before it; `None` when the roster has no client or no
    /// work type to ask for, or nothing came up within a week.
    pub fn next(&mut self, now: DateTime<Utc>) -> Option<Due> {
        let total_weight: u64 = self.clients.iter().map(|client| client.weight).sum();
        if total_weight == 0 || self.work.is_empty() {
            return None;
        }
        self.next_at = self.next_at.max(now);
        for _ in 0..MAX_SLOTS {
            let at = self.next_at + TimeDelta::milliseconds(self.chance.within(0..=SLOT_SECONDS * 1_000 - 1).into());
            self.next_at += TimeDelta::seconds(SLOT_SECONDS.into());
            let pull: Vec<u64> = self.clients.iter().map(|client| client.pull_at(at)).collect();
            let ppm = self.closed_ppm * pull.iter().sum::<u64>() / total_weight;
            if self.chance.below(MILLION) < ppm {
                let clients: Vec<usize> = (0..pull.len()).collect();
                let client = *self.chance.weighted(&clients, |client| pull[*client])?;
                if let Some(body) = self.request(client, at) {
                    return Some(Due { at, body });
                }
            }
        }
        None
    }

    /// A request of a client; `None` when no team may do such work for it.
    fn request(&mut self, client: usize, at: DateTime<Utc>) -> Option<Vec<u8>> {
        let Self { chance, clients, work, pairs, teams, sent, .. } = self;
        let client = &mut clients[client];
        let (kind, pair) = (0..KIND_TRIES).find_map(|_| {
            let work = chance.weighted(work, |work| work.kind.share)?;
            Some((work.kind, choose_pair(pairs, work, client, chance)?))
        })?;
        *sent += 1;
        let id = format!("req-{}-{sent:06}", at.format("%Y%m%d-%H%M%S"));
        let mut body = Map::new();
        body.insert("id".into(), json!(id));
        body.insert("client".into(), json!(client.id));
        body.insert("matter".into(), json!(chance.pick(&client.matters)));
        body.insert("work_type".into(), json!(kind.work_type));
        let (low, high) = kind.effort_minutes;
        let effort_minutes = chance.within(low / 5..=high / 5) * 5;
        body.insert("effort_minutes".into(), json!(effort_minutes));
        let priority = if chance.percent(85) { kind.priority } else { Priority::Normal };
        body.insert("priority".into(), json!(priority.as_str()));
        if let Some((from, to)) = kind.deadline_hours {
            let wanted = at + TimeDelta::minutes(chance.within(from * 4..=to * 4).into()) * 15;
            body.insert("deadline".into(), json!(quarter_text(wanted)));
        }
        pair.ask(&kind, &client.country, &mut body, chance);
        client.ask_consent(&mut body, chance);
        twist(&kind, client, teams, at, &mut body, chance);
        body.insert("payload".into(), json!({ "title": kind.title, "documents": chance.within(1..=400) }));
        client.last_request = Some(id);
        serde_json::to_vec(&Value::Object(body)).ok()
    }
}

impl Customer {
    fn new(client: &Client, roster: &Roster, chance: &mut Chance) -> Self {
        let initials: String =
            client.id.as_str().split('-').filter_map(|word| word.chars().next()).collect::<String>().to_uppercase();
        let own = (0..MATTERS).map(|_| format!("{initials}-{}", chance.within(1_000..=9_999)));
        let walled = roster.walls.iter().filter(|wall| wall.client == client.id);
        let walled = walled.filter_map(|wall| wall.matter.as_ref().map(|matter| matter.as_str().to_owned()));
        Self {
            id: client.id.as_str().to_owned(),
            country: client.country.clone(),
            calendar: client.calendar.clone(),
            offshoring: client.offshoring,
            residency: client.residency.clone(),
            allowed_countries: client.allowed_countries.clone(),
            denied_countries: client.denied_countries.clone(),
            weight: client.weight.into(),
            matters: own.chain(walled).collect(),
            last_request: None,
        }
    }

    /// How much it pulls on the next request.
    fn pull_at(&self, at: DateTime<Utc>) -> u64 {
        let is_open = self.calendar.as_ref().is_some_and(|calendar| calendar.is_open(at));
        self.weight * if is_open { OPEN_FACTOR } else { 1 }
    }

    /// Whether the client's rules let a team there do its work, given a consent.
    fn may_use(&self, pair: &Pair, work: &Work) -> bool {
        let is_able =
            work.skills.iter().all(|need| pair.skills.get(&need.name).is_some_and(|held| *held >= need.level));
        let is_home = pair.country.country() == self.country.country();
        let stays_home = self.offshoring == Offshoring::Denied || work.kind.twist == Twist::AtHome;
        let is_in = |places: &[Place]| places.iter().any(|place| place.covers(&pair.country));
        is_able
            && (is_home || !stays_home)
            && (self.allowed_countries.is_empty() || is_in(&self.allowed_countries))
            && !is_in(&self.denied_countries)
            && (self.residency.is_empty() || pair.region.as_ref().is_some_and(|it| self.residency.contains(it)))
    }

    /// Where the client asks for a consent, most requests have one.
    fn ask_consent(&self, body: &mut Map<String, Value>, chance: &mut Chance) {
        if self.offshoring != Offshoring::Consent {
            return;
        }
        match chance.below(100) {
            0..90 => {
                let reference = format!("C-{}", chance.within(10..=99));
                body.insert("consent".into(), json!({ "offshore": true, "reference": reference }));
            }
            90..95 => {
                body.insert("consent".into(), json!({ "offshore": false }));
            }
            _ => {}
        }
    }
}

impl Work {
    /// The kind, when the roster has its work type.
    fn of(kind: &Kind, roster: &Roster) -> Option<Self> {
        let work_type = roster.work_types.values().find(|it| it.id.as_str() == kind.work_type)?;
        Some(Self { kind: *kind, skills: work_type.skills.clone() })
    }
}

impl Pair {
    /// Writes jurisdiction, specialty and language into a request.
    fn ask(&self, kind: &Kind, home: &Place, body: &mut Map<String, Value>, chance: &mut Chance) {
        let jurisdiction = self.jurisdiction.as_ref().unwrap_or(home);
        body.insert("jurisdiction".into(), json!(jurisdiction.as_str()));
        body.insert("specialty".into(), json!(self.specialty.as_deref().unwrap_or(kind.specialty)));
        let foreign: Vec<_> = self.languages.iter().filter(|language| *language != "en").collect();
        let language = match (kind.twist, chance.pick(&foreign)) {
            (Twist::ForeignLanguage, Some(foreign)) => Some(*foreign),
            _ => self.languages.iter().find(|language| *language == "en").or(self.languages.first()),
        };
        if let Some(language) = language {
            body.insert("languages".into(), json!([language]));
        }
        if kind.twist == Twist::InPerson {
            body.insert("place".into(), json!(self.country.country()));
        }
    }

    fn fits(&self, kind: &Kind, home: &Place) -> bool {
        let is_home = self.jurisdiction.as_ref().is_none_or(|place| place.country() == home.country());
        match kind.twist {
            Twist::InPerson => self.country.country() == home.country() && is_home,
            Twist::ForeignLaw => self.jurisdiction.as_ref().is_some_and(|place| place.country() != home.country()),
            Twist::ForeignLanguage => self.languages.iter().any(|language| language != "en"),
            _ => is_home,
        }
    }
}

/// A pair of the kind's specialty that fits the client; else one of another specialty; else of any team that it may use.
fn choose_pair<'p>(pairs: &'p [Pair], work: &Work, client: &Customer, chance: &mut Chance) -> Option<&'p Pair> {
    let is_special = |pair: &&Pair| pair.specialty.as_deref().is_none_or(|own| own == work.kind.specialty);
    let any: Vec<_> = pairs.iter().filter(|pair| client.may_use(pair, work)).collect();
    let fitting: Vec<_> = any.iter().copied().filter(|pair| pair.fits(&work.kind, &client.country)).collect();
    let best: Vec<_> = fitting.iter().copied().filter(is_special).collect();
    [best, fitting, any].iter().find_map(|choice| chance.pick(choice).copied())
}

fn twist(
    kind: &Kind,
    client: &Customer,
    teams: &[String],
    at: DateTime<Utc>,
    body: &mut Map<String, Value>,
    chance: &mut Chance,
) {
    match kind.twist {
        Twist::None | Twist::InPerson | Twist::ForeignLaw | Twist::ForeignLanguage => {}
        Twist::Contact => {
            // Without hours of the client there is nothing that contact could overlap.
            if client.calendar.is_some() {
                body.insert("presence".into(), json!("contact"));
            }
        }
        Twist::AtHome => {
            body.insert("allowed_countries".into(), json!([client.country.country()]));
        }
        Twist::Teams => {
            let (preferred, excluded) = (chance.pick(teams), chance.pick(teams));
            body.insert("preferred_team".into(), json!(preferred));
            if excluded != preferred {
                body.insert("excluded_teams".into(), json!([excluded]));
            }
        }
        Twist::Successor => {
            if let Some(last) = &client.last_request {
                body.insert("after".into(), json!([last]));
            }
        }
        Twist::Later => {
            let start = at + TimeDelta::hours(chance.within(2..=12).into());
            body.insert("not_before".into(), json!(quarter_text(start)));
        }
    }
}

/// Every pair that a team holds, once, in order.
fn pairs(roster: &Roster) -> Vec<Pair> {
    let teams = roster.teams.iter().filter(|team| !team.retired);
    let pairs = teams.flat_map(|team| {
        team.capabilities.iter().map(|capability| Pair {
            jurisdiction: capability.jurisdiction.clone(),
            specialty: capability.specialty.as_ref().map(|term| term.as_str().to_owned()),
            languages: capability.languages.iter().map(|term| term.as_str().to_owned()).collect(),
            country: team.country.clone(),
            region: team.region.clone(),
            skills: team.skills.clone(),
        })
    });
    pairs.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The chance of a request in a slot while all clients are closed, such that the work fills its share of the seats.
fn closed_ppm(roster: &Roster, work: &[Work]) -> u64 {
    let seats: u64 = (roster.teams.iter().filter(|team| !team.retired))
        .map(|team| match team.capacity {
            Capacity::Seats(seats) => u64::from(seats),
            Capacity::EffortHours(hours) => u64::from(hours / HOURS_PER_SEAT),
        })
        .sum();
    let shares: u64 = work.iter().map(|work| work.kind.share).sum();
    let effort_of = |kind: &Kind| u64::from(kind.effort_minutes.0 + kind.effort_minutes.1) / 2;
    let efforts = work.iter().map(|work| work.kind.share * effort_of(&work.kind));
    let effort_seconds = 60 * efforts.sum::<u64>() / shares.max(1);
    let work_ppm = MILLION * seats * LOAD_PERCENT * OPEN_PERCENT / 100 / 100;
    let mean_pull_percent = OPEN_PERCENT * OPEN_FACTOR + (100 - OPEN_PERCENT);
    (work_ppm * u64::from(SLOT_SECONDS) / effort_seconds.max(1) * 100 / mean_pull_percent).max(1)
}

/// An instant at a quarter of an hour, as firms write deadlines.
fn quarter_text(at: DateTime<Utc>) -> String {
    at.duration_trunc(TimeDelta::minutes(15)).unwrap_or(at).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::request::Presence;
    use crate::engine::scheduler::Preview;
    use crate::engine::task::WaitReason;
    use crate::roster::zones::ZoneSource;
    use crate::wire::{Rules, request};

    fn start() -> DateTime<Utc> {
        "2026-11-23T00:00:00Z".parse().unwrap()
    }

    fn sample() -> Roster {
        crate::roster::sample(ZoneSource::Bundled, start()).unwrap().roster
    }

    fn requests(seed: u64, count: usize) -> Vec<Due> {
        let mut firm = Firm::new(seed, &sample());
        let mut now = start();
        let next = std::iter::from_fn(|| {
            let due = firm.next(now)?;
            now = due.at;
            Some(due)
        });
        next.take(count).collect()
    }

    #[test]
    fn one_seed_gives_the_same_bytes_and_another_seed_others() {
        assert_eq!(requests(7, 200), requests(7, 200));
        assert_ne!(requests(7, 200), requests(8, 200));
    }

    #[test]
    fn every_request_is_valid_and_the_roster_admits_it() {
        let roster = Arc::new(sample());
        let requests = requests(1, 400);
        assert_eq!(requests.len(), 400);
        for due in &requests {
            let parsed = request::parse(&due.body, &Rules::default()).unwrap();
            Preview::of(&parsed.request, Arc::clone(&roster), due.at).unwrap();
        }
    }

    #[test]
    fn most_work_can_be_done_by_some_team_and_a_little_cannot() {
        let roster = Arc::new(sample());
        let is_routable = |due: &Due| {
            let parsed = request::parse(&due.body, &Rules::default()).unwrap();
            let preview = Preview::of(&parsed.request, Arc::clone(&roster), due.at).unwrap();
            preview.waiting.is_none_or(|waiting| waiting.reason != WaitReason::NoTeamEligible)
        };
        let routable = requests(1, 400).iter().filter(|due| is_routable(due)).count();
        assert!((340..400).contains(&routable), "{routable} of 400");
    }

    #[test]
    fn requests_come_in_order_with_ids_of_their_own() {
        let requests = requests(3, 400);
        assert!(requests.windows(2).all(|pair| pair[0].at < pair[1].at));
        let ids: BTreeSet<_> =
            requests.iter().map(|due| request::parse(&due.body, &Rules::default()).unwrap().request.id).collect();
        assert_eq!(ids.len(), requests.len());
    }

    #[test]
    fn the_mix_has_urgent_and_low_work_deadlines_presence_and_several_jurisdictions() {
        let parsed: Vec<_> =
            requests(5, 600).iter().map(|due| request::parse(&due.body, &Rules::default()).unwrap().request).collect();
        let count =
            |is: &dyn Fn(&crate::engine::request::WorkRequest) -> bool| parsed.iter().filter(|it| is(it)).count();
        assert!(count(&|it| it.priority == Some(Priority::Urgent)) > 0);
        assert!(count(&|it| it.priority == Some(Priority::Low)) > 0);
        assert!(count(&|it| it.deadline.is_some()) > 100);
        assert!(count(&|it| it.place.is_some()) > 0);
        assert!(count(&|it| it.presence == Some(Presence::Contact)) > 0);
        assert!(count(&|it| !it.excluded_teams.is_empty() || it.preferred_team.is_some()) > 0);
        let work_types: BTreeSet<_> = parsed.iter().filter_map(|it| it.work_type.clone()).collect();
        assert!(work_types.len() >= 10, "{work_types:?}");
    }

    #[test]
    fn clients_send_more_while_they_are_open() {
        let roster = sample();
        let (mut open, mut closed) = (0, 0);
        for due in requests(2, 600) {
            let request = request::parse(&due.body, &Rules::default()).unwrap().request;
            if let Some(calendar) = &roster.clients[&request.client].calendar {
                *(if calendar.is_open(due.at) { &mut open } else { &mut closed }) += 1;
            }
        }
        assert!(open > closed, "{open} while open, {closed} while closed");
    }

    #[test]
    fn a_late_caller_gets_a_request_that_is_not_in_the_past() {
        let mut firm = Firm::new(1, &sample());
        let now = start() + TimeDelta::days(3);
        assert!(firm.next(now).unwrap().at >= now);
    }
}
