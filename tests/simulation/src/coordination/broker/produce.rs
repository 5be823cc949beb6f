//! Transactional writes: verified with their coordinator when they open a transaction in the partition, then appended.

use gregor_coordinator::group::AppendFailure;
use gregor_coordinator::group::request::{Commit, VerifiedTransaction};
use gregor_coordinator::group::{GroupError, GroupShard};
use gregor_coordinator::transaction::{AddPartitions, TransactionError};
use gregor_coordinator::{TransactionalId, partition_of};
use gregor_log::{AppendOrigin, VerificationGuard};

use super::super::log::{Author, Body, Part, Refusal, Value};
use super::super::message::{Answer, Correlation, Node, ProduceError, Producer, Request};
use super::super::mutants::CoordinationMutant;
use super::super::stage::Stage;
use super::partition::NotAppended;
use super::{Asked, Broker, Waiter};

/// What is to be written once the coordinator has been heard.
#[derive(Debug)]
pub(super) enum Write {
    /// Produce.
    Records(Author, Vec<Value>),
    /// TxnOffsetCommit.
    Offsets(Box<Commit>),
}

/// A write whose coordinator is being asked.
#[derive(Debug)]
pub(super) struct Unverified {
    from: Node,
    correlation: Correlation,
    part: Part,
    guard: VerificationGuard,
    write: Write,
}

impl Broker {
    /// Produce.
    pub(super) fn produce(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        part: Part,
        id: TransactionalId,
        (author, values): (Author, Vec<Value>),
    ) {
        let author = self.believe_author(stage, part, author);
        match self.begin_verification(stage, part, author.producer, author.base_sequence) {
            None => self.write_records(stage, (from, correlation), part, None, (author, values)),
            Some(guard) => {
                let write = Write::Records(author, values);
                let unverified = Unverified { from, correlation, part, guard, write };
                self.verify(stage, id, author.producer, unverified);
            }
        }
    }

    /// TxnOffsetCommit.
    pub(super) fn commit_in_transaction(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        id: TransactionalId,
        commit: Commit,
    ) {
        let commit = self.believe(stage, commit);
        let partition = partition_of(commit.claim.group.as_str(), stage.scenario.offsets_partitions);
        if let Err(why) = self.find::<GroupShard>(partition) {
            stage.answer(self.id, from, correlation, Answer::Committed(Err(GroupError::from(why))));
            return;
        }
        let Some(producer) = commit.producer else { return };
        let part = Part::Offsets(partition);
        match self.begin_verification(stage, part, producer, 0) {
            None => self.commit_offsets(stage, (from, correlation), partition, commit),
            Some(guard) => {
                let write = Write::Offsets(Box::new(commit));
                let unverified = Unverified { from, correlation, part, guard, write };
                self.verify(stage, id, producer, unverified);
            }
        }
    }

    /// `maybeStartTransactionVerification`; `None`: nothing to verify, or nobody to do it.
    fn begin_verification(
        &mut self,
        stage: &Stage,
        part: Part,
        (producer, epoch): Producer,
        sequence: i32,
    ) -> Option<VerificationGuard> {
        if stage.is_mutant(CoordinationMutant::NoVerification) || !self.leading.contains(&part) {
            return None;
        }
        let replica = self.replicas.get_mut(&part)?;
        if replica.producers.has_ongoing(producer) {
            return None;
        }
        Some(replica.producers.start_verification(producer, sequence, epoch, stage.timestamp()))
    }

    fn verify(&mut self, stage: &mut Stage, id: TransactionalId, producer: Producer, unverified: Unverified) {
        let coordinator =
            Part::Transactions(partition_of(id.as_str(), stage.scenario.transactions_partitions));
        match self.known.get(&coordinator).and_then(|(_, leader)| *leader) {
            Some(broker) => {
                let partitions = vec![unverified.part.name()];
                let question = Request::Verify(AddPartitions { id, producer, partitions });
                self.ask(stage, broker, question, Asked::Verification(unverified));
            }
            None => self.refuse(stage, &unverified, AppendFailure::CoordinatorNotAvailable),
        }
    }

