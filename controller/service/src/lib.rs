//! The controller of a broker at work: the shell around `gregor-controller-machine`.
//!
//! One task ([`service`]) owns the machine: it stands for election on `/controller`, gives the machine its events one by
//! one, and performs the effects. While this broker is the controller it has a [`term`]: a fence for every write, watches
//! that feed events, and one [`channel`] per broker; while another broker is, a [`vigil`] over that one. What refused
//! connections say of a broker is in [`refusals`]. Brokers' requests come in through [`ControllerHandle`] in the
//! protocol's types. [`admin`] holds what any broker may write into ZooKeeper for an administrator.
//! Invariant: nothing of a term outlives it; a deposed controller's writes are refused by ZooKeeper, its requests by brokers.

pub mod admin;
mod channel;
mod environment;
mod handle;
mod metrics;
mod refusals;
mod rpc;
mod service;
mod settings;
mod state_change_log;
mod term;
mod vigil;

pub use environment::ControllerEnvironment;
pub use handle::{ControllerHandle, TopicStanding};
pub use metrics::{ChannelMetrics, ControllerMetrics};
pub use service::ControllerService;
pub use settings::{ControlVersions, ControllerSettings};
