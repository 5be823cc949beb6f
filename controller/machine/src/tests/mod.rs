//! Tests of the whole machine: an event in, every effect out, ZooKeeper played by [`zoo::Zoo`].

mod admin;
mod alter_partition;
mod brokers;
mod deletion;
mod failover;
mod invariants;
mod random;
mod reassignment;
mod resignation;
mod sequences;
mod transcript;
mod world;
mod zoo;
