//! The tools that prove what a cluster does with records: they count and number them, and tell each step as a line of JSON
//! (`VerifiableProducer`, `VerifiableConsumer`).

mod event;

pub mod consumer;
pub mod producer;
