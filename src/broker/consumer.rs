//! Reads requests and updates, and acknowledges what is settled.
//!
//! The order within a link: set up, `Connected`, the updates that waited, all other deliveries, `Lost`. A delivery is in the ledger before its owner can see
//! it, and is acknowledged only after its owner settled it. When the link is lost the ledger is emptied first, so that
//! nothing of the old link can acknowledge anything of the new one.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Acker, Channel};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::delivery::{Delivery, DeliveryToken, Inbound, Intake};
use super::error::{BrokerError, within};
use super::ledger::Ledger;
use super::link::{Backoff, Link, LinkStatus, report_lost};
use super::options::AmqpOptions;
use super::topology::Extent;

/// So many acknowledgements are held back to go out as one,
const ACKS_HELD: usize = 64;
/// for so long at most.
const ACKS_HELD_FOR: Duration = Duration::from_millis(5);
/// After so many messages within the limit a reduced prefetch becomes the full one again.
const FULL_PREFETCH_AFTER: u32 = 1000;
/// Requests are read once the updates were read that had waited, or after so long.
const REQUESTS_WITHIN: Duration = Duration::from_secs(60);
/// Sets the pauses of this link apart from the publisher's.
const BACKOFF_SALT: u64 = 1;

/// A running consumer. When it is dropped it stops; what is not settled then comes again.
#[derive(Debug)]
pub struct Consumer {
    settling: Arc<Settling>,
    status: watch::Receiver<LinkStatus>,
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

/// What the consumer's owner and its task share.
#[derive(Debug, Default)]
struct Settling {
    ledger: Mutex<Ledger<Acker>>,
    settled: Notify,
}

impl Settling {
    fn ledger(&self) -> MutexGuard<'_, Ledger<Acker>> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer {
    pub(super) fn spawn(shared: Arc<Shared>, sink: mpsc::Sender<Inbound>) -> Self {
        let settling = Arc::new(Settling::default());
        let stop = CancellationToken::new();
        let (status, watcher) = watch::channel(LinkStatus::default());
        let running = Running {
            shared,
            sink,
            settling: Arc::clone(&settling),
            status,
            stop: stop.clone(),
            proven: AtomicBool::new(false),
        };
        Self { settling, status: watcher, stop, task: Some(tokio::spawn(running.run())) }
    }

    /// Says that these deliveries are durably handled: they are acknowledged within 5 ms. Tokens of an earlier link are
    /// ignored, since their messages come again.
    pub fn settle(&self, tokens: &[DeliveryToken]) {
        let mut ledger = self.settling.ledger();
        for token in tokens {
            ledger.settle(*token);
        }
        drop(ledger);
        self.settling.settled.notify_one();
    }

    /// How the link is.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<LinkStatus> {
        self.status.clone()
    }

