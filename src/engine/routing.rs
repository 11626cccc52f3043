//! One decision: who gets a task now, or why it waits. Reads the board, changes nothing.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::board::Board;
use super::class::{Class, ClassId, standing};
use super::explain::{Candidate, Decision, Filter, MAX_STORED_CANDIDATES, Obstacle, Rejection, Verdict};
use super::filter::{self, AtNow, DATED, Fit, NOT_NOW, Standing, not_admitted};
use super::forecast;
use super::hindsight::Premises;
use super::id::TeamId;
use super::planted::planted;
use super::roster::{Client, HandoffRule, Team, TeamIndex};
use super::score::{self, Scored};
use super::task::{Task, WaitReason, Waiting, WakeCause};

/// What was decided.
#[derive(Debug)]
pub struct Choice {
    /// Where the task goes.
    pub outcome: Outcome,
    /// The record to store.
    pub decision: Arc<Decision>,
}

/// Where a task goes.
#[derive(Debug)]
pub enum Outcome {
    /// To this team, now.
    Offer(TeamIndex, Candidate),
    /// Nowhere yet, with what the task says of its wait.
    Wait(Waiting),
}

/// Decides for a task of a class at an instant.
#[must_use]
pub fn decide(board: &Board, task: &Task, class_id: ClassId, now: DateTime<Utc>) -> Choice {
    let Some(class) = board.classes.get(class_id) else { return Choice::unknown(board, class_id, now) };
    let mut rejected = class.rejected(task, now);
    let mut refusals = Vec::new();
    let mut candidates = Vec::new();
    let mut premises = Premises::of(task, class, now);
    for (index, fit) in &class.eligible {
        if let Some(due_at) = board.load(*index).changes_at.filter(|at| *at <= now) {
            premises.about_to_turn.push((board.roster.team(*index).id.clone(), due_at));
        }
        match available(board, task, class, *index, fit, now) {
            Ok(candidate) => candidates.push((*index, candidate)),
            Err(rejection) => {
                *rejected.entry(rejection.filter()).or_default() += 1;
                refusals.push((*index, rejection));
            }
        }
    }
    candidates.sort_by_key(|(index, candidate)| rank(board, *index, candidate));
    let chosen = preferred(task, &candidates).or_else(|| candidates.first());
    let better = match chosen {
        Some((_, candidate)) if !candidate.meets_due => better_later(board, task, class, &refusals, now),
        _ => None,
    };
    let outcome = match (chosen, better) {
        (Some((index, candidate)), None) => Outcome::Offer(*index, candidate.clone()),
        (_, better) => wait(board, &refusals, better, class.eligible.is_empty(), now),
    };
    let winner = match &outcome {
        Outcome::Offer(_, candidate) => Some(candidate.team.clone()),
        Outcome::Wait(_) => None,
    };
    let mut decision = empty_decision(board, class_id, now);
    decision.winner = winner;
    decision.available_count = u32::try_from(candidates.len()).unwrap_or(u32::MAX);
    let unlisted = candidates.iter().skip(MAX_STORED_CANDIDATES).map(|(_, candidate)| candidate);
    let affinities = unlisted.map(|it| (it.team.clone(), it.scores.affinity));
    premises.affinities = affinities.filter(|(_, affinity)| *affinity > 0).collect();
    decision.premises = premises;
    decision.available = candidates.into_iter().map(|(_, candidate)| candidate).take(MAX_STORED_CANDIDATES).collect();
    decision.rejected = rejected;
    Choice { outcome, decision: Arc::new(decision) }
}

impl Choice {
    /// The answer for a class that is not known: nobody is eligible. A caller that joined the class never meets it.
    fn unknown(board: &Board, class_id: ClassId, now: DateTime<Utc>) -> Self {
        let decision = empty_decision(board, class_id, now);
        Self { outcome: wait(board, &[], None, true, now), decision: Arc::new(decision) }
    }
}

fn empty_decision(board: &Board, class_id: ClassId, now: DateTime<Utc>) -> Decision {
    Decision {
        at: now,
        roster: board.roster.digest.clone(),
        tzdata: Arc::clone(&board.roster.tzdata),
        class: class_id.0,
        winner: None,
        available: Vec::new(),
        available_count: 0,
        rejected: BTreeMap::new(),
        premises: Premises::default(),
        table: None,
    }
}

