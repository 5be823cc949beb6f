//! `.kafka_cleanshutdown` (`CleanShutdownFileHandler`): its existence says that every log of the directory was
//! flushed and closed. Its content is for KRaft; in ZooKeeper mode the broker epoch in it is -1.

/// The file.
pub const NAME: &str = ".kafka_cleanshutdown";

/// What Kafka writes into it in ZooKeeper mode.
pub const CONTENT: &[u8] = br#"{"version":0,"brokerEpoch":-1}"#;
