//! ConsumerGroupHeartbeat of members that join or stay.
//!
//! Joining and staying are one path, which classic members of the group take, too ([`ConsumerGroup::advance`]): note what
//! the member says, raise the group epoch when subscriptions or topics changed, make a target for a raised epoch, and
//! bring the member a step closer to it.

use std::sync::Arc;

use super::super::GroupError;
use super::super::request::{Reply, RequestId};
use super::super::state::{Group, Kind};
use super::super::timers::TimerKind;
use super::super::turn::Turn;
use super::changes::Changes;
use super::reconcile::{self, Target};
use super::request::{ConsumerBeat, ConsumerHeartbeat, JOIN_EPOCH, LEAVE_STATIC_EPOCH, Refused};
use super::state::ConsumerGroup;
use crate::schema::consumer_group::{
    ConsumerRecord, CurrentAssignment, MemberState, MemberValue, SubscribedTopics,
};
use crate::{Assignment, InstanceId, MemberId};

impl Group {
    /// Handles a ConsumerGroupHeartbeat that has passed the gate. A classic group becomes a consumer group first, where
    /// it may.
    pub(in crate::group) fn consumer_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        request: RequestId,
        beat: &ConsumerHeartbeat,
    ) {
        let mut changes = Changes::default();
        let outcome = self.try_heartbeat(turn, &mut changes, beat);
        match (outcome, &mut self.kind) {
            (Ok((beat, mut before)), Kind::Consumer(group)) => {
                if let Some(Kind::Classic(classic)) = &mut before {
                    classic.dissolve(turn, GroupError::RebalanceInProgress);
                    group.start_sessions(turn);
                }
                group.write(turn, changes, before, Some((request, Reply::Consumer(Ok(beat)))));
            }
            (Ok((beat, _)), Kind::Classic(_)) => turn.reply(request, Reply::Consumer(Ok(beat))),
            (Err(refused), _) => turn.reply(request, Reply::Consumer(Err(refused))),
        }
        self.gone |= self.is_vacant();
    }

    fn try_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
        beat: &ConsumerHeartbeat,
    ) -> Result<(ConsumerBeat, Option<Kind>), Refused> {
        let before = match &self.kind {
            Kind::Consumer(_) => None,
            Kind::Classic(_) => Some(self.become_consumer_group(turn, changes, beat.epoch)?),
        };
        let Kind::Consumer(group) = &mut self.kind else {
            return Err(GroupError::UnknownServerError.into());
        };
        match group.heartbeat(turn, changes, beat) {
            Ok(answer) => Ok((answer, before)),
            Err(refused) => {
                group.abandon(std::mem::take(changes));
                if let Some(before) = before {
                    self.kind = before;
                }
                Err(refused)
            }
        }
    }
}

