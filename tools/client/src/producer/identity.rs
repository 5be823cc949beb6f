//! Getting a producer id (InitProducerId), and finding the coordinator of a transactional id.

use std::time::Instant;

use gregor_model::{BrokerId, ProducerEpoch, ProducerId};
use kafka_protocol::messages::{FindCoordinatorRequest, InitProducerIdRequest, TransactionalId};
use kafka_protocol::protocol::StrBytes;

use crate::cluster::{Cluster, Peer, Topics};
use crate::config::ProducerConfig;
use crate::error::Error;
use crate::error_code::ErrorCode;

/// Asks for a producer id, again and again up to `max.block.ms`.
pub(super) async fn obtain(
    cluster: &Cluster,
    config: &ProducerConfig,
) -> Result<(ProducerId, ProducerEpoch), Error> {
    let deadline = Instant::now() + config.max_block;
    loop {
        let error = match attempt(cluster, config).await {
            Ok(identity) => return Ok(identity),
            Err(error) => error,
        };
        let again = match &error {
            Error::Network(_) => true,
            Error::Refused { code, .. } => code.is_retriable() || *code == ErrorCode::CONCURRENT_TRANSACTIONS,
            _ => false,
        };
        if !again || Instant::now() + config.common.retry_backoff >= deadline {
            return Err(error);
        }
        tokio::time::sleep(config.common.retry_backoff).await;
    }
}

async fn attempt(cluster: &Cluster, config: &ProducerConfig) -> Result<(ProducerId, ProducerEpoch), Error> {
    let peer = match &config.transactional_id {
        None => cluster.any_peer().await?,
        Some(id) => transaction_coordinator(cluster, id).await?,
    };
    let timeout_ms = i32::try_from(config.transaction_timeout.as_millis()).unwrap_or(i32::MAX);
    let answer = peer
        .call(|version| {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(config.transactional_id.as_deref().map(wire_id))
                .with_transaction_timeout_ms(timeout_ms);
            if version >= 3 { request.with_producer_id((-1).into()).with_producer_epoch(-1) } else { request }
        })
        .await?;
    ErrorCode::check(answer.error_code)?;
    let id = ProducerId::from_wire(answer.producer_id.0);
    let id = id.ok_or_else(|| Error::Fatal("the broker gave no producer id".to_owned()))?;
    Ok((id, ProducerEpoch(answer.producer_epoch)))
}

/// The broker that coordinates the transactions of an id.
pub(super) async fn transaction_coordinator(cluster: &Cluster, id: &str) -> Result<Peer, Error> {
    const TRANSACTION: i8 = 1;
    let broker = find_coordinator(cluster, id, TRANSACTION).await?;
    cluster.peer(broker).await
}

pub(super) fn wire_id(id: &str) -> TransactionalId {
    TransactionalId(StrBytes::from_string(id.to_owned()))
}

/// The broker that coordinates `key`: a group (kind 0) or a transactional id (kind 1).
pub(crate) async fn find_coordinator(cluster: &Cluster, key: &str, kind: i8) -> Result<BrokerId, Error> {
    let any = cluster.any_peer().await?;
    let key = StrBytes::from_string(key.to_owned());
    let answer = any
        .call(|version| {
            let request = FindCoordinatorRequest::default();
            let request = if version >= 1 { request.with_key_type(kind) } else { request };
            if version >= 4 { request.with_coordinator_keys(vec![key]) } else { request.with_key(key) }
        })
        .await?;
    let (code, message, node) = match answer.coordinators.first() {
        Some(found) => (found.error_code, &found.error_message, found.node_id),
        None => (answer.error_code, &answer.error_message, answer.node_id),
    };
    if let Some(code) = ErrorCode::from_wire(code) {
        return Err(Error::refused(code, message.as_deref().filter(|text| !text.is_empty())));
    }
    let broker = BrokerId(node.0);
    if !cluster.view().brokers.contains_key(&broker) {
        cluster.refresh(Topics::Named { names: &[], create: false }).await?;
    }
    Ok(broker)
}
