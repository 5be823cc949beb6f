//! A consumer group as ListGroups and ConsumerGroupDescribe tell it.

use std::sync::Arc;

use super::super::request::{GroupType, ListedGroup};
use super::config::ConsumerGroupConfig;
use super::request::{DescribedConsumer, DescribedConsumerGroup};
use super::state::ConsumerGroup;
use crate::schema::consumer_protocol::PROTOCOL_TYPE;

impl ConsumerGroup {
    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: PROTOCOL_TYPE.into(),
            state: self.state(),
            kind: GroupType::Consumer,
        }
    }

    pub(in crate::group) fn describe(&self, config: &ConsumerGroupConfig) -> DescribedConsumerGroup {
        let members = self.members().map(|(id, about)| {
            let current = self.current(id);
            DescribedConsumer {
                member: id.clone(),
                instance: about.instance.clone(),
                rack: about.rack.clone(),
                epoch: current.epoch,
                client_id: about.client_id.clone(),
                client_host: about.client_host.clone(),
                topics: about.topics.iter().cloned().collect(),
                regex: about.regex.clone(),
                assigned: Arc::new(current.assigned.clone()),
                target: self.target(id),
            }
        });
        DescribedConsumerGroup {
            state: self.state(),
            epoch: self.epoch(),
            target_epoch: self.target_epoch(),
            assignor: self.assignor(config).name(),
            members: members.collect(),
        }
    }
}
