//! The gateway: one address, one credential and one error model in front of all providers.
//!
//! `edge` is the life of a call: it authenticates (`principal`), decides (`policy`), limits (`limits`), finds an instance
//! (`fleet`) and passes frames on without decoding them (`forward`). The gateway knows no message: what it must know of
//! methods it learns from the services' reflection (`catalog`). `status` is what its operator sees.

mod answer;
mod catalog;
mod commands;
pub mod config;
mod edge;
mod fleet;
mod forward;
mod gateway;
mod headers;
mod health;
mod limits;
mod method;
mod policy;
mod principal;
mod status;
mod telemetry;

pub use config::Config;
pub use gateway::Gateway;
pub use policy::pattern::{AccountPattern, MethodPattern};
pub use principal::{KeyHash, new_key};