/// Every team's verdict on a task at an instant, in the order of team ids.
#[must_use]
pub fn explain(board: &Board, task: &Task, class_id: ClassId, now: DateTime<Utc>) -> Vec<Verdict> {
    let (Some(class), Some(client)) = (board.classes.get(class_id), board.roster.clients.get(&task.client)) else {
        return Vec::new();
    };
    let verdict = |(index, team): (TeamIndex, &Team)| {
        let ask = question(board, client, task, team);
        let answer = match (standing(&ask), class.fit(index)) {
            (Err(rejection), _) => Err(class.first_no(index, rejection, task, now)),
            (Ok(()), Some(fit)) => available(board, task, class, index, fit, now),
            (Ok(()), None) => Err(not_admitted(&task.needs)),
        };
        match answer {
            Ok(candidate) => Verdict::Available(candidate),
            Err(rejection) => Verdict::Rejected {
                team: team.id.clone(),
                filter: rejection.filter(),
                cleared_by: rejection.cleared_by(),
                rejection,
            },
        }
    };
    board.roster.indexed_teams().map(verdict).collect()
}

fn question<'a>(board: &'a Board, client: &'a Client, task: &'a Task, team: &'a Team) -> Standing<'a> {
    Standing { roster: &board.roster, walls: &board.walls, client, matter: &task.matter, needs: &task.needs, team }
}

/// Whether a team still meets the standing filters for a task that it has: no look at turn-downs, hours or seats.
///
/// # Errors
/// The rejection.
pub fn still_stands(
    board: &Board,
    task: &Task,
    class_id: ClassId,
    team: TeamIndex,
    now: DateTime<Utc>,
) -> Result<(), Rejection> {
    let client = board.roster.clients.get(&task.client).ok_or_else(|| not_admitted(&task.needs))?;
    let ask = question(board, client, task, board.roster.team(team));
    standing(&ask)?;
    let class = board.classes.get(class_id).ok_or_else(|| not_admitted(&task.needs))?;
    let fit = class.fit(team).ok_or_else(|| not_admitted(&task.needs))?;
    if fit.vetted_until <= now {
        return Err(Rejection::VettingEnds { at: fit.vetted_until, needed_until: now });
    }
    match fit.admitted_until {
        Some(at) if at <= now => Err(Rejection::AdmissionEnds { at, needed_until: now }),
        _ => Ok(()),
    }
}

/// The dated and the passing filters on an eligible team; its scores when all pass.
fn available(
    board: &Board,
    task: &Task,
    class: &Class,
    index: TeamIndex,
    fit: &Fit,
    now: DateTime<Utc>,
) -> Result<Candidate, Rejection> {
    let (roster, team, load) = (&*board.roster, board.roster.team(index), board.load(index));
    let shift_end = load.open_shift_end();
    let finish_at = finish_from_now(board, task, index, now);
    let ask = at_now(board, task, index, fit, finish_at, now);
    DATED.iter().chain(&NOT_NOW).try_for_each(|(_, rule)| rule(&ask))?;
    let coverage = class.counted_coverage(task, roster, now);
    let due_at = forecast::due_at(task, roster, Some(team), coverage, now);
    let scored = Scored {
        team,
        load,
        finish_at,
        due_at,
        shift_end: shift_end.unwrap_or(now),
        affinity: board.affinity.of(&task.client, &task.matter, now).score(&team.id),
        excess: fit.excess,
        cost_range_cents: board.cost_range_cents,
    };
    let (scores, total) = score::score(&scored, &roster.routing.weights);
    let meets_due = meets(finish_at, due_at);
    Ok(Candidate { team: team.id.clone(), finish_at, due_at, meets_due, scores, total })
}

/// When a closed team's work starts: at its opening, so that a qualification which ends before its part does is no hope.
fn starts_at(board: &Board, index: TeamIndex, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let load = board.load(index);
    if load.open { Some(now) } else { load.next_open }
}

fn finish_from_now(board: &Board, task: &Task, index: TeamIndex, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let start = starts_at(board, index, now)?;
    forecast::finish_at(board.roster.team(index), start, task.remaining_minutes())
}

/// What the dated and the passing filters are asked of a team.
fn at_now<'a>(
    board: &'a Board,
    task: &'a Task,
    index: TeamIndex,
    fit: &'a Fit,
    finish_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> AtNow<'a> {
    let (roster, load) = (&*board.roster, board.load(index));
    let part_ends_at = starts_at(board, index, now).map_or(now, |_| part_end(task, finish_at, load.shift_end));
    AtNow { now, roster, team: roster.team(index), load, fit, task, part_ends_at }
}

