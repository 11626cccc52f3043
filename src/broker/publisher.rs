//! Publishes batches and finds out what became of each message.
//!
//! All messages of a window go out before any confirm is awaited. The client library hands a returned message to whichever
//! confirm comes next, so returns are matched by exchange, routing key and message id once every confirm of the window is
//! in; a return always precedes its own confirm. A link is kept only after a window of which every confirm came in:
//! what a broken-off window left behind could be taken for a part of the next one.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::watch;

use super::Shared;
use super::error::{BrokerError, body_limit, within};
use super::link::{Backoff, Link, LinkStatus, report_lost};
use super::publication::{Exchange, Outcome, Publication};
use super::topology::Extent;

/// So many messages are handed to the client at once; it writes them in the same order.
const SENT_AT_ONCE: usize = 256;
/// A broker that blocks publishers longer than this is left, so that nothing waits for ever.
const BLOCKED_WITHIN: Duration = Duration::from_mins(10);
/// Into how many parts the wait for confirms is cut, to tell time in which publishers are blocked from other time.
const DEADLINE_SLICES: u32 = 20;
/// How a broker says that it limits no frame;
const UNLIMITED_FRAME: u32 = 0;
/// this is taken then.
const DEFAULT_FRAME_BYTES: usize = 128 * 1024;
/// Sets the pauses of this link apart from the consumer's.
const BACKOFF_SALT: u64 = 2;

/// The outcome of a whole batch is unknown: publish it again, with the same ids.
#[derive(Debug, thiserror::Error)]
#[error("publishing {messages} messages failed, they may or may not have arrived: {source}")]
pub struct PublishError {
    /// How many messages the batch had.
    pub messages: usize,
    /// What failed.
    pub source: BrokerError,
}

/// The one publisher; it opens its connection when it is needed or asked to.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    lane: Option<Lane>,
    backoff: Backoff,
    /// Whether the next connection follows a failure, and so a pause.
    after_failure: bool,
    /// The most bytes of a body that the broker takes, as far as it has said so.
    body_limit_bytes: usize,
    status: watch::Sender<LinkStatus>,
}

/// An open link with a channel in confirm mode and nothing outstanding.
struct Lane {
    // Dropped before its link.
    channel: Channel,
    link: Link,
    frame_limit_bytes: usize,
    exchanges: ExchangeNames,
}

