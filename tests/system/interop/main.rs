//! Interop tests: Gregor beside Apache Kafka 3.9, one module per subject.

#[path = "../src/conversation.rs"]
mod conversation;
mod topics_tool;
