//! A small web page over a cluster: brokers, topics, consumer groups with lag, and a look at messages.
//!
//! Owned by `gregor console`. It only reads: no request it sends changes anything in the cluster. The page and all it
//! needs are inside the program, so it works without internet. What a broker does not answer is left blank, so that a
//! cluster in trouble can still be looked at.

mod cluster;
mod error;
mod http;
mod view;

pub use cluster::{Address, Cluster};
pub use error::ConsoleError;
pub use http::serve;
