//! Plays a story: every act in order, time in between, and all that is told held against the lines of the file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{Effects, Recorded};
use heliograph::engine::event::Event;
use heliograph::engine::roster::Roster;
use heliograph::engine::scheduler::{Limits, Restored, Scheduler};
use heliograph::engine::task::Task;

use super::acts::{self, Act};
use super::clock::{Cities, Moment, written};
use super::requests::{Reading, task_id};
use super::rosters::Draft;
use super::story::{MomentLines, Scene, Story};
use super::telling;

/// A daemon on virtual time.
pub struct Stage {
    draft: Draft,
    cities: Cities,
    scheduler: Scheduler,
    tells_clocks: bool,
    is_stopped: bool,
    /// Who sent a request.
    clients: BTreeMap<String, String>,
    ended: Vec<Task>,
    last: Option<Event>,
    acts: u32,
}

/// Plays the story of a file to its end.
pub fn play(path: &Path) -> Result<(), String> {
    let story = Story::read(path)?;
    let draft = Draft::new(&story.teams, &story.roster)?;
    // Calendars are the same whatever the instant that they are made around, within their years.
    let anchor: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().expect("an instant");
    let roster = draft.roster(anchor)?;
    let calendars = roster.calendars.iter().map(|(id, it)| (id.as_str(), it.spec().zone.name()));
    let cities = Cities::new(calendars);
    let first = moment(&cities, &story.moments[0])?;
    let mut stage = Stage {
        scheduler: Scheduler::new(roster, Limits::default(), first.at),
        draft,
        cities,
        tells_clocks: story.tells_clocks,
        is_stopped: false,
        clients: BTreeMap::new(),
        ended: Vec::new(),
        last: None,
        acts: 0,
    };
    for lines in &story.moments {
        stage.moment(lines).map_err(|error| format!("{}:{error}", path.display()))?;
    }
    Ok(())
}

fn moment(cities: &Cities, lines: &MomentLines) -> Result<Moment, String> {
    let words: Vec<&str> = lines.at.split(' ').collect();
    match cities.time(&words, None).map_err(|error| format!("{}: {error}", lines.line))? {
        Some((moment, taken)) if taken == words.len() => Ok(moment),
        _ => Err(format!("{}: [{}] is not a time such as [Tue 2026-11-24 09:00 London]", lines.line, lines.at)),
    }
}

impl Stage {
    pub fn roster(&self) -> &Arc<Roster> {
        self.scheduler.base_roster()
    }

    /// How many acts there were.
    pub fn acts(&self) -> u32 {
        self.acts
    }

    pub fn client_of(&self, id: &str) -> Option<&str> {
        self.clients.get(id.split('/').next()?).map(String::as_str)
    }

    /// A task that is open.
    pub fn task(&self, id: &str) -> Result<&Task, String> {
        let client = self.client_of(id).ok_or_else(|| format!("nobody sent {id:?}"))?;
        self.scheduler.task(&task_id(client, id)?).ok_or_else(|| format!("{id:?} is not open"))
    }

    fn moment(&mut self, lines: &MomentLines) -> Result<(), String> {
        let near = moment(&self.cities, lines)?;
        if near.at < self.scheduler.now() {
            return Err(format!("{}: {} is before the moment above it", lines.line, lines.at));
        }
        self.nothing_until(near, lines.line)?;
        for scene in &lines.scenes {
            self.scene(scene, near)?;
        }
        if !self.is_stopped {
            let left = self.fire(near.at);
            self.compare(&left, &[], near, lines.line)?;
        }
        Ok(())
    }

    /// Time passes up to a moment, and nothing may come of it that no line tells of.
    fn nothing_until(&mut self, near: Moment, line: usize) -> Result<(), String> {
        while let Some(due_at) = self.next_before(near.at) {
            let told = self.step(due_at, Event::DeadlineReached);
            let shown = self.shown(&told);
            if let Some(first) = shown.first() {
                let when = written(first.at, Moment { at: DateTime::<Utc>::UNIX_EPOCH, zone: near.zone });
                let all: Vec<_> = shown.iter().map(|it| telling::told(it, Moment { at: first.at, ..near })).collect();
                return Err(format!(
                    "{line}: before this, at [{when}], and no line tells of it:\n  -> {}",
                    all.join("\n  -> ")
                ));
            }
        }
        Ok(())
    }

    fn next_before(&self, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.scheduler.next_deadline().filter(|due_at| *due_at < until && !self.is_stopped)
    }

    fn scene(&mut self, scene: &Scene, near: Moment) -> Result<(), String> {
        let told = match &scene.act {
            None => self.fire(near.at),
            Some(line) => self.act(line, scene, near).map_err(|error| format!("{}: {error}", scene.line))?,
        };
        self.compare(&told, &scene.effects, near, scene.line)?;
        for (line, stands) in &scene.stands {
            let Some((id, wanted)) = stands.split_once(' ') else {
                return Err(format!("{line}: = TASK how it stands"));
            };
            let found = match self.task(id) {
                Ok(task) => telling::stands(task, near),
                Err(_) => "has ended".to_owned(),
            };
            if found != wanted {
                return Err(format!("{line}: {id}\n  wanted {wanted}\n  found  {found}"));
            }
        }
        Ok(())
    }

