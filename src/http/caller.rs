//! Who calls, what the caller may see, and for whom the caller speaks.
//!
//! Which routes a caller may use at all stands in the table of routes; this is what a route that several roles may use
//! shows to each. What a caller may not see is unknown to it, as if it were not there.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{ClientId, MatterId, TeamId};
use crate::engine::process::Process;
use crate::engine::task::Task;
use crate::engine::update::Sender;
use crate::settings::tokens::{Role, RoleKind, Token};
use crate::wire::fact::Fact;
use crate::wire::update::{LOCAL_OPERATOR, SenderHint};

use super::backend::Backend;
use super::problem::Problem;

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caller {
    /// Whoever reaches a daemon that knows no tokens; may do everything.
    Local,
    /// The holder of a token.
    Holder(Arc<Token>),
    /// Somebody without a token, where the daemon knows some; sees what is open to all.
    Nobody,
}

impl Caller {
    /// Whether it has one of these roles, or one that stands above.
    pub(super) fn has_any(&self, wanted: &[RoleKind]) -> bool {
        match self {
            Self::Local => true,
            Self::Holder(token) => token.roles.iter().any(|role| wanted.iter().any(|kind| role.covers(*kind))),
            Self::Nobody => false,
        }
    }

    /// Whether it may read everything.
    pub(super) fn reads_all(&self) -> bool {
        self.has_any(&[RoleKind::Read])
    }

    fn roles(&self) -> &[Role] {
        match self {
            Self::Holder(token) => &token.roles,
            Self::Local | Self::Nobody => &[],
        }
    }

    /// The clients whose things it may read.
    fn clients(&self) -> impl Iterator<Item = &ClientId> {
        self.roles().iter().filter_map(|role| match role {
            Role::ReadOf(client) => Some(client),
            _ => None,
        })
    }

    /// The teams that it speaks for.
    pub(super) fn teams(&self) -> impl Iterator<Item = &TeamId> {
        self.roles().iter().filter_map(|role| match role {
            Role::Team(team) => Some(team),
            _ => None,
        })
    }

    /// Whether it is this team, or may read everything in any case.
    pub(super) fn is_team(&self, team: &TeamId) -> bool {
        self == &Self::Local || self.teams().any(|own| own == team)
    }

    pub(super) fn reads_client(&self, client: &ClientId) -> bool {
        self.reads_all() || self.clients().any(|own| own == client)
    }

    /// The one client and the one team of which a list has to be asked for, where the caller sees nothing else; what is
    /// in it and not for the caller is left out all the same.
    pub(super) fn sight(&self) -> (Option<&ClientId>, Option<&TeamId>) {
        let (mut clients, mut teams) = (self.clients(), self.teams());
        match (clients.next(), clients.next(), teams.next(), teams.next()) {
            _ if self.reads_all() => (None, None),
            (client, None, None, None) => (client, None),
            (None, None, team, None) => (None, team),
            _ => (None, None),
        }
    }

    /// Whether it may know of a task: one of its client, or one that its team has or completed and no wall hides.
    pub(super) fn may_see<B: Backend>(&self, task: &Task, backend: &B) -> bool {
        self.reads_client(&task.client)
            || task.state.team().is_some_and(|team| self.is_unwalled(team, &task.client, &task.matter, backend))
            || task
                .handoff_offer()
                .is_some_and(|offer| self.is_unwalled(&offer.team, &task.client, &task.matter, backend))
    }

    fn is_unwalled<B: Backend>(&self, team: &TeamId, client: &ClientId, matter: &MatterId, backend: &B) -> bool {
        self.teams().any(|own| own == team) && !backend.is_walled(team, client, matter)
    }

    /// Whether it may know of a process; no team does.
    pub(super) fn may_see_process(&self, process: &Process) -> bool {
        self.reads_client(&process.client)
    }

    /// Whether it may know of a fact: one of its client, or one that is addressed to its team and that no wall hides.
    pub(super) fn may_see_fact<B: Backend>(&self, fact: &Fact, backend: &B) -> bool {
        if self.reads_all() || fact.client.as_ref().is_some_and(|client| self.reads_client(client)) {
            return true;
        }
        match (fact.addressed, &fact.team, &fact.client, &fact.matter) {
            (Some(_), Some(team), Some(client), Some(matter)) => self.is_unwalled(team, client, matter, backend),
            _ => false,
        }
    }

    /// Whether it may know of a fact of a task or a process that it may see: a team only of what is about itself.
    pub(super) fn may_see_step(&self, fact: &Fact, client: &ClientId) -> bool {
        self.reads_client(client) || fact.team.as_ref().is_some_and(|team| self.teams().any(|own| own == team))
    }

    /// Whom requests may come from; `None` when the caller may send those of any client.
    pub(super) fn submits_for(&self) -> Option<Arc<[ClientId]>> {
        if self == &Self::Local {
            return None;
        }
        let own = self.roles().iter().filter_map(|role| match role {
            Role::Submit(client) => Some(client.clone()),
            _ => None,
        });
        Some(own.collect())
    }

    /// Whose name stands in the audit log where a route takes an author: the token's, else the one that was given.
    pub(super) fn author(&self, given: Option<String>) -> Option<String> {
        match self {
            Self::Holder(token) => Some(token.name.as_str().to_owned()),
            Self::Local | Self::Nobody => given,
        }
    }

    /// Whom an update counts for: the team or the firm that it names and the caller speaks for; when it names nobody, the
    /// operator, or the one that the caller speaks for.
    ///
    /// # Errors
    /// The caller does not speak for that one, or for several and the update does not say which.
    pub(super) fn sender(&self, update: &[u8]) -> Result<SenderHint, Problem> {
        let Self::Holder(token) = self else {
            let local = || SenderHint::Known(Sender::Operator(LOCAL_OPERATOR.into()));
            return Ok(if names_a_sender(update) { SenderHint::InBody } else { local() });
        };
        let speaks_for = token.roles.iter().filter_map(|role| match role {
            Role::Team(team) => Some(Sender::Team(team.clone())),
            Role::Submit(client) => Some(Sender::Client(client.clone())),
            Role::Read | Role::ReadOf(_) | Role::Operate | Role::Admin => None,
        });
        let own: Vec<Sender> = speaks_for.collect();
        let is_operator = self.has_any(&[RoleKind::Operate]);
        // What cannot be read is refused by its parser, and one that reads otherwise than here by the hint.
        match (named_sender(update), own.as_slice()) {
            (Some(named), own) if own.contains(&named) => Ok(SenderHint::Known(named)),
            (Some(_), _) => Err(Refusal::new(RefusalCode::Identity, NOT_SPOKEN_FOR).into()),
            (None, _) if is_operator => Ok(SenderHint::Known(Sender::Operator(token.name.as_str().into()))),
            (None, [only]) => Ok(SenderHint::Known(only.clone())),
            (None, _) => Err(Refusal::new(RefusalCode::Identity, SAY_WHO).into()),
        }
    }
}

const NOT_SPOKEN_FOR: &str = "the token does not speak for the team or client that the update names; leave it out, or \
                              use a token with the role team:ID or submit:CLIENT of that one";
const SAY_WHO: &str = "the token speaks for several; name the team or the client that sends the update";

/// The caller that the gate has let in.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Nobody))
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

/// Who sends an update, as it says.
fn named_sender(update: &[u8]) -> Option<Sender> {
    #[derive(Deserialize)]
    struct Names {
        team: Option<TeamId>,
        client: Option<ClientId>,
    }
    let names: Names = serde_json::from_slice(update).ok()?;
    names.team.map(Sender::Team).or_else(|| names.client.map(Sender::Client))
}
