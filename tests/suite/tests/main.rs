//! The suite from outside: gateway, services and stand-in upstreams over real sockets, and the house rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "main/add_operation.rs"]
mod add_operation;
#[path = "main/caller.rs"]
mod caller;
#[path = "main/canary.rs"]
mod canary;
#[path = "main/child.rs"]
mod child;
#[path = "main/contract.rs"]
mod contract;
#[path = "main/disguise.rs"]
mod disguise;
#[path = "main/filling.rs"]
mod filling;
#[path = "main/injection.rs"]
mod injection;
#[path = "main/log.rs"]
mod log;
#[path = "main/outcome.rs"]
mod outcome;
#[path = "main/polyglot.rs"]
mod polyglot;
#[path = "main/promises.rs"]
mod promises;
#[path = "main/provider.rs"]
mod provider;
#[path = "main/real_peers.rs"]
mod real_peers;
#[path = "main/recorder.rs"]
mod recorder;
#[path = "main/reload.rs"]
mod reload;
#[path = "main/spans.rs"]
mod spans;
#[path = "main/stage.rs"]
mod stage;
#[path = "main/tidy.rs"]
mod tidy;
#[path = "main/trace.rs"]
mod trace;
#[path = "main/tree.rs"]
mod tree;
