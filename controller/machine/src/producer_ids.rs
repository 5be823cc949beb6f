//! Blocks of producer ids (`ZkProducerIdManager.getNewProducerIdBlock`): read the last one, write the next, on a conflict
//! begin again.

use gregor_model::{BrokerId, ProducerId, ZnodeVersion};

use crate::controller::Controller;
use crate::operation::{Operation, Outcome};
use crate::request::{AllocateProducerIdsError, AllocateProducerIdsRequest, ProducerIds, Reply};
use crate::znode::ProducerIdBlock;

/// Ids in one block (`ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE`).
const BLOCK_SIZE: i32 = 1000;

/// What the allocation waits for.
#[derive(Debug)]
pub(crate) enum ProducerIdsAwait {
    /// The last block.
    Read(BrokerId),
    /// The write of this one.
    Written(ProducerIdBlock),
}

impl Controller {
    /// Begins with an AllocateProducerIds.
    pub(crate) fn allocate_producer_ids(&mut self, request: &AllocateProducerIdsRequest) {
        let error = match self.context.brokers.epoch(request.broker) {
            None => AllocateProducerIdsError::BrokerIdNotRegistered,
            Some(epoch) if epoch != request.broker_epoch => AllocateProducerIdsError::StaleBrokerEpoch,
            Some(_) => {
                return self.store(Operation::ReadProducerIdBlock, ProducerIdsAwait::Read(request.broker));
            }
        };
        self.reply(Reply::AllocateProducerIds(Err(error)));
    }

    /// Goes on with the allocation after ZooKeeper answered.
    pub(crate) fn resume_producer_ids(&mut self, awaited: ProducerIdsAwait, outcome: Outcome) {
        match (awaited, outcome) {
            (ProducerIdsAwait::Read(broker), Outcome::ProducerIdBlock(found)) => {
                let (last, expected) = match found {
                    Some((block, version)) => (block, Some(version)),
                    None => (None, None),
                };
                self.write_next_block(broker, last, expected);
            }
            (ProducerIdsAwait::Written(block), Outcome::Conditional(true)) => {
                let ids = ProducerIds { first: block.first, length: BLOCK_SIZE };
                self.reply(Reply::AllocateProducerIds(Ok(ids)));
            }
            (ProducerIdsAwait::Written(block), Outcome::Conditional(false)) => {
                self.store(Operation::ReadProducerIdBlock, ProducerIdsAwait::Read(block.broker));
            }
            (_, outcome) => self.abandon_on(outcome),
        }
    }

    fn write_next_block(
        &mut self,
        broker: BrokerId,
        last: Option<ProducerIdBlock>,
        expected: Option<ZnodeVersion>,
    ) {
        let Some((first, last)) = next_block(last) else {
            return self.reply(Reply::AllocateProducerIds(Err(AllocateProducerIdsError::Failed)));
        };
        let block = ProducerIdBlock { broker, first, last };
        self.store(Operation::WriteProducerIdBlock { block, expected }, ProducerIdsAwait::Written(block));
    }
}

/// First and last id of the block after this one; `None` when they are exhausted.
fn next_block(last: Option<ProducerIdBlock>) -> Option<(ProducerId, ProducerId)> {
    let size = i64::from(BLOCK_SIZE);
    let first = match last {
        None => 0,
        Some(block) if block.last.0 > i64::MAX - size => return None,
        Some(block) => block.last.0 + 1,
    };
    Some((ProducerId(first), ProducerId(first + (size - 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_follow_each_other() {
        #[track_caller]
        fn check(last: Option<i64>, next: Option<(i64, i64)>) {
            let block =
                |last| ProducerIdBlock { broker: BrokerId(1), first: ProducerId(0), last: ProducerId(last) };
            let next = next.map(|(first, last)| (ProducerId(first), ProducerId(last)));
            assert_eq!(next_block(last.map(block)), next);
        }
        check(None, Some((0, 999)));
        check(Some(999), Some((1000, 1999)));
        check(Some(3999), Some((4000, 4999)));
        check(Some(i64::MAX - 1000), Some((i64::MAX - 999, i64::MAX)));
        check(Some(i64::MAX - 999), None);
        check(Some(i64::MAX), None);
    }
}
