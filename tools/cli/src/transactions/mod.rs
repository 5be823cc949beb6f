//! `gregor transactions`: kafka-transactions.sh (`org.apache.kafka.tools.TransactionsCommand`).

mod flags;
mod hanging;
mod show;

use std::collections::HashMap;
use std::process::ExitCode;

use clap::CommandFactory as _;
use gregor_model::TopicPartition;
use jiff::Timestamp;

use crate::admin::producers::AbortSpec;
use crate::admin::transactions::TRANSACTIONAL_ID_NOT_FOUND;
use crate::admin::{Admin, AdminError, open};
use crate::command_line::clap_arguments;
use crate::report;
use flags::{Abort, Action, Flags};
use hanging::{OpenTransaction, candidate};

/// How many partitions are asked for at once.
const BATCH_MAX: usize = 500;

/// Why a command was not carried out; the text is what Kafka's tool prints.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Connect(AdminError),
    #[error("{what}: {source}. Enable debug logging for additional detail.")]
    Call { what: String, source: AdminError },
    #[error("{0}")]
    Usage(&'static str),
    #[error("Could not find any open transactions starting at offset {offset} on partition {partition}")]
    NoTransaction { offset: i64, partition: TopicPartition },
}

/// Says what failed.
fn while_doing(what: impl Into<String>) -> impl FnOnce(AdminError) -> Failure {
    let what = what.into();
    |source| Failure::Call { what, source }
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    if let [flag] = arguments
        && ["-v", "--version"].contains(&flag.as_str())
    {
        println!("{}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    match execute(&flags).await {
        Ok(text) => print!("{text}"),
        Err(failure) => return report::failure(failure),
    }
    ExitCode::SUCCESS
}

async fn execute(flags: &Flags) -> Result<String, Failure> {
    let config = flags.command_config.as_deref();
    let mut admin = open(&flags.bootstrap_server, config).map_err(Failure::Connect)?;
    let now_ms = Timestamp::now().as_millisecond();
    match &flags.action {
        Action::List { duration_filter } => {
            let found = admin.list_transactions(duration_filter.unwrap_or(-1), &[]).await;
            let found = found.map_err(while_doing("Failed to list transactions"))?;
            Ok(if flags.json { line(show::listings_json(&found)) } else { show::listings(&found) })
        }
        Action::Describe { transactional_id: id } => {
            let found = admin.describe_transaction(id).await;
            let what = format!("Failed to describe transaction state of transactional-id `{id}`");
            let found = found.map_err(while_doing(what))?;
            Ok(match flags.json {
                true => line(show::description_json(id, &found, now_ms)),
                false => show::description(id, &found, now_ms),
            })
        }
        Action::DescribeProducers { broker_id, partition } => {
            let partition = partition.get();
            let whom = broker_id.map_or("leader".to_owned(), |id| format!("broker {id}"));
            let what = format!("Failed to describe producers for partition {partition} on {whom}");
            let found = producers_of(&mut admin, &partition, *broker_id).await.map_err(while_doing(what))?;
            Ok(if flags.json { line(show::producers_json(&found)) } else { show::producers(&found) })
        }
        Action::Abort(abort_flags) => abort(&mut admin, abort_flags).await.map(|()| String::new()),
        Action::FindHanging { broker_id, max_transaction_timeout, topic, partition } => {
            let scope = Scope { broker: *broker_id, topic: topic.as_deref(), partition: *partition };
            let max_ms = i64::from(*max_transaction_timeout) * 60_000;
            let found = find_hanging(&mut admin, &scope, now_ms, max_ms).await?;
            Ok(match flags.json {
                true => line(show::hanging_json(&found, now_ms)),
                false => show::hanging(&found, now_ms),
            })
        }
    }
}

fn line(document: serde_json::Value) -> String {
    format!("{document}\n")
}

async fn producers_of(
    admin: &mut Admin,
    partition: &TopicPartition,
    broker: Option<i32>,
) -> Result<Vec<crate::admin::producers::ProducerState>, AdminError> {
    let mut found = admin.describe_producers(vec![partition.clone()], broker).await?;
    found.remove(partition).unwrap_or(Err(AdminError::Incomplete("DESCRIBE_PRODUCERS")))
}

async fn abort(admin: &mut Admin, flags: &Abort) -> Result<(), Failure> {
    let partition = flags.partition.get();
    let spec = match (flags.start_offset, flags.producer_id) {
        (None, None) => {
            return Err(Failure::Usage(
                "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) \
                 or with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
            ));
        }
        (None, Some(producer_id)) => AbortSpec {
            partition,
            producer_id,
            producer_epoch: flags
                .producer_epoch
                .ok_or(Failure::Usage("Missing required argument --producer-epoch"))?,
            // A producer that never ended a transaction has none; 0 is at most any coordinator's.
            coordinator_epoch: flags
                .coordinator_epoch
                .ok_or(Failure::Usage("Missing required argument --coordinator-epoch"))?
                .max(0),
        },
        (Some(offset), _) => spec_of(admin, partition, offset).await?,
    };
    let what = format!(
        "Failed to abort transaction AbortTransactionSpec(topicPartition={}, producerId={}, producerEpoch={}, \
         coordinatorEpoch={})",
        spec.partition, spec.producer_id, spec.producer_epoch, spec.coordinator_epoch
    );
    admin.abort_transaction(&spec).await.map_err(while_doing(what))
}

async fn spec_of(admin: &mut Admin, partition: TopicPartition, offset: i64) -> Result<AbortSpec, Failure> {
    let what = format!("Failed to validate producer state for partition {partition}");
    let producers = producers_of(admin, &partition, None).await.map_err(while_doing(what))?;
    let open = producers.into_iter().find(|producer| producer.transaction_start_offset == Some(offset));
    let Some(producer) = open else { return Err(Failure::NoTransaction { offset, partition }) };
    Ok(AbortSpec {
        partition,
        producer_id: producer.id,
        // The protocol's answer has 32 bits for what has 16.
        producer_epoch: producer.epoch as i16,
        coordinator_epoch: producer.coordinator_epoch.unwrap_or(0),
    })
}

/// Where to search.
struct Scope<'a> {
    broker: Option<i32>,
    topic: Option<&'a str>,
    partition: Option<i32>,
}

