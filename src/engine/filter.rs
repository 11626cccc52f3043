//! The hard rules of routing, in the order in which they are asked.
//!
//! A filter may have several rules, each with one "no"; the first of all is the one that routing shows, and [`every_no`]
//! gives them all. [`STANDING`] holds what a team is or is not, and is worked out once per requirement class and roster. [`DATED`]
//! holds the parts of the same rules that end at a date, and [`NOT_NOW`] what passes by itself. Source of each rule:
//! the design's service model, "Routing".

use chrono::{DateTime, TimeDelta, Utc};

use super::explain::{Filter, Rejection};
use super::id::MatterId;
use super::load::TeamLoad;
use super::planted::planted;
use super::request::{Place, Presence};
use super::roster::{Capability, Client, Offshoring, Roster, Team};
use super::task::{Needs, Task};
use super::walls::Walls;

/// A team against what a class of tasks needs.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// The roster in force.
    pub roster: &'a Roster,
    /// The walls in force.
    pub walls: &'a Walls,
    /// Whose work.
    pub client: &'a Client,
    /// Which matter.
    pub matter: &'a MatterId,
    /// What it needs.
    pub needs: &'a Needs,
    /// The team.
    pub team: &'a Team,
}

/// A rule on what a team is.
pub type StandingRule = fn(&Standing<'_>) -> Result<(), Rejection>;

/// Filters 1 to 5, as far as they do not depend on the time.
pub const STANDING: [(Filter, StandingRule); 11] = [
    (Filter::Wall, wall),
    (Filter::Consent, offshoring),
    (Filter::Consent, denied_countries),
    (Filter::Consent, allowed_countries),
    (Filter::Consent, residency),
    (Filter::Presence, presence),
    (Filter::Vetting, vetting),
    (Filter::Capability, pair),
    (Filter::Capability, languages),
    (Filter::Capability, skills),
    (Filter::Capability, not_excluded),
];

/// An eligible team against one task at one instant.
#[derive(Debug, Clone, Copy)]
pub struct AtNow<'a> {
    /// The instant.
    pub now: DateTime<Utc>,
    /// The roster in force.
    pub roster: &'a Roster,
    /// The team.
    pub team: &'a Team,
    /// What it holds now.
    pub load: &'a TeamLoad,
    /// What its qualification for the class rests on.
    pub fit: &'a Fit,
    /// The task.
    pub task: &'a Task,
    /// When the team's part of the task would end.
    pub part_ends_at: DateTime<Utc>,
}

/// A rule at an instant.
pub type NowRule = fn(&AtNow<'_>) -> Result<(), Rejection>;

/// The dated parts of filters 3 to 5.
pub const DATED: [(Filter, NowRule); 3] =
    [(Filter::Presence, contact), (Filter::Vetting, vetting_lasts), (Filter::Capability, admission_lasts)];

/// Filters 6 to 9.
pub const NOT_NOW: [(Filter, NowRule); 4] =
    [(Filter::TurnedDown, turned_down), (Filter::Drained, drained), (Filter::Open, open), (Filter::Seats, seats)];

/// What an eligible team's qualification for a class rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// Vetted before this instant.
    pub vetted_until: DateTime<Utc>,
    /// Admitted before this instant; `None` has no end.
    pub admitted_until: Option<DateTime<Utc>>,
    /// Skill levels above what is asked, summed.
    pub excess: u32,
    /// The longest overlap of one of its shifts with the client's hours; `None` when no contact is asked.
    pub contact: Option<TimeDelta>,
}

impl Fit {
    /// When the first of its qualifications ends.
    #[must_use]
    pub fn ends_at(&self) -> DateTime<Utc> {
        self.admitted_until.map_or(self.vetted_until, |admitted_until| admitted_until.min(self.vetted_until))
    }
}

