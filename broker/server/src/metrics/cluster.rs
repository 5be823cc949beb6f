//! What surrounds the logs: connections, ZooKeeper, the controller, groups.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use gregor_controller_service::ControllerMetrics;
use gregor_metrics::Exposition;
use gregor_model::Timestamp;
use gregor_network::ListenerStats;
use gregor_zookeeper::{Session, SessionState};

use crate::broker::Broker;

/// Connections by listener (`socket-server-metrics`). Rates are means since the start; Prometheus makes its own of the
/// counters beside them.
pub(super) fn tell_connections(page: &mut Exposition, listeners: &[Arc<ListenerStats>], began: Instant) {
    let seconds = began.elapsed().as_secs_f64().max(1.0);
    let server = "kafka_server_socketservermetrics_connection";
    for stats in listeners {
        let labels = [("listener", stats.listener.as_str())];
        let (created, closed) = (stats.created.get(), stats.closed.get());
        page.gauge(&format!("{server}_count"), "Connections.", &labels, stats.connections() as f64);
        page.counter(&format!("{server}_creation_total"), "Connections made.", &labels, created);
        page.counter(&format!("{server}_close_total"), "Connections ended.", &labels, closed);
        let help = "Per second, since the start.";
        page.gauge(&format!("{server}_creation_rate"), help, &labels, created as f64 / seconds);
        page.gauge(&format!("{server}_close_rate"), help, &labels, closed as f64 / seconds);
        page.counter(
            "kafka_network_acceptor_acceptorblockedpercent_count",
            "How long connections waited because there were too many, in nanoseconds.",
            &labels,
            stats.blocked_nanos.get(),
        );
        page.counter(
            "gregor_network_connections_refused_total",
            "Connections refused because their address has too many.",
            &labels,
            stats.refused.get(),
        );
    }
    page.gauge(
        "kafka_network_requestchannel_responsequeuesize",
        "Answers that wait to be written.",
        &[],
        listeners.iter().map(|stats| stats.unsent_answers()).sum::<u64>() as f64,
    );
}

/// The session and how fast ZooKeeper answers.
pub(super) fn tell_zookeeper(page: &mut Exposition, session: &Session, now: Timestamp) {
    let metrics = session.metrics();
    page.summary(
        "kafka_server_zookeeperclientmetrics_zookeeperrequestlatencyms",
        "From a request to ZooKeeper to its answer, in milliseconds.",
        &[],
        &metrics.request_latency.quantiles(now),
        1000.0,
    );
    let listener = "kafka_server_sessionexpirelistener";
    for (name, help, counter) in [
        ("zookeepersyncconnects", "Connections to ZooKeeper made.", &metrics.connects),
        ("zookeeperdisconnects", "Connections to ZooKeeper lost.", &metrics.disconnects),
        ("zookeeperexpires", "ZooKeeper sessions expired.", &metrics.expires),
        ("zookeeperauthfailures", "Logins that ZooKeeper refused.", &metrics.auth_failures),
    ] {
        page.counter(&format!("{listener}_{name}_total"), help, &[], counter.get());
    }
    for (name, help, counter) in [
        (
            "oversizedrequests",
            "Requests that no ZooKeeper server takes (jute.maxbuffer).",
            &metrics.oversized_requests,
        ),
        (
            "oversizedlistings",
            "Listings of ZooKeeper's that Kafka's brokers cannot read (jute.maxbuffer).",
            &metrics.oversized_listings,
        ),
    ] {
        page.counter(&format!("gregor_zookeeper_{name}_total"), help, &[], counter.get());
    }
    let connected = session.status().state == SessionState::Connected;
    page.gauge(
        &format!("{listener}_sessionstate"),
        "1 while connected to ZooKeeper.",
        &[],
        f64::from(u8::from(connected)),
    );
}

