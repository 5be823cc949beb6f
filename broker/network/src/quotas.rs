//! How many connections there are, and whether one more may come (`ConnectionQuotas`).
//!
//! `Counts` decides and is pure; `ConnectionQuotas` holds it under a lock and lets acceptors wait for a slot.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gregor_model::{ListenerName, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::config::{ConnectionLimits, ListenerConfig, NetworkConfig};
use crate::creation_rate::{CreationRate, RateWindows};

/// What to do with a socket that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    /// Serve it; it is counted.
    Admit,
    /// Serve it, and close the connection that was silent longest on another listener.
    AdmitAndEvict,
    /// Ask again when a connection has ended.
    Wait,
    /// Close it: its address has as many as it may.
    Refuse,
}

#[derive(Debug)]
struct Counts {
    limits: ConnectionLimits,
    per_listener_max: HashMap<ListenerName, usize>,
    creation_rates_max: HashMap<ListenerName, u32>,
    windows: RateWindows,
    rate: CreationRate,
    rates: HashMap<ListenerName, CreationRate>,
    inter_broker: ListenerName,
    total: usize,
    per_listener: HashMap<ListenerName, usize>,
    per_ip: HashMap<IpAddr, usize>,
}

impl Counts {
    /// With several listeners that of the brokers is spared what limits the broker as a whole.
    fn is_protected(&self, listener: &ListenerName) -> bool {
        *listener == self.inter_broker && self.per_listener_max.len() > 1
    }

    /// For how long a socket must wait because too many come.
    fn creation_delay(&mut self, listener: &ListenerName, now: Timestamp) -> Duration {
        let of_broker = match self.limits.creation_rate_max {
            Some(limit) if !self.is_protected(listener) => self.rate.record(limit, self.windows, now),
            _ => Duration::ZERO,
        };
        let Some(limit) = self.creation_rates_max.get(listener) else { return of_broker };
        let rate = self.rates.entry(listener.clone()).or_default();
        of_broker.max(rate.record(*limit, self.windows, now))
    }

    /// Decides about a socket. With several listeners that of the brokers never waits for `max.connections`.
    fn admit(&mut self, listener: &ListenerName, address: IpAddr) -> Verdict {
        let on_listener = self.per_listener.get(listener).copied().unwrap_or(0);
        if on_listener >= self.per_listener_max.get(listener).copied().unwrap_or(usize::MAX) {
            return Verdict::Wait;
        }
        let is_full = self.total >= self.limits.connections_max;
        if is_full && !self.is_protected(listener) {
            return Verdict::Wait;
        }
        if self.per_ip.get(&address).copied().unwrap_or(0) >= self.limits.per_ip(address) {
            return Verdict::Refuse;
        }
        self.total += 1;
        *self.per_listener.entry(listener.clone()).or_default() += 1;
        *self.per_ip.entry(address).or_default() += 1;
        if is_full { Verdict::AdmitAndEvict } else { Verdict::Admit }
    }

    fn release(&mut self, listener: &ListenerName, address: IpAddr) {
        self.total = self.total.saturating_sub(1);
        if let Some(count) = self.per_listener.get_mut(listener) {
            *count = count.saturating_sub(1);
        }
        if let Some(count) = self.per_ip.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.per_ip.remove(&address);
            }
        }
    }
}

/// A connection that may be evicted.
#[derive(Debug)]
struct Member {
    listener: ListenerName,
    activity: Arc<AtomicU64>,
    close: CancellationToken,
}

#[derive(Debug)]
struct Inner {
    counts: Counts,
    members: HashMap<u64, Member>,
    next_index: u64,
}

/// All connections of a broker, counted.
#[derive(Debug)]
pub(crate) struct ConnectionQuotas {
    inner: Mutex<Inner>,
    released: Notify,
    /// Orders activity: larger is later.
    clock: AtomicU64,
}

/// A connection's place; given back when dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    quotas: Arc<ConnectionQuotas>,
    listener: ListenerName,
    address: IpAddr,
    activity: Arc<AtomicU64>,
    /// The connection's number since start.
    pub(crate) index: u64,
    /// Cancelled when the connection must make room.
    pub(crate) evicted: CancellationToken,
}

impl Slot {
    /// Something was read or written.
    pub(crate) fn touch(&self) {
        let now = self.quotas.clock.fetch_add(1, Ordering::Relaxed);
        self.activity.store(now, Ordering::Relaxed);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut inner = self.quotas.inner.lock();
        inner.counts.release(&self.listener, self.address);
        inner.members.remove(&self.index);
        drop(inner);
        self.quotas.released.notify_waiters();
    }
}

impl ConnectionQuotas {
    pub(crate) fn new(config: &NetworkConfig) -> Arc<ConnectionQuotas> {
        let counts = Counts {
            limits: config.limits.clone(),
            per_listener_max: per_listener_max(config),
            creation_rates_max: creation_rates_max(config),
            windows: config.rate_windows,
            rate: CreationRate::default(),
            rates: HashMap::new(),
            inter_broker: config.inter_broker.clone(),
            total: 0,
            per_listener: HashMap::new(),
            per_ip: HashMap::new(),
        };
        Arc::new(ConnectionQuotas {
            inner: Mutex::new(Inner { counts, members: HashMap::new(), next_index: 0 }),
            released: Notify::new(),
            clock: AtomicU64::new(0),
        })
    }

    /// For how long a connection that comes now must wait before it gets a slot.
    pub(crate) fn creation_delay(&self, listener: &ListenerName, now: Timestamp) -> Duration {
        self.inner.lock().counts.creation_delay(listener, now)
    }

