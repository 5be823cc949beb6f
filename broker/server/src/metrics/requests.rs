//! Requests by API (`RequestMetrics`, `RequestChannel`).

use gregor_metrics::{Exposition, Histogram, RequestMetrics, RequestStats, RequestTimes};
use gregor_model::Timestamp;
use gregor_network::Handled;
use gregor_wire::api;
use kafka_protocol::messages::{ApiKey, RequestKind, ResponseKind};

use super::error_counts;

/// Requests that are counted under another name besides their API's, or instead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Tag {
    /// Nothing more to say.
    None = 0,
    /// A fetch of a client.
    FetchConsumer = 1,
    /// A fetch of another broker.
    FetchFollower = 2,
    /// An AddPartitionsToTxn that only asks.
    AddPartitionsToTxnVerification = 3,
}

impl Tag {
    /// What a request is counted as.
    pub fn of(request: &RequestKind) -> Tag {
        match request {
            RequestKind::Fetch(fetch) => {
                let from_broker = fetch.replica_id.0 >= 0 || fetch.replica_state.replica_id.0 >= 0;
                if from_broker { Tag::FetchFollower } else { Tag::FetchConsumer }
            }
            RequestKind::AddPartitionsToTxn(add)
                if !add.transactions.is_empty() && add.transactions.iter().all(|one| one.verify_only) =>
            {
                Tag::AddPartitionsToTxnVerification
            }
            _ => Tag::None,
        }
    }
}

const TAGGED: [&str; 3] = ["FetchConsumer", "FetchFollower", "AddPartitionsToTxnVerification"];

/// Counts requests as connections report them.
pub struct RequestRecorder {
    metrics: RequestMetrics,
    /// The slot of the first tag.
    tags: usize,
}

impl Default for RequestRecorder {
    fn default() -> RequestRecorder {
        let tags = api::ALL.iter().map(|api| slot(api.key)).max().map_or(0, |last| last + 1);
        let mut names = vec![String::new(); tags];
        for api in api::ALL {
            names[slot(api.key)] = format!("{:?}", api.key);
        }
        names.extend(TAGGED.map(str::to_owned));
        RequestRecorder { metrics: RequestMetrics::new(names), tags }
    }
}

fn slot(key: ApiKey) -> usize {
    usize::try_from(key as i16).unwrap_or(0)
}

impl RequestRecorder {
    /// A request is over.
    pub fn handled(&self, request: &Handled) {
        let times = RequestTimes {
            request_queue: request.request_queue,
            local: request.local,
            remote: request.remote,
            throttle: request.throttle,
        };
        let record = |stats: Option<&RequestStats>| {
            if let Some(stats) = stats {
                stats.handled(request.version, request.bytes, &times);
                stats.sent(request.total, request.response_queue, request.response_send);
            }
        };
        let tagged = usize::from(request.tag).checked_sub(1).map(|index| self.tags + index);
        if request.tag != Tag::AddPartitionsToTxnVerification as u16 {
            record(self.metrics.stats(slot(request.key)));
        }
        if let Some(tagged) = tagged {
            record(self.metrics.stats(tagged));
        }
    }

    /// The errors an answer tells; a produce without an answer has none to tell.
    pub fn answered(&self, key: ApiKey, response: &ResponseKind) {
        if let Some(stats) = self.metrics.stats(slot(key)) {
            error_counts::for_each(response, |code| stats.error(code));
        }
    }

    /// The series.
    pub fn tell(&self, page: &mut Exposition, now: Timestamp) {
        for (request, stats) in self.metrics.used() {
            for (version, count) in stats.versions() {
                page.counter(
                    "kafka_network_requestmetrics_requests_total",
                    "Requests by API and version.",
                    &[("request", request), ("version", &version.to_string())],
                    count,
                );
            }
            for (code, count) in stats.errors() {
                page.counter(
                    "kafka_network_requestmetrics_errors_total",
                    "Results by API and error, NONE included.",
                    &[("request", request), ("error", &error_counts::name(code))],
                    count,
                );
            }
            for (part, help, histogram) in times(stats) {
                let name = format!("kafka_network_requestmetrics_{part}");
                page.summary(&name, help, &[("request", request)], &histogram.quantiles(now), 1000.0);
            }
            page.summary(
                "kafka_network_requestmetrics_requestbytes",
                "The size of requests, in bytes.",
                &[("request", request)],
                &stats.request_bytes.quantiles(now),
                1.0,
            );
        }
    }
}

fn times(stats: &RequestStats) -> [(&'static str, &'static str, &Histogram); 7] {
    [
        (
            "totaltimems",
            "From the end of a request's frame to the end of its answer, in milliseconds.",
            &stats.total_time,
        ),
        ("requestqueuetimems", "Of it, until the request was begun.", &stats.request_queue_time),
        ("localtimems", "Of it, this broker's own work.", &stats.local_time),
        ("remotetimems", "Of it, waiting for other brokers, ZooKeeper or records.", &stats.remote_time),
        ("responsequeuetimems", "Of it, from the answer until it was written.", &stats.response_queue_time),
        ("responsesendtimems", "Of it, writing the answer.", &stats.response_send_time),
        (
            "throttletimems",
            "How long quotas held the connection back, in milliseconds.",
            &stats.throttle_time,
        ),
    ]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kafka_protocol::messages::{ApiVersionsResponse, FetchRequest};

    use super::*;

    #[test]
    fn a_fetch_counts_under_both_names() {
        let recorder = RequestRecorder::default();
        let request = RequestKind::Fetch(FetchRequest::default().with_replica_id(1.into()));
        let handled = Handled {
            key: ApiKey::Fetch,
            version: 12,
            bytes: 10,
            tag: Tag::of(&request) as u16,
            request_queue: Duration::ZERO,
            local: Duration::from_millis(1),
            remote: Duration::ZERO,
            throttle: Duration::ZERO,
            response_queue: Duration::ZERO,
            response_send: Duration::ZERO,
            total: Duration::from_millis(1),
        };
        recorder.handled(&handled);
        recorder.answered(ApiKey::ApiVersions, &ResponseKind::ApiVersions(ApiVersionsResponse::default()));
        let mut page = Exposition::new();
        recorder.tell(&mut page, Timestamp(0));
        let text = page.render();
        for line in [
            "kafka_network_requestmetrics_requests_total{request=\"Fetch\",version=\"12\"} 1",
            "kafka_network_requestmetrics_requests_total{request=\"FetchFollower\",version=\"12\"} 1",
            "kafka_network_requestmetrics_totaltimems_count{request=\"FetchFollower\"} 1",
            "kafka_network_requestmetrics_errors_total{request=\"ApiVersions\",error=\"NONE\"} 1",
        ] {
            assert!(text.contains(line), "{line} is missing from {text}");
        }
    }
}
