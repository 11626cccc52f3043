//! Owners that may not or do not keep a task: an end of their qualification, a drain inside the notice, a short close.

use heliograph::engine::effect::{Effect, WithdrawReason};
use heliograph::engine::event::{Event, OverrideWish};
use heliograph::engine::overrides::{NewOverride, OverrideKind};
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Capability, RosterDigest, Team};
use heliograph::engine::task::{Active, ClosedBecause, TaskState};
use heliograph::engine::update::{Change, Sender, SetAside};

use crate::world::*;

/// Monday in London; its shift ends at 17:00.
const MONDAY: &str = "2026-11-23T10:00:00Z";

fn with(teams: Vec<Team>) -> World {
    let mut world = World::new(MONDAY, roster(teams));
    let preferred_team = Some(team_id("london"));
    let _ = world.send(WorkRequest { effort_minutes: Some(240), preferred_team, ..request("a") });
    world.accept("a");
    world
}

/// London, admitted until noon by a roster that comes into force after it has accepted.
fn admitted_until_noon(world: &mut World, others: Vec<Team>) {
    let capability = Capability { admitted_until: Some(at("2026-11-23T12:00:00Z")), ..capability(None, None) };
    let london = Team { capabilities: vec![capability], ..london() };
    let mut later = roster(others.into_iter().chain([london]).collect());
    later.digest = RosterDigest("1".repeat(64).into());
    let _ = world.step(Event::RosterChanged(later.into()));
}

fn active(world: &World) -> &Active {
    match &world.task("a").state {
        TaskState::Active(active) => active,
        state => panic!("{}", state.as_str()),
    }
}

fn set(world: &mut World, team: &str, kind: OverrideKind, until: &str) {
    let (author, reason) = ("Ann".into(), "a flood".into());
    let new = NewOverride { team: team_id(team), kind, from: None, until: at(until), author, reason };
    let effects = world.step(Event::OverrideWished(OverrideWish::Set(Box::new(new))));
    effects.overridden.expect("an answer").expect("set");
}

#[test]
fn an_owner_whose_admission_ends_is_asked_to_hand_on_before_that() {
    let mut world = with(vec![london(), always("zurich")]);
    admitted_until_noon(&mut world, vec![always("zurich")]);
    world.run_to("2026-11-23T11:29:59Z");
    assert!(active(&world).handoff.passing.is_none());
    world.run_to("2026-11-23T11:30:00Z");
    let offer = world.task("a").handoff_offer().expect("an offer to the next team").clone();
    assert_eq!(offer.team, team_id("zurich"));
    let accept = Change::Accept { assignment: offer.assignment };
    world.update(Sender::Team(offer.team), "a", accept).expect("it may");
    assert_eq!(world.place_of("a"), "active zurich");
}

#[test]
fn an_owner_that_is_done_before_its_admission_ends_keeps_it() {
    let mut world = with(vec![london(), always("zurich")]);
    world.holder("a", |assignment| Change::Progress { assignment, remaining_minutes: 100, note: None });
    admitted_until_noon(&mut world, vec![always("zurich")]);
    world.run_to("2026-11-23T11:45:00Z");
    assert!(active(&world).handoff.passing.is_none());
}

#[test]
fn an_owner_whose_admission_has_ended_owns_nothing_whoever_takes_it() {
    for (what, change) in [
        ("nobody answers", None),
        ("it is held", Some(Change::Hold)),
        ("it is paused", Some(Change::Pause { assignment: None, reason: term("client-question") })),
    ] {
        let mut world = with(vec![london(), sydney()]);
        admitted_until_noon(&mut world, vec![sydney()]);
        if let Some(change) = change {
            world.firm("a", change);
        }
        world.run_to("2026-11-23T11:59:59Z");
        assert_eq!(world.place_of("a"), "active london", "{what}");
        world.run_to("2026-11-23T12:00:00Z");
        assert!(world.place_of("a").starts_with("waiting"), "{what}: {}", world.place_of("a"));
        assert!(world.story("a").contains(&"recall"), "{what}");
    }
}

#[test]
fn no_limit_of_passes_keeps_a_task_with_a_team_that_is_to_leave_it() {
    let mut limited = roster(vec![london(), always("zurich")]);
    limited.routing.max_handoffs = 0;
    let mut world = World::new(MONDAY, limited);
    let preferred_team = Some(team_id("london"));
    let _ = world.send(WorkRequest { effort_minutes: Some(240), preferred_team, ..request("a") });
    world.accept("a");
    set(&mut world, "london", OverrideKind::Drain, "2026-11-25T10:00:00Z");
    world.run_to("2026-11-23T17:00:00Z");
    assert_eq!(world.task("a").handoff_offer().map(|offer| offer.team.as_str()), Some("zurich"));
}

#[test]
fn a_drain_inside_the_notice_counts_for_this_shift_end() {
    let mut firm = roster(vec![london(), sydney()]);
    firm.routing.handoff_min_gain_minutes = 10_000;
    let mut world = World::new(MONDAY, firm);
    let preferred_team = Some(team_id("london"));
    let _ = world.send(WorkRequest { effort_minutes: Some(1_000), preferred_team, ..request("a") });
    world.accept("a");
    world.run_to("2026-11-23T16:40:00Z");
    assert!(active(&world).handoff.passing.is_none(), "keeping is as good");
    set(&mut world, "london", OverrideKind::Drain, "2026-11-25T10:00:00Z");
    assert_eq!(active(&world).handoff.passing.as_ref().map(|it| it.to.as_str()), Some("sydney"));
    world.run_to("2026-11-23T17:00:00Z");
    assert_eq!(active(&world).closed_because, Some(ClosedBecause::Planned));
}

