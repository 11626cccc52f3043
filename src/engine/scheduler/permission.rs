//! Who may send which update about which task, and the refusals when they may not.

use crate::engine::admission::MAX_EFFORT_MINUTES;
use crate::engine::event::{EndedTask, Refusal, RefusalCode};
use crate::engine::roster::Party;
use crate::engine::task::{Task, TaskState};
use crate::engine::update::{Change, Sender, Update};

pub(super) fn party(sender: &Sender) -> Party {
    match sender {
        Sender::Team(_) => Party::Team,
        Sender::Client(_) => Party::Client,
        Sender::Operator(_) => Party::Operator,
    }
}

/// Remaining effort may be nothing, and no more than an effort may be.
pub(super) fn remaining_within(minutes: Option<u32>) -> Result<(), Refusal> {
    let Some(minutes) = minutes.filter(|minutes| *minutes > MAX_EFFORT_MINUTES) else { return Ok(()) };
    let message =
        format!("{minutes} is over the limit of {MAX_EFFORT_MINUTES} minutes; give what is left of this task");
    Err(Refusal::of_field(RefusalCode::InvalidField, "remaining_minutes", message))
}

/// A task is told of to its holder, the offered team, its earlier holders, its client and operators only.
pub(super) fn may_know(update: &Update, task: &Task) -> Result<(), Refusal> {
    let knows = match &update.sender {
        Sender::Team(team) => {
            task.state.team() == Some(team)
                || task.handoff_offer().is_some_and(|offer| offer.team == *team)
                || task.holders.iter().any(|it| it.team == *team)
                || task.turn_downs.iter().any(|it| it.team == *team)
        }
        Sender::Client(client) => *client == task.client,
        Sender::Operator(_) => true,
    };
    if knows { Ok(()) } else { Err(unknown_task(update)) }
}

pub(super) fn may_send(update: &Update) -> Result<(), Refusal> {
    let from_team = matches!(update.sender, Sender::Team(_));
    let from_operator = matches!(update.sender, Sender::Operator(_));
    let allowed = match &update.change {
        Change::Accept { .. }
        | Change::Decline { .. }
        | Change::Progress { .. }
        | Change::Handoff { .. }
        | Change::Keep { .. }
        | Change::Release { .. }
        | Change::Complete { .. } => from_team,
        Change::Pause { .. } | Change::Resume { .. } => true,
        Change::Recall | Change::OfferTo { .. } => from_operator,
        Change::Cancel { .. } | Change::Hold | Change::Unhold | Change::Reprioritise { .. } | Change::Amend(_) => {
            !from_team
        }
    };
    if allowed {
        return Ok(());
    }
    let who = match party(&update.sender) {
        Party::Team => "a team",
        Party::Client => "a firm",
        Party::Operator => "an operator",
    };
    let message = format!("{} is not for {who} to send", update.change.kind());
    Err(Refusal::of_field(RefusalCode::NotAllowed, "kind", message))
}

pub(super) fn current_assignment(update: &Update, task: &Task) -> Result<(), Refusal> {
    let Sender::Team(team) = &update.sender else { return Ok(()) };
    let offered = task.handoff_offer().filter(|offer| offer.team == *team);
    let current = offered.map(|offer| (&offer.team, offer.assignment)).or_else(|| task.assignment());
    let Some(named) = update.change.assignment() else {
        let message = "is required from a team; give the number of the offer";
        return Err(Refusal::of_field(RefusalCode::MissingField, "assignment", message));
    };
    match current {
        Some((holder, number)) if holder == team && number == named => Ok(()),
        Some((holder, number)) if holder == team => {
            let message = format!("{named} is not the current assignment, which is {number}");
            Err(Refusal::of_field(RefusalCode::StaleAssignment, "assignment", message))
        }
        _ => {
            let message = format!("{named} is over: the task is no longer with this team");
            Err(Refusal::of_field(RefusalCode::StaleAssignment, "assignment", message))
        }
    }
}

pub(super) fn not_open(update: &Update, ended: Option<&EndedTask>) -> Refusal {
    match ended {
        Some(ended) if may_know_ended(update, ended) => {
            let message = format!("the task is {} and takes no updates", ended.state);
            Refusal::of_field(RefusalCode::TaskEnded, "task", message)
        }
        _ => unknown_task(update),
    }
}

pub(super) fn may_know_ended(update: &Update, ended: &EndedTask) -> bool {
    match &update.sender {
        Sender::Team(team) => ended.team.as_ref() == Some(team),
        Sender::Client(client) => ended.id.as_str().split('/').next() == Some(client.as_str()),
        Sender::Operator(_) => true,
    }
}

pub(super) fn unknown_task(update: &Update) -> Refusal {
    let message = format!("{:?} is not a task that this sender has", update.task);
    Refusal::of_field(RefusalCode::UnknownTask, "task", message)
}

pub(super) fn illegal(update: &Update, state: &TaskState) -> Refusal {
    let message = format!("{} does not apply to a task that is {}", update.change.kind(), state.as_str());
    Refusal::of_field(RefusalCode::IllegalMove, "kind", message)
}
