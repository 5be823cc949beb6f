//! The broker: joins all parts into one process, and answers every request.
//!
//! `lifecycle` starts and stops the parts in Kafka's order; `dispatch` hands each request to its file in `api`, which
//! calls one component and shapes the response. What the other crates ask for by trait is supplied here. Handlers hold
//! no state and no rules; state that belongs to the server as a whole (metadata cache, registration) has its own module.

pub mod meta_properties;
pub mod metadata_cache;
