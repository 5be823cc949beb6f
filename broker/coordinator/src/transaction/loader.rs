//! Loading one partition of `__transaction_state`: the last value of each id stands.

use indexmap::IndexMap;

use super::metadata::Metadata;
use super::request::TransactionEffect;
use super::shard::{TransactionConfig, TransactionShard};
use crate::TransactionalId;
use crate::schema::SchemaError;
use crate::schema::transaction::{TransactionValue, decode_key};

/// What has been read so far (`TransactionStateManager.loadTransactionMetadata`).
#[derive(Debug, Default)]
pub struct TransactionLoader {
    ids: IndexMap<TransactionalId, Metadata>,
}

impl TransactionLoader {
    /// A partition of which nothing has been read.
    pub fn new() -> TransactionLoader {
        TransactionLoader::default()
    }

    /// One record, from log start to log end.
    ///
    /// # Errors
    /// The record is corrupt or of an unknown version; it has been left out.
    pub fn record(&mut self, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), SchemaError> {
        let Some(id) = key.map(decode_key).transpose()?.flatten() else { return Ok(()) };
        match value {
            Some(value) => {
                self.ids.insert(id, Metadata::from_value(TransactionValue::decode(value)?));
            }
            None => {
                self.ids.swap_remove(&id);
            }
        }
        Ok(())
    }

    /// The shard; decided transactions have their markers sent again.
    pub fn finish(self, config: TransactionConfig) -> (TransactionShard, Vec<TransactionEffect>) {
        let mut shard = TransactionShard::new(config);
        let effects = shard.adopt(self.ids);
        (shard, effects)
    }
}
