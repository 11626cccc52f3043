//! What the store promises, held against every store there is.

mod backup;
mod canary;
mod conformance;
mod crash;
mod postgres;
mod samples;
mod sqlite;
mod upkeep;
