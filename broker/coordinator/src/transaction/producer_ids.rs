//! Producer ids, handed out one by one from blocks that the controller allocates (`RPCProducerIdManager`).

use std::ops::Range;

use gregor_model::{ProducerId, Timestamp};

/// How soon after a failed request for a block the next one may be made, in ms.
const RETRY_MS: i64 = 50;

/// What a claim gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdClaim {
    /// The id; `None` while no block is there (COORDINATOR_LOAD_IN_PROGRESS).
    pub id: Option<ProducerId>,
    /// Whether the shell is to ask the controller for a block now.
    pub request_block: bool,
}

/// The block in use and the one after it.
#[derive(Debug, Default)]
pub struct ProducerIds {
    current: Range<i64>,
    next: Option<Range<i64>>,
    /// When this many are left, the next block is asked for.
    low_water: i64,
    requested: bool,
    retry_at: Option<Timestamp>,
}

impl ProducerIds {
    /// No block yet.
    pub fn new() -> ProducerIds {
        ProducerIds::default()
    }

    /// Hands out the next id.
    pub fn claim(&mut self, now: Timestamp) -> ProducerIdClaim {
        if self.current.is_empty()
            && let Some(next) = self.next.take()
        {
            self.low_water = (next.end - next.start) / 10;
            self.current = next;
        }
        let id = self.current.next().map(ProducerId);
        let low = self.current.end - self.current.start <= self.low_water;
        // What is farther away than a pause is long was noted before the clock was set back.
        let is_over = |at: Timestamp| at <= now || at - now > RETRY_MS;
        let may_ask = !self.requested && self.retry_at.is_none_or(is_over);
        let request_block = low && self.next.is_none() && may_ask;
        self.requested |= request_block;
        ProducerIdClaim { id, request_block }
    }

    /// The controller's answer: a block of `length` ids from `start`. One that overlaps what was given out before is
    /// refused.
    pub fn block_granted(&mut self, start: i64, length: i32) {
        self.requested = false;
        let end = start.saturating_add(i64::from(length));
        if start >= 0 && start >= self.current.end && start < end {
            self.next = Some(start..end);
        }
    }

    /// The controller could not be asked, or refused.
    pub fn block_failed(&mut self, now: Timestamp) {
        self.requested = false;
        self.retry_at = Some(now + RETRY_MS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(0);

    #[test]
    fn blocks_follow_each_other_without_a_gap() {
        let mut ids = ProducerIds::new();
        assert_eq!(ids.claim(NOW), ProducerIdClaim { id: None, request_block: true });
        assert_eq!(ids.claim(NOW), ProducerIdClaim { id: None, request_block: false });
        ids.block_granted(0, 10);
        let mut given = Vec::new();
        for _ in 0..10 {
            let claim = ids.claim(NOW);
            given.extend(claim.id);
            if claim.request_block {
                ids.block_granted(10, 10);
            }
        }
        given.extend(ids.claim(NOW).id);
        assert_eq!(given, (0..11).map(ProducerId).collect::<Vec<_>>());
    }

    #[test]
    fn failures_are_tried_again_later() {
        let mut ids = ProducerIds::new();
        assert!(ids.claim(NOW).request_block);
        ids.block_failed(NOW);
        assert!(!ids.claim(NOW + 49).request_block);
        assert!(ids.claim(NOW + 50).request_block);
        ids.block_failed(NOW + 3_600_000);
        assert!(ids.claim(NOW).request_block, "the clock was set back");
    }

    #[test]
    fn a_block_from_the_past_is_refused() {
        let mut ids = ProducerIds::new();
        ids.claim(NOW);
        ids.block_granted(1_000, 10);
        assert_eq!(ids.claim(NOW).id, Some(ProducerId(1_000)));
        ids.block_granted(500, 10);
        for _ in 0..9 {
            ids.claim(NOW);
        }
        assert_eq!(ids.claim(NOW).id, None);
    }
}
