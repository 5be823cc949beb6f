//! `gregor cluster`: kafka-cluster.sh (`org.apache.kafka.tools.ClusterTool`).

use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use kafka_protocol::messages::{ApiKey, BrokerId, UnregisterBrokerRequest};

use crate::admin::{Admin, AdminError, Target, open};
use crate::command_line::clap_arguments;
use crate::report;

/// The Kafka cluster tool.
#[derive(Clone, Debug, Parser)]
#[command(name = "gregor cluster")]
struct Flags {
    #[command(subcommand)]
    action: Action,
}

#[derive(Clone, Debug, Subcommand)]
enum Action {
    /// Get information about the ID of a cluster.
    ClusterId {
        #[command(flatten)]
        connection: Connection,
        /// Print a JSON document instead, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Unregister a broker; only clusters without ZooKeeper can.
    Unregister {
        #[command(flatten)]
        connection: Connection,
        /// The ID of the broker to unregister.
        #[arg(long, short)]
        id: i32,
    },
}

#[derive(Clone, Debug, Args)]
struct Connection {
    /// Brokers of the cluster, as host:port, by commas.
    #[arg(long, short, value_name = "BOOTSTRAP_SERVER")]
    bootstrap_server: String,
    /// Client properties.
    #[arg(long, short, value_name = "CONFIG", value_hint = clap::ValueHint::FilePath)]
    config: Option<String>,
}

/// This tool's flags.
pub fn command() -> clap::Command {
    Flags::command()
}

/// Runs the tool.
pub async fn run(arguments: &[String]) -> ExitCode {
    let flags: Flags = match clap_arguments(arguments) {
        Ok(flags) => flags,
        Err(code) => return code,
    };
    let outcome = match &flags.action {
        Action::ClusterId { connection, json } => cluster_id(connection, *json).await,
        Action::Unregister { connection, id } => unregister(connection, *id).await,
    };
    match outcome {
        Ok(line) => println!("{line}"),
        Err(error) => return report::failure(error),
    }
    ExitCode::SUCCESS
}

fn connect(connection: &Connection) -> Result<Admin, AdminError> {
    open(&connection.bootstrap_server, connection.config.as_deref())
}

async fn cluster_id(connection: &Connection, json: bool) -> Result<String, AdminError> {
    let id = connect(connection)?.describe_cluster().await?.id;
    Ok(match id {
        id if json => serde_json::json!({ "clusterId": id }).to_string(),
        Some(id) => format!("Cluster ID: {id}"),
        None => "No cluster ID found. The Kafka version is probably too old.".to_owned(),
    })
}

async fn unregister(connection: &Connection, id: i32) -> Result<String, AdminError> {
    let mut admin = connect(connection)?;
    let build = |_| UnregisterBrokerRequest::default().with_broker_id(BrokerId(id));
    let answer = admin
        .call("unregisterBroker", ApiKey::UnregisterBroker, Target::Any, build, |answer| answer.error_code)
        .await;
    match answer {
        Ok(answer) => AdminError::check(answer.error_code, answer.error_message.as_deref())
            .map(|()| format!("Broker {id} is no longer registered.")),
        Err(AdminError::Unsupported(_)) => {
            Ok("The target cluster does not support the broker unregistration API.".to_owned())
        }
        Err(error) => Err(error),
    }
}
