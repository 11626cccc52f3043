//! The nine filters: what each rejects, what would clear it, and that the first "no" is the one shown.

use std::collections::BTreeMap;

use heliograph::engine::explain::{Filter, Obstacle, Rejection, Verdict};
use heliograph::engine::request::{Consent, WorkRequest};
use heliograph::engine::roster::{Capability, Capacity, Client, Offshoring, Roster, Team, Wall};
use heliograph::engine::scheduler::Preview;
use heliograph::engine::task::TurnDownCause;
use heliograph::engine::update::DeclineReason;

use crate::world::*;

/// Makes a team fail one filter.
type Fault = fn(&mut Roster, &mut WorkRequest);

const MONDAY: &str = "2026-11-23T10:00:00Z";

/// What the first team of a roster says to a request.
fn verdict(now: &str, roster: Roster, request: &WorkRequest) -> Option<Rejection> {
    let preview = Preview::of(request, roster.into(), at(now)).expect("it is admitted");
    rejection_of(preview.verdicts.into_iter().next().expect("a team"))
}

fn rejection_of(verdict: Verdict) -> Option<Rejection> {
    match verdict {
        Verdict::Available(_) => None,
        Verdict::Rejected { filter, rejection, cleared_by, .. } => {
            assert_eq!(filter, rejection.filter());
            assert!(!cleared_by.is_empty());
            Some(rejection)
        }
    }
}

fn of_team(team: Team, request: &WorkRequest) -> Option<Rejection> {
    verdict(MONDAY, roster(vec![team]), request)
}

fn of_client(team: Team, change: impl Fn(&mut Client), request: &WorkRequest) -> Option<Rejection> {
    let mut roster = roster(vec![team]);
    roster.clients.values_mut().for_each(change);
    verdict(MONDAY, roster, request)
}

fn wall(matter_id: Option<&str>) -> Wall {
    Wall { team: team_id("london"), client: client_id("acme"), matter: matter_id.map(matter), reason: "r".into() }
}

#[test]
fn a_wall_keeps_a_team_from_a_client_or_from_one_matter() {
    let walled = |matter_id| {
        let mut roster = roster(vec![london()]);
        roster.walls = vec![wall(matter_id)];
        verdict(MONDAY, roster, &request("a"))
    };
    assert_eq!(walled(None), Some(Rejection::WalledFromClient));
    assert_eq!(walled(Some("M-1")), Some(Rejection::WalledFromMatter));
    assert_eq!(walled(Some("M-2")), None);
}

#[test]
fn offshoring_follows_the_rule_of_the_client_and_the_consent_of_the_request() {
    let client_country = place("GB");
    let consent = |offshore, reference: Option<&str>| WorkRequest {
        consent: Some(Consent { offshore, reference: reference.map(str::to_owned) }),
        ..request("a")
    };
    let abroad = || always_in("AU");
    let rule = |rule, request: &WorkRequest| of_client(abroad(), |client| client.offshoring = rule, request);
    let denied = Some(Rejection::OffshoringDenied { client_country: client_country.clone() });
    let missing = Some(Rejection::ConsentMissing { client_country });
    assert_eq!(rule(Offshoring::Allowed, &request("a")), None);
    assert_eq!(rule(Offshoring::Allowed, &consent(false, None)), denied);
    assert_eq!(rule(Offshoring::Denied, &consent(true, Some("c-7"))), denied);
    assert_eq!(rule(Offshoring::Consent, &request("a")), missing);
    assert_eq!(rule(Offshoring::Consent, &consent(true, None)), missing);
    assert_eq!(rule(Offshoring::Consent, &consent(false, Some("c-7"))), missing);
    assert_eq!(rule(Offshoring::Consent, &consent(true, Some("c-7"))), None);
    let at_home = of_client(london(), |client| client.offshoring = Offshoring::Denied, &request("a"));
    assert_eq!(at_home, None);
}

