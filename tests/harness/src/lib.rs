//! What system tests stand on: real ZooKeeper ensembles, Gregor and Apache Kafka brokers in any mix, clients that remember
//! what was acknowledged, and faults (kill, pause, cut off) by process id or network namespace.
//!
//! Owner of everything is the test: each has its own directory, ports and processes, and all of them go when it ends. A test
//! that fails leaves its directory behind and prints the tail of every log in it. Waiting is always for a condition with a
//! deadline (`wait::until`), never for time to pass.

pub mod broker;
pub mod cluster;
pub mod consumer;
pub mod context;
pub mod copier;
pub mod disk;
pub mod ensemble;
pub mod group;
pub mod java;
pub mod kcat;
pub mod load;
pub mod namespace;
pub mod paced;
pub mod ports;
pub mod process;
pub mod read_back;
pub mod replicas;
pub mod rpc;
pub mod topic_churn;
pub mod transactor;
pub mod wait;
pub mod znodes;

pub use broker::{Broker, BrokerKind};
pub use cluster::{Cluster, ClusterBuilder};
pub use context::{TestContext, run, run_within};
pub use copier::{Copier, CopyJob};
pub use disk::Disk;
pub use ensemble::Ensemble;
pub use group::{Group, Member};
pub use load::{Acknowledged, Load};
pub use process::Process;
pub use topic_churn::TopicChurn;
pub use transactor::Transactor;
