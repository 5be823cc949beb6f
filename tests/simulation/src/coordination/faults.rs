//! What goes wrong, and how the controller answers: brokers that crash, stall or are cut off, leaders that change, logs that are
//! not replicated for a while, clients that crash, pause, come and go.

use gregor_model::BrokerId;

use super::client::Role;
use super::log::Part;
use super::message::Node;
use super::scenario::MEMBERS_MAX;
use super::stage::{Event, Kept, Undo};
use super::world::World;

impl World {
    /// The next fault, and the time of the one after it.
    pub(super) fn fault(&mut self) {
        if self.stage.is_calm {
            return;
        }
        let next_ms = self.stage.random.between(1, self.stage.scenario.fault_interval_ms * 2);
        self.stage.after(next_ms, Event::Fault);
        match self.stage.random.below(24) {
            0 | 1 => self.crash_broker(),
            2 | 3 => self.pause_broker(),
            4 => self.isolate_broker(),
            5..=7 => self.move_leader(),
            8 | 9 => self.move_leader_twice(),
            10 => self.renew_term(),
            11 => self.stall_replication(),
            12 => self.lose_replicas(),
            13..=15 => self.crash_client(),
            16 | 17 => self.pause_client(),
            18 => self.leave_group(),
            19 | 20 => self.join_group(),
            _ => self.slow_down(),
        }
    }

    /// From a broker, or to one, everything takes long.
    fn slow_down(&mut self) {
        let broker = Node::Broker(self.any_broker());
        let other = match self.any_client().filter(|_| self.stage.random.per_mille(400)) {
            Some(client) => Node::Client(client),
            None => Node::Broker(self.any_broker()),
        };
        let (from, to) = if self.stage.random.per_mille(500) { (broker, other) } else { (other, broker) };
        let by_ms = self.stage.random.between(100, self.stage.scenario.request_timeout_ms - 10);
        let for_ms = self.stage.random.between(1_000, 8_000);
        self.stage.slow_down(from, to, by_ms, for_ms);
    }

    fn any_broker(&mut self) -> BrokerId {
        let brokers = i64::from(self.stage.scenario.brokers);
        BrokerId(i32::try_from(self.stage.random.between(1, brokers)).unwrap_or(1))
    }

    fn any_part(&mut self) -> Part {
        let parts: Vec<Part> = self.stage.cluster.keys().copied().collect();
        // Those of the coordinators twice as often.
        let internal: Vec<Part> =
            parts.iter().copied().filter(|part| !matches!(part, Part::Data(_))).collect();
        let among = if self.stage.random.per_mille(600) { internal } else { parts };
        self.stage.random.pick(&among).copied().unwrap_or(Part::Offsets(0))
    }

    fn is_healthy(&self, id: BrokerId) -> bool {
        let at = usize::try_from(id.0 - 1).unwrap_or(0);
        self.brokers.get(at).is_some_and(|broker| broker.is_up && !broker.is_paused)
            && !self.stage.isolated.contains(&id)
    }

    fn healthy(&self) -> Vec<BrokerId> {
        (1..=self.stage.scenario.brokers).map(BrokerId).filter(|id| self.is_healthy(*id)).collect()
    }

    fn crash_broker(&mut self) {
        let id = self.any_broker();
        if !self.is_healthy(id) || self.healthy().len() < 2 {
            return;
        }
        self.stage.tell(|| format!("broker {} crashes", id.0));
        self.stage_and(id).1.crash();
        let after_ms = self.stage.random.between(200, 10_000);
        self.stage.after(after_ms, Event::Undo(Undo::Start(id)));
        self.detect(id);
    }

    fn pause_broker(&mut self) {
        let id = self.any_broker();
        if !self.is_healthy(id) || self.healthy().len() < 2 {
            return;
        }
        let pause_ms = self.stage.random.between(50, 8_000);
        self.stage.tell(|| format!("broker {} is paused for {pause_ms} ms", id.0));
        self.stage_and(id).1.is_paused = true;
        self.stage.after(pause_ms, Event::Undo(Undo::Resume(id)));
        self.detect(id);
    }