fn always_in(country: &str) -> Team {
    Team { country: place(country), ..always("zurich") }
}

#[test]
fn countries_and_regions_are_held_to_the_lists_of_request_and_client() {
    let denied = |country: &str| Some(Rejection::CountryDenied { country: place(country) });
    let not_allowed = |country: &str| Some(Rejection::CountryNotAllowed { country: place(country) });
    let lists = |allowed: &[&str], denied: &[&str]| WorkRequest {
        allowed_countries: allowed.iter().map(|it| place(it)).collect(),
        denied_countries: denied.iter().map(|it| place(it)).collect(),
        ..request("a")
    };
    assert_eq!(of_team(always_in("US-NY"), &lists(&[], &["US"])), denied("US-NY"));
    assert_eq!(of_team(always_in("US-NY"), &lists(&[], &["US-CA"])), None);
    assert_eq!(of_team(always_in("US-NY"), &lists(&["US"], &[])), None);
    assert_eq!(of_team(always_in("US"), &lists(&["US-NY"], &[])), not_allowed("US"));
    let by_client = |client: fn(&mut Client)| of_client(always_in("AU"), client, &request("a"));
    assert_eq!(by_client(|client| client.denied_countries = vec![place("AU")]), denied("AU"));
    assert_eq!(by_client(|client| client.allowed_countries = vec![place("GB")]), not_allowed("AU"));
    let outside = Some(Rejection::OutsideResidency { region: None });
    assert_eq!(by_client(|client| client.residency = vec![term("eu")]), outside);
    let inside = Team { region: Some(term("eu")), ..always("zurich") };
    assert_eq!(of_client(inside, |client| client.residency = vec![term("eu")], &request("a")), None);
}

#[test]
fn somebody_in_person_is_in_the_place_of_the_task() {
    let hearing = || request_of("hearing", "a");
    assert_eq!(of_team(london(), &hearing()), Some(Rejection::PlaceUnknown));
    let in_place = |text: &str| WorkRequest { place: Some(place(text)), ..hearing() };
    let elsewhere =
        |text: &str, country: &str| Some(Rejection::Elsewhere { place: place(text), country: place(country) });
    assert_eq!(of_team(london(), &in_place("GB")), None);
    assert_eq!(of_team(london(), &in_place("AU")), elsewhere("AU", "GB"));
    assert_eq!(of_team(always_in("US"), &in_place("US-NY")), elsewhere("US-NY", "US"));
    let by_law = WorkRequest { jurisdiction: Some(place("US-NY")), ..hearing() };
    assert_eq!(of_team(always_in("US"), &by_law), None, "the country is what counts without a place");
    assert_eq!(of_team(london(), &by_law), elsewhere("US-NY", "GB"));
}

#[test]
fn contact_needs_a_shift_that_meets_the_hours_of_the_client_for_the_effort() {
    let call = |minutes| WorkRequest { effort_minutes: Some(minutes), ..request_of("call", "a") };
    let long = |longest_minutes, needed_minutes| Some(Rejection::TooLittleContact { longest_minutes, needed_minutes });
    // New York opens at 14:00 London time and London closes at 17:00.
    assert_eq!(verdict("2026-11-23T14:00:00Z", roster(vec![new_york()]), &call(180)), None);
    assert_eq!(verdict("2026-11-23T14:00:00Z", roster(vec![new_york()]), &call(181)), long(180, 181));
    let now = Some(Rejection::TooLittleContactNow { left_minutes: 60, needed_minutes: 61 });
    assert_eq!(verdict("2026-11-23T16:00:00Z", roster(vec![new_york()]), &call(61)), now);
    assert_eq!(of_team(sydney(), &call(1)), long(0, 1));
    assert_eq!(of_team(always("zurich"), &call(1_000)), None, "a team that never closes meets them every day");
    let no_hours = of_client(london(), |client| client.calendar = None, &call(30));
    assert_eq!(no_hours, long(0, 30));
}

