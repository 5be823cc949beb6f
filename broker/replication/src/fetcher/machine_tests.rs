use super::*;

const EPOCH: LeaderEpoch = LeaderEpoch(5);

fn partition(index: i32) -> TopicPartition {
    TopicPartition::new("t", index)
}

fn start(index: i32, offset: i64, last_epoch: Option<i32>) -> FetchStart {
    FetchStart {
        partition: partition(index),
        topic_id: None,
        leader: BrokerId(1),
        leader_epoch: EPOCH,
        offset: Offset(offset),
        last_epoch: last_epoch.map(LeaderEpoch),
    }
}

fn machine(truncates_on_fetch: bool, starts: &[FetchStart]) -> FetcherMachine {
    let mut machine = FetcherMachine::new(truncates_on_fetch, 1_000);
    starts.iter().cloned().for_each(|start| machine.start(start));
    machine
}

fn asked(offset: i64) -> Asked {
    Asked { leader_epoch: EPOCH, fetch_offset: Offset(offset) }
}

fn fetching(machine: &FetcherMachine, now: i64) -> Vec<i32> {
    machine.to_fetch(Timestamp(now)).map(|(partition, _)| partition.partition).collect()
}

#[test]
fn a_log_with_epochs_fetches_at_once_where_fetch_tells_of_divergence() {
    for (on_fetch, last_epoch, expected) in [
        (true, Some(4), FetchPhase::Fetching),
        (true, None, FetchPhase::Truncating),
        (false, Some(4), FetchPhase::Truncating),
        (false, None, FetchPhase::Truncating),
    ] {
        let machine = machine(on_fetch, &[start(0, 10, last_epoch)]);
        assert_eq!(machine.get(&partition(0)).unwrap().phase, expected, "{on_fetch} {last_epoch:?}");
    }
}

#[test]
fn the_same_term_again_changes_nothing_and_a_new_one_starts_over() {
    let mut machine = machine(true, &[start(0, 10, Some(4))]);
    machine.appended(&partition(0), EPOCH, Offset(20), Some(EPOCH), None);
    machine.start(start(0, 3, Some(4)));
    assert_eq!(machine.get(&partition(0)).unwrap().fetch_offset, Offset(20));
    machine.start(FetchStart { leader_epoch: LeaderEpoch(6), ..start(0, 3, Some(4)) });
    assert_eq!(machine.get(&partition(0)).unwrap().fetch_offset, Offset(3));
}

#[track_caller]
fn check_answer(asked: Asked, answer: FetchAnswer, step: Step, delayed: bool, tracked: bool) {
    let mut machine = machine(true, &[start(0, 10, Some(4))]);
    assert_eq!(machine.on_answer(&partition(0), asked, answer, Timestamp(0)), step, "{asked:?} {answer:?}");
    assert_eq!(machine.get(&partition(0)).is_some(), tracked);
    let until = machine.get(&partition(0)).and_then(|state| state.delayed_until);
    assert_eq!(until, delayed.then_some(Timestamp(1_000)), "{answer:?}");
}

#[test]
fn answers_to_a_fetch() {
    use FetchAnswer::{Diverging, Records, Refused};
    use LeaderRefusal::{FencedLeaderEpoch, OffsetOutOfRange, Other};
    let end = EpochEnd { epoch: Some(LeaderEpoch(3)), end_offset: Some(Offset(7)) };
    check_answer(asked(10), Records, Step::Append, false, true);
    check_answer(asked(10), Diverging(end), Step::Truncate(end), false, true);
    check_answer(asked(10), Refused(OffsetOutOfRange), Step::ResolveOutOfRange, false, true);
    check_answer(asked(10), Refused(FencedLeaderEpoch), Step::Failed, false, false);
    check_answer(asked(10), Refused(Other(75)), Step::Nothing, true, true);
    check_answer(asked(10), Refused(Other(6)), Step::Nothing, true, true);
    // Out of date: another offset, another term.
    check_answer(asked(9), Records, Step::Nothing, false, true);
    let former = Asked { leader_epoch: LeaderEpoch(4), fetch_offset: Offset(10) };
    check_answer(former, Refused(FencedLeaderEpoch), Step::Nothing, false, true);
}

#[test]
fn an_incomplete_truncation_asks_again_by_fetch_or_by_epoch() {
    let incomplete = Truncation { offset: Offset(6), complete: false };
    for (on_fetch, phase) in [(true, FetchPhase::Fetching), (false, FetchPhase::Truncating)] {
        let mut machine = machine(on_fetch, &[start(0, 10, Some(4))]);
        machine.truncated(&partition(0), EPOCH, incomplete, Some(LeaderEpoch(2)));
        let state = machine.get(&partition(0)).unwrap();
        assert_eq!((state.phase, state.fetch_offset), (phase, Offset(6)));
        assert_eq!(state.last_fetched_epoch, Some(LeaderEpoch(2)));
    }
}

