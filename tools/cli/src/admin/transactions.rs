//! Transactions as their coordinators know them: listed and described.

use std::collections::BTreeMap;

use gregor_model::TopicPartition;
use kafka_protocol::messages::{
    ApiKey, DescribeTransactionsRequest, ListTransactionsRequest, ProducerId, TransactionalId,
};

use super::coordinator::CoordinatorKind;
use super::{Admin, AdminError, Target, text};

/// The code of a transactional id that no coordinator knows.
pub const TRANSACTIONAL_ID_NOT_FOUND: i16 = 105;

/// A transactional id as its coordinator lists it (`TransactionListing`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The id.
    pub transactional_id: String,
    /// The producer that has it.
    pub producer_id: i64,
    /// `Ongoing`, `Empty` and so on.
    pub state: String,
}

/// A transactional id (`TransactionDescription`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The broker that coordinates it.
    pub coordinator: i32,
    /// The producer that has it.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// `Ongoing`, `Empty` and so on.
    pub state: String,
    /// How long a transaction may take.
    pub timeout_ms: i32,
    /// When the open transaction began, in milliseconds since 1970, if one is open.
    pub start_time_ms: Option<i64>,
    /// The partitions that take part and have no marker yet.
    pub partitions: Vec<TopicPartition>,
}

impl Admin {
    /// The transactional ids that each broker coordinates: those whose transaction has been open for longer than
    /// `duration_ms` (all if negative), and of these producers unless there is none.
    pub async fn list_transactions(
        &mut self,
        duration_ms: i64,
        producer_ids: &[i64],
    ) -> Result<BTreeMap<i32, Vec<TransactionListing>>, AdminError> {
        let mut found = BTreeMap::new();
        for broker in self.live_brokers().await? {
            let build = |version| {
                let ids = producer_ids.iter().copied().map(ProducerId).collect();
                let request = ListTransactionsRequest::default().with_producer_id_filters(ids);
                // Version 0 does not know durations.
                if version >= 1 { request.with_duration_filter(duration_ms) } else { request }
            };
            let target = Target::Broker(broker);
            let answer = self
                .call("listTransactions", ApiKey::ListTransactions, target, build, |answer| answer.error_code)
                .await?;
            AdminError::check(answer.error_code, None)?;
            let listings = answer.transaction_states.iter().map(|listing| TransactionListing {
                transactional_id: listing.transactional_id.to_string(),
                producer_id: listing.producer_id.0,
                state: listing.transaction_state.to_string(),
            });
            found.insert(broker, listings.collect());
        }
        Ok(found)
    }

    /// Describes a transactional id.
    pub async fn describe_transaction(
        &mut self,
        transactional_id: &str,
    ) -> Result<TransactionDescription, AdminError> {
        let build = |_| {
            let id = TransactionalId(text(transactional_id));
            DescribeTransactionsRequest::default().with_transactional_ids(vec![id])
        };
        let (coordinator, answer) = self
            .call_coordinator(
                "describeTransactions",
                ApiKey::DescribeTransactions,
                (CoordinatorKind::Transaction, transactional_id),
                build,
                |answer| answer.transaction_states.first().map_or(0, |state| state.error_code),
            )
            .await?;
        let state =
            answer.transaction_states.first().ok_or(AdminError::Incomplete("DESCRIBE_TRANSACTIONS"))?;
        if state.error_code == TRANSACTIONAL_ID_NOT_FOUND {
            let message = format!(
                "DescribeTransactions request for transactionalId `{transactional_id}` failed because the ID could not be \
                 found"
            );
            return Err(AdminError::refused(TRANSACTIONAL_ID_NOT_FOUND, Some(&message)));
        }
        AdminError::check(state.error_code, None)?;
        let partitions = state.topics.iter().flat_map(|topic| {
            topic.partitions.iter().map(|partition| TopicPartition::new(topic.topic.as_str(), *partition))
        });
        Ok(TransactionDescription {
            coordinator,
            producer_id: state.producer_id.0,
            producer_epoch: state.producer_epoch,
            state: state.transaction_state.to_string(),
            timeout_ms: state.transaction_timeout_ms,
            start_time_ms: Some(state.transaction_start_time_ms).filter(|time| *time >= 0),
            partitions: partitions.collect(),
        })
    }
}