#[test]
fn contact_that_is_too_short_today_wakes_at_the_next_shift() {
    let mut world = World::new("2026-11-23T16:30:00Z", roster(vec![new_york()]));
    let _ = world.send(WorkRequest { effort_minutes: Some(120), ..request_of("call", "a") });
    assert_eq!(world.place_of("a"), "waiting no_team_open");
    assert_eq!(world.wait_of("a").1, Some(at("2026-11-24T14:00:00Z")));
    world.run_to("2026-11-24T14:00:00Z");
    assert_eq!(world.place_of("a"), "offered new-york");
}

#[test]
fn vetting_lasts_to_the_end_of_the_part() {
    let vetted = |until: Option<&str>| Team { vetted_until: until.map(at), ..london() };
    assert_eq!(of_team(vetted(None), &request("a")), Some(Rejection::NotVetted));
    assert_eq!(of_team(vetted(Some("2026-11-23T11:00:00Z")), &request("a")), None);
    let ends = |until, needed| Some(Rejection::VettingEnds { at: at(until), needed_until: at(needed) });
    let until = "2026-11-23T10:59:59Z";
    assert_eq!(of_team(vetted(Some(until)), &request("a")), ends(until, "2026-11-23T11:00:00Z"));
    // A task that moves on at the shift end needs it to that end, one that stays needs it to its own.
    let long = |kind: &str| {
        let place = (kind == "hearing").then(|| place("GB"));
        WorkRequest { effort_minutes: Some(600), place, ..request_of(kind, "a") }
    };
    let until = "2026-11-23T17:00:00Z";
    assert_eq!(of_team(vetted(Some(until)), &long("review")), None);
    assert_eq!(of_team(vetted(Some(until)), &long("hearing")), ends(until, "2026-11-24T12:00:00Z"));
}

#[test]
fn a_capability_is_a_pair_with_languages_that_is_held_long_enough() {
    let holds = |held: Vec<Capability>| Team { capabilities: held, ..london() };
    let needs = |jurisdiction: &str, specialty: &str| WorkRequest {
        jurisdiction: Some(place(jurisdiction)),
        specialty: Some(term(specialty)),
        ..request("a")
    };
    let pairs = || vec![capability(Some("US-NY"), Some("patents")), capability(Some("GB"), None)];
    assert_eq!(of_team(holds(pairs()), &needs("US-NY", "patents")), None);
    assert_eq!(of_team(holds(pairs()), &needs("GB", "patents")), None, "no specialty stands for all");
    for (jurisdiction, specialty) in [("US-NY", "tax"), ("US", "patents"), ("FR", "tax")] {
        let answer = of_team(holds(pairs()), &needs(jurisdiction, specialty));
        let refused =
            Rejection::NotAdmitted { jurisdiction: Some(place(jurisdiction)), specialty: Some(term(specialty)) };
        assert_eq!(answer, Some(refused), "{jurisdiction} {specialty}");
    }
    let german = WorkRequest { languages: Some(vec![term("en"), term("de")]), ..request("a") };
    assert_eq!(of_team(london(), &german), Some(Rejection::LanguageMissing { language: term("de") }));
    let ends_at = at("2026-11-23T10:30:00Z");
    let short = || Capability { admitted_until: Some(ends_at), ..capability(None, None) };
    let needed_until = at("2026-11-23T11:00:00Z");
    let ends = Some(Rejection::AdmissionEnds { at: ends_at, needed_until });
    assert_eq!(of_team(holds(vec![short()]), &request("a")), ends);
    assert_eq!(of_team(holds(vec![short(), capability(None, None)]), &request("a")), None, "the longest counts");
}

