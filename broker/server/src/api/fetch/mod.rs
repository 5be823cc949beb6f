//! Fetch (1), versions 0 to 17: records for consumers and followers (`handleFetchRequest`).
//!
//! Version 3: a limit for the whole answer. 4: isolation level, aborted transactions. 5: log start offset. 7: sessions. 9: leader
//! epochs. 10: zstd. 11: client rack, preferred replica. 12: flexible, diverging epochs. 13: topic ids. 15: replica state. 16: the
//! current leader with NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH. 17: replica directory id. Consumers of versions
//! 0 to 3 are given their records in the format of their time.

mod down_conversion;
mod request;
mod response;

use gregor_log::FetchIsolation;
use gregor_model::{BrokerEpoch, BrokerId, Timestamp};
use gregor_network::Answer;
use gregor_replication::fetch_session::{FetchSessionError, SessionPartition};
use gregor_replication::{FetchParams, FetchRequester};
use kafka_protocol::messages::{FetchRequest, FetchResponse};

use crate::broker::Broker;
use crate::error_code::KafkaError;
use crate::request_context::RequestContext;
use request::Asked;
use response::{Answered, ResponseBuilder};

/// Reads what the request and its session ask for.
pub async fn handle(broker: &Broker, context: &RequestContext, request: FetchRequest) -> Answer {
    fetch(broker, context, request).await.unwrap_or_else(|error| {
        tracing::debug!(client = context.client_id.as_str(), %error, "fetch session error");
        Answer::reply(FetchResponse::default().with_error_code(error.kafka_error().code()))
    })
}

async fn fetch(
    broker: &Broker,
    context: &RequestContext,
    request: FetchRequest,
) -> Result<Answer, FetchSessionError> {
    let snapshot = broker.metadata.snapshot();
    let mut params = params(context, &request);
    let from_follower = matches!(params.requester, FetchRequester::Follower { .. });
    let asked = request::session_request(&request, context.version, from_follower, &snapshot);
    let name_of = |id| snapshot.topic_name(id).cloned();
    let session = broker.replicas.sessions().begin(asked, name_of, Timestamp::now())?;
    params.max_wait_ms = session.max_wait_ms(params.max_wait_ms);
    let results = read(broker, params, request::partitions(session.partitions(), &snapshot)).await;
    let answer = session.finish(results, Answered::summary, Timestamp::now())?;
    let mut builder = ResponseBuilder::new(broker, context);
    for (partition, answered) in &answer.partitions {
        builder.add(partition, answered).await;
    }
    Ok(builder.finish(answer.session_id))
}

/// What came of each partition: first those that were read, then those that could not be.
async fn read(broker: &Broker, params: FetchParams, asked: Vec<Asked>) -> Vec<(SessionPartition, Answered)> {
    let (known, unknown): (Vec<_>, Vec<_>) = asked.into_iter().partition(|asked| asked.known.is_ok());
    let mut partitions = Vec::with_capacity(known.len());
    for asked in &known {
        if let Ok(partition) = &asked.known {
            partitions.push((partition.clone(), asked.fetch));
        }
    }
    let fetched = match partitions.is_empty() {
        true => Vec::new(),
        false => broker.replicas.fetch(params, partitions).await,
    };
    let read = known.into_iter().zip(fetched).map(|(asked, (_, result))| {
        let answered = match result {
            Ok(fetched) => Answered::Read { fetched, wanted: asked.fetch },
            Err(error) => Answered::Failed(error),
        };
        (asked.partition, answered)
    });
    let refused = unknown.into_iter().filter_map(|asked| {
        let error = asked.known.err()?;
        Some((asked.partition, Answered::Unknown(error)))
    });
    read.chain(refused).collect()
}

/// Who asks, and what holds for all partitions.
fn params(context: &RequestContext, request: &FetchRequest) -> FetchParams {
    let version = context.version;
    let (id, epoch) = if version >= 15 {
        (request.replica_state.replica_id.0, BrokerEpoch::from_wire(request.replica_state.replica_epoch))
    } else {
        (request.replica_id.0, None)
    };
    let requester = match BrokerId::from_wire(id) {
        Some(id) => FetchRequester::Follower { id, epoch },
        None => FetchRequester::Consumer { rack: (version >= 11).then(|| request.rack_id.to_string()) },
    };
    let isolation = match request.isolation_level {
        1 => FetchIsolation::TxnCommitted,
        _ => FetchIsolation::HighWatermark,
    };
    FetchParams {
        requester,
        max_wait_ms: request.max_wait_ms,
        min_bytes: request.min_bytes,
        max_bytes: if version >= 3 { request.max_bytes } else { i32::MAX },
        isolation,
        hard_max_bytes: version <= 2,
    }
}

#[cfg(test)]
mod tests;
