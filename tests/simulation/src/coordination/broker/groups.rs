//! The broker as group coordinator.

use std::collections::BTreeMap;

use gregor_coordinator::group::request::{Commit, FetchedOffset, Joined, Reply, RequestId, Synced};
use gregor_coordinator::group::{GroupError, GroupShard};
use gregor_coordinator::runtime::NotHere;
use gregor_coordinator::{GroupId, MemberId, partition_of};
use gregor_model::{Offset, ProducerId};

use super::super::log::Part;
use super::super::message::{Answer, Correlation, Node, Request};
use super::super::mutants::CoordinationMutant;
use super::super::stage::Stage;
use super::Broker;
use super::hosting::Phase;

/// Who is in which generation, for the mutant that does not look.
pub(super) type Generations = BTreeMap<String, (i32, Vec<MemberId>)>;

fn group_of(request: &Request) -> Option<&GroupId> {
    match request {
        Request::Join(join) => Some(&join.group),
        Request::Sync(sync) => Some(&sync.claim.group),
        Request::Heartbeat(claim) => Some(&claim.group),
        Request::Commit(commit) => Some(&commit.claim.group),
        Request::Leave(group, _) | Request::FetchOffsets(group, _) => Some(group),
        _ => None,
    }
}

/// What a member is told by a broker that does not, or not yet, coordinate its group.
fn not_here(request: &Request, why: NotHere) -> Answer {
    let error = GroupError::from(why);
    let is_loading = why == NotHere::Loading;
    match request {
        Request::Join(join) => Answer::Joined(Joined::refused(join.member.clone(), error)),
        Request::Sync(_) if is_loading => Answer::Synced(Synced::refused(GroupError::RebalanceInProgress)),
        Request::Sync(_) => Answer::Synced(Synced::refused(error)),
        Request::Heartbeat(_) if is_loading => Answer::Member(Ok(())),
        Request::Heartbeat(_) | Request::Leave(..) => Answer::Member(Err(error)),
        Request::FetchOffsets(..) => Answer::Offsets(Err(error)),
        _ => Answer::Committed(Err(error)),
    }
}

impl Broker {
    pub(super) fn handle_group(
        &mut self,
        stage: &mut Stage,
        from: Node,
        correlation: Correlation,
        request: Request,
    ) {
        let Some(group) = group_of(&request).cloned() else { return };
        let partition = partition_of(group.as_str(), stage.scenario.offsets_partitions);
        let hosted = match self.find::<GroupShard>(partition) {
            Ok(hosted) => hosted,
            Err(why) => {
                stage.answer(self.id, from, correlation, not_here(&request, why));
                return;
            }
        };
        let now = stage.timestamp();
        match request {
            Request::Join(join) => {
                let request = self.note_request(from, correlation);
                self.joins.insert(request, group.as_str().to_owned());
                self.with(stage, partition, &hosted, |shard| shard.join(request, &join, now));
            }
            Request::Sync(sync) => {
                let request = self.note_request(from, correlation);
                self.with(stage, partition, &hosted, |shard| shard.sync(request, sync, now));
            }
            Request::Commit(commit) => {
                let commit = self.believe(stage, commit);
                let request = self.note_request(from, correlation);
                self.with(stage, partition, &hosted, |shard| shard.commit(request, commit, now));
            }
            Request::Heartbeat(claim) => {
                let mut result = Ok(());
                self.with(stage, partition, &hosted, |shard| {
                    let (beat, effects) = shard.heartbeat(&claim, now);
                    result = beat;
                    effects
                });
                stage.answer(self.id, from, correlation, Answer::Member(result));
            }
            Request::Leave(group, leaver) => {
                let mut result = Ok(());
                self.with(stage, partition, &hosted, |shard| {
                    let (left, effects) = shard.leave(&group, &[leaver], now);
                    result = left.into_iter().collect();
                    effects
                });
                stage.answer(self.id, from, correlation, Answer::Member(result));
            }
            Request::FetchOffsets(group, partitions) => {
                let stable = !stage.is_mutant(CoordinationMutant::UnstableOffsetsShown);
                let offsets = match &hosted.borrow().phase {
                    Phase::Serving(shard) => shard.fetch(&group, Some(&partitions), stable),
                    Phase::New | Phase::Read(_) => Vec::new(),
                };
                self.check_fetched(stage, partition, &group, &offsets);
                stage.answer(self.id, from, correlation, Answer::Offsets(Ok(offsets)));
            }
            _ => {}
        }
    }

    /// Whether this broker is the coordinator in truth, and not only by its own account.
    fn check_fetched(&self, stage: &mut Stage, partition: i32, group: &GroupId, offsets: &[FetchedOffset]) {
        let part = Part::Offsets(partition);
        let epoch = self.replicas.get(&part).map(|replica| replica.epoch);
        if stage.cluster.get(&part).is_none_or(|truth| Some(truth.epoch) != epoch) {
            return;
        }
        for fetched in offsets.iter().filter(|fetched| fetched.error.is_none()) {
            let offset = fetched.offset.map_or(0, |offset| offset.0);
            stage.tell(|| {
                let at = fetched.partition.partition;
                format!("broker {} tells that {offset} is committed by {group} for {at}", self.id.0)
            });
            stage.checker.offset_fetched(group.as_str(), fetched.partition.partition, offset);
        }
    }

    /// The mistake of not looking at the generation: the commit is taken for that of a current member.
    pub(super) fn believe(&self, stage: &Stage, mut commit: Commit) -> Commit {
        if stage.is_mutant(CoordinationMutant::NoGenerationCheck)
            && let Some((generation, members)) = self.generations.get(commit.claim.group.as_str())
            && let Some(member) = members.first()
        {
            commit.claim.generation = *generation;
            commit.claim.member = member.clone();
            commit.claim.instance = None;
        }
        commit
    }

    pub(super) fn group_answer(&mut self, request: RequestId, reply: Reply) -> Answer {
        match reply {
            Reply::Join(joined) => {
                if let Some(group) = self.joins.remove(&request).filter(|_| joined.error.is_none()) {
                    let (generation, members) = self.generations.entry(group).or_default();
                    if *generation != joined.generation {
                        (*generation, *members) = (joined.generation, Vec::new());
                    }
                    members.push(joined.member.clone());
                }
                Answer::Joined(joined)
            }
            Reply::Sync(synced) => Answer::Synced(synced),
            Reply::Commit(results) => Answer::Committed(Ok(results)),
            Reply::Consumer(_) => unreachable!("nobody here speaks the consumer protocol"),
        }
    }

    /// A marker lies in a partition of `__consumer_offsets`.
    pub(super) fn complete_offsets(
        &mut self,
        stage: &mut Stage,
        partition: i32,
        producer: ProducerId,
        commit: bool,
        marker: Offset,
    ) {
        let Some(hosted) = self.groups.find_loading(partition).cloned() else { return };
        if self.groups.find(partition).is_err() {
            if !stage.is_mutant(CoordinationMutant::MarkersForgottenWhileLoading) {
                hosted.borrow_mut().deferred.push((producer, commit, marker));
            }
            return;
        }
        self.with(stage, partition, &hosted, |shard| {
            shard.complete_transaction(producer, commit, marker);
            Vec::new()
        });
    }
}