#[test]
fn skills_and_exclusions_are_part_of_the_capability() {
    let needs = WorkRequest { skills: vec![skill("ediscovery", 3)], ..request("a") };
    let missing = |held| Some(Rejection::SkillMissing { skill: term("ediscovery"), needed: 3, held });
    let skilled = |level| Team { skills: [(term("ediscovery"), level)].into(), ..london() };
    assert_eq!(of_team(london(), &needs), missing(0));
    assert_eq!(of_team(skilled(2), &needs), missing(2));
    assert_eq!(of_team(skilled(3), &needs), None);
    let excluded = WorkRequest { excluded_teams: vec![team_id("london")], ..request("a") };
    assert_eq!(of_team(london(), &excluded), Some(Rejection::Excluded));
}

#[test]
fn a_turn_down_is_shown_with_its_cause_and_its_end() {
    let mut world = World::new(MONDAY, roster(vec![london()]));
    let _ = world.send(request("a"));
    world.decline("a", DeclineReason::Busy);
    let verdicts = world.scheduler.explain(&task_id("a")).expect("it is open");
    let until = Some(at("2026-11-23T10:30:00Z"));
    let cause = TurnDownCause::Declined(DeclineReason::Busy);
    assert_eq!(rejection_of(verdicts[0].clone()), Some(Rejection::TurnedDown { cause, until }));
}

#[test]
fn a_closed_team_says_when_it_opens_and_one_about_to_close_too() {
    let opens_at = Some(at("2026-11-24T09:00:00Z"));
    let ask = |now| verdict(now, roster(vec![london()]), &request("a"));
    assert_eq!(ask("2026-11-23T17:00:00Z"), Some(Rejection::Closed { opens_at }));
    assert_eq!(ask("2026-11-23T16:45:00Z"), None);
    let closes_at = at("2026-11-23T17:00:00Z");
    assert_eq!(ask("2026-11-23T16:45:01Z"), Some(Rejection::ClosesSoon { closes_at, opens_at }));
}

#[test]
fn a_short_break_is_no_shift_end() {
    let lunch = |hours: &str| {
        let calendar = calendar("Europe/London", &WEEKDAYS, &["09:00-17:00"], &[hours]);
        verdict("2026-11-23T11:50:00Z", roster(vec![Team { calendar, ..london() }]), &request("a"))
    };
    assert_eq!(lunch("12:00-13:59"), None);
    assert!(matches!(lunch("12:00-14:00"), Some(Rejection::ClosesSoon { .. })), "two hours closed end a shift");
}

#[test]
fn a_retired_team_and_a_full_one_take_nothing_new() {
    assert_eq!(of_team(Team { retired: true, ..london() }, &request("a")), Some(Rejection::Retired));
    let none = Team { capacity: Capacity::Seats(0), ..london() };
    assert_eq!(of_team(none, &request("a")), Some(Rejection::NoSeat { used: 0, seats: 0 }));
}

#[test]
fn the_first_no_in_the_order_of_the_filters_is_the_one_shown() {
    let mut faults: Vec<(Filter, Fault)> = vec![
        (Filter::Wall, |roster, _| roster.walls = vec![wall(None)]),
        (Filter::Consent, |_, request| request.denied_countries = vec![place("GB")]),
        (Filter::Presence, |_, request| request.place = Some(place("AU"))),
        (Filter::Vetting, |roster, _| roster.teams[0].vetted_until = None),
        (Filter::Capability, |_, request| request.skills = vec![skill("ediscovery", 5)]),
        (Filter::Drained, |roster, _| roster.teams[0].retired = true),
        (Filter::Open, |roster, _| roster.teams[0].calendar = calendar("UTC", &[6], &["09:00-10:00"], &[])),
        (Filter::Seats, |roster, _| roster.teams[0].capacity = Capacity::Seats(0)),
    ];
    while !faults.is_empty() {
        let (mut roster, mut request) = (roster(vec![london()]), request_of("hearing", "a"));
        request.place = Some(place("GB"));
        faults.iter().for_each(|(_, add)| add(&mut roster, &mut request));
        let shown = verdict(MONDAY, roster, &request).map(|it| it.filter());
        assert_eq!(shown, Some(faults[0].0));
        faults.remove(0);
    }
}

