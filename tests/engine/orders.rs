//! What operators order: recall and offer-to.

use heliograph::engine::effect::{Effect, WorkMessage};
use heliograph::engine::event::RefusalCode;
use heliograph::engine::request::WorkRequest;
use heliograph::engine::roster::{Capacity, Team, Wall};
use heliograph::engine::task::TurnDownCause;
use heliograph::engine::update::{Change, Sender, SetAside};

use crate::world::*;

/// Monday in London; its shift ends at 17:00.
const MONDAY: &str = "2026-11-23T10:00:00Z";

fn operator(world: &mut World, id: &str, change: Change) -> Result<(), heliograph::engine::event::Refusal> {
    world.update(Sender::Operator("local".into()), id, change)
}

fn to(team: &str, set_aside: &[SetAside]) -> Change {
    Change::OfferTo { to: team_id(team), set_aside: set_aside.to_vec() }
}

fn two_teams() -> World {
    World::new(MONDAY, roster(vec![london(), always("zurich")]))
}

#[test]
fn a_recalled_task_goes_to_another_team_and_the_story_says_who_and_why() {
    for accepted in [false, true] {
        let mut world = two_teams();
        let _ = world.send(request("a"));
        let first = world.task("a").state.team().expect("a team").clone();
        if accepted {
            world.accept("a");
        }
        operator(&mut world, "a", Change::Recall).expect("it may");
        let task = world.task("a");
        assert_ne!(task.state.team(), Some(&first));
        assert_eq!(task.turn_downs.iter().map(|it| it.cause).collect::<Vec<_>>(), [TurnDownCause::Recalled]);
        assert_eq!(task.holders.len(), usize::from(accepted));
        let told = world.log.iter().find(|it| matches!(it.effect, Effect::Recall { .. })).expect("told");
        let (Effect::Recall { because: None, .. }, Some(said)) = (&told.effect, &told.order) else {
            panic!("{told:?}")
        };
        let message = if accepted { WorkMessage::Ended } else { WorkMessage::Withdrawn };
        assert_eq!((said, told.team.as_ref(), told.addressed), (&order(), Some(&first), Some(message)));
    }
}

#[test]
fn a_task_that_no_team_has_is_not_recalled_and_only_operators_order() {
    let mut world = World::new("2026-11-23T20:00:00Z", roster(vec![london()]));
    let _ = world.send(request("a"));
    let refused = operator(&mut world, "a", Change::Recall).expect_err("it waits");
    assert_eq!(refused.code, RefusalCode::IllegalMove);
    for sender in [Sender::Client(client_id("acme")), Sender::Team(team_id("london"))] {
        for change in [Change::Recall, to("london", &[])] {
            let refused = world.update(sender.clone(), "a", change).expect_err("it may not");
            assert!(matches!(refused.code, RefusalCode::NotAllowed | RefusalCode::UnknownTask), "{refused:?}");
        }
    }
}

#[test]
fn an_offer_moves_to_the_team_that_an_operator_names() {
    let mut world = two_teams();
    let _ = world.send(WorkRequest { preferred_team: Some(team_id("london")), ..request("a") });
    assert_eq!(world.place_of("a"), "offered london");
    operator(&mut world, "a", to("zurich", &[])).expect("it may");
    assert_eq!(world.place_of("a"), "offered zurich");
    assert_eq!(world.story("a")[2..], ["withdraw", "direct", "offer"]);
    assert!(world.task("a").turn_downs.is_empty(), "London has not turned it down");
    world.accept("a");
    let refused = operator(&mut world, "a", to("london", &[])).expect_err("it is owned");
    assert!(refused.message.contains("recall it first"), "{refused}");
}

#[test]
fn what_passes_by_itself_is_set_aside_by_name_and_what_a_team_is_never() {
    let full = Team { capacity: Capacity::Seats(1), ..always("zurich") };
    let mut roster = roster(vec![full, london(), sydney()]);
    roster.walls = vec![Wall { team: team_id("london"), client: client_id("acme"), matter: None, reason: "r".into() }];
    let mut world = World::new(MONDAY, roster);
    let _ = world.send(request("first"));
    let _ = world.send(request("a"));
    assert_eq!((world.place_of("first"), world.wait_of("a").0.as_str()), ("offered zurich".into(), "no_seat_free"));
    let refused = operator(&mut world, "a", to("zurich", &[SetAside::TurnedDown])).expect_err("it is full");
    assert!(refused.message.contains("seats") && refused.message.contains("set seats aside by name"), "{refused}");
    operator(&mut world, "a", to("zurich", &[SetAside::Seats])).expect("set aside");
    assert_eq!(world.place_of("a"), "offered zurich");
    let all = [SetAside::TurnedDown, SetAside::Drained, SetAside::Open, SetAside::Seats];
    let _ = world.send(request("b"));
    let walled = operator(&mut world, "b", to("london", &all)).expect_err("it is walled");
    assert!(walled.message.contains("no order sets it aside"), "{walled}");
    let closed = operator(&mut world, "b", to("sydney", &all)).expect_err("it is closed");
    assert!(closed.message.contains("no order offers work to a closed team"), "{closed}");
    let unknown = operator(&mut world, "b", to("mars", &all)).expect_err("there is none");
    assert_eq!((unknown.code, unknown.field.as_deref()), (RefusalCode::UnknownTeam, Some("to")));
}

#[test]
fn no_order_offers_work_to_a_retired_team() {
    let retired = Team { retired: true, ..always("zurich") };
    let mut world = World::new(MONDAY, roster(vec![london(), retired]));
    let _ = world.send(request("a"));
    let all = [SetAside::TurnedDown, SetAside::Drained, SetAside::Open, SetAside::Seats];
    let refused = operator(&mut world, "a", to("zurich", &all)).expect_err("it is retired");
    assert!(refused.message.contains("retired") && refused.message.contains("no order sets it aside"), "{refused}");
    assert_eq!(world.place_of("a"), "offered london");
}

#[test]
fn a_task_that_is_held_is_offered_to_nobody_by_order() {
    let mut world = two_teams();
    let _ = world.send(request("a"));
    world.firm("a", Change::Hold);
    let refused = operator(&mut world, "a", to("zurich", &[])).expect_err("it is held");
    assert!(refused.message.contains("held"), "{refused}");
}
