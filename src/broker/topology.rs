//! The exchanges and queues that other people's programs rely on: made, or compared with what is there.
//!
//! Queues are quorum queues without an `x-delivery-limit` argument. A message that no binding of an intake exchange takes
//! goes to the exchange of rejected messages and, since that one is direct and the key is not its own, through the fanout
//! exchange behind it into the queue of rejected messages.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString};
use lapin::{Channel, Connection, ExchangeKind};

use super::error::{BrokerError, TopologyFault, reply, within};
use super::options::{AmqpOptions, TopologyMode};
use super::publication::Exchange;

/// AMQP's limit on a name, in bytes.
const LONGEST_NAME_BYTES: usize = 255;
/// AMQP reply codes.
const ACCESS_REFUSED: u16 = 403;
const NOT_FOUND: u16 = 404;

/// The names of exchanges and queues, with their prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    prefix: String,
}

impl Names {
    /// What every name begins with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Exchange, queue and routing key of work requests.
    #[must_use]
    pub fn requests(&self) -> String {
        self.with_prefix("requests")
    }

    /// Exchange, queue and routing key of updates.
    #[must_use]
    pub fn updates(&self) -> String {
        self.with_prefix("updates")
    }

    /// Exchange, queue and routing key of rejected messages.
    #[must_use]
    pub fn rejected(&self) -> String {
        self.with_prefix("rejected")
    }

    /// The queue of a team; its routing key is the team's id.
    #[must_use]
    pub fn team(&self, team: &str) -> String {
        self.with_prefix(&format!("team.{team}"))
    }

    /// An exchange that the daemon publishes to.
    #[must_use]
    pub fn exchange(&self, exchange: Exchange) -> String {
        match exchange {
            Exchange::Work => self.with_prefix("work"),
            Exchange::Events => self.with_prefix("events"),
            Exchange::Rejected => self.rejected(),
            Exchange::Replies => self.with_prefix("replies"),
        }
    }

    fn unroutable(&self) -> String {
        self.with_prefix("unroutable")
    }

    fn with_prefix(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
}

/// How much of the topology is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// All but the queues of teams.
    Base,
    /// All.
    WithTeams,
}

/// Everything that must be there.
#[derive(Debug)]
pub(super) struct Topology {
    names: Names,
    mode: TopologyMode,
    answer_within: Duration,
    teams: Mutex<BTreeSet<String>>,
}

impl Topology {
    pub(super) fn new(options: &AmqpOptions) -> Result<Self, BrokerError> {
        let names = Names { prefix: options.prefix.clone() };
        let fault = |fault| BrokerError::Name { field: "amqp.prefix", name: names.unroutable(), fault };
        if names.prefix.starts_with("amq.") {
            return Err(fault("names that begin with `amq.` are the broker's own"));
        }
        if names.unroutable().len() > LONGEST_NAME_BYTES {
            return Err(fault("a name has at most 255 bytes"));
        }
        let (mode, answer_within) = (options.topology, options.answer_within);
        Ok(Self { names, mode, answer_within, teams: Mutex::default() })
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Adds teams to those that have a queue.
    pub(super) fn remember(&self, teams: &[String]) -> Result<(), BrokerError> {
        for team in teams {
            let name = self.names.team(team);
            if name.len() > LONGEST_NAME_BYTES {
                return Err(BrokerError::Name { field: "the team's id", name, fault: "a name has at most 255 bytes" });
            }
        }
        self.teams.lock().unwrap_or_else(PoisonError::into_inner).extend(teams.iter().cloned());
        Ok(())
    }

    /// Declares or checks; goes on after a fault, so that all are reported at once.
    pub(super) async fn establish(&self, connection: &Connection, extent: Extent) -> Result<(), BrokerError> {
        let mut faults = Vec::new();
        let mut channel = self.open(connection).await?;
        for object in self.objects(extent) {
            let applied = tokio::time::timeout(self.answer_within, self.apply(&object, &channel)).await;
            match applied {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    faults.extend(self.fault(&object, &error)?);
                    // The broker closes a channel with the fault that it reports.
                    channel = self.open(connection).await?;
                }
                Err(_) => {
                    return Err(BrokerError::Timeout {
                        doing: "declaring exchanges and queues",
                        within: self.answer_within,
                    });
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(BrokerError::Topology(faults)) }
    }

    async fn open(&self, connection: &Connection) -> Result<Channel, BrokerError> {
        within(self.answer_within, "opening a channel", connection.create_channel()).await
    }

    fn objects(&self, extent: Extent) -> Vec<Object> {
        let names = &self.names;
        let rejected = names.rejected();
        let mut objects = vec![
            Object::exchange(names.unroutable(), ExchangeKind::Fanout, None),
            Object::exchange(rejected.clone(), ExchangeKind::Direct, Some(names.unroutable())),
            Object::Queue { name: rejected.clone() },
            Object::binding(&rejected, &rejected, &rejected),
            Object::binding(&rejected, &names.unroutable(), ""),
        ];
        for intake in [names.requests(), names.updates()] {
            objects.push(Object::exchange(intake.clone(), ExchangeKind::Direct, Some(rejected.clone())));
            objects.push(Object::Queue { name: intake.clone() });
            objects.push(Object::binding(&intake, &intake, &intake));
        }
        let work = names.exchange(Exchange::Work);
        objects.push(Object::exchange(work.clone(), ExchangeKind::Direct, None));
        objects.push(Object::exchange(names.exchange(Exchange::Events), ExchangeKind::Topic, None));
        objects.push(Object::exchange(names.exchange(Exchange::Replies), ExchangeKind::Direct, None));
        if extent == Extent::WithTeams {
            for team in self.teams.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                let queue = names.team(team);
                objects.push(Object::Queue { name: queue.clone() });
                objects.push(Object::binding(&queue, &work, team));
            }
        }
        objects
    }

    async fn apply(&self, object: &Object, channel: &Channel) -> lapin::Result<()> {
        match self.mode {
            TopologyMode::Declare => object.declare(channel).await,
            TopologyMode::Check => {
                object.look_up(channel).await?;
                object.compare(channel).await
            }
        }
    }

    /// What an error says about an object; an error of the link says nothing about it.
    fn fault(&self, object: &Object, error: &lapin::Error) -> Result<Option<TopologyFault>, BrokerError> {
        let Some((code, text)) = reply(error) else {
            return Err(BrokerError::Link { doing: "declaring exchanges and queues", reason: error.to_string() });
        };
        if code == ACCESS_REFUSED && self.mode == TopologyMode::Check {
            // Comparing needs the right to declare. For a user without it, being there must do.
            return Ok(None);
        }
        let object = object.to_string();
        Ok(Some(match code {
            NOT_FOUND => TopologyFault {
                object,
                fault: "it does not exist".to_owned(),
                remedy: "create it, or set amqp.topology = \"declare\"".to_owned(),
            },
            ACCESS_REFUSED => TopologyFault {
                object,
                fault: format!("the user may not do this ({text})"),
                remedy: "give the user the permission, or create it and set amqp.topology = \"check\"".to_owned(),
            },
            _ => TopologyFault {
                object,
                fault: format!("it differs from what is needed ({text})"),
                remedy: "empty and delete it so that it can be made anew, or choose another amqp.prefix".to_owned(),
            },
        }))
    }
}

/// One thing of the topology.
#[derive(Debug)]
enum Object {
    Exchange { name: String, kind: ExchangeKind, alternate: Option<String> },
    Queue { name: String },
    Binding { queue: String, exchange: String, key: String },
}

impl Object {
    fn exchange(name: String, kind: ExchangeKind, alternate: Option<String>) -> Self {
        Self::Exchange { name, kind, alternate }
    }