/// What the exchanges are called on this broker.
type ExchangeNames = BTreeMap<Exchange, ShortString>;

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lane(..)")
    }
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let status = watch::Sender::new(LinkStatus::default());
        let backoff = Backoff::new(BACKOFF_SALT);
        Self { shared, lane: None, backoff, after_failure: false, body_limit_bytes: usize::MAX, status }
    }

    /// How the link is.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.subscribe()
    }

    /// Publishes a batch and waits for all its confirms; the outcomes are in the order of the batch. After a failure the
    /// next call first waits its pause, of at most 10 seconds.
    ///
    /// # Errors
    /// [`PublishError`] when there is no link, or it failed, or the confirms did not come in time.
    pub async fn publish<P: Borrow<Publication>>(&mut self, batch: &[P]) -> Result<Vec<Outcome>, PublishError> {
        self.publish_windows(batch).await.map_err(|source| {
            report_lost(&self.status, &source);
            self.after_failure = true;
            // Whatever else ends a link can have raised the limit too.
            self.body_limit_bytes = match source {
                BrokerError::BodyTooLarge { limit_bytes } => limit_bytes,
                _ => usize::MAX,
            };
            PublishError { messages: batch.len(), source }
        })
    }

    /// Opens the connection when there is none, so that its state is known before there is something to publish. After a
    /// failure the next call first waits its pause, of at most 10 seconds.
    ///
    /// # Errors
    /// [`BrokerError`] when there is no link.
    pub async fn connect(&mut self) -> Result<(), BrokerError> {
        if self.lane.as_ref().is_some_and(Lane::is_usable) {
            return Ok(());
        }
        self.lane = None;
        let opened = self.open().await.inspect_err(|error| report_lost(&self.status, error));
        self.after_failure = opened.is_err();
        self.lane = Some(opened?);
        Ok(())
    }

    /// Closes the connection; every confirm has been waited for.
    pub async fn close(mut self) {
        if let Some(lane) = self.lane.take() {
            lane.link.close().await;
        }
    }

    async fn publish_windows<P: Borrow<Publication>>(&mut self, batch: &[P]) -> Result<Vec<Outcome>, BrokerError> {
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut rest = batch;
        while !rest.is_empty() {
            // Taken out, so that a call that fails or is given up half-way leaves no link behind.
            let lane = match self.lane.take().filter(Lane::is_usable) {
                Some(lane) => lane,
                None => self.open().await?,
            };
            let (window, later) = rest.split_at(window_length(rest, self.shared.options.in_flight_bytes));
            let published = self.publish_window(&lane, window).await;
            outcomes.extend(published?);
            // Confirms are the proof that a link is of use.
            self.backoff.reset();
            self.lane = Some(lane);
            rest = later;
        }
        Ok(outcomes)
    }

    async fn open(&mut self) -> Result<Lane, BrokerError> {
        if self.after_failure {
            tokio::time::sleep(self.backoff.next()).await;
        }
        let mut link = Link::open(&self.shared, "heliograph publisher").await?;
        self.shared.topology.establish(link.connection(), Extent::Base).await?;
        let limit = self.shared.options.answer_within;
        let channel = within(limit, "opening a channel", link.connection().create_channel()).await?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        within(limit, "asking for confirms", confirms).await?;
        link.report_to(self.status.clone());
        self.after_failure = false;
        let frame_limit_bytes = match link.connection().configuration().frame_max() {
            UNLIMITED_FRAME => DEFAULT_FRAME_BYTES,
            bytes => usize::try_from(bytes).unwrap_or(DEFAULT_FRAME_BYTES),
        };
        let names = self.shared.topology.names();
        let all = [Exchange::Work, Exchange::Events, Exchange::Rejected, Exchange::Replies];
        let exchanges = all.into_iter().map(|exchange| (exchange, names.exchange(exchange).into())).collect();
        Ok(Lane { channel, link, frame_limit_bytes, exchanges })
    }

    /// Sends a window and waits for its confirms; while the broker blocks publishers the deadline stands still.
    async fn publish_window<P: Borrow<Publication>>(
        &self,
        lane: &Lane,
        window: &[P],
    ) -> Result<Vec<Outcome>, BrokerError> {
        let limit = self.shared.options.confirm_within;
        let mut exchange = std::pin::pin!(lane.exchange(window, self.body_limit_bytes));
        let slice = limit / DEADLINE_SLICES;
        let (mut waited, mut blocked) = (Duration::ZERO, Duration::ZERO);
        loop {
            tokio::select! {
                outcomes = &mut exchange => return outcomes,
                () = tokio::time::sleep(slice) => {
                    *(if lane.link.is_blocked() { &mut blocked } else { &mut waited }) += slice;
                    if waited >= limit || blocked >= BLOCKED_WITHIN {
                        return Err(BrokerError::Timeout { doing: "waiting for confirms", within: limit });
                    }
                }
            }
        }
    }
}

impl Lane {
    fn is_usable(&self) -> bool {
        self.link.connection().status().connected() && self.channel.status().connected()
    }

