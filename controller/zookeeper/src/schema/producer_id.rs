//! `/latest_producer_id_block` (`ProducerIdBlockZNode`): the block of producer ids handed out last.

use gregor_model::{BrokerId, ProducerId};
use serde::{Deserialize, Serialize};

use super::json::{self, DecodeError};

/// Where the block is.
///
/// Kafka's brokers create it with null data when they start. Our client can write only empty data, on which Kafka's
/// reader of this one znode fails; so we never create it without a block in it.
pub const PATH: &str = "/latest_producer_id_block";

/// How many ids a block has (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
pub const BLOCK_SIZE: i64 = 1000;

/// A block of producer ids (`ProducerIdsBlock`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdBlock {
    /// Who asked for it.
    pub broker: BrokerId,
    /// The first id.
    pub first: ProducerId,
    /// The last id, inclusive.
    pub last: ProducerId,
}

impl ProducerIdBlock {
    /// The block to hand out after `latest`; `None` when the ids are exhausted
    /// (`ZkProducerIdManager.getNewProducerIdBlock`).
    pub fn after(latest: Option<&ProducerIdBlock>, broker: BrokerId) -> Option<ProducerIdBlock> {
        let first = match latest {
            None => 0,
            Some(latest) if latest.last.0 > i64::MAX - 1 - BLOCK_SIZE => return None,
            Some(latest) => latest.last.0 + 1,
        };
        Some(ProducerIdBlock { broker, first: ProducerId(first), last: ProducerId(first + BLOCK_SIZE - 1) })
    }
}

#[derive(Serialize, Deserialize)]
struct Content {
    version: i64,
    broker: i32,
    block_start: String,
    block_end: String,
}

/// The content.
pub fn encode(block: &ProducerIdBlock) -> Vec<u8> {
    json::encode(&Content {
        version: 1,
        broker: block.broker.0,
        block_start: block.first.to_string(),
        block_end: block.last.to_string(),
    })
}

/// The block; `None` when no block was handed out yet.
pub fn decode(data: &[u8]) -> Result<Option<ProducerIdBlock>, DecodeError> {
    if data.is_empty() {
        return Ok(None);
    }
    let content: Content = json::decode(PATH, data)?;
    let number = |text: &str| text.parse::<i64>().map_err(|error| DecodeError::new(PATH, data, error));
    let (first, last) = (number(&content.block_start)?, number(&content.block_end)?);
    if first < 0 || last < first {
        return Err(DecodeError::new(PATH, data, "the block is empty or negative"));
    }
    Ok(Some(ProducerIdBlock {
        broker: BrokerId(content.broker),
        first: ProducerId(first),
        last: ProducerId(last),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_and_round_trip() {
        let text = r#"{"version":1,"broker":2,"block_start":"3000","block_end":"3999"}"#;
        let block = decode(text.as_bytes()).unwrap().unwrap();
        assert_eq!(String::from_utf8_lossy(&encode(&block)), text);
        assert_eq!(decode(b""), Ok(None));
        for text in ["{}", r#"{"version":1,"broker":2,"block_start":"9","block_end":"8"}"#] {
            assert!(decode(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn blocks_follow_each_other_to_the_end() {
        let block = |first: i64, last: i64| ProducerIdBlock {
            broker: BrokerId(1),
            first: ProducerId(first),
            last: ProducerId(last),
        };
        let after = |latest: Option<ProducerIdBlock>| ProducerIdBlock::after(latest.as_ref(), BrokerId(1));
        assert_eq!(after(None), Some(block(0, 999)));
        assert_eq!(after(Some(block(3000, 3999))), Some(block(4000, 4999)));
        assert_eq!(after(Some(block(0, i64::MAX - BLOCK_SIZE))), None);
        assert!(after(Some(block(0, i64::MAX - 1 - BLOCK_SIZE))).is_some());
    }
}
