//! What goes wrong, and what the administrator does meanwhile.

use gregor_controller_machine::{AlterReassignmentsRequest, ElectLeadersRequest, ElectionType};
use gregor_model::{BrokerId, TopicName, TopicPartition};

use crate::core::{Event, Undo};
use crate::message::{Node, Request};
use crate::scenario::draw_replicas;
use crate::world::World;

/// `gregor.controller.refusal.timeout.ms`.
const REFUSAL_TIMEOUT_MS: i64 = 1_000;

/// What a crash does to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Nothing: the process was killed.
    Kill,
    /// The power went.
    PowerLoss,
    /// The power went, and a bit flipped.
    BitFlip,
    /// The disk was replaced by an empty one.
    NewDisk,
}

impl World {
    fn any_broker(&mut self) -> BrokerId {
        let count = i64::from(self.core.scenario.brokers);
        BrokerId(i32::try_from(self.core.random.between(1, count)).unwrap_or(1))
    }

    /// A short time mostly, sometimes a long one.
    fn duration_ms(&mut self) -> i64 {
        if self.core.random.per_mille(500) {
            self.core.random.between(50, 2_000)
        } else {
            self.core.random.between(2_000, 25_000)
        }
    }

    /// Lets something go wrong.
    pub(crate) fn strike(&mut self) {
        let broker = match self.zookeeper.store.controller {
            Some((controller, _)) if self.core.random.per_mille(250) => controller,
            _ => self.any_broker(),
        };
        let duration_ms = self.duration_ms();
        match self.core.random.below(100) {
            0..=17 => self.crash(broker, Crash::Kill, duration_ms),
            18..=25 => self.crash(broker, Crash::PowerLoss, duration_ms),
            26..=27 => self.crash(broker, Crash::BitFlip, duration_ms),
            28 => self.crash(broker, Crash::NewDisk, duration_ms),
            29..=30 => {
                let all: Vec<BrokerId> = self.brokers.iter().map(|broker| broker.id).collect();
                for broker in all {
                    let duration_ms = self.duration_ms();
                    self.crash(broker, Crash::Kill, duration_ms);
                }
            }
            31..=42 => {
                self.core.trace(|| format!("{} is paused for {duration_ms} ms", broker.0));
                self.broker(broker).pause();
                self.core.after(duration_ms, Event::Undo(Undo::Resume(broker)));
            }
            43..=59 => self.cut(broker, duration_ms),
            60..=61 => self.miss_a_term(),
            62..=64 => {
                self.core.trace(|| format!("{} does not hear controllers for {duration_ms} ms", broker.0));
                self.core.network.deafen(broker);
                self.core.after(duration_ms, Event::Undo(Undo::Heal));
            }
            65..=71 => {
                self.core.trace(|| format!("the session of {} expires", broker.0));
                for session in self.zookeeper.sessions_of(broker) {
                    self.zookeeper.end_session(session);
                }
            }
            72..=75 => {
                self.core.trace(|| format!("{} loses its connection to ZooKeeper", broker.0));
                for session in self.zookeeper.sessions_of(broker) {
                    self.zookeeper.break_connection(session);
                }
            }
            76..=78 => {
                self.core.trace(|| format!("the next watch event of {} is lost", broker.0));
                for session in self.zookeeper.sessions_of(broker) {
                    self.zookeeper.lose_next_watch(session);
                }
            }
            79..=81 => {
                // What administrators do to have another controller elected.
                self.core.trace(|| "/controller is deleted by hand".to_owned());
                if let Some((controller, _)) = self.zookeeper.store.controller {
                    // It learns late that it was deposed, with its session alive.
                    let pause_ms = self.core.random.between(0, self.core.scenario.session_timeout_ms / 2);
                    self.broker(controller).pause();
                    self.core.after(pause_ms, Event::Undo(Undo::Resume(controller)));
                }
                self.zookeeper.store.drop_controller();
                self.zookeeper.fire();
            }
            82..=84 => {
                let jump_ms = self.core.random.between(-60_000, 60_000);
                self.core.trace(|| format!("the clock of {} jumps by {jump_ms} ms", broker.0));
                self.broker(broker).clock_ms += jump_ms;
            }
            85..=88 => {
                self.core.trace(|| format!("the disk of {} stands still for {duration_ms} ms", broker.0));
                let (core, broker) = self.core_and(broker);
                broker.stall_disk(core, duration_ms);
            }
            89..=91 => {
                self.core.trace(|| format!("the disk of {} is slow for {duration_ms} ms", broker.0));
                let until = self.core.now + duration_ms;
                self.broker(broker).slow_disk(until);
            }
            92..=93 => self.fail_dir(broker, duration_ms),
            94 => self.seem_gone(broker, duration_ms),
            _ => {
                self.core.trace(|| format!("{} is to shut down", broker.0));
                let (core, broker) = self.core_and(broker);
                broker.begin_shutdown(core);
            }
        }
    }

