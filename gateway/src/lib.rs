//! The gateway: one address, one credential and one error model in front of all providers.
//!
//! It authenticates (`principal`), decides (`policy`, `pattern`), limits (`limit`), finds an instance (`route`, `link`) and
//! passes frames on without decoding them (`forward`, `replay`, `relay`). It knows no message: what it must know of
//! methods it learns from the services' reflection (`learn`, `catalog`).

mod answer;
mod catalog;
mod channel;
mod commands;
pub mod config;
mod edge;
mod forward;
mod gateway;
mod headers;
mod health;
mod hop;
mod learn;
mod limit;
mod link;
mod method;
mod pattern;
mod policy;
mod principal;
mod relay;
mod replay;
mod route;

pub use config::Config;
pub use gateway::Gateway;
pub use pattern::{AccountPattern, MethodPattern};
pub use principal::{KeyHash, new_key};
