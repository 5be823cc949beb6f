//! Producer ids and transactions.

use crate::case::{Case, case, group, plain, text, topic, transactional};
use crate::side::Side;
use kafka_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use kafka_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, ApiKey, DescribeProducersRequest,
    DescribeTransactionsRequest, EndTxnRequest, InitProducerIdRequest, ListTransactionsRequest, ProducerId,
    RequestKind, ResponseKind, TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};

pub fn cases() -> Vec<Case> {
    [init(), add(), offsets(), look(), end(), markers()].into_iter().flatten().collect()
}

fn init() -> Vec<Case> {
    let of = |name: &'static str, id: Option<&'static str>, timeout: i32, producer: (i64, i16)| {
        case(ApiKey::InitProducerId, name, move |version, _| {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(id.map(transactional))
                .with_transaction_timeout_ms(timeout);
            Some(if version >= 3 {
                request.with_producer_id(ProducerId(producer.0)).with_producer_epoch(producer.1).into()
            } else {
                request.into()
            })
        })
    };
    vec![
        of("no transactions", None, 60_000, (-1, -1)),
        of("an empty transactional id", Some(""), 60_000, (-1, -1)),
        of("too long a timeout", Some("tx"), 100_000_000, (-1, -1)),
        of("no timeout", Some("tx"), 0, (-1, -1)),
        of("transactional", Some("tx"), 60_000, (-1, -1)).remember(remember_producer),
        of("an id without epoch", Some("tx"), 60_000, (5, -1)),
        of("another producer's id", Some("tx"), 60_000, (123_456, 3)),
    ]
}

fn remember_producer(answer: &ResponseKind, side: &mut Side) {
    match answer {
        ResponseKind::InitProducerId(answer) if answer.error_code == 0 => {
            side.producer = (answer.producer_id.0, answer.producer_epoch);
        }
        _ => {}
    }
}

fn transaction(
    side: &Side,
    id: &str,
    producer: Option<(i64, i16)>,
    topic_name: &str,
    partition: i32,
) -> AddPartitionsToTxnTransaction {
    let (producer, epoch) = producer.unwrap_or(side.producer);
    let topic =
        AddPartitionsToTxnTopic::default().with_name(topic(topic_name)).with_partitions(vec![partition]);
    AddPartitionsToTxnTransaction::default()
        .with_transactional_id(transactional(id))
        .with_producer_id(ProducerId(producer))
        .with_producer_epoch(epoch)
        .with_topics(vec![topic])
}

fn add() -> Vec<Case> {
    let of = |name: &'static str,
              id: &'static str,
              producer: Option<(i64, i16)>,
              to: (&'static str, i32),
              verify: bool| {
        case(ApiKey::AddPartitionsToTxn, name, move |version, side: &Side| {
            let one = transaction(side, id, producer, to.0, to.1);
            if version >= 4 {
                let request = AddPartitionsToTxnRequest::default();
                return Some(request.with_transactions(vec![one.with_verify_only(verify)]).into());
            }
            // The fields of one transaction lay in the request itself.
            let request = AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(one.transactional_id)
                .with_v3_and_below_producer_id(one.producer_id)
                .with_v3_and_below_producer_epoch(one.producer_epoch)
                .with_v3_and_below_topics(one.topics);
            (!verify).then(|| RequestKind::from(request))
        })
    };
    vec![
        of("verifies before it was added", "tx", None, ("plain", 0), true),
        of("its partition", "tx", None, ("plain", 0), false),
        of("verifies what was added", "tx", None, ("plain", 0), true),
        of("an unknown topic", "tx", None, ("nowhere", 0), false),
        of("an unknown id", "nobody", None, ("plain", 0), false),
        of("another producer", "tx", Some((123_456, 0)), ("plain", 0), false),
        of("another epoch", "tx", Some((-2, 99)), ("plain", 0), false),
    ]
}

fn offsets() -> Vec<Case> {
    let add = |name: &'static str, id: &'static str, producer: Option<(i64, i16)>, group_id: &'static str| {
        case(ApiKey::AddOffsetsToTxn, name, move |_, side: &Side| {
            let (producer, epoch) = producer.unwrap_or(side.producer);
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(transactional(id))
                .with_producer_id(ProducerId(producer))
                .with_producer_epoch(epoch)
                .with_group_id(group(group_id));
            Some(request.into())
        })
    };
    let commit = |name: &'static str,
                  group_id: &'static str,
                  producer: Option<(i64, i16)>,
                  member: &'static str,
                  to: &'static str| {
        case(ApiKey::TxnOffsetCommit, name, move |version, side: &Side| {
            let (producer, epoch) = producer.unwrap_or(side.producer);
            let partition =
                TxnOffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(3);
            let topic =
                TxnOffsetCommitRequestTopic::default().with_name(topic(to)).with_partitions(vec![partition]);
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(transactional("tx"))
                .with_group_id(group(group_id))
                .with_producer_id(ProducerId(producer))
                .with_producer_epoch(epoch)
                .with_topics(vec![topic]);
            let request = if version >= 3 {
                request
                    .with_generation_id(if member.is_empty() { -1 } else { 4 })
                    .with_member_id(text(member))
            } else {
                request
            };
            Some(request.into())
        })
    };
    vec![
        add("its group", "tx", None, "txgroup"),
        add("an unknown id", "nobody", None, "txgroup"),
        add("another producer", "tx", Some((123_456, 0)), "txgroup"),
        add("an empty group", "tx", None, ""),
        commit("another producer", "txgroup", Some((123_456, 0)), "", "plain"),
        commit("its group", "txgroup", None, "", "plain"),
        commit("a stranger's member", "txgroup", None, "stranger", "plain"),
        commit("an empty group", "", None, "", "plain"),
        commit("an unknown topic", "txgroup", None, "", "nowhere"),
    ]
}