impl ConsumerGroup {
    fn heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
        beat: &ConsumerHeartbeat,
    ) -> Result<ConsumerBeat, Refused> {
        self.check_not_lost()?;
        self.check_room(turn, &beat.member)?;
        let id = match beat.member.is_empty() {
            true => MemberId::from(uuid::Builder::from_random_bytes(beat.random).into_uuid().to_string()),
            false => beat.member.clone(),
        };
        match &beat.instance {
            None => self.admit_dynamic(&id, beat)?,
            Some(instance) => self.admit_static(changes, &id, instance, beat)?,
        }
        let assigned_before = self.current(&id);
        let about = self.about_by_heartbeat(&id, beat);
        self.advance(turn, changes, &id, about, beat.owned.as_ref())?;
        turn.start_timer(&self.id, TimerKind::Session(id.clone()), turn.config.consumer.session_timeout_ms);
        let current = self.current(&id);
        let tell = beat.is_full() || current.assigned != assigned_before.assigned;
        Ok(ConsumerBeat {
            epoch: current.epoch,
            interval_ms: turn.config.consumer.heartbeat_interval_ms,
            assignment: tell.then(|| Arc::new(current.assigned.clone())),
            member: id,
        })
    }

    /// # Errors
    /// The group is full, and this one is not in it.
    pub(super) fn check_room(&self, turn: &Turn<'_>, id: &MemberId) -> Result<(), GroupError> {
        if self.size() >= turn.config.consumer.group_size_max && self.member(id).is_none() {
            return Err(GroupError::GroupMaxSizeReached);
        }
        Ok(())
    }

    fn admit_dynamic(&self, id: &MemberId, beat: &ConsumerHeartbeat) -> Result<(), Refused> {
        match self.member(id) {
            Some(_) => check_epoch(&self.current(id), beat),
            None if beat.epoch == JOIN_EPOCH => Ok(()),
            None => Err(GroupError::UnknownMemberId.into()),
        }
    }

    fn admit_static(
        &mut self,
        changes: &mut Changes,
        id: &MemberId,
        instance: &InstanceId,
        beat: &ConsumerHeartbeat,
    ) -> Result<(), Refused> {
        let known = self.of_instance(instance).cloned();
        match (beat.epoch, known) {
            (JOIN_EPOCH, None) => Ok(()),
            (JOIN_EPOCH, Some(known)) if self.current(&known).epoch == LEAVE_STATIC_EPOCH => {
                self.replace_static(changes, &known, id);
                Ok(())
            }
            // The same one whose answer was lost; only another has to wait until the id is released.
            (JOIN_EPOCH, Some(known)) if known == *id => check_epoch(&self.current(id), beat),
            (JOIN_EPOCH, Some(known)) => Err(Refused::new(
                GroupError::UnreleasedInstanceId,
                format!("Instance id {instance} is owned by member {known}."),
            )),
            (_, None) => Err(GroupError::UnknownMemberId.into()),
            (_, Some(known)) if known != *id => Err(GroupError::FencedInstanceId.into()),
            (_, Some(known)) => check_epoch(&self.current(&known), beat),
        }
    }

    /// A static member comes back under another id and takes everything over (`replaceMember`).
    pub(super) fn replace_static(&mut self, changes: &mut Changes, old: &MemberId, new: &MemberId) {
        let (about, target) = (self.member(old).cloned(), self.target(old));
        let current = CurrentAssignment {
            epoch: JOIN_EPOCH,
            previous_epoch: JOIN_EPOCH,
            ..(*self.current(old)).clone()
        };
        self.remove_records(changes, old);
        self.change(changes, ConsumerRecord::Member(new.clone(), about));
        self.change(changes, ConsumerRecord::Target(new.clone(), Some(target)));
        self.change(changes, ConsumerRecord::Current(new.clone(), Some(Arc::new(current))));
    }

    /// What is known of the member after this heartbeat.
    fn about_by_heartbeat(&self, id: &MemberId, beat: &ConsumerHeartbeat) -> MemberValue {
        let known = self.member(id);
        let topics = beat.topics.as_ref().map(|topics| topics.iter().cloned().collect());
        MemberValue {
            instance: beat.instance.clone().or_else(|| known?.instance.clone()),
            rack: beat.rack.clone().or_else(|| known?.rack.clone()),
            client_id: beat.client_id.clone(),
            client_host: beat.client_host.clone(),
            topics: topics.or_else(|| Some(known?.topics.clone())).unwrap_or_default(),
            // Kafka's own members have the empty pattern where they never gave one.
            regex: known.map_or_else(|| Some("".into()), |known| known.regex.clone()),
            rebalance_timeout_ms: beat
                .rebalance_timeout_ms
                .or_else(|| Some(known?.rebalance_timeout_ms))
                .unwrap_or(-1),
            assignor: beat.assignor.clone().or_else(|| known?.assignor.clone()),
            classic: None,
        }
    }

    /// Notes what a member says of itself, and brings group and member forward from there.
    ///
    /// # Errors
    /// The member has to join anew.
    pub(super) fn advance(
        &mut self,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
        id: &MemberId,
        about: MemberValue,
        owned: Option<&Assignment>,
    ) -> Result<(), Refused> {
        let known = self.member(id);
        let subscription_changed = match known {
            Some(known) => known.topics != about.topics || known.regex != about.regex,
            None => true,
        };
        if known.is_none_or(|known| **known != about) {
            self.change(changes, ConsumerRecord::Member(id.clone(), Some(Arc::new(about))));
        }
        self.refresh_topics(turn, changes, subscription_changed);
        if self.epoch() > self.target_epoch() {
            self.make_target(turn, changes);
        }
        self.reconcile(turn, changes, id, owned)
    }

    /// Raises the group epoch when subscriptions changed, or the topics that exist of them.
    pub(super) fn refresh_topics(
        &mut self,
        turn: &Turn<'_>,
        changes: &mut Changes,
        subscription_changed: bool,
    ) {
        if !subscription_changed && self.topics_seen == Some(turn.topics.version()) {
            return;
        }
        let topics_changed = self.note_topics(turn, changes);
        if subscription_changed || topics_changed {
            self.raise_epoch(changes);
        }
    }

    /// Notes which of the topics subscribed to exist. Says whether that has changed.
    pub(super) fn note_topics(&mut self, turn: &Turn<'_>, changes: &mut Changes) -> bool {
        self.topics_seen = Some(turn.topics.version());
        let found: SubscribedTopics = self
            .subscribed()
            .into_iter()
            .filter_map(|name| Some((name.clone(), turn.topics.find(name)?)))
            .collect();
        let changed = found != *self.topics();
        if changed {
            self.change(changes, ConsumerRecord::Topics(Some(Arc::new(found))));
        }
        changed
    }

    pub(super) fn raise_epoch(&mut self, changes: &mut Changes) {
        let epoch = self.epoch().wrapping_add(1);
        tracing::info!(group = %self.id, epoch, members = self.size(), "consumer group rebalances");
        self.change(changes, ConsumerRecord::Epoch(Some(epoch)));
    }

    /// Brings a member a step closer to its target.
    fn reconcile(
        &mut self,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
        id: &MemberId,
        owned: Option<&Assignment>,
    ) -> Result<(), Refused> {
        let current = self.current(id);
        if current.is_reconciled_to(self.target_epoch()) {
            return Ok(());
        }
        let partitions = self.target(id);
        let target = Target { epoch: self.target_epoch(), partitions: &partitions };
        let next =
            reconcile::next(&current, &target, owned, |topic, partition| self.is_free(topic, partition))?;
        if next == *current {
            return Ok(());
        }
        let revoking = next.state == MemberState::UnrevokedPartitions;
        self.change(changes, ConsumerRecord::Current(id.clone(), Some(Arc::new(next))));
        // Classic members are watched by other timers.
        if let Some(about) = self.member(id).filter(|about| about.classic.is_none()) {
            let timer = TimerKind::Revocation(id.clone());
            match revoking {
                true => turn.start_timer(&self.id, timer, about.rebalance_timeout_ms),
                false => turn.stop_timer(&self.id, timer),
            }
        }
        Ok(())
    }
}

/// The member must name its epoch, or the one before while it does not know better
/// (`throwIfConsumerGroupMemberEpochIsInvalid`).
fn check_epoch(current: &CurrentAssignment, beat: &ConsumerHeartbeat) -> Result<(), Refused> {
    let lost_answer = || {
        beat.epoch == current.previous_epoch
            && beat.owned.as_ref().is_some_and(|owned| owned.is_subset(&current.assigned))
    };
    if beat.epoch == current.epoch || (beat.epoch < current.epoch && lost_answer()) {
        return Ok(());
    }
    Err(Refused::new(
        GroupError::FencedMemberEpoch,
        format!(
            "The member epoch is {}, not {}. The member must abandon all its partitions and rejoin.",
            current.epoch, beat.epoch
        ),
    ))
}
