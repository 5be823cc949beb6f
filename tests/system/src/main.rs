//! System tests: whole clusters on real ZooKeeper, one module per subject. Each test runs on the brokers that
//! `GREGOR_TEST_BROKERS` chooses (Gregor's, Kafka's, or a mix) unless it is about Gregor's own messages.

mod bad_start;
mod console;
mod consumer_protocol;
mod conversation;
#[allow(dead_code, reason = "the suites share it, and each needs a part")]
mod damages;
#[allow(dead_code, reason = "the suites share it, and each needs a part")]
mod data_dir;
mod data_tools;
mod disk_stall;
mod docker;
mod doctor;
mod doctor_zookeeper;
mod failover;
mod faults;
mod fencing;
mod full_disk;
mod groups;
mod hostile_frames;
mod many_topics;
mod metrics;
mod places;
mod produce_fetch;
mod python_clients;
mod reconfiguration;
mod replica_reads;
mod tool_conversations;
mod tools;
mod transactions;
mod zookeeper_loss;
