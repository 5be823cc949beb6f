//! A partition has one leader per leader epoch, and a broker never goes back to an earlier one.

use gregor_model::{BrokerId, LeaderEpoch, TopicPartition};

use super::Checker;

impl Checker {
    /// A broker's process became leader or follower.
    pub fn on_role(
        &mut self,
        broker: BrokerId,
        process: u64,
        partition: &TopicPartition,
        epoch: LeaderEpoch,
        leads: bool,
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
        if !leads {
            return;
        }
        let known = self.partitions.entry(partition.clone()).or_default();
        let leads_again = known.leaders.contains_key(&epoch);
        if !leads_again && known.absolved_before == epoch {
            known.tainted.remove(&broker);
        } else if known.tainted.contains_key(&broker) && !known.forked {
            known.forked = true;
            self.forks += 1;
        }
        let leaders = &mut known.leaders;
        let other = *leaders.entry(epoch).or_insert(broker);
        if other != broker {
            self.violated("one leader per leader epoch", || {
                format!("{} and {} both lead {partition} in epoch {}", other.0, broker.0, epoch.0)
            });
        }
    }
}
