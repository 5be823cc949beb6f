//! The words and flags of `gregor transactions` (`TransactionsCommand`).

use clap::{Args, Parser, Subcommand};
use gregor_model::TopicPartition;

/// Analyzes the transactional state of producers in the cluster. It can detect hanging transactions, and recover from them.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor transactions")]
pub struct Flags {
    /// Brokers of the cluster, as host:port, by commas
    #[arg(long, value_name = "HOST:PORT")]
    pub bootstrap_server: String,
    /// Client properties
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub command_config: Option<String>,
    /// Print a JSON document instead, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Action {
    /// List transactions
    List {
        /// Only transactions open for longer than this many milliseconds; all if negative
        #[arg(long, allow_negative_numbers = true)]
        duration_filter: Option<i64>,
    },
    /// Describe the state of an active transactional-id
    Describe {
        /// Transactional id
        #[arg(long)]
        transactional_id: String,
    },
    /// Describe the states of active producers for a topic partition
    DescribeProducers {
        /// The replica to ask; the leader if it is not given
        #[arg(long)]
        broker_id: Option<i32>,
        /// Where
        #[command(flatten)]
        partition: Partition,
    },
    /// Abort a hanging transaction (requires administrative privileges)
    Abort(Abort),
    /// Find hanging transactions
    FindHanging {
        /// Only partitions of this broker
        #[arg(long)]
        broker_id: Option<i32>,
        /// How long a transaction may take, in minutes
        #[arg(long, default_value_t = 15)]
        max_transaction_timeout: i32,
        /// Only this topic; needed if --partition is given
        #[arg(long)]
        topic: Option<String>,
        /// Only this partition
        #[arg(long)]
        partition: Option<i32>,
    },
}

/// A partition.
#[derive(Clone, Debug, Args)]
pub struct Partition {
    /// Topic name
    #[arg(long)]
    topic: String,
    /// Partition number
    #[arg(long)]
    partition: i32,
}

impl Partition {
    /// As a value.
    pub fn get(&self) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), self.partition)
    }
}

/// Which transaction to abort.
#[derive(Clone, Debug, Args)]
pub struct Abort {
    /// Where
    #[command(flatten)]
    pub partition: Partition,
    /// Start offset of the transaction; enough for brokers from 3.0 on
    #[arg(long)]
    pub start_offset: Option<i64>,
    /// Producer id, for older brokers
    #[arg(long)]
    pub producer_id: Option<i64>,
    /// Producer epoch, for older brokers
    #[arg(long)]
    pub producer_epoch: Option<i16>,
    /// Coordinator epoch, for older brokers
    #[arg(long, allow_negative_numbers = true)]
    pub coordinator_epoch: Option<i32>,
}
