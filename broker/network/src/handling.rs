//! Requests that were begun, until each has its answer. Owned by their connection, which answers them in the order in which
//! they came; and always awaited to their end, whatever becomes of the client.

use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use gregor_wire::Request;

use crate::context::ConnectionContext;
use crate::dispatch::{Answer, Answering, Dispatch};
use crate::timing::{Handled, Unsent};

/// One request that was begun.
pub(crate) struct Handling<'a> {
    answering: Answering<'a>,
    /// The answer, and when it was there.
    answer: Option<(Answer, Instant)>,
    correlation_id: i32,
    handled: Handled,
    received: Instant,
    begun: Instant,
}

impl<'a> Handling<'a> {
    /// A request that was received at `received`, to be begun with the first poll.
    pub(crate) fn new(
        dispatch: &'a dyn Dispatch,
        context: &'a ConnectionContext,
        request: Request,
        received: Instant,
    ) -> Handling<'a> {
        let begun = Instant::now();
        let handled = Handled {
            key: request.header.api_key,
            version: request.header.api_version,
            bytes: request.size,
            tag: 0,
            request_queue: begun.saturating_duration_since(received),
            local: Duration::ZERO,
            remote: Duration::ZERO,
            throttle: Duration::ZERO,
            response_queue: Duration::ZERO,
            response_send: Duration::ZERO,
            total: Duration::ZERO,
        };
        let correlation_id = request.header.correlation_id;
        let answering = dispatch.dispatch(context, request);
        Handling { answering, answer: None, correlation_id, handled, received, begun }
    }

    /// Works on it without waiting, and says whether the answer is there.
    pub(crate) async fn try_finish(&mut self) -> bool {
        std::future::poll_fn(|task| Poll::Ready(self.poll(task).is_ready())).await
    }

    /// Waits for the answer.
    pub(crate) async fn finish(&mut self) {
        std::future::poll_fn(|task| self.poll(task)).await;
    }

    /// The time that the polls take is the handler's own; the rest is waiting.
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if self.answer.is_some() {
            return Poll::Ready(());
        }
        let begun = Instant::now();
        let polled = self.answering.as_mut().poll(task);
        let now = Instant::now();
        self.handled.local += now - begun;
        polled.map(|answer| self.answer = Some((answer, now)))
    }

    /// The answer of a finished request, and what the request has cost so far; `None` before that.
    pub(crate) fn into_answer(self) -> Option<Answered> {
        let (answer, answered) = self.answer?;
        let remote = (answered - self.begun).saturating_sub(self.handled.local);
        let handled = Handled { remote, ..self.handled };
        let unsent = Unsent { handled, received: self.received, answered };
        Some(Answered { answer, correlation_id: self.correlation_id, unsent })
    }
}

/// A request that has its answer.
pub(crate) struct Answered {
    pub(crate) answer: Answer,
    pub(crate) correlation_id: i32,
    pub(crate) unsent: Unsent,
}

#[cfg(test)]
mod tests {
    use gregor_model::{ListenerName, SecurityProtocol};
    use gregor_wire::RequestHeader;
    use gregor_wire::kafka_protocol::messages::{ApiKey, ApiVersionsRequest, RequestKind};

    use super::*;

    struct Sleeper;

    impl Dispatch for Sleeper {
        fn dispatch<'a>(&'a self, _connection: &'a ConnectionContext, _request: Request) -> Answering<'a> {
            Box::pin(async {
                std::thread::sleep(Duration::from_millis(5));
                tokio::time::sleep(Duration::from_millis(50)).await;
                Answer::Close
            })
        }
    }

    #[tokio::test]
    async fn waiting_is_not_working() {
        let nobody = ([127, 0, 0, 1], 0).into();
        let listener = ListenerName::new("PLAINTEXT");
        let context = ConnectionContext::new(listener, SecurityProtocol::Plaintext, nobody, nobody, 0);
        let header = RequestHeader {
            api_key: ApiKey::ApiVersions,
            api_version: 0,
            correlation_id: 7,
            client_id: Default::default(),
        };
        let body = RequestKind::ApiVersions(ApiVersionsRequest::default());
        let request = Request { header, body, size: 10 };
        let mut handling = Handling::new(&Sleeper, &context, request, Instant::now());
        assert!(!handling.try_finish().await);
        handling.finish().await;
        let Answered { correlation_id, unsent, .. } = handling.into_answer().expect("finished");
        let Handled { local, remote, .. } = unsent.handled;
        assert_eq!(correlation_id, 7);
        assert!(local >= Duration::from_millis(5), "{local:?}");
        assert!(remote >= Duration::from_millis(40), "{remote:?}");
    }
}
