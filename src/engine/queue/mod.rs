//! Tasks that wait for a team, in the order in which they are looked at.
//!
//! The order is by priority, then by the client's share of it (see [`super::fairness`]), then by the latest start and by
//! arrival. A team that opens or has a freed seat finds its next task without a look at the others: a lane for each
//! class, the lanes by their first tasks in a line for each priority and client, and the lines by their tags. A task
//! that waits for a better team is seen by the teams that it waits for alone.

mod lane;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use super::class::ClassId;
use super::fairness::{Charge, Marks};
use super::id::ClientId;
use super::request::Priority;
use super::roster::TeamIndex;
use super::task::{Arrival, Task};
use lane::Lane;

/// The place of a waiting task in its lane: priority, then the latest start, then arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct WaitKey {
    /// Its priority.
    pub priority: Priority,
    /// When it must be started at the latest; the end of time when nothing is due.
    pub latest_start_at: DateTime<Utc>,
    /// Its arrival.
    pub arrival: Arrival,
    /// Its remaining effort, which says whether it fits and never where it stands.
    pub remaining_minutes: u32,
}

impl WaitKey {
    /// The place of a task that must be started by then.
    #[must_use]
    pub fn of(task: &Task, latest_start_at: Option<DateTime<Utc>>) -> Self {
        Self {
            priority: task.priority,
            latest_start_at: latest_start_at.unwrap_or(DateTime::<Utc>::MAX_UTC),
            arrival: task.arrival,
            remaining_minutes: task.remaining_minutes(),
        }
    }
}

/// The place of a waiting task among all. The oldest task, when it is its turn, comes before everything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// It came first.
    Oldest(Arrival),
    /// It is first by the shares of clients.
    Share(Priority, u64, ClientId, WaitKey),
}

/// The next task of a team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Where it stands.
    pub place: Place,
    /// Its class.
    pub class: ClassId,
    /// Its place in the lane of that.
    pub key: WaitKey,
}

/// What a team has looked at, so that it looks at each task once.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    up_to: BTreeMap<ClassId, WaitKey>,
    oldest: Option<Arrival>,
}

impl Looked {
    /// It has looked at this one.
    pub fn note(&mut self, next: &Next) {
        match next.place {
            Place::Oldest(arrival) => self.oldest = Some(arrival),
            Place::Share(..) => _ = self.up_to.insert(next.class, next.key),
        }
    }
}

/// What a client has waiting in a priority.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Standing {
    tag: u64,
    waiting: usize,
}

type Line = (Priority, ClientId);

/// Waiting tasks by class, and by the teams that they wait for.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    lanes: BTreeMap<ClassId, Lane>,
    /// The first task of each lane, by line.
    heads: BTreeMap<Line, BTreeSet<(WaitKey, ClassId)>>,
    /// Those lines in order.
    order: BTreeSet<(Priority, u64, ClientId)>,
    /// The oldest task of each lane.
    oldest: BTreeSet<(Arrival, ClassId)>,
    /// By team.
    awaiting: BTreeMap<TeamIndex, BTreeMap<ClassId, Lane>>,
    /// Of the clients that wait, by the place of the priority in [`Priority::ALL`].
    standings: HashMap<ClientId, [Standing; 4]>,
    /// Lines that emptied in this step: who comes back into one has waited all the time.
    emptied: BTreeSet<Line>,
    marks: Marks,
}

impl Queue {
    /// Adds a task that any team of its class may take.
    pub fn insert(&mut self, class: ClassId, client: &ClientId, key: WaitKey) {
        self.join(key.priority, client);
        self.update(class, client, |lane| lane.insert(key));
    }

    /// Takes it out.
    pub fn remove(&mut self, class: ClassId, client: &ClientId, key: &WaitKey) {
        self.update(class, client, |lane| lane.remove(key));
        self.leave(key.priority, client);
    }

    /// Adds a task that waits for these teams.
    pub fn insert_awaiting(&mut self, teams: &[TeamIndex], class: ClassId, client: &ClientId, key: WaitKey) {
        self.join(key.priority, client);
        for team in teams {
            let lanes = self.awaiting.entry(*team).or_default();
            lanes.entry(class).or_insert_with(|| Lane::new(client.clone())).insert(key);
        }
    }

    /// Takes it out.
    pub fn remove_awaiting(&mut self, teams: &[TeamIndex], class: ClassId, client: &ClientId, key: &WaitKey) {
        for team in teams {
            let Some(lanes) = self.awaiting.get_mut(team) else { continue };
            if let Some(lane) = lanes.get_mut(&class) {
                lane.remove(key);
                if lane.is_empty() {
                    lanes.remove(&class);
                }
            }
            if lanes.is_empty() {
                self.awaiting.remove(team);
            }
        }
        self.leave(key.priority, client);
    }

