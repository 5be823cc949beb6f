//! The broker: joins all parts into one process, and answers every request.
//!
//! `lifecycle` starts and stops the parts in Kafka's order; `dispatch` hands each request to its file in `api`, which
//! calls one component and shapes the response. What the other crates ask for by trait is supplied here. Handlers hold
//! no state and no rules; state that belongs to the server as a whole (metadata cache, registration) has its own module.

pub mod api;
pub mod authorized_operations;
pub mod auto_topic_creation;
pub mod background;
pub mod broker;
pub mod compaction;
pub mod config_admin;
pub mod control_epochs;
pub mod controlled_shutdown;
pub mod controller_environment;
pub mod coordinators;
pub mod dispatch;
pub mod dynamic_config;
pub mod error_code;
pub mod features;
pub mod isr_in_zookeeper;
pub mod leader_hint;
pub mod lifecycle;
pub mod listeners;
pub mod log_dir_failure;
pub mod log_levels;
pub mod meta_properties;
pub mod metadata_cache;
pub mod metrics;
pub mod node_to_controller;
pub mod quota_admin;
pub mod registration;
pub mod replica_environment;
pub mod request_context;
pub mod request_log;
pub mod scram_admin;
pub mod settings;
pub mod topic_admin;
pub mod topic_configs;
pub mod topic_wait;
pub mod zookeeper_offsets;