    /// A log directory fails; it is repaired later, which needs a new start.
    fn fail_dir(&mut self, id: BrokerId, repaired_after_ms: i64) {
        let dirs = self.core.scenario.log_dirs as u64;
        let dir = usize::try_from(self.core.random.below(dirs)).unwrap_or(0);
        self.core.trace(|| format!("log directory {dir} of {} fails", id.0));
        let (core, broker) = self.core_and(id);
        broker.fail_dir(core, dir);
        self.core.after(repaired_after_ms.max(3_000), Event::Undo(Undo::RepairDirs(id)));
    }

    pub(crate) fn crash(&mut self, id: BrokerId, crash: Crash, down_ms: i64) {
        let crash = if self.core.scenario.disks_lose { crash } else { Crash::Kill };
        let at = usize::try_from(id.0 - 1).unwrap_or(0);
        let Some(broker) = self.brokers.get_mut(at) else { return };
        broker.kill(&self.core);
        self.core.trace(|| format!("{} is down for {down_ms} ms: {crash:?}", id.0));
        for (partition, log) in broker.disk.all() {
            let random = &mut self.core.random;
            let before = match crash {
                Crash::Kill => continue,
                Crash::PowerLoss => log.lose_unsynced(random),
                Crash::BitFlip => log.lose_unsynced(random).max(log.flip_bit(random)),
                Crash::NewDisk => log.end(),
            };
            if log.end() < before || crash == Crash::NewDisk {
                self.core.checker.on_disk_loss(id, partition, before);
            }
        }
        if crash == Crash::NewDisk {
            broker.disk.replace();
        }
        self.core.after(REFUSAL_TIMEOUT_MS, Event::Refusal(id, 0));
        self.core.after(down_ms, Event::Undo(Undo::Start(id)));
    }

    fn seem_gone(&mut self, broker: BrokerId, duration_ms: i64) {
        self.core.trace(|| format!("{} seems to refuse connections for {duration_ms} ms", broker.0));
        let until = self.core.now + duration_ms;
        self.core.after(0, Event::Refusal(broker, until));
    }

    /// What the controllers' channels find out about a broker, until it takes connections.
    pub(crate) fn try_connecting(&mut self, id: BrokerId, until: i64) {
        let (core, broker) = self.core_and(id);
        let refuses = broker.is_down() || core.now < until;
        for other in self.brokers.iter().filter(|other| other.id != id) {
            other.notice_refusal(&mut self.core, id, refuses);
        }
        if refuses {
            self.core.after(REFUSAL_TIMEOUT_MS, Event::Refusal(id, until));
        }
    }

