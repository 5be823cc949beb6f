//! A deterministic simulation of a whole cluster: brokers, controller, ZooKeeper, network and disks in one thread, in virtual
//! time, from one seed.
//!
//! The decisions are the product's: the machines of `gregor-controller-machine` and `gregor-replication`, and the leader epochs of
//! `gregor-log`, are driven as they are. Shells, network, disks and ZooKeeper are played. Faults come and go
//! ([`faults`]), invariants are watched all the time ([`invariants`]), and mistakes made on purpose must be caught ([`mutants`]).
//! A seed lives the same life every time, bit for bit.

pub mod agenda;
pub mod broker;
pub mod client;
pub mod coordination;
pub mod core;
mod faults;
pub mod invariants;
pub mod log;
pub mod message;
mod missed_term;
pub mod mutants;
pub mod network;
pub mod random;
pub mod scenario;
pub mod trace;
pub mod world;
pub mod zookeeper;

pub use coordination::CoordinationMutant;
pub use mutants::Mutant;
pub use world::{Report, live};
