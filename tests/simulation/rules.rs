//! The rules of routing and of clocks, asked of all teams one by one.

use std::collections::BTreeSet;
use std::rc::Rc;

use heliograph::engine::request::{Presence, Priority};

use super::book::{Book, Team};
use super::case::{Case, Watch};
use super::hours::{self, HOUR, MINUTE, Spans};

/// What people have set on a team for a time.
#[derive(Debug, Clone)]
pub struct Set {
    pub number: u64,
    pub team: usize,
    pub kind: Kind,
    pub from: i64,
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Close,
    Open,
    Drain,
    Seats(i64),
}

/// The roster with what is set on top.
pub struct View {
    pub book: Rc<Book>,
    pub set: Vec<Set>,
    /// The hours of each team.
    pub hours: Vec<Rc<Spans>>,
    /// Walls that teams raised.
    pub conflicts: BTreeSet<(String, String, String)>,
}

impl View {
    pub fn new(book: Rc<Book>, set: Vec<Set>, conflicts: BTreeSet<(String, String, String)>) -> Self {
        let hours = book.teams.iter().enumerate().map(|(team, it)| {
            let mut hours = Rc::clone(&it.hours);
            for it in set.iter().filter(|it| it.team == team && it.from < it.until) {
                let span = vec![(it.from, it.until)];
                match it.kind {
                    Kind::Open => hours = Rc::new(hours::merged(hours.iter().copied().chain(span).collect())),
                    Kind::Close => hours = Rc::new(hours::without(&hours, &span)),
                    Kind::Drain | Kind::Seats(_) => {}
                }
            }
            hours
        });
        Self { hours: hours.collect(), book, set, conflicts }
    }

    pub fn stands(&self, team: usize, at: i64) -> impl Iterator<Item = Kind> {
        let stands = move |it: &&Set| it.team == team && it.from <= at && at < it.until;
        self.set.iter().filter(stands).map(|it| it.kind)
    }

    pub fn takes_nothing_new(&self, team: usize, at: i64) -> bool {
        self.book.teams[team].retired || self.stands(team, at).any(|kind| kind == Kind::Drain)
    }

    /// Filters 1 to 5 as far as they have no date.
    pub fn may_have(&self, case: &Case, team: usize) -> bool {
        let it = &self.book.teams[team];
        self.not_walled(case, it) && self.may_leave(case, it) && in_place(case, it) && can(case, it)
    }

    /// The teams that the standing rules let have a task.
    pub fn eligible(&self, case: &Case) -> u64 {
        (0..self.book.teams.len()).filter(|team| self.may_have(case, *team)).map(|team| 1 << team).sum()
    }

    pub fn not_walled(&self, case: &Case, team: &Team) -> bool {
        let of_matter = (team.id.clone(), case.client.clone(), case.matter.clone());
        let is_of = |(walled, client, matter): &(String, String, Option<String>)| {
            *walled == team.id && *client == case.client && matter.as_ref().is_none_or(|matter| *matter == case.matter)
        };
        !self.conflicts.contains(&of_matter) && !self.book.walls.iter().any(is_of)
    }

    /// The client's rule on offshoring, the countries, and where data may be.
    fn may_leave(&self, case: &Case, team: &Team) -> bool {
        let client = &self.book.clients[&case.client];
        let abroad = team.country[..2] != client.country[..2];
        let may_go = match &*client.offshoring {
            "allowed" => case.consent != Some(false),
            "consent" => case.consent == Some(true),
            _ => false,
        };
        let listed = |places: &[String]| {
            places.iter().any(|place| *place == team.country || place.len() == 2 && *place == team.country[..2])
        };
        let allowed = |places: &[String]| places.is_empty() || listed(places);
        (!abroad || may_go)
            && !listed(&client.denied)
            && !listed(&case.denied)
            && allowed(&client.allowed)
            && allowed(&case.allowed)
            && (client.residency.is_empty() || client.residency.contains(&team.region))
    }