    fn isolate_broker(&mut self) {
        let id = self.any_broker();
        if !self.is_healthy(id) || self.healthy().len() < 2 {
            return;
        }
        let cut_ms = self.stage.random.between(200, 10_000);
        self.stage.tell(|| format!("broker {} is cut off for {cut_ms} ms", id.0));
        self.stage.isolated.insert(id);
        self.stage.after(cut_ms, Event::Undo(Undo::Join(id)));
        self.detect(id);
    }

    /// The controller will find what the broker led without a leader, if that is still so.
    fn detect(&mut self, id: BrokerId) {
        let led: Vec<(Part, i32)> = self
            .stage
            .cluster
            .iter()
            .filter(|(_, truth)| truth.leader == Some(id))
            .map(|(part, truth)| (*part, truth.epoch))
            .collect();
        for (part, epoch) in led {
            let delay_ms = self.stage.scenario.detection_ms + self.stage.random.between(0, 50);
            self.stage.after(delay_ms, Event::Detected(part, epoch));
        }
    }

    /// Another broker leads instead of one that is gone.
    pub(super) fn replace_leader(&mut self, part: Part, epoch: i32) {
        let Some(truth) = self.stage.cluster.get(&part).filter(|truth| truth.epoch == epoch) else { return };
        if truth.leader.is_some_and(|leader| self.is_healthy(leader)) {
            return;
        }
        let kept = self.any_extent();
        self.elect(part, kept);
    }

    fn any_extent(&mut self) -> Kept {
        match self.stage.random.below(10) {
            0..=4 => Kept::All,
            5..=7 => Kept::Replicated,
            _ => Kept::Some,
        }
    }

    fn move_leader(&mut self) {
        let (part, kept) = (self.any_part(), self.any_extent());
        self.elect(part, kept);
    }

    /// A leader stalls and is replaced by one that has everything, and that one is replaced before it was replicated: what
    /// the second saw is gone, whatever it did about it.
    fn move_leader_twice(&mut self) {
        let part = self.any_part();
        let stall_ms = self.stage.random.between(20, 600);
        let serves_ms = self.stage.random.between(50, 2_000);
        let Some(truth) = self.stage.cluster.get_mut(&part) else { return };
        truth.stalled_until = self.stage.now + stall_ms + serves_ms + 1;
        self.stage.after(stall_ms, Event::Moved(part, Kept::All));
        self.stage.after(stall_ms + serves_ms, Event::Moved(part, Kept::Replicated));
    }

    /// The second half of a leader's fault.
    pub(super) fn moved(&mut self, part: Part, kept: Kept) {
        if !self.stage.is_calm {
            self.elect(part, kept);
        }
    }

    /// Elects a healthy broker other than the leader, if there is one.
    fn elect(&mut self, part: Part, kept: Kept) {
        let candidates = self.healthy();
        let Some(truth) = self.stage.cluster.get(&part) else { return };
        let (before, end, replicated) = (truth.leader, truth.end(), truth.high_watermark);
        let others: Vec<BrokerId> = candidates.iter().copied().filter(|id| Some(*id) != before).collect();
        let Some(leader) = self.stage.random.pick(&others).copied() else {
            // Looked at again when somebody is there.
            let epoch = truth.epoch;
            self.stage.after(500, Event::Detected(part, epoch));
            return;
        };
        let kept = match kept {
            Kept::All => end,
            Kept::Replicated => replicated,
            Kept::Some => self.stage.random.between(replicated, end),
        };
        let Some(truth) = self.stage.cluster.get_mut(&part) else { return };
        truth.elect(Some(leader), kept);
        let epoch = truth.epoch;
        self.stage.tell(|| {
            format!("{part:?}: {before:?} is followed by {leader:?} in term {epoch}; {kept} of {end} kept")
        });
        for id in (1..=self.stage.scenario.brokers).map(BrokerId) {
            let delay_ms = match self.stage.random.per_mille(100) {
                true => self.stage.random.between(100, 1_000),
                false => self.stage.random.between(1, 40),
            };
            self.stage.after(delay_ms, Event::Told(id, part, epoch, Some(leader)));
        }
        // It may fail before it knows that it leads.
        self.stage.after(self.stage.scenario.detection_ms * 2, Event::Detected(part, epoch));
    }

