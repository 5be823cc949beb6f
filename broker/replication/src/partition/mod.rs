//! The rules of one partition: who is in sync, how far is committed, who may ask. All pure.

pub mod control_rules;
pub mod isr;
pub mod leader;
pub mod leader_epoch_check;
pub mod progress;
pub mod replica_selector;
#[cfg(test)]
mod tests;
