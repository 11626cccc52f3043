//! From decisions to metrics.

use crate::engine::effect::{Answer, Effect, HandoffRefusal, Recorded};
use crate::engine::event::RefusalCode;
use crate::engine::scheduler::Scheduler;
use crate::engine::task::{Task, TaskState};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::metrics::{HandoffOutcome, Outcome, SlaResult};

/// How a message was settled.
#[derive(Debug, Clone, Copy)]
pub struct Settled {
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused.
    pub refused: Option<RefusalCode>,
}

/// How an answer counts.
#[must_use]
pub fn outcome(answer: &Answer) -> Settled {
    let (outcome, refused) = match answer {
        Answer::Admitted(_) => (Outcome::Admitted, None),
        Answer::Duplicate(_) => (Outcome::Duplicate, None),
        Answer::Applied => (Outcome::Applied, None),
        Answer::Refused(refusal) if refusal.code == RefusalCode::Conflict => (Outcome::Conflict, Some(refusal.code)),
        Answer::Refused(refusal) => (Outcome::Rejected, Some(refusal.code)),
    };
    Settled { outcome, refused }
}

/// The first accept of a task ends its wait for a team; hand-offs, exposures, warnings and breaches are counted.
pub fn recorded(metrics: &Metrics, recorded: &Recorded, scheduler: &Scheduler) {
    let task = recorded.task.as_ref().and_then(|(id, _)| scheduler.task(id));
    match (&recorded.effect, &recorded.team) {
        (Effect::ReportExposure(_), _) => metrics.wall_exposed(),
        (Effect::WarnSla(notice), _) => metrics.sla_warned(notice.policy.as_ref(), &notice.clock),
        (Effect::BreachSla(notice), _) => metrics.sla_breached(notice.policy.as_ref(), &notice.clock),
        (Effect::DeclineHandoff { how, .. }, Some(team)) => metrics.handoff_ended(team, refusal(how)),
        (Effect::PassHandoff { to, next_assignment, .. }, _) => {
            metrics.handoff_ended(to, HandoffOutcome::Passed);
            if let Some(TaskState::Active(active)) = task.map(|task| &task.state)
                && active.assignment == *next_assignment
            {
                metrics.handoff_accepted(active.at - active.offered_at);
            }
        }
        (Effect::Accept { .. }, _) => {
            if let Some(task) = task
                && task.holders.is_empty()
                && let Some(ready_at) = task.ready_at
            {
                metrics.routed(task.priority, recorded.at - ready_at);
            }
        }
        _ => {}
    }
}

fn refusal(how: &HandoffRefusal) -> HandoffOutcome {
    match how {
        HandoffRefusal::Declined { .. } => HandoffOutcome::Declined,
        HandoffRefusal::Lapsed => HandoffOutcome::Lapsed,
        HandoffRefusal::ShiftEnded => HandoffOutcome::ShiftEnded,
        HandoffRefusal::Unreachable => HandoffOutcome::Unreachable,
    }
}

/// A task ended; a completed one met all of its clocks, breached one, or had none.
pub fn ended(metrics: &Metrics, task: &Task) {
    let TaskState::Completed { at, .. } = &task.state else { return };
    let sla = if task.clocks.is_empty() {
        SlaResult::None
    } else if task.clocks.iter().all(|clock| clock.breached_at.is_none()) {
        SlaResult::Met
    } else {
        SlaResult::Breached
    };
    metrics.completed(task.priority, sla, *at - task.admitted_at);
}