    /// The coordinator answered, or did not.
    pub(super) fn verified(&mut self, stage: &mut Stage, unverified: Unverified, answer: Option<Answer>) {
        let refusal = match answer {
            Some(Answer::Verified(Ok(verified))) => {
                let refused = verified.into_iter().any(|(_, result)| result.is_err());
                refused.then_some(AppendFailure::TransactionAbortable)
            }
            Some(Answer::Verified(Err(error))) => Some(match error {
                TransactionError::ProducerFenced => AppendFailure::InvalidProducerEpoch,
                TransactionError::ConcurrentTransactions => AppendFailure::ConcurrentTransactions,
                TransactionError::CoordinatorLoadInProgress => AppendFailure::CoordinatorLoadInProgress,
                TransactionError::NotCoordinator => AppendFailure::NotCoordinator,
                TransactionError::InvalidProducerIdMapping => AppendFailure::InvalidProducerIdMapping,
                _ => AppendFailure::InvalidTxnState,
            }),
            _ => Some(AppendFailure::NetworkException),
        };
        if let Some(refusal) = refusal {
            self.refuse(stage, &unverified, refusal);
            return;
        }
        let Unverified { from, correlation, part, guard, write } = unverified;
        match write {
            Write::Records(author, values) => {
                self.write_records(stage, (from, correlation), part, Some(guard), (author, values));
            }
            Write::Offsets(mut commit) => {
                commit.verification = Some(VerifiedTransaction(guard.to_bits()));
                let Part::Offsets(partition) = part else { return };
                self.commit_offsets(stage, (from, correlation), partition, *commit);
            }
        }
    }

    fn refuse(&mut self, stage: &mut Stage, unverified: &Unverified, failure: AppendFailure) {
        let answer = match unverified.write {
            Write::Records(..) => Answer::Produced(Err(match failure {
                AppendFailure::NetworkException
                | AppendFailure::ConcurrentTransactions
                | AppendFailure::CoordinatorLoadInProgress
                | AppendFailure::CoordinatorNotAvailable
                | AppendFailure::NotCoordinator => ProduceError::Retriable,
                _ => ProduceError::Abortable,
            })),
            Write::Offsets(_) => Answer::Committed(Err(failure.of_commit())),
        };
        stage.answer(self.id, unverified.from, unverified.correlation, answer);
    }

    fn write_records(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        part: Part,
        guard: Option<VerificationGuard>,
        (author, values): (Author, Vec<Value>),
    ) {
        let timeout_ms = stage.scenario.request_timeout_ms;
        let appended = self.append(
            stage,
            part,
            (Some(author), Body::Values(values)),
            (AppendOrigin::Client, guard),
            Some((Waiter::Producer(from, correlation), timeout_ms)),
        );
        let error = match appended {
            Ok(_) => return,
            Err(NotAppended::NotLeader | NotAppended::TooFew) => ProduceError::Retriable,
            Err(NotAppended::Refused(
                Refusal::OutOfOrder
                | Refusal::ProducerFenced
                | Refusal::NotInTransaction
                | Refusal::CoordinatorFenced,
            )) => ProduceError::Abortable,
        };
        stage.answer(self.id, from, correlation, Answer::Produced(Err(error)));
    }

    fn commit_offsets(
        &mut self,
        stage: &mut Stage,
        (from, correlation): (Node, Correlation),
        partition: i32,
        commit: Commit,
    ) {
        let hosted = match self.find::<GroupShard>(partition) {
            Ok(hosted) => hosted,
            Err(why) => {
                stage.answer(self.id, from, correlation, Answer::Committed(Err(GroupError::from(why))));
                return;
            }
        };
        let (request, now) = (self.note_request(from, correlation), stage.timestamp());
        self.with(stage, partition, &hosted, |shard| shard.commit(request, commit, now));
    }

    /// The mistake of not fencing producers: an older epoch is taken for the current one, at the sequence that is due.
    fn believe_author(&self, stage: &Stage, part: Part, author: Author) -> Author {
        if !stage.is_mutant(CoordinationMutant::NoProducerFencing) {
            return author;
        }
        let summaries =
            self.replicas.get(&part).map(|replica| replica.producers.summaries()).unwrap_or_default();
        let known = summaries.into_iter().find(|summary| summary.producer_id == author.producer.0);
        match known.filter(|known| known.producer_epoch > author.producer.1) {
            Some(known) => Author {
                producer: (known.producer_id, known.producer_epoch),
                base_sequence: known.last_sequence + 1,
            },
            None => author,
        }
    }
}
