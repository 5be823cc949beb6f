//! What a handler may know of the request besides its body (`RequestContext`).

use std::net::IpAddr;

use gregor_model::ListenerName;
use kafka_protocol::protocol::StrBytes;

/// Where a request came from, and in which version.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The version of the request, and of its response.
    pub version: i16,
    /// The client's name; empty when it gave none. A slice of the request.
    pub client_id: StrBytes,
    /// The listener of the connection: its addresses are the ones the client can use.
    pub listener: ListenerName,
    /// The client's address.
    pub client_address: IpAddr,
}