    async fn exchange<P: Borrow<Publication>>(
        &self,
        window: &[P],
        body_limit_bytes: usize,
    ) -> Result<Vec<Outcome>, BrokerError> {
        let mut fault = Fault::default();
        let mut sent = Vec::with_capacity(window.len());
        for chunk in window.chunks(SENT_AT_ONCE) {
            let sending = chunk.iter().map(|publication| self.send(publication.borrow(), body_limit_bytes));
            for result in join_all(sending).await {
                sent.extend(fault.unless(result));
            }
            if fault.first.is_some() {
                break;
            }
        }
        failpoint!("confirm", BrokerError::Link { doing: "confirm", reason: "a test made it fail".to_owned() });
        let mut returns = Returns::default();
        let mut outcomes = Vec::with_capacity(window.len());
        for sent in sent {
            outcomes.push(match sent {
                Sent::Unsendable(outcome) => outcome,
                Sent::Awaiting(confirm) => match fault.unless(confirm.await) {
                    Some(Confirmation::Ack(returned)) => {
                        returns.note(returned);
                        Outcome::Confirmed
                    }
                    Some(Confirmation::Nack(returned)) => {
                        returns.note(returned);
                        Outcome::Nacked
                    }
                    Some(Confirmation::NotRequested) => {
                        let reason = "the channel is not in confirm mode".to_owned();
                        return Err(BrokerError::Link { doing: "publishing", reason });
                    }
                    None => continue,
                },
            });
        }
        if let Some(error) = fault.first {
            return Err(error);
        }
        for (publication, outcome) in window.iter().zip(&mut outcomes) {
            if let Some(returned) = returns.of(publication.borrow(), &self.exchanges) {
                *outcome = returned;
            }
        }
        Ok(outcomes)
    }

    async fn send(&self, publication: &Publication, body_limit_bytes: usize) -> lapin::Result<Sent> {
        let (routing_key, properties): (ShortString, BasicProperties) =
            match publication.wire(self.frame_limit_bytes, body_limit_bytes) {
                Ok(wire) => wire,
                Err(outcome) => return Ok(Sent::Unsendable(outcome)),
            };
        let options = BasicPublishOptions { mandatory: publication.mandatory, immediate: false };
        let exchange = self.exchanges.get(&publication.exchange).cloned().unwrap_or_default();
        let publish = self.channel.basic_publish(exchange, routing_key, options, &publication.body, properties);
        Ok(Sent::Awaiting(publish.await?))
    }
}

enum Sent {
    Awaiting(PublisherConfirm),
    Unsendable(Outcome),
}

/// What ended a window: the broker's word on a body that is too large, which not every message of the window is told,
/// or else the first error.
#[derive(Default)]
struct Fault {
    first: Option<BrokerError>,
}

impl Fault {
    fn unless<T>(&mut self, result: lapin::Result<T>) -> Option<T> {
        let error = match result {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        if let Some(limit_bytes) = body_limit(&error) {
            self.first = Some(BrokerError::BodyTooLarge { limit_bytes });
        } else if self.first.is_none() {
            self.first = Some(BrokerError::Link { doing: "publishing", reason: error.to_string() });
        }
        None
    }
}

/// Messages that came back, by exchange, routing key and message id.
#[derive(Default)]
struct Returns(BTreeMap<(String, String, String), (u16, String)>);

impl Returns {
    fn note(&mut self, returned: Option<BasicReturnMessage>) {
        let Some(BasicReturnMessage { delivery, reply_code, reply_text }) = returned else { return };
        let id = delivery.properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        let key = (delivery.exchange.to_string(), delivery.routing_key.to_string(), id);
        self.0.insert(key, (reply_code, reply_text.to_string()));
    }

    fn of(&self, publication: &Publication, exchanges: &ExchangeNames) -> Option<Outcome> {
        if self.0.is_empty() {
            return None;
        }
        let Publication { exchange, routing_key, message_id, .. } = publication;
        let exchange = exchanges.get(exchange)?.to_string();
        let (reply_code, reply_text) = self.0.get(&(exchange, routing_key.clone(), message_id.clone()))?;
        Some(Outcome::Returned { reply_code: *reply_code, reply_text: reply_text.clone() })
    }
}

/// How many messages from the first may be in flight together; at least one.
fn window_length<P: Borrow<Publication>>(batch: &[P], limit_bytes: usize) -> usize {
    let mut bytes: usize = 0;
    let fitting = batch.iter().take_while(|publication| {
        bytes = bytes.saturating_add((*publication).borrow().body.len());
        bytes <= limit_bytes
    });
    fitting.count().max(1)
}
