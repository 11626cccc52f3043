//! Requirement classes: tasks with equal needs share the standing filters' answers.
//!
//! Which teams may do a class is worked out once per roster; a decision then looks at these teams only, and an opening
//! team at the classes that it can serve.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, OnceLock, Weak};

use chrono::{DateTime, Utc};

use super::calendar::Timeline;
use super::explain::{Filter, Rejection};
use super::filter::{self, Fit, STANDING, Standing};
use super::forecast;
use super::id::{ClientId, MatterId, TeamId, Term};
use super::request::{Consent, Place, Presence, SkillNeed};
use super::roster::{Client, Roster, TeamIndex};
use super::task::{Needs, Task};
use super::walls::Walls;

/// How many classes that no open task needs are kept for the next task.
pub const MAX_IDLE_CLASSES: usize = 4_096;

/// How many classes open tasks may need; a request or an amendment that needs one more is refused as `full`. A wall that
/// splits a class is never refused, so that walls can add to it.
pub const MAX_CLASSES_IN_USE: usize = 16_384;

/// A class; good for one version of the roster and walls only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(pub u32);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct ClassKey {
    client: ClientId,
    /// Only when a wall names the matter.
    matter: Option<MatterId>,
    jurisdiction: Option<Place>,
    specialty: Option<Term>,
    languages: Vec<Term>,
    skills: Vec<SkillNeed>,
    presence: Presence,
    place: Option<Place>,
    allowed_countries: Vec<Place>,
    denied_countries: Vec<Place>,
    consent: Option<Consent>,
    excluded_teams: Vec<TeamId>,
}

/// The standing filters' answers to one set of needs.
#[derive(Debug, Clone)]
pub struct Class {
    /// Teams that may do it, in the order of their ids.
    pub eligible: Vec<(TeamIndex, Fit)>,
    /// How many teams each standing filter rejects.
    rejected: BTreeMap<Filter, u32>,
    /// Teams that lack the capability alone.
    incapable: Vec<(TeamIndex, Fit)>,
    /// From when on one of those fails an earlier filter, which then is the one to show.
    incapable_until: DateTime<Utc>,
    /// When it was worked out.
    pub made_at: DateTime<Utc>,
    key: Arc<ClassKey>,
    /// Open tasks of the class.
    users: u32,
    coverage: Arc<Coverage>,
}

/// The time in which any of some teams is open, worked out when first asked for; classes of the same teams share it.
type Coverage = OnceLock<Option<Timeline>>;

impl Class {
    /// What a team's qualification for the class rests on; `None` when it is not eligible.
    #[must_use]
    pub fn fit(&self, team: TeamIndex) -> Option<&Fit> {
        let position = self.eligible.binary_search_by_key(&team, |(eligible, _)| *eligible).ok()?;
        self.eligible.get(position).map(|(_, fit)| fit)
    }

    /// How many teams each standing filter rejects for a task at an instant.
    #[must_use]
    pub fn rejected(&self, task: &Task, now: DateTime<Utc>) -> BTreeMap<Filter, u32> {
        let mut rejected = self.rejected.clone();
        if self.key.presence != Presence::Contact && now < self.incapable_until {
            return rejected;
        }
        for (_, fit) in &self.incapable {
            if let Err(earlier) = filter::before_capability(fit, task, now) {
                *rejected.entry(earlier.filter()).or_default() += 1;
                if let Some(count) = rejected.get_mut(&Filter::Capability) {
                    *count -= 1;
                }
            }
        }
        rejected.retain(|_, count| *count > 0);
        rejected
    }

    /// The rejection to show of a team that the standing filters reject: one that lacks the capability may fail an earlier
    /// filter at this instant.
    #[must_use]
    pub fn first_no(&self, team: TeamIndex, standing: Rejection, task: &Task, now: DateTime<Utc>) -> Rejection {
        let position = self.incapable.binary_search_by_key(&team, |(incapable, _)| *incapable).ok();
        let fit = position.and_then(|position| self.incapable.get(position));
        fit.and_then(|(_, fit)| filter::before_capability(fit, task, now).err()).unwrap_or(standing)
    }

