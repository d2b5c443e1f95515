//! The chassis from outside: a small program over real sockets.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "main/admin.rs"]
mod admin;
#[path = "main/apart.rs"]
mod apart;
#[path = "main/attacks.rs"]
mod attacks;
#[path = "main/audit.rs"]
mod audit;
#[path = "main/callers.rs"]
mod callers;
#[path = "main/calls.rs"]
mod calls;
#[path = "main/consul.rs"]
mod consul;
#[path = "main/door.rs"]
mod door;
#[path = "main/exemplars.rs"]
mod exemplars;
#[path = "main/logs.rs"]
mod logs;
#[path = "main/pki.rs"]
mod pki;
#[path = "main/probe.rs"]
mod probe;
#[path = "main/proxies.rs"]
mod proxies;
#[path = "main/reflection.rs"]
mod reflection;
#[path = "main/refusals.rs"]
mod refusals;
#[path = "main/reload.rs"]
mod reload;
#[path = "main/requests.rs"]
mod requests;
#[path = "main/restart.rs"]
mod restart;
#[path = "main/stopping.rs"]
mod stopping;
#[path = "main/telemetry.rs"]
mod telemetry;
#[path = "main/tls.rs"]
mod tls;
