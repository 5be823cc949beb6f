//! Consumer groups and transactions, as folds over the records of `__consumer_offsets` and `__transaction_state`.
//!
//! The machines here are pure: a request and a time go in; records to append and answers come out. An answer that
//! depends on records is held until the shell reports their append. Loading after a failover folds the same records.

mod assignment;
pub mod group;
mod ids;
mod partition_of;
pub mod runtime;
pub mod schema;
pub mod transaction;

pub use assignment::Assignment;
pub use ids::{GroupId, InstanceId, MemberId, TransactionalId};
pub use partition_of::partition_of;
