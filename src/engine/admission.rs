//! From a work request to a task: defaults of the work type, the client and the roster filled in, names looked up.

use chrono::{DateTime, Utc};

use super::event::{Refusal, RefusalCode};
use super::id::{SlaId, TaskId};
use super::request::WorkRequest;
use super::roster::{Client, HandoffRule, Roster, WorkType};
use super::sla::Clock;
use super::task::{Arrival, Needs, Task, TaskState, Waiting};

/// The largest effort of a task, in minutes: a year.
pub const MAX_EFFORT_MINUTES: u32 = 525_600;

/// Makes a task of a request without steps; it waits until it is routed.
///
/// # Errors
/// A [`Refusal`] that names the field and the unknown, missing or excessive value.
pub fn admit(
    request: &WorkRequest,
    roster: &Roster,
    arrival: Arrival,
    now: DateTime<Utc>,
) -> Result<Task, Box<Refusal>> {
    let client = client(request, roster)?;
    let work_type = work_type(request, roster)?;
    let sla = sla(request, client, work_type, roster)?;
    teams_exist(request, roster)?;
    let clocks = sla.as_ref().and_then(|id| roster.sla.get(id)).map(|policy| &policy.clocks[..]).unwrap_or_default();
    let deadline = request.deadline.map(Clock::of_deadline);
    Ok(Task {
        arrival,
        id: TaskId::of(&request.client, &request.id),
        request: request.id.clone(),
        client: request.client.clone(),
        matter: request.matter.clone(),
        digest: request.digest.clone(),
        needs: needs(request, client, work_type),
        priority: request.priority.unwrap_or_default(),
        effort_minutes: effort(request, work_type)?,
        deadline: request.deadline,
        not_before: request.not_before,
        after: request.after.clone(),
        after_cancelled: Vec::new(),
        unknown_told: false,
        lapsed: None,
        clocks: clocks.iter().map(Clock::new).chain(deadline).collect(),
        sla,
        admitted_at: now,
        ready_at: None,
        state: TaskState::Waiting(Waiting::undecided(now)),
        paused: None,
        held: false,
        assignments: 0,
        charged: None,
        turn_downs: Vec::new(),
        holders: Vec::new(),
        handoffs: 0,
        handoff_limit_told: false,
        as_admitted: None,
        process: None,
        task_seq: 0,
    })
}

/// The client of a request.
///
/// # Errors
/// A [`Refusal`] when the roster has no such client, or takes nothing new from it.
pub fn client<'a>(request: &WorkRequest, roster: &'a Roster) -> Result<&'a Client, Box<Refusal>> {
    let unknown = || {
        let message = format!("{:?} is not a client of the roster in force; add it there first", request.client);
        refuse(RefusalCode::UnknownClient, "client", message)
    };
    let client = roster.clients.get(&request.client).ok_or_else(unknown)?;
    if client.retired {
        let message = format!("{:?} is retired in the roster and takes no new work", request.client);
        return Err(refuse(RefusalCode::Retired, "client", message));
    }
    Ok(client)
}

fn work_type<'a>(request: &WorkRequest, roster: &'a Roster) -> Result<&'a WorkType, Box<Refusal>> {
    let missing = || refuse(RefusalCode::MissingField, "work_type", "is required for a single task; add it".into());
    let id = request.work_type.as_ref().ok_or_else(missing)?;
    let unknown = || {
        let known: Vec<_> = roster.work_types.keys().map(super::id::Id::as_str).collect();
        let message = format!("{:?} is not a work type of the roster; it has {}", id, known.join(", "));
        refuse(RefusalCode::UnknownWorkType, "work_type", message)
    };
    roster.work_types.get(id).ok_or_else(unknown)
}

fn sla(
    request: &WorkRequest,
    client: &Client,
    work_type: &WorkType,
    roster: &Roster,
) -> Result<Option<SlaId>, Box<Refusal>> {
    let Some(id) = &request.sla else {
        return Ok(client.sla.clone().or_else(|| work_type.sla.clone()));
    };
    if roster.sla.contains_key(id) {
        return Ok(Some(id.clone()));
    }
    let known: Vec<_> = roster.sla.keys().map(super::id::Id::as_str).collect();
    let message = format!("{:?} is not an SLA policy of the roster; it has {}", id, known.join(", "));
    Err(refuse(RefusalCode::UnknownSla, "sla", message))
}

fn teams_exist(request: &WorkRequest, roster: &Roster) -> Result<(), Box<Refusal>> {
    let preferred = request.preferred_team.iter().map(|team| ("preferred_team", team));
    let excluded = request.excluded_teams.iter().map(|team| ("excluded_teams", team));
    for (field, team) in preferred.chain(excluded) {
        if roster.team_index(team).is_none() {
            let message = format!("{team:?} is not a team of the roster; leave it out or add it there");
            return Err(refuse(RefusalCode::UnknownTeam, field, message));
        }
    }
    Ok(())
}

fn effort(request: &WorkRequest, work_type: &WorkType) -> Result<u32, Box<Refusal>> {
    let missing = || {
        let message = format!("is required, since the work type {} has no default; give 1..=525600", work_type.id);
        refuse(RefusalCode::MissingField, "effort_minutes", message)
    };
    effort_within(request.effort_minutes)?;
    request.effort_minutes.or(work_type.effort_minutes).ok_or_else(missing)
}

/// Holds an effort to 1..=[`MAX_EFFORT_MINUTES`].
///
/// # Errors
/// `invalid_field` with the value and the limit.
pub fn effort_within(minutes: Option<u32>) -> Result<(), Box<Refusal>> {
    let Some(minutes) = minutes.filter(|minutes| !(1..=MAX_EFFORT_MINUTES).contains(minutes)) else { return Ok(()) };
    let message =
        format!("{minutes} is outside 1..={MAX_EFFORT_MINUTES} minutes; split larger work into several requests");
    Err(refuse(RefusalCode::InvalidField, "effort_minutes", message))
}

fn needs(request: &WorkRequest, client: &Client, work_type: &WorkType) -> Needs {
    let presence = request.presence.unwrap_or_default().max(work_type.presence);
    let mut skills = request.skills.clone();
    for need in &work_type.skills {
        match skills.iter_mut().find(|asked| asked.name == need.name) {
            Some(asked) => asked.level = asked.level.max(need.level),
            None => skills.push(need.clone()),
        }
    }
    skills.sort();
    // Presence beyond that of the work type defaults to no hand-off; otherwise the work type says.
    let handoff = if presence > work_type.presence { HandoffRule::Never } else { work_type.handoff };
    Needs {
        work_type: work_type.id.clone(),
        jurisdiction: request.jurisdiction.clone(),
        specialty: request.specialty.clone().or_else(|| work_type.specialty.clone()),
        languages: sorted(request.languages.as_ref().unwrap_or(&work_type.languages)),
        skills,
        presence,
        place: request.place.clone(),
        allowed_countries: sorted(&request.allowed_countries),
        denied_countries: sorted(&request.denied_countries),
        consent: request.consent.clone(),
        preferred_team: request.preferred_team.clone(),
        excluded_teams: sorted(&request.excluded_teams),
        handoff,
        payload_on: client.payload_on,
    }
}

fn sorted<T: Clone + Ord>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items.dedup();
    items
}

fn refuse(code: RefusalCode, field: &str, message: String) -> Box<Refusal> {
    Box::new(Refusal::of_field(code, field, message))
}
