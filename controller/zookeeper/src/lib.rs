//! The znodes of a cluster, and the session that reads, writes and watches them.
//!
//! [`schema`] is pure: paths, encode, decode. [`session`] keeps one ZooKeeper session over reconnects and expiry and
//! performs plain operations. Upon it stand [`store`] (typed reads and writes, in batches of hundreds, fenced by
//! `/controller_epoch` where the controller writes), [`watch`] (what changed, with nothing missed over a reconnect) and
//! [`registration`] (what a broker does when it starts). [`client`] is the seam to the published client crate, whose
//! known defects are dealt with behind it. Nothing else of Gregor imports that crate.

pub mod client;
pub mod connect_string;
pub mod error;
pub mod registration;
pub mod schema;
pub mod session;
pub mod store;
pub mod watch;

pub use client::{CreateMode, Created, Node, SessionId, Stat, Write, Written};
pub use connect_string::{ConnectString, InvalidConnectString};
pub use error::{MultiError, ZooKeeperError};
pub use session::{
    ConnectError, Generation, Session, SessionConfig, SessionMetrics, SessionState, SessionStatus,
};
