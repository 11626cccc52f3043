//! What operators order: take a task back, or offer it to a team that they name.
//!
//! What a team is or is not (walls, consent, presence, vetting, capability) always holds. What passes by itself may be
//! set aside by name, but no order offers work to a closed team. Source: the service model, "Operators".

use std::sync::Arc;

use super::placing::must_wait;
use super::{Said, Scheduler};
use crate::engine::effect::{Effect, WithdrawReason, WorkMessage};
use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::explain::{Filter, Rejection};
use crate::engine::id::TeamId;
use crate::engine::roster::TeamIndex;
use crate::engine::routing;
use crate::engine::task::{Active, Arrival, Offer, TurnDownCause};
use crate::engine::update::{SetAside, Update};

impl Scheduler {
    /// Takes an offer back; the team is not asked again before its turn-down ends.
    pub(super) fn recall_offer(&mut self, arrival: Arrival, offer: &Offer, update: &Update) {
        self.turn_down(arrival, &offer.team, TurnDownCause::Recalled);
        self.vacate(arrival);
        self.tell_recall(arrival, (&offer.team, offer.assignment, WorkMessage::Withdrawn), update);
    }

    /// Takes a task from its owner; the team is not asked again before its turn-down ends.
    pub(super) fn recall_owned(&mut self, arrival: Arrival, owner: &Active, update: &Update) {
        self.drop_plan(arrival, WithdrawReason::Recalled);
        self.turn_down(arrival, &owner.team, TurnDownCause::Recalled);
        self.end_holding(arrival);
        self.tell_recall(arrival, (&owner.team, owner.assignment, WorkMessage::Ended), update);
    }

    fn tell_recall(
        &mut self,
        arrival: Arrival,
        (team, assignment, message): (&TeamId, u32, WorkMessage),
        update: &Update,
    ) {
        let said = Said { update: Some(update.id.clone()), ..Said::to(team, message) }.ordered_by(update);
        self.record(arrival, said, Effect::Recall { assignment, because: None });
        self.route(arrival);
    }

    /// Offers a task to a team, with the named obstacles set aside.
    pub(super) fn offer_to(
        &mut self,
        arrival: Arrival,
        team: &TeamId,
        set_aside: &[SetAside],
        update: &Update,
    ) -> Result<(), Refusal> {
        let index = self.may_be_offered(arrival, team, set_aside)?;
        // An offer to another team ends first: one team is asked at a time.
        self.withdraw(arrival, WithdrawReason::Recalled);
        self.mark_ready_now(arrival);
        let Some(entry) = self.tasks.get(&arrival) else { return Ok(()) };
        let mut decision = routing::decide(&self.board, &entry.task, entry.class, self.now).decision;
        Arc::make_mut(&mut decision).winner = Some(team.clone());
        let cleared = self.board.walls.clear(team, &entry.task.client, &entry.task.matter);
        let cleared = cleared.map_err(|rejection| in_the_way(team, &rejection))?;
        let said = Said { update: Some(update.id.clone()), ..Said::of(team) }.ordered_by(update);
        self.record(arrival, said, Effect::Direct { set_aside: set_aside.to_vec() });
        self.offer(arrival, index, decision, &cleared);
        Ok(())
    }

    /// Whether nothing is in the way but what is set aside.
    fn may_be_offered(&self, arrival: Arrival, team: &TeamId, set_aside: &[SetAside]) -> Result<TeamIndex, Refusal> {
        let Some(index) = self.board.roster.team_index(team) else {
            let message = format!("{team:?} is not a team of the roster");
            return Err(Refusal::of_field(RefusalCode::UnknownTeam, "to", message));
        };
        let Some(task) = self.task_of(arrival) else { return Ok(index) };
        if let Some(waiting) = must_wait(task, self.now) {
            let message = format!("the task waits for something else, {}; end that first", waiting.reason.as_str());
            return Err(Refusal::new(RefusalCode::IllegalMove, message));
        }
        if task.state.team() == Some(team) {
            return Err(Refusal::new(RefusalCode::IllegalMove, format!("{team} has the offer already")));
        }
        for obstacle in routing::obstacles(&self.board, task, index, self.now) {
            let is_set_aside = SetAside::of(&obstacle.rejection).is_some_and(|word| set_aside.contains(&word));
            if !is_set_aside {
                return Err(in_the_way(team, &obstacle.rejection));
            }
            if matches!(obstacle.rejection, Rejection::Closed { .. }) {
                return Err(Refusal::of_field(
                    RefusalCode::NotAllowed,
                    "to",
                    format!("{team} is closed, and no order offers work to a closed team; {}", obstacle.cleared_by),
                ));
            }
        }
        Ok(index)
    }
}

fn in_the_way(team: &TeamId, rejection: &Rejection) -> Refusal {
    let filter = rejection.filter();
    let advice = match SetAside::of(rejection) {
        Some(word) => format!("or set {} aside by name", word.filter().as_str()),
        None => "and no order sets it aside".into(),
    };
    let message = format!("{team} cannot have it: {}; it takes {}, {advice}", filter.as_str(), rejection.cleared_by());
    Refusal::of_field(RefusalCode::NotAllowed, "to", message)
}

impl SetAside {
    /// The filter that it sets aside.
    #[must_use]
    pub fn filter(self) -> Filter {
        match self {
            Self::TurnedDown => Filter::TurnedDown,
            Self::Drained => Filter::Drained,
            Self::Open => Filter::Open,
            Self::Seats => Filter::Seats,
        }
    }

    /// The word for what is in the way; a retired team is never to come back, so no word is for it.
    fn of(rejection: &Rejection) -> Option<Self> {
        let all = [Self::TurnedDown, Self::Drained, Self::Open, Self::Seats].into_iter();
        all.filter(|_| *rejection != Rejection::Retired).find(|it| it.filter() == rejection.filter())
    }
}
