//! What the gateway itself records of a call.

pub(crate) mod client_span;