    /// Waits for a slot; `None` when the address has as many connections as it may.
    pub(crate) async fn slot(self: &Arc<Self>, listener: &ListenerName, address: IpAddr) -> Option<Slot> {
        loop {
            // Registered before asking, so that no release is missed.
            let released = self.released.notified();
            match self.try_slot(listener, address) {
                Ok(slot) => return slot,
                Err(MustWait) => released.await,
            }
        }
    }

    fn try_slot(
        self: &Arc<Self>,
        listener: &ListenerName,
        address: IpAddr,
    ) -> Result<Option<Slot>, MustWait> {
        let mut inner = self.inner.lock();
        match inner.counts.admit(listener, address) {
            Verdict::Wait => return Err(MustWait),
            Verdict::Refuse => return Ok(None),
            Verdict::AdmitAndEvict => inner.evict_one_not_on(listener),
            Verdict::Admit => {}
        }
        let index = inner.next_index;
        inner.next_index += 1;
        let activity = Arc::new(AtomicU64::new(self.clock.fetch_add(1, Ordering::Relaxed)));
        let evicted = CancellationToken::new();
        let member =
            Member { listener: listener.clone(), activity: activity.clone(), close: evicted.clone() };
        inner.members.insert(index, member);
        let (quotas, listener) = (self.clone(), listener.clone());
        Ok(Some(Slot { quotas, listener, address, activity, index, evicted }))
    }

    /// Changes the limits; connections above them stay.
    fn set_limits(&self, config: &NetworkConfig) {
        let mut inner = self.inner.lock();
        inner.counts.limits = config.limits.clone();
        inner.counts.per_listener_max = per_listener_max(config);
        inner.counts.creation_rates_max = creation_rates_max(config);
        drop(inner);
        self.released.notify_waiters();
    }

    /// How many connections a listener has.
    pub(crate) fn count(&self, listener: &ListenerName) -> usize {
        self.inner.lock().counts.per_listener.get(listener).copied().unwrap_or(0)
    }
}

fn per_listener_max(config: &NetworkConfig) -> HashMap<ListenerName, usize> {
    let listeners = config.listeners.iter();
    listeners.map(|listener| (listener.endpoint.listener.clone(), listener.connections_max)).collect()
}

fn creation_rates_max(config: &NetworkConfig) -> HashMap<ListenerName, u32> {
    let of =
        |listener: &ListenerConfig| Some((listener.endpoint.listener.clone(), listener.creation_rate_max?));
    config.listeners.iter().filter_map(of).collect()
}

/// Changes how many connections a running server takes.
#[derive(Clone, Debug)]
pub struct ConnectionLimiter(pub(crate) Arc<ConnectionQuotas>);

impl ConnectionLimiter {
    /// From now on the limits are those of this configuration; connections above them stay. Nothing else of it counts.
    pub fn set(&self, config: &NetworkConfig) {
        self.0.set_limits(config);
    }
}

struct MustWait;

impl Inner {
    fn evict_one_not_on(&mut self, listener: &ListenerName) {
        let candidates = self.members.values().filter(|member| member.listener != *listener);
        let oldest = candidates
            .filter(|member| !member.close.is_cancelled())
            .min_by_key(|member| member.activity.load(Ordering::Relaxed));
        if let Some(member) = oldest {
            member.close.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(total: usize, per_ip: usize) -> Counts {
        let limits = ConnectionLimits {
            connections_max: total,
            per_ip_max: per_ip,
            per_ip_overrides: HashMap::from([(ip(9), 0)]),
            creation_rate_max: Some(1),
        };
        Counts {
            limits,
            per_listener_max: HashMap::from([(name("IN"), usize::MAX), (name("OUT"), 2)]),
            creation_rates_max: HashMap::from([(name("IN"), 5)]),
            windows: RateWindows { count: 2, size_ms: 1_000 },
            rate: CreationRate::default(),
            rates: HashMap::new(),
            inter_broker: name("IN"),
            total: 0,
            per_listener: HashMap::new(),
            per_ip: HashMap::new(),
        }
    }

    fn name(text: &str) -> ListenerName {
        ListenerName::new(text)
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn limits() {
        let mut counts = counts(3, 2);
        let mut check = |listener: &str, address, expected| {
            assert_eq!(counts.admit(&name(listener), address), expected, "{listener} {address}");
        };
        check("OUT", ip(1), Verdict::Admit);
        check("OUT", ip(9), Verdict::Refuse);
        check("OUT", ip(1), Verdict::Admit);
        check("OUT", ip(2), Verdict::Wait);
        check("IN", ip(1), Verdict::Refuse);
        check("IN", ip(2), Verdict::Admit);
        check("IN", ip(2), Verdict::AdmitAndEvict);
        counts.release(&name("OUT"), ip(1));
        assert_eq!(counts.admit(&name("OUT"), ip(3)), Verdict::Wait);
        counts.release(&name("IN"), ip(2));
        assert_eq!(counts.admit(&name("OUT"), ip(1)), Verdict::Admit);
    }

    #[test]
    fn rates() {
        let mut counts = counts(3, 2);
        let mut check = |listener: &str, at_ms, wait_ms| {
            let delay = counts.creation_delay(&name(listener), Timestamp(at_ms));
            assert_eq!(delay, Duration::from_millis(wait_ms), "{listener} at {at_ms}");
        };
        check("OUT", 0, 0);
        check("OUT", 0, 1_000);
        // The brokers' own has its own limit.
        (0..5).for_each(|_| check("IN", 0, 0));
        check("IN", 0, 200);
        check("OUT", 10_000, 0);
    }
}
