//! The seam to whoever handles requests.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use gregor_wire::kafka_protocol::messages::{ApiKey, ResponseKind};
use gregor_wire::{FileRegions, Request};

use crate::context::ConnectionContext;
use crate::timing::Handled;

/// Handles requests. Called for one request at a time per connection, but for those that may overlap, and always awaited to its
/// end: a client that goes away does not cancel what it asked for.
pub trait Dispatch: Send + Sync + 'static {
    /// Handles one request.
    fn dispatch<'a>(&'a self, connection: &'a ConnectionContext, request: Request) -> Answering<'a>;

    /// Whether requests of this API and version that follow each other on a connection may be begun, one after the other,
    /// while those before them wait. Kafka begins none before the last is answered, so nobody may see the difference: what
    /// decides is done, in order, before the first wait.
    fn overlaps(&self, _key: ApiKey, _version: i16) -> bool {
        false
    }

    /// A request is over, and its answer written if there was one. Must not take long.
    fn handled(&self, _connection: &ConnectionContext, _request: &Handled) {}
}

/// A request that is being handled.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// What becomes of a request.
#[derive(Debug)]
pub enum Answer {
    /// Send this.
    Reply(Box<Reply>),
    /// Send nothing: the client asked for no answer (produce with acks=0).
    NoReply {
        /// How long to take no further request, for quotas.
        mute_for: Duration,
    },
    /// Close the connection, as Kafka does where no answer would tell (acks=0 that failed).
    Close,
}

/// An answer to send.
#[derive(Debug)]
pub struct Reply {
    /// The response, of the request's API.
    pub response: ResponseKind,
    /// The files whose handles the response holds.
    pub regions: FileRegions,
    /// How long to take no further request after sending, for quotas.
    pub mute_for: Duration,
    /// Told back to [`Dispatch::handled`].
    pub tag: u16,
}

impl Answer {
    /// An answer without files or throttling.
    pub fn reply(response: impl Into<ResponseKind>) -> Answer {
        Answer::reply_with_files(response, FileRegions::new())
    }

    /// An answer whose records are in files.
    pub fn reply_with_files(response: impl Into<ResponseKind>, regions: FileRegions) -> Answer {
        Answer::Reply(Box::new(Reply {
            response: response.into(),
            regions,
            mute_for: Duration::ZERO,
            tag: 0,
        }))
    }

    /// No answer, and no pause.
    pub fn no_reply() -> Answer {
        Answer::NoReply { mute_for: Duration::ZERO }
    }
}