    /// Acknowledges what is settled, closes the connection and ends.
    ///
    /// A busy quorum queue drops acknowledgements that it has not written yet when their channel closes, so some of what
    /// was settled last may come again.
    pub async fn stop(mut self) {
        self.stop.cancel();
        if let Some(task) = self.task.take() {
            // A task that panicked has nothing left to stop.
            let _ = task.await;
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// The consumer's task.
struct Running {
    shared: Arc<Shared>,
    sink: mpsc::Sender<Inbound>,
    settling: Arc<Settling>,
    status: watch::Sender<LinkStatus>,
    stop: CancellationToken,
    /// Whether the present link has acknowledged something, and so is of use.
    proven: AtomicBool,
}

/// Why the task ends.
struct Ended;

impl Running {
    async fn run(self) {
        let mut backoff = Backoff::new(BACKOFF_SALT);
        let mut epoch = 0;
        let stop = self.stop.clone();
        loop {
            epoch += 1;
            let mut up_since = None;
            let result = self.link(epoch, &mut up_since).await;
            self.settling.ledger().end();
            let Err(error) = result else { return };
            report_lost(&self.status, &error);
            tracing::warn!(epoch, %error, "the consumer's link is down");
            let lived = up_since.is_some_and(|since: Instant| since.elapsed() >= Backoff::PROVEN_AFTER);
            if self.proven.swap(false, Ordering::Relaxed) || lived {
                backoff.reset();
            }
            let told = async {
                if up_since.is_some() {
                    self.sink.send(Inbound::Lost { epoch, reason: error.to_string() }).await.map_err(|_| Ended)?;
                }
                tokio::time::sleep(backoff.next()).await;
                Ok::<(), Ended>(())
            };
            tokio::select! {
                () = stop.cancelled() => return,
                told = told => if told.is_err() { return },
            }
        }
    }

    /// One link from its opening to its end: `Ok` when the consumer is to end.
    async fn link(&self, epoch: u64, up_since: &mut Option<Instant>) -> Result<(), BrokerError> {
        let opened = async {
            let link = Link::open(&self.shared, "heliograph consumer").await?;
            self.shared.topology.establish(link.connection(), Extent::WithTeams).await?;
            Ok::<_, BrokerError>(link)
        };
        let mut link = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            link = opened => link?,
        };
        link.report_to(self.status.clone());
        let result = tokio::select! {
            result = self.consume(&link, epoch, up_since) => result,
            error = link.missed(&self.shared.options) => Err(error),
        };
        if result.is_ok() {
            link.close().await;
        }
        result
    }

    async fn consume(&self, link: &Link, epoch: u64, up_since: &mut Option<Instant>) -> Result<(), BrokerError> {
        let options = &self.shared.options;
        let channel = within(options.answer_within, "opening a channel", link.connection().create_channel()).await?;
        let names = self.shared.topology.names();
        let updates = waiting_in(&channel, options, &names.updates()).await?;
        self.settling.ledger().begin(epoch);
        if self.sink.send(Inbound::Connected { epoch, updates }).await.is_err() {
            return Ok(());
        }
        *up_since = Some(Instant::now());
        // Updates that waited come first: requests that nobody settles meanwhile would keep theirs from being acknowledged.
        let mut sources = [None, Some(Source::open(&channel, options, Intake::Updates, names.updates()).await?)];
        let (mut left, requests_from) = (updates, Instant::now() + REQUESTS_WITHIN);
        let mut turn = 0;
        let mut held_since = None;
        let mut room = None;
        loop {
            if sources[0].is_none() && (left == 0 || Instant::now() >= requests_from) {
                sources[0] = Some(Source::open(&channel, options, Intake::Requests, names.requests()).await?);
            }
            let waits_since = sources[0].is_none().then_some(requests_from);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return self.acknowledge(options.answer_within).await,
                () = self.settling.settled.notified() => {}
                () = after(held_since, ACKS_HELD_FOR) => self.acknowledge(options.answer_within).await?,
                permit = self.sink.reserve(), if room.is_none() => match permit {
                    Ok(permit) => room = Some(permit),
                    Err(_) => return self.acknowledge(options.answer_within).await,
                },
                () = after(waits_since, Duration::ZERO) => {}
                (at, arrived) = next(&mut sources, turn), if room.is_some() => {
                    turn = 1 - at;
                    let Some(source) = &mut sources[at] else { continue };
                    match arrived {
                        None => source.reopen(&channel, options).await?,
                        Some(Err(error)) => {
                            return Err(BrokerError::Link { doing: "consuming", reason: error.to_string() });
                        }
                        Some(Ok(delivery)) => {
                            // First, so that no more than the new prefetch comes behind a message that is over the limit.
                            source.weigh(delivery.data.len(), &channel, options).await?;
                            if source.intake == Intake::Updates {
                                left = left.saturating_sub(1);
                            }
                            failpoint!("deliver", at_step("deliver"));
                            self.settling.ledger().hand_over(delivery.delivery_tag, delivery.acker.clone());
                            if let Some(permit) = room.take() {
                                permit.send(Inbound::Delivery(Box::new(Delivery::new(source.intake, epoch, delivery))));
                            }
                        }
                    }
                }
            }
            held_since = self.hold(held_since, options.answer_within).await?;
        }
    }

    /// Acknowledges when enough is held back or nothing else is to come; else says since when something is held back.
    async fn hold(&self, held_since: Option<Instant>, limit: Duration) -> Result<Option<Instant>, BrokerError> {
        let (held, idle) = {
            let ledger = self.settling.ledger();
            (ledger.acknowledgeable(), ledger.is_idle())
        };
        if held == 0 {
            return Ok(None);
        }
        if held >= ACKS_HELD || idle {
            self.acknowledge(limit).await?;
            return Ok(None);
        }
        Ok(held_since.or_else(|| Some(Instant::now())))
    }

    async fn acknowledge(&self, limit: Duration) -> Result<(), BrokerError> {
        let acker = self.settling.ledger().take_acknowledgeable();
        let Some(acker) = acker else { return Ok(()) };
        failpoint!("ack", at_step("ack"));
        if within(limit, "acknowledging", acker.ack(BasicAckOptions { multiple: true })).await? {
            self.proven.store(true, Ordering::Relaxed);
            failpoint!("acked", at_step("acked"));
            return Ok(());
        }
        // The client says so of a channel that is gone.
        Err(BrokerError::Link { doing: "acknowledging", reason: "the channel is closed".to_owned() })
    }
}

/// What a test makes of a step.
#[cfg(feature = "failpoints")]
fn at_step(step: &'static str) -> BrokerError {
    BrokerError::Link { doing: step, reason: "a test made it fail".to_owned() }
}

/// Waits until `limit` after `since`; for ever when there is no `since`.
async fn after(since: Option<Instant>, limit: Duration) {
    match since {
        Some(since) => tokio::time::sleep_until(since + limit).await,
        None => std::future::pending().await,
    }
}

/// The next delivery of any source, asking the one at `first` first, so that neither starves the other.
async fn next(
    sources: &mut [Option<Source>; 2],
    first: usize,
) -> (usize, Option<lapin::Result<lapin::message::Delivery>>) {
    poll_fn(|context| {
        for at in [first, 1 - first] {
            if let Some(source) = &mut sources[at]
                && let Poll::Ready(arrived) = source.stream.poll_next_unpin(context)
            {
                return Poll::Ready((at, arrived));
            }
        }
        Poll::Pending
    })
    .await
}

/// One queue that is consumed.
struct Source {
    intake: Intake,
    queue: String,
    stream: lapin::Consumer,
    prefetch: u16,
    /// Set while the stream runs dry after it was cancelled to change the prefetch.
    next_prefetch: Option<u16>,
    within_limit_in_a_row: u32,
}

impl Source {
    async fn open(
        channel: &Channel,
        options: &AmqpOptions,
        intake: Intake,
        queue: String,
    ) -> Result<Self, BrokerError> {
        let prefetch = options.prefetch;
        let stream = subscribe(channel, options, &queue, prefetch).await?;
        Ok(Self { intake, queue, stream, prefetch, next_prefetch: None, within_limit_in_a_row: 0 })
    }

