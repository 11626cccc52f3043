//! The links to the broker: reaching it, consuming into the loop, publishing.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::broker::{
    self, AmqpOptions, AmqpUrl, Broker, BrokerError, ClientIdentity, Consumer, Intake, Publisher, TopologyMode,
};
use crate::engine::roster::{Delivery, Roster};
use crate::settings::{self, Settings};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::Queue;

use super::intake::{INTAKE_LIMIT, Inbound};
use super::status::Status;

/// A broker that answered, with everything declared or checked.
#[derive(Clone)]
pub struct Links {
    broker: Broker,
}

/// Reaches the broker with a queue for every team that has one.
///
/// # Errors
/// [`BrokerError`] when it is not reachable or not as it must be.
pub async fn reach(amqp: &settings::Amqp, settings: &Settings, roster: &Roster) -> Result<Links, BrokerError> {
    let broker = Broker::new(amqp_options(amqp, settings))?;
    let teams = queued_teams(roster);
    let report = broker.start(&teams).await?;
    tracing::info!(server = %report.server, teams = teams.len(), "broker reached");
    for warning in report.warnings {
        tracing::warn!(%warning, "broker");
    }
    Ok(Links { broker })
}

/// The teams that have a queue.
fn queued_teams(roster: &Roster) -> Vec<String> {
    let queued = roster.teams.iter().filter(|team| team.delivery == Delivery::Queue);
    queued.map(|team| team.id.as_str().into()).collect()
}

impl Links {
    /// Sees to it that every team of another roster has its queue, so that nothing is published into the void. Without a new
    /// team with a queue the broker is not asked.
    ///
    /// # Errors
    /// [`BrokerError`] when the broker is not reachable or a queue is not as it must be.
    pub async fn follow(&self, before: &Roster, next: &Roster) -> Result<(), BrokerError> {
        let (known, teams) = (queued_teams(before), queued_teams(next));
        if teams.iter().all(|team| known.contains(team)) {
            return Ok(());
        }
        self.broker.ensure_teams(&teams).await
    }

    /// Begins to consume into the loop, and gives a publisher; both links show in readiness and metrics.
    pub fn open(
        &self,
        intake: &mpsc::Sender<Inbound>,
        metrics: &Arc<Metrics>,
        status: &Arc<Status>,
    ) -> (Consumer, Publisher) {
        let publisher = self.broker.publisher();
        status.watch("broker_publishing", publisher.status());
        (consume(&self.broker, intake, metrics, status), publisher)
    }
}

fn amqp_options(amqp: &settings::Amqp, settings: &Settings) -> AmqpOptions {
    let mut options = AmqpOptions::new(AmqpUrl::new(amqp.url.reveal().to_owned()));
    options.url_file.clone_from(&amqp.url_file);
    options.prefix = format!("{}.", amqp.prefix.as_str());
    options.topology = match amqp.topology {
        settings::Topology::Declare => TopologyMode::Declare,
        settings::Topology::Check => TopologyMode::Check,
    };
    options.prefetch = amqp.prefetch;
    options.heartbeat = Duration::from_secs(u64::from(amqp.heartbeat_seconds));
    options.message_limit_bytes = usize::try_from(amqp.max_message_bytes).unwrap_or(usize::MAX);
    options.in_flight_bytes = usize::try_from(settings.limits.publish_in_flight_bytes).unwrap_or(usize::MAX);
    options.tls.ca_file = amqp.tls.ca_file.clone();
    options.tls.identity = match (&amqp.tls.certificate_file, &amqp.tls.key_file) {
        (Some(certificate_file), Some(key_file)) => {
            Some(ClientIdentity { certificate_file: certificate_file.clone(), key_file: key_file.clone() })
        }
        _ => None,
    };
    // The settings have refused a plain address of another machine that is not allowed.
    options.allow_plain_remote = true;
    options
}

/// Consumes into the loop, counting on the way; its links show in readiness and metrics.
fn consume(broker: &Broker, intake: &mpsc::Sender<Inbound>, metrics: &Arc<Metrics>, status: &Arc<Status>) -> Consumer {
    let (sink, mut source) = mpsc::channel(INTAKE_LIMIT);
    let consumer = broker.consume(sink);
    status.watch("broker", consumer.status());
    let (intake, metrics) = (intake.clone(), Arc::clone(metrics));
    tokio::spawn(async move {
        let mut links = 0_u64;
        while let Some(inbound) = source.recv().await {
            match inbound {
                broker::Inbound::Connected { epoch, updates } => {
                    tracing::info!(epoch, updates, "consuming");
                    metrics.set_broker_up(true);
                    links += 1;
                    if links > 1 {
                        metrics.broker_reconnected();
                    }
                    if intake.send(Inbound::Consuming { updates }).await.is_err() {
                        return;
                    }
                }
                broker::Inbound::Lost { epoch, reason } => {
                    tracing::warn!(epoch, reason, "the link to the broker is lost; it is built anew");
                    metrics.set_broker_up(false);
                    if intake.send(Inbound::LinkLost).await.is_err() {
                        return;
                    }
                }
                broker::Inbound::Delivery(delivery) => {
                    metrics.received(match delivery.intake {
                        Intake::Requests => Queue::Requests,
                        Intake::Updates => Queue::Updates,
                    });
                    if intake.send(Inbound::Delivery(delivery)).await.is_err() {
                        return;
                    }
                }
            }
        }
    });
    consumer
}
