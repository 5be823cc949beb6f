use super::*;

fn at(offset: i64, segment: i64, position: u64) -> OffsetPosition {
    OffsetPosition { offset: Offset(offset), segment_base: Offset(segment), position }
}

fn offsets(high_watermark: OffsetPosition, log_end: OffsetPosition) -> LogOffsets {
    LogOffsets {
        log_start_offset: Offset(0),
        last_stable_offset: high_watermark,
        high_watermark,
        log_end_offset: log_end,
    }
}

#[tokio::test]
async fn an_offset_reached_lets_go_those_who_wait_for_it_or_less() {
    let waits = OffsetWaits::default();
    let requests: Vec<_> = [5, 7, 7, 9].into_iter().map(|offset| (offset, OffsetWait::new(1))).collect();
    for (offset, request) in &requests {
        waits.register(Offset(*offset), request, 0);
    }
    waits.complete_through(Offset(7), WaitOutcome::Reached);
    for (offset, request) in &requests {
        let expected = (*offset <= 7).then_some(WaitOutcome::Reached);
        assert_eq!(request.outcome(0), expected, "{offset}");
        if expected.is_some() {
            request.settled().await;
        }
    }
    assert!(!waits.is_empty());
    waits.complete_all(WaitOutcome::NotLeader);
    assert_eq!(requests[3].1.outcome(0), Some(WaitOutcome::NotLeader));
    assert!(waits.is_empty());
}

#[tokio::test]
async fn a_request_over_several_partitions_waits_for_all() {
    let (first, second) = (OffsetWaits::default(), OffsetWaits::default());
    let request = OffsetWait::new(2);
    first.register(Offset(1), &request, 0);
    let key = second.register(Offset(1), &request, 1);
    first.complete_through(Offset(1), WaitOutcome::Reached);
    let pending = tokio::time::timeout(std::time::Duration::ZERO, request.settled()).await;
    assert!(pending.is_err());
    second.complete_through(Offset(1), WaitOutcome::ReachedWithTooFew);
    request.settled().await;
    second.cancel(key);
    assert_eq!(request.outcome(0), Some(WaitOutcome::Reached));
    assert_eq!(request.outcome(1), Some(WaitOutcome::ReachedWithTooFew));
}

#[test]
fn a_request_that_gave_up_leaves_nothing_behind() {
    let waits = OffsetWaits::default();
    let request = OffsetWait::new(1);
    let key = waits.register(Offset(5), &request, 0);
    waits.cancel(key);
    assert!(waits.is_empty());
    let fetches = FetchWaits::default();
    let fetch = FetchWait::new(1);
    let interest = interest(FetchIsolation::LogEnd, at(3, 0, 30), false);
    let id = fetches.register(&fetch, interest, || offsets(at(3, 0, 30), at(3, 0, 30)));
    fetches.cancel(id);
    fetches.on_progress(|| panic!("nobody waits"));
}

fn interest(isolation: FetchIsolation, start: OffsetPosition, throttled: bool) -> FetchInterest {
    FetchInterest { start, max_bytes: 100, isolation, throttled }
}

#[track_caller]
fn check_fetch(interest: FetchInterest, min_bytes: i64, now: LogOffsets, woken: bool) {
    let before = offsets(interest.start, interest.start);
    let waits = FetchWaits::default();
    let fetch = FetchWait::new(min_bytes);
    waits.register(&fetch, interest.clone(), || before);
    assert!(!fetch.is_woken());
    waits.on_progress(|| now);
    waits.on_progress(|| now); // bytes count once
    assert_eq!(fetch.is_woken(), woken);

    let fetch = FetchWait::new(min_bytes);
    waits.register(&fetch, interest, || now);
    assert_eq!(fetch.is_woken(), woken, "the same when it happened before the wait began");
}

#[test]
fn what_wakes_a_fetch() {
    use FetchIsolation::{HighWatermark, LogEnd};
    let start = at(10, 0, 1000);
    let grown = offsets(start, at(12, 0, 1050));
    check_fetch(interest(LogEnd, start, false), 1, grown, true);
    check_fetch(interest(LogEnd, start, false), 50, grown, true);
    check_fetch(interest(LogEnd, start, false), 51, grown, false);
    check_fetch(interest(LogEnd, start, true), 1, grown, false);
    check_fetch(interest(HighWatermark, start, false), 1, grown, false);
    let committed = offsets(at(12, 0, 1050), at(20, 0, 2000));
    check_fetch(interest(HighWatermark, start, false), 50, committed, true);
    check_fetch(interest(LogEnd, start, false), 101, committed, false); // counts 100 at most
    let rolled = offsets(at(12, 12, 0), at(12, 12, 0));
    check_fetch(interest(LogEnd, start, false), 1_000, rolled, true);
    check_fetch(interest(LogEnd, start, true), 1_000, rolled, false);
    let truncated = offsets(at(8, 0, 900), at(8, 0, 900));
    check_fetch(interest(LogEnd, start, false), 1_000, truncated, true);
}

#[test]
fn bytes_of_several_partitions_add_up() {
    let (first, second) = (FetchWaits::default(), FetchWaits::default());
    let fetch = FetchWait::new(80);
    let start = at(10, 0, 1000);
    let idle = offsets(start, start);
    first.register(&fetch, interest(FetchIsolation::LogEnd, start, false), || idle);
    second.register(&fetch, interest(FetchIsolation::LogEnd, start, false), || idle);
    first.on_progress(|| offsets(start, at(12, 0, 1050)));
    assert!(!fetch.is_woken());
    second.on_progress(|| offsets(start, at(12, 0, 1030)));
    assert!(fetch.is_woken());
}