#[test]
fn every_no_of_a_team_is_told_on_request_each_with_what_clears_it() {
    let mut roster = roster(vec![london()]);
    roster.walls = vec![wall(None)];
    roster.teams[0].vetted_until = None;
    roster.teams[0].retired = true;
    let request = WorkRequest {
        denied_countries: vec![place("GB")],
        allowed_countries: vec![place("AU")],
        skills: vec![skill("ediscovery", 5)],
        excluded_teams: vec![team_id("london")],
        ..request("a")
    };
    let mut world = World::new("2026-11-23T18:00:00Z", roster);
    let _ = world.send(request);
    let told = world.scheduler.obstacles(&task_id("a"), &team_id("london")).expect("an open task and a team");
    let filters: Vec<_> = told.iter().map(|it| it.filter).collect();
    use Filter::{Capability, Consent, Drained, Open, Vetting, Wall};
    assert_eq!(filters, [Wall, Consent, Consent, Vetting, Capability, Capability, Drained, Open]);
    assert!(told.iter().all(|it| it.filter == it.rejection.filter() && !it.cleared_by.is_empty()), "{told:?}");
    let shown = rejection_of(world.scheduler.explain(&task_id("a")).expect("it is open").remove(0));
    assert_eq!(shown.as_ref(), Some(&told[0].rejection), "the first is the one that routing shows");
    assert_eq!(world.scheduler.obstacles(&task_id("a"), &team_id("lodnon")), None);
}

#[test]
fn a_team_that_could_take_a_task_has_no_obstacle() {
    let mut world = World::new(MONDAY, roster(vec![london(), sydney()]));
    let _ = world.send(request("a"));
    assert_eq!(world.scheduler.obstacles(&task_id("a"), &team_id("london")), Some(Vec::new()));
    let closed = world.scheduler.obstacles(&task_id("a"), &team_id("sydney")).expect("an open task and a team");
    assert!(matches!(closed[..], [Obstacle { rejection: Rejection::Closed { .. }, .. }]), "{closed:?}");
}

#[test]
fn a_team_that_fails_two_filters_shows_the_first_of_them() {
    let lapsed = || Team { vetted_until: Some(at("2026-11-24T09:30:00Z")), ..london() };
    let incapable = Team { capabilities: vec![capability(Some("FR"), None)], id: team_id("paris"), ..lapsed() };
    let mut world = World::new("2026-11-24T09:00:00Z", roster(vec![new_york(), incapable]));
    let gb = |id| WorkRequest { jurisdiction: Some(place("GB")), ..request(id) };
    let shown = |world: &World, id: &str| {
        let verdicts = world.scheduler.explain(&task_id(id)).expect("an open task");
        let filters = verdicts.into_iter().filter_map(|it| match it {
            Verdict::Rejected { filter, .. } => Some(filter),
            Verdict::Available(_) => None,
        });
        let mut counts = BTreeMap::new();
        filters.for_each(|filter| *counts.entry(filter).or_insert(0) += 1);
        counts
    };
    let stored =
        |world: &World| world.log.iter().rev().find_map(|it| it.decision.clone()).expect("one").rejected.clone();
    let _ = world.send(gb("a"));
    assert_eq!(stored(&world), [(Filter::Capability, 1), (Filter::Open, 1)].into());
    assert_eq!(shown(&world, "a"), stored(&world));
    world.run_to("2026-11-24T10:00:00Z");
    let _ = world.send(gb("b"));
    assert_eq!(stored(&world), [(Filter::Vetting, 1), (Filter::Open, 1)].into());
    assert_eq!(shown(&world, "b"), stored(&world));
    let call = WorkRequest { work_type: request_of("call", "c").work_type, effort_minutes: Some(600), ..gb("c") };
    let _ = world.send(call);
    assert_eq!(stored(&world).get(&Filter::Presence), Some(&2), "no shift has ten hours of contact");
    assert_eq!(shown(&world, "c"), stored(&world));
}
