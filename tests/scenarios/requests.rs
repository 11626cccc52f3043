//! What a firm asks for, in the words of a story.

use chrono::{DateTime, Utc};
use heliograph::engine::id::{MatterId, ProcessId, RequestId, TaskId, TeamId, Term, WorkTypeId};
use heliograph::engine::request::{Consent, Place, Presence, Priority, RequestDigest, SkillNeed, Step, WorkRequest};
use heliograph::engine::update::Amendment;

use super::clock::{Cities, Moment};

/// What the words of one part are read with.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    pub cities: &'a Cities,
    pub near: Moment,
}

impl Reading<'_> {
    /// The time that words are, to the last of them.
    pub fn time(&self, words: &[&str]) -> Result<DateTime<Utc>, String> {
        match self.cities.time(words, Some(self.near))? {
            Some((moment, taken)) if taken == words.len() => Ok(moment.at),
            _ => Err(format!("{:?} is not a time", words.join(" "))),
        }
    }

    /// A request: `WORK_TYPE [for MATTER], part, part`; `steps` or `process NAME` in the place of a work type is a process.
    pub fn request(&self, client: &str, id: &str, text: &str) -> Result<WorkRequest, String> {
        let mut parts = text.split(", ");
        let head: Vec<&str> = parts.next().unwrap_or_default().split(' ').collect();
        let (work_type, process, matter) = match head[..] {
            ["process", name] => (None, Some(parsed::<ProcessId>(name)?), "M-1"),
            ["process", name, "for", matter] => (None, Some(parsed(name)?), matter),
            ["steps"] => (None, None, "M-1"),
            [work_type] => (Some(work_type), None, "M-1"),
            [work_type, "for", matter] => (Some(work_type), None, matter),
            _ => return Err(format!("{head:?} is not a work type, or one for a matter")),
        };
        let mut request = WorkRequest::new(
            parsed(id)?,
            parsed(client)?,
            parsed::<MatterId>(matter)?,
            parsed::<WorkTypeId>(work_type.unwrap_or("steps"))?,
            RequestDigest(text.into()),
        );
        (request.work_type, request.process) = (request.work_type.filter(|_| work_type.is_some()), process);
        for part in parts {
            self.put(&mut request, part)?;
        }
        Ok(request)
    }

    fn put(&self, request: &mut WorkRequest, part: &str) -> Result<(), String> {
        let words: Vec<&str> = part.split(' ').collect();
        match words[..] {
            ["law", place] => request.jurisdiction = Some(place_of(place)?),
            ["law", place, specialty] => {
                (request.jurisdiction, request.specialty) = (Some(place_of(place)?), Some(parsed::<Term>(specialty)?));
            }
            ["about", specialty] => request.specialty = Some(parsed::<Term>(specialty)?),
            ["effort", span] => request.effort_minutes = Some(minutes(span)?),
            ["due", ref time @ ..] => request.deadline = Some(self.time(time)?),
            ["not", "before", ref time @ ..] => request.not_before = Some(self.time(time)?),
            ["priority", word] => request.priority = Some(priority(word)?),
            ["presence", "contact"] => request.presence = Some(Presence::Contact),
            ["presence", "in_person"] => request.presence = Some(Presence::InPerson),
            ["place", place] => request.place = Some(place_of(place)?),
            ["prefers", team] => request.preferred_team = Some(parsed(team)?),
            ["without", team] => request.excluded_teams.push(parsed(team)?),
            ["only", "in", place] => request.allowed_countries.push(place_of(place)?),
            ["not", "in", place] => request.denied_countries.push(place_of(place)?),
            ["consent", record] => request.consent = Some(consent(record)),
            ["after", id] => request.after.push(TaskId::of(&request.client, &parsed::<RequestId>(id)?)),
            ["step", id, work_type, span, ref after @ ..] => {
                let after = match after {
                    [] => Vec::new(),
                    ["after", names @ ..] => names.iter().map(|name| parsed(name)).collect::<Result<_, _>>()?,
                    _ => return Err(format!("{part:?} is not a step")),
                };
                request.steps.push(Step {
                    id: parsed(id)?,
                    work_type: parsed(work_type)?,
                    jurisdiction: None,
                    specialty: None,
                    effort_minutes: Some(minutes(span)?),
                    after,
                });
            }
            ["skill", name, level] => {
                let level = level.parse().map_err(|_| format!("{level:?} is not a level"))?;
                request.skills.push(SkillNeed { name: parsed(name)?, level });
            }
            ["language", language] => request.languages.get_or_insert_default().push(parsed::<Term>(language)?),
            ["sla", policy] => request.sla = Some(parsed(policy)?),
            _ => return Err(format!("{part:?} is not a part of a request")),
        }
        Ok(())
    }

    /// What a firm changes: `part, part`.
    pub fn amendment(&self, text: &str) -> Result<Amendment, String> {
        let mut amendment = Amendment::default();
        for part in text.split(", ") {
            let words: Vec<&str> = part.split(' ').collect();
            match words[..] {
                ["effort", span] => amendment.effort_minutes = Some(minutes(span)?),
                ["due", ref time @ ..] => amendment.deadline = Some(self.time(time)?),
                ["not", "before", ref time @ ..] => amendment.not_before = Some(self.time(time)?),
                ["consent", record] => amendment.consent = Some(consent(record)),
                ["not", "in", place] => amendment.denied_countries = Some(vec![place_of(place)?]),
                ["only", "in", place] => amendment.allowed_countries = Some(vec![place_of(place)?]),
                ["without", team] => amendment.excluded_teams = Some(vec![parsed::<TeamId>(team)?]),
                _ => return Err(format!("{part:?} is not a part of an amendment")),
            }
        }
        Ok(amendment)
    }
}

pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// The task of a client's request, or of a step of it: `ID/STEP`.
pub fn task_id(client: &str, id: &str) -> Result<TaskId, String> {
    parsed(&format!("{client}/{id}"))
}

fn place_of(text: &str) -> Result<Place, String> {
    Place::new(text).map_err(|error| error.to_string())
}

fn consent(record: &str) -> Consent {
    let reference = (record != "withdrawn").then(|| record.to_owned());
    Consent { offshore: reference.is_some(), reference }
}

pub fn priority(word: &str) -> Result<Priority, String> {
    Priority::ALL.into_iter().find(|it| it.as_str() == word).ok_or_else(|| format!("{word:?} is not a priority"))
}

/// A span such as `90m`, `2h` or `2h30m`, in minutes.
pub fn minutes(span: &str) -> Result<u32, String> {
    let wrong = |_| format!("{span:?} is not a span such as 2h30m");
    let (hours, rest) = span.split_once('h').unwrap_or(("0", span));
    let minutes =
        if rest.is_empty() { "0" } else { rest.strip_suffix('m').ok_or_else(|| format!("{span:?}: m or h"))? };
    Ok(hours.parse::<u32>().map_err(wrong)? * 60 + minutes.parse::<u32>().map_err(wrong)?)
}
