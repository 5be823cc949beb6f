//! What a broker counts, and how it is told to Prometheus.
//!
//! Components hold handles on atomics and count without a lock or an allocation; whoever scrapes walks over them and pays
//! for the rest. Series are named as the widespread rules of the JMX exporter (`kafka-2_0_0.yml`) name Kafka's MBeans, so
//! that dashboards made for Kafka show Gregor. No IO but reading `/proc` about this process.

mod counter;
mod exposition;
mod histogram;
mod process;
mod request;
mod topic;

pub use counter::{Counter, Gauge, Held};
pub use exposition::{Exposition, Label};
pub use histogram::{Histogram, Quantiles};
pub use process::ProcessStats;
pub use request::{RequestMetrics, RequestStats, RequestTimes};
pub use topic::{TopicCounters, TopicMetrics};
