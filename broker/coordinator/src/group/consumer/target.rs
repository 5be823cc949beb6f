//! What the members are to own: made anew for every group epoch (`TargetAssignmentBuilder`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::turn::Turn;
use super::assignor::{Assignor, Subscriber};
use super::changes::Changes;
use super::config::ConsumerGroupConfig;
use super::state::ConsumerGroup;
use crate::schema::consumer_group::ConsumerRecord;

impl ConsumerGroup {
    /// Makes the target for the group epoch, and writes what changes for each member.
    pub(super) fn make_target(&mut self, turn: &Turn<'_>, changes: &mut Changes) {
        let partitions: BTreeMap<_, _> =
            self.topics().values().map(|topic| (topic.id, topic.partitions)).collect();
        let targets: Vec<_> = self.members().map(|(id, _)| self.target(id)).collect();
        let subscribers: Vec<Subscriber<'_>> = self
            .members()
            .zip(&targets)
            .map(|((id, about), target)| Subscriber {
                member: id,
                instance: about.instance.as_ref(),
                topics: self.topic_ids(&about.topics),
                target,
            })
            .collect();
        let assigned = self.assignor(&turn.config.consumer).assign(&subscribers, &partitions);
        let made: Vec<_> =
            subscribers.iter().map(|subscriber| subscriber.member.clone()).zip(assigned).collect();
        for (id, target) in made {
            if self.stored_target(&id) != Some(&target) {
                self.change(changes, ConsumerRecord::Target(id, Some(Arc::new(target))));
            }
        }
        self.change(changes, ConsumerRecord::TargetEpoch(Some(self.epoch())));
    }

    fn topic_ids(&self, names: &BTreeSet<gregor_model::TopicName>) -> BTreeSet<gregor_model::TopicId> {
        names.iter().filter_map(|name| Some(self.topics().get(name)?.id)).collect()
    }

    /// The assignor that most members want; of several the one configured first (`computePreferredServerAssignor`).
    pub(super) fn assignor(&self, config: &ConsumerGroupConfig) -> Assignor {
        let votes = |assignor: &Assignor| {
            self.members().filter(|(_, about)| about.assignor.as_deref() == Some(assignor.name())).count()
        };
        // Backwards, as `max_by_key` gives the last of those with the most.
        config.assignors.iter().rev().max_by_key(|assignor| votes(assignor)).copied().unwrap_or_default()
    }
}
