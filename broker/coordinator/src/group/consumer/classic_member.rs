//! Classic members of a consumer group: they join, sync and beat as ever, and are assigned to by the coordinator.
//!
//! To such a member its epoch is the generation. It is told to join again whenever it has a step to make.

use std::sync::Arc;

use super::super::GroupError;
use super::super::request::{Claim, Join, Joined, Leaver, Reply, RequestId, Sync, Synced};
use super::super::timers::TimerKind;
use super::super::turn::Turn;
use super::changes::Changes;
use super::migration::by_topic_id;
use super::request::Refused;
use super::state::ConsumerGroup;
use crate::schema::consumer_group::{ClassicMember, MemberState, MemberValue};
use crate::schema::consumer_protocol::{PROTOCOL_TYPE, Subscription, encode_assignment};
use crate::{Assignment, MemberId};

impl ConsumerGroup {
    /// JoinGroup (`classicGroupJoinToConsumerGroup`).
    pub(in crate::group) fn classic_join(&mut self, turn: &mut Turn<'_>, request: RequestId, join: &Join) {
        let id = match join.member.is_empty() {
            true => MemberId::from(uuid::Builder::from_random_bytes(join.random).into_uuid().to_string()),
            false => join.member.clone(),
        };
        let mut changes = Changes::default();
        match self.try_classic_join(turn, &mut changes, join, &id) {
            Ok(joined) => self.write(turn, changes, None, Some((request, Reply::Join(joined)))),
            Err(refused) => {
                self.abandon(changes);
                let named = match refused.error {
                    GroupError::MemberIdRequired => id,
                    _ => join.member.clone(),
                };
                turn.reply(request, Reply::Join(Joined::refused(named, refused.error)));
            }
        }
    }

    fn try_classic_join(
        &mut self,
        turn: &mut Turn<'_>,
        changes: &mut Changes,
        join: &Join,
        id: &MemberId,
    ) -> Result<Joined, Refused> {
        self.check_not_lost()?;
        self.check_room(turn, id)?;
        let first = join.protocols.first().filter(|_| self.supports(join));
        let first = first.ok_or(GroupError::InconsistentGroupProtocol)?;
        if join.member.is_empty() && join.instance.is_none() && join.member_id_required {
            return Err(GroupError::MemberIdRequired.into());
        }
        let subscription =
            Subscription::decode(&first.metadata).map_err(|_| GroupError::UnknownServerError)?;
        if let Some(instance) = &join.instance {
            match (join.member.is_empty(), self.of_instance(instance).cloned()) {
                (true, None) => {}
                (true, Some(known)) => {
                    self.stop_timers(turn, &known);
                    self.replace_static(changes, &known, id);
                }
                (false, _) => {
                    self.identify(id, Some(instance))?;
                }
            }
        }
        let owned = by_topic_id(subscription.owned.clone(), turn.topics);
        let about = self.about_by_join(id, join, subscription);
        self.advance(turn, changes, id, about, Some(&owned))?;
        turn.stop_timer(&self.id, TimerKind::Rejoin(id.clone()));
        turn.start_timer(&self.id, TimerKind::Session(id.clone()), join.session_timeout_ms);
        turn.start_timer(&self.id, TimerKind::Collect(id.clone()), join.rebalance_timeout_ms);
        Ok(Joined {
            error: None,
            member: id.clone(),
            generation: self.current(id).epoch,
            protocol_type: Some(PROTOCOL_TYPE.into()),
            protocol: Some(first.name.clone()),
            leader: MemberId::from(""),
            skip_assignment: false,
            members: Vec::new(),
        })
    }

    /// Whether some protocol is one that all classic members support (`supportsClassicProtocols`).
    fn supports(&self, join: &Join) -> bool {
        let supported_by_all = |name: &str| {
            let mut classic = self.members().filter_map(|(_, about)| about.classic.as_ref());
            classic.all(|member| member.protocols.iter().any(|(known, _)| &**known == name))
        };
        &*join.protocol_type == PROTOCOL_TYPE
            && join.protocols.iter().any(|protocol| supported_by_all(&protocol.name))
    }

    fn about_by_join(&self, id: &MemberId, join: &Join, subscription: Subscription) -> MemberValue {
        let known = self.member(id);
        MemberValue {
            instance: join.instance.clone().or_else(|| known?.instance.clone()),
            rack: subscription.rack.or_else(|| known?.rack.clone()),
            client_id: join.client_id.clone(),
            client_host: join.client_host.clone(),
            topics: subscription.topics.into_iter().collect(),
            regex: known.map_or_else(|| Some("".into()), |known| known.regex.clone()),
            rebalance_timeout_ms: join.rebalance_timeout_ms,
            assignor: known.and_then(|known| known.assignor.clone()),
            classic: Some(ClassicMember {
                session_timeout_ms: join.session_timeout_ms,
                protocols: join
                    .protocols
                    .iter()
                    .map(|protocol| (protocol.name.clone(), protocol.metadata.clone()))
                    .collect(),
            }),
        }
    }

    /// The classic member of the present generation that a claim is.
    fn claimed(&self, claim: &Claim) -> Result<(MemberId, Arc<MemberValue>), GroupError> {
        self.check_not_lost()?;
        let id = self.identify(&claim.member, claim.instance.as_ref())?;
        let about = self.member(&id).filter(|about| about.classic.is_some());
        let about = about.ok_or(GroupError::UnknownMemberId)?.clone();
        match self.current(&id).epoch == claim.generation {
            true => Ok((id, about)),
            false => Err(GroupError::IllegalGeneration),
        }
    }

