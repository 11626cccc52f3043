//! What the outbox publishes with.

use std::borrow::Borrow;

use crate::broker::{BrokerError, Outcome, Publication, PublishError, Publisher};

use super::super::leadership::Trust;

/// What messages are published with.
pub trait Publish: Send + 'static {
    /// Publishes a batch and waits for all its confirms; the outcomes are in the order of the batch.
    ///
    /// # Errors
    /// [`PublishError`] when what became of the batch is not known: the same messages are published again.
    fn publish<B: Borrow<Publication> + Sync>(
        &mut self,
        batch: &[B],
    ) -> impl Future<Output = Result<Vec<Outcome>, PublishError>> + Send;

    /// Opens the link when there is none, so that readiness tells what publishing would meet.
    ///
    /// # Errors
    /// [`BrokerError`] when there is no link.
    fn connect(&mut self) -> impl Future<Output = Result<(), BrokerError>> + Send;

    /// Ends the link.
    fn close(self) -> impl Future<Output = ()> + Send;
}

impl Publish for Publisher {
    async fn publish<B: Borrow<Publication> + Sync>(&mut self, batch: &[B]) -> Result<Vec<Outcome>, PublishError> {
        Self::publish(self, batch).await
    }

    async fn connect(&mut self) -> Result<(), BrokerError> {
        Self::connect(self).await
    }

    async fn close(self) {
        Self::close(self).await;
    }
}

/// Publishes only while its daemon is known to lead: what a former leader still holds is for the next one to publish, which
/// may know of a wall by then. A process that was stopped for long ends when it goes on; until then this waits.
pub struct WhileLed<P> {
    publisher: P,
    /// A daemon that has its store for good needs none.
    trust: Option<Trust>,
}

impl<P> WhileLed<P> {
    /// Publishes with `publisher` as long as there is trust.
    pub fn new(publisher: P, trust: Option<Trust>) -> Self {
        Self { publisher, trust }
    }
}

impl<P: Publish> Publish for WhileLed<P> {
    async fn publish<B: Borrow<Publication> + Sync>(&mut self, batch: &[B]) -> Result<Vec<Outcome>, PublishError> {
        if self.trust.as_ref().is_some_and(|trust| trust.left().is_none()) {
            std::future::pending::<()>().await;
        }
        self.publisher.publish(batch).await
    }

    async fn connect(&mut self) -> Result<(), BrokerError> {
        self.publisher.connect().await
    }

    async fn close(self) {
        self.publisher.close().await;
    }
}
