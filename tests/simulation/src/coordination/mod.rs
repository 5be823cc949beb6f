//! A deterministic simulation of coordinators: groups and transactions over partitions that change leaders, from one seed.
//!
//! The decisions are the product's: `GroupShard`, `TransactionShard`, their loaders, the marker queue, producer id blocks and the
//! ownership of partitions are those of `gregor-coordinator`, producers' states those of `gregor-log`. Shells, clients, network
//! and replication are played: how logs are replicated is the subject of the parent module's cluster, here they only lose
//! whatever tail a change of leaders may cost.

pub mod broker;
pub mod client;
mod faults;
pub mod invariants;
pub mod log;
pub mod message;
pub mod mutants;
pub mod scenario;
pub mod stage;
pub mod world;

pub use mutants::CoordinationMutant;
pub use world::{Report, live};