    fn act(&mut self, line: &str, scene: &Scene, near: Moment) -> Result<Vec<Recorded>, String> {
        self.acts += 1;
        if let [client, "sends", id] = line.split(": ").next().unwrap_or_default().split(' ').collect::<Vec<_>>()[..] {
            self.clients.insert(id.to_owned(), client.to_owned());
        }
        let reading = Reading { cities: &self.cities, near };
        let event = match acts::read(line, self, reading)? {
            Act::Event(event) => event,
            Act::Again => self.last.clone().ok_or("nothing was sent yet")?,
            Act::Roster => {
                self.draft.change(&scene.roster)?;
                Event::RosterChanged(self.draft.roster(near.at)?)
            }
            Act::Stop => {
                self.is_stopped = true;
                return Ok(Vec::new());
            }
            Act::Start => return Ok(self.start(near.at)),
        };
        self.last = Some(event.clone());
        Ok(self.step(near.at, event))
    }

    /// Another process takes the tasks of the store up, and fires what was due meanwhile.
    fn start(&mut self, now: DateTime<Utc>) -> Vec<Recorded> {
        let before = &self.scheduler;
        let restored = Restored {
            open: before.open_tasks().cloned().collect(),
            processes: before.open_processes().cloned().collect(),
            ended: self.ended.clone(),
            conflicts: before.conflicts().to_vec(),
            walls: before.walls().clone(),
            kept: before.kept_updates().cloned().collect(),
            marks: before.marks().clone(),
            next_arrival: before.next_arrival(),
            overrides: before.overrides().clone(),
            roster_before: None,
            outage_since: None,
        };
        self.scheduler = Scheduler::restore(Arc::clone(before.base_roster()), Limits::default(), restored, now);
        self.is_stopped = false;
        self.fire(now)
    }

    /// Fires what is due by an instant.
    fn fire(&mut self, now: DateTime<Utc>) -> Vec<Recorded> {
        let mut told = Vec::new();
        while self.scheduler.next_deadline().is_some_and(|due_at| due_at <= now) {
            told.extend(self.step(now, Event::DeadlineReached));
        }
        told
    }

    fn step(&mut self, now: DateTime<Utc>, event: Event) -> Vec<Recorded> {
        let Effects { recorded, ended, .. } = self.scheduler.step(now, event);
        self.scheduler.check_invariants().unwrap_or_else(|broken| panic!("at {now}: {broken}"));
        self.ended.extend(ended);
        recorded
    }

    /// What the story tells of.
    fn shown<'a>(&self, told: &'a [Recorded]) -> Vec<&'a Recorded> {
        told.iter().filter(|it| self.tells_clocks || !telling::is_of_clocks(&it.effect)).collect()
    }

    fn compare(&self, told: &[Recorded], wanted: &[(usize, String)], near: Moment, line: usize) -> Result<(), String> {
        let mut found: Vec<String> = self.shown(told).into_iter().map(|it| telling::told(it, near)).collect();
        found.iter_mut().for_each(|it| *it = it.trim_end().to_owned());
        for (place, (line, wanted)) in wanted.iter().enumerate() {
            let wanted = self.in_its_zone(wanted, near).map_err(|error| format!("{line}: {error}"))?;
            let found_here = found.get(place).map_or("nothing more", String::as_str);
            if wanted != found_here {
                let all = found.join("\n      -> ");
                return Err(format!("{line}:\n  wanted {wanted}\n  found  {found_here}\n  in all\n      -> {all}"));
            }
        }
        match found.get(wanted.len()..) {
            None | Some([]) => Ok(()),
            Some(more) => Err(format!("{line}: no line tells of\n      -> {}", more.join("\n      -> "))),
        }
    }

    /// A line with its times as they are written in the zone of its moment.
    fn in_its_zone(&self, line: &str, near: Moment) -> Result<String, String> {
        let words: Vec<&str> = line.split(' ').collect();
        let (mut place, mut parts) = (0, Vec::new());
        while let Some(word) = words.get(place) {
            // A comma may close a time.
            let bare: Vec<&str> = words[place..].iter().map(|word| word.trim_end_matches(',')).collect();
            match self.cities.time(&bare, Some(near)).unwrap_or(None) {
                Some((time, taken)) => {
                    let comma = if words[place + taken - 1].ends_with(',') { "," } else { "" };
                    parts.push(written(time.at, near) + comma);
                    place += taken;
                }
                None => {
                    parts.push((*word).to_owned());
                    place += 1;
                }
            }
        }
        Ok(parts.join(" "))
    }
}
