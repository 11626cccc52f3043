//! Events as they are committed, as server-sent events: `id` is the number of the fact, `event` its type, `data` its body.
//!
//! A stream reads from the store as its caller takes, so a slow caller costs one batch of memory and, when it takes
//! nothing, its connection. Where events that the caller has not seen are no longer kept, or its number is not of this
//! store, an event `reset` says so and the stream goes on behind it.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_util::sync::CancellationToken;

use crate::wire::fact::{Fact, FactSeq};

use super::backend::{Backend, Unavailable};
use super::caller::Caller;
use super::gate::TokensInForce;
use super::guard::only;
use super::input::{MAX_CURSOR, Params, whole_number};
use super::limits::{EVENTS_BATCH, EVENTS_PAUSE};
use super::problem::Problem;
use super::routes::{App, Operation};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /api/v1/events`.
pub(super) async fn stream<B: Backend>(
    State(app): State<App<B>>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let params = Params::of(Operation::Events, &uri)?;
    let asked = match only(&headers, &LAST_EVENT_ID) {
        Some(text) => Some(whole_number("Last-Event-ID", text, 0, MAX_CURSOR)?),
        None => params.cursor("after")?,
    };
    let place = app.places.event_streams.clone().try_acquire_owned().map_err(|_| {
        let most = app.options.max_event_streams;
        Problem::busy("too_many_event_streams", format!("{most} streams of events are open; try again later"))
    })?;
    let heartbeat = KeepAlive::new().interval(app.options.heartbeat_every).text("alive");
    let reader = Reader { caller, tokens: app.gate.tokens() };
    let feed = Feed::open(app.backend, app.stop, place, reader, asked.map(FactSeq)).await?;
    let events = futures_util::stream::unfold(feed, |mut feed| async move {
        let event = feed.next().await?;
        Some((Ok(event), feed))
    });
    Ok(Sse::new(events).keep_alive(heartbeat))
}

/// Who reads a stream; its token is looked at again when others come into force.
struct Reader {
    caller: Caller,
    tokens: Option<TokensInForce>,
}

impl Reader {
    /// Whether the caller's token is no longer what it was.
    fn is_shut_out(&self) -> bool {
        match (&self.caller, &self.tokens) {
            (Caller::Holder(token), Some(tokens)) => !tokens.borrow().has(token),
            _ => false,
        }
    }

    /// Waits until the caller's token is no longer what it was.
    async fn shut_out(&mut self) {
        let (Caller::Holder(token), Some(tokens)) = (&self.caller, &mut self.tokens) else {
            return std::future::pending().await;
        };
        // Where nobody changes the tokens any more, they stay.
        if tokens.wait_for(|tokens| !tokens.has(token)).await.is_err() {
            std::future::pending().await
        }
    }
}

/// One caller's place in the sequence of facts.
struct Feed<B> {
    backend: B,
    stop: CancellationToken,
    committed: watch::Receiver<FactSeq>,
    /// The number of the last fact that was read.
    read: FactSeq,
    ready: VecDeque<Event>,
    reader: Reader,
    _place: OwnedSemaphorePermit,
}

impl<B: Backend> Feed<B> {
    async fn open(
        backend: B,
        stop: CancellationToken,
        place: OwnedSemaphorePermit,
        reader: Reader,
        asked: Option<FactSeq>,
    ) -> Result<Self, Unavailable> {
        let committed = backend.committed();
        let last = *committed.borrow();
        let oldest = backend.oldest_event().await?;
        let before_oldest = FactSeq(oldest.0.saturating_sub(1));
        let mut feed = Self {
            backend,
            stop,
            committed,
            read: asked.unwrap_or(last),
            ready: VecDeque::new(),
            reader,
            _place: place,
        };
        if feed.read < before_oldest {
            feed.reset(before_oldest);
        } else if feed.read > last {
            feed.reset(last);
        }
        Ok(feed)
    }

    /// The next event; `None` when the daemon stops, its store cannot be read, and the caller comes again, or the
    /// caller's token is taken away.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.stop.is_cancelled() || self.reader.is_shut_out() {
                return None;
            }
            self.committed.mark_unchanged();
            let facts = self.backend.events_after(self.read, EVENTS_BATCH).await.ok()?;
            if facts.is_empty() {
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return None,
                    () = self.reader.shut_out() => return None,
                    changed = self.committed.changed() => changed.ok()?,
                }
                tokio::time::sleep(EVENTS_PAUSE).await;
            }
            self.take(facts);
        }
    }

    fn take(&mut self, facts: Vec<Fact>) {
        for fact in facts {
            if fact.seq.0 > self.read.0 + 1 {
                self.reset(FactSeq(fact.seq.0 - 1));
            }
            self.read = fact.seq;
            if self.reader.caller.may_see_fact(&fact, &self.backend) {
                self.ready.extend(event(&fact));
            }
        }
    }

    /// Says that the stream goes on behind another fact than the one the caller had.
    fn reset(&mut self, behind: FactSeq) {
        self.read = behind;
        self.ready.push_back(Event::default().id(behind.0.to_string()).event("reset").data("{}"));
    }
}

/// The event of a fact; `None` when its body was purged.
fn event(fact: &Fact) -> Option<Event> {
    let body = std::str::from_utf8(&fact.body).ok().filter(|body| !body.is_empty())?;
    Some(Event::default().id(fact.seq.0.to_string()).event(fact.event_type.as_ref()).data(body))
}