/// The controller; all zero but on the active one, as in Kafka.
pub(super) async fn tell_controller(page: &mut Exposition, broker: &Broker, now: Timestamp) {
    let counts = broker.controller.statistics().await;
    let active = usize::from(broker.controller.is_active());
    for (name, help, value) in [
        ("activecontrollercount", "1 on the controller.", active),
        ("activebrokercount", "Brokers alive.", counts.active_brokers),
        ("globaltopiccount", "Topics.", counts.topics),
        ("globalpartitioncount", "Partitions.", counts.partitions),
        ("offlinepartitionscount", "Partitions without a leader.", counts.offline_partitions),
        (
            "preferredreplicaimbalancecount",
            "Partitions whose leader is not the preferred one.",
            counts.preferred_replica_imbalance,
        ),
        ("topicstodeletecount", "Topics to be deleted.", counts.topics_to_delete),
        ("replicastodeletecount", "Replicas to be deleted.", counts.replicas_to_delete),
        (
            "topicsineligibletodeletecount",
            "Topics that cannot be deleted yet.",
            counts.topics_ineligible_to_delete,
        ),
        (
            "replicasineligibletodeletecount",
            "Replicas that cannot be deleted yet.",
            counts.replicas_ineligible_to_delete,
        ),
    ] {
        page.gauge(&format!("kafka_controller_kafkacontroller_{name}"), help, &[], value as f64);
    }
    page.gauge(
        "kafka_server_replicamanager_reassigningpartitions",
        "Partitions being reassigned, told by the controller.",
        &[],
        counts.reassigning_partitions as f64,
    );
    let metrics = broker.controller.metrics();
    tell_channels(page, metrics, now);
    page.gauge(
        "kafka_controller_kafkacontroller_controllerstate",
        "What the controller is doing: 0 nothing, 1 taking office, 2 brokers, 3 topics, 4 deletions, 5 reassignments, and so on as Kafka's ControllerState.",
        &[],
        metrics.state.get() as f64,
    );
    let events = "kafka_controller_controllereventmanager_eventqueue";
    let help = "Events that wait for the controller.";
    page.gauge(&format!("{events}size"), help, &[], metrics.event_queue_size.get() as f64);
    let help = "How long events waited for the controller, in milliseconds.";
    page.summary(&format!("{events}timems"), help, &[], &metrics.event_queue_time.quantiles(now), 1000.0);
    page.summary(
        "gregor_controller_event_processing_ms",
        "How long the controller took for an event, in milliseconds.",
        &[],
        &metrics.event_processing_time.quantiles(now),
        1000.0,
    );
    let stats = "kafka_controller_controllerstats";
    let elections = metrics.leader_elections.get();
    let help = "Leaders elected.";
    page.counter(&format!("{stats}_leaderelectionrateandtimems_count"), help, &[], elections);
    page.counter(
        &format!("{stats}_uncleanleaderelections_total"),
        "Leaders elected that were not in sync.",
        &[],
        metrics.unclean_leader_elections.get(),
    );
}

/// The controller's requests to each broker (`ControllerChannelManager`).
fn tell_channels(page: &mut Exposition, metrics: &ControllerMetrics, now: Timestamp) {
    let manager = "kafka_controller_controllerchannelmanager";
    let channels = metrics.channels();
    let total: i64 = channels.iter().map(|(_, channel)| channel.queue_size.get()).sum();
    let help = "Requests to brokers that wait to be sent.";
    page.gauge(&format!("{manager}_totalqueuesize"), help, &[], total as f64);
    for (broker, channel) in channels {
        let id = broker.to_string();
        let labels = [("broker_id", id.as_str())];
        let waiting = channel.queue_size.get() as f64;
        page.gauge(&format!("{manager}_queuesize"), "Those to one broker.", &labels, waiting);
        page.summary(
            &format!("{manager}_requestrateandqueuetimems"),
            "How long requests to a broker waited to be sent, in milliseconds.",
            &labels,
            &channel.queue_time.quantiles(now),
            1000.0,
        );
    }
}

/// Markers that cannot be brought to where they belong, for now (`TransactionMarkerChannelManager`).
pub(super) async fn tell_transactions(page: &mut Exposition, broker: &Broker) {
    let transactions = &broker.coordinators.transactions;
    let manager = "kafka_coordinator_transaction_transactionmarkerchannelmanager";
    page.gauge(
        &format!("{manager}_unknowndestinationqueuesize"),
        "Markers of transactions that wait for a partition's leader to be known.",
        &[],
        transactions.unresolved_markers() as f64,
    );
    page.gauge(
        &format!("{manager}_logappendretryqueuesize"),
        "Transactions whose markers are written, and whose end could not be stored yet.",
        &[],
        transactions.incomplete().await as f64,
    );
}

/// The groups that are coordinated here, by state (`GroupMetadataManager`).
pub(super) async fn tell_groups(page: &mut Exposition, broker: &Broker) {
    const STATES: [&str; 5] = ["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty"];
    let (groups, _) = broker.coordinators.groups.list().await;
    let mut by_state: BTreeMap<&str, usize> = STATES.iter().map(|state| (*state, 0)).collect();
    for group in &groups {
        *by_state.entry(group.state).or_default() += 1;
    }
    page.gauge(
        "kafka_coordinator_group_groupmetadatamanager_numoffsets",
        "Offsets that groups coordinated here have committed.",
        &[],
        broker.coordinators.groups.offset_count().await as f64,
    );
    let manager = "kafka_coordinator_group_groupmetadatamanager_numgroups";
    page.gauge(manager, "Groups coordinated here.", &[], groups.len() as f64);
    for (state, count) in by_state {
        let name = format!("{manager}{}", state.to_ascii_lowercase());
        page.gauge(&name, "Groups in this state.", &[], count as f64);
    }
}
