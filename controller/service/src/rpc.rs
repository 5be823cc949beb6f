//! Requests to the controller between the protocol's types and the machine's, one file each: decode, and the answer
//! with Kafka's error codes.

pub(crate) mod allocate_producer_ids;
pub(crate) mod alter_partition;
pub(crate) mod alter_reassignments;
pub(crate) mod controlled_shutdown;
pub(crate) mod list_reassignments;
pub(crate) mod update_features;
