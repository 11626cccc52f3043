//! The daemon over HTTP: requests in, updates in, tasks, teams, messages and events out, health and metrics.
//!
//! It knows the daemon by one port, [`Backend`], and shows committed state only.

mod backend;

pub use backend::{
    Backend, Check, Explanation, Health, Mailbox, Role, SubmitAnswer, TaskFilter, TeamMessage, TeamView, Unavailable,
    UpdateAnswer,
};
