//! Replication: leader and follower roles, ISR and high watermark, fetchers, fetch sessions, and the waiting of produce and fetch.
//!
//! [`ReplicaManager`] is the whole as the server sees it. What decides is pure ([`partition`], [`fetch_session`], [`fetcher`],
//! [`alter_partition`]); what acts is thin. Nothing here knows ZooKeeper or client sockets: what replication needs of
//! its broker it asks for by the traits of [`environment`].
//!
//! Tasks, all owned by the manager and joined by its shutdown: one fetcher per leader and fetcher number, one that sends AlterPartition, three
//! ticks (stall watch, ISR check, high watermark checkpoint). Locks, outermost first: control requests; partition map; a partition's
//! role; its leader state; its log; its waiting lists. None is held across an await.

pub mod alter_partition;
mod config;
pub mod environment;
mod error;
pub mod fetch_session;
pub mod fetcher;
mod follower_clock;
mod hosted_partition;
pub mod log_dir_moves;
mod manager;
mod metrics;
pub mod partition;
mod purgatory;
mod shared;
mod spare_worker;
mod throttle;
mod wire_leaders;

pub use config::{ReplicaProtocol, ReplicationConfig};
pub use environment::{
    AuthorityError, IsrAuthority, LeaderEndpoint, LeaderEndpoints, LeaderUnreachable, ReplicaEnvironment,
    ThrottledReplicas,
};
pub use error::{
    DeleteRecordsFailure, FetchError, ListOffsetsError, PartitionError, ProduceError, Unreplicated,
};
pub use fetch_session::{
    FetchContext, FetchSessionCache, FetchSessionError, PartitionSummary, SessionAnswer, SessionPartition,
    SessionRequest,
};
pub use fetcher::stats::FetcherStats;
pub use follower_clock::FollowerClocks;
pub use hosted_partition::MoveRefusal;
pub use manager::{
    EpochEnd, FetchParams, FetchPartition, FetchRequester, FetchedPartition, PartitionRecords,
    PartitionStatus, ProduceParams, ReplicaManager, ReplicationCounts, RequiredAcks, RoleChanges,
    StaleControllerEpoch,
};
pub use metrics::ReplicationMetrics;
pub use partition::replica_selector::ReplicaSelector;
pub use throttle::{RateWindow, ReplicationThrottle};
pub use wire_leaders::WireLeaders;
