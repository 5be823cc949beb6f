//! The controller's way to one broker (`ControllerChannelManager`, `RequestSendThread`): one task, one connection, one
//! request in flight, strictly in order. A request that got no answer is sent again until it gets one or the broker is
//! removed; error answers are never sent again.
//!
//! The queue has no bound of its own: it grows only while the broker is registered but does not answer, which ends with
//! its session, and its entries share their content.
//!
//! A connection that ends is made anew at once: a broker that refuses it for long is gone (see [`crate::refusals`]).

mod answer;
mod body;
mod encode;
mod update_metadata;

use std::sync::Arc;
use std::time::{Duration, Instant};

use gregor_controller_machine::{ControlRequest, Event};
use gregor_model::{BrokerEndpoints, BrokerId, ControllerEpoch, ListenerName};
use gregor_wire::client::{ClientError, Connect, Connection};
use kafka_protocol::messages;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::metrics::{ChannelMetrics, ControllerMetrics};
use crate::refusals::{Departure, News, Refusals};
use crate::settings::{ControlVersions, ControllerSettings};
use update_metadata::EncodedMetadata;

/// Pause before a request is sent again, as in `RequestSendThread`.
const RESEND_PAUSE: Duration = Duration::from_millis(100);

/// Between two tries to connect to a broker that nothing is to be sent to, at most.
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// An event of one controller's term; ignored in any other.
pub(crate) struct TermEvent {
    pub(crate) controller_epoch: ControllerEpoch,
    pub(crate) event: Event,
    /// When it was sent.
    pub(crate) at: Instant,
}

/// What all channels of a term share.
pub(crate) struct ChannelContext {
    pub(crate) controller: BrokerId,
    pub(crate) controller_epoch: ControllerEpoch,
    pub(crate) listener: ListenerName,
    pub(crate) versions: ControlVersions,
    /// See [`crate::ControllerSettings::refusal_timeout`].
    pub(crate) refusal_timeout: Option<Duration>,
    /// The broker whose death brought this term about.
    pub(crate) departed: Option<Departure>,
    pub(crate) connect: Arc<dyn Connect>,
    pub(crate) events: mpsc::Sender<TermEvent>,
    pub(crate) metrics: Arc<ControllerMetrics>,
    encoded: EncodedMetadata,
}

impl ChannelContext {
    pub(crate) fn new(
        settings: &ControllerSettings,
        controller_epoch: ControllerEpoch,
        departed: Option<Departure>,
        connect: Arc<dyn Connect>,
        events: mpsc::Sender<TermEvent>,
        metrics: Arc<ControllerMetrics>,
    ) -> ChannelContext {
        ChannelContext {
            controller: settings.machine.broker_id,
            controller_epoch,
            listener: settings.listener.clone(),
            versions: settings.versions,
            refusal_timeout: settings.refusal_timeout,
            departed,
            connect,
            events,
            metrics,
            encoded: EncodedMetadata::default(),
        }
    }
}

/// The queue to a broker. Dropping it discards what was not sent, the request in flight included.
pub(crate) struct Channel {
    queue: mpsc::UnboundedSender<(Instant, ControlRequest)>,
    metrics: Arc<ChannelMetrics>,
    stop: CancellationToken,
}

impl Channel {
    /// Opens the channel; its task belongs to `tasks`.
    pub(crate) fn open(
        broker: Arc<BrokerEndpoints>,
        context: Arc<ChannelContext>,
        tasks: &TaskTracker,
    ) -> Channel {
        let (queue, requests) = mpsc::unbounded_channel();
        let stop = CancellationToken::new();
        let departed = context.departed.filter(|departed| departed.is_of(&broker));
        let refusals = Refusals::new(context.refusal_timeout, departed);
        let metrics = context.metrics.open_channel(broker.id);
        let sender = Sender {
            broker,
            context,
            metrics: Arc::clone(&metrics),
            connection: None,
            refusals,
            retry: None,
        };
        let stopped = stop.clone();
        tasks.spawn(async move {
            stopped.run_until_cancelled(sender.run(requests)).await;
        });
        Channel { queue, metrics, stop }
    }

