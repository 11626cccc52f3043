//! Free seats: which waiting tasks are looked at when a team opens or a seat frees, and in which order.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use super::Scheduler;
use crate::engine::class::ClassId;
use crate::engine::forecast;
use crate::engine::id::ClientId;
use crate::engine::queue::{Looked, Next, Place, WaitKey};
use crate::engine::request::Priority;
use crate::engine::roster::{Capacity, TeamIndex};
use crate::engine::task::{Arrival, TaskState};

impl Scheduler {
    /// Looks at the waiting tasks of the teams that opened or have a freed seat, then at the tasks that are to be decided
    /// for themselves: those that wait, and those that nobody would take over from their owner.
    pub(super) fn place_waiting(&mut self) {
        self.derive_stale();
        while !self.to_fill.is_empty() || !self.to_route.is_empty() {
            let teams = std::mem::take(&mut self.to_fill);
            for (team, _) in teams.iter().filter(|(_, why)| why.owner_freed) {
                self.wake_busy(*team);
            }
            self.fill(teams.keys().copied());
            for (team, _) in teams.iter().filter(|(_, why)| why.opened) {
                // Tasks that waited for it to open and did not get in look for another now.
                self.to_route.extend(self.queue.awaiting(*team));
            }
            let to_route = std::mem::take(&mut self.to_route);
            self.route_in_order(to_route);
        }
    }

    /// Decides for tasks, each for itself: owned ones first, then the waiting ones in the order in which they wait, which
    /// changes with each that is offered.
    pub(super) fn route_in_order(&mut self, arrivals: BTreeSet<Arrival>) {
        let mut lines: BTreeMap<(Priority, ClientId), BTreeSet<WaitKey>> = BTreeMap::new();
        for arrival in arrivals {
            let Some(entry) = self.tasks.get(&arrival) else { continue };
            let task = &entry.task;
            match task.state {
                TaskState::Active(_) => self.decide_handoff(arrival),
                _ => {
                    let key = entry.key.unwrap_or_else(|| WaitKey::of(task, task.deadline.or(task.derived_deadline())));
                    lines.entry((task.priority, task.client.clone())).or_default().insert(key);
                }
            }
        }
        let place = |scheduler: &Self, (priority, client): (Priority, ClientId)| {
            (priority, scheduler.queue.tag(priority, &client), client)
        };
        let mut order: BTreeSet<_> = lines.keys().map(|line| place(self, line.clone())).collect();
        while let Some((priority, _, client)) = order.pop_first() {
            let line = (priority, client);
            let Some(key) = lines.get_mut(&line).and_then(BTreeSet::pop_first) else { continue };
            self.route(key.arrival);
            order.insert(place(self, line));
        }
    }

    /// Offers waiting tasks to some teams in one order until none of them has room; each team looks at a task once.
    fn fill(&mut self, teams: impl Iterator<Item = TeamIndex>) {
        let mut looked: BTreeMap<TeamIndex, Looked> = teams.map(|team| (team, Looked::default())).collect();
        // Each team with a place before which it has nothing to look at.
        let mut order: BTreeSet<(Option<Place>, TeamIndex)> = looked.keys().map(|team| (None, *team)).collect();
        while let Some((_, team)) = order.pop_first() {
            let Some(seen) = looked.get_mut(&team) else { continue };
            let Some(next) = self.next_waiting(team, seen) else { continue };
            let place = Some(next.place.clone());
            if order.first().is_some_and(|(other, _)| *other < place) {
                order.insert((place, team));
                continue;
            }
            seen.note(&next);
            let id = &self.board.roster.team(team).id;
            let waits = self.tasks.get(&next.key.arrival).filter(|entry| entry.key == Some(next.key));
            if waits.is_some_and(|entry| !entry.task.is_turned_down_by(id, self.now)) {
                self.route(next.key.arrival);
                self.take_turn(team, &next);
            }
            order.insert((place, team));
        }
    }

    /// The next task that a team has room for: by the shares of clients, or the oldest when it is its turn.
    fn next_waiting(&self, team: TeamIndex, looked: &Looked) -> Option<Next> {
        let room = self.room(team)?;
        let served = self.board.classes.served_by(team);
        let room_in = |class| self.room_in(team, class, room);
        if !room.urgent_only && self.is_turn_of_oldest(team) {
            let oldest = self.queue.oldest_for(team, served, looked, room_in);
            if oldest.is_some() {
                return oldest;
            }
        }
        let next = self.queue.first_for(team, served, looked, room_in)?;
        (!room.urgent_only || next.key.priority == Priority::Urgent).then_some(next)
    }

    /// A freed seat ends the turn-downs of tasks that the team declined as busy.
    fn wake_busy(&mut self, team: TeamIndex) {
        if self.room(team).is_none() {
            return;
        }
        let id = self.board.roster.team(team).id.clone();
        for arrival in std::mem::take(&mut self.board.load_mut(team).busy) {
            let now = self.now;
            self.change(arrival, |task| {
                for turn_down in task.turn_downs.iter_mut().filter(|it| it.team == id) {
                    turn_down.until = turn_down.until.map(|until| until.min(now));
                }
            });
            self.to_route.insert(arrival);
        }
    }

    /// What a team can take at all: nothing while it is closed, retired, about to close, or full.
    fn room(&self, team: TeamIndex) -> Option<Room> {
        let (owner, load) = (self.board.roster.team(team), self.board.load(team));
        let window = TimeDelta::minutes(i64::from(self.board.roster.routing.min_start_window_minutes));
        let closes_at = load.open_shift_end()?;
        if owner.winds_down() || load.closes_now(self.now) || closes_at - self.now < window {
            return None;
        }
        let most_minutes = match owner.capacity {
            Capacity::EffortHours(hours) if load.used > 0 => hours.saturating_mul(60).checked_sub(load.used_minutes)?,
            Capacity::EffortHours(_) | Capacity::Seats(_) => u32::MAX,
        };
        let urgent_only = load.room_for(owner, Priority::Normal, 0).is_err();
        load.room_for(owner, Priority::Urgent, 0).is_ok().then_some(Room { urgent_only, most_minutes })
    }

    /// The most effort that a team with room can take of a class: nothing past its vetting or its admission, and for work
    /// in contact with the client no more than what is left of their common hours.
    fn room_in(&self, team: TeamIndex, class: ClassId, room: Room) -> Option<u32> {
        let class = self.board.classes.get(class)?;
        let fit = class.fit(team)?;
        let qualified_until = fit.ends_at();
        let (owner, shift_end) = (self.board.roster.team(team), self.board.load(team).open_shift_end()?);
        let mut most_minutes = room.most_minutes;
        if qualified_until <= self.now {
            return None;
        }
        // A part that ends with the shift is over before a later end of the qualification.
        if qualified_until < shift_end {
            let left = owner.calendar.elapsed(self.now, qualified_until, &[]).ok()?;
            most_minutes = most_minutes.min(whole_minutes(left));
        }
        if fit.contact.is_some() {
            let client = self.board.roster.clients.get(class.client())?;
            let left = forecast::contact_between(owner, client, self.now, shift_end);
            most_minutes = most_minutes.min(whole_minutes(left));
        }
        Some(most_minutes)
    }
}

fn whole_minutes(span: TimeDelta) -> u32 {
    u32::try_from(span.num_minutes()).unwrap_or(u32::MAX)
}

/// What a team can still take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Room {
    /// Only the seats kept free for urgent work are left.
    urgent_only: bool,
    /// The most effort of a task.
    most_minutes: u32,
}
