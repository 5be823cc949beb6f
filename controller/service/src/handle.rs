//! The controller as the broker's request handlers see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use gregor_controller_machine::{
    AlterReassignmentsRequest, ControllerConfig, ControllerStatistics, ElectLeadersError,
    ElectLeadersRequest, Event, ListReassignmentsRequest, NotController, Reply, RequestId,
    UpdateFeaturesRequest,
};
use gregor_model::{BrokerId, TopicName, TopicPartition};
use kafka_protocol::messages;
use tokio::sync::{mpsc, oneshot};

use crate::metrics::ControllerMetrics;
use crate::rpc::{
    allocate_producer_ids, alter_partition, alter_reassignments, controlled_shutdown, list_reassignments,
    update_features,
};

/// How many requests may wait for the controller; more wait in their connections.
const REQUESTS_MAX: usize = 256;

/// What one asks of the controller's task.
pub(crate) enum Ask {
    /// A request, and where its answer goes.
    Request(Box<dyn FnOnce(RequestId) -> Event + Send>, oneshot::Sender<Reply>),
    /// Something happened that the machine should know.
    Event(Event),
    /// What the machine knows of a topic.
    Standing(TopicName, oneshot::Sender<TopicStanding>),
    /// Counts for metrics.
    Statistics(oneshot::Sender<ControllerStatistics>),
    /// Changed settings.
    Config(ControllerConfig),
}

/// What the active controller knows of a topic and ZooKeeper does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicStanding {
    /// It is queued for deletion.
    pub queued_for_deletion: bool,
    /// One of its partitions is being reassigned.
    pub being_reassigned: bool,
}

/// This broker as controller, active or not. Cheap to clone. Every method answers; when the broker is not the active
/// controller, with the error that Kafka gives.
#[derive(Clone)]
pub struct ControllerHandle {
    asks: mpsc::Sender<(Instant, Ask)>,
    active: Arc<AtomicBool>,
    metrics: Arc<ControllerMetrics>,
}

type ElectLeadersAnswer = Result<Vec<(TopicPartition, Result<BrokerId, ElectLeadersError>)>, NotController>;

impl ControllerHandle {
    pub(crate) fn new(
        active: Arc<AtomicBool>,
        metrics: Arc<ControllerMetrics>,
    ) -> (ControllerHandle, mpsc::Receiver<(Instant, Ask)>) {
        let (asks, receiver) = mpsc::channel(REQUESTS_MAX);
        (ControllerHandle { asks, active, metrics }, receiver)
    }

    /// What was counted since the start.
    pub fn metrics(&self) -> &ControllerMetrics {
        &self.metrics
    }

    /// Whether this broker is the controller.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    /// AlterPartition (56), which came in this version.
    pub async fn alter_partition(
        &self,
        request: messages::AlterPartitionRequest,
        version: i16,
    ) -> messages::AlterPartitionResponse {
        let asked = match alter_partition::decode(request, version) {
            Ok(asked) => asked,
            Err(refused) => return refused,
        };
        let shape = alter_partition::Shape::of(&asked, version);
        match self.ask(|id| Event::AlterPartition(id, asked)).await {
            Some(Reply::AlterPartition(answer)) => shape.answer(answer),
            _ => shape.not_controller(),
        }
    }

    /// ControlledShutdown (7).
    pub async fn controlled_shutdown(
        &self,
        request: messages::ControlledShutdownRequest,
    ) -> messages::ControlledShutdownResponse {
        let asked = match controlled_shutdown::decode(&request) {
            Ok(asked) => asked,
            Err(refused) => return refused,
        };
        match self.ask(|id| Event::ControlledShutdown(id, asked)).await {
            Some(Reply::ControlledShutdown(answer)) => controlled_shutdown::answer(answer),
            _ => controlled_shutdown::not_controller(),
        }
    }

    /// AllocateProducerIds (67).
    pub async fn allocate_producer_ids(
        &self,
        request: messages::AllocateProducerIdsRequest,
    ) -> messages::AllocateProducerIdsResponse {
        let asked = allocate_producer_ids::decode(&request);
        match self.ask(|id| Event::AllocateProducerIds(id, asked)).await {
            Some(Reply::AllocateProducerIds(answer)) => allocate_producer_ids::answer(answer),
            _ => allocate_producer_ids::not_controller(),
        }
    }

