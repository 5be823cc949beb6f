//! What the tools that load a cluster share: payloads, and holding back to a rate.

pub mod pace;
pub mod payload;
