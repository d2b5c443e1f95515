//! The services: their instances, the connections to them, and the choice of an instance for a call.
//!
//! A `source` discovers the instances. A provider's `pool` opens and closes connections and decides which instances are `ready`.
//! A call finds its `route` and takes a stream on the less loaded of two random instances.

pub(crate) mod connection;
pub(crate) mod endpoint;
pub(crate) mod instance;
pub(crate) mod metrics;
mod pool;
pub(crate) mod ready;
pub(crate) mod route;
pub(crate) mod routes;
pub(crate) mod rules;
mod source;
pub(crate) mod tls;
