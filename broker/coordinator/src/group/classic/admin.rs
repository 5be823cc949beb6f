//! What others ask of a classic group: may this member commit, how long do its offsets live, how does it look.

use std::sync::Arc;

use gregor_model::{Timestamp, TopicName};

use super::super::GroupError;
use super::super::request::{Commit, DescribedGroup, DescribedMember, GroupType, ListedGroup};
use super::state::{ClassicGroup, ClassicState};
use crate::schema::offset::OffsetValue;

impl ClassicGroup {
    /// Who may commit in which state (`validateOffsetCommit`).
    ///
    /// # Errors
    /// The claim does not hold, or the group is about to be given its assignment.
    pub(in crate::group) fn check_commit(&self, commit: &Commit) -> Result<(), GroupError> {
        let claim = &commit.claim;
        if self.state == ClassicState::Dead {
            return Err(GroupError::CoordinatorNotAvailable);
        }
        if claim.generation < 0 && self.state == ClassicState::Empty {
            return Ok(());
        }
        if claim.generation >= 0 || !claim.member.is_empty() || claim.instance.is_some() {
            self.check_member(&claim.member, claim.instance.as_ref())?;
            if claim.generation != self.generation {
                return Err(GroupError::IllegalGeneration);
            }
        } else if commit.producer.is_none() && self.state != ClassicState::Empty {
            // Producers older than Kafka 2.5 name no member with their transactional commits, others must.
            return Err(GroupError::UnknownMemberId);
        }
        if commit.producer.is_none() && self.state == ClassicState::CompletingRebalance {
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// From when on an offset ages; `None` while it does not (`removeExpiredOffsets`).
    pub(in crate::group) fn expires_from(&self, topic: &TopicName, value: &OffsetValue) -> Option<Timestamp> {
        match (&self.protocol_type, self.state) {
            (Some(_), ClassicState::Empty) => Some(self.state_since.unwrap_or(value.committed_at)),
            (Some(kind), ClassicState::Stable) if &**kind == "consumer" && self.subscribed.is_some() => {
                (!self.is_subscribed(topic)).then_some(value.committed_at)
            }
            (None, _) => Some(value.committed_at),
            _ => None,
        }
    }

    /// As DescribeGroups tells it.
    pub(in crate::group) fn describe(&self) -> DescribedGroup {
        let stable = self.state == ClassicState::Stable;
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

    /// As ListGroups tells it.
    pub(in crate::group) fn list(&self) -> ListedGroup {
        ListedGroup {
            group: self.id.clone(),
            protocol_type: self.protocol_type.clone().unwrap_or_else(|| "".into()),
            state: self.state.name(),
            kind: GroupType::Classic,
        }
    }
}
