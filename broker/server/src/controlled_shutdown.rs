//! Leaving in good order (`KafkaServer.controlledShutdown`): the controller moves our leaderships away before we stop.

use std::sync::Arc;

use gregor_model::{BrokerEpoch, BrokerId, ListenerName};
use gregor_wire::client::{ClientError, Connect};
use kafka_protocol::messages::{ControlledShutdownRequest, ControlledShutdownResponse};

use crate::metadata_cache::MetadataCache;
use crate::settings::ControlledShutdownSettings;

/// The version sent without asking; `inter.broker.protocol.version` 2.2 and later.
const VERSION: i16 = 3;

/// Who leaves, and how the controller is reached.
pub struct ControlledShutdown {
    /// This broker.
    pub id: BrokerId,
    /// Its registration.
    pub epoch: Option<BrokerEpoch>,
    /// The inter-broker listener: also with a control plane, this request takes it.
    pub listener: ListenerName,
    /// Where the controller is.
    pub metadata: Arc<MetadataCache>,
    /// How to connect.
    pub connect: Arc<dyn Connect>,
}

/// Why an attempt did not succeed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("no controller is known")]
    NoController,
    #[error(transparent)]
    Unreachable(#[from] ClientError),
    #[error("the controller answered error code {0}")]
    Refused(i16),
    #[error("{0} partitions are still led here")]
    Remaining(usize),
}

impl ControlledShutdown {
    /// Asks the controller, several times if need be. Whatever comes of it, the broker then stops: `false` means that
    /// others will have to notice.
    pub async fn run(&self, settings: ControlledShutdownSettings) -> bool {
        for attempt in 1..=settings.attempts {
            match self.attempt().await {
                Ok(()) => {
                    tracing::info!("controlled shutdown succeeded");
                    return true;
                }
                Err(failure) => {
                    tracing::warn!(attempt, of = settings.attempts, %failure, "controlled shutdown did not succeed");
                }
            }
            if attempt < settings.attempts {
                tokio::time::sleep(settings.backoff).await;
            }
        }
        tracing::warn!("proceeding to an unclean shutdown: the controlled one failed");
        false
    }

    async fn attempt(&self) -> Result<(), Failure> {
        let snapshot = self.metadata.snapshot();
        let controller = snapshot.controller().ok_or(Failure::NoController)?;
        let endpoint = snapshot.endpoint(controller, &self.listener).ok_or(Failure::NoController)?;
        let connection = self.connect.connect(endpoint, &self.id.to_string()).await?;
        let request = ControlledShutdownRequest::default()
            .with_broker_id(self.id.0.into())
            .with_broker_epoch(BrokerEpoch::to_wire(self.epoch));
        let answer: ControlledShutdownResponse = connection.send(request, VERSION).await?;
        match (answer.error_code, answer.remaining_partitions.len()) {
            (0, 0) => Ok(()),
            (0, remaining) => Err(Failure::Remaining(remaining)),
            (code, _) => Err(Failure::Refused(code)),
        }
    }
}
