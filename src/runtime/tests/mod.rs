//! The loop and the outbox against a real store and a scripted broker.

mod bed;
mod draining;
mod outbox;
mod pipeline;
mod poison;
mod reload;