    /// SyncGroup (`classicGroupSyncToConsumerGroup`).
    pub(in crate::group) fn classic_sync(&mut self, turn: &mut Turn<'_>, request: RequestId, sync: &Sync) {
        match self.try_classic_sync(turn, sync) {
            Ok(synced) => {
                self.write(turn, Changes::default(), None, Some((request, Reply::Sync(synced))));
            }
            Err(error) => turn.reply(request, Reply::Sync(Synced::refused(error))),
        }
    }

    fn try_classic_sync(&mut self, turn: &mut Turn<'_>, sync: &Sync) -> Result<Synced, GroupError> {
        let (id, about) = self.claimed(&sync.claim)?;
        let classic = about.classic.as_ref().ok_or(GroupError::UnknownMemberId)?;
        let (protocol, metadata) = classic.protocols.first().ok_or(GroupError::UnknownServerError)?;
        let type_matches = sync.protocol_type.as_deref().is_none_or(|name| name == PROTOCOL_TYPE);
        if !type_matches || sync.protocol.as_ref().is_some_and(|name| name != protocol) {
            return Err(GroupError::InconsistentGroupProtocol);
        }
        let current = self.current(&id);
        if self.epoch() > current.epoch && current.state != MemberState::UnrevokedPartitions {
            self.expect_rejoin(turn, &id, &about);
            return Err(GroupError::RebalanceInProgress);
        }
        turn.stop_timer(&self.id, TimerKind::Collect(id.clone()));
        turn.start_timer(&self.id, TimerKind::Session(id), classic.session_timeout_ms);
        let version = Subscription::decode(metadata).map_err(|_| GroupError::UnknownServerError)?.version;
        Ok(Synced {
            error: None,
            protocol_type: sync.protocol_type.clone(),
            protocol: sync.protocol.clone(),
            assignment: encode_assignment(version, &self.by_topic_name(&current.assigned)),
        })
    }

    /// Heartbeat (`classicGroupHeartbeatToConsumerGroup`).
    ///
    /// # Errors
    /// The claim does not hold, or the member must join again.
    pub(in crate::group) fn classic_heartbeat(
        &mut self,
        turn: &mut Turn<'_>,
        claim: &Claim,
    ) -> Result<(), GroupError> {
        let (id, about) = self.claimed(claim)?;
        if let Some(classic) = &about.classic {
            turn.start_timer(&self.id, TimerKind::Session(id.clone()), classic.session_timeout_ms);
        }
        let current = self.current(&id);
        let has_a_step_to_make = match current.state {
            _ if current.epoch < self.epoch() => true,
            MemberState::UnrevokedPartitions => true,
            MemberState::UnreleasedPartitions => self.all_free(&id, &current.assigned),
            MemberState::Stable | MemberState::Unknown => false,
        };
        if has_a_step_to_make {
            self.expect_rejoin(turn, &id, &about);
            return Err(GroupError::RebalanceInProgress);
        }
        Ok(())
    }

    /// Whether nobody keeps what the member still lacks (`waitingOnUnreleasedPartition`, inverted).
    fn all_free(&self, id: &MemberId, assigned: &Assignment) -> bool {
        let lacking = self.target(id).difference(assigned);
        lacking.iter().all(|(topic, partition)| self.is_free(topic, partition))
    }

    fn expect_rejoin(&self, turn: &mut Turn<'_>, id: &MemberId, about: &MemberValue) {
        let timer = TimerKind::Rejoin(id.clone());
        turn.start_timer_if_absent(&self.id, timer, about.rebalance_timeout_ms);
    }

    /// LeaveGroup (`classicGroupLeaveToConsumerGroup`): one result per leaver.
    pub(in crate::group) fn classic_leave(
        &mut self,
        turn: &mut Turn<'_>,
        leavers: &[Leaver],
    ) -> Vec<Result<(), GroupError>> {
        let found: Vec<Result<MemberId, GroupError>> =
            leavers.iter().map(|leaver| self.classic_leaver(leaver)).collect();
        let mut leaving: Vec<&MemberId> = found.iter().flatten().collect();
        leaving.sort();
        leaving.dedup();
        if !leaving.is_empty() {
            let mut changes = Changes::default();
            leaving.iter().for_each(|id| self.stop_timers(turn, id));
            self.remove(turn, &mut changes, &leaving);
            self.write(turn, changes, None, None);
        }
        found.into_iter().map(|found| found.map(|_| ())).collect()
    }

    fn classic_leaver(&self, leaver: &Leaver) -> Result<MemberId, GroupError> {
        self.check_not_lost()?;
        // An administrator names a static member by its instance alone.
        let named = leaver.instance.as_ref().filter(|_| leaver.member.is_empty());
        let id = match named {
            Some(instance) => self.of_instance(instance).cloned().ok_or(GroupError::UnknownMemberId)?,
            None => self.identify(&leaver.member, leaver.instance.as_ref())?,
        };
        match self.member(&id).is_some_and(|about| about.classic.is_some()) {
            true => Ok(id),
            false => Err(GroupError::UnknownMemberId),
        }
    }
}
