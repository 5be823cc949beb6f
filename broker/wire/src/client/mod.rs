//! The client side of a connection: what brokers use towards each other, and tools towards brokers.

mod connect;
mod connection;
mod error;
mod versions;

pub use connect::{Connect, PlaintextConnect};
pub use connection::{ClientOptions, Connection};
pub use error::ClientError;
pub use versions::ApiVersions;

#[cfg(test)]
mod tests;