/// Every rule's "no" to one team on a task at an instant, in the order of the filters; none when it could take it.
#[must_use]
pub fn obstacles(board: &Board, task: &Task, index: TeamIndex, now: DateTime<Utc>) -> Vec<Obstacle> {
    let Some(client) = board.roster.clients.get(&task.client) else { return Vec::new() };
    let ask = question(board, client, task, board.roster.team(index));
    let fit = filter::fit(&ask, now);
    let at_now = at_now(board, task, index, &fit, finish_from_now(board, task, index, now), now);
    filter::every_no(&ask, &at_now).into_iter().map(Obstacle::from).collect()
}

/// The end of a holder's part: its finish, or its shift end when the task moves on there.
#[must_use]
pub fn part_end(task: &Task, finish_at: Option<DateTime<Utc>>, shift_end: Option<DateTime<Utc>>) -> DateTime<Utc> {
    let shift_end = shift_end.unwrap_or(DateTime::<Utc>::MAX_UTC);
    let finish_at = finish_at.unwrap_or(DateTime::<Utc>::MAX_UTC);
    match task.needs.handoff {
        HandoffRule::Never => finish_at,
        HandoffRule::WhenBetter | HandoffRule::Always => finish_at.min(shift_end),
    }
}

/// Whether a finish is in time; no due time always is, no finish never.
#[must_use]
pub fn meets(finish_at: Option<DateTime<Utc>>, due_at: Option<DateTime<Utc>>) -> bool {
    match (finish_at, due_at) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(finish_at), Some(due_at)) => finish_at <= due_at,
    }
}

/// The order of candidates: in time first, then the weighted sum, then cost, then team id.
fn rank(board: &Board, index: TeamIndex, candidate: &Candidate) -> (bool, Reverse<u32>, u32, TeamIndex) {
    let cost = board.roster.team(index).cost_per_hour_cents;
    (!candidate.meets_due, Reverse(candidate.total), cost, index)
}

/// The team that the request prefers, when it can take the task now and finish in time.
fn preferred<'a>(task: &Task, candidates: &'a [(TeamIndex, Candidate)]) -> Option<&'a (TeamIndex, Candidate)> {
    let wanted: &TeamId = task.needs.preferred_team.as_ref()?;
    candidates
        .iter()
        .find(|(_, candidate)| candidate.team == *wanted && (candidate.meets_due || planted("preferred-though-late")))
}

/// Most full teams beside the one to open that a task waits for; past them a freed seat does not wake it.
pub const MAX_AWAITED_FULL: usize = 8;

/// The eligible team that finishes in time although it opens or has room only later, the earliest first, and when that
/// is; with it the teams that would finish in time if they had room now.
fn better_later(
    board: &Board,
    task: &Task,
    class: &Class,
    refusals: &[(TeamIndex, Rejection)],
    now: DateTime<Utc>,
) -> Option<(Vec<TeamIndex>, DateTime<Utc>)> {
    let roster = &*board.roster;
    let coverage = class.counted_coverage(task, roster, now);
    let finish_from = |index: TeamIndex, start: DateTime<Utc>| {
        let team = roster.team(index);
        let finish_at = forecast::finish_at(team, start, task.remaining_minutes());
        let due_at = forecast::due_at(task, roster, Some(team), coverage, now);
        meets(finish_at, due_at).then_some(finish_at)
    };
    let later = refusals.iter().filter_map(|(index, rejection)| {
        let opens_at = match rejection {
            Rejection::Closed { opens_at } | Rejection::ClosesSoon { opens_at, .. } => (*opens_at)?,
            Rejection::NoSeat { .. } | Rejection::NoRoom { .. } => now,
            _ => return None,
        };
        let (team, load) = (roster.team(*index), board.load(*index));
        let start = load.room_expected_at(team, task.priority, task.remaining_minutes(), now, None)?.max(opens_at);
        let in_contact = has_contact_from(board, task, class, *index, start);
        finish_from(*index, start).filter(|_| in_contact).map(|finish_at| (start, finish_at, *index))
    });
    let (starts_at, _, first) = later.min()?;
    let is_full = |(index, rejection): &&(TeamIndex, Rejection)| {
        rejection.filter() == Filter::Seats && *index != first && finish_from(*index, now).is_some()
    };
    let full = refusals.iter().filter(is_full).map(|(index, _)| *index);
    Some((std::iter::once(first).chain(full.take(MAX_AWAITED_FULL)).collect(), starts_at))
}