/// The names of all states, one that is no more than an intention among them.
const STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

fn look() -> Vec<Case> {
    let producers = |name: &'static str, topic_name: &str, partition: i32| {
        let topic =
            TopicRequest::default().with_name(topic(topic_name)).with_partition_indexes(vec![partition]);
        plain(ApiKey::DescribeProducers, name, DescribeProducersRequest::default().with_topics(vec![topic]))
    };
    let describe = |name: &'static str, id: &str| {
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![transactional(id)]);
        plain(ApiKey::DescribeTransactions, name, request)
    };
    let list = |name: &'static str, states: &[&str], producers: &[i64], duration: i64| {
        let request = ListTransactionsRequest::default()
            .with_state_filters(states.iter().map(|state| text(state)).collect())
            .with_producer_id_filters(producers.iter().copied().map(ProducerId).collect());
        let request = if duration >= 0 { request.with_duration_filter(duration) } else { request };
        plain(ApiKey::ListTransactions, name, request)
    };
    vec![
        producers("a partition", "plain", 0),
        producers("an unknown topic", "nowhere", 0),
        producers("an unknown partition", "plain", 9),
        producers("led elsewhere", "plain", 1),
        producers("an illegal name", "a b", 0),
        describe("one under way", "tx"),
        describe("an unknown id", "nobody"),
        describe("an empty id", ""),
        list("all", &[], &[], -1),
        list("every state", &STATES, &[], -1),
        list("those under way", &["Ongoing"], &[], -1),
        list("no such state", &["Dreaming"], &[], -1),
        list("of no producer", &[], &[999_999], -1),
        list("older than a day", &[], &[], 86_400_000),
    ]
}

fn end() -> Vec<Case> {
    let of = |name: &'static str, id: &'static str, producer: Option<(i64, i16)>, committed: bool| {
        case(ApiKey::EndTxn, name, move |_, side: &Side| {
            let (producer, epoch) = producer.unwrap_or(side.producer);
            let request = EndTxnRequest::default()
                .with_transactional_id(transactional(id))
                .with_producer_id(ProducerId(producer))
                .with_producer_epoch(epoch)
                .with_committed(committed);
            Some(request.into())
        })
    };
    vec![
        of("an unknown id", "nobody", None, true),
        of("another producer", "tx", Some((123_456, 0)), true),
        of("another epoch", "tx", Some((-2, 99)), true),
        of("commits, then again", "tx", None, true),
        of("aborts what was committed", "tx", None, false),
    ]
}

fn markers() -> Vec<Case> {
    let of = |name: &'static str, topic_name: &str, partition: i32| {
        let topic = WritableTxnMarkerTopic::default()
            .with_name(topic(topic_name))
            .with_partition_indexes(vec![partition]);
        let marker = WritableTxnMarker::default()
            .with_producer_id(ProducerId(777))
            .with_producer_epoch(0)
            .with_transaction_result(true)
            .with_topics(vec![topic])
            .with_coordinator_epoch(0);
        plain(ApiKey::WriteTxnMarkers, name, WriteTxnMarkersRequest::default().with_markers(vec![marker]))
    };
    vec![
        of("a partition", "plain", 0),
        of("an unknown topic", "nowhere", 0),
        of("an unknown partition", "plain", 9),
        of("led elsewhere", "plain", 1),
    ]
}
