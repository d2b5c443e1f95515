//! The gateway: one address, one credential and one error model in front of all providers.
//!
//! `edge` is the life of a call: it authenticates (`identity`), decides (`policy`), limits (`limits`), finds an instance
//! (`fleet`) and passes frames on without decoding them (`forward`). The gateway knows no message: what it must know of
//! methods it discovers through the services' reflection (`catalog`). `status` is the operator's view.

mod answer;
mod atomic_file;
mod catalog;
mod commands;
pub mod config;
mod decider;
mod edge;
mod fleet;
mod forward;
mod gateway;
mod headers;
mod health;
mod identity;
mod key;
mod limits;
mod openapi;
mod policy;
mod principal;
mod service_config;
mod status;
mod telemetry;
mod transcode;

pub use config::Config;
pub use config::pattern::{AccountPattern, MethodPattern};
#[doc(hidden)]
pub use decider::Decider;
pub use gateway::Gateway;
pub use key::{KeyHash, new_key};
