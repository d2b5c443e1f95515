//! Where the services are: a provider's instances and the connections to them.

pub(crate) mod channel;
pub(crate) mod link;
pub(crate) mod route;
