//! When refused connections mean that a broker's process is gone: a port that a process listened on refuses connections once
//! the process has ended, long before ZooKeeper notices. Kafka has nothing like it.
//!
//! A broker that was never reached says nothing by refusing: Kafka registers before it listens.

use std::time::{Duration, Instant};

use gregor_model::{BrokerEndpoints, BrokerEpoch, BrokerId};

/// A broker that was connected to, and has been refusing connections since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Departure {
    /// Who.
    pub(crate) broker: BrokerId,
    /// Its registration.
    pub(crate) epoch: BrokerEpoch,
    /// The first refusal.
    pub(crate) since: Instant,
}

impl Departure {
    /// Whether it is this broker's, as it is registered there.
    pub(crate) fn is_of(&self, broker: &BrokerEndpoints) -> bool {
        (self.broker, self.epoch) == (broker.id, broker.epoch)
    }
}

/// What the controller is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It has refused for so long that it counts as gone.
    Refuses,
    /// It is there again.
    Answers,
}

/// The tries to connect to one broker, as far as they say something.
#[derive(Debug)]
pub(crate) struct Refusals {
    timeout: Option<Duration>,
    was_connected: bool,
    /// The first of an unbroken series.
    since: Option<Instant>,
    told: Option<Instant>,
}

impl Refusals {
    /// Of a broker that was not tried here yet, but perhaps elsewhere; without a timeout never to tell anything.
    pub(crate) fn new(timeout: Option<Duration>, departed: Option<Departure>) -> Refusals {
        let since = departed.map(|departed| departed.since);
        Refusals { timeout, was_connected: departed.is_some(), since, told: None }
    }

    /// Since when connections are refused.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since
    }

    /// A connection was made.
    pub(crate) fn connected(&mut self) -> Option<News> {
        self.was_connected = true;
        self.since = None;
        self.told.take().map(|_| News::Answers)
    }

    /// A connection was refused. Told once per timeout, as the controller may not have believed it the first time.
    pub(crate) fn refused(&mut self, now: Instant) -> Option<News> {
        let timeout = self.timeout.filter(|_| self.was_connected)?;
        let since = *self.since.get_or_insert(now);
        let last = self.told.unwrap_or(since);
        if now.saturating_duration_since(last) < timeout {
            return None;
        }
        self.told = Some(now);
        Some(News::Refuses)
    }

    /// It failed in another way, which may be the network's fault.
    pub(crate) fn failed(&mut self) -> Option<News> {
        self.since = None;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Try {
        Connected,
        Refused(u64),
        Failed,
    }
    use Try::{Connected, Failed, Refused};

    /// A name, the timeout in milliseconds, and what each try tells.
    type Case = (&'static str, Option<u64>, &'static [(Try, Option<News>)]);

    #[test]
    fn what_was_seen_elsewhere_counts() {
        let since = Instant::now();
        let departed = Departure { broker: BrokerId(1), epoch: BrokerEpoch(7), since };
        let mut refusals = Refusals::new(Some(Duration::from_millis(10)), Some(departed));
        assert_eq!(refusals.refused(since + Duration::from_millis(10)), Some(News::Refuses));
        let mut refusals = Refusals::new(Some(Duration::from_millis(10)), Some(departed));
        assert_eq!(refusals.connected(), None);
        assert_eq!(refusals.refused(since + Duration::from_millis(10)), None);
    }

    #[test]
    fn only_a_broker_that_was_there_and_refuses_for_long_is_gone() {
        const REFUSES: Option<News> = Some(News::Refuses);
        let cases: [Case; 6] = [
            ("never reached", Some(10), &[(Refused(0), None), (Refused(50), None)]),
            ("switched off", None, &[(Connected, None), (Refused(0), None), (Refused(50), None)]),
            ("not for long", Some(10), &[(Connected, None), (Refused(0), None), (Refused(9), None)]),
            (
                "gone and back",
                Some(10),
                &[
                    (Connected, None),
                    (Refused(0), None),
                    (Refused(10), REFUSES),
                    (Connected, Some(News::Answers)),
                ],
            ),
            (
                "told again",
                Some(10),
                &[
                    (Connected, None),
                    (Refused(0), None),
                    (Refused(12), REFUSES),
                    (Refused(20), None),
                    (Refused(22), REFUSES),
                ],
            ),
            (
                "not in a row",
                Some(10),
                &[
                    (Connected, None),
                    (Refused(0), None),
                    (Failed, None),
                    (Refused(12), None),
                    (Refused(22), REFUSES),
                ],
            ),
        ];
        let start = Instant::now();
        for (name, timeout, tries) in cases {
            let mut refusals = Refusals::new(timeout.map(Duration::from_millis), None);
            for (number, (tried, expected)) in tries.iter().enumerate() {
                let news = match tried {
                    Connected => refusals.connected(),
                    Refused(at) => refusals.refused(start + Duration::from_millis(*at)),
                    Failed => refusals.failed(),
                };
                assert_eq!(news, *expected, "{name}, try {number}");
            }
        }
    }
}
