//! What others may ask of the producers' state.

use std::sync::atomic::Ordering;

use gregor_model::{ProducerEpoch, ProducerId, Timestamp};

use super::PartitionLog;
use crate::{ProducerSummary, VerificationGuard};

impl PartitionLog {
    /// Begins to verify a transaction with its coordinator, unless the producer has one open here
    /// (`maybeStartTransactionVerification`) or `transaction.partition.verification.enable` is off; `None`: nothing to
    /// verify.
    pub fn start_transaction_verification(
        &self,
        producer_id: ProducerId,
        sequence: i32,
        epoch: ProducerEpoch,
        now: Timestamp,
    ) -> Option<VerificationGuard> {
        if !self.shared.transaction_verification.load(Ordering::Relaxed) {
            return None;
        }
        let mut writer = self.writer.lock();
        if writer.producers.has_ongoing(producer_id) {
            return None;
        }
        Some(writer.producers.start_verification(producer_id, sequence, epoch, now))
    }

    /// Takes over the verifications under way at the log whose place this one takes, so that producers which have asked
    /// their coordinator need not do so again.
    pub(crate) fn adopt_verifications(&self, from: &PartitionLog) {
        let begun = from.writer.lock().producers.verifications();
        self.writer.lock().producers.adopt_verifications(begun);
    }

    /// Whether the producer has a transaction open here.
    pub fn has_ongoing_transaction(&self, producer_id: ProducerId) -> bool {
        self.writer.lock().producers.has_ongoing(producer_id)
    }

    /// Whether a transaction is open for longer than transactions may be.
    pub fn has_late_transaction(&self, now: Timestamp) -> bool {
        self.writer.lock().producers.has_late_transaction(now, self.shared.transaction_max_timeout_ms)
    }

    /// The producers known here (DescribeProducers).
    pub fn active_producers(&self) -> Vec<ProducerSummary> {
        self.writer.lock().producers.summaries()
    }

    /// How many producers are known here.
    pub fn producer_id_count(&self) -> usize {
        self.writer.lock().producers.producers().len()
    }

    /// Forgets producers that are silent for `producer.id.expiration.ms`.
    pub(crate) fn expire_producers(&self, now: Timestamp) {
        let mut writer = self.writer.lock();
        if writer.producers.may_expire() {
            writer.producers.expire(now, self.shared.producer_id_expiration_ms());
        }
    }
}