#[test]
fn epochs_are_asked_for_before_the_first_fetch() {
    let mut machine = machine(false, &[start(0, 10, Some(4))]);
    assert!(fetching(&machine, 0).is_empty());
    assert_eq!(machine.to_truncate(Timestamp(0)).count(), 1);
    let end = EpochEnd { epoch: Some(LeaderEpoch(4)), end_offset: Some(Offset(8)) };
    assert_eq!(machine.on_epoch_end(&partition(0), asked(10), Ok(end), Timestamp(0)), Step::Truncate(end));
    machine.truncated(
        &partition(0),
        EPOCH,
        Truncation { offset: Offset(8), complete: true },
        Some(LeaderEpoch(4)),
    );
    assert_eq!(fetching(&machine, 0), [0]);
    let late = machine.on_epoch_end(&partition(0), asked(8), Ok(end), Timestamp(0));
    assert_eq!(late, Step::Nothing, "it fetches already");
}

#[test]
fn those_served_last_are_listed_last() {
    let mut machine = machine(true, &[start(0, 0, Some(1)), start(1, 0, Some(1)), start(2, 0, Some(1))]);
    assert_eq!(fetching(&machine, 0), [0, 1, 2]);
    machine.appended(&partition(0), EPOCH, Offset(5), None, None);
    assert_eq!(fetching(&machine, 0), [1, 2, 0]);
    machine.appended(&partition(2), EPOCH, Offset(0), None, None); // nothing came
    assert_eq!(fetching(&machine, 0), [1, 2, 0]);
    machine.stop(&partition(0));
    assert_eq!(fetching(&machine, 0), [1, 2]);
}

#[test]
fn delays_end() {
    let mut machine = machine(true, &[start(0, 0, Some(1)), start(1, 0, Some(1))]);
    machine.delay(&partition(0), EPOCH, Timestamp(100));
    assert_eq!(fetching(&machine, 100), [1]);
    assert_eq!(machine.next_ready(Timestamp(100)), Some(Timestamp(1_100)));
    machine.delay_all(Timestamp(500));
    assert_eq!(machine.next_ready(Timestamp(500)), Some(Timestamp(1_100)), "the first goes on as it was");
    assert_eq!(fetching(&machine, 1_100), [0]);
    assert_eq!(fetching(&machine, 1_500), [0, 1]);
    assert_eq!(machine.next_ready(Timestamp(1_500)), None);
}

#[test]
fn a_clock_set_back_ends_delays() {
    let mut machine = machine(true, &[start(0, 0, Some(1))]);
    machine.delay(&partition(0), EPOCH, Timestamp(3_600_000));
    assert_eq!(fetching(&machine, 10), [0]);
    assert_eq!(machine.next_ready(Timestamp(10)), None);
}

#[test]
fn lag_is_known_after_an_answer() {
    let mut machine = machine(true, &[start(0, 0, Some(1))]);
    assert!(!machine.get(&partition(0)).unwrap().is_in_sync());
    machine.appended(&partition(0), EPOCH, Offset(5), None, Some(Offset(9)));
    assert_eq!(machine.get(&partition(0)).unwrap().lag, Some(4));
    machine.appended(&partition(0), EPOCH, Offset(9), None, Some(Offset(9)));
    assert!(machine.get(&partition(0)).unwrap().is_in_sync());
    machine.truncated(&partition(0), EPOCH, Truncation { offset: Offset(3), complete: true }, None);
    assert!(!machine.get(&partition(0)).unwrap().is_in_sync());
}

/// Something that a machine is told.
type Feedback<'a> = &'a dyn Fn(&mut FetcherMachine);

#[test]
fn what_became_of_an_earlier_term_does_not_concern_a_later_one() {
    let former = LeaderEpoch(4);
    let name = partition(0);
    let fenced = LeaderRefusal::FencedLeaderEpoch;
    let complete = Truncation { offset: Offset(1), complete: true };
    let late: [(&str, Feedback<'_>); 7] = [
        ("dropped", &|machine| machine.drop_term(&name, former)),
        ("fenced", &|machine| {
            assert_eq!(machine.refused(&name, former, fenced, Timestamp(0)), Step::Nothing);
        }),
        ("refused", &|machine| {
            machine.refused(&name, former, LeaderRefusal::Other(6), Timestamp(0));
        }),
        ("appended", &|machine| machine.appended(&name, former, Offset(99), Some(former), None)),
        ("truncated", &|machine| machine.truncated(&name, former, complete, None)),
        ("restarted", &|machine| machine.restarted(&name, former, Offset(7), None)),
        ("delayed", &|machine| machine.delay(&name, former, Timestamp(0))),
    ];
    for (what, late) in late {
        let mut machine = machine(true, &[start(0, 10, Some(3))]);
        let before = machine.get(&name).cloned();
        late(&mut machine);
        assert_eq!(machine.get(&name).cloned(), before, "{what}");
        assert!(before.is_some());
    }
}
