//! Messages on their way, and what an outcome means for them.

use std::borrow::Borrow;

use crate::broker::{Exchange, Outcome, Publication};
use crate::engine::id::{ClientId, MatterId};
use crate::telemetry::metrics::PublishFailure;
use crate::wire::fact::{Fact, FactSeq};
use crate::wire::message::{ExchangeName, Outgoing};

use super::waiting::Part;

/// Why an outcome is not a confirm.
pub(super) fn failure(outcome: &Outcome) -> Option<PublishFailure> {
    match outcome {
        Outcome::Confirmed => None,
        Outcome::Returned { .. } => Some(PublishFailure::Returned),
        Outcome::Nacked => Some(PublishFailure::Nacked),
        Outcome::Unsendable { .. } => Some(PublishFailure::Unsendable),
    }
}

/// Whether a message that was not confirmed may be in its queue all the same: a queue that loses its majority takes back
/// what it was given, and can come to it later.
pub(super) fn may_have_left(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Confirmed | Outcome::Nacked => true,
        Outcome::Returned { .. } | Outcome::Unsendable { .. } => false,
    }
}

/// A message of a fact on its way.
pub(super) struct Leaving {
    pub(super) seq: FactSeq,
    pub(super) part: Part,
    pub(super) publication: Publication,
    /// Whose work it tells a team of.
    pub(super) tells: Option<(ClientId, MatterId)>,
}

impl Borrow<Publication> for Leaving {
    fn borrow(&self) -> &Publication {
        &self.publication
    }
}

/// The assignment of an offer, from the body that was published.
pub(super) fn offer_assignment(fact: &Fact) -> Option<u32> {
    #[derive(serde::Deserialize)]
    struct Offered {
        assignment: u32,
    }
    if &*fact.event_type != "task.offered" {
        return None;
    }
    serde_json::from_slice::<Offered>(&fact.body).ok().map(|offered| offered.assignment)
}

pub(super) fn publication(message: Outgoing) -> Publication {
    let exchange = match message.exchange {
        ExchangeName::Work => Exchange::Work,
        ExchangeName::Events => Exchange::Events,
        ExchangeName::Rejected => Exchange::Rejected,
        ExchangeName::Replies => Exchange::Replies,
    };
    Publication {
        exchange,
        routing_key: message.routing_key,
        mandatory: message.mandatory,
        message_id: message.message_id,
        message_type: message.message_type,
        correlation_id: message.correlation_id,
        timestamp: u64::try_from(message.at.timestamp()).unwrap_or(0),
        content_type: "application/json".into(),
        headers: message.headers,
        body: message.body,
    }
}
