//! What administrators ask: DeleteGroups, OffsetDelete, DescribeGroups, ListGroups.

use std::sync::Arc;

use gregor_model::TopicPartition;

use super::GroupError;
use super::request::{CommitResults, DescribedGroup, DescribedMember, ListedGroup};
use super::state::{Group, GroupState};
use super::turn::Turn;

impl Group {
    /// Empties the group and leaves tombstones for all it had.
    ///
    /// # Errors
    /// It has members, or is already gone.
    pub(super) fn delete(&mut self, turn: &mut Turn<'_>) -> Result<(), GroupError> {
        match self.state {
            GroupState::Dead => Err(GroupError::GroupIdNotFound),
            GroupState::Empty => {
                let offsets = self.offsets.drain();
                self.write_tombstones(turn, offsets, true);
                self.die(turn, GroupError::NotCoordinator, turn.now);
                Ok(())
            }
            GroupState::Stable | GroupState::PreparingRebalance | GroupState::CompletingRebalance => {
                Err(GroupError::NonEmptyGroup)
            }
        }
    }

    /// Forgets the offsets of partitions that no member subscribes to.
    ///
    /// # Errors
    /// The group as a whole does not allow it.
    pub(super) fn delete_offsets(
        &mut self,
        turn: &mut Turn<'_>,
        partitions: Vec<TopicPartition>,
    ) -> Result<CommitResults, GroupError> {
        let consumers = self.protocol_type.as_deref() == Some("consumer");
        match self.state {
            GroupState::Dead => return Err(GroupError::GroupIdNotFound),
            GroupState::Empty => {}
            _ if consumers => {}
            _ => return Err(GroupError::NonEmptyGroup),
        }
        let in_use = |group: &Group, partition: &TopicPartition| {
            group.state != GroupState::Empty && group.is_subscribed(&partition.topic)
        };
        let mut deleted = Vec::new();
        let mut results = Vec::new();
        for partition in partitions {
            if in_use(self, &partition) {
                results.push((partition, Err(GroupError::GroupSubscribedToTopic)));
                continue;
            }
            if self.offsets.delete(&partition) {
                deleted.push(partition.clone());
            }
            results.push((partition, Ok(())));
        }
        self.write_tombstones(turn, deleted, false);
        Ok(results)
    }

    /// The topics of these partitions are deleted: their offsets go too.
    pub(super) fn forget_partitions(&mut self, turn: &mut Turn<'_>, partitions: &[TopicPartition]) {
        let deleted = partitions.iter().filter(|partition| self.offsets.delete(partition)).cloned().collect();
        self.write_tombstones(turn, deleted, false);
    }

    pub(super) fn describe(&self) -> DescribedGroup {
        let stable = self.state == GroupState::Stable;
        let none: Arc<str> = "".into();
        let protocol = self.protocol.clone().filter(|_| stable).unwrap_or_else(|| none.clone());
        let members = self
            .members
            .values()
            .map(|member| DescribedMember {
                member: member.id.clone(),
                instance: member.instance.clone(),
                client_id: member.client_id.clone(),
                client_host: member.client_host.clone(),
                metadata: if stable { member.metadata(&protocol) } else { bytes::Bytes::new() },
                assignment: if stable { member.assignment.clone() } else { bytes::Bytes::new() },
            })
            .collect();
        DescribedGroup {
            state: self.state.name(),
            protocol_type: self.protocol_type.clone().unwrap_or(none),
            protocol,
            members,
        }
    }

    pub(super) fn list(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            state: self.state.name(),
        }
    }
}