    fn binding(queue: &str, exchange: &str, key: &str) -> Self {
        Self::Binding { queue: queue.to_owned(), exchange: exchange.to_owned(), key: key.to_owned() }
    }

    /// Makes it; when it is there already, the broker compares.
    async fn declare(&self, channel: &Channel) -> lapin::Result<()> {
        match self {
            Self::Exchange { name, kind, alternate } => {
                let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
                let mut arguments = FieldTable::default();
                if let Some(alternate) = alternate {
                    arguments.insert("alternate-exchange".into(), long_string(alternate));
                }
                channel.exchange_declare(name.as_str().into(), kind.clone(), options, arguments).await
            }
            Self::Queue { name } => {
                let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
                let mut arguments = FieldTable::default();
                arguments.insert("x-queue-type".into(), long_string("quorum"));
                channel.queue_declare(name.as_str().into(), options, arguments).await.map(drop)
            }
            Self::Binding { queue, exchange, key } => {
                let (queue, exchange, key) = (queue.as_str().into(), exchange.as_str().into(), key.as_str().into());
                channel.queue_bind(queue, exchange, key, QueueBindOptions::default(), FieldTable::default()).await
            }
        }
    }

    /// Fails with `NOT_FOUND` when it is not there. A binding cannot be looked up.
    async fn look_up(&self, channel: &Channel) -> lapin::Result<()> {
        match self {
            Self::Exchange { name, kind, .. } => {
                let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
                channel.exchange_declare(name.as_str().into(), kind.clone(), options, FieldTable::default()).await
            }
            Self::Queue { name } => {
                let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
                channel.queue_declare(name.as_str().into(), options, FieldTable::default()).await.map(drop)
            }
            Self::Binding { .. } => Ok(()),
        }
    }

    /// Compares what [`Object::look_up`] has found with what is needed: a declaration of what is there makes nothing.
    async fn compare(&self, channel: &Channel) -> lapin::Result<()> {
        match self {
            Self::Exchange { .. } | Self::Queue { .. } => self.declare(channel).await,
            Self::Binding { .. } => Ok(()),
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exchange { name, .. } => write!(f, "exchange `{name}`"),
            Self::Queue { name } => write!(f, "queue `{name}`"),
            Self::Binding { queue, exchange, key } => {
                write!(f, "binding of queue `{queue}` to exchange `{exchange}` with key `{key}`")
            }
        }
    }
}

fn long_string(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}
