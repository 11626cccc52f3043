//! The only place where the adapters meet: one loop, one writer.

pub mod clock;
mod committer;
mod decided;
mod decider;
pub mod demo;
mod gateway;
pub mod hindsight;
mod identity;
mod intake;
mod links;
mod notify;
mod observe;
mod outbox;
mod pipeline;
mod recovery;
pub mod serve;
mod snapshot;
mod status;
#[cfg(test)]
mod tests;
mod walls;
