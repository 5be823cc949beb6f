//! What consumers ask of a partition's groups.

use gregor_model::Timestamp;

use super::super::request::{Effect, Reply, RequestId};
use super::super::state::{Group, Kind};
use super::super::{GroupError, GroupShard};
use super::request::{ConsumerHeartbeat, DescribedConsumerGroup, JOIN_EPOCH, Refused};
use super::state::ConsumerGroup;
use crate::{GroupId, MemberId};

impl GroupShard {
    /// ConsumerGroupHeartbeat.
    pub fn consumer_heartbeat(
        &mut self,
        request: RequestId,
        beat: &ConsumerHeartbeat,
        now: Timestamp,
    ) -> Vec<Effect> {
        let refuse = |refused: Refused| vec![Effect::Reply(request, Reply::Consumer(Err(refused)))];
        if let Err(refused) = beat.check() {
            return refuse(refused);
        }
        if let Some(wanted) = beat.assignor.as_deref()
            && !self.config.consumer.assignors.iter().any(|assignor| assignor.name() == wanted)
        {
            let known: Vec<_> = self.config.consumer.assignors.iter().map(|it| it.name()).collect();
            let reason = format!(
                "ServerAssignor {wanted} is not supported. Supported assignors: {}.",
                known.join(", ")
            );
            return refuse(Refused::new(GroupError::UnsupportedAssignor, reason));
        }
        if !self.groups.contains_key(&beat.group) {
            if beat.epoch != JOIN_EPOCH {
                let reason = format!("Group {} not found.", beat.group);
                return refuse(Refused::new(GroupError::GroupIdNotFound, reason));
            }
            let group = Group::of_consumers(ConsumerGroup::new(beat.group.clone()));
            self.groups.insert(beat.group.clone(), group);
        }
        self.with(&beat.group, now, |group, turn| match beat.epoch {
            JOIN_EPOCH.. => group.consumer_heartbeat(turn, request, beat),
            _ => group.consumer_leave(turn, request, beat),
        })
    }

    /// ConsumerGroupDescribe, one of them.
    ///
    /// # Errors
    /// There is no such group, or it is a classic one.
    pub fn describe_consumers(&self, id: &GroupId) -> Result<DescribedConsumerGroup, GroupError> {
        match self.groups.get(id).map(|group| &group.kind) {
            Some(Kind::Consumer(group)) => Ok(group.describe(&self.config.consumer)),
            Some(Kind::Classic(_)) | None => Err(GroupError::GroupIdNotFound),
        }
    }

    /// Whether one who names a member, its epoch or neither may fetch offsets; a classic group's members name neither.
    ///
    /// # Errors
    /// There is no such member, or its epoch is another.
    pub fn check_fetch(&self, id: &GroupId, member: Option<&MemberId>, epoch: i32) -> Result<(), GroupError> {
        match self.groups.get(id).map(|group| &group.kind) {
            Some(Kind::Consumer(group)) => group.check_fetch(member, epoch),
            Some(Kind::Classic(_)) | None => Ok(()),
        }
    }
}
