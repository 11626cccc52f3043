//! A story as it stands in its file.

use std::fs;
use std::path::Path;

/// A story, its moments in order.
#[derive(Debug, Default)]
pub struct Story {
    /// The teams that take part; all of the roster when none is named.
    pub teams: Vec<String>,
    /// Whether clocks are told of.
    pub tells_clocks: bool,
    /// What is other than in the sample roster, as TOML.
    pub roster: String,
    pub moments: Vec<MomentLines>,
}

/// What happens at one instant.
#[derive(Debug)]
pub struct MomentLines {
    pub line: usize,
    /// The words between the brackets.
    pub at: String,
    pub scenes: Vec<Scene>,
}

/// One act and what comes of it; no act is the passing of time.
#[derive(Debug, Default)]
pub struct Scene {
    pub line: usize,
    pub act: Option<String>,
    /// What another roster has that the one before had not.
    pub roster: String,
    pub effects: Vec<(usize, String)>,
    /// How things stand then.
    pub stands: Vec<(usize, String)>,
}

impl Story {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let mut story = Self::default();
        for (number, line) in (1..).zip(text.lines()) {
            story.take(number, line).map_err(|error| format!("{}:{number}: {error}", path.display()))?;
        }
        if story.moments.is_empty() { Err(format!("{}: nothing happens", path.display())) } else { Ok(story) }
    }

    fn take(&mut self, number: usize, line: &str) -> Result<(), String> {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return Ok(());
        }
        if let Some(at) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            self.moments.push(MomentLines { line: number, at: at.to_owned(), scenes: Vec::new() });
            return Ok(());
        }
        let Some(moment) = self.moments.last_mut() else { return self.take_head(trimmed) };
        let scene = if let Some(effect) = trimmed.strip_prefix("-> ") {
            let scene = moment.last_scene(number);
            scene.effects.push((number, effect.to_owned()));
            return Ok(());
        } else if let Some(stands) = trimmed.strip_prefix("= ") {
            let scene = moment.last_scene(number);
            scene.stands.push((number, stands.to_owned()));
            return Ok(());
        } else if let Some(toml) = trimmed.strip_prefix('|') {
            let scene = moment.last_scene(number);
            scene.roster.extend([toml, "\n"]);
            return Ok(());
        } else if trimmed == "then" {
            Scene { line: number, ..Scene::default() }
        } else {
            Scene { line: number, act: Some(trimmed.to_owned()), ..Scene::default() }
        };
        moment.scenes.push(scene);
        Ok(())
    }

    fn take_head(&mut self, line: &str) -> Result<(), String> {
        if let Some(teams) = line.strip_prefix("teams: ") {
            self.teams.extend(teams.split(',').map(|team| team.trim().to_owned()));
        } else if let Some(toml) = line.strip_prefix('|') {
            self.roster.extend([toml, "\n"]);
        } else if line == "tells of clocks" {
            self.tells_clocks = true;
        } else {
            return Err(format!("{line:?} is neither a moment, `teams:`, `tells of clocks` nor a line of the roster"));
        }
        Ok(())
    }
}

impl MomentLines {
    /// The scene that a line belongs to; before the first act it is the passing of time.
    fn last_scene(&mut self, line: usize) -> &mut Scene {
        if self.scenes.is_empty() {
            self.scenes.push(Scene { line, ..Scene::default() });
        }
        self.scenes.last_mut().expect("a scene")
    }
}
