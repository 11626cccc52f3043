//! What the engine does, in the words of a story.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use heliograph::engine::effect::{Effect, HandoffRefusal, OfferBrief, OverrideChange, Recorded};
use heliograph::engine::event::RefusalCode;
use heliograph::engine::id::{TaskId, TeamId};
use heliograph::engine::sla::SlaNotice;
use heliograph::engine::task::{Task, TaskState, TurnDownCause};
use heliograph::engine::update::DeclineReason;

use super::clock::{Moment, written};

/// A word of the engine as it is on the wire.
fn word(it: impl serde::Serialize) -> String {
    match serde_json::to_value(it) {
        Ok(serde_json::Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

fn short(id: &TaskId) -> &str {
    id.as_str().split_once('/').map_or(id.as_str(), |(_, id)| id)
}

/// Whether an effect is about the time that clocks count.
pub fn is_of_clocks(effect: &Effect) -> bool {
    match effect {
        Effect::WarnSla(_) | Effect::BreachSla(_) | Effect::MoveDue(_) | Effect::StopSla(_) => true,
        Effect::RaiseEscalation { step, .. } => step.is_some(),
        _ => false,
    }
}

/// An effect as a line of a story at a moment.
pub fn told(it: &Recorded, near: Moment) -> String {
    let about = it.task.as_ref().map_or_else(String::new, |(id, _)| format!("{} ", short(id)));
    about + &body(it, near)
}

fn body(it: &Recorded, near: Moment) -> String {
    let team = it.team.as_ref().map_or("nobody", TeamId::as_str);
    let at = |at: DateTime<Utc>| written(at, near);
    let maybe = |it: Option<DateTime<Utc>>| it.map_or_else(|| "never".to_owned(), at);
    match &it.effect {
        Effect::Admit(_) => "admitted".to_owned(),
        Effect::MarkReady {} => "ready".to_owned(),
        Effect::Park(waiting) => {
            let teams: Vec<_> = waiting.waits_for.iter().map(TeamId::as_str).collect();
            let better = if teams.is_empty() { String::new() } else { format!(" {}", teams.join(" ")) };
            let until = waiting.wakes_at.map_or_else(String::new, |it| format!(", until {}", at(it)));
            format!("waits: {}{better}{until}", waiting.reason.as_str())
        }
        Effect::ReportUnroutable { .. } => "unroutable".to_owned(),
        Effect::ReportInfeasible { best_team, best_finish_at, .. } => {
            format!("infeasible: by {best_team} at {}", maybe(*best_finish_at))
        }
        Effect::Offer(brief) => offer(team, brief, near),
        Effect::Withdraw { reason, .. } => format!("withdrawn from {team}: {}", word(reason)),
        Effect::Accept { implicit, with_payload, .. } => {
            let how = if *implicit { " by its policy" } else { "" };
            let payload = if *with_payload { ", with the payload" } else { "" };
            format!("accepted by {team}{how}{payload}")
        }
        Effect::Decline { reason, .. } => format!("declined by {team}: {}", word(reason)),
        Effect::Lapse { .. } => format!("lapsed at {team}"),
        Effect::Release { .. } => format!("released by {team}"),
        Effect::Recall { because, .. } => {
            let why = because.as_ref().map_or("ordered", |it| it.filter().as_str());
            format!("taken from {team}: {why}")
        }
        Effect::Direct { .. } => format!("directed to {team}"),
        Effect::RaiseEscalation { reason, step, .. } => match step {
            Some(step) => {
                let whom = step.contact.as_ref().map_or_else(String::new, |contact| format!(" {contact}"));
                format!("escalated: {} {}% {}{whom}", step.clock, step.percent, step.action)
            }
            None => format!("escalated: {}", word(reason)),
        },
        Effect::WarnSla(notice) => format!("warned: {} {}%{}", notice.clock, notice.percent, late(notice)),
        Effect::BreachSla(notice) => format!("breached: {}{}", notice.clock, late(notice)),
        Effect::MoveDue(moved) => format!("due of {} moves to {}", moved.clock, maybe(moved.to)),
        Effect::StopSla(it) => {
            format!("clock {} stops: {} after {}", it.clock, it.outcome.as_str(), span(it.counted_ms))
        }
        Effect::Progress { remaining_minutes, .. } => {
            format!("has {} left", span(i64::from(*remaining_minutes) * 60_000))
        }
        Effect::Pause { reason } => format!("paused: {reason}"),
        Effect::Resume {} => "resumed".to_owned(),
        Effect::Hold { held: true } => "held".to_owned(),
        Effect::Hold { held: false } => "unheld".to_owned(),
        Effect::Amend(_) => "amended".to_owned(),
        Effect::ReportStalled { .. } => format!("stalled at {team}"),
        Effect::Reprioritise { priority, .. } => format!("is {} now", priority.as_str()),
        Effect::Complete { .. } => format!("completed by {team}"),
        Effect::EndLate { .. } => format!("ended at {team}: completed before"),
        Effect::Cancel { .. } => "cancelled".to_owned(),
        Effect::Keep { reason, .. } => format!("kept by {team}: {}", word(reason)),
        Effect::PlanHandoff { offer_at, .. } => format!("planned for {team} at {}", at(*offer_at)),
        Effect::DropHandoff { reason } => format!("not planned for {team} any more: {}", word(reason)),
        Effect::RequestHandoff { answer_by, .. } => format!("notes asked of {team} by {}", at(*answer_by)),
        Effect::AnswerHandoff { remaining_minutes, .. } => {
            format!("handed on by {team} with {} left", span(i64::from(*remaining_minutes) * 60_000))
        }
        Effect::TellNext { .. } => format!("told to {team} anew"),
        Effect::AttachCompletion { .. } => format!("completed by {team}, too late to count"),
        Effect::PassHandoff { to, .. } => format!("passed from {team} to {to}"),
        Effect::DeclineHandoff { how, .. } => format!("not taken over by {team}: {}", refusal(how)),
        Effect::ReachHandoffLimit { handoffs } => format!("was handed on {handoffs} times, the limit"),
        Effect::RaiseWall { matter, .. } => {
            let client = it.client.as_ref().map_or("nobody", |client| client.as_str());
            let matter = matter.as_ref().map_or("all of it", |matter| matter.as_str());
            format!("wall: {team} from {client}, {matter}")
        }
        Effect::ReportExposure(_) => format!("exposure: {team}"),
        Effect::AnchorChain {} => "anchored".to_owned(),
        Effect::PurgeMatter(purged) => format!("purged: {} tasks", purged.count),
        Effect::RejectRequest { refusal, .. } => format!("request refused: {}", code(refusal.code)),
        Effect::ReportConflict { .. } => "request refused: conflict".to_owned(),
        Effect::RejectUpdate { refusal, .. } => format!("update refused: {}", code(refusal.code)),
        Effect::EndOutage { updates, .. } => format!("outage over: {updates} updates read"),
        Effect::ChangeOverride { change, it: set, .. } => {
            let what = match change {
                OverrideChange::Set => "set",
                OverrideChange::Removed => "removed",
                OverrideChange::Expired => "expired",
            };
            format!("override {} {what}: {} {team}", set.id, set.kind.as_str())
        }
        Effect::AdmitProcess(it) => format!("begins, in {} steps", it.steps.len()),
        Effect::AmendProcess { deadline: Some(deadline), .. } => format!("is due {} now", at(*deadline)),
        Effect::AmendProcess { priority, .. } => format!("is {} now", priority.map_or("as before", |it| it.as_str())),
        Effect::CompleteProcess { completed, cancelled } => {
            format!("is complete: {completed} steps completed, {cancelled} cancelled")
        }
        Effect::CancelProcess { .. } => "is called off".to_owned(),
        Effect::MoveDerived(it) => format!("must be done by {} now: {}", maybe(it.to), word(it.because)),
        Effect::AdoptRoster { .. } => "roster adopted".to_owned(),
    }
}

fn code(code: RefusalCode) -> &'static str {
    code.as_str()
}

fn offer(team: &str, brief: &OfferBrief, near: Moment) -> String {
    let mut line = format!("offered to {team} as {} until {}", brief.assignment, written(brief.until, near));
    if let [.., last] = &brief.packet[..] {
        let notes = last.notes.notes.as_ref().map_or_else(|| ", no notes".to_owned(), |notes| format!(", {notes:?}"));
        let left = span(i64::from(brief.remaining_minutes) * 60_000);
        write!(line, ", after {} with {left} left{notes}", last.team).expect("a string");
    }
    if !brief.with_payload {
        line += ", without the payload";
    }
    line
}

fn refusal(how: &HandoffRefusal) -> String {
    match how {
        HandoffRefusal::Declined { reason, .. } => word(reason),
        HandoffRefusal::Lapsed => "lapsed".to_owned(),
        HandoffRefusal::ShiftEnded => "shift_end".to_owned(),
        HandoffRefusal::Unreachable => "unreachable".to_owned(),
    }
}

fn late(notice: &SlaNotice) -> String {
    notice.late_by.map_or_else(String::new, |late| format!(", late by {}", span(late.num_milliseconds())))
}

/// A span as it is written in a story: `2h30m`, with seconds where there are some.
fn span(ms: i64) -> String {
    let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
    let part = |many: i64, unit: &str| if many == 0 { String::new() } else { format!("{many}{unit}") };
    let all = part(hours, "h") + &part(minutes, "m") + &part(seconds, "s");
    if all.is_empty() { "0m".to_owned() } else { all }
}

/// Where a task is: `active at london, closed for planned; waits: no_team_open; offered to sydney`.
pub fn stands(task: &Task, near: Moment) -> String {
    let mut line = match &task.state {
        TaskState::Waiting(waiting) => format!("waits: {}", waiting.reason.as_str()),
        TaskState::Offered(offer) => format!("offered to {}", offer.team),
        TaskState::Active(active) => {
            let closed = active.closed_because.map_or_else(String::new, |it| format!(", closed: {}", it.as_str()));
            format!("active at {}{closed}", active.team)
        }
        TaskState::Completed { .. } | TaskState::Cancelled { .. } => task.state.as_str().to_owned(),
    };
    for it in task.turn_downs.iter().filter(|it| it.until.is_none_or(|until| until > near.at)) {
        let until = it.until.map_or_else(|| "for good".to_owned(), |until| format!("until {}", written(until, near)));
        let cause = match it.cause {
            TurnDownCause::Declined(DeclineReason::Busy) => "busy",
            TurnDownCause::Declined(DeclineReason::NotQualified) => "not_qualified",
            TurnDownCause::Declined(DeclineReason::Conflict) => "conflict",
            TurnDownCause::Lapsed => "lapsed",
            TurnDownCause::Released => "released",
            TurnDownCause::Recalled => "recalled",
            TurnDownCause::Unreachable => "unreachable",
        };
        write!(line, ", turned down by {} ({cause}) {until}", it.team).expect("a string");
    }
    line
}