/// Whether the shift that a team starts at an instant meets the client's hours for long enough, where that is asked.
#[must_use]
pub fn has_contact_from(board: &Board, task: &Task, class: &Class, index: TeamIndex, start: DateTime<Utc>) -> bool {
    let asked = class.fit(index).is_some_and(|fit| fit.contact.is_some());
    let Some(client) = board.roster.clients.get(&task.client).filter(|_| asked) else { return true };
    let team = board.roster.team(index);
    let gap = TimeDelta::minutes(i64::from(board.roster.routing.handoff_min_gap_minutes));
    let shift_end = team.calendar.shift_end(start, gap).unwrap_or(DateTime::<Utc>::MAX_UTC);
    let needed = TimeDelta::minutes(i64::from(task.remaining_minutes()));
    forecast::contact_between(team, client, start, shift_end) >= needed
}

/// What a task says of its wait, from the answers of the eligible teams.
fn wait(
    board: &Board,
    refusals: &[(TeamIndex, Rejection)],
    better: Option<(Vec<TeamIndex>, DateTime<Utc>)>,
    nobody_eligible: bool,
    now: DateTime<Utc>,
) -> Outcome {
    let said = |filter| refusals.iter().any(|(_, rejection)| rejection.filter() == filter);
    let refused_by = |index: &TeamIndex| board.load(*index).open;
    let reason = if better.is_some() {
        WaitReason::WaitsForBetter
    } else if said(Filter::Seats) {
        WaitReason::NoSeatFree
    } else if turned_down_for_good(refusals) {
        WaitReason::NoTeamEligible
    } else if refusals.iter().any(|(index, no)| no.filter() == Filter::TurnedDown && refused_by(index)) {
        WaitReason::TurnedDown
    } else if said(Filter::Open) || said(Filter::Presence) && !nobody_eligible && !never_in_contact(refusals) {
        WaitReason::NoTeamOpen
    } else if said(Filter::TurnedDown) {
        WaitReason::TurnedDown
    } else if said(Filter::Drained) {
        WaitReason::Drained
    } else {
        WaitReason::NoTeamEligible
    };
    let (waits_for, wakes_at) = match better {
        Some((teams, starts_at)) => {
            (teams.into_iter().map(|index| board.roster.team(index).id.clone()).collect(), Some(starts_at))
        }
        None => {
            (Vec::new(), refusals.iter().filter_map(|(index, rejection)| clears_at(board, *index, rejection)).min())
        }
    };
    let mut woken_by = Vec::new();
    if said(Filter::Open) || said(Filter::Presence) {
        woken_by.push(WakeCause::TeamOpens);
    }
    if said(Filter::Seats) {
        woken_by.push(WakeCause::SeatFrees);
    }
    if said(Filter::TurnedDown) {
        woken_by.push(WakeCause::TurnDownEnds);
    }
    woken_by.extend([WakeCause::RosterChanges, WakeCause::RequestAmended]);
    Outcome::Wait(Waiting { reason, since: now, wakes_at, woken_by, waits_for })
}

/// Whether every team that might do it has refused it for good, or will never be able to take it as things stand.
fn turned_down_for_good(refusals: &[(TeamIndex, Rejection)]) -> bool {
    let for_good = |rejection: &Rejection| {
        matches!(
            rejection,
            Rejection::TurnedDown { until: None, .. }
                | Rejection::Retired
                | Rejection::VettingEnds { .. }
                | Rejection::AdmissionEnds { .. }
        )
    };
    let refused = |rejection: &Rejection| matches!(rejection, Rejection::TurnedDown { .. });
    refusals.iter().any(|(_, rejection)| refused(rejection))
        && refusals.iter().all(|(_, rejection)| for_good(rejection))
}

fn never_in_contact(refusals: &[(TeamIndex, Rejection)]) -> bool {
    !refusals.iter().any(|(_, rejection)| matches!(rejection, Rejection::TooLittleContactNow { .. }))
}

/// When a rejection clears by time alone.
fn clears_at(board: &Board, index: TeamIndex, rejection: &Rejection) -> Option<DateTime<Utc>> {
    match rejection {
        Rejection::Closed { opens_at } | Rejection::ClosesSoon { opens_at, .. } => *opens_at,
        Rejection::TurnedDown { until, .. } => *until,
        Rejection::TooLittleContactNow { .. } => board.load(index).opens_at(),
        Rejection::Drained => {
            let team = board.roster.team(index);
            team.drained_until.and_then(|until| team.calendar.next_open(until).ok())
        }
        _ => None,
    }
}
