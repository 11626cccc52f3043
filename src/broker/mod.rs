//! RabbitMQ: the exchanges and queues, the consumer and the publisher.
//!
//! What this module promises:
//! - A delivery is acknowledged only after its token was given to [`Consumer::settle`]; a token of an earlier connection
//!   does nothing.
//! - A publication is `Confirmed` only when the broker has confirmed it and has not returned it. When that cannot be
//!   known, [`Publisher::publish`] fails and the caller publishes the same messages again, with the same ids.
//! - Nothing recovers by itself underneath: a lost link is dropped whole, and its successor starts from zero.
//! - Every wait on the broker ends; the user's password is in no error, status or debug output.

mod consumer;
mod delivery;
mod error;
mod guard;
mod ledger;
mod link;
mod options;
mod original;
mod probe;
mod publication;
mod publisher;
mod pulse;
mod tame;
mod tls;
mod topology;

use std::sync::Arc;

use tokio::sync::mpsc;

pub use consumer::Consumer;
pub use delivery::{Delivery, DeliveryToken, Inbound, Intake, Properties};
pub use error::{BrokerError, TopologyFault};
pub use link::LinkStatus;
pub use options::{AmqpOptions, AmqpUrl, ClientIdentity, Tls, TopologyMode};
pub use original::OriginalProperties;
pub use publication::{Exchange, Outcome, Publication};
pub use publisher::{PublishError, Publisher};
pub use topology::Names;

use link::Link;
use options::Address;
use topology::Topology;

/// RabbitMQ 4 gives every quorum queue this delivery limit unless a policy says otherwise.
const FIRST_VERSION_WITH_DELIVERY_LIMIT: u32 = 4;

/// One broker, as the settings describe it. Nothing is connected yet.
#[derive(Debug, Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

/// What consumer, publisher and start check have in common.
#[derive(Debug)]
struct Shared {
    options: AmqpOptions,
    address: Address,
    topology: Topology,
}

/// What the start check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartReport {
    /// The broker's product and version, such as `RabbitMQ 3.10.8`.
    pub server: String,
    /// What an operator should know or do; in plain words, one sentence or two each.
    pub warnings: Vec<String>,
}

impl Broker {
    /// Takes the settings.
    ///
    /// # Errors
    /// [`BrokerError`] when the address or the prefix is not valid, or the address is a plain one to another machine and
    /// `allow_plain_remote` is not set.
    pub fn new(options: AmqpOptions) -> Result<Self, BrokerError> {
        let address = Address::parse(&options)?;
        let topology = Topology::new(&options)?;
        Ok(Self { shared: Arc::new(Shared { options, address, topology }) })
    }

    /// The names of the exchanges and queues.
    #[must_use]
    pub fn names(&self) -> &Names {
        self.shared.topology.names()
    }

    /// The start check: reaches the broker, reads its version, and declares or checks every exchange and queue,
    /// with one queue for each team.
    ///
    /// # Errors
    /// [`BrokerError`]: not reachable, refused, or [`BrokerError::Topology`] with every fault found.
    pub async fn start(&self, teams: &[String]) -> Result<StartReport, BrokerError> {
        let server = probe::server(&self.shared).await?;
        self.ensure_teams(teams).await?;
        let mut warnings = Vec::new();
        if server.major >= FIRST_VERSION_WITH_DELIVERY_LIMIT {
            warnings.push(format!(
                "{server} drops a message of a quorum queue after 20 deliveries unless a policy says otherwise; set one \
                 with: rabbitmqctl set_policy --apply-to queues heliograph '^{}' '{{\"delivery-limit\": -1}}'",
                self.names().prefix().replace('.', "\\.")
            ));
        }
        Ok(StartReport { server: server.to_string(), warnings })
    }

    /// Declares or checks everything, with the queues of these teams besides those named before; a queue of a team that
    /// is no longer named stays, since it may hold messages.
    ///
    /// # Errors
    /// As [`Broker::start`].
    pub async fn ensure_teams(&self, teams: &[String]) -> Result<(), BrokerError> {
        self.shared.topology.remember(teams)?;
        let link = Link::open(&self.shared, "heliograph topology").await?;
        let result = self.shared.topology.establish(link.connection(), topology::Extent::WithTeams).await;
        link.close().await;
        result
    }

    /// Starts consuming requests and updates into `sink`, on a connection of its own that is built again whenever it is
    /// lost. A full sink stops the reading; a closed one ends the consumer. Needs a tokio runtime.
    #[must_use]
    pub fn consume(&self, sink: mpsc::Sender<Inbound>) -> Consumer {
        Consumer::spawn(Arc::clone(&self.shared), sink)
    }

    /// A publisher with a connection of its own, which it opens at the first publish.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        Publisher::new(Arc::clone(&self.shared))
    }
}