/// Every rule's "no" to a team, in the order of the filters. The dated part of a filter is not asked where its standing
/// part says no already: there is no date to look at. A team that may not have the task has no part in it, so its
/// qualifications need not last any longer than now.
#[must_use]
pub fn every_no(standing: &Standing<'_>, at_now: &AtNow<'_>) -> Vec<Rejection> {
    let stands: Vec<Rejection> = STANDING.iter().filter_map(|(_, rule)| rule(standing).err()).collect();
    let part_ends_at = if stands.is_empty() { at_now.part_ends_at } else { at_now.now };
    let at_now = &AtNow { part_ends_at, ..*at_now };
    let refused = |filter: Filter| stands.iter().any(|rejection| rejection.filter() == filter);
    let dated = DATED.iter().filter(|(filter, _)| !refused(*filter));
    let mut all: Vec<Rejection> = dated.chain(&NOT_NOW).filter_map(|(_, rule)| rule(at_now).err()).collect();
    all.extend(stands);
    all.sort_by_key(Rejection::filter);
    all
}

fn wall(ask: &Standing<'_>) -> Result<(), Rejection> {
    if planted("wall-not-asked") {
        return Ok(());
    }
    ask.walls.clear(&ask.team.id, &ask.client.id, ask.matter).map(|_| ())
}

fn offshoring(ask: &Standing<'_>) -> Result<(), Rejection> {
    let (client, needs) = (ask.client, ask.needs);
    if ask.team.country.country() == client.country.country() || planted("consent-not-asked") {
        return Ok(());
    }
    let client_country = client.country.clone();
    let consented = needs.consent.as_ref().is_some_and(|given| given.offshore && given.reference.is_some());
    let refused = needs.consent.as_ref().is_some_and(|given| !given.offshore);
    match client.offshoring {
        Offshoring::Denied => Err(Rejection::OffshoringDenied { client_country }),
        Offshoring::Consent if !consented => Err(Rejection::ConsentMissing { client_country }),
        Offshoring::Allowed if refused => Err(Rejection::OffshoringDenied { client_country }),
        Offshoring::Allowed | Offshoring::Consent => Ok(()),
    }
}

fn denied_countries(ask: &Standing<'_>) -> Result<(), Rejection> {
    let country = &ask.team.country;
    let denied = [&ask.needs.denied_countries, &ask.client.denied_countries];
    if denied.iter().any(|places| is_listed(country, places)) && !planted("denied-country-allowed") {
        return Err(Rejection::CountryDenied { country: country.clone() });
    }
    Ok(())
}

fn allowed_countries(ask: &Standing<'_>) -> Result<(), Rejection> {
    let country = &ask.team.country;
    let allowed = [&ask.needs.allowed_countries, &ask.client.allowed_countries];
    if allowed.iter().any(|places| !places.is_empty() && !is_listed(country, places)) {
        return Err(Rejection::CountryNotAllowed { country: country.clone() });
    }
    Ok(())
}

fn is_listed(country: &Place, places: &[Place]) -> bool {
    places.iter().any(|place| place.covers(country))
}

fn residency(ask: &Standing<'_>) -> Result<(), Rejection> {
    let inside = ask.team.region.as_ref().is_some_and(|region| ask.client.residency.contains(region));
    if !ask.client.residency.is_empty() && !inside && !planted("residency-not-asked") {
        return Err(Rejection::OutsideResidency { region: ask.team.region.clone() });
    }
    Ok(())
}

fn presence(ask: &Standing<'_>) -> Result<(), Rejection> {
    if ask.needs.presence != Presence::InPerson || planted("presence-relaxed") {
        return Ok(());
    }
    let place = ask.needs.place.as_ref().or(ask.needs.jurisdiction.as_ref()).ok_or(Rejection::PlaceUnknown)?;
    let country = &ask.team.country;
    let there = if ask.needs.place.is_some() { place.covers(country) } else { place.country() == country.country() };
    if there { Ok(()) } else { Err(Rejection::Elsewhere { place: place.clone(), country: country.clone() }) }
}

fn vetting(ask: &Standing<'_>) -> Result<(), Rejection> {
    ask.team.vetted_until.map(|_| ()).ok_or(Rejection::NotVetted)
}

