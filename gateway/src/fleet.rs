//! Where the services are: a provider's instances, the connections to them, and which of them takes a call.
//!
//! A `source` says which instances there are; the `roster` of a provider opens and closes connections (`link`) and
//! decides who is `ready`; a call finds its `route` and takes a seat at one of two instances taken by chance.

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