    /// The first task by the shares of clients that fits a team, that it has not looked at, and that waits for it or is of a
    /// class that it serves: `room_in` gives the most effort that it can take of a class, `None` when it can take nothing.
    #[must_use]
    pub fn first_for<'a>(
        &'a self,
        team: TeamIndex,
        served: &BTreeSet<ClassId>,
        looked: &Looked,
        room_in: impl Fn(ClassId) -> Option<u32>,
    ) -> Option<Next> {
        let candidate = |(class, lane): (ClassId, &'a Lane)| {
            let key = lane.first(looked.up_to.get(&class).copied(), room_in(class)?)?;
            let tag = self.tag(key.priority, &lane.client);
            Some((Rank { priority: key.priority, tag, client: lane.client.as_str(), key }, class))
        };
        let awaited = self.awaited(team).filter_map(candidate);
        let best = if served.len() < self.lanes.len() {
            self.served_lanes(served).filter_map(candidate).chain(awaited).min()
        } else {
            self.best_of_heads(served, awaited.min(), candidate)
        };
        let (rank, class) = best?;
        let client = self.lanes.get(&class).or_else(|| self.awaiting.get(&team)?.get(&class)).map(|it| &it.client)?;
        let place = Place::Share(rank.priority, rank.tag, client.clone(), rank.key);
        Some(Next { place, class, key: rank.key })
    }

    /// The lane with the best task is found early when a team serves many of those that wait: the lanes come in the order
    /// of their first tasks, and what is left of a lane never comes before that.
    fn best_of_heads<'a>(
        &'a self,
        served: &BTreeSet<ClassId>,
        awaited: Option<(Rank<'a>, ClassId)>,
        candidate: impl Fn((ClassId, &'a Lane)) -> Option<(Rank<'a>, ClassId)>,
    ) -> Option<(Rank<'a>, ClassId)> {
        let mut best = awaited;
        for (priority, tag, client) in &self.order {
            for (key, class) in self.heads.get(&(*priority, client.clone())).into_iter().flatten() {
                let head = Rank { priority: *priority, tag: *tag, client: client.as_str(), key: *key };
                if best.is_some_and(|(best, _)| best < head) {
                    return best;
                }
                if let Some(lane) = self.lanes.get(class).filter(|_| served.contains(class)) {
                    best = candidate((*class, lane)).into_iter().chain(best).min();
                }
            }
        }
        best
    }

    /// The oldest task that fits a team, that it has not looked at, and that waits for it or is of a class that it serves.
    #[must_use]
    pub fn oldest_for(
        &self,
        team: TeamIndex,
        served: &BTreeSet<ClassId>,
        looked: &Looked,
        room_in: impl Fn(ClassId) -> Option<u32>,
    ) -> Option<Next> {
        let candidate = |(class, lane): (ClassId, &Lane)| {
            let key = lane.oldest(looked.oldest, room_in(class)?)?;
            Some(Next { place: Place::Oldest(key.arrival), class, key })
        };
        let older = |a: Option<Next>, b: Option<Next>| a.into_iter().chain(b).min_by_key(|next| next.key.arrival);
        let mut best = self.awaited(team).filter_map(candidate).min_by_key(|next| next.key.arrival);
        if served.len() < self.lanes.len() {
            let of_served = self.served_lanes(served).filter_map(candidate).min_by_key(|next| next.key.arrival);
            return older(of_served, best);
        }
        for (arrival, class) in &self.oldest {
            if best.as_ref().is_some_and(|best| best.key.arrival < *arrival) {
                break;
            }
            if let Some(lane) = self.lanes.get(class).filter(|_| served.contains(class)) {
                best = older(candidate((*class, lane)), best);
            }
        }
        best
    }

    /// The tasks that wait for a team.
    #[must_use]
    pub fn awaiting(&self, team: TeamIndex) -> Vec<Arrival> {
        self.awaited(team).flat_map(|(_, lane)| lane.keys()).map(|key| key.arrival).collect()
    }

    /// The tag of a client in a priority, as it would be if it began to wait now.
    #[must_use]
    pub fn tag(&self, priority: Priority, client: &ClientId) -> u64 {
        match self.standing(priority, client) {
            Some(standing) => standing.tag,
            None => self.marks.tag_of_newcomer(priority, client),
        }
    }

    /// A client is served.
    pub fn charge(&mut self, client: &ClientId, charge: Charge) {
        if self.standing(charge.priority, client).is_none() {
            self.marks.begin(charge.priority, client);
        }
        self.retag(charge.priority, client, |marks| marks.charge(client, charge));
    }

    /// A task has ended that was charged for; see [`Marks::correct`].
    pub fn correct(&mut self, client: &ClientId, charge: Charge, worked_minutes: u32) {
        self.retag(charge.priority, client, |marks| marks.correct(client, charge, worked_minutes));
    }

    /// A step ends: a line that is empty now begins anew when somebody comes.
    pub fn end_step(&mut self) {
        self.emptied.clear();
    }

    /// What is remembered.
    #[must_use]
    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The same, to change what is no tag.
    pub fn marks_mut(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// Takes the marks of a store over: who waits has waited all the time.
    pub fn restore(&mut self, marks: Marks) {
        self.marks = marks;
        let lines: Vec<_> = self.lines().collect();
        for (priority, client) in lines {
            self.retag(priority, &client, |_| {});
        }
    }

    /// Whether the same tasks wait in the same places; what is remembered aside.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let is_in_order = || {
            let tags =
                self.heads.keys().map(|(priority, client)| (*priority, self.tag(*priority, client), client.clone()));
            tags.collect::<BTreeSet<_>>() == self.order
        };
        let waits =
            |it: &Self| it.lines().map(|(p, client)| it.standing(p, &client).map(|it| it.waiting)).collect::<Vec<_>>();
        (&self.lanes, &self.heads, &self.oldest) == (&other.lanes, &other.heads, &other.oldest)
            && self.awaiting == other.awaiting
            && waits(self) == waits(other)
            && is_in_order()
    }

    /// The lines in which somebody waits, in the order of their names.
    fn lines(&self) -> impl Iterator<Item = Line> {
        let lanes = self.lanes.values().chain(self.awaiting.values().flat_map(BTreeMap::values));
        let clients: BTreeSet<_> = lanes.map(|lane| lane.client.clone()).collect();
        let all = clients.into_iter().flat_map(|client| Priority::ALL.map(|priority| (priority, client.clone())));
        all.filter(|(priority, client)| self.standing(*priority, client).is_some())
    }

    fn awaited(&self, team: TeamIndex) -> impl Iterator<Item = (ClassId, &Lane)> {
        self.awaiting.get(&team).into_iter().flatten().map(|(class, lane)| (*class, lane))
    }

    fn served_lanes(&self, served: &BTreeSet<ClassId>) -> impl Iterator<Item = (ClassId, &Lane)> {
        served.iter().filter_map(|class| Some((*class, self.lanes.get(class)?)))
    }

    /// What a client has waiting in a priority, when it has.
    fn standing(&self, priority: Priority, client: &ClientId) -> Option<&Standing> {
        self.standings.get(client).map(|all| &all[priority.rank()]).filter(|it| it.waiting > 0)
    }

    fn join(&mut self, priority: Priority, client: &ClientId) {
        let is_first = self.standing(priority, client).is_none();
        let line = (priority, client.clone());
        if is_first && !self.emptied.remove(&line) {
            self.marks.begin(priority, client);
        }
        let tag = self.marks.tag(priority, client);
        let standing = &mut self.standings.entry(client.clone()).or_default()[priority.rank()];
        (standing.tag, standing.waiting) = (tag, standing.waiting + 1);
    }

    fn leave(&mut self, priority: Priority, client: &ClientId) {
        let Some(all) = self.standings.get_mut(client) else { return };
        let standing = &mut all[priority.rank()];
        standing.waiting = standing.waiting.saturating_sub(1);
        if standing.waiting == 0 {
            self.emptied.insert((priority, client.clone()));
        }
        if all.iter().all(|it| it.waiting == 0) {
            self.standings.remove(client);
        }
    }

    /// Changes the tag of a client, and keeps the place of its line.
    fn retag(&mut self, priority: Priority, client: &ClientId, change: impl FnOnce(&mut Marks)) {
        change(&mut self.marks);
        let after = self.marks.tag(priority, client);
        let Some(standing) = self.standings.get_mut(client).map(|all| &mut all[priority.rank()]) else { return };
        let before = std::mem::replace(&mut standing.tag, after);
        if before != after && self.order.remove(&(priority, before, client.clone())) {
            self.order.insert((priority, after, client.clone()));
        }
    }

    /// Changes a lane, and keeps its place among the first and the oldest tasks.
    fn update(&mut self, class: ClassId, client: &ClientId, change: impl FnOnce(&mut Lane)) {
        let lane = self.lanes.entry(class).or_insert_with(|| Lane::new(client.clone()));
        let ends = |lane: &Lane| (lane.first(None, u32::MAX), lane.oldest(None, u32::MAX));
        let (first_before, oldest_before) = ends(lane);
        change(lane);
        let (first, oldest) = ends(lane);
        if lane.is_empty() {
            self.lanes.remove(&class);
        }
        if oldest_before != oldest {
            oldest_before.map(|key| self.oldest.remove(&(key.arrival, class)));
            oldest.map(|key| self.oldest.insert((key.arrival, class)));
        }
        if first_before == first {
            return;
        }
        if let Some(key) = first_before {
            self.take_head(client, key, class);
        }
        if let Some(key) = first {
            self.add_head(client, key, class);
        }
    }

    fn add_head(&mut self, client: &ClientId, key: WaitKey, class: ClassId) {
        let heads = self.heads.entry((key.priority, client.clone())).or_default();
        if heads.is_empty() {
            self.order.insert((key.priority, self.marks.tag(key.priority, client), client.clone()));
        }
        heads.insert((key, class));
    }

    fn take_head(&mut self, client: &ClientId, key: WaitKey, class: ClassId) {
        let line = (key.priority, client.clone());
        let Some(heads) = self.heads.get_mut(&line) else { return };
        heads.remove(&(key, class));
        if heads.is_empty() {
            self.order.remove(&(key.priority, self.marks.tag(key.priority, client), client.clone()));
            self.heads.remove(&line);
        }
    }
}

/// The place of a task among all by the shares of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    priority: Priority,
    tag: u64,
    client: &'a str,
    key: WaitKey,
}