fn pair(ask: &Standing<'_>) -> Result<(), Rejection> {
    let held = ask.team.capabilities.iter().any(|held| holds_pair(held, ask.needs));
    if held { Ok(()) } else { Err(not_admitted(ask.needs)) }
}

/// All languages within one capability that holds the pair; without such a capability [`pair`] has said no.
fn languages(ask: &Standing<'_>) -> Result<(), Rejection> {
    let needs = ask.needs;
    let mut pairs = ask.team.capabilities.iter().filter(|held| holds_pair(held, needs)).peekable();
    if pairs.peek().is_none() || pairs.clone().any(|held| speaks(held, needs)) {
        return Ok(());
    }
    let spoken = |language| pairs.clone().any(|held| held.languages.contains(language));
    let missing = needs.languages.iter().find(|language| !spoken(language)).or(needs.languages.first());
    missing.map_or(Ok(()), |language| Err(Rejection::LanguageMissing { language: language.clone() }))
}

fn skills(ask: &Standing<'_>) -> Result<(), Rejection> {
    for need in &ask.needs.skills {
        let held = ask.team.skills.get(&need.name).copied().unwrap_or(0);
        if held < need.level && !planted("skills-not-asked") {
            return Err(Rejection::SkillMissing { skill: need.name.clone(), needed: need.level, held });
        }
    }
    Ok(())
}

fn not_excluded(ask: &Standing<'_>) -> Result<(), Rejection> {
    if ask.needs.excluded_teams.contains(&ask.team.id) { Err(Rejection::Excluded) } else { Ok(()) }
}

/// The rejection of a team that does not hold the pair that is asked for.
#[must_use]
pub fn not_admitted(needs: &Needs) -> Rejection {
    Rejection::NotAdmitted { jurisdiction: needs.jurisdiction.clone(), specialty: needs.specialty.clone() }
}

/// Whether a capability is the pair that is asked for: jurisdictions match exactly, `None` in it matches all.
fn holds_pair(held: &Capability, needs: &Needs) -> bool {
    let jurisdiction = match (&needs.jurisdiction, &held.jurisdiction) {
        (None, _) | (_, None) => true,
        (Some(needed), Some(own)) => needed == own,
    };
    let specialty = match (&needs.specialty, &held.specialty) {
        (None, _) | (_, None) => true,
        (Some(needed), Some(own)) => needed == own,
    };
    jurisdiction && specialty
}

fn speaks(held: &Capability, needs: &Needs) -> bool {
    needs.languages.iter().all(|language| held.languages.contains(language))
}

/// What an eligible team's qualification rests on; asked after [`STANDING`] let it pass.
#[must_use]
pub fn fit(ask: &Standing<'_>, now: DateTime<Utc>) -> Fit {
    let (needs, team) = (ask.needs, ask.team);
    let pairs = team.capabilities.iter().filter(|held| holds_pair(held, needs) && speaks(held, needs));
    let admitted_until = pairs.map(|held| held.admitted_until).reduce(|a, b| a.zip(b).map(|(a, b)| a.max(b)));
    let held = |name| team.skills.get(name).copied().unwrap_or(0);
    Fit {
        vetted_until: team.vetted_until.unwrap_or(DateTime::<Utc>::MIN_UTC),
        admitted_until: admitted_until.flatten(),
        excess: needs.skills.iter().map(|need| u32::from(held(&need.name).saturating_sub(need.level))).sum(),
        contact: (needs.presence == Presence::Contact)
            .then(|| super::forecast::longest_contact(ask.roster, team, ask.client, now)),
    }
}

/// What a team that lacks the capability fails before that. It has no part in the task, so its vetting need not last any
/// longer than now.
///
/// # Errors
/// The rejection of the earlier filter.
pub fn before_capability(fit: &Fit, task: &Task, now: DateTime<Utc>) -> Result<(), Rejection> {
    enough_contact(fit, task)?;
    if fit.vetted_until > now {
        Ok(())
    } else {
        Err(Rejection::VettingEnds { at: fit.vetted_until, needed_until: now })
    }
}

