//! What the outbox publishes with.

use std::borrow::Borrow;

use crate::broker::{BrokerError, Outcome, Publication, PublishError, Publisher};

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