    /// Looks at the size of a message and changes the prefetch when it asks for that.
    async fn weigh(&mut self, bytes: usize, channel: &Channel, options: &AmqpOptions) -> Result<(), BrokerError> {
        let wanted = if bytes > options.message_limit_bytes {
            self.within_limit_in_a_row = 0;
            options.prefetch.min(AmqpOptions::REDUCED_PREFETCH)
        } else {
            self.within_limit_in_a_row = self.within_limit_in_a_row.saturating_add(1);
            if self.within_limit_in_a_row < FULL_PREFETCH_AFTER {
                return Ok(());
            }
            options.prefetch
        };
        if wanted == self.prefetch || self.next_prefetch.is_some() {
            return Ok(());
        }
        self.next_prefetch = Some(wanted);
        self.within_limit_in_a_row = 0;
        let cancel = channel.basic_cancel(self.stream.tag(), BasicCancelOptions::default());
        within(options.answer_within, "changing the prefetch", cancel).await
    }

    /// The stream is dry: by our own wish, or because the queue is gone.
    async fn reopen(&mut self, channel: &Channel, options: &AmqpOptions) -> Result<(), BrokerError> {
        let Some(prefetch) = self.next_prefetch.take() else {
            let reason =
                format!("the broker cancelled the consumer of queue `{}`; it was deleted or moved", self.queue);
            return Err(BrokerError::Link { doing: "consuming", reason });
        };
        self.stream = subscribe(channel, options, &self.queue, prefetch).await?;
        self.prefetch = prefetch;
        Ok(())
    }
}

/// How many messages wait in a queue.
async fn waiting_in(channel: &Channel, options: &AmqpOptions, queue: &str) -> Result<u64, BrokerError> {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let declare = channel.queue_declare(queue.into(), passive, FieldTable::default());
    let queue = within(options.answer_within, "counting the updates that wait", declare).await?;
    Ok(u64::from(queue.message_count()))
}

/// The prefetch holds for the consumer that is opened after it; without one the client would buffer without end.
async fn subscribe(
    channel: &Channel,
    options: &AmqpOptions,
    queue: &str,
    prefetch: u16,
) -> Result<lapin::Consumer, BrokerError> {
    let limit = options.answer_within;
    within(limit, "setting the prefetch", channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
    let consume = channel.basic_consume(queue.into(), "".into(), BasicConsumeOptions::default(), FieldTable::default());
    within(limit, "starting to consume", consume).await
}