    fn cut(&mut self, broker: BrokerId, duration_ms: i64) {
        let others: Vec<Node> = self
            .brokers
            .iter()
            .filter(|other| other.id != broker)
            .map(|other| Node::Broker(other.id))
            .collect();
        let here = Node::Broker(broker);
        let network = &mut self.core.network;
        let what = match self.core.random.below(6) {
            0 => {
                network.isolate(broker, others.into_iter().chain([Node::Zookeeper]));
                "everybody"
            }
            1 => {
                network.isolate(broker, std::iter::once(Node::Zookeeper));
                "ZooKeeper"
            }
            2 => {
                network.isolate(broker, others.into_iter());
                "the brokers"
            }
            3 => {
                others.iter().for_each(|other| network.cut(here, *other));
                "the brokers, outwards"
            }
            4 => {
                others.iter().for_each(|other| network.cut(*other, here));
                "the brokers, inwards"
            }
            _ => {
                let other = self.core.random.pick(&others).copied().unwrap_or(Node::Zookeeper);
                network.isolate(broker, std::iter::once(other));
                "one other"
            }
        };
        self.core.trace(|| format!("{} is cut off from {what} for {duration_ms} ms", broker.0));
        self.core.after(duration_ms, Event::Undo(Undo::Heal));
    }

    /// Does what an administrator does.
    pub(crate) fn administer(&mut self) {
        let partitions: Vec<TopicPartition> = self.zookeeper.store.states.keys().cloned().collect();
        let Some(partition) = self.core.random.pick(&partitions).cloned() else { return };
        let brokers = self.core.scenario.brokers;
        let replicas = draw_replicas(&mut self.core.random, brokers);
        match self.core.random.below(24) {
            0..=8 => {
                self.core.trace(|| format!("{partition} is to be moved to {replicas:?}"));
                self.reassign(partition, Some(replicas));
            }
            9..=10 => self.reassign(partition, None),
            11..=13 => {
                let request = ElectLeadersRequest { election: ElectionType::Preferred, partitions: None };
                self.ask(Request::ElectLeaders(request));
            }
            14 if self.core.scenario.unclean_elections => {
                let request = ElectLeadersRequest {
                    election: ElectionType::Unclean,
                    partitions: Some(vec![partition]),
                };
                self.ask(Request::ElectLeaders(request));
            }
            15..=16 => {
                self.topics += 1;
                let name = TopicName::new(&format!("t{}", self.topics));
                self.core.trace(|| format!("topic {name} is created on {replicas:?}"));
                self.zookeeper.store.create_topic(name, &[replicas]);
            }
            17 => {
                self.core.trace(|| format!("topic {} is to be deleted", partition.topic));
                self.core.checker.on_deletion(&partition.topic);
                self.zookeeper.store.mark_for_deletion(partition.topic);
            }
            18..=19 => {
                // CreatePartitions is refused meanwhile (`REASSIGNMENT_IN_PROGRESS`) and for topics to be deleted.
                let is_idle = self.is_idle(&partition);
                let store = &mut self.zookeeper.store;
                if is_idle && !store.deletions.contains(&partition.topic) {
                    self.core.trace(|| format!("{} gets another partition", partition.topic));
                    store.add_partition(&partition.topic, replicas);
                }
            }
            20..=23 if self.core.scenario.deletes_records => {
                if let Some(client) = self.clients.first_mut() {
                    client.delete_records(&mut self.core, &partition);
                }
            }
            _ => {}
        }
        self.zookeeper.fire();
    }

    /// Whether no partition of that topic is being reassigned.
    fn is_idle(&self, partition: &TopicPartition) -> bool {
        self.zookeeper.store.topics.get(&partition.topic).is_some_and(|topic| {
            topic.partitions.values().all(|assignment| !assignment.is_being_reassigned())
        })
    }

    fn reassign(&mut self, partition: TopicPartition, target: Option<Vec<BrokerId>>) {
        let request = AlterReassignmentsRequest { partitions: vec![(partition, target)] };
        self.ask(Request::AlterReassignments(request));
    }

    fn ask(&mut self, request: Request) {
        if let Some(client) = self.clients.first_mut() {
            client.administer(&mut self.core, request);
        }
    }
}
