//! Who may speak for whom over the broker: the validated `user_id` of a message against the roster.

use std::collections::BTreeMap;

use crate::engine::event::{Refusal, RefusalCode};
use crate::engine::id::{ClientId, TeamId};
use crate::engine::roster::Roster;
use crate::engine::update::Sender;

/// The broker users of a roster.
#[derive(Debug, Default)]
pub struct Identities {
    required: bool,
    clients: BTreeMap<ClientId, String>,
    teams: BTreeMap<TeamId, String>,
}

impl Identities {
    /// The users of a roster; without `required` a message may leave its user out.
    #[must_use]
    pub fn of(roster: &Roster, required: bool) -> Self {
        let clients = roster.clients.values().filter_map(|it| Some((it.id.clone(), it.broker_user.clone()?)));
        let teams = roster.teams.iter().filter_map(|it| Some((it.id.clone(), it.broker_user.clone()?)));
        Self { required, clients: clients.collect(), teams: teams.collect() }
    }

    /// Whether a message must carry its user.
    #[must_use]
    pub fn required(&self) -> bool {
        self.required
    }

    /// Checks that a message's user speaks for its sender.
    ///
    /// # Errors
    /// A refusal that names the user and whom it does not speak for.
    pub fn check(&self, user: Option<&str>, sender: &Sender) -> Result<(), Refusal> {
        let expected = match sender {
            Sender::Client(client) => self.clients.get(client),
            Sender::Team(team) => self.teams.get(team),
            Sender::Operator(_) => None,
        };
        match (user, expected) {
            (None, _) if !self.required => Ok(()),
            (Some(user), Some(expected)) if user == expected => Ok(()),
            (None, _) => Err(refuse("is not set; publish with the user_id property of the connection's user".into())),
            (Some(user), _) => {
                Err(refuse(format!("{user:?} does not speak for {}; see broker_user there", name(sender))))
            }
        }
    }
}

fn name(sender: &Sender) -> String {
    match sender {
        Sender::Client(client) => format!("client {client} in the roster"),
        Sender::Team(team) => format!("team {team} in the roster"),
        Sender::Operator(name) => format!("operator {name:?}, who comes over HTTP only"),
    }
}

fn refuse(message: String) -> Refusal {
    Refusal::of_field(RefusalCode::Identity, "user_id", message)
}