    /// Whose work it is.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.key.client
    }

    /// The time in which any eligible team is open, worked out when first asked for.
    #[must_use]
    pub fn coverage(&self, roster: &Roster, now: DateTime<Utc>) -> Option<&Timeline> {
        let teams = || self.eligible.iter().map(|(team, _)| roster.team(*team));
        self.coverage.get_or_init(|| forecast::coverage(teams(), now)).as_ref()
    }

    /// The same, when a clock of the task counts by it.
    #[must_use]
    pub fn counted_coverage(&self, task: &Task, roster: &Roster, now: DateTime<Utc>) -> Option<&Timeline> {
        if forecast::needs_coverage(task) { self.coverage(roster, now) } else { None }
    }
}

/// All classes met under one roster.
#[derive(Debug, Clone)]
pub struct Classes {
    by_key: HashMap<Arc<ClassKey>, ClassId>,
    slots: BTreeMap<ClassId, Class>,
    /// Coverage by the teams that make it.
    coverages: HashMap<Box<[TeamIndex]>, Weak<Coverage>>,
    next: u32,
    idle: BTreeSet<ClassId>,
    /// The classes that each team may do, by team position.
    served: Vec<BTreeSet<ClassId>>,
}

impl Classes {
    /// No classes yet, for a roster of so many teams.
    #[must_use]
    pub fn new(teams: usize) -> Self {
        Self {
            by_key: HashMap::new(),
            slots: BTreeMap::new(),
            coverages: HashMap::new(),
            next: 0,
            idle: BTreeSet::new(),
            served: vec![BTreeSet::new(); teams],
        }
    }

    /// The class of a task, worked out when it is new; counts one more open task in it.
    pub fn join(
        &mut self,
        roster: &Roster,
        walls: &Walls,
        client: &Client,
        matter: &MatterId,
        needs: &Needs,
        now: DateTime<Utc>,
    ) -> ClassId {
        let key = key_of(walls, client, matter, needs);
        let id = match self.by_key.get(&key) {
            Some(id) => *id,
            None => self.add(Arc::new(key), &class_questions(roster, walls, client, matter, needs), now),
        };
        if let Some(class) = self.slots.get_mut(&id) {
            class.users += 1;
        }
        self.idle.remove(&id);
        id
    }

