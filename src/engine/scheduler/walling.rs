//! Walls while the scheduler runs: raising them, and telling what had got through before.

use super::{Said, Scheduler};
use crate::engine::effect::{Effect, EscalationReason, Exposure, Recorded, WallSource, WithdrawReason};
use crate::engine::id::TeamId;
use crate::engine::task::Arrival;
use crate::engine::walls::Walled;

impl Scheduler {
    /// A conflict is a wall around the matter from now on: nothing more of it reaches the team.
    pub(super) fn raise_conflict(&mut self, arrival: Arrival, team: &TeamId) {
        let Some(task) = self.task_of(arrival) else { return };
        let (client, matter) = (task.client.clone(), task.matter.clone());
        self.board.walls.raise(team, &client, &matter);
        self.board.classes.renew(&client, &matter);
        self.told_walls.raise(team, &client, &matter);
        self.board.conflicts.push((team.clone(), client.clone(), matter.clone()));
        let effect =
            Effect::RaiseEscalation { reason: EscalationReason::ConflictDeclared, step: None, unknown: Vec::new() };
        self.record(arrival, Said::of(team), effect);
        self.tell_wall((team.clone(), client.clone(), Some(matter.clone())), WallSource::Conflict);
        self.at_the_time(|scheduler| {
            for other in scheduler.by_matter.get(&(client, matter)).cloned().unwrap_or_default() {
                scheduler.rejoin_class(other);
                scheduler.check_standing(other, WithdrawReason::RosterChanged);
                scheduler.to_route.insert(other);
            }
        });
    }

    /// Tells of the walls that the roster in force adds to those that were told of.
    pub(super) fn tell_new_walls(&mut self) {
        self.out.walls_changed = true;
        let told = std::mem::replace(&mut self.told_walls, self.board.walls.clone());
        for (team, client, matter) in self.board.walls.clone().iter() {
            if !told.has(&team, &client, matter.as_ref()) {
                self.tell_wall((team, client, matter), WallSource::Roster);
            }
        }
    }

    fn tell_wall(&mut self, (team, client, matter): Walled, source: WallSource) {
        self.out.walls_changed = true;
        self.out.recorded.push(Recorded {
            at: self.told_at(),
            claimed_at: self.claimed_at(),
            task: None,
            client: Some(client),
            matter: matter.clone(),
            team: Some(team),
            addressed: None,
            held: None,
            update: None,
            order: None,
            decision: None,
            effect: Effect::RaiseWall { matter, source },
        });
    }

    /// On-call staff are told what a team had received before it was walled.
    pub(super) fn report_exposure(&mut self, exposure: Box<Exposure>) {
        let (client, team) = (exposure.client.clone(), exposure.team.clone());
        self.record_aside(Some(client), Some(team), None, Effect::ReportExposure(exposure));
    }
}