    /// Elects leaders (43). The caller waits until the metadata cache shows those elected, then answers.
    pub async fn elect_leaders(&self, request: ElectLeadersRequest) -> ElectLeadersAnswer {
        match self.ask(|id| Event::ElectLeaders(id, request)).await {
            Some(Reply::ElectLeaders(answer)) => answer,
            _ => Err(NotController),
        }
    }

    /// AlterPartitionReassignments (45).
    pub async fn alter_partition_reassignments(
        &self,
        request: &messages::AlterPartitionReassignmentsRequest,
    ) -> messages::AlterPartitionReassignmentsResponse {
        let asked: AlterReassignmentsRequest = alter_reassignments::decode(request);
        match self.ask(|id| Event::AlterReassignments(id, asked)).await {
            Some(Reply::AlterReassignments(answer)) => alter_reassignments::answer(answer),
            _ => alter_reassignments::answer(Err(NotController)),
        }
    }

    /// ListPartitionReassignments (46).
    pub async fn list_partition_reassignments(
        &self,
        request: &messages::ListPartitionReassignmentsRequest,
    ) -> messages::ListPartitionReassignmentsResponse {
        let asked: ListReassignmentsRequest = list_reassignments::decode(request);
        match self.ask(|id| Event::ListReassignments(id, asked)).await {
            Some(Reply::ListReassignments(answer)) => list_reassignments::answer(answer),
            _ => list_reassignments::answer(Err(NotController)),
        }
    }

    /// UpdateFeatures (57).
    pub async fn update_features(
        &self,
        request: &messages::UpdateFeaturesRequest,
        version: i16,
    ) -> messages::UpdateFeaturesResponse {
        let asked: UpdateFeaturesRequest = update_features::decode(request, version);
        match self.ask(|id| Event::UpdateFeatures(id, asked)).await {
            Some(Reply::UpdateFeatures(answer)) => update_features::answer(answer),
            _ => update_features::answer(Err(NotController)),
        }
    }

    /// What the active controller knows of a topic; [`NotController`] when this broker is not it.
    pub async fn topic_standing(&self, topic: &TopicName) -> Result<TopicStanding, NotController> {
        if !self.is_active() {
            return Err(NotController);
        }
        let (sender, answer) = oneshot::channel();
        self.send(Ask::Standing(topic.clone(), sender)).await.map_err(|_| NotController)?;
        answer.await.map_err(|_| NotController)
    }

    /// `unclean.leader.election.enable` became true for a topic, or (`None`) as this broker's default: partitions
    /// without a leader may get one now.
    pub async fn unclean_election_enabled(&self, topic: Option<TopicName>) {
        if self.is_active() {
            // When the service has stopped there is no one to tell.
            let _ = self.send(Ask::Event(Event::UncleanElectionEnabled(topic))).await;
        }
    }

    /// Counts for metrics; all zero when this broker is not the controller.
    pub async fn statistics(&self) -> ControllerStatistics {
        if !self.is_active() {
            return ControllerStatistics::default();
        }
        let (sender, answer) = oneshot::channel();
        // A service that has stopped counts nothing.
        let _ = self.send(Ask::Statistics(sender)).await;
        answer.await.unwrap_or_default()
    }

    /// Settings of the machine changed.
    pub async fn set_config(&self, config: ControllerConfig) {
        let _ = self.send(Ask::Config(config)).await;
    }

    /// An error when the service has stopped.
    async fn send(&self, ask: Ask) -> Result<(), mpsc::error::SendError<(Instant, Ask)>> {
        self.asks.send((Instant::now(), ask)).await
    }

    /// `None` when the service has stopped.
    async fn ask(&self, event: impl FnOnce(RequestId) -> Event + Send + 'static) -> Option<Reply> {
        let (sender, answer) = oneshot::channel();
        self.send(Ask::Request(Box::new(event), sender)).await.ok()?;
        answer.await.ok()
    }
}
