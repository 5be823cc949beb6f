//! What ZooKeeper holds: for each znode family its paths, and pure encode and decode of its content (`ZkData`).
//!
//! No JSON and no path string of a Kafka znode exists outside this module. Everything read is untrusted: a content that
//! does not parse is a [`DecodeError`], never a panic. Unknown members are ignored, as Kafka's readers do.
//! Kafka writes container nodes with null data; the client we use can write only empty data, which every Kafka reader
//! takes for the same thing, except at [`producer_id::PATH`] (see there).

pub mod acl;
pub mod admin;
pub mod broker;
pub mod cluster;
pub mod config;
pub mod consumer;
pub mod controller;
pub mod delegation_token;
pub mod feature;
mod json;
pub mod migration;
pub mod notification;
pub mod partition;
pub mod producer_id;
pub mod sequence;
pub mod topic;
pub mod znode_acl;

pub use json::DecodeError;

/// The persistent paths that every broker makes sure of when it starts (`ZkData.PersistentZkPaths`).
///
/// Kafka's list also has `/latest_producer_id_block`; see [`producer_id::PATH`] for why ours has not.
pub const PERSISTENT_PATHS: [&str; 13] = [
    consumer::PARENT,
    broker::IDS_PATH,
    topic::PARENT,
    config::CHANGES_PATH,
    admin::DELETE_TOPICS_PATH,
    broker::SEQUENCE_PATH,
    notification::ISR_CHANGE_PATH,
    notification::LOG_DIR_EVENT_PATH,
    "/config/topics",
    "/config/clients",
    "/config/users",
    "/config/brokers",
    "/config/ips",
];
