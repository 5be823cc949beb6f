//! A partition has one leader per leader epoch, and a broker never goes back to an earlier one.

use gregor_model::{BrokerId, LeaderEpoch, TopicPartition};

use super::Checker;
use crate::log::SimLog;

impl Checker {
    /// A broker's process became leader, on that log, or follower.
    pub fn on_role(
        &mut self,
        broker: BrokerId,
        process: u64,
        partition: &TopicPartition,
        epoch: LeaderEpoch,
        leads: Option<&SimLog>,
    ) {
        let term = self.terms.entry((broker, process, partition.clone())).or_insert(epoch);
        if *term > epoch {
            let known = *term;
            self.violated("epochs only grow", || {
                format!("{} went from epoch {} of {partition} back to {}", broker.0, known.0, epoch.0)
            });
            return;
        }
        *term = epoch;
        let Some(log) = leads else { return };
        let lacks = self.lacks_what_it_had(partition, broker, Some(log));
        let known = self.partitions.entry(partition.clone()).or_default();
        let leads_again = known.leaders.contains_key(&epoch);
        let other = *known.leaders.entry(epoch).or_insert(broker);
        if known.tainted.contains_key(&broker) && !known.forked {
            if leads_again {
                known.forked = true;
                self.forks += 1;
            } else {
                known.tainted.remove(&broker);
                self.absolve(partition, epoch, Some(log), lacks);
            }
        }
        if other != broker {
            self.violated("one leader per leader epoch", || {
                format!("{} and {} both lead {partition} in epoch {}", other.0, broker.0, epoch.0)
            });
        }
    }
}
