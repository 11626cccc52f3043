//! Who asks, and what they may see and say.
//!
//! The server listens on loopback only, and everybody there is an operator. This is the one place that decides it.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::engine::process::Process;
use crate::engine::task::Task;
use crate::engine::update::Sender;
use crate::wire::update::SenderHint;

/// Name of an operator in the audit log when nothing but the machine is known.
const LOCAL_OPERATOR: &str = "local";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// Somebody on this machine.
    Operator,
}

impl Caller {
    /// Whether the caller may know of a task.
    pub(super) fn may_see(self, _task: &Task) -> bool {
        match self {
            Self::Operator => true,
        }
    }

    /// Whether the caller may know of a process; no team does.
    pub(super) fn may_see_process(self, _process: &Process) -> bool {
        match self {
            Self::Operator => true,
        }
    }

    /// Whom an update counts for: the team or the firm that it names, else the caller.
    pub(super) fn sender(self, update: &[u8]) -> SenderHint {
        match self {
            Self::Operator if names_a_sender(update) => SenderHint::InBody,
            Self::Operator => SenderHint::Known(Sender::Operator(LOCAL_OPERATOR.into())),
        }
    }
}

/// Whether an update says who sends it; bytes that are no update are left to be refused by their parser.
fn names_a_sender(update: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Names {
        team: Option<IgnoredAny>,
        client: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Names>(update).map_or(true, |names| names.team.is_some() || names.client.is_some())
}
