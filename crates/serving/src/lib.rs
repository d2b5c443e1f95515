//! Serving gRPC: from a listener's socket through the layers to the routes of a program, and the orderly end of both.
//!
//! This crate owns connections with their limits, the layers around every call, the door for callers that do not speak gRPC,
//! health and reflection, and what is known of a call while it runs ([`CallNotes`]) and when it has ended ([`CompletedCall`]). It takes
//! what it needs of a process as a [`ServingContext`] and tells whoever watches calls ([`CallObserver`]). It does not know a program, a
//! configuration file, a reload, the audit log or the admin port: these belong to the process, which is above.

mod closing;
mod completed_call;
mod connection;
mod context;
mod dependency;
pub mod descriptors;
mod drain;
pub mod health;
mod host;
mod layers;
pub mod listener;
pub mod message;
mod notes;
mod observers;
mod peer;
mod reflection;
mod refusals;
mod send_buffer;
mod server;
mod service_set;
mod settings;
pub mod tls;
mod transcoder;
mod workers;

pub use closing::Closing;
pub use completed_call::{CallObserver, CompletedCall, Facts, now};
pub use context::ServingContext;
pub use dependency::Dependencies;
pub use drain::Draining;
pub use host::Host;
pub use layers::{Request, Routed, Service, request_id::of as request_id};
pub use notes::{CallNotes, RecordPlace};
pub use observers::Observers;
pub use peer::{Peer, PeerIdentity};
pub use reflection::Reflection;
pub use refusals::{RefusalSummary, Refusals, RefusedAddress, RefusedConnections};
pub use server::{Around, serve};
pub use service_set::ServiceSet;
pub use settings::{
    ClientAuth, ForwardedHeader, ForwardedSettings, ProxyProtocolSettings, ServerSettings, TlsSettings,
};
pub use transcoder::{Answering, Inner, Transcoder};
pub use workers::Workers;