    /// Whether tasks of a matter with these needs may be taken in together; see [`MAX_CLASSES_IN_USE`].
    #[must_use]
    pub fn has_room_for<'a>(
        &self,
        walls: &Walls,
        client: &Client,
        matter: &MatterId,
        needs: impl ExactSizeIterator<Item = &'a Needs>,
    ) -> bool {
        let room = MAX_CLASSES_IN_USE.saturating_sub(self.slots.len() - self.idle.len());
        if needs.len() <= room {
            return true;
        }
        let in_use = |key: &ClassKey| self.by_key.get(key).is_some_and(|id| !self.idle.contains(id));
        let keys = needs.map(|needs| key_of(walls, client, matter, needs)).filter(|key| !in_use(key));
        let new: HashSet<ClassKey> = keys.collect();
        new.len() <= room
    }

    /// One open task fewer; past [`MAX_IDLE_CLASSES`] the oldest class without tasks is forgotten.
    pub fn leave(&mut self, id: ClassId) {
        let Some(class) = self.slots.get_mut(&id) else { return };
        class.users = class.users.saturating_sub(1);
        if class.users > 0 {
            return;
        }
        self.idle.insert(id);
        if self.idle.len() > MAX_IDLE_CLASSES
            && let Some(oldest) = self.idle.pop_first()
        {
            self.forget(oldest);
        }
    }

    /// The walls around a matter changed: its tasks, which must join anew, meet new classes.
    pub fn renew(&mut self, client: &ClientId, matter: &MatterId) {
        for class in self.slots.values() {
            if class.key.client == *client && class.key.matter.as_ref() == Some(matter) {
                self.by_key.remove(&class.key);
            }
        }
    }

    /// A class by its id.
    #[must_use]
    pub fn get(&self, id: ClassId) -> Option<&Class> {
        self.slots.get(&id)
    }

    /// The classes that a team may do.
    #[must_use]
    pub fn served_by(&self, team: TeamIndex) -> &BTreeSet<ClassId> {
        &self.served[usize::from(team.0)]
    }

    /// How many classes are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn add(&mut self, key: Arc<ClassKey>, questions: &[Standing<'_>], now: DateTime<Utc>) -> ClassId {
        let id = ClassId(self.next);
        self.next += 1;
        let mut class = Class {
            eligible: Vec::new(),
            rejected: BTreeMap::new(),
            incapable: Vec::new(),
            incapable_until: DateTime::<Utc>::MAX_UTC,
            made_at: now,
            key: Arc::clone(&key),
            users: 0,
            coverage: Arc::default(),
        };
        for (index, ask) in (0..).map(TeamIndex).zip(questions) {
            match standing(ask) {
                Ok(()) => {
                    class.eligible.push((index, filter::fit(ask, now)));
                    self.served[usize::from(index.0)].insert(id);
                }
                Err(rejection) => {
                    let filter = rejection.filter();
                    *class.rejected.entry(filter).or_default() += 1;
                    if filter == Filter::Capability {
                        let fit = filter::fit(ask, now);
                        class.incapable_until = class.incapable_until.min(fit.vetted_until);
                        class.incapable.push((index, fit));
                    }
                }
            }
        }
        class.coverage = self.coverage_of(&class.eligible);
        self.by_key.insert(key, id);
        self.slots.insert(id, class);
        id
    }

    /// The coverage of these teams, shared with the other classes that they may do.
    fn coverage_of(&mut self, eligible: &[(TeamIndex, Fit)]) -> Arc<Coverage> {
        let teams: Box<[_]> = eligible.iter().map(|(team, _)| *team).collect();
        if let Some(shared) = self.coverages.get(&teams).and_then(Weak::upgrade) {
            return shared;
        }
        let coverage = Arc::default();
        self.coverages.insert(teams, Arc::downgrade(&coverage));
        coverage
    }

    fn forget(&mut self, id: ClassId) {
        let Some(class) = self.slots.remove(&id) else { return };
        for (team, _) in &class.eligible {
            self.served[usize::from(team.0)].remove(&id);
        }
        if Arc::strong_count(&class.coverage) == 1 {
            let teams: Box<[_]> = class.eligible.iter().map(|(team, _)| *team).collect();
            self.coverages.remove(&teams);
        }
        if self.by_key.get(&class.key) == Some(&id) {
            self.by_key.remove(&class.key);
        }
    }
}

/// Asks the standing filters in order; the first "no" is the answer.
///
/// # Errors
/// The rejection.
pub fn standing(ask: &Standing<'_>) -> Result<(), Rejection> {
    STANDING.iter().try_for_each(|(_, rule)| rule(ask))
}

/// One question per team of the roster, in the order of team ids.
fn class_questions<'a>(
    roster: &'a Roster,
    walls: &'a Walls,
    client: &'a Client,
    matter: &'a MatterId,
    needs: &'a Needs,
) -> Vec<Standing<'a>> {
    roster.teams.iter().map(|team| Standing { roster, walls, client, matter, needs, team }).collect()
}

fn key_of(walls: &Walls, client: &Client, matter: &MatterId, needs: &Needs) -> ClassKey {
    ClassKey {
        client: client.id.clone(),
        matter: walls.names(&client.id, matter).then(|| matter.clone()),
        jurisdiction: needs.jurisdiction.clone(),
        specialty: needs.specialty.clone(),
        languages: needs.languages.clone(),
        skills: needs.skills.clone(),
        presence: needs.presence,
        place: needs.place.clone(),
        allowed_countries: needs.allowed_countries.clone(),
        denied_countries: needs.denied_countries.clone(),
        consent: needs.consent.as_ref().map(|given| Consent {
            offshore: given.offshore,
            // Only whether there is a record matters, not which one.
            reference: given.reference.as_ref().map(|_| String::new()),
        }),
        excluded_teams: needs.excluded_teams.clone(),
    }
}
