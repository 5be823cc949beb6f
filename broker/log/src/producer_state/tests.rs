//! Sequences, epochs and markers against the state of a producer.

use gregor_model::{Offset, ProducerEpoch, ProducerId, Timestamp};

use super::{CheckOrigin, Marker, ProducerBatch, ProducerState, Updates};
use crate::AppendError;

const PRODUCER: ProducerId = ProducerId(5);

fn batch(epoch: i16, base_sequence: i32, offset: i64) -> ProducerBatch {
    ProducerBatch {
        producer_id: PRODUCER,
        epoch: ProducerEpoch(epoch),
        base_sequence,
        last_sequence: base_sequence.wrapping_add(1) & i32::MAX,
        base_offset: Offset(offset),
        last_offset: Offset(offset + 1),
        max_timestamp: Timestamp(1000 + offset),
        transactional: false,
        control: false,
        marker: None,
    }
}

fn transactional(epoch: i16, base_sequence: i32, offset: i64) -> ProducerBatch {
    ProducerBatch { transactional: true, ..batch(epoch, base_sequence, offset) }
}

fn marker(epoch: i16, coordinator_epoch: i32, offset: i64) -> ProducerBatch {
    let marker = Marker { commit: false, coordinator_epoch, timestamp: Timestamp(1000 + offset) };
    ProducerBatch {
        base_sequence: -1,
        last_sequence: -1,
        last_offset: Offset(offset),
        control: true,
        marker: Some(marker),
        ..transactional(epoch, 0, offset)
    }
}

fn append(state: &mut ProducerState, batch: &ProducerBatch, origin: CheckOrigin) -> Result<(), AppendError> {
    let mut updates = Updates::default();
    state.check(&mut updates, batch, origin)?;
    state.apply(updates);
    Ok(())
}

fn after(batches: &[ProducerBatch]) -> ProducerState {
    let mut state = ProducerState::default();
    for batch in batches {
        append(&mut state, batch, CheckOrigin::Replication).unwrap();
    }
    state
}

#[test]
fn which_sequence_may_follow() {
    #[derive(Debug, PartialEq)]
    enum Answer {
        Taken,
        OutOfOrder,
        Fenced,
    }
    use Answer::{Fenced, OutOfOrder, Taken};
    #[track_caller]
    fn check(before: &[ProducerBatch], next: ProducerBatch, expected: Answer) {
        let answer = match append(&mut after(before), &next, CheckOrigin::Client) {
            Ok(()) => Taken,
            Err(AppendError::OutOfOrderSequence { .. }) => OutOfOrder,
            Err(AppendError::InvalidProducerEpoch { .. }) => Fenced,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(answer, expected);
    }
    check(&[], batch(0, 0, 0), Taken);
    check(&[], batch(0, 77, 0), Taken);
    check(&[batch(0, 0, 0)], batch(0, 2, 2), Taken);
    check(&[batch(0, 0, 0)], batch(0, 1, 2), OutOfOrder);
    check(&[batch(0, 0, 0)], batch(0, 3, 2), OutOfOrder);
    check(&[batch(0, i32::MAX - 1, 0)], batch(0, 0, 2), Taken);
    check(&[batch(3, 0, 0)], batch(2, 2, 2), Fenced);
    check(&[batch(3, 0, 0)], batch(4, 0, 2), Taken);
    check(&[batch(3, 0, 0)], batch(4, 2, 2), OutOfOrder);
    check(&[marker(3, 0, 0)], batch(3, 0, 2), Taken);
    check(&[marker(3, 0, 0)], batch(3, 4, 2), OutOfOrder);
}

#[test]
fn only_the_last_five_batches_are_recognised() {
    let batches: Vec<_> = (0..7).map(|n| batch(0, 2 * n, i64::from(2 * n))).collect();
    let state = after(&batches);
    for (n, batch) in batches.iter().enumerate() {
        assert_eq!(state.find_duplicate(batch).is_some(), n >= 2, "batch {n}");
    }
    assert!(state.find_duplicate(&batch(1, 12, 12)).is_none(), "of another epoch");
    let wrapped = batch(0, i32::MAX, 20);
    assert!(after(std::slice::from_ref(&wrapped)).find_duplicate(&wrapped).is_some(), "across the wrap to 0");
}

#[test]
fn markers_end_transactions_and_fence_coordinators() {
    let mut state = after(&[transactional(0, 0, 10), transactional(0, 2, 12)]);
    assert!(state.has_ongoing(PRODUCER));
    assert_eq!(state.first_unstable_offset(), Some(Offset(10)));
    let mut updates = Updates::default();
    state.check(&mut updates, &marker(0, 2, 14), CheckOrigin::Coordinator).unwrap();
    let completed = state.apply(updates);
    assert_eq!(completed.len(), 1);
    let (transaction, last_stable) = completed[0];
    assert_eq!((transaction.first_offset, transaction.last_offset), (Offset(10), Offset(14)));
    assert!(transaction.aborted);
    assert_eq!(last_stable, Offset(15));
    assert!(!state.has_ongoing(PRODUCER));
    assert_eq!(state.first_unstable_offset(), Some(Offset(10)), "until the marker is replicated");
    state.on_high_watermark(Offset(15));
    assert_eq!(state.first_unstable_offset(), None);
    let stale = append(&mut state, &marker(0, 1, 15), CheckOrigin::Coordinator);
    assert!(matches!(stale, Err(AppendError::TransactionCoordinatorFenced { .. })));
    append(&mut state, &marker(0, 1, 15), CheckOrigin::Replication).unwrap();
}

#[test]
fn a_refused_batch_changes_nothing() {
    let mut state = after(&[transactional(0, 0, 0)]);
    let before = state.summaries();
    assert!(append(&mut state, &batch(0, 2, 2), CheckOrigin::Client).is_err());
    assert!(append(&mut state, &transactional(0, 9, 2), CheckOrigin::Client).is_err());
    assert_eq!(state.summaries(), before);
}

#[test]
fn silent_producers_are_forgotten_unless_a_transaction_is_open() {
    let mut state = after(&[batch(0, 0, 0)]);
    state.expire(Timestamp(1999), 1000);
    assert_eq!(state.producers().len(), 1);
    state.expire(Timestamp(2000), 1000);
    assert!(state.producers().is_empty());
    let mut open = after(&[transactional(0, 0, 0)]);
    open.expire(Timestamp(i64::MAX), 1000);
    assert_eq!(open.producers().len(), 1);
    assert!(!open.has_late_transaction(Timestamp(2000), 60_000));
    assert!(open.has_late_transaction(Timestamp(400_000), 60_000));
}