#[test]
fn a_short_close_takes_a_hand_off_offer_back_and_is_no_break_for_an_owner() {
    let mut world = with(vec![london(), always("zurich")]);
    world.holder("a", |assignment| Change::Handoff {
        assignment,
        notes: None,
        done: None,
        next_step: None,
        remaining_minutes: None,
    });
    assert!(world.task("a").handoff_offer().is_some());
    set(&mut world, "zurich", OverrideKind::Close, "2026-11-23T11:00:00Z");
    let offer = world.task("a").handoff_offer();
    assert!(offer.is_none(), "a closed team cannot take it: {offer:?}");
    let withdrawn = world.log.iter().any(|it| {
        matches!(it.effect, Effect::Withdraw { reason: WithdrawReason::ShiftEnd, .. })
            && it.team == Some(team_id("zurich"))
    });
    assert!(withdrawn);
    set(&mut world, "london", OverrideKind::Close, "2026-11-23T11:00:00Z");
    let because = active(&world).closed_because;
    assert!(because.is_some() && because != Some(ClosedBecause::Break), "{because:?}");
}

#[test]
fn a_preview_shows_what_the_timers_of_the_same_instant_do() {
    let mut world = with(vec![london(), Team { cost_per_hour_cents: 9_000, ..always("zurich") }]);
    let deadline = Some(at("2026-11-23T15:00:00Z"));
    let amendment = heliograph::engine::update::Amendment { deadline, ..Default::default() };
    world.firm("a", Change::Amend(Box::new(amendment)));
    let (author, reason) = ("Ann".into(), "a flood".into());
    let new = NewOverride {
        team: team_id("london"),
        kind: OverrideKind::Close,
        from: Some(at("2026-11-23T10:10:00Z")),
        until: at("2026-11-24T09:00:00Z"),
        author,
        reason,
    };
    let event = Event::OverrideWished(OverrideWish::Set(Box::new(new)));
    let shown: Vec<_> =
        world.scheduler.trial(world.now, event.clone()).recorded.iter().map(|it| it.effect.event_type()).collect();
    let mut done: Vec<_> = world.step(event).recorded.iter().map(|it| it.effect.event_type()).collect();
    while world.scheduler.next_deadline().is_some_and(|due_at| due_at <= world.now) {
        done.extend(world.step(Event::DeadlineReached).recorded.iter().map(|it| it.effect.event_type()));
    }
    assert!(shown.contains(&"handoff.planned"), "{shown:?}");
    assert_eq!(shown, done);
}

#[test]
fn an_order_at_the_instant_of_not_before_starts_the_clocks_and_tells_when_it_is_due() {
    let mut firm = roster(vec![Team { capacity: heliograph::engine::roster::Capacity::Seats(0), ..always("zurich") }]);
    let gold = policy(heliograph::engine::roster::Basis::Wall, 60);
    firm.sla.insert(gold.id.clone(), gold);
    let mut world = World::new(MONDAY, firm);
    let not_before = Some(at("2026-11-23T11:00:00Z"));
    let deadline = Some(at("2026-11-24T10:00:00Z"));
    let sla = Some("gold".parse().expect("an id"));
    let _ = world.send(WorkRequest { not_before, deadline, sla, ..request("a") });
    world.now = at("2026-11-23T11:00:00Z");
    let change = Change::OfferTo { to: team_id("zurich"), set_aside: vec![SetAside::Seats] };
    world.update(Sender::Operator("local".into()), "a", change).expect("it may");
    let (_, brief) = world.last_offer("a");
    assert_eq!(brief.due_at, Some(at("2026-11-23T12:00:00Z")), "the finish clock comes before the deadline");
    assert!(world.task("a").clocks.iter().all(|clock| clock.started_at.is_some()));
}

#[test]
fn a_deadline_that_is_amended_is_told_late_only_from_then_on() {
    let mut world = World::new("2026-11-23T08:00:00Z", roster(vec![always("zurich")]));
    let _ = world.send(WorkRequest { deadline: Some(at("2026-11-23T20:00:00Z")), ..request("a") });
    world.run_to("2026-11-23T12:00:00Z");
    let deadline = Some(at("2026-11-23T13:00:00Z"));
    let amendment = heliograph::engine::update::Amendment { deadline, ..Default::default() };
    world.firm("a", Change::Amend(Box::new(amendment)));
    world.run_to("2026-11-23T12:00:00Z");
    let late = world.log.iter().find_map(|it| match &it.effect {
        Effect::WarnSla(notice) => Some(notice.late_by),
        _ => None,
    });
    assert_eq!(late, Some(None), "three quarters were over before, and could not be told sooner");
}

#[test]
fn a_roster_without_a_pause_reason_in_use_is_not_taken() {
    let mut world = with(vec![london()]);
    world.firm("a", Change::Pause { assignment: None, reason: term("client-question") });
    let mut later = roster(vec![london()]);
    later.pauses.clear();
    let missing = world.scheduler.missing_in(&later);
    assert_eq!(missing.first().map(|it| it.needs.as_str()), Some("pause reason client-question"));
}