    /// Why a team may not be offered a task now, by the name of the filter; none when it may.
    pub fn no_to_offer(
        &self,
        case: &Case,
        team: usize,
        at: i64,
        used: impl FnOnce(usize) -> (i64, i64),
    ) -> Option<&'static str> {
        if case.eligible & (1 << team) == 0 {
            return Some("standing");
        }
        let (it, hours) = (&self.book.teams[team], &*self.hours[team]);
        let Some(shift_end) = hours::shift_end(hours, at) else { return Some("open") };
        if !self.qualified(case, team, at, shift_end) {
            return Some("qualification");
        }
        if case.presence == Presence::Contact && self.contact(case, team, at, shift_end) < case.left * MINUTE {
            return Some("presence");
        }
        if case.turned_down.get(&team).is_some_and(|it| it.until > at) {
            return Some("turned_down");
        }
        if self.takes_nothing_new(team, at) {
            return Some("drained");
        }
        if shift_end - at < 15 * MINUTE {
            return Some("open");
        }
        (!self.has_room(case, it, self.seats(team, at), used(team))).then_some("seats")
    }

    /// Vetted and admitted to the end of this holder's part: its finish, or its shift end when the task moves on there.
    pub fn qualified(&self, case: &Case, team: usize, at: i64, shift_end: i64) -> bool {
        let it = &self.book.teams[team];
        let finish = hours::add(&self.hours[team], at, case.left * MINUTE).unwrap_or(i64::MAX);
        let end = if case.never_moves { finish } else { finish.min(shift_end) };
        let lasts = |until: i64| until >= end && until > at;
        lasts(it.vetted_until) && it.held.iter().any(|held| matches(case, held) && lasts(held.admitted_until))
    }

    /// Its vetting or its last admission for this work is over.
    pub fn has_expired(&self, case: &Case, team: usize, at: i64) -> bool {
        let it = &self.book.teams[team];
        it.vetted_until <= at || !it.held.iter().any(|held| matches(case, held) && held.admitted_until > at)
    }

    fn contact(&self, case: &Case, team: usize, at: i64, shift_end: i64) -> i64 {
        let client = &self.book.clients[&case.client].hours;
        let shift = hours::any_of(std::iter::once(&*self.hours[team]), at, shift_end.min(at + 28 * 24 * HOUR));
        shift.iter().map(|(open, close)| hours::between(client, *open, *close)).sum()
    }

    /// The seats of a team: as set last, else by the roster.
    fn seats(&self, team: usize, at: i64) -> Option<i64> {
        let set = self.stands(team, at).filter_map(|kind| match kind {
            Kind::Seats(seats) => Some(seats),
            Kind::Close | Kind::Open | Kind::Drain => None,
        });
        set.last().or(self.book.teams[team].seats)
    }

    fn has_room(&self, case: &Case, team: &Team, seats: Option<i64>, (used, used_minutes): (i64, i64)) -> bool {
        let reserve = if case.priority == Priority::Urgent { 0 } else { team.urgent_reserve };
        match (seats, team.effort_hours) {
            (Some(seats), _) => used < seats - reserve,
            (None, Some(hours)) => used == 0 || used_minutes + case.left <= hours * 60,
            (None, None) => false,
        }
    }

    /// How long an offer made now stands: its limit in open time, or to the shift end.
    pub fn offer_until(&self, case: &Case, team: usize, at: i64) -> Option<i64> {
        let limit = match case.priority {
            Priority::Urgent => 5,
            Priority::High => 15,
            Priority::Normal => 30,
            Priority::Low => 60,
        };
        let shift_end = hours::shift_end(&self.hours[team], at)?;
        Some(hours::add(&self.hours[team], at, limit * MINUTE).map_or(shift_end, |until| until.min(shift_end)))
    }

    /// What a basis counts between two instants while a team holds the task, or none does.
    fn counted(&self, case: &Case, basis: &str, holder: Option<usize>, from: i64, until: i64) -> i64 {
        if until <= from {
            return 0;
        }
        match (basis, holder) {
            ("wall", _) => until - from,
            ("client", _) => hours::between(&self.book.clients[&case.client].hours, from, until),
            ("holder", Some(team)) => hours::between(&self.hours[team], from, until),
            ("holder" | "coverage", _) => {
                let teams = (0..self.hours.len()).filter(|team| case.eligible & (1 << team) != 0);
                let spans = hours::any_of(teams.map(|team| &*self.hours[team]), from, until);
                spans.iter().map(|(from, until)| until - from).sum()
            }
            _ => {
                let calendar = basis.strip_prefix("calendar:").expect("a basis");
                hours::between(&self.book.calendars[calendar], from, until)
            }
        }
    }

    /// What a clock has counted at an instant not before it was last looked at.
    pub fn count(&self, case: &Case, clock: &Watch, at: i64) -> i64 {
        if !clock.is_running() && clock.stopped.is_none() {
            return 0;
        }
        let at = clock.stopped.map_or(at, |stopped| stopped.min(at));
        let pause = case.pause.as_ref().filter(|pause| clock.promise.pause_on.contains(&pause.reason));
        let from = match pause {
            None => clock.since,
            Some(Pause { cap_at: None, .. }) => return clock.counted,
            Some(Pause { cap_at: Some(cap_at), .. }) => clock.since.max(*cap_at),
        };
        clock.counted + self.counted(case, &clock.promise.basis, case.owner(), from, at)
    }

    /// Closes what the clocks of a task have counted until now, before something changes by which they count.
    pub fn settle(&self, case: &mut Case, at: i64) {
        let counts: Vec<i64> = case.clocks.iter().map(|clock| self.count(case, clock, at)).collect();
        for (clock, counted) in case.clocks.iter_mut().zip(counts).filter(|(clock, _)| clock.is_running()) {
            (clock.counted, clock.since) = (counted, at.max(clock.since));
        }
    }

    /// When a task is due if a team holds it from now on; none when nothing is.
    pub fn due(&self, case: &Case, team: usize, at: i64) -> Option<i64> {
        let runs = |clock: &&Watch| clock.is_running() && clock.promise.stop == "completed" && !clock.deadline;
        let is_standing = |clock: &Watch| {
            let pause = case.pause.as_ref().filter(|pause| clock.promise.pause_on.contains(&pause.reason));
            pause.is_some_and(|pause| pause.cap_at.is_none_or(|cap_at| cap_at > at))
        };
        let projected = case.clocks.iter().filter(runs).filter(|clock| !is_standing(clock)).filter_map(|clock| {
            let left = clock.promise.target - self.count(case, clock, at);
            if left <= 0 {
                return Some(at);
            }
            match &*clock.promise.basis {
                "wall" => Some(at + left),
                "client" => hours::add(&self.book.clients[&case.client].hours, at, left),
                "holder" => hours::add(&self.hours[team], at, left),
                "coverage" => None,
                basis => hours::add(&self.book.calendars[basis.strip_prefix("calendar:").unwrap()], at, left),
            }
        });
        projected.chain(case.deadline).min()
    }

    pub fn is_in_time(&self, case: &Case, team: usize, at: i64) -> bool {
        let finish = hours::add(&self.hours[team], at, case.left * MINUTE).unwrap_or(i64::MAX);
        self.due(case, team, at).is_none_or(|due| finish <= due)
    }
}

use super::case::Pause;

fn in_place(case: &Case, team: &Team) -> bool {
    if case.presence != Presence::InPerson {
        return true;
    }
    match (&case.site, &case.jurisdiction) {
        (Some(site), _) if site.len() > 2 => *site == team.country,
        (Some(site), _) => site[..2] == team.country[..2],
        (None, Some(jurisdiction)) => jurisdiction[..2] == team.country[..2],
        (None, None) => false,
    }
}

fn can(case: &Case, team: &Team) -> bool {
    let skilled = case.skills.iter().all(|(name, level)| team.skills.get(name).is_some_and(|held| held >= level));
    let held = team.held.iter().any(|held| matches(case, held));
    skilled && held && team.vetted_until > i64::MIN && !case.excluded.contains(&team.id)
}

/// Whether a capability is the pair that is asked for, in the languages that are asked for.
fn matches(case: &Case, held: &super::book::Held) -> bool {
    let fits = |own: &str, asked: &Option<String>| own == "*" || asked.as_ref().is_none_or(|asked| asked == own);
    fits(&held.jurisdiction, &case.jurisdiction)
        && fits(&held.specialty, &case.specialty)
        && case.languages.is_subset(&held.languages)
}
