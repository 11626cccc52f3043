//! The engine on virtual time: each rule of admission, routing, waiting, offers and updates, and a random walk over all.

#[path = "engine/admission.rs"]
mod admission;
#[path = "engine/clocks.rs"]
mod clocks;
#[path = "engine/coverage.rs"]
mod coverage;
#[path = "engine/drain.rs"]
mod drain;
#[path = "engine/due.rs"]
mod due;
#[path = "engine/fairness.rs"]
mod fairness;
#[path = "engine/feasible.rs"]
mod feasible;
#[path = "engine/filters.rs"]
mod filters;
#[path = "engine/flags.rs"]
mod flags;
#[path = "engine/handoff.rs"]
mod handoff;
#[path = "engine/hindsight.rs"]
mod hindsight;
#[path = "engine/kept.rs"]
mod kept;
#[path = "engine/leaving.rs"]
mod leaving;
#[path = "engine/ledger.rs"]
mod ledger;
#[path = "engine/offers.rs"]
mod offers;
#[path = "engine/orders.rs"]
mod orders;
#[path = "engine/outage.rs"]
mod outage;
#[path = "engine/outlook.rs"]
mod outlook;
#[path = "engine/overrides.rs"]
mod overrides;
#[path = "engine/predecessors.rs"]
mod predecessors;
#[path = "engine/processes.rs"]
mod processes;
#[path = "engine/random.rs"]
mod random;
#[path = "engine/restart.rs"]
mod restart;
#[path = "engine/roster_change.rs"]
mod roster_change;
#[path = "engine/scores.rs"]
mod scores;
#[path = "engine/waiting.rs"]
mod waiting;
#[path = "engine/working.rs"]
mod working;
#[path = "engine/world.rs"]
mod world;
