//! The daemon over HTTP: requests in, updates in, tasks, teams, messages and events out, health and metrics.
//!
//! It knows the daemon by one port, [`Backend`], and shows committed state only. Every address stands in one table,
//! [`ROUTES`]; the router and the OpenAPI document are both made from it. Everything that a caller can take (bytes,
//! connections, waiting, time) has a limit, and at the limit a problem document says so.

mod answer;
mod audit;
mod backend;
mod caller;
mod costs;
mod documents;
mod events;
mod gate;
mod guard;
mod health;
mod input;
mod limits;
mod messages;
mod openapi;
mod overrides;
mod problem;
mod processes;
mod purges;
mod rates;
mod reads;
mod roster;
mod routes;
mod server;
mod stall;
mod standby;
mod tls;
mod writes;

pub use audit::AuditPage;
pub use backend::{
    AsDecided, Backend, Check, Explanation, Health, Mailbox, NoSuchTeam, ProcessFilter, Role, SubmitAnswer, TaskFilter,
    TeamMessage, TeamView, Unavailable, UpdateAnswer,
};
pub use costs::{CostList, CostView};
pub use gate::TokensInForce;
pub use limits::{
    ANSWER_WITHIN, BODY_WITHIN, HEADERS_WITHIN, HEARTBEAT_EVERY, MAX_ARRAY, MAX_PAGE, MAX_WAIT_SECONDS,
    MAX_WRONG_TOKENS, Options, STALLED_WITHIN,
};
pub use openapi::document as openapi;
pub use overrides::{OverrideAnswer, OverrideList, OverrideOutcome, OverrideRequest};
pub use problem::Problem;
pub use processes::ProcessReport;
pub use purges::{PurgeAnswer, PurgeOutcome, PurgeRequest};
pub use roster::{Consequence, Consequences, NoPlan, RosterPlan, RosterRefusal};
pub use routes::{Method, Operation, ROUTES, Route};
pub use server::serve;
pub use standby::{Standby, serve_standby};
pub use tls::{Certificates, CertificatesInForce, read_certificates};
