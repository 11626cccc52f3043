//! `hours`: questions to one calendar. Only `[calendars]` of the roster is looked at.
//!
//! The answer is one line: `true` or `false`, an instant, minutes; or `never` with exit code 1 when the calendar has no such
//! instant within ten years of the question.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::configuration::ConfigurationArguments;
use super::failure::Failure;
use super::instant;
use super::output::Output;
use crate::engine::calendar::{Calendar, CalendarError, Minutes, Pause};
use crate::roster;
use crate::runtime::clock;

/// Arguments of `hours`.
#[derive(Debug, clap::Args)]
pub(super) struct HoursArguments {
    /// Calendar of the roster
    calendar: String,
    /// What to ask
    #[arg(value_enum)]
    question: Question,
    #[command(flatten)]
    configuration: ConfigurationArguments,
    /// The instant that the question starts from, RFC 3339 [default: now]
    #[arg(long, visible_alias = "from", value_name = "T", value_parser = instant::parse)]
    at: Option<DateTime<Utc>>,
    /// The instant that `elapsed` runs to, RFC 3339
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    to: Option<DateTime<Utc>>,
    /// Minutes to `add`, whole or decimal
    #[arg(long, value_name = "N", value_parser = instant::minutes, allow_negative_numbers = true)]
    minutes: Option<TimeDelta>,
    /// For `add` and `elapsed`: from A until before B no time counts; without B until further notice
    #[arg(long = "pause", value_name = "A/B", value_parser = parse_pause)]
    pauses: Vec<Pause>,
}

/// What a calendar can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Question {
    /// Is it open at an instant?
    IsOpen,
    /// The earliest open instant, that instant included
    NextOpen,
    /// The earliest close after an instant
    NextClose,
    /// When do so many business minutes end?
    Add,
    /// How many business minutes lie between two instants?
    Elapsed,
}

/// What it answers.
enum Answer {
    Open(bool),
    Instant(DateTime<Utc>),
    Minutes(TimeDelta),
}

pub(super) fn run(arguments: &HoursArguments, output: &mut Output) -> Result<(), Failure> {
    arguments.check_fit()?;
    let configuration = arguments.configuration.settings()?;
    let at = arguments.at.unwrap_or_else(clock::wall);
    // Ten years on each side of the question, whatever the date of today.
    let calendars = roster::load_calendars(&configuration.roster, configuration.zone_source, at)
        .map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let Some(calendar) = calendars.get(arguments.calendar.as_str()) else {
        let known: Vec<_> = calendars.keys().map(|id| id.as_str()).collect();
        let shown = configuration.roster.display();
        let advice = match roster::nearest(&arguments.calendar, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("it has {}", known.join(", ")),
        };
        return Err(Failure::Usage(format!("{shown} has no calendar {:?}; {advice}", arguments.calendar)));
    };
    match arguments.ask(calendar, at) {
        Ok(answer) => answer.print(output),
        Err(
            error @ (CalendarError::NeverOpen { .. }
            | CalendarError::NeverCloses { .. }
            | CalendarError::NotEnoughTime { .. }
            | CalendarError::Paused { .. }),
        ) => {
            if output.is_json() {
                output.json_line(&json!({ "answer": null }))?
            } else {
                output.line("never")?
            }
            Err(Failure::Failed(error.to_string()))
        }
        Err(error @ CalendarError::BeyondHorizon { .. }) => Err(Failure::Failed(error.to_string())),
        Err(error @ CalendarError::Negative { .. }) => Err(Failure::Usage(error.to_string())),
    }
}

impl HoursArguments {
    /// Each question takes its own arguments, and all of them.
    fn check_fit(&self) -> Result<(), Failure> {
        let wrong = |message: &str| Err(Failure::Usage(message.to_owned()));
        let (adds, elapses) = (self.question == Question::Add, self.question == Question::Elapsed);
        if adds != self.minutes.is_some() {
            return wrong(if adds { "add needs --minutes" } else { "--minutes is for add alone" });
        }
        if elapses != self.to.is_some() {
            return wrong(if elapses { "elapsed needs --to" } else { "--to is for elapsed alone" });
        }
        if !adds && !elapses && !self.pauses.is_empty() {
            return wrong("--pause is for add and elapsed alone");
        }
        Ok(())
    }

    fn ask(&self, calendar: &Calendar, at: DateTime<Utc>) -> Result<Answer, CalendarError> {
        match self.question {
            Question::IsOpen => Ok(Answer::Open(calendar.is_open(at))),
            Question::NextOpen => calendar.next_open(at).map(Answer::Instant),
            Question::NextClose => calendar.next_close(at).map(Answer::Instant),
            Question::Add => calendar.add(at, self.minutes.unwrap_or_default(), &self.pauses).map(Answer::Instant),
            Question::Elapsed => calendar.elapsed(at, self.to.unwrap_or(at), &self.pauses).map(Answer::Minutes),
        }
    }
}

impl Answer {
    fn print(&self, output: &mut Output) -> Result<(), Failure> {
        let text = match self {
            Self::Open(open) => open.to_string(),
            Self::Instant(at) => instant::text(*at),
            Self::Minutes(span) => Minutes(*span).to_string(),
        };
        if !output.is_json() {
            return output.line(text);
        }
        let answer = match self {
            Self::Instant(_) => Value::from(text),
            // Both are written in JSON as they are in text.
            Self::Open(_) | Self::Minutes(_) => serde_json::from_str(&text).unwrap_or(Value::from(text)),
        };
        output.json_line(&json!({ "answer": answer }))
    }
}

fn parse_pause(text: &str) -> Result<Pause, String> {
    let (from, until) = text
        .split_once('/')
        .ok_or("use two instants with / between, such as 2026-11-24T12:00:00Z/2026-11-24T13:00:00Z")?;
    let from = instant::parse(from)?;
    let until = if until.is_empty() { None } else { Some(instant::parse(until)?) };
    if until.is_some_and(|until| until < from) {
        return Err("it ends before it starts".into());
    }
    Ok(Pause { from, until })
}
