//! What outsiders send and read: requests, updates, envelopes, facts, messages and schemas.

mod chain;
mod cloudevents;
mod digest;
mod hostile;
mod messages;
mod requests;
mod samples;
mod schemas;
mod updates;
mod views;
