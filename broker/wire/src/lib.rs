//! The wire: frames, headers, which APIs there are, answers as ropes, and the client side of a connection.
//!
//! Whatever comes from a socket is decoded here, with memory bounded by the bytes that arrived. Nothing here knows what a
//! request means.

pub mod api;
pub mod client;
pub mod convert;
mod decode;
mod fetch_response;
mod frame;
mod request;
mod response;
mod rope;

pub use decode::{DecodeError, decode, decode_prefix};
pub use frame::{FrameBuffer, FrameError};
pub use kafka_protocol;
pub use request::{Request, RequestHeader, WireError, decode_request};
pub use response::{
    EncodeError, encode_response, encode_response_plain, record_bytes, unsupported_api_versions,
};
pub use rope::{FileRegion, FileRegions, MadeRegion, Pieces, Rope, Segment};
