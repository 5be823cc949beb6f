//! Listeners and connections: sockets in, [`Dispatch`]ed requests out, answers back in order.
//!
//! One task per listener accepts, one task per connection reads, has each request handled and writes its answer before
//! it takes the next; requests that may overlap are in hand together, and answered in order. Everything a client can make
//! us hold is bounded: the size of a frame, the bytes read ahead, the number of connections, the time they may be silent.
//! Nothing here knows what a request means.

mod acceptor;
mod bind;
mod config;
mod connection;
mod context;
mod creation_rate;
mod dispatch;
mod handling;
mod idle;
mod listener_stats;
mod quotas;
mod server;
mod timing;
mod writer;

pub use bind::BindError;
pub use config::{ConnectionLimits, ListenerConfig, NetworkConfig, NetworkConfigError, check_servable};
pub use context::{ClientSoftware, ConnectionContext, Principal};
pub use creation_rate::RateWindows;
pub use dispatch::{Answer, Answering, Dispatch, Reply};
pub use listener_stats::ListenerStats;
pub use quotas::ConnectionLimiter;
pub use server::{BoundServer, Listeners, Server};
pub use timing::Handled;