/// Some shift of the team meets the client's hours for as long as the task takes.
fn enough_contact(fit: &Fit, task: &Task) -> Result<(), Rejection> {
    let needed_minutes = task.remaining_minutes();
    match fit.contact {
        Some(longest) if longest < TimeDelta::minutes(i64::from(needed_minutes)) => {
            Err(Rejection::TooLittleContact { longest_minutes: minutes(longest), needed_minutes })
        }
        _ => Ok(()),
    }
}

fn contact(ask: &AtNow<'_>) -> Result<(), Rejection> {
    enough_contact(ask.fit, ask.task)?;
    if ask.fit.contact.is_none() {
        return Ok(());
    }
    let needed_minutes = ask.task.remaining_minutes();
    let needed = TimeDelta::minutes(i64::from(needed_minutes));
    let Some(shift_ends_at) = ask.load.open_shift_end() else { return Ok(()) };
    let client = ask.roster.clients.get(&ask.task.client);
    let left = client
        .map_or(TimeDelta::zero(), |client| super::forecast::contact_between(ask.team, client, ask.now, shift_ends_at));
    if left < needed {
        return Err(Rejection::TooLittleContactNow { left_minutes: minutes(left), needed_minutes });
    }
    Ok(())
}

fn vetting_lasts(ask: &AtNow<'_>) -> Result<(), Rejection> {
    if ask.fit.vetted_until >= ask.part_ends_at && ask.fit.vetted_until > ask.now || planted("vetting-has-no-end") {
        return Ok(());
    }
    Err(Rejection::VettingEnds { at: ask.fit.vetted_until, needed_until: ask.part_ends_at })
}

fn admission_lasts(ask: &AtNow<'_>) -> Result<(), Rejection> {
    match ask.fit.admitted_until {
        Some(at) if (at < ask.part_ends_at || at <= ask.now) && !planted("admission-has-no-end") => {
            Err(Rejection::AdmissionEnds { at, needed_until: ask.part_ends_at })
        }
        _ => Ok(()),
    }
}

fn turned_down(ask: &AtNow<'_>) -> Result<(), Rejection> {
    let by_team = ask.task.turn_downs.iter().find(|turn_down| turn_down.team == ask.team.id);
    match by_team {
        Some(it) if it.until.is_none_or(|until| until > ask.now) && !planted("turn-down-forgotten") => {
            Err(Rejection::TurnedDown { cause: it.cause, until: it.until })
        }
        _ => Ok(()),
    }
}

fn drained(ask: &AtNow<'_>) -> Result<(), Rejection> {
    match ask.team {
        Team { retired: true, .. } => Err(Rejection::Retired),
        Team { drained_until: Some(_), .. } if !planted("drained-team-takes-new-work") => Err(Rejection::Drained),
        _ => Ok(()),
    }
}

fn open(ask: &AtNow<'_>) -> Result<(), Rejection> {
    if ask.load.closes_now(ask.now) {
        return Err(Rejection::Closed { opens_at: ask.team.calendar.next_open(ask.now).ok() });
    }
    let Some(closes_at) = ask.load.open_shift_end() else {
        return Err(Rejection::Closed { opens_at: ask.load.opens_at() });
    };
    let window = TimeDelta::minutes(i64::from(ask.roster.routing.min_start_window_minutes));
    if closes_at - ask.now < window || planted("start-window-off-by-one") && closes_at - ask.now == window {
        return Err(Rejection::ClosesSoon { closes_at, opens_at: ask.load.opens_at() });
    }
    Ok(())
}

fn seats(ask: &AtNow<'_>) -> Result<(), Rejection> {
    ask.load.room_for(ask.team, ask.task.priority, ask.task.remaining_minutes())
}

fn minutes(span: TimeDelta) -> u32 {
    u32::try_from(span.num_minutes().max(0)).unwrap_or(u32::MAX)
}
