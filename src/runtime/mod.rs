//! The only place where the adapters meet: one loop, one writer.

mod candidate;
pub mod clock;
mod committer;
mod credentials;
mod decided;
mod decider;
pub mod demo;
pub mod faults;
mod forgetting;
mod gateway;
pub mod hindsight;
mod identity;
pub mod in_force;
mod intake;
mod leadership;
mod links;
mod notify;
mod observe;
mod outbox;
mod outlook;
mod pipeline;
mod recovery;
mod reload;
pub mod serve;
mod snapshot;
mod standby;
mod status;
#[cfg(test)]
mod tests;
mod walls;
