//! The crate against a real ZooKeeper server: each test starts its own.

mod fixture;
mod registration;
mod session;
mod store;
mod watch;