async fn find_hanging(
    admin: &mut Admin,
    scope: &Scope<'_>,
    now_ms: i64,
    max_ms: i64,
) -> Result<Vec<OpenTransaction>, Failure> {
    if scope.topic.is_none() && scope.broker.is_none() {
        return Err(Failure::Usage(
            "The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
        ));
    }
    if scope.partition.is_some() && scope.topic.is_none() {
        return Err(Failure::Usage("The --partition argument requires --topic to be provided"));
    }
    let mut candidates = Vec::new();
    for batch in partitions(admin, scope).await?.chunks(BATCH_MAX) {
        let broker = scope.broker.map_or("Optional.empty".to_owned(), |id| format!("Optional[{id}]"));
        let what = format!("Failed to describe producers for {} partitions on broker {broker}", batch.len());
        let found = admin.describe_producers(batch.to_vec(), scope.broker).await;
        for (partition, producers) in found.map_err(while_doing(what.clone()))? {
            let producers = producers.map_err(while_doing(what.clone()))?;
            candidates
                .extend(producers.into_iter().filter_map(|one| candidate(&partition, one, now_ms, max_ms)));
        }
    }
    if candidates.is_empty() {
        return Ok(candidates);
    }
    let mut ids: Vec<i64> = candidates.iter().map(|open| open.producer.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let what = format!("Failed to list transactions for {} producers", ids.len());
    let listings = admin.list_transactions(-1, &ids).await.map_err(while_doing(what))?;
    let transactional_ids: HashMap<i64, String> = listings
        .into_values()
        .flatten()
        .filter(|listing| ids.contains(&listing.producer_id))
        .map(|listing| (listing.producer_id, listing.transactional_id))
        .collect();
    let mut descriptions = HashMap::new();
    for id in transactional_ids.values() {
        let what = format!("Failed to describe {} transactions", transactional_ids.len());
        match admin.describe_transaction(id).await {
            Ok(description) => {
                descriptions.insert(id.clone(), description);
            }
            Err(AdminError::Refused { code: TRANSACTIONAL_ID_NOT_FOUND, .. }) => {}
            Err(error) => return Err(while_doing(what)(error)),
        }
    }
    Ok(hanging::hanging(candidates, &transactional_ids, &descriptions))
}

async fn partitions(admin: &mut Admin, scope: &Scope<'_>) -> Result<Vec<TopicPartition>, Failure> {
    let topics = match (scope.topic, scope.partition) {
        (Some(topic), Some(partition)) => return Ok(vec![TopicPartition::new(topic, partition)]),
        (Some(topic), None) => vec![topic.to_owned()],
        (None, _) => {
            let listed = admin.list_topics().await.map_err(while_doing("Failed to list topics"))?;
            listed.into_iter().map(|(name, _, _)| name).collect()
        }
    };
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let what = format!("Failed to describe {} topics", topics.len());
    let described = admin.describe_topics(&topics).await.map_err(while_doing(what))?;
    let partitions = described.iter().flat_map(|topic| {
        let here = topic
            .partitions
            .iter()
            .filter(|partition| scope.broker.is_none_or(|broker| partition.replicas.contains(&broker)));
        here.map(|partition| TopicPartition::new(topic.name.as_str(), partition.partition))
    });
    Ok(partitions.collect())
}
