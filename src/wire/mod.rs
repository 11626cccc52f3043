//! Bytes to and from engine types. Pure: nothing here reads a clock, a file or a socket.
//!
//! Everything that comes from outside is checked once, here, and is a typed value from then on; a "no" names the
//! field, the value, the limit and what to do. Everything that leaves has the same bytes each time it is made.

mod asyncapi;
pub mod audit;
pub mod chain;
pub mod clock_view;
pub mod cloudevents;
pub mod cost;
mod digest;
mod event;
pub mod fact;
mod form;
mod instant;
mod json;
pub mod message;
pub mod process_view;
pub mod request;
mod rules;
pub mod schema;
pub mod update;
pub mod view;
pub mod words;

pub(crate) use json::{invalid, named, shown};
pub use rules::{
    MAX_BODY_BYTES, MAX_DEPTH, MAX_ENTRIES, MAX_LINE_CHARS, MAX_MINUTES, MAX_NOTE_CHARS, MAX_REFERENCE_CHARS,
    MAX_SHOWN_CHARS, Rules, YEARS,
};
