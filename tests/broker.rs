//! The broker adapter against a real RabbitMQ node. `make test` starts the node and names it in the environment.

#[path = "broker/bed.rs"]
mod bed;
#[path = "broker/consuming.rs"]
mod consuming;
#[path = "broker/links.rs"]
mod links;
#[path = "broker/publishing.rs"]
mod publishing;
#[path = "broker/topology.rs"]
mod topology;
