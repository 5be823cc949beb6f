//! One file per request, named as Kafka names it. A handler checks what the version demands, calls one component and
//! shapes the response; it keeps no state.

pub mod api_versions;
pub mod create_topics;
pub mod delete_topics;
pub mod describe_cluster;
pub mod fetch;
pub mod leader_and_isr;
pub mod list_offsets;
pub mod metadata;
pub mod offset_for_leader_epoch;
pub mod produce;
pub mod stop_replica;
pub mod update_metadata;
