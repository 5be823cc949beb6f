//! UpdateMetadata of at least version 5, encoded once for all brokers: between two receivers of the same content only the
//! broker epoch near its beginning differs.

use std::sync::Arc;

use bytes::Bytes;
use gregor_controller_machine::{UpdateMetadataContent, UpdateMetadataPartition, UpdateMetadataRequest};
use gregor_model::{BrokerEndpoints, BrokerId};
use gregor_wire::client::ClientError;
use parking_lot::Mutex;

use super::body::Body;

/// Leader of a partition whose topic is being deleted (`LeaderAndIsr.LeaderDuringDelete`).
const LEADER_DURING_DELETE: i32 = -2;
/// Contents kept encoded: brokers take the same one at about the same time.
const CONTENTS_MAX: usize = 4;
/// About how many bytes a partition takes.
const PARTITION_ROOM: usize = 48;

/// The contents encoded last, without what stands before them. Contents are told apart by identity; holding them keeps
/// their addresses from being used again.
#[derive(Default)]
pub(super) struct EncodedMetadata {
    recent: Mutex<Vec<(Arc<UpdateMetadataContent>, Bytes)>>,
}

impl EncodedMetadata {
    /// The body of a request in two parts: what is for the receiver alone, and what all receivers get. All calls give the
    /// same version.
    pub(super) fn body(
        &self,
        request: &UpdateMetadataRequest,
        controller: BrokerId,
        version: i16,
    ) -> Result<(Bytes, Bytes), ClientError> {
        let shared = match self.find(&request.content) {
            Some(encoded) => encoded,
            None => {
                let encoded = encode(&request.content, version)?;
                let mut recent = self.recent.lock();
                if recent.len() >= CONTENTS_MAX {
                    recent.remove(0);
                }
                recent.push((request.content.clone(), encoded.clone()));
                encoded
            }
        };
        let mut head = Body::new(is_flexible(version), 32);
        head.broker(Some(controller));
        if version >= 8 {
            // The controller is none of KRaft's.
            head.bool(false);
        }
        head.i32(request.controller_epoch.0);
        head.i64(request.broker_epoch.0);
        Ok((head.finish()?, shared))
    }

    fn find(&self, content: &Arc<UpdateMetadataContent>) -> Option<Bytes> {
        let recent = self.recent.lock();
        recent.iter().find(|(known, _)| Arc::ptr_eq(known, content)).map(|(_, encoded)| encoded.clone())
    }
}

fn is_flexible(version: i16) -> bool {
    version >= 6
}

fn encode(content: &UpdateMetadataContent, version: i16) -> Result<Bytes, ClientError> {
    let partitions: usize = content.topics.iter().map(|topic| topic.partitions.len()).sum();
    let mut body = Body::new(is_flexible(version), (partitions + content.topics.len() + 8) * PARTITION_ROOM);
    body.list(content.topics.len());
    for topic in &content.topics {
        body.text(topic.name.as_str());
        if version >= 7 {
            body.topic_id(topic.id);
        }
        body.list(topic.partitions.len());
        topic.partitions.iter().for_each(|partition| put_partition(&mut body, partition));
        body.end();
    }
    body.list(content.live_brokers.len());
    content.live_brokers.iter().for_each(|broker| put_broker(&mut body, broker));
    body.end();
    body.finish()
}

fn put_partition(body: &mut Body, partition: &UpdateMetadataPartition) {
    let leadership = &partition.leadership.leader_and_isr;
    body.i32(partition.partition);
    body.i32(partition.leadership.controller_epoch.0);
    if partition.deleting {
        body.i32(LEADER_DURING_DELETE);
        body.i32(0);
    } else {
        body.broker(leadership.leader);
        body.i32(leadership.leader_epoch.0);
    }
    body.brokers(&leadership.isr);
    body.i32(if partition.deleting { 0 } else { leadership.partition_epoch.0 });
    body.brokers(&partition.assignment.replicas);
    body.brokers(&partition.offline_replicas);
    body.end();
}

fn put_broker(body: &mut Body, broker: &BrokerEndpoints) {
    body.broker(Some(broker.id));
    body.list(broker.endpoints.len());
    for endpoint in &broker.endpoints {
        body.i32(i32::from(endpoint.port));
        body.text(&endpoint.host);
        body.text(endpoint.listener.as_str());
        body.i16(endpoint.protocol.id());
        body.end();
    }
    body.optional_text(broker.rack.as_deref());
    body.end();
}

#[cfg(test)]
mod tests;
