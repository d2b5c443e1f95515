//! The whole suite in one process, and a client that needs no generated code.
//!
//! [`suite`] starts the stand-in upstreams, the services and the gateway, wired in memory. [`client`] and [`reflection`]
//! speak to any gateway ([`target`]): they learn its contract from reflection, and [`dynamic`] carries messages that are known only then.

pub mod client;
pub mod commands;
pub mod dynamic;
pub mod error;
pub mod failure;
pub mod print;
pub mod programs;
pub mod reflection;
mod secrets;
pub mod suite;
pub mod target;
mod up;
pub mod wiring;