    fn renew_term(&mut self) {
        let part = self.any_part();
        let Some(leader) = self.stage.cluster.get(&part).and_then(|truth| truth.leader) else { return };
        let (stage, broker) = self.stage_and(leader);
        broker.renew_term(stage, part);
    }

    fn stall_replication(&mut self) {
        let part = self.any_part();
        let stall_ms = self.stage.random.between(50, 5_000);
        let until = self.stage.now + stall_ms;
        if let Some(truth) = self.stage.cluster.get_mut(&part) {
            truth.stalled_until = until;
        }
    }

    fn lose_replicas(&mut self) {
        let part = self.any_part();
        let until = self.stage.now + self.stage.random.between(50, 4_000);
        if let Some(truth) = self.stage.cluster.get_mut(&part) {
            truth.too_few_until = until;
        }
    }

    fn any_client(&mut self) -> Option<usize> {
        let clients = self.clients.len() as u64;
        (clients > 0).then(|| usize::try_from(self.stage.random.below(clients)).unwrap_or(0))
    }

    fn crash_client(&mut self) {
        let Some(client) = self.any_client() else { return };
        let down_ms = self.stage.random.between(100, 9_000);
        let Some(client) = self.clients.get_mut(client) else { return };
        match &mut client.role {
            Role::Member(member) => member.crash(&self.stage, down_ms),
            Role::Transactor(transactor) => transactor.crash(&mut self.stage),
            Role::Reader(_) | Role::Auditor(_) => {}
        }
    }

    fn pause_client(&mut self) {
        let Some(number) = self.any_client() else { return };
        let pause_ms = self.stage.random.between(100, 15_000);
        let Some(client) = self.clients.get_mut(number).filter(|client| !client.is_paused) else { return };
        client.is_paused = true;
        self.stage.after(pause_ms, Event::Undo(Undo::ResumeClient(number)));
    }

    fn leave_group(&mut self) {
        let Some(client) = self.any_client() else { return };
        let Some(Role::Member(member)) = self.clients.get(client).map(|client| &client.role) else { return };
        // Somebody must stay, or there is nothing to settle.
        if self.member_count(member.group) < 2 {
            return;
        }
        if let Some(Role::Member(member)) = self.clients.get_mut(client).map(|client| &mut client.role) {
            member.leave();
        }
    }

    fn join_group(&mut self) {
        let groups = self.stage.scenario.groups.len() as u64;
        if groups == 0 {
            return;
        }
        let group = usize::try_from(self.stage.random.below(groups)).unwrap_or(0);
        if self.member_count(group) < MEMBERS_MAX {
            self.add_member(group);
        }
    }

    /// Everything is repaired, and nothing goes wrong any more.
    pub(super) fn calm_down(&mut self) {
        self.stage.tell(|| "calm".to_owned());
        self.stage.is_calm = true;
        self.stage.isolated.clear();
        for truth in self.stage.cluster.values_mut() {
            truth.stalled_until = 0;
            truth.too_few_until = 0;
        }
        for id in (1..=self.stage.scenario.brokers).map(BrokerId) {
            self.stage.after(0, Event::Undo(Undo::Resume(id)));
            self.stage.after(0, Event::Undo(Undo::Start(id)));
        }
        for client in 0..self.clients.len() {
            self.stage.after(0, Event::Undo(Undo::ResumeClient(client)));
        }
        let terms: Vec<(Part, i32)> =
            self.stage.cluster.iter().map(|(part, truth)| (*part, truth.epoch)).collect();
        for (part, epoch) in terms {
            self.stage.after(1_000, Event::Detected(part, epoch));
        }
    }
}
