//! Serving gRPC: from a listener's socket through the layers to the routes of a program, and the orderly end of both.
//!
//! This crate owns connections with their limits, the layers around every call, the door for callers that do not speak gRPC,
//! health and reflection, and what is known of a call while it runs ([`CallNotes`]) and when it has ended ([`Ended`]). It takes
//! what it needs of a process as a [`ServingContext`] and tells whoever watches calls ([`Watch`]). It does not know a program, a
//! configuration file, a reload, the audit log or the admin port: these belong to the process, which is above.

mod closing;
mod completed_call;
mod connection;
mod context;
mod dependency;
pub mod descriptors;
mod door;
mod drain;
pub mod health;
mod host;
mod layers;
pub mod listener;
pub mod message;
mod notes;
mod outflow;
mod peer;
mod reflection;
mod refusals;
mod server;
mod settings;
mod surface;
pub mod tls;
mod watches;
mod workers;

pub use closing::Closing;
pub use completed_call::{Ended, Facts, Watch, now};
pub use context::ServingContext;
pub use dependency::Dependencies;
pub use door::{Answering, Door, Inside};
pub use drain::Draining;
pub use host::Host;
pub use layers::{Call, Request, Routed, request_id::of as request_id};
pub use notes::{CallNotes, RecordPlace};
pub use peer::{Peer, PeerIdentity};
pub use reflection::Reflection;
pub use refusals::{RefusalSummary, Refusals, RefusedAddress, RefusedConnections};
pub use server::{Around, serve};
pub use settings::{
    ClientAuth, ForwardedHeader, ForwardedSettings, ProxyProtocolSettings, ServerSettings, TlsSettings,
};
pub use surface::Surface;
pub use watches::Watches;
pub use workers::Workers;