    /// Appends a request.
    pub(crate) fn send(&self, request: ControlRequest) {
        self.metrics.queue_size.add(1);
        // Fails only after the task has ended.
        let _ = self.queue.send((Instant::now(), request));
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// Waits until a connection ends; for ever without one.
async fn lost(connection: Option<&Connection>) {
    match connection {
        Some(connection) => connection.closed().await,
        None => std::future::pending().await,
    }
}

/// Waits until then; for ever without a time.
async fn reached(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

struct Sender {
    broker: Arc<BrokerEndpoints>,
    context: Arc<ChannelContext>,
    metrics: Arc<ChannelMetrics>,
    connection: Option<Connection>,
    refusals: Refusals,
    /// While the broker was connected to and is not.
    retry: Option<Retry>,
}

/// The next try to connect to a broker that nothing is to be sent to.
#[derive(Clone, Copy)]
struct Retry {
    at: tokio::time::Instant,
    pause: Duration,
}

impl Retry {
    fn now() -> Retry {
        Retry { at: tokio::time::Instant::now(), pause: RESEND_PAUSE }
    }

    /// After a refusal soon again, after other failures ever later.
    fn after(self, refused: bool) -> Retry {
        let pause = if refused { RESEND_PAUSE } else { self.pause };
        Retry { at: tokio::time::Instant::now() + pause, pause: (2 * pause).min(RETRY_PAUSE_MAX) }
    }
}

impl Sender {
    async fn run(mut self, mut requests: mpsc::UnboundedReceiver<(Instant, ControlRequest)>) {
        loop {
            let (lost, due) = (lost(self.connection.as_ref()), reached(self.retry.map(|retry| retry.at)));
            tokio::select! {
                request = requests.recv() => {
                    let Some((queued, request)) = request else { return };
                    self.metrics.queue_size.add(-1);
                    self.metrics.taken(queued.elapsed());
                    if let Some(event) = self.send_until_answered(&request).await {
                        self.tell(event).await;
                    }
                }
                () = lost => {
                    self.connection = None;
                    self.retry = Some(Retry::now());
                }
                () = due => self.reconnect().await,
            }
        }
    }

    async fn tell(&self, event: Event) {
        let controller_epoch = self.context.controller_epoch;
        // Fails only when the controller has stopped.
        let _ = self.context.events.send(TermEvent { controller_epoch, event, at: Instant::now() }).await;
    }

    /// An idle connection ended: its broker is dead if it refuses a new one for long. The first tries after its death may fail
    /// otherwise, as its port closes after its connections do.
    async fn reconnect(&mut self) {
        if let Err(error) = self.connection().await {
            self.retry = self.retry.map(|retry| retry.after(error.is_refusal()));
        }
    }

    /// Tells what a try to connect says about the broker.
    async fn note(&mut self, news: Option<News>) {
        let (broker, epoch) = (self.broker.id, self.broker.epoch);
        match news {
            Some(News::Refuses) => self.tell(Event::BrokerRefuses(broker, epoch)).await,
            Some(News::Answers) => self.tell(Event::BrokerAnswers(broker, epoch)).await,
            None => {}
        }
    }

    async fn send_until_answered(&mut self, request: &ControlRequest) -> Option<Event> {
        let mut failures: u32 = 0;
        loop {
            let error = match self.send(request).await {
                Ok(event) => return event,
                Err(ClientError::Unencodable(reason)) => {
                    error!(broker = %self.broker.id, reason, "a request cannot be encoded and is dropped");
                    return None;
                }
                Err(error) => error,
            };
            if failures == 0 {
                warn!(broker = %self.broker.id, %error, "request to broker failed, sending again");
            }
            failures = failures.saturating_add(1);
            self.connection = None;
            tokio::time::sleep(RESEND_PAUSE).await;
        }
    }

    async fn connection(&mut self) -> Result<Connection, ClientError> {
        if let Some(connection) = self.connection.as_ref().filter(|connection| !connection.is_closed()) {
            return Ok(connection.clone());
        }
        let Some(endpoint) = self.broker.endpoint(&self.context.listener) else {
            let reason = format!("no endpoint for listener {}", self.context.listener);
            return Err(ClientError::Disconnected(reason));
        };
        let client_id = self.context.controller.to_string();
        let connected = self.context.connect.connect(endpoint, &client_id).await;
        if connected.is_ok() {
            info!(broker = %self.broker.id, host = endpoint.host, port = endpoint.port, "controller connected");
        }
        let news = match &connected {
            Ok(_) => self.refusals.connected(),
            Err(error) if error.is_refusal() => self.refusals.refused(Instant::now()),
            Err(_) => self.refusals.failed(),
        };
        self.note(news).await;
        let connection = connected?;
        self.connection = Some(connection.clone());
        self.retry = None;
        Ok(connection)
    }

    async fn send(&mut self, request: &ControlRequest) -> Result<Option<Event>, ClientError> {
        let connection = self.connection().await?;
        let context = &self.context;
        let broker = self.broker.id;
        match request {
            ControlRequest::LeaderAndIsr(request) => {
                let version = context.versions.leader_and_isr;
                let body = encode::leader_and_isr(request, context.controller, &context.listener, version)?;
                let response =
                    connection.send_encoded::<messages::LeaderAndIsrRequest>(&[], body, version).await?;
                Ok(answer::leader_and_isr(broker, request, &response))
            }
            ControlRequest::UpdateMetadata(request) => {
                let version = context.versions.update_metadata;
                let (head, shared) = context.encoded.body(request, context.controller, version)?;
                let response = connection
                    .send_encoded::<messages::UpdateMetadataRequest>(&head, shared, version)
                    .await?;
                if response.error_code != 0 {
                    warn!(%broker, code = response.error_code, "UpdateMetadata was refused");
                }
                Ok(None)
            }
            ControlRequest::StopReplica(request) => {
                let version = context.versions.stop_replica;
                let mut answers = Vec::new();
                for body in encode::stop_replica(request, context.controller, version) {
                    answers.push(connection.send(body, version).await?);
                }
                Ok(answer::stop_replica(broker, request, &answers))
            }
        }
    }
}
