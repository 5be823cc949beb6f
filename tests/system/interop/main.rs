//! Interop tests: Gregor beside Apache Kafka 3.9, one module per subject.

mod admin_client;
mod admin_requests;
mod compaction;
mod config_keys;
mod connect;
mod consumer_protocol;
mod controller_commands;
#[path = "../src/conversation.rs"]
mod conversation;
mod coordinator_tools;
mod coordinators;
#[path = "../src/damages.rs"]
#[allow(dead_code, reason = "the suites share it, and each needs a part")]
mod damages;
#[path = "../src/data_dir.rs"]
#[allow(dead_code, reason = "the suites share it, and each needs a part")]
mod data_dir;
mod data_tools;
mod dump_log;
mod isr_in_zookeeper;
mod java_clients;
mod java_copier;
mod kafka_tools;
mod log_directories;
mod mixed_cluster;
#[path = "../src/places.rs"]
mod places;
mod replica_moves;
mod streams;
mod swap;
mod swap_in_place;
#[path = "../src/tool_conversations.rs"]
mod tool_conversations;
mod tool_server;
mod tools;
